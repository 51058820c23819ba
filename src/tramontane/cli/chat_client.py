"""The little of the API that a terminal chat needs, over any server that speaks it."""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx

from tramontane.cli.remote_server import RemoteServer, raise_for_refusal, reason_of
from tramontane.cli.sse import event_data
from tramontane.errors import RemoteServerError

Message = Mapping[str, str]
"""`role` and `content`."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the user chose of it; None leaves it to the server."""

    temperature: float | None = None
    max_tokens: int | None = None


class ChatClient(RemoteServer):
    """Speaks to one server."""

    def is_ready(self) -> bool:
        """Whether a server of ours answers here, within a second."""
        try:
            return self.http.get("/health/ready", timeout=1).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def chat_models(self) -> list[str]:
        """Ids of the models that can chat.

        Raises:
            RemoteServerError: no answer, or a refusal.
        """
        with self.translated():
            response = self.http.get("/v1/models")
            raise_for_refusal(response)
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
        request = self.http.build_request(
            "POST",
            "/v1/chat/completions",
            content=content,
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )
        with self.translated(), closing(self.http.send(request, stream=True)) as response:
            if response.is_error:
                response.read()
                raise_for_refusal(response)
            yield from _texts(response)


def _texts(response: httpx.Response) -> Iterator[str]:
    for data in event_data(response.iter_bytes()):
        if data == "[DONE]":
            return
        chunk = json.loads(data)
        if chunk.get("object") == "error" or "error" in chunk:
            raise RemoteServerError(f"The answer broke off: {reason_of(chunk)}")
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content"):
                yield text
    raise RemoteServerError("The answer broke off: the server closed the connection")


def _can_chat(card: Mapping[str, Any]) -> bool:
    return bool(card.get("capabilities", {}).get("completion_chat", True))
