"""The one path of every completion: budget → queue → engine → parser → ledger → events.

Streaming and not, chat and fill-in-the-middle: all of them are this stream. Whatever it opened is closed on
every way out: the end, an error, a stop string, a client that left.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from tramontane.core.context import RequestContext
from tramontane.core.events import ChoiceEnd, Event, FinishReason
from tramontane.core.output_format import PLAIN_TEXT, OutputFormat, Section
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.usage import Usage
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import Ability, EngineDelta
from tramontane.errors import EngineError
from tramontane.models.loaded import GenerationModel
from tramontane.parsing.parser import AnswerParser
from tramontane.parsing.stop import StopStrings
from tramontane.parsing.suffix import SuffixAnchor
from tramontane.prompts.dialects.affinity import affinity
from tramontane.scheduling.admission import Lane
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.sampling import MAX_SEED
from tramontane.serving.answer import Answer
from tramontane.serving.interleave import interleave
from tramontane.serving.metered import Worst, metered
from tramontane.serving.metering import Meter
from tramontane.serving.sampling import Room


@dataclass(frozen=True, slots=True)
class Generation:
    """A request in the words of the model side."""

    prompt: TokensPrompt
    params: SamplingParams
    room: Room
    n: int = 1
    stop: StopStrings | None = None
    prefix: str = ""
    """Text that each answer begins with; the model has it in its prompt."""
    thought: str = ""
    """A thought that comes before it, likewise."""
    output_format: OutputFormat = PLAIN_TEXT
    """The marks of the model, as far as they count in this answer."""
    begins_in: Section = Section.TEXT
    """What the model goes on with."""
    drops_blank: bool = False
    """A blank that an answer begins with is not part of it: the tokenizer or the prompt accounts for it."""
    max_calls: int | None = None
    """Calls that an answer may have; the first ones count."""
    suffix: SuffixAnchor | None = None
    """What follows the answer, if the model does not know."""
    lane: Lane = Lane.CHAT

    def answer(self, index: int, vocabulary: Vocabulary) -> Answer:
        """What reads the answer `index`."""
        parser = AnswerParser(
            vocabulary,
            self.stop,
            self.suffix,
            self.params.min_tokens,
            self.output_format,
            self.begins_in,
            max_calls=self.max_calls,
            drops_blank=self.drops_blank,
        )
        return Answer(
            index,
            parser,
            vocabulary,
            self.room,
            max_calls=self.max_calls,
            thought=self.thought,
            text=self.prefix,
        )

    def params_of(self, index: int) -> SamplingParams:
        """The parameters of the answer `index`: each has its own seed."""
        seed = self.params.seed
        return self.params if seed is None else replace(self.params, seed=(seed + index) & MAX_SEED)


def routed(
    generation: Generation,
    model: GenerationModel,
    request: ChatCompletionRequest | FIMCompletionRequest,
    context: RequestContext,
) -> Generation:
    """The same, with what the conversation is known by, for an engine that chooses between caches."""
    if Ability.ROUTED not in model.engine.info.abilities:
        return generation
    key = affinity(request, context.principal.workspace_id)
    return replace(generation, prompt=replace(generation.prompt, affinity=key))


class Tally:
    """The usage of a generation.

    The prompt counts once, however many answers share it, and not before the model has read it. Of an answer
    the tokens up to and including the one that completed a stop string count, not what the engine made beyond
    it; a stop token does not count. `cached_tokens` are the first answer's, since the others find its prompt
    cached.
    """

    def __init__(self, prompt_tokens: int, answers: Sequence[Answer]) -> None:
        self._prompt_tokens = prompt_tokens
        self._cached_tokens = 0
        self._answers = answers
        self._unfinished = len(answers)
        self.started = asyncio.Event()
        """The first answer has its first delta: the prompt is in the prefix cache."""

    def start(self, delta: EngineDelta) -> None:
        """Count what the first delta of the first answer says."""
        self._cached_tokens = delta.cached_tokens or 0
        self.started.set()

    def so_far(self) -> Usage:
        """What is used by now, whatever becomes of the rest."""
        if not self.started.is_set():
            return Usage(0)
        tokens = sum(answer.token_count for answer in self._answers)
        return Usage(self._prompt_tokens, tokens, self._cached_tokens)

    def end(self) -> Usage | None:
        """Note the end of one answer; the usage of the whole if it was the last."""
        self._unfinished -= 1
        return None if self._unfinished else self.so_far()


def generate(
    context: RequestContext, model: GenerationModel, generation: Generation, meter: Meter
) -> AsyncGenerator[Event]:
    """The answers to one request, interleaved as they come. The last event comes when all is in the ledger.

    Raises:
        SpendingLimitError, UnknownPriceError: the budget does not allow it.
        CapacityError: the queue is full.
        DeadlineError: it takes too long.
        EngineError, InvalidRequestError: what the engine raises; all answers are then closed.
        LedgerUnavailableError: it cannot be billed.
    """
    answers = [generation.answer(index, model.vocabulary) for index in range(generation.n)]
    tally = Tally(len(generation.prompt), answers)
    most = generation.room.max_tokens * generation.n
    events = _events(context, model, generation, meter, answers, tally)
    return metered(meter, Worst(len(generation.prompt), most), tally.so_far, events)


async def _events(
    context: RequestContext,
    model: GenerationModel,
    generation: Generation,
    meter: Meter,
    answers: Sequence[Answer],
    tally: Tally,
) -> AsyncGenerator[Event]:
    """All of them. Without room for a token the answers are empty."""
    if generation.room.max_tokens == 0:
        tally.started.set()
        for index in range(generation.n):
            yield ChoiceEnd(index, generation.prefix, FinishReason.LENGTH, tally.end())
        return
    async with model.admission.slot(context.principal.workspace_id, generation.lane, generation.n):
        meter.start()
        streams = [
            _answer(model, generation, index, answer, tally, meter) for index, answer in enumerate(answers)
        ]
        async with aclosing(interleave(streams)) as events:
            async for event in events:
                yield event


async def _answer(
    model: GenerationModel, generation: Generation, index: int, answer: Answer, tally: Tally, meter: Meter
) -> AsyncGenerator[Event]:
    """One answer. All but the first wait for the first one's first delta, to share its prefill."""
    if index > 0:
        await tally.started.wait()
    async with aclosing(model.engine.generate(generation.prompt, generation.params_of(index))) as deltas:
        async for delta in deltas:
            if not tally.started.is_set():
                tally.start(delta)
                meter.note_first_token()
            for event in answer.feed(delta):
                yield event
            if answer.is_over:
                break
    if not answer.is_over:
        raise EngineError("The engine ended an answer without a reason.")
    for event in answer.end(tally.end()):
        yield event
