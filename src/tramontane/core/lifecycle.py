"""Where a server is between its start and its stop."""


class Lifecycle:
    """Shared by whoever stops the server and whoever answers for it.

    A server that stops is not ready at once, so that balancers look for another, and refuses new requests a
    little later; those that run go on.
    """

    def __init__(self) -> None:
        self._is_stopping = False
        self._is_refusing = False

    @property
    def is_stopping(self) -> bool:
        """It was told to stop: it is not ready for more, although it may still take it."""
        return self._is_stopping

    @property
    def is_refusing(self) -> bool:
        """New requests are refused."""
        return self._is_refusing

    def stop(self) -> None:
        """Say that the server is not ready any more."""
        self._is_stopping = True

    def refuse(self) -> None:
        """Take no new requests."""
        self._is_stopping = self._is_refusing = True
