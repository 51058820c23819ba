"""How a server fails, and what that makes of the request."""

from math import ceil

from tramontane.errors import ApiError, CapacityError, EngineError, EngineUnavailableError


class ReplicaError(Exception):
    """A server did not answer as it should: another one may. `str(error)` is for the log."""

    def api_error(self, *, has_begun: bool) -> ApiError:
        """What the client is told if nobody else can help."""
        return EngineError() if has_begun else EngineUnavailableError()


class SilentError(ReplicaError):
    """It took too long."""


class BusyError(ReplicaError):
    """It has too much to do. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def api_error(self, *, has_begun: bool) -> ApiError:
        """The queue is full, wherever it is."""
        return EngineError() if has_begun else CapacityError(max(1, ceil(self.retry_after)))


class MisconfiguredError(ReplicaError):
    """It does not know our key, or not the model: what an operator must mend, and no client can."""
