"""The playground's requests: answered by the Mistral API itself, in the name of a workspace.

There is no second path to a model: limits, spending, ledger and errors are those of any other request.
"""

from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tramontane.core.principal import PRINCIPAL_IN_SCOPE, Principal

CONSOLE_KEY_ID: Final = "00000000-0000-7000-8000-000000000005"
"""Stands in the ledger where a request of the playground came without a key."""
_KEPT: Final = ("type", "asgi", "http_version", "scheme", "client", "server", "extensions", "root_path")
_HEADERS: Final = (b"content-type", b"content-length", b"transfer-encoding", b"host")


class Handover(Response):
    """Lets the API answer `POST path`, as if a key of the principal had come with it."""

    def __init__(self, api: ASGIApp, path: str, principal: Principal) -> None:
        super().__init__()
        self._api = api
        self._path = path
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on. Nothing of the browser's goes with it but its body: no cookie, no key."""
        of_api = {name: scope[name] for name in _KEPT if name in scope} | {
            "method": "POST",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": b"",
            "headers": [(name, value) for name, value in scope["headers"] if name in _HEADERS],
            PRINCIPAL_IN_SCOPE: self._principal,
        }
        await self._api(of_api, receive, send)
