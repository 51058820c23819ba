"""Members of an organization: invited, signed in, given workspaces, removed. Who may do so, others decide."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import member_repository, repository
from tramontane.accounts.entities import Member, NewMember, Role
from tramontane.accounts.names import as_id, checked_name
from tramontane.accounts.passwords import checked_password, is_password, password_digest
from tramontane.core.clock import Clock
from tramontane.core.ids import uuid7
from tramontane.errors import ConflictError, InvalidRequestError, NotFoundError
from tramontane.storage.database import Database
from tramontane.storage.listing import Listed, Part

INVITATION_SECONDS: Final = 3 * 24 * 3600
"""How long an invitation may wait to be taken up."""
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class MemberService:
    """All that is done with the members of an organization."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, organization_id: str) -> Sequence[Member]:
        """Those that are not removed, oldest first."""
        async with self._database.snapshot() as connection:
            return await member_repository.list_members(connection, organization_id)

    async def page(self, organization_id: str, part: Part) -> Listed[Member]:
        """A part of the same list."""
        async with self._database.snapshot() as connection:
            return await member_repository.page_members(connection, organization_id, part)

    async def any(self) -> bool:
        """Whether anybody could sign in with an address."""
        async with self._database.snapshot() as connection:
            return await member_repository.has_members(connection)

    async def get(self, organization_id: str, member_id: str) -> Member:
        """The member with this id.

        Raises:
            NotFoundError: there is none, or they were removed.
        """
        async with self._database.snapshot() as connection:
            return await _existing(connection, organization_id, member_id)

    async def invite(
        self, organization_id: str, email: str, name: str, role: str, workspace_ids: Collection[str] = ()
    ) -> NewMember:
        """A new member, and what lets them choose a password once.

        Raises:
            InvalidRequestError: the address, the name or the role cannot be.
            ConflictError: another member has the address.
            NotFoundError: there is no such workspace.
        """
        member = Member(
            id=str(uuid7()),
            organization_id=organization_id,
            email=_checked_email(email),
            name=checked_name(name),
            role=_checked_role(role),
            created_at=int(self._clock.now()),
        )
        async with self._database.transaction() as connection:
            if not await member_repository.add_member(connection, member):
                raise ConflictError(f"Another member has the address {member.email!r}")
            await _set_workspaces(connection, member, workspace_ids)
            token = await self._new_token(connection, member)
        return NewMember(token, member)

    async def invite_again(self, organization_id: str, member_id: str) -> NewMember:
        """Another link to choose a password with; those before it, and the old password, end now.

        Raises:
            NotFoundError: there is no such member.
        """
        async with self._database.transaction() as connection:
            member = await _existing(connection, organization_id, member_id, for_update=True)
            await member_repository.set_password(connection, member.id, None)
            await member_repository.end_sessions(connection, member.id)
            token = await self._new_token(connection, member)
        return NewMember(token, replace(member, has_password=False))

    async def find_invited(self, token: str) -> Member | None:
        """Whose invitation it is; None if it was used before, is too old, or never was one."""
        async with self._database.snapshot() as connection:
            return await member_repository.invited(connection, _digest(token), int(self._clock.now()))

    async def accept(self, token: str, password: str) -> Member | None:
        """Take up the invitation with a password; None as for `find_invited`.

        Raises:
            InvalidRequestError: the password is too short.
        """
        stored = await asyncio.to_thread(password_digest, checked_password(password))
        now = int(self._clock.now())
        async with self._database.transaction() as connection:
            member = await member_repository.invited(connection, _digest(token), now)
            if member is None or not await member_repository.spend_invitation(connection, _digest(token)):
                return None
            await member_repository.set_password(connection, member.id, stored)
            await member_repository.end_sessions(connection, member.id)
        return replace(member, has_password=True)

    async def authenticate(self, email: str, password: str) -> Member | None:
        """Whose address and password these are; None if nobody's. It takes as long either way."""
        async with self._database.snapshot() as connection:
            found = await member_repository.find_password(connection, email.strip().casefold())
        member, stored = found or (None, None)
        is_right = await asyncio.to_thread(is_password, password, stored)
        return member if is_right and stored is not None else None

    async def change_password(self, member: Member, old: str, new: str) -> None:
        """Another password; the member's other sessions end.

        Raises:
            InvalidRequestError: the old one is not it, or the new one is too short.
        """
        checked_password(new)
        if await self.authenticate(member.email, old) is None:
            raise InvalidRequestError("The old password is not it")
        stored = await asyncio.to_thread(password_digest, new)
        async with self._database.transaction() as connection:
            await member_repository.set_password(connection, member.id, stored)
            await member_repository.end_sessions(connection, member.id)

    async def change(
        self, organization_id: str, member_id: str, *, name: str, role: str, workspace_ids: Collection[str]
    ) -> Member:
        """Another name, role or other workspaces; they hold with the next click.

        Raises:
            NotFoundError, InvalidRequestError: as for `invite`.
        """
        async with self._database.transaction() as connection:
            member = await _existing(connection, organization_id, member_id, for_update=True)
            member = replace(member, name=checked_name(name), role=_checked_role(role))
            await member_repository.change_member(connection, member)
            await _set_workspaces(connection, member, workspace_ids)
        return replace(member, workspace_ids=frozenset(workspace_ids))

    async def remove(self, organization_id: str, member_id: str) -> Member:
        """End their sessions and invitations; what they did stays in the log, and their keys go on.

        Raises:
            NotFoundError: there is no such member.
        """
        async with self._database.transaction() as connection:
            member = await _existing(connection, organization_id, member_id, for_update=True)
            await member_repository.remove_member(connection, member.id, int(self._clock.now()))
        return member

    async def _new_token(self, connection: AsyncConnection, member: Member) -> str:
        token = secrets.token_urlsafe(24)
        await member_repository.end_invitations(connection, member.id)
        expires_at = int(self._clock.now()) + INVITATION_SECONDS
        await member_repository.add_invitation(connection, _digest(token), member.id, expires_at)
        return token


async def _existing(
    connection: AsyncConnection, organization_id: str, member_id: str, *, for_update: bool = False
) -> Member:
    known_id = as_id(member_id)
    member = known_id and await member_repository.get_member(connection, known_id, for_update=for_update)
    if not member or member.organization_id != organization_id:
        raise NotFoundError(f"There is no member {member_id!r}")
    return member


async def _set_workspaces(
    connection: AsyncConnection, member: Member, workspace_ids: Collection[str]
) -> None:
    known = {one.id for one in await repository.list_workspaces(connection, member.organization_id)}
    for workspace_id in workspace_ids:
        if workspace_id not in known:
            raise NotFoundError(f"There is no workspace {workspace_id!r}")
    await member_repository.set_workspaces(connection, member.id, workspace_ids)


def _checked_email(email: str) -> str:
    email = email.strip().casefold()
    if not _EMAIL.fullmatch(email) or not email.isprintable() or len(email) > 255:
        raise InvalidRequestError(f"{email!r:.60} is no e-mail address")
    return email


def _checked_role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError as error:
        raise InvalidRequestError(f"There is no role {role!r:.40}; there are {', '.join(Role)}") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
