"""What the engine is held to: the grammar of an answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from tramontane.core.output_format import OutputFormat, Section, TokenThoughts
from tramontane.engines.protocol import Ability, EngineInfo
from tramontane.errors import FeatureNotEnabledError
from tramontane.prompts.call_grammar import calls, text_and_calls
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.prompts.thought_grammar import thought_and
from tramontane.serving.response_format import AnswerFormat
from tramontane.serving.tools import ToolUse


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request asks of its answer."""

    tools: ToolUse
    answer_format: AnswerFormat | None = None

    @property
    def is_form(self) -> bool:
        """Free text is no answer."""
        return bool(self.tools.forced) or self.answer_format is not None

    @property
    def field(self) -> str | None:
        """By what the client asks for a grammar, if anything."""
        if self.tools.forced:
            return "tool_choice"
        if self.answer_format:
            return "response_format"
        return "strict" if any(tool.function.strict for tool in self.tools.shown) else None


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the model takes over from the prompt."""

    section: Section = Section.TEXT
    thinks: bool = False
    """It is asked to think before it answers."""
    drops_blank: bool = False
    """A blank that the answer begins with is not part of it."""


class Constraint:
    """What an answer must be. An engine with a script is trusted to obey.

    A call that is forced comes before a form that is asked of the answer, as hosted: the answer to its result
    has that form.

    Raises:
        SchemaError: the form of the answer, or the parameters of a function that must be called, cannot be
            enforced.
        FeatureNotEnabledError: the model has no way to call, or the engine none to obey a grammar.
    """

    def __init__(
        self,
        demand: Demand,
        output_format: OutputFormat,
        engine: EngineInfo,
        stop_ids: Iterable[int] = (),
    ) -> None:
        field = demand.field
        if field and demand.tools.shown and output_format.calls is None:
            raise FeatureNotEnabledError(field)
        self._demand = demand
        self._thoughts = output_format.thoughts
        self._is_trusted = Ability.SCRIPTED in engine.abilities
        self._root: Ref | None = None
        if not field:
            return
        self._builder = GrammarBuilder(engine.control_characters, stop_ids)
        try:
            self._root = self._answer(output_format)
        except KeyError as error:  # a mark for which the engine has no character
            raise FeatureNotEnabledError(field) from error
        if not engine.abilities & {Ability.GRAMMAR, Ability.SCRIPTED}:
            raise FeatureNotEnabledError(field)

    def grammar(self, beginning: Beginning) -> str | None:
        """The grammar of what the model says from there on; None if it may say anything.

        Raises:
            SchemaError: no finite answer has the form, or the grammar would be too large.
        """
        root = self._root
        if root is None:
            return None
        builder = self._builder
        if self._demand.is_form:
            if beginning.drops_blank and not self._demand.tools.forced:
                root = builder.choice(root, builder.sequence(builder.literal(" "), root))
            if self._thoughts and (beginning.thinks or beginning.section is Section.THOUGHT):
                root = thought_and(builder, self._thoughts, root, beginning.section)
        grammar = builder.build(root)
        return None if self._is_trusted else grammar

    def _answer(self, output_format: OutputFormat) -> Ref:
        """The answer without what may come before it."""
        builder, tools, form = self._builder, self._demand.tools, output_format.calls
        if not self._demand.is_form:
            assert form
            marks = _thought_marks(output_format)
            return text_and_calls(builder, tools.shown, form, tools.max_calls, tokens=marks)
        if form and tools.forced:
            return calls(builder, tools.forced, form, tools.max_calls)
        assert self._demand.answer_format
        answer = self._demand.answer_format.grammar(builder)
        if form and tools.shown:
            return builder.choice(answer, calls(builder, tools.shown, form, tools.max_calls))
        return answer


def _thought_marks(output_format: OutputFormat) -> tuple[int, ...]:
    """The control tokens of thoughts, which may come in any text."""
    match output_format.thoughts:
        case None:
            return ()
        case TokenThoughts(start=start, end=end):
            return start, end
        case tags:
            return tuple(tags.tokens.values())
