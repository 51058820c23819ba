import asyncio
import json

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.cli.main import run
from tramontane.models.repository import AddedModel, remember
from tramontane.storage.database import Database


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The default workspace on its plan, another on `scale`, and a model that was added to a server."""

    async def make():
        database = await Database.open(folder)
        await AccountsService(database, FakeClock()).ensure_default()
        await WorkspaceService(database, FakeClock()).create(DEFAULT_ORGANIZATION_ID, "Research", "scale")
        async with database.transaction() as connection:
            await remember(connection, AddedModel("added", '{"model": "org/added"}', 0))
        await database.close()

    folder = tmp_path_factory.mktemp("data")
    asyncio.run(make())
    return folder


@pytest.fixture
def limits(data_dir, capsys):
    """Runs the command; its output. What it sets is unset at the end."""

    def command(*arguments, code=0):
        assert run(["limits", *arguments, "--data-dir", str(data_dir)]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    yield command
    for model in (
        [],
        ["--model", "smollm2-135m-instruct"],
        ["--model", "mistral-embed"],
        ["--model", "added"],
    ):
        command("unset", "Default", *model)


def test_all_workspaces_and_their_plans(limits):
    lines = [line.split() for line in limits("show").splitlines()]

    assert lines[0] == ["WORKSPACE", "PLAN", "MODEL", "REQUESTS/MIN", "BURST", "TOKENS/MIN", "TOKENS/MONTH"]
    assert lines[1] == ["Default", "experiment", "(every", "other)", "60", "1", "500,000", "unlimited"]
    assert lines[2][:2] == ["Research", "scale"]
    assert len(lines) == 3


def test_what_is_set_is_marked_and_can_be_unset(limits):
    said = limits("set", "Default", "--requests-per-minute", "600", "--tokens-per-minute", "unlimited")
    assert "600*" in said
    assert "unlimited*" in said
    assert "* in the place of the plan's figure" in said

    assert "unlimited*" in limits("unset", "Default", "requests-per-minute")
    assert "*" not in limits("unset", "Default")


def test_a_model_is_named_by_any_of_its_ids(limits):
    limits("set", "Default", "--model", "codestral-latest", "--burst", "2")
    limits("set", DEFAULT_WORKSPACE_ID, "--model", "mistral-embed", "--tokens-per-month", "9")
    card = json.loads(limits("show", "Default", "--json"))

    assert card["models"]["smollm2-135m-instruct"]["override"]["burst"] == 2
    assert card["models"]["all-minilm-l6-v2"]["limits"]["tokens_per_month"] == 9
    assert card["limits"]["burst"] == 1


def test_a_model_that_was_added_to_a_running_server_has_limits_too(limits):
    limits("set", "Default", "--model", "added", "--burst", "2")

    assert "added" in json.loads(limits("show", "Default", "--json"))["models"]


def test_json_of_all_is_a_list_of_what_the_admin_api_answers(limits):
    found = json.loads(limits("show", "--json"))

    assert found["object"] == "list"
    assert [card["plan"] for card in found["data"]] == ["experiment", "scale"]
    assert found["data"][0] == json.loads(limits("show", "Default", "--json"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["set", "Default"], 2, "--requests-per-minute, --burst, --tokens-per-minute, --tokens-per-month"),
        (["set", "Default", "--tokens-per-minute", "much"], 2, "'much' is neither 'unlimited' nor"),
        (["set", "Default", "--tokens-per-minute", "1" * 17], 2, "nor a whole number up to"),
        (["set", "Default", "--burst", "0"], 2, "--burst"),
        (["set", "Default", "--burst", "99"], 1, "burst must be at most requests_per_minute, 60, got 99"),
        (["set", "Nobody", "--burst", "1"], 1, "There is no workspace 'Nobody'"),
        (["set", "Default", "--model", "gpt-4o", "--burst", "1"], 2, "smollm2-135m-instruct"),
        (["unset", "Default", "patience"], 2, "patience"),
        (["show", "Nobody"], 1, "There is no workspace 'Nobody'"),
    ],
)
def test_what_cannot_be_is_said(limits, arguments, code, said):
    assert said in limits(*arguments, code=code)
