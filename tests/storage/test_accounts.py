import asyncio
from dataclasses import replace

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts import repository
from tramontane.accounts.keys import digest, generate_key
from tramontane.accounts.service import DEFAULT_WORKSPACE_ID, AccountsService
from tramontane.core.principal import Principal
from tramontane.errors import AuthenticationError, StorageError
from tramontane.storage.tables import api_keys, metadata

pytestmark = pytest.mark.anyio

OPERATOR_KEY = "chosen-by-the-operator"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def accounts(database, clock):
    return AccountsService(database, clock)


class UntouchableDatabase:
    def snapshot(self):
        raise AssertionError("a query")

    transaction = snapshot


async def change_key(database, key_id, **values):
    async with database.transaction() as connection:
        await connection.execute(api_keys.update().where(api_keys.c.id == key_id).values(**values))


async def test_the_first_start_makes_a_key_that_opens_the_default_workspace(accounts):
    new = await accounts.ensure_default("experiment")

    principal = await accounts.authenticate(new.key)
    assert principal == Principal(principal.organization_id, DEFAULT_WORKSPACE_ID, new.record.id)


async def test_a_later_start_makes_no_key_and_keeps_the_first(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    later = AccountsService(database, clock)

    assert await later.ensure_default("experiment") is None
    assert await later.default_key() == new.record
    assert (await later.authenticate(new.key)).key_id == new.record.id


async def test_two_first_starts_at_once_make_one_key(new_place, clock):
    databases = await asyncio.gather(*(new_place.open() for _ in range(8)))
    made = await asyncio.gather(
        *(AccountsService(database, clock).ensure_default("experiment") for database in databases)
    )
    for database in databases:
        await database.close()

    assert sum(new is not None for new in made) == 1


async def test_an_organization_is_added_once(database):
    async with database.transaction() as connection:
        assert await repository.add_organization(connection, DEFAULT_WORKSPACE_ID, "One", 1)
        assert not await repository.add_organization(connection, DEFAULT_WORKSPACE_ID, "Two", 2)


async def test_the_plan_follows_the_setting(accounts, database):
    for plan in ("experiment", "unlimited"):
        await accounts.ensure_default(plan)
        async with database.snapshot() as connection:
            assert (await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID)).plan == plan


async def test_nothing_that_opens_the_workspace_is_stored(accounts, database):
    new = await accounts.ensure_default("experiment")

    async with database.snapshot() as connection:
        rows = [row for table in metadata.sorted_tables for row in await connection.execute(table.select())]
    assert new.record.digest in repr(rows)
    assert new.key not in repr(rows)
    assert new.key not in repr(new)


async def test_the_operators_key_opens_the_default_workspace_and_no_other_is_made(database, clock):
    accounts = AccountsService(database, clock, OPERATOR_KEY)

    assert await accounts.ensure_default("experiment") is None
    assert await accounts.default_key() is None
    assert (await accounts.authenticate(OPERATOR_KEY)).workspace_id == DEFAULT_WORKSPACE_ID


async def test_the_operators_key_ends_with_the_setting(database, clock):
    await AccountsService(database, clock, OPERATOR_KEY).ensure_default("experiment")
    without = AccountsService(database, clock)

    new = await without.ensure_default("experiment")

    with pytest.raises(AuthenticationError):
        await without.authenticate(OPERATOR_KEY)
    assert (await without.authenticate(new.key)).workspace_id == DEFAULT_WORKSPACE_ID


async def test_made_keys_go_on_beside_the_operators(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    beside = AccountsService(database, clock, OPERATOR_KEY)

    assert (await beside.authenticate(new.key)).key_id == new.record.id


@pytest.mark.parametrize("key", ["", "tm_", "wrong", OPERATOR_KEY[:-1], "é\ud800", "x" * 100_000])
async def test_missing_and_malformed_keys_are_refused_without_a_query(clock, key):
    accounts = AccountsService(UntouchableDatabase(), clock, OPERATOR_KEY)

    with pytest.raises(AuthenticationError, match=r"^Invalid API Key$"):
        await accounts.authenticate(key)


async def test_a_well_formed_key_of_nobody_is_refused(accounts):
    await accounts.ensure_default("experiment")

    with pytest.raises(AuthenticationError, match=r"^Invalid API Key$"):
        await accounts.authenticate(generate_key())


async def test_a_revoked_key_is_refused_within_seconds_and_not_shown(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    await accounts.authenticate(new.key)
    await change_key(database, new.record.id, revoked_at=int(clock.now()))

    clock.advance(6)

    with pytest.raises(AuthenticationError):
        await accounts.authenticate(new.key)
    assert await accounts.default_key() is None


async def test_revoking_the_last_key_makes_no_new_one_on_the_next_start(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    await change_key(database, new.record.id, revoked_at=1)

    assert await AccountsService(database, clock).ensure_default("experiment") is None


async def test_a_key_expires_on_time_even_when_it_was_used_just_before(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    await change_key(database, new.record.id, expires_at=int(clock.now()) + 2)

    await accounts.authenticate(new.key)
    clock.advance(2)

    with pytest.raises(AuthenticationError):
        await accounts.authenticate(new.key)


async def test_a_key_that_was_just_used_needs_no_query(accounts, database):
    new = await accounts.ensure_default("experiment")
    first = await accounts.authenticate(new.key)
    async with database.transaction() as connection:
        await connection.execute(api_keys.delete())

    assert await accounts.authenticate(new.key) == first


async def test_wrong_keys_are_not_remembered(accounts, database):
    await accounts.ensure_default("experiment")
    key = generate_key()
    with pytest.raises(AuthenticationError):
        await accounts.authenticate(key)
    other = await AccountsService(database, FakeClock()).default_key()
    async with database.transaction() as connection:
        await repository.add_key(connection, replace(other, id="0" * 32, digest=digest(key)))

    assert (await accounts.authenticate(key)).workspace_id == DEFAULT_WORKSPACE_ID


async def test_a_database_that_fails_is_not_a_wrong_key(accounts, database):
    async with database.transaction() as connection:
        await connection.exec_driver_sql("DROP TABLE api_keys")

    with pytest.raises(StorageError, match=r"no such table|does not exist"):
        await accounts.authenticate(generate_key())
