"""The chunks of a server's stream → our events, whatever the server's habits."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from tramontane.core.events import (
    ChoiceEnd,
    Event,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCall,
)
from tramontane.core.ids import is_tool_call_id, new_tool_call_id
from tramontane.core.remote import RemoteRequest, RunningUsage
from tramontane.engines.upstream.chunks import CallPart, Choice, Chunk, Delta, Part, UsagePart
from tramontane.engines.upstream.failures import ReplicaError
from tramontane.engines.upstream.refusals import in_band

MAX_CALL_CHARACTERS: Final = 8 * 1024 * 1024
"""Of all arguments of an answer's calls, which are kept until it ends."""
MAX_CALLS: Final = 1024
_REASONS: Final = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.MODEL_LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "error": FinishReason.ERROR,
    "content_filter": FinishReason.ERROR,
}
_BROKEN_OFF: Final = frozenset({"abort", "cancelled"})
_CHUNK: Final = msgspec.json.Decoder(Chunk)


@dataclass(slots=True)
class _Call:
    """A call in the making."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """One answer in the making."""

    calls: dict[int, _Call] = field(default_factory=dict)
    text: str = ""
    """Held back: it comes with the end."""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: FinishReason | None = None
    is_begun: bool = False


class AnswerReader:
    """Reads the stream of one request. What it says of tokens is noted in `used`.

    Ends of answers but the last are told as they come; the last one waits for the usage, which many servers
    tell behind it.
    """

    def __init__(self, request: RemoteRequest, used: RunningUsage) -> None:
        self._request = request
        self._used = used
        self._answers = [_Answer() for _ in range(request.n)]
        self._final: ChoiceEnd | None = None
        self._told = 0
        self._held = 0

    def feed(self, event: bytes) -> Sequence[Event]:
        """What one event of the stream says.

        Raises:
            ApiError: that the request is at fault.
            ReplicaError: that the server failed, or nothing that can be understood.
        """
        try:
            chunk = _CHUNK.decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ReplicaError(f"it sent what is no chunk of a completion: {error}") from error
        if chunk.error is not None or chunk.object in {"error", "Error"}:
            raise in_band(event)
        if chunk.usage is not None:
            self._note_usage(chunk.usage)
        events: list[Event] = []
        for choice in chunk.choices:
            events.extend(self._choice(choice))
        return events

    def end(self) -> Sequence[Event]:
        """The end of the last answer, with the usage of all.

        Raises:
            ReplicaError: the stream was cut.
        """
        if self._final is None:
            raise ReplicaError("its stream ended before the answer")
        self._used.has_begun = True
        return [replace(self._final, usage=self._used.usage)]

    def _choice(self, choice: Choice) -> Iterator[Event]:
        if not 0 <= choice.index < len(self._answers):
            raise ReplicaError(f"it sent an answer {choice.index} of {len(self._answers)}")
        answer = self._answers[choice.index]
        if answer.reason is not None:
            return  # some servers say the end twice
        yield from self._delta(choice.index, answer, choice.delta)
        if choice.logprobs is not None and choice.logprobs.content:
            answer.logprobs += [
                TokenLogprob(
                    token.token_id,
                    token.token.encode() if token.bytes is None else bytes(token.bytes),
                    min(token.logprob, 0.0),
                )
                for token in choice.logprobs.content
                if token.token_id is not None
            ]
        if choice.finish_reason:
            yield from self._finish(choice.index, answer, choice.finish_reason)
        elif answer.text:
            yield self._say(choice.index, answer)

    def _delta(self, index: int, answer: _Answer, delta: Delta) -> Iterator[Event]:
        thought, text = _contents(delta)
        if not answer.is_begun and (thought or text or delta.tool_calls):
            answer.is_begun = True
            answer.text = self._request.prefix
        if thought or text or delta.tool_calls:
            self._used.has_begun = True
            self._used.pieces += 1
        if thought:
            yield ThinkingDelta(index, thought)
        answer.text += text
        for part in delta.tool_calls or ():
            self._note_call(answer, part)

    def _say(self, index: int, answer: _Answer) -> TextDelta:
        said = TextDelta(index, answer.text, tuple(answer.logprobs))
        answer.text = ""
        answer.logprobs.clear()
        return said

    def _note_call(self, answer: _Answer, part: CallPart) -> None:
        index = part.index
        if index is None:
            # Without a number, a piece with a name or an id begins another call.
            is_new = bool(part.id or part.function.name) or not answer.calls
            index = len(answer.calls) if is_new else len(answer.calls) - 1
        call = answer.calls.setdefault(index, _Call())
        call.id = call.id or part.id or ""
        call.name = call.name or part.function.name or ""
        arguments = part.function.arguments
        if arguments:
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            self._held += len(text)
            call.arguments.append(text)
        if self._held > MAX_CALL_CHARACTERS or len(answer.calls) > MAX_CALLS:
            raise ReplicaError("its calls have no end")

    def _finish(self, index: int, answer: _Answer, reason: str) -> Iterator[Event]:
        if reason in _BROKEN_OFF:
            raise ReplicaError(f"it broke off: {reason}")
        if not answer.is_begun:
            answer.text = self._request.prefix
        answer.reason = _REASONS.get(reason, FinishReason.STOP)
        calls = self._calls(answer)
        if calls and answer.text:
            yield self._say(index, answer)
        if calls and answer.reason is FinishReason.STOP:
            answer.reason = FinishReason.TOOL_CALLS
        self._told += 1
        end = ChoiceEnd(index, answer.text, answer.reason, tool_calls=calls, logprobs=tuple(answer.logprobs))
        if self._told < len(self._answers):
            yield end
        else:
            self._final = end

    def _calls(self, answer: _Answer) -> tuple[ToolCall, ...]:
        was_cut = answer.reason in {FinishReason.LENGTH, FinishReason.MODEL_LENGTH}
        calls = [call for _, call in sorted(answer.calls.items()) if call.name]
        return tuple(
            ToolCall(
                call.id if is_tool_call_id(call.id) else new_tool_call_id(),
                call.name,
                _arguments("".join(call.arguments), was_cut=was_cut),
            )
            for call in calls[: self._request.max_calls]
        )

    def _note_usage(self, said: UsagePart) -> None:
        if said.prompt_tokens is not None and said.prompt_tokens >= 0:
            self._used.prompt_tokens = said.prompt_tokens
        if said.completion_tokens is not None and said.completion_tokens >= 0:
            # llama.cpp's server tells those of one answer, however many there are.
            least = self._used.pieces if len(self._answers) > 1 else 0
            self._used.completion_tokens = max(said.completion_tokens, least)
        self._used.cached_tokens = max(said.cached_tokens, 0)


def _contents(delta: Delta) -> tuple[str, str]:
    """The thought and the text of a piece."""
    thought = delta.reasoning_content or delta.reasoning or ""
    content = delta.content
    if isinstance(content, str):
        return thought, content
    if content is None:
        return thought, delta.refusal or ""
    texts = [part.text or "" for part in content if part.type == "text"]
    return thought + "".join(map(_thought, content)), "".join(texts)


def _thought(part: Part) -> str:
    if part.type != "thinking":
        return ""
    if isinstance(part.thinking, str):
        return part.thinking
    return "".join(inner.text or "" for inner in part.thinking or ())


def _arguments(text: str, *, was_cut: bool) -> str:
    """With the blanks that the hosted API writes. What was cut is nothing; what is no JSON stays as it is."""
    if not text.strip():
        return "" if was_cut else "{}"
    try:
        value = json.loads(text)
        arguments = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "" if was_cut else text
    try:
        arguments.encode()
    except UnicodeEncodeError:  # half a character
        return json.dumps(value)
    return arguments
