"""HTTP to the servers of a pool: one session of kept connections, and patience in three measures.

Reading stops when nobody takes what was read: the session's buffer is small, and the rest waits at the
server.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson

import tramontane
from tramontane.engines.upstream.failures import ReplicaError, SilentError
from tramontane.engines.upstream.options import Timeouts
from tramontane.engines.upstream.refusals import refusal
from tramontane.engines.upstream.sse import EventReader

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Of an answer that is no stream: the vectors of a large batch are some megabytes."""
_MAX_REFUSAL_BYTES: Final = 64 * 1024
_KEPT_SECONDS: Final = 30.0
"""Shorter than any server keeps an idle connection open, but for those that say so."""
_FAREWELL_SECONDS: Final = 0.1
"""For the end of a body behind the last event, so that the connection can be used again."""
_DONE: Final = b"[DONE]"


class UpstreamClient:
    """Asks servers. Between `open` and `close`."""

    def __init__(self, key: str | None, timeouts: Timeouts) -> None:
        self._headers = {"user-agent": f"tramontane/{tramontane.__version__}"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the session; it belongs to the running event loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            trust_env=True,  # the proxies of the environment, as other programs
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Let go of all connections; what still reads from one fails."""
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, seconds: float) -> tuple[int, Any]:
        """Status and JSON of a short answer; None for what is no JSON.

        Raises:
            SilentError: nothing came in time.
            ReplicaError: it cannot be reached.
        """
        try:
            async with (
                asyncio.timeout(seconds),
                self._opened.get(url, allow_redirects=False) as response,
            ):
                body = await _read(response, MAX_ANSWER_BYTES)
        except TimeoutError as error:
            raise SilentError(_words(error)) from error
        except _FAULTS as error:
            raise ReplicaError(_words(error)) from error
        try:
            return response.status, orjson.loads(body)
        except orjson.JSONDecodeError:
            return response.status, None

    async def post(self, url: str, body: bytes) -> bytes:
        """The whole answer.

        Raises:
            ApiError: the server refuses the request itself.
            ReplicaError: anything else went wrong.
        """
        async with self._posted(url, body) as response:
            try:
                async with asyncio.timeout(self._timeouts.first_token):
                    return await _read(response, MAX_ANSWER_BYTES)
            except _FAULTS as error:
                raise ReplicaError(_words(error)) from error

    async def stream(self, url: str, body: bytes) -> AsyncGenerator[bytes]:
        """The data of the events of the answer, up to `[DONE]` or the end.

        Closing it closes the connection, by which the server learns that nobody reads any more.

        Raises:
            ApiError: the server refuses the request itself.
            ReplicaError: anything else went wrong.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeouts.first_token
        seen = 0
        async with self._posted(url, body) as response:
            reader, content = EventReader(), response.content
            while True:
                events = reader.feed(await _more(content, deadline))
                for event in events:
                    if event == _DONE:
                        await _finish(response)
                        return
                    yield event
                if content.at_eof():
                    break
                seen += len(events)
                if events and seen > 1:  # the first one may do no more than name the role
                    deadline = loop.time() + self._timeouts.between_tokens
            for event in reader.end():
                if event != _DONE:
                    yield event

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            raise ReplicaError("the pool is closed")
        return self._session

    @asynccontextmanager
    async def _posted(self, url: str, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer with status 200; its connection is closed on every way out unless it was read to its end.

        Raises:
            ApiError, ReplicaError: as `post`.
        """
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_token):
                response = await self._post(url, body)
        except _FAULTS as error:
            raise ReplicaError(_words(error)) from error
        try:
            if response.status != 200:
                raise refusal(response.status, response.headers, await _refusal_body(response))
            yield response
        finally:
            response.close()

    async def _post(self, url: str, body: bytes) -> aiohttp.ClientResponse:
        """Once more if the connection was closed: a kept one may be, in the moment in which it is used."""
        try:
            return await self._opened.post(url, data=body, headers=_JSON, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError):
            return await self._opened.post(url, data=body, headers=_JSON, allow_redirects=False)


_JSON: Final = {"content-type": "application/json", "accept": "text/event-stream, application/json"}
_FAULTS: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, RuntimeError, AssertionError)
"""The last two are what aiohttp says of a connection or a session that was closed meanwhile."""


async def _more(content: aiohttp.StreamReader, deadline: float) -> bytes:
    """The next bytes, as soon as there are some; none at the end.

    Raises:
        ReplicaError: the connection broke, or nothing came until the deadline.
    """
    try:
        if data := content.read_nowait():
            return data
        async with asyncio.timeout_at(deadline):
            return await content.readany()
    except _FAULTS as error:
        raise ReplicaError(_words(error)) from error


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body.

    Raises:
        ValueError: it is longer than `most` bytes.
    """
    pieces, length = [], 0
    while piece := await response.content.readany():
        pieces.append(piece)
        length += len(piece)
        if length > most:
            raise ValueError(f"an answer is longer than {most} bytes")
    return b"".join(pieces)


async def _refusal_body(response: aiohttp.ClientResponse) -> bytes:
    """As much of it as comes soon, since the status says the most."""
    try:
        async with asyncio.timeout(5):
            return await _read(response, _MAX_REFUSAL_BYTES)
    except _FAULTS:
        return b""


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read the end of the body, if it is there."""
    try:
        async with asyncio.timeout(_FAREWELL_SECONDS):
            while await response.content.readany():
                pass
    except _FAULTS:
        pass


def _words(error: BaseException) -> str:
    """What went wrong, for the log; never empty."""
    if isinstance(error, TimeoutError) and not str(error):
        return "it was silent for too long"
    return f"{type(error).__name__}: {error}"
