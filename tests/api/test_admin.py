"""The admin API on real accounts: workspaces, API keys, admin keys, and who may not."""

from dataclasses import replace

import httpx
import pytest

from tests.api.fakes import fake_services
from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, AdminKey
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.keys import is_well_formed
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.api.app import create_app
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

ADMIN = "the-operators-admin-key"
NOBODY = "01890000-0000-7000-8000-000000000000"
DAY = 24 * 60 * 60
WORKSPACES, API_KEYS, ADMIN_KEYS = "/v1/admin/workspaces", "/v1/admin/api-keys", "/v1/admin/admin-keys"


@pytest.fixture
def clock():
    return FakeClock(1_764_296_393.9)


@pytest.fixture
async def services(database, clock):
    accounts = AccountsService(database, clock, operator_admin_key=ADMIN)
    await accounts.ensure_default()
    return replace(
        fake_services(),
        accounts=accounts,
        workspaces=WorkspaceService(database, clock),
        keys=KeyService(database, clock),
        clock=clock,
    )


@pytest.fixture
async def client(services):
    """Holds the operator's admin key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(services, Settings())),
        base_url="http://test",
        headers={"authorization": f"Bearer {ADMIN}"},
    ) as client:
        yield client


def bearer(key):
    return {"authorization": f"Bearer {key}"}


async def create_workspace(client, name="research", **fields):
    return (await client.post(WORKSPACES, json={"name": name, **fields})).json()


async def create_key(client, **fields):
    body = {"workspace_id": DEFAULT_WORKSPACE_ID, "name": "ci", **fields}
    return (await client.post(API_KEYS, json=body)).json()


async def opens_the_models(client, key):
    return (await client.get("/v1/models", headers=bearer(key))).status_code == 200


def assert_error(response, status, kind, message):
    assert response.status_code == status
    assert response.json() == {
        "object": "error",
        "message": message,
        "type": kind,
        "param": None,
        "code": "3051" if status == 400 else None,
        "raw_status_code": status,
    }


class TestWho:
    @pytest.mark.parametrize("path", [WORKSPACES, API_KEYS, ADMIN_KEYS, f"{WORKSPACES}/{NOBODY}"])
    async def test_no_key_and_a_wrong_one_are_the_hosted_401(self, client, path):
        for headers in (bearer("wrong"), bearer("tma_" + "0" * 36), {"authorization": ""}):
            response = await client.get(path, headers=headers)
            assert response.status_code == 401
            assert response.json() == {"detail": "Invalid API Key"}

    async def test_an_api_key_is_told_that_it_is_none(self, client):
        key = (await create_key(client))["key"]

        response = await client.get(WORKSPACES, headers=bearer(key))
        assert_error(response, 403, "forbidden", "This is an API key. The admin API takes admin keys only.")

    async def test_an_admin_key_opens_no_model(self, client):
        made = (await client.post(ADMIN_KEYS, json={"name": "console"})).json()

        for key in (ADMIN, made["key"]):
            assert (await client.get(WORKSPACES, headers=bearer(key))).status_code == 200
            assert not await opens_the_models(client, key)

    async def test_the_body_is_not_read_before_the_key(self, client):
        response = await client.post(WORKSPACES, content=b"{", headers=bearer("wrong"))
        assert response.status_code == 401


class TestWorkspaces:
    async def test_one_is_made_and_found(self, client, clock):
        made = await create_workspace(client, " research ", plan="scale")

        assert made == {
            "object": "workspace",
            "id": made["id"],
            "organization_id": DEFAULT_ORGANIZATION_ID,
            "name": "research",
            "plan": "scale",
            "status": "active",
            "created_at": int(clock.now()),
            "archived_at": None,
        }
        assert (await client.get(f"{WORKSPACES}/{made['id']}")).json() == made
        listed = (await client.get(WORKSPACES)).json()
        assert listed["object"] == "list"
        assert [one["name"] for one in listed["data"]] == ["Default", "research"]

    async def test_it_changes(self, client):
        path = f"{WORKSPACES}/{(await create_workspace(client))['id']}"

        for change in ({"name": "papers"}, {"plan": "unlimited"}, {}):
            changed = (await client.patch(path, json=change)).json()
            assert changed == (await client.get(path)).json()
        assert (changed["name"], changed["plan"]) == ("papers", "unlimited")

    async def test_an_archived_one_keeps_its_record_loses_its_keys_and_frees_its_name(self, client):
        made = await create_workspace(client)
        key = await create_key(client, workspace_id=made["id"])
        assert await opens_the_models(client, key["key"])

        archived = (await client.post(f"{WORKSPACES}/{made['id']}/archive")).json()

        assert (archived["status"], archived["name"]) == ("archived", "research")
        assert not await opens_the_models(client, key["key"])
        assert [one["name"] for one in (await client.get(WORKSPACES)).json()["data"]] == ["Default"]
        everything = (await client.get(WORKSPACES, params={"archived": "true"})).json()["data"]
        assert archived in everything
        assert (await create_workspace(client))["id"] != made["id"]
        keys = (await client.get(API_KEYS, params={"workspace_id": made["id"]})).json()["data"]
        assert [one["status"] for one in keys] == ["revoked"]

    async def test_what_cannot_be_is_told(self, client):
        made = await create_workspace(client)
        path = f"{WORKSPACES}/{made['id']}"

        taken = "Another workspace has the name 'Default'"
        assert_error(await client.post(WORKSPACES, json={"name": "Default"}), 409, "conflict", taken)
        assert_error(await client.patch(path, json={"name": "Default"}), 409, "conflict", taken)
        assert_error(
            await client.post(f"{WORKSPACES}/{DEFAULT_WORKSPACE_ID}/archive"),
            409,
            "conflict",
            "The default workspace cannot be archived: revoke its keys instead",
        )
        await client.post(f"{path}/archive")
        assert_error(
            await client.patch(path, json={"plan": "scale"}),
            409,
            "conflict",
            "The workspace 'research' is archived",
        )
        assert_error(
            await client.post(API_KEYS, json={"workspace_id": made["id"], "name": "late"}),
            409,
            "conflict",
            "The workspace 'research' is archived: it takes no new keys",
        )

    @pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 256, "\x00", NOBODY])
    async def test_names_that_cannot_be(self, client, name):
        response = await client.post(WORKSPACES, json={"name": name})
        assert response.status_code == 400
        assert response.json()["message"].startswith("name must ")

    @pytest.mark.parametrize("body", [{}, {"name": 1}, {"name": "x", "plan": "gold"}, {"name": "x", "y": 1}])
    async def test_bodies_that_do_not_fit_are_the_hosted_422(self, client, body):
        response = await client.post(WORKSPACES, json=body)
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"][0] == "body"

    @pytest.mark.parametrize("unknown", [NOBODY, "research", "x" * 300])
    @pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
    async def test_an_unknown_one_is_404(self, client, unknown, method):
        path = f"{WORKSPACES}/{unknown}" + ("/archive" if method == "POST" else "")
        response = await client.request(method, path, json={"plan": "scale"})
        assert_error(response, 404, "not_found", f"There is no workspace {unknown!r}")


class TestApiKeys:
    async def test_one_is_made_shown_once_and_works(self, client, clock):
        response = await client.post(
            API_KEYS,
            json={
                "workspace_id": DEFAULT_WORKSPACE_ID,
                "name": "ci",
                "expires_at": int(clock.now()) + DAY,
            },
        )
        made = response.json()
        key = made.pop("key")

        assert response.headers["cache-control"] == "no-store"
        assert is_well_formed(key)
        assert made == {
            "object": "api_key",
            "id": made["id"],
            "workspace_id": DEFAULT_WORKSPACE_ID,
            "name": "ci",
            "hint": f"tm_…{key[-4:]}",
            "status": "active",
            "created_at": int(clock.now()),
            "expires_at": int(clock.now()) + DAY,
            "revoked_at": None,
            "last_used_at": None,
        }
        assert await opens_the_models(client, key)
        assert (await client.get(f"{API_KEYS}/{made['id']}")).json() == made
        listed = await client.get(API_KEYS)
        assert made in listed.json()["data"]
        assert key not in listed.text
        clock.advance(DAY)
        assert (await client.get(f"{API_KEYS}/{made['id']}")).json()["status"] == "expired"

    async def test_they_are_listed_by_workspace(self, client):
        other = await create_workspace(client)
        key = await create_key(client, workspace_id=other["id"])

        listed = (await client.get(API_KEYS, params={"workspace_id": other["id"]})).json()
        assert [one["id"] for one in listed["data"]] == [key["id"]]

    async def test_a_rotated_one_goes_on_for_the_grace(self, client, clock):
        old = await create_key(client)
        response = await client.post(f"{API_KEYS}/{old['id']}/rotate", json={"grace_seconds": 60})
        new = response.json()

        assert response.headers["cache-control"] == "no-store"
        assert (new["name"], new["workspace_id"]) == (old["name"], old["workspace_id"])
        assert await opens_the_models(client, old["key"])
        assert await opens_the_models(client, new["key"])
        clock.advance(60)
        assert not await opens_the_models(client, old["key"])
        assert await opens_the_models(client, new["key"])

    async def test_without_a_body_the_grace_is_a_day(self, client, clock):
        old = await create_key(client)
        await client.post(f"{API_KEYS}/{old['id']}/rotate")

        ends = (await client.get(f"{API_KEYS}/{old['id']}")).json()["expires_at"]
        assert ends == int(clock.now()) + DAY

    async def test_without_grace_it_ends_at_once(self, client):
        old = await create_key(client)
        new = (await client.post(f"{API_KEYS}/{old['id']}/rotate", json={"grace_seconds": 0})).json()

        assert not await opens_the_models(client, old["key"])
        assert await opens_the_models(client, new["key"])

    async def test_a_revoked_one_ends_at_once_and_stays_on_record(self, client, clock):
        key = await create_key(client)
        assert await opens_the_models(client, key["key"])

        ended = (await client.delete(f"{API_KEYS}/{key['id']}")).json()

        assert (ended["status"], ended["revoked_at"]) == ("revoked", int(clock.now()))
        assert not await opens_the_models(client, key["key"])
        clock.advance(5)
        assert (await client.delete(f"{API_KEYS}/{key['id']}")).json() == ended
        assert_error(
            await client.post(f"{API_KEYS}/{key['id']}/rotate"),
            409,
            "conflict",
            "The API key 'ci' is revoked: create a new one",
        )

    async def test_what_cannot_be_is_told(self, client, clock):
        response = await client.post(
            API_KEYS,
            json={"workspace_id": DEFAULT_WORKSPACE_ID, "name": "ci", "expires_at": int(clock.now())},
        )
        assert_error(response, 400, "invalid_request_invalid_args", "expires_at must be in the future")
        response = await client.post(API_KEYS, json={"workspace_id": NOBODY, "name": "ci"})
        assert_error(response, 404, "not_found", f"There is no workspace {NOBODY!r}")

    @pytest.mark.parametrize("unknown", [NOBODY, "ci", "x" * 300])
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_an_unknown_one_is_404(self, client, unknown, method):
        path = f"{API_KEYS}/{unknown}" + ("/rotate" if method == "POST" else "")
        response = await client.request(method, path)
        assert_error(response, 404, "not_found", f"There is no API key {unknown!r}")

    async def test_an_admin_key_is_not_among_them(self, client):
        made = (await client.post(ADMIN_KEYS, json={"name": "console"})).json()

        assert (await client.get(f"{API_KEYS}/{made['id']}")).status_code == 404
        assert made["id"] not in (await client.get(API_KEYS)).text


class TestAdminKeys:
    async def test_one_is_made_rotated_and_revoked(self, client, clock):
        made = (await client.post(ADMIN_KEYS, json={"name": "console"})).json()
        assert is_well_formed(made["key"], AdminKey.PREFIX)
        assert made["object"] == "admin_key"
        assert made["organization_id"] == DEFAULT_ORGANIZATION_ID

        new = (
            await client.post(
                f"{ADMIN_KEYS}/{made['id']}/rotate",
                json={"grace_seconds": 0},
                headers=bearer(made["key"]),
            )
        ).json()

        assert (await client.get(WORKSPACES, headers=bearer(made["key"]))).status_code == 401
        assert (await client.get(WORKSPACES, headers=bearer(new["key"]))).status_code == 200
        listed = (await client.get(ADMIN_KEYS)).json()["data"]
        assert [one["status"] for one in listed] == ["revoked", "active"]
        await client.delete(f"{ADMIN_KEYS}/{new['id']}")
        assert (await client.get(WORKSPACES, headers=bearer(new["key"]))).status_code == 401
        assert (await client.get(f"{ADMIN_KEYS}/{new['id']}")).json()["status"] == "revoked"


class TestDatabase:
    async def test_one_that_cannot_be_used_is_a_503_that_tells_the_log_why(self, client, database, caplog):
        async with database.transaction() as connection:
            await connection.exec_driver_sql("DROP TABLE admin_keys")

        response = await client.get(ADMIN_KEYS)

        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert response.json()["message"] == "The server cannot use its database at the moment."
        assert "admin_keys" in caplog.text
        assert "Traceback" not in caplog.text


class TestLists:
    async def test_they_page_without_gaps(self, client):
        for number in range(5):
            await create_workspace(client, f"workspace {number}")
        seen, after = [], None
        for expected in (True, True, False):
            asked = {"limit": 2} | ({"after": after} if after else {})
            page = (await client.get(WORKSPACES, params=asked)).json()
            assert page["has_more"] is expected
            assert page["first_id"] == page["data"][0]["id"]
            seen += [one["name"] for one in page["data"]]
            after = page["last_id"]

        assert seen == ["Default", *(f"workspace {number}" for number in range(5))]
        empty = (await client.get(WORKSPACES, params={"after": after})).json()
        assert empty == {"object": "list", "first_id": None, "last_id": None, "has_more": False, "data": []}

    async def test_keys_page_too(self, client):
        workspace = await create_workspace(client)
        for name in ("a", "b", "c"):
            await client.post(API_KEYS, json={"workspace_id": workspace["id"], "name": name})
            await client.post(ADMIN_KEYS, json={"name": name})
        for path in (f"{API_KEYS}?workspace_id={workspace['id']}&", f"{ADMIN_KEYS}?"):
            first = (await client.get(f"{path}limit=2")).json()
            rest = (await client.get(f"{path}limit=2&after={first['last_id']}")).json()
            assert [one["name"] for one in first["data"] + rest["data"]] == ["a", "b", "c"]

    @pytest.mark.parametrize("asked", ["limit=0", "limit=1001", "limit=x", "after=x"])
    async def test_a_part_that_cannot_be_is_refused(self, client, asked):
        answer = await client.get(f"{API_KEYS}?{asked}")

        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", asked.partition("=")[0]]
