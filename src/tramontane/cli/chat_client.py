"""The little of the API that a terminal chat needs, over any server that speaks it."""

import ipaddress
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tramontane.cli.sse import event_data
from tramontane.errors import RemoteServerError

# An answer may wait in a queue, and stand still, for as long as the hosted API allows it.
_TIMEOUT: Final = httpx.Timeout(10, read=600)

Message = Mapping[str, str]
"""`role` and `content`."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the user chose of it; None leaves it to the server."""

    temperature: float | None = None
    max_tokens: int | None = None


class ChatClient:
    """Speaks to one server."""

    def __init__(self, base_url: str, api_key: str) -> None:
        """`base_url` with or without `/v1`."""
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        try:
            self._http = httpx.Client(
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
        self._http.close()

    def is_ready(self) -> bool:
        """Whether a server of ours answers here, within a second."""
        try:
            return self._http.get("/health/ready", timeout=1).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def chat_models(self) -> list[str]:
        """Ids of the models that can chat.

        Raises:
            RemoteServerError: no answer, or a refusal.
        """
        with self._translated():
            response = self._http.get("/v1/models")
            _raise_for_refusal(response)
            cards = response.json()["data"]
            return [card["id"] for card in cards if _can_chat(card)]

    def stream(self, model: str, messages: Sequence[Message], sampling: Sampling) -> Generator[str]:
        """The answer as it comes. Closing the iterator closes the connection, which stops the answer.

        Raises:
            RemoteServerError: no answer, a refusal, or a failure on the way; what came before stands.
        """
        body: dict[str, Any] = {"model": model, "messages": list(messages), "stream": True}
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.max_tokens is not None:
            body["max_tokens"] = sampling.max_tokens
        # A terminal can send bytes that are no text, and a model half a character; a server refuses both.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        request = self._http.build_request(
            "POST",
            "/v1/chat/completions",
            content=content,
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )
        with self._translated(), closing(self._http.send(request, stream=True)) as response:
            if response.is_error:
                response.read()
                _raise_for_refusal(response)
            yield from _texts(response)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise RemoteServerError(f"{self.base_url} does not answer") from error
        except httpx.HTTPError as error:
            raise RemoteServerError(f"{self.base_url} cannot be reached: {error}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RemoteServerError(f"{self.base_url} answers with something else than the API") from error


def _texts(response: httpx.Response) -> Iterator[str]:
    for data in event_data(response.iter_bytes()):
        if data == "[DONE]":
            return
        chunk = json.loads(data)
        if chunk.get("object") == "error" or "error" in chunk:
            raise RemoteServerError(f"The answer broke off: {_reason(chunk)}")
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content"):
                yield text
    raise RemoteServerError("The answer broke off: the server closed the connection")


def _raise_for_refusal(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        reason = _reason(response.json())
    except ValueError:
        reason = response.reason_phrase
    raise RemoteServerError(f"{reason} (HTTP {response.status_code})")


def _reason(body: Any) -> str:  # noqa: ANN401 - whatever a server says
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


def _can_chat(card: Mapping[str, Any]) -> bool:
    return bool(card.get("capabilities", {}).get("completion_chat", True))


def _is_local(base_url: str) -> bool:
    host = httpx.URL(base_url).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
