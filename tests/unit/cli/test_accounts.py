"""`tramontane workspaces` and `tramontane keys`, on both databases."""

import asyncio
import json
import time

import pytest

from tramontane.accounts.service import AccountsService
from tramontane.cli.main import run
from tramontane.core.clock import SystemClock
from tramontane.errors import AuthenticationError, PermissionDeniedError

DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def settings(place, monkeypatch):
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def tramontane(capsys):
    def call(*arguments, code=0):
        assert run(list(arguments)) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return said.out if code == 0 else said.err

    return call


@pytest.fixture
def answer(tramontane):
    """The JSON of a command."""
    return lambda *arguments: json.loads(tramontane(*arguments, "--json"))


@pytest.fixture
def opens(place):
    """Whether a key opens the models, or the admin API."""

    async def is_taken(key, *, admin):
        database = await place.open()
        accounts = AccountsService(database, SystemClock())
        try:
            await (accounts.authenticate_admin(key) if admin else accounts.authenticate(key))
        except (AuthenticationError, PermissionDeniedError):
            return False
        finally:
            await database.close()
        return True

    return lambda key, admin=False: asyncio.run(is_taken(key, admin=admin))


def lines(table):
    return [line.split() for line in table.splitlines()]


class TestWorkspaces:
    def test_before_any_start_of_a_server_there_is_the_default_one(self, answer):
        (default,) = answer("workspaces", "list")["data"]
        assert (default["name"], default["plan"]) == ("Default", "experiment")

    def test_one_is_made_shown_renamed_moved_and_archived(self, tramontane, answer):
        made = answer("workspaces", "create", "research", "--plan", "scale")
        assert answer("workspaces", "show", "research") == made

        assert "'papers'" in tramontane("workspaces", "rename", "research", "papers")
        assert "on the plan unlimited" in tramontane("workspaces", "set-plan", made["id"], "unlimited")
        shown = answer("workspaces", "show", "papers")
        assert shown == {**made, "name": "papers", "plan": "unlimited"}

        assert "archived" in tramontane("workspaces", "archive", "papers")
        assert [one["name"] for one in answer("workspaces", "list")["data"]] == ["Default"]
        assert [one["name"] for one in answer("workspaces", "list", "--all")["data"]] == ["Default", "papers"]

    def test_the_list_is_a_table_whose_lines_are_whole(self, tramontane):
        tramontane("workspaces", "create", "x" * 200)
        heading, default, long = lines(tramontane("workspaces", "list"))

        assert heading == ["NAME", "PLAN", "STATUS", "CREATED", "(UTC)", "ID"]
        assert default[:3] == ["Default", "experiment", "active"]
        assert long[0] == "x" * 200

    def test_what_cannot_be_is_one_line(self, tramontane):
        assert "There is no workspace 'nowhere'\n" in tramontane("workspaces", "show", "nowhere", code=1)
        assert "has the name 'Default'" in tramontane("workspaces", "create", "Default", code=1)
        assert "Invalid value for 'PLAN'" in tramontane("workspaces", "set-plan", "Default", "gold", code=2)

    def test_a_setting_that_will_take_the_plan_back_is_told(self, monkeypatch, capsys):
        monkeypatch.setenv("TRAMONTANE_PLAN", "experiment")
        assert run(["workspaces", "set-plan", "Default", "scale"]) == 0
        assert "puts it on experiment again" in capsys.readouterr().err

    def test_names_cannot_move_the_cursor(self, tramontane, answer):
        assert "printable" in tramontane("workspaces", "create", "a\x1b[2Jb", code=1)


