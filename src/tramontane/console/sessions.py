"""Who is signed in. Sessions are in the database: every server knows them, and can end them.

What the browser keeps is a random token; the database has its SHA-256 only.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from tramontane.accounts import member_repository
from tramontane.accounts.entities import Member
from tramontane.console import repository
from tramontane.core.clock import Clock
from tramontane.storage.database import Database

LINK_SECONDS: Final = 60 * 60
"""How long the link that a start prints may wait to be opened."""
SESSION_SECONDS: Final = 7 * 24 * 3600
"""After a week one signs in anew, whatever happens."""
IDLE_SECONDS: Final = 12 * 3600
"""So does a browser that has not asked for anything for half a day."""
_NOTE_SECONDS: Final = 60
"""How exact `seen_at` is: not every click is a write."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in."""

    token: str = field(repr=False)
    member: Member | None = None
    """Whose it is; None is the operator, who has the password or the link of the server."""

    @property
    def digest(self) -> str:
        """What the database has of it."""
        return hashlib.sha256(self.token.encode()).hexdigest()

    @property
    def csrf_token(self) -> str:
        """What a form must carry to prove that it is one of ours; made of the token, so nothing is stored."""
        return hmac.new(self.token.encode(), b"csrf", hashlib.sha256).hexdigest()


class SessionService:
    """Opens, finds and ends sessions.

    `password` is the operator's, who is an administrator; without one only links sign in.
    """

    def __init__(self, database: Database, clock: Clock, password: str | None) -> None:
        self._database = database
        self._clock = clock
        self._password = password

    @property
    def has_password(self) -> bool:
        """Whether there is a password to sign in with."""
        return self._password is not None

    async def new_link_token(self) -> str:
        """What signs in once, if it is used within `LINK_SECONDS`.

        Raises:
            StorageError: the database cannot be written.
        """
        token = secrets.token_urlsafe(24)
        now = int(self._clock.now())
        async with self._database.transaction() as connection:
            await repository.remove_ended(connection, now, now - IDLE_SECONDS)
            await repository.add_link(connection, _digest(token), now + LINK_SECONDS)
        return token

    async def open_with_link(self, token: str) -> Session | None:
        """A session for whoever has the link; None if it was used before, is too old, or never was one."""
        session = Session(secrets.token_urlsafe(32))
        now = int(self._clock.now())
        async with self._database.transaction() as connection:
            if not await repository.spend_link(connection, _digest(token), now):
                return None
            await repository.add_session(connection, session.digest, now, now + SESSION_SECONDS)
        return session

    async def open_with_password(self, password: str) -> Session | None:
        """A session for whoever knows the password."""
        expected = _digest(self._password or secrets.token_urlsafe())
        if not hmac.compare_digest(_digest(password), expected):
            return None
        return await self._open(None)

    async def open_for(self, member: Member) -> Session:
        """A session of a member whose password was right."""
        return await self._open(member)

    async def find(self, token: str) -> Session | None:
        """The session that the browser's token opens, unless it is over."""
        now = int(self._clock.now())
        async with self._database.snapshot() as connection:
            found = await repository.get_session(connection, Session(token).digest)
        if found is None or now >= found.expires_at or now - found.seen_at >= IDLE_SECONDS:
            return None
        session = Session(token, found.member)
        if now - found.seen_at >= _NOTE_SECONDS:
            async with self._database.transaction() as connection:
                await repository.note_seen(connection, session.digest, now)
        return session

    async def end(self, session: Session) -> None:
        """Sign out."""
        async with self._database.transaction() as connection:
            await repository.end_session(connection, session.digest)

    async def end_all(self, session: Session) -> None:
        """Sign out every browser of the session's member; the operator signs out everybody's."""
        async with self._database.transaction() as connection:
            if session.member is None:
                await repository.end_all_sessions(connection)
            else:
                await member_repository.end_sessions(connection, session.member.id)

    async def _open(self, member: Member | None) -> Session:
        session, now = Session(secrets.token_urlsafe(32), member), int(self._clock.now())
        member_id = member.id if member else None
        async with self._database.transaction() as connection:
            await repository.remove_ended(connection, now, now - IDLE_SECONDS)
            await repository.add_session(connection, session.digest, now, now + SESSION_SECONDS, member_id)
            if member is not None:
                await member_repository.note_sign_in(connection, member.id, now)
        return session


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
