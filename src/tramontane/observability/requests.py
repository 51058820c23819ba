"""What is told of a request when it is over, to whoever counts or traces requests."""

from dataclasses import dataclass
from typing import Protocol

from tramontane.core.usage import Usage


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """One completion or embedding, however it ended. It holds no text, and nothing of who asked.

    Times are in seconds, from the arrival of the request; None for what it did not live to see.
    """

    request_id: str
    endpoint: str
    """`chat`, `fim` or `embeddings`."""
    model_asked: str
    """The id that the client chose: not for labels, of which there must not be many."""
    model_served: str
    stream: bool
    status: str
    """`ok`, `error` or `cancelled`."""
    error: str | None
    """The type of the error, as clients see it."""
    usage: Usage
    queued: float | None
    """When it got its slot."""
    time_to_first_token: float | None
    duration: float


class RequestObserver(Protocol):
    """Is told of every request that came as far as the queue. Must be quick, and raise nothing."""

    def finished(self, request: FinishedRequest) -> None:
        """The request is over."""
        ...
