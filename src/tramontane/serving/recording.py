"""What is said in requests and answers, handed to whoever keeps it, where the operator wants it kept."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final, Protocol

from tramontane.core.context import RequestContext
from tramontane.core.events import ChoiceEnd, Event, ThinkingDelta
from tramontane.errors import ApiError
from tramontane.schemas.base import WireModel
from tramontane.transcripts.entities import Said

MAX_CHARACTERS: Final = 262_144
"""Of an answer that are gathered; more would not be kept."""


class Recorder(Protocol):
    """Keeps what it is given, without anybody waiting for it."""

    def note(self, said: Said) -> None:
        """Keep it soon; returns at once."""
        ...


def record(
    recorder: Recorder,
    context: RequestContext,
    request: WireModel,
    answers: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Hand the request to the recorder; vectors are no answer that anybody reads."""
    recorder.note(Said(context.request_id, context.created, context.principal, request, answers))


class Recording:
    """One request whose answer is gathered while it passes."""

    def __init__(self, recorder: Recorder, context: RequestContext, request: WireModel) -> None:
        self._recorder = recorder
        self._context = context
        self._request = request
        self._answers: defaultdict[int, _Answer] = defaultdict(_Answer)

    async def follow(self, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The same events. When they end, in whatever way, the recorder has the request and the answers.

        What was refused before it began is in no ledger, and not recorded either.
        """
        is_refused = False
        try:
            async with aclosing(events):
                async for event in events:
                    self._answers[event.index].take(event)
                    yield event
        except ApiError as error:
            is_refused = error.status < HTTPStatus.INTERNAL_SERVER_ERROR and not self._answers
            raise
        finally:
            if not is_refused:
                answers = [answer.written() for _, answer in sorted(self._answers.items())]
                record(self._recorder, self._context, self._request, answers)


class _Answer:
    """One answer, up to `MAX_CHARACTERS` of its text and of its thought."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thought: list[str] = []
        self._length = 0
        self._end: ChoiceEnd | None = None

    def take(self, event: Event) -> None:
        self._length += len(event.text)
        if isinstance(event, ChoiceEnd):
            self._end = event
        if self._length <= MAX_CHARACTERS:
            (self._thought if isinstance(event, ThinkingDelta) else self._text).append(event.text)

    def written(self) -> dict[str, Any]:
        """As JSON; an answer that was cut has no `finish_reason`."""
        written: dict[str, Any] = {"text": "".join(self._text)}
        if self._thought:
            written["thought"] = "".join(self._thought)
        if self._end is not None:
            calls = [asdict(call) for call in self._end.tool_calls]
            written |= {"tool_calls": calls} if calls else {}
            written["finish_reason"] = self._end.finish_reason.value
        return written
