"""The log of changes: who did what in the console, and when."""

import logging
from typing import Final

from starlette.requests import Request

from tramontane.console import repository
from tramontane.console.forms import FormError, form_of
from tramontane.console.repository import Change
from tramontane.console.viewer import Viewer
from tramontane.core.clock import Clock
from tramontane.core.ids import uuid7
from tramontane.errors import StorageError
from tramontane.storage.database import Database
from tramontane.storage.listing import Listed, Part

logger = logging.getLogger(__name__)

_MAX_SUBJECT: Final = 255


class AuditLog:
    """Writes down changes that were made; nothing takes them out again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def note(self, viewer: Viewer, action: str, subject: str) -> None:
        """The viewer has done it. If that cannot be written, the log of the server has it."""
        change = Change(
            id=str(uuid7()),
            created_at=int(self._clock.now()),
            organization_id=viewer.organization_id,
            member_id=viewer.member.id if viewer.member else None,
            who=viewer.name,
            action=action,
            subject=subject.replace("\0", "").encode("utf-8", "replace").decode()[:_MAX_SUBJECT],
        )
        try:
            async with self._database.transaction() as connection:
                await repository.add_change(connection, change)
        except StorageError as error:
            logger.warning("Not in the log of changes: %s %s %s (%s)", viewer.name, action, subject, error)

    async def page(self, organization_id: str, part: Part) -> Listed[Change]:
        """A part of the log."""
        async with self._database.snapshot() as connection:
            return await repository.page_changes(connection, organization_id, part)


def name_subject(request: Request, subject: str) -> None:
    """Say what the request changes, where the form does not."""
    request.state.subject = subject


async def subject_of(request: Request) -> str:
    """What the request changed: what the page said, or the name in the form, or else the ids of the path."""
    said: str | None = getattr(request.state, "subject", None)
    if said is not None:
        return said
    try:
        name = (await form_of(request)).get("name", "")
    except FormError:
        name = ""
    return name or " ".join(map(str, request.path_params.values()))
