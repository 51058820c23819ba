"""The one path of every completion: admission → engine → parser → events.

Streaming and not, chat and fill-in-the-middle: all of them are this stream. Whatever it opened is closed on
every way out: the end, an error, a stop string, a client that left.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tramontane.catalog.catalog import GenerationModel
from tramontane.core.context import RequestContext
from tramontane.core.events import ChoiceEnd, Event, FinishReason
from tramontane.core.output_format import PLAIN_TEXT, OutputFormat, Section
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.usage import Usage
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import EngineDelta
from tramontane.errors import EngineError
from tramontane.parsing.parser import AnswerParser
from tramontane.parsing.stop import StopStrings
from tramontane.parsing.suffix import SuffixAnchor
from tramontane.scheduling.admission import Lane
from tramontane.schemas.sampling import MAX_SEED
from tramontane.serving.answer import Answer
from tramontane.serving.interleave import interleave
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


class Tally:
    """The usage of a generation.

    The prompt counts once, however many answers share it. Of an answer the tokens up to and including the one
    that completed a stop string count, not what the engine made beyond it; a stop token does not count.
    `cached_tokens` are the first answer's, since the others find its prompt cached.
    """

    def __init__(self, prompt_tokens: int, answers: int) -> None:
        self._usage = Usage(prompt_tokens)
        self._unfinished = answers
        self.started = asyncio.Event()
        """The first answer has its first delta: the prompt is in the prefix cache."""

    def start(self, delta: EngineDelta) -> None:
        """Count the first delta of the first answer."""
        if not self.started.is_set():
            self._usage = replace(self._usage, cached_tokens=delta.cached_tokens or 0)
            self.started.set()

    def end(self, completion_tokens: int) -> Usage | None:
        """Count one answer; the usage of the whole if it was the last."""
        total = self._usage.completion_tokens + completion_tokens
        self._usage = replace(self._usage, completion_tokens=total)
        self._unfinished -= 1
        return None if self._unfinished else self._usage


async def generate(
    context: RequestContext, model: GenerationModel, generation: Generation
) -> AsyncGenerator[Event]:
    """The answers to one request, interleaved as they come. Without room for a token they are empty.

    Raises:
        CapacityError: the queue is full.
        EngineError, InvalidRequestError: what the engine raises; all answers are then closed.
    """
    tally = Tally(len(generation.prompt), generation.n)
    if generation.room.max_tokens == 0:
        for index in range(generation.n):
            yield ChoiceEnd(index, generation.prefix, FinishReason.LENGTH, tally.end(0))
        return
    async with model.admission.slot(context.principal.workspace_id, generation.lane, generation.n):
        answers = [_answer(model, generation, index, tally) for index in range(generation.n)]
        async with aclosing(interleave(answers)) as events:
            async for event in events:
                yield event


async def _answer(
    model: GenerationModel, generation: Generation, index: int, tally: Tally
) -> AsyncGenerator[Event]:
    """One answer. All but the first wait for the first one's first delta, to share its prefill."""
    if index > 0:
        await tally.started.wait()
    answer = generation.answer(index, model.vocabulary)
    async with aclosing(model.engine.generate(generation.prompt, generation.params_of(index))) as deltas:
        async for delta in deltas:
            tally.start(delta)
            for event in answer.feed(delta):
                yield event
            if answer.is_over:
                break
    if not answer.is_over:
        raise EngineError("The engine ended an answer without a reason.")
    for event in answer.end(tally.end(answer.token_count)):
        yield event
