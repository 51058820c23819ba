"""Streams of completions as server-sent events, byte for byte as the hosted API sends them.

The frames of one answer differ in a few bytes only, so the rest is rendered once for all of them.
"""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tramontane.api.disconnect import CancelOnDisconnect
from tramontane.api.errors import in_band_error, unforeseen
from tramontane.api.render import logprobs, tool_calls, usage_info
from tramontane.core.context import RequestContext
from tramontane.core.events import ChoiceEnd, Event, TextDelta, ThinkingDelta, TokenLogprob
from tramontane.errors import ApiError
from tramontane.observability.metrics import UNFORESEEN, Metrics

logger = logging.getLogger(__name__)

DONE: Final = b"data: [DONE]\n\n"
_STREAM_HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
_THINKING: Final = b'"content":[{"type":"thinking","thinking":[{"type":"text","text":%b}]}]'


class Frames:
    """Renders the events of one request as `CompletionChunk` frames."""

    def __init__(self, context: RequestContext, model: str) -> None:
        self._head = (
            b'data: {"id":"%b","object":"chat.completion.chunk","created":%d,"model":%b,"choices":[{"index":'
            % (context.request_id.encode(), context.created, orjson.dumps(model))
        )
        # Nearly all frames are of this form. A % in the name of the model is no placeholder.
        self._text_frame = (
            self._head.replace(b"%", b"%%") + b'%d,"delta":{"content":%b},"finish_reason":null}]}\n\n'
        )

    def role(self, index: int) -> bytes:
        """The first frame of the answer `index`."""
        return b'%b%d,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n' % (
            self._head,
            index,
        )

    def event(self, event: Event) -> bytes:
        """The frame of one event: text, at the end of an answer its reason, at the end of all the usage."""
        match event:
            case TextDelta(index, text) if not event.logprobs:
                return self._text_frame % (index, orjson.dumps(text))
            case TextDelta(index, text, tokens):
                return self._frame(index, b'"content":' + orjson.dumps(text), tokens)
            case ThinkingDelta(index, text):
                return self._frame(index, _THINKING % orjson.dumps(text))
            case ChoiceEnd(index, _, reason, usage):
                tail = b',"usage":' + usage_info(usage).model_dump_json().encode() if usage else b""
                delta = _last_delta(event)
                return self._frame(index, delta, event.logprobs, b'"%b"' % reason.encode(), tail)

    def _frame(
        self,
        index: int,
        delta: bytes,
        tokens: Sequence[TokenLogprob] = (),
        finish_reason: bytes = b"null",
        tail: bytes = b"",
    ) -> bytes:
        return b'%b%d,"delta":{%b},"finish_reason":%b%b}]%b}\n\n' % (
            self._head,
            index,
            delta,
            finish_reason,
            _logprobs(tokens) if tokens else b"",
            tail,
        )


class EventStream(Response):
    """Sends events as they come.

    The headers wait for the first event, so that an error before it is a plain answer with a status. A later
    one is the last frame, and the stream ends without `[DONE]`. When the client leaves, `events` is closed.

    Args:
        events: of one request.
        frames: what renders them.
        choices: how many answers there are.
        headers: read when the first event is there; what makes the events may add to them until then.
    """

    def __init__(
        self, events: AsyncGenerator[Event], frames: Frames, choices: int, headers: Mapping[str, str]
    ) -> None:
        self.status_code = 200
        self.background = None
        self._more_headers = headers
        self._events = events
        self._frames = frames
        self._choices = choices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        async with CancelOnDisconnect(receive) as connection, aclosing(self._events) as events:
            first = await anext(events)
            self.init_headers({**_STREAM_HEADERS, **self._more_headers})
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            roles = b"".join(self._frames.role(index) for index in range(self._choices))
            await _send_more(send, roles + self._frames.event(first))
            last = await self._send_rest(events, send, scope["app"].state.services.metrics)
        if not connection.left:
            await send({"type": "http.response.body", "body": last})

    async def _send_rest(self, events: AsyncGenerator[Event], send: Send, metrics: Metrics) -> bytes:
        """Send all further events; returns what is to be sent at the very end."""
        try:
            async for event in events:
                await _send_more(send, self._frames.event(event))
        except ApiError as error:
            logger.warning("A stream ended with an error: %s", error)
            metrics.refused(type(error).__name__)
            return _error_frame(error)
        except Exception:
            # The status is sent, so only the stream itself can tell.
            logger.exception("A stream failed")
            metrics.refused(UNFORESEEN)
            return _error_frame(unforeseen())
        return DONE


def _last_delta(end: ChoiceEnd) -> bytes:
    """The rest of the text, or else all calls at once."""
    if not end.tool_calls:
        return b'"content":' + orjson.dumps(end.text)
    calls = [call.model_dump() for call in tool_calls(end.tool_calls)]
    return b'"tool_calls":' + orjson.dumps(calls)


def _logprobs(tokens: Sequence[TokenLogprob]) -> bytes:
    listed = logprobs(tokens)
    return b',"logprobs":' + listed.model_dump_json().encode() if listed else b""


def _error_frame(error: ApiError) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(in_band_error(error))


async def _send_more(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
