"""One answer in the making: what the engine says → events."""

from collections.abc import Sequence

from tramontane.core.events import (
    ChoiceEnd,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCall,
)
from tramontane.core.usage import Usage
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import EngineDelta
from tramontane.parsing.parser import AnswerParser
from tramontane.serving.sampling import Room


class Answer:
    """Reads the deltas of one engine's answer.

    Log-probabilities come with the text that their tokens have made, those of thoughts and calls with what
    follows them.

    Args:
        index: of the answer among those to one request.
        parser: tells text, thoughts and calls apart.
        vocabulary: of the model.
        room: how long the answer may become.
        max_calls: how many calls it may have; the first ones count.
        thought, text: what it begins with; the model has this in its prompt.
    """

    def __init__(
        self,
        index: int,
        parser: AnswerParser,
        vocabulary: Vocabulary,
        room: Room,
        *,
        max_calls: int | None = None,
        thought: str = "",
        text: str = "",
    ) -> None:
        self._index = index
        self._parser = parser
        self._vocabulary = vocabulary
        self._room = room
        self._max_calls = max_calls
        self._thought = thought
        self._text = text
        self._logprobs: list[TokenLogprob] = []
        self._finish_reason: FinishReason | None = None

    @property
    def is_over(self) -> bool:
        """Nothing more is to be read."""
        return self._finish_reason is not None

    @property
    def token_count(self) -> int:
        """Tokens up to and including the one that ended the answer."""
        return self._parser.token_count

    def feed(self, delta: EngineDelta) -> Sequence[Event]:
        """Read on; text at the very end comes with `end`."""
        before = self._parser.token_count
        text, thought = self._parser.feed(delta.token_ids)
        if delta.logprobs:
            self._note_logprobs(delta, self._parser.token_count - before)
        self._text += text
        self._thought += thought
        self._finish_reason = FinishReason.STOP if self._parser.stopped else delta.finish_reason
        events: list[Event] = []
        if self._thought:
            events.append(self._think())
        if self._text and not self.is_over:
            events.append(self._say())
        return events

    def end(self, usage: Usage | None) -> Sequence[Event]:
        """The rest of the answer; text and calls are never in one event."""
        text, thought = self._parser.flush(cut=self._finish_reason is FinishReason.LENGTH)
        self._text += text
        self._thought += thought
        calls = tuple(self._parser.found.calls)
        events: list[Event] = []
        if self._thought:
            events.append(self._think())
        if calls and self._text:
            events.append(self._say())
        logprobs = tuple(self._logprobs)
        events.append(ChoiceEnd(self._index, self._text, self._reason(calls), usage, calls, logprobs))
        return events

    def _note_logprobs(self, delta: EngineDelta, count: int) -> None:
        """Of the tokens up to the one that ended the answer."""
        for token_id, logprob in zip(delta.token_ids[:count], delta.logprobs, strict=False):
            self._logprobs.append(TokenLogprob(token_id, self._vocabulary.token_bytes[token_id], logprob))

    def _think(self) -> ThinkingDelta:
        thought, self._thought = self._thought, ""
        return ThinkingDelta(self._index, thought)

    def _say(self) -> TextDelta:
        said = TextDelta(self._index, self._text, tuple(self._logprobs))
        self._text = ""
        self._logprobs.clear()
        return said

    def _reason(self, calls: tuple[ToolCall, ...]) -> FinishReason:
        was_cut = self._finish_reason is FinishReason.LENGTH
        has_all_calls = len(calls) == self._max_calls and calls[-1].arguments
        if calls and (has_all_calls or not was_cut):
            return FinishReason.TOOL_CALLS
        if was_cut and not self._parser.stopped:
            return self._room.finish_reason
        return FinishReason.STOP
