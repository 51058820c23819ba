"""Several servers on one database: what one of them ends, ends in all of them at once."""

import asyncio

import pytest

from tests.support.clock import FakeClock
from tests.support.databases import cut_connections
from tests.support.key_watcher import KeyWatcher
from tests.support.waiting import eventually
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, AdminKey, ApiKey
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.last_use import LastUse
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def keys(database, clock):
    await AccountsService(database, clock).ensure_default()
    return KeyService(database, clock)


@pytest.fixture
def watchers(place, keys):
    watchers = [KeyWatcher(place) for _ in range(2)]
    yield watchers
    for watcher in watchers:
        watcher.close()


async def api_key(keys, workspace_id=DEFAULT_WORKSPACE_ID):
    return await keys.create_api_key(DEFAULT_ORGANIZATION_ID, workspace_id, "ci")


def taken(watchers, new):
    return [watcher.takes(new.key) for watcher in watchers]


async def test_a_revoked_key_is_refused_by_all(keys, watchers):
    for _ in range(5):
        new = await api_key(keys)
        assert taken(watchers, new) == [True, True]

        await keys.revoke(ApiKey, DEFAULT_ORGANIZATION_ID, new.record.id)

        await eventually(lambda new=new: taken(watchers, new) == [False, False])


async def test_a_rotated_key_without_grace_is_refused_by_all(keys, watchers):
    old = await api_key(keys)
    assert taken(watchers, old) == [True, True]

    new = await keys.rotate(ApiKey, DEFAULT_ORGANIZATION_ID, old.record.id, grace_seconds=0)

    await eventually(lambda: taken(watchers, old) == [False, False])
    assert taken(watchers, new) == [True, True]


async def test_the_keys_of_an_archived_workspace_are_refused_by_all(keys, watchers, database, clock):
    workspaces = WorkspaceService(database, clock)
    made = await workspaces.create(DEFAULT_ORGANIZATION_ID, "research", "scale")
    new = await api_key(keys, made.id)
    assert taken(watchers, new) == [True, True]

    await workspaces.archive(DEFAULT_ORGANIZATION_ID, made.id)

    await eventually(lambda: taken(watchers, new) == [False, False])


async def test_a_revoked_admin_key_is_refused_by_all(keys, watchers):
    new = await keys.create_admin_key(DEFAULT_ORGANIZATION_ID, "console")
    assert taken(watchers, new) == [True, True]

    await keys.revoke(AdminKey, DEFAULT_ORGANIZATION_ID, new.record.id)

    assert taken(watchers, new) == [False, False]


async def test_a_revocation_that_a_cut_connection_would_have_told_of_is_felt_too(kind, place, keys, watchers):
    if kind == "sqlite":
        pytest.skip("has no connections to cut")
    new = await api_key(keys)
    assert taken(watchers, new) == [True, True]

    await cut_connections(place.url)
    await keys.revoke(ApiKey, DEFAULT_ORGANIZATION_ID, new.record.id)

    await eventually(lambda: taken(watchers, new) == [False, False])


async def test_processes_that_note_uses_of_the_same_keys_neither_wait_for_each_other_nor_go_back(
    keys, place, clock
):
    made = [await api_key(keys) for _ in range(20)]
    databases = [await place.open() for _ in range(4)]
    clocks = [FakeClock(clock.now() + ahead) for ahead in (3, 1, 2, 0)]
    uses = [LastUse(database, its) for database, its in zip(databases, clocks, strict=True)]

    for turn in range(5):
        for use in uses:
            for new in made[turn % 2 :: 2]:
                use.note(new.record)
        await asyncio.gather(*(use.flush() for use in uses))
    for database in databases:
        await database.close()

    listed = await keys.list(ApiKey, DEFAULT_ORGANIZATION_ID)
    used = {key.last_used_at for key in listed if key.name == "ci"}
    assert used == {int(clock.now()) + 3}
