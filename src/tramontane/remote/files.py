"""Files at URLs that clients name, fetched so that a client cannot look into our network through them.

Each host name is resolved here, its addresses are checked, and the connection goes to the very address that
was checked: a second lookup could give another one. Redirects are followed the same way. Proxies of the
environment are not used: behind one nobody would check. Whatever goes wrong, the client is told the same.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import tramontane
from tramontane.errors import FileInputError
from tramontane.remote.addresses import AddressPolicy, is_public

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 3
SECONDS: Final = 20.0
"""For one file with all its redirects."""


Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, as the system knows them; never none, OSError instead."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class RemoteFiles:
    """Fetches files of a few megabytes.

    Args:
        may_connect: says which addresses may be asked.
        schemes: of URLs, redirects included.
        seconds: for one file.
        resolve: finds the addresses of a host.
    """

    def __init__(
        self,
        may_connect: AddressPolicy = is_public,
        schemes: frozenset[str] = frozenset({"https"}),
        seconds: float = SECONDS,
        resolve: Resolver = resolve_host,
    ) -> None:
        self._may_connect = may_connect
        self._schemes = schemes
        self._seconds = seconds
        self._resolve = resolve

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """The file at `url`.

        Raises:
            FileInputError: it cannot be had, is larger than `max_bytes`, takes too long, or must not be asked
                for. The log says which.
        """
        import httpx  # noqa: PLC0415  slow to import, with a command line of its own; few requests name a URL

        try:
            async with asyncio.timeout(self._seconds), httpx.AsyncClient(trust_env=False) as client:
                return await self._fetch(client, httpx.URL(url), max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, _RefusedError) as error:
            logger.info("A file was not fetched: %s: %s", type(error).__name__, error)
            raise FileInputError(f"File could not be fetched from url '{url}'") from error

    async def _fetch(self, client: "httpx.AsyncClient", url: "httpx.URL", max_bytes: int) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            request = await self._request(client, url)
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                if "location" not in response.headers or not response.is_redirect:
                    response.raise_for_status()
                    return await _body(response, max_bytes)
                url = url.join(response.headers["location"])
            finally:
                await response.aclose()
        raise _RefusedError("it is redirected too often")

    async def _request(self, client: "httpx.AsyncClient", url: "httpx.URL") -> "httpx.Request":
        """A request to the checked address of the host, which is still asked by its name."""
        if url.scheme not in self._schemes or not url.host:
            raise _RefusedError(f"{url.scheme}:// is not allowed")
        address = await self._address(url.host, url.port or (443 if url.scheme == "https" else 80))
        return client.build_request(
            "GET",
            url.copy_with(host=address, userinfo=b""),
            headers={
                "host": url.netloc.decode("ascii"),
                "user-agent": f"tramontane/{tramontane.__version__}",
                "accept-encoding": "identity",
            },
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )

    async def _address(self, host: str, port: int) -> str:
        addresses = [ip_address(address) for address in await self._resolve(host, port)]
        for address in addresses:
            if not self._may_connect(address):
                raise _RefusedError(f"{host} is at {address}")
        return str(addresses[0])


async def _body(response: "httpx.Response", max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > max_bytes:
            raise _RefusedError(f"it is larger than {max_bytes} bytes")
    return bytes(body)


class _RefusedError(Exception):
    """A file that must not be fetched."""