class TestKeys:
    def test_a_made_one_is_shown_once_and_works(self, tramontane, opens):
        said = tramontane("keys", "create", "ci", "--expires", "30d")
        (key,) = [line.strip() for line in said.splitlines() if line.startswith("  tm_")]

        assert opens(key)
        assert key not in tramontane("keys", "list")
        heading, row = lines(tramontane("keys", "list"))
        assert heading[:4] == ["NAME", "KEY", "WORKSPACE", "STATUS"]
        assert row[:4] == ["ci", f"tm_…{key[-4:]}", "Default", "active"]

    @pytest.mark.parametrize(("expires", "seconds"), [("30d", 30 * DAY), ("90s", 90), ("2W", 14 * DAY)])
    def test_spans_are_from_now(self, answer, expires, seconds):
        before = int(time.time())
        made = answer("keys", "create", "ci", "--expires", expires)
        assert before <= made["expires_at"] - seconds <= time.time()

    @pytest.mark.parametrize(
        "expires", ["2999-01-31", "2999-01-31T00:00", "2999-01-31T01:00+01:00", "2999-01-31T00:00:00Z"]
    )
    def test_dates_are_utc(self, answer, expires):
        # 2999-01-31 is 375,865 days after 1970-01-01.
        assert answer("keys", "create", "ci", "--expires", expires)["expires_at"] == 375_865 * DAY

    @pytest.mark.parametrize("expires", ["yesterday", "2001-01-01", "0", "30", "-3d", ""])
    def test_other_expiries_are_refused(self, tramontane, expires):
        assert "Invalid value for '--expires'" in tramontane(
            "keys", "create", "ci", "--expires", expires, code=2
        )

    def test_one_of_a_workspace(self, tramontane, answer):
        made = answer("workspaces", "create", "research")
        key = answer("keys", "create", "ci", "--workspace", "research")
        answer("keys", "create", "ci")

        assert key["workspace_id"] == made["id"]
        assert [one["id"] for one in answer("keys", "list", "--workspace", made["id"])["data"]] == [key["id"]]
        assert "2 keys have the name 'ci'" in tramontane("keys", "revoke", "ci", code=1)
        assert answer("keys", "revoke", "ci", "--workspace", "research")["id"] == key["id"]

    def test_a_rotated_one_goes_on_for_a_while(self, tramontane, answer, opens):
        old = answer("keys", "create", "ci", "--expires", "30d")
        new = answer("keys", "rotate", "ci", "--grace", "1h")

        assert opens(old["key"])
        assert opens(new["key"])
        ends = {one["id"]: one["expires_at"] for one in answer("keys", "list")["data"]}
        assert ends[old["id"]] <= time.time() + 3600
        assert ends[new["id"]] >= old["expires_at"]
        assert "works until" in tramontane("keys", "rotate", new["id"])

    def test_without_grace_it_ends_at_once(self, tramontane, answer, opens):
        old = answer("keys", "create", "ci")
        assert f"({old['hint']}) is revoked" in tramontane("keys", "rotate", "ci", "--grace", "0")
        assert not opens(old["key"])

    @pytest.mark.parametrize("by", ["id", "name", "hint"])
    def test_a_revoked_one_ends_at_once_and_is_listed_on_demand(self, tramontane, answer, opens, by):
        key = answer("keys", "create", "ci")
        assert "is revoked" in tramontane("keys", "revoke", key[by])

        assert not opens(key["key"])
        assert answer("keys", "list")["data"] == []
        assert [one["status"] for one in answer("keys", "list", "--all")["data"]] == ["revoked"]

    def test_admin_keys_are_another_kind(self, tramontane, answer, opens):
        key = answer("keys", "create", "console", "--admin")

        assert key["object"] == "admin_key"
        assert opens(key["key"], admin=True)
        assert not opens(key["key"])
        assert answer("keys", "list")["data"] == []
        assert lines(tramontane("keys", "list", "--admin"))[1][0] == "console"
        assert "no API key 'console'" in tramontane("keys", "revoke", "console", code=1)
        new = answer("keys", "rotate", "console", "--admin", "--grace", "0")
        assert not opens(key["key"], admin=True)
        answer("keys", "revoke", new["id"], "--admin")
        assert not opens(new["key"], admin=True)

    def test_an_admin_key_of_a_workspace_is_a_mistake(self, tramontane):
        said = tramontane("keys", "create", "x", "--admin", "--workspace", "Default", code=2)
        assert "belongs to no workspace" in said
