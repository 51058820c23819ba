"""What the commands that speak to a server have in common: any server, whoever has started it."""

import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tramontane.errors import RemoteServerError

# An answer may wait in a queue, and stand still, for as long as the hosted API allows it.
_TIMEOUT: Final = httpx.Timeout(10, read=600)


class RemoteServer:
    """Speaks to one server, with one key."""

    def __init__(self, base_url: str, api_key: str) -> None:
        """`base_url` with or without `/v1`."""
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        try:
            self.http = httpx.Client(
                base_url=self.base_url,
                headers={"authorization": f"Bearer {api_key}"} if api_key else {},
                timeout=_TIMEOUT,
                trust_env=not _is_local(self.base_url),  # a proxy does not reach this machine
            )
        except httpx.InvalidURL as error:
            raise RemoteServerError(f"{base_url!r} is no URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What goes wrong on the way, as RemoteServerError."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise RemoteServerError(f"{self.base_url} does not answer") from error
        except httpx.HTTPError as error:
            raise RemoteServerError(f"{self.base_url} cannot be reached: {error}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RemoteServerError(f"{self.base_url} answers with something else than the API") from error


def raise_for_refusal(response: httpx.Response) -> None:
    """Raise RemoteServerError if the server refuses, with what it says."""
    if not response.is_error:
        return
    try:
        reason = reason_of(response.json())
    except ValueError:
        reason = response.reason_phrase
    raise RemoteServerError(f"{reason} (HTTP {response.status_code})")


def reason_of(body: Any) -> str:  # noqa: ANN401 - whatever a server says
    """The message in an error body of any of the shapes in use."""
    match body:
        case {"error": {"message": str(message)}} | {"error": str(message)}:
            return message
        case {"message": str(message)} | {"detail": str(message)}:
            return message
        case {"detail": [{"msg": str(message), "loc": [*place]}, *_]}:
            return f"{'.'.join(map(str, place))}: {message}"
        case _:
            return json.dumps(body)[:500]


def _is_local(base_url: str) -> bool:
    host = httpx.URL(base_url).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
