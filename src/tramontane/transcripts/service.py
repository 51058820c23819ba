"""Transcripts as the console and the commands see them. Who may is decided elsewhere."""

from typing import Final

from tramontane.core.clock import Clock
from tramontane.errors import NotFoundError
from tramontane.storage.database import Database
from tramontane.transcripts import repository
from tramontane.transcripts.entities import Retention, Transcript

_DAY: Final = 24 * 3600


class TranscriptService:
    """Reads and deletes; raises `StorageError` when the database cannot be used."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, organization_id: str, request_id: str) -> Transcript | None:
        """The text of a request of the organization, if it is kept."""
        async with self._database.snapshot() as connection:
            return await repository.get(connection, organization_id, request_id)

    async def get(self, organization_id: str, request_id: str) -> Transcript:
        """The same.

        Raises:
            NotFoundError: it is not kept.
        """
        found = await self.find(organization_id, request_id)
        if found is None:
            raise NotFoundError(f"No text of the request {request_id!r} is kept")
        return found

    async def count(self) -> int:
        """How many are kept."""
        async with self._database.snapshot() as connection:
            return await repository.count(connection)

    async def remove(
        self,
        *,
        older_than: int | None = None,
        workspace_id: str | None = None,
        request_id: str | None = None,
    ) -> int:
        """Delete those that all of what is given is true of, all if nothing is.

        Args:
            older_than: seconds since they were made.
            workspace_id: whose they are.
            request_id: the only one.

        Returns:
            How many there were.
        """
        until = None if older_than is None else int(self._clock.now()) - older_than
        async with self._database.transaction() as connection:
            return await repository.remove(
                connection, until=until, workspace_id=workspace_id, request_id=request_id
            )

    async def remove_due(self, retention: Retention) -> int:
        """Delete what is too old, and the oldest of what is too much; says how many there were."""
        until = int(self._clock.now()) - retention.days * _DAY
        async with self._database.snapshot() as connection:
            first = await repository.oldest(connection)
            surplus = await repository.nth_newest(connection, retention.count)
        until = max(until, surplus or until)
        if first is None or first > until:
            return 0
        async with self._database.transaction() as connection:
            return await repository.remove(connection, until=until)
