import asyncio
from dataclasses import replace

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts import last_use, repository
from tramontane.accounts.entities import (
    DEFAULT_ORGANIZATION_ID,
    DEFAULT_WORKSPACE_ID,
    AdminKey,
    ApiKey,
)
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.keys import digest, generate_key
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.core.principal import Principal
from tramontane.errors import AuthenticationError, ConflictError, NotFoundError, StorageError
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


async def test_a_revoked_key_is_refused_at_once_and_not_shown(accounts, database, clock):
    new = await accounts.ensure_default("experiment")
    await accounts.authenticate(new.key)

    await KeyService(database, clock).revoke(ApiKey, DEFAULT_ORGANIZATION_ID, new.record.id)

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


class TestLastUse:
    @pytest.fixture
    async def new(self, accounts):
        return await accounts.ensure_default()

    async def last_use(self, accounts):
        return (await accounts.default_key()).last_used_at

    async def test_it_is_not_written_when_a_key_is_used_but_at_the_end(self, accounts, new, clock):
        await accounts.authenticate(new.key)
        clock.advance(3)
        await accounts.authenticate(new.key)
        assert await self.last_use(accounts) is None

        await accounts.close()
        assert await self.last_use(accounts) == int(clock.now())

    async def test_it_is_written_now_and_then(self, accounts, new, clock, monkeypatch):
        monkeypatch.setattr(last_use, "FLUSH_SECONDS", 0.01)
        accounts.start()
        await accounts.authenticate(new.key)

        while await self.last_use(accounts) is None:  # noqa: ASYNC110  the row is all there is to see
            await asyncio.sleep(0.01)
        await accounts.close()

    async def test_a_use_that_cannot_be_written_is_kept_for_later(
        self, accounts, new, clock, database, monkeypatch, caplog
    ):
        await accounts.authenticate(new.key)

        def fails(*_args, **_kwargs):
            raise StorageError("The disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(database, "transaction", fails)
            await accounts.close()
        assert "The disk is full" in caplog.text
        assert await self.last_use(accounts) is None
        await accounts.close()
        assert await self.last_use(accounts) == int(clock.now())

    async def test_an_admin_key_has_one_too(self, accounts, new, database, clock):
        keys = KeyService(database, clock)
        made = await keys.create_admin_key(DEFAULT_ORGANIZATION_ID, "console")
        await accounts.authenticate_admin(made.key)
        await accounts.close()

        (listed,) = await keys.list(AdminKey, DEFAULT_ORGANIZATION_ID)
        assert listed.last_used_at == int(clock.now())

    async def test_the_operators_keys_have_none(self, database, clock):
        accounts = AccountsService(database, clock, OPERATOR_KEY, "the-operators-admin-key")
        await accounts.authenticate(OPERATOR_KEY)
        await accounts.authenticate_admin("the-operators-admin-key")
        await accounts.close()


class TestThePlanOfTheDefaultWorkspace:
    async def test_it_is_experiment_until_somebody_chooses(self, accounts):
        await accounts.ensure_default()
        assert (await accounts.default_workspace()).plan == "experiment"

    async def test_a_start_that_names_none_keeps_what_was_chosen(self, accounts, database, clock):
        await accounts.ensure_default()
        workspaces = WorkspaceService(database, clock)
        await workspaces.set_plan(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, "scale")

        await accounts.ensure_default()

        assert (await accounts.default_workspace()).plan == "scale"


class TestRotation:
    @pytest.fixture
    async def keys(self, accounts, database, clock):
        await accounts.ensure_default()
        return KeyService(database, clock)

    async def create(self, keys, **fields):
        return await keys.create_api_key(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, "ci", **fields)

    async def test_the_new_key_lives_as_long_as_the_old_one_was_meant_to(self, keys, clock):
        start = int(clock.now())
        old = await self.create(keys, expires_at=start + 1000)
        clock.advance(600)

        new = await keys.rotate(ApiKey, DEFAULT_ORGANIZATION_ID, old.record.id)

        assert new.record.expires_at == start + 600 + 1000
        ended = await keys.get(ApiKey, DEFAULT_ORGANIZATION_ID, old.record.id)
        assert ended.expires_at == start + 1000, "the grace is no prolongation"

    async def test_two_at_once_make_one_new_key_after_the_other(self, keys):
        old = await self.create(keys)
        rotations = [
            keys.rotate(ApiKey, DEFAULT_ORGANIZATION_ID, old.record.id, grace_seconds=0) for _ in range(4)
        ]
        done = await asyncio.gather(*rotations, return_exceptions=True)

        assert sum(isinstance(one, ConflictError) for one in done) == 3
        listed = await keys.list(ApiKey, DEFAULT_ORGANIZATION_ID)
        assert [key.revoked_at is None for key in listed if key.name == "ci"] == [False, True]

    async def test_keys_of_other_organizations_are_not_there(self, keys):
        old = await self.create(keys)
        other = "01890000-0000-7000-8000-000000000000"

        assert await keys.list(ApiKey, other) == []
        for call in (keys.get, keys.rotate, keys.revoke):
            with pytest.raises(NotFoundError):
                await call(ApiKey, other, old.record.id)
        with pytest.raises(NotFoundError):
            await keys.create_api_key(other, DEFAULT_WORKSPACE_ID, "ci")
