"""Conversation → token ids, by the chat template that came with the weights.

The template is code from a stranger: it runs in Jinja's immutable sandbox, in the environment that
`transformers` gives it, and what it raises is an error of the request.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tramontane.core.clock import Clock, SystemClock
from tramontane.core.output_format import OutputFormat, TaggedCalls, TaggedThoughts
from tramontane.core.prompt import Modality, TokensPrompt
from tramontane.errors import ContextLengthError, InvalidRequestError, ModelStoreError
from tramontane.prompts.control import Veil, texts_in, veiled
from tramontane.prompts.conversation import Conversation, conversation_from_messages
from tramontane.prompts.renderer import ChatInput, RenderedChat
from tramontane.prompts.schema_as_text import told_of_schema
from tramontane.prompts.template_knowledge import knowledge_of
from tramontane.prompts.tokenizer import Tokenizer
from tramontane.schemas.chat import ReasoningEffort
from tramontane.weights.artifact import Artifact

CHATML: Final = (
    "{{ bos_token }}{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For weights without a template, and for the fake engine."""


class ChatRenderer:
    """Renders the conversations of one model.

    A template that knows tools gets them, calls and results as they are; for any other they are told in text.
    Calls are expected between the tags that most models of these families use.

    Args:
        tokenizer: the model's own.
        template: Jinja source; None is ChatML.
        bos_token, eos_token: the texts that the template knows by these names.
        strict: take ids of tool calls in the hosted API's form only.
        clock: what `strftime_now` of the template tells.

    Raises:
        ModelStoreError: the template is not valid Jinja.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: str | None = None,
        *,
        bos_token: str = "",
        eos_token: str = "",
        strict: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._strict = strict
        environment = _environment(clock or SystemClock())
        environment.globals.update(bos_token=bos_token, eos_token=eos_token)
        try:
            self._template = environment.from_string(template or CHATML)
            self._knowledge = knowledge_of(template or CHATML, environment)
        except TemplateError as error:
            raise ModelStoreError(f"The model's chat template is not valid: {error}") from error
        self._output_format = _output_format(self._knowledge.thoughts, tokenizer.control.ids)

    @classmethod
    def from_artifact(
        cls, artifact: Artifact, tokenizer: Tokenizer, *, strict: bool = False, clock: Clock | None = None
    ) -> "ChatRenderer":
        """The renderer of a converted model.

        Raises:
            ModelStoreError: the template cannot be read or is not valid Jinja.
        """
        manifest, path = artifact.manifest, artifact.chat_template
        text_of = {token_id: text for text, token_id in tokenizer.control.ids.items()}
        eos_token_id = next(iter(manifest.stop_token_ids), None)
        try:
            template = path.read_text(encoding="utf-8") if path else None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelStoreError(f"Cannot read the chat template {path}: {error}") from error
        return cls(
            tokenizer,
            template,
            bos_token=text_of.get(manifest.bos_token_id, "") if manifest.bos_token_id is not None else "",
            eos_token=text_of.get(eos_token_id, "") if eos_token_id is not None else "",
            strict=strict,
            clock=clock,
        )

    @property
    def output_format(self) -> OutputFormat:
        """By tags, each a control token if the tokenizer has it as one, and otherwise text."""
        return self._output_format

    @property
    def reasoning_efforts(self) -> Sequence[ReasoningEffort]:
        """What the template can tell the model."""
        return self._knowledge.reasoning_efforts

    @property
    def modalities(self) -> frozenset[Modality]:
        """Templates have no one way to write them."""
        return frozenset()

    def render(self, chat: ChatInput, max_context_length: int) -> RenderedChat:
        """The prompt up to where the model goes on: after the assistant's header and the prefix.

        Raises:
            ContextLengthError: it cannot fit, however it falls into tokens; the count is the least possible.
            InvalidRequestError: the template refuses the conversation, for instance for its roles; or what
                `conversation_from_messages` raises.
        """
        conversation = conversation_from_messages(told_of_schema(chat).messages, strict=self._strict)
        least = max(len(conversation.turns), conversation.size // self._tokenizer.longest_token)
        if least >= max_context_length:
            raise ContextLengthError(least, max_context_length)
        try:
            return self._rendered(chat, conversation)
        except RecursionError as error:
            raise InvalidRequestError("The request is nested too deeply") from error

    def _rendered(self, chat: ChatInput, conversation: Conversation) -> RenderedChat:
        knowledge = self._knowledge
        prefix, thought = conversation.prefix, conversation.thought if knowledge.thoughts else ""
        messages, tools = knowledge.messages(conversation.turns, chat.tools)
        veil = Veil(self._tokenizer.control, texts_in([messages, tools, prefix, thought]))
        rendered = self._render(
            messages=veiled(messages, veil),
            tools=veiled(tools, veil) or None,
            **knowledge.thinking(chat.reasoning_effort, thinks=chat.asks_to_think or bool(thought)),
        )
        start = replace(conversation, prefix=veil.cover(prefix), thought=veil.cover(thought))
        may_think = chat.asks_to_think or not chat.is_formed
        beginning, begins_in = knowledge.beginning(rendered, start, may_think=may_think)
        prompt = TokensPrompt(self._tokenizer.encode_rendered(rendered + beginning, veil))
        return RenderedChat(prompt, prefix, thought, begins_in)

    def _render(self, **variables: object) -> str:
        try:
            return self._template.render(add_generation_prompt=True, documents=None, **variables)
        except TemplateError as error:
            raise InvalidRequestError(str(error)) from error
        except Exception as error:  # a template may raise anything that an expression can
            raise InvalidRequestError(f"The model's chat template cannot render this: {error}") from error


def _output_format(thoughts: TaggedThoughts | None, control: Mapping[str, int]) -> OutputFormat:
    def tokens(form: TaggedCalls | TaggedThoughts) -> dict[str, int]:
        return {tag: control[tag] for tag in (form.start, form.end) if tag in control}

    calls = TaggedCalls()
    return OutputFormat(
        replace(calls, tokens=tokens(calls)), thoughts and replace(thoughts, tokens=tokens(thoughts))
    )


class _GenerationTag(Extension):
    """`{% generation %}…{% endgeneration %}` marks answers for training; here its body is just rendered."""

    tags = {"generation"}  # noqa: RUF012  # an instance variable in Jinja's types

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The statements inside."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment(clock: Clock) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        extensions=[_GenerationTag, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now(clock)
    return environment


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is: Jinja's own filter escapes for HTML. The parameters are those of `transformers`."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(clock: Clock) -> Callable[[str], str]:
    def strftime_now(form: str) -> str:
        return datetime.fromtimestamp(clock.now(), UTC).astimezone().strftime(form)

    return strftime_now
