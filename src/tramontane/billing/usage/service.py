"""Reports of what was used."""

from collections.abc import Collection, Mapping
from datetime import date

from tramontane.billing.ledger.row import LedgerRow
from tramontane.billing.usage import repository
from tramontane.billing.usage.report import UsageLine, UsageQuery, UsageReport
from tramontane.billing.usage.requests import RequestPage, RequestQuery
from tramontane.storage.database import Database


class UsageService:
    """Reads the ledger and its totals; raises `StorageError` when the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, query: UsageQuery) -> UsageReport:
        """The totals that the query asks for."""
        async with self._database.snapshot() as connection:
            return UsageReport(query, await repository.usage(connection, query))

    async def by_day_and_model(self, query: UsageQuery) -> list[tuple[date, str, str, UsageLine]]:
        """The totals of each day, model asked and model that answered; `query.by` says nothing here."""
        async with self._database.snapshot() as connection:
            return await repository.usage_by_day_and_model(connection, query)

    async def requests(self, query: RequestQuery) -> RequestPage:
        """A page of the list of requests."""
        async with self._database.snapshot() as connection:
            return await repository.list_requests(connection, query)

    async def request(self, organization_id: str, request_id: str) -> LedgerRow | None:
        """One request of the organization, if the ledger has it."""
        async with self._database.snapshot() as connection:
            return await repository.get_request(connection, organization_id, request_id)

    async def tokens_of_month_of(
        self, workspace_ids: Collection[str], month: date
    ) -> Mapping[tuple[str, str], int]:
        """The same as `tokens_of_month` has, by workspace and model that answered."""
        async with self._database.snapshot() as connection:
            return await repository.tokens_of_month_of(connection, workspace_ids, month)

    async def tokens_of_month(self, workspace_id: str, model_served: str, month: date) -> int:
        """What counts against a limit of tokens a month: used, not cached. `month` is its first day."""
        async with self._database.snapshot() as connection:
            return await repository.tokens_of_month(connection, workspace_id, model_served, month)
