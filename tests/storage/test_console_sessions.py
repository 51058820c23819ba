import pytest

from tests.support.clock import FakeClock
from tramontane.console import repository
from tramontane.console.attempts import MAX_FAILURES, MAX_FAILURES_OF_ALL, WINDOW_SECONDS, Attempts
from tramontane.console.sessions import IDLE_SECONDS, LINK_SECONDS, SESSION_SECONDS, SessionService
from tramontane.storage.tables import console_links, console_sessions

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sessions(database, clock):
    return SessionService(database, clock, PASSWORD)


async def test_a_link_signs_in_once(sessions):
    token = await sessions.new_link_token()
    session = await sessions.open_with_link(token)

    assert await sessions.find(session.token) == session
    assert await sessions.open_with_link(token) is None


async def test_a_link_ends_after_an_hour(sessions, clock):
    token = await sessions.new_link_token()
    clock.advance(LINK_SECONDS)

    assert await sessions.open_with_link(token) is None


async def test_only_the_password_opens(sessions, database, clock):
    assert await sessions.open_with_password(PASSWORD)
    assert await sessions.open_with_password("") is None
    assert await sessions.open_with_password("\udc80") is None
    without = SessionService(database, clock, None)
    assert await without.open_with_password("") is None


async def test_a_session_holds_on_every_server_and_ends_on_all(sessions, place, clock):
    session = await sessions.open_with_password(PASSWORD)
    other = await place.open()
    try:
        elsewhere = SessionService(other, clock, None)
        assert await elsewhere.find(session.token) == session
        await elsewhere.end(session)
    finally:
        await other.close()

    assert await sessions.find(session.token) is None


async def test_a_session_that_is_not_used_ends(sessions, clock):
    session = await sessions.open_with_password(PASSWORD)
    clock.advance(IDLE_SECONDS - 1)
    assert await sessions.find(session.token)
    clock.advance(IDLE_SECONDS - 1)
    assert await sessions.find(session.token)
    clock.advance(IDLE_SECONDS)

    assert await sessions.find(session.token) is None


async def test_a_session_that_is_used_ends_after_a_week(sessions, clock):
    session = await sessions.open_with_password(PASSWORD)
    for _ in range(SESSION_SECONDS // 3600 - 1):
        clock.advance(3600)
        assert await sessions.find(session.token)
    clock.advance(3600)

    assert await sessions.find(session.token) is None


async def test_the_database_holds_nothing_that_signs_in(sessions, database):
    token = await sessions.new_link_token()
    session = await sessions.open_with_password(PASSWORD)
    async with database.snapshot() as connection:
        rows = [*await connection.execute(console_sessions.select())]
        rows += [*await connection.execute(console_links.select())]

    assert len(rows) == 2
    assert token not in str(rows)
    assert session.token not in str(rows)


async def test_what_is_over_is_removed(sessions, database, clock):
    await sessions.new_link_token()
    await sessions.open_with_password(PASSWORD)
    clock.advance(SESSION_SECONDS)
    await sessions.new_link_token()

    async with database.snapshot() as connection:
        assert not [*await connection.execute(console_sessions.select())]
        assert len([*await connection.execute(console_links.select())]) == 1


async def test_a_request_of_another_key_has_no_bill_here(database):
    async with database.snapshot() as connection:
        assert await repository.get_bill(connection, "0" * 32, "00000000-0000-7000-8000-000000000005") is None


def test_failures_block_for_a_minute(clock):
    attempts = Attempts(clock)
    for _ in range(MAX_FAILURES - 1):
        attempts.note_failure("ada@example.org")
    assert attempts.wait("ada@example.org") == 0
    attempts.note_failure("ada@example.org")
    assert attempts.wait("ada@example.org") == WINDOW_SECONDS
    assert attempts.wait("bob@example.org") == 0
    clock.advance(WINDOW_SECONDS)

    assert attempts.wait("ada@example.org") == 0


def test_many_names_do_not_help(clock):
    attempts = Attempts(clock)
    for number in range(MAX_FAILURES_OF_ALL):
        attempts.note_failure(str(number))
    assert attempts.wait("another") == WINDOW_SECONDS
