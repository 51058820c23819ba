"""Redis: where processes and machines count together. The only module that knows its client.

A call takes a moment or fails: nobody waits for a server that is gone.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Final, Protocol, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tramontane.errors import ConfigurationError, StorageError

Answer = TypeVar("Answer")

_CALL_SECONDS: Final = 1.0
"""For connecting and asking together. It takes a millisecond, but a busy machine may take long over that."""
_CONNECTIONS: Final = 64
"""The calls that are under way at once; more wait for one another."""


class Script(Protocol):
    """A Lua script, run as one step of the server in one round trip."""

    async def __call__(self, keys: Sequence[str], arguments: Sequence[str | int]) -> Sequence[int]:
        """What the script returns."""
        ...


class RedisServer:
    """A connection pool to one server. Opens nothing until the first call; no call takes more than `seconds`.

    Raises:
        ConfigurationError: the URL is none of Redis.
    """

    def __init__(self, url: str, seconds: float = _CALL_SECONDS) -> None:
        self._seconds = seconds
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=seconds,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                # A connection that has died of idleness gets one more try, a server that is silent none.
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        except ValueError as error:
            raise ConfigurationError(f"redis_url: {error}") from error
        self._client = Redis.from_pool(pool)
        address = pool.connection_kwargs
        self.name = str(address.get("path") or f"{address.get('host')}:{address.get('port', 6379)}")
        """What messages call the server; without the password."""

    def script(self, *names: str) -> Script:
        """The files `lua/NAME.lua`, one after the other, as one script; sent to a server that lacks it."""
        folder = files("tramontane.storage") / "lua"
        script = self._client.register_script("".join((folder / f"{name}.lua").read_text() for name in names))

        async def run(keys: Sequence[str], arguments: Sequence[str | int]) -> Sequence[int]:
            answer: Sequence[int] = await self._call(script(keys, arguments))
            return answer

        return run

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _call(self, call: Awaitable[Answer]) -> Answer:
        with self._translated():
            async with asyncio.timeout(self._seconds):
                return await call

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise StorageError(f"Redis at {self.name} cannot be used: {reason}") from error
