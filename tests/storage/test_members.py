import asyncio

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, Role
from tramontane.accounts.members import INVITATION_SECONDS, MemberService
from tramontane.accounts.service import AccountsService
from tramontane.console.audit import AuditLog
from tramontane.console.sessions import SessionService
from tramontane.console.viewer import Viewer
from tramontane.errors import ConflictError, NotFoundError
from tramontane.storage.listing import Part
from tramontane.storage.tables import console_sessions, member_invitations, members

pytestmark = pytest.mark.anyio

ADA = "ada@example.org"
SECRET = "a password of her own"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def people(database, clock):
    await AccountsService(database, clock).ensure_default()
    return MemberService(database, clock)


async def invite(people, email=ADA, name="Ada", role="member", workspaces=(DEFAULT_WORKSPACE_ID,)):
    return await people.invite(DEFAULT_ORGANIZATION_ID, email, name, role, workspaces)


async def test_an_invitation_becomes_a_member_once(people):
    new = await invite(people)
    assert (await people.find_invited(new.token)).email == ADA
    assert await people.authenticate(ADA, "") is None
    first, second = await asyncio.gather(*(people.accept(new.token, SECRET) for _ in range(2)))
    assert {first is None, second is None} == {True, False}
    found = await people.authenticate(ADA.upper(), SECRET)

    assert (found.name, found.role, found.workspace_ids) == ("Ada", Role.member, {DEFAULT_WORKSPACE_ID})
    assert await people.authenticate(ADA, "another password") is None
    assert await people.authenticate("nobody@example.org", SECRET) is None


async def test_an_invitation_ends(people, clock):
    new = await invite(people)
    clock.advance(INVITATION_SECONDS)

    assert await people.find_invited(new.token) is None
    assert await people.accept(new.token, SECRET) is None


async def test_nothing_that_opens_anything_is_stored(people, database):
    new = await invite(people)
    await people.accept(new.token, SECRET)
    again = await people.invite_again(DEFAULT_ORGANIZATION_ID, new.member.id)
    async with database.snapshot() as connection:
        for table in (members, member_invitations):
            stored = repr([*await connection.execute(table.select())])
            for secret in (SECRET, new.token, again.token):
                assert secret not in stored
    assert again.token not in repr(again)


async def test_an_address_is_one_members_until_they_are_removed(people):
    new = await invite(people)
    with pytest.raises(ConflictError):
        await invite(people, email="ADA@Example.org")
    await people.remove(DEFAULT_ORGANIZATION_ID, new.member.id)
    with pytest.raises(NotFoundError):
        await people.get(DEFAULT_ORGANIZATION_ID, new.member.id)

    assert (await invite(people)).member.id != new.member.id


async def test_who_is_removed_or_gets_a_new_link_has_no_session(people, database, clock):
    sessions = SessionService(database, clock, "the operator's own")
    for end in (people.remove, people.invite_again):
        new = await invite(people)
        member = await people.accept(new.token, SECRET)
        session = await sessions.open_for(member)
        assert (await sessions.find(session.token)).member.id == member.id
        operator = await sessions.open_with_password("the operator's own")
        await end(DEFAULT_ORGANIZATION_ID, member.id)

        assert await sessions.find(session.token) is None
        assert await sessions.find(operator.token) == operator


async def test_signing_out_everywhere_is_ones_own_or_everybodys(people, database, clock):
    sessions = SessionService(database, clock, "the operator's own")
    member = await people.accept((await invite(people)).token, SECRET)
    hers = [await sessions.open_for(member) for _ in range(2)]
    operators = await sessions.open_with_password("the operator's own")
    await sessions.end_all(hers[0])
    assert await sessions.find(hers[1].token) is None
    assert await sessions.find(operators.token)
    await sessions.open_for(member)
    await sessions.end_all(operators)

    async with database.snapshot() as connection:
        assert not [*await connection.execute(console_sessions.select())]


async def test_the_list_pages(people):
    ids = [(await invite(people, email=f"{number}@example.org")).member.id for number in range(5)]
    first = await people.page(DEFAULT_ORGANIZATION_ID, Part(3))
    rest = await people.page(DEFAULT_ORGANIZATION_ID, Part(3, first.items[-1].id))

    assert (first.has_more, rest.has_more) == (True, False)
    assert [one.id for one in (*first.items, *rest.items)] == ids


async def test_changes_are_kept_newest_first(people, database, clock):
    log = AuditLog(database, clock)
    member = (await invite(people)).member
    await log.note(Viewer(member), "made the key", "odd \0 \ud83d name " + "x" * 300)
    await log.note(Viewer(None), "revoked the key", "CI")
    page = await log.page(DEFAULT_ORGANIZATION_ID, Part(10, newest_first=True))

    assert [(one.who, one.action) for one in page.items] == [
        ("operator", "revoked the key"),
        ("Ada", "made the key"),
    ]
    assert page.items[1].member_id == member.id
    assert page.items[1].subject.startswith("odd  ? name xxx")
