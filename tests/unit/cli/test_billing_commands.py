"""`tramontane usage`, `spend` and `prices` on a database of their own."""

import asyncio
import csv
import io
import json
import re
import time

import pytest

from tests.support.billing import outcome, request
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.billing.entities import Status
from tramontane.billing.service import BillingService
from tramontane.cli.main import run
from tramontane.core.clock import SystemClock
from tramontane.core.principal import Principal
from tramontane.storage.database import Database

KEY = "30000000-0000-0000-0000-000000000001"


@pytest.fixture(autouse=True)
def used(tmp_path, monkeypatch):
    """A database in which three requests were billed just now."""

    async def use():
        database = await Database.open(tmp_path)
        await AccountsService(database, SystemClock()).ensure_default()
        billing = BillingService(database, SystemClock())
        await billing.start()
        principal = Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, KEY)
        for model, status in [
            ("mistral-large-2411", Status.OK),
            ("mistral-embed", Status.CANCELLED),
            ("my-model", Status.ERROR),
        ]:
            asked = request(model_asked=model, principal=principal, created=int(time.time()))
            await billing.settle(await billing.reserve(asked), outcome(status=status))
        await billing.close()
        await database.close()

    asyncio.run(use())
    monkeypatch.setenv("TRAMONTANE_DATA_DIR", str(tmp_path))


@pytest.fixture
def says(capsys):
    """Runs a command that succeeds; what it prints."""

    def call(*arguments):
        assert run(arguments) == 0
        return capsys.readouterr().out

    return call


def test_usage_as_a_table_with_a_chart(says):
    lines = says("usage", "--by", "model").splitlines()

    assert lines[0].split() == ["MODEL", "REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST", "HOSTED"]
    assert lines[1].split()[:2] == ["mistral-large-2411", "1"]
    assert lines[1].endswith("█" * 20)
    assert "$0.0001" in lines[2]
    assert "1 (1 failed)" in lines[3]
    assert lines[3].split()[-2:] == ["unpriced", "unpriced"]
    assert lines[4].split()[0] == "total"
    assert "Unpriced requests: 1." in lines[-1]


def test_usage_as_json_and_csv(says):
    as_json = json.loads(says("usage", "--by", "workspace", "--json"))
    as_csv = list(csv.DictReader(io.StringIO(says("usage", "--by", "model", "--csv"))))

    assert as_json["total"]["requests"] == 3
    assert as_json["total"]["cost_usd"] == "0.0051"
    assert as_json["lines"][0]["name"] == "Default"
    assert sum(int(line["requests"]) for line in as_csv) == 3


def test_usage_of_a_month_without_any(says):
    assert says("usage", "--month", "2020-02") == "Nothing was used from 2020-02-01 to 2020-02-29.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage", "--month", "2026-13"),
        ("usage", "--month", "2026-11", "--since", "2026-11-01"),
        ("usage", "--by", "mood"),
        ("spend", "set", "much"),
        ("spend", "set", "1", "--organization", "--workspace", "Default"),
        ("prices", "set", "m", "--input", "-1", "--output", "1"),
        ("prices", "set", "m", "--input", "1e9", "--output", "1"),
        ("prices", "set", "m", "--input", "nan", "--output", "1"),
    ],
)
def test_what_cannot_be_is_refused_as_wrong_usage(arguments, capsys):
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_workspace_that_is_not_there(capsys):
    assert run(["usage", "--workspace", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_limits_are_set_shown_and_taken_away(says):
    [made] = json.loads(says("spend", "set", "0.01", "--workspace", "Default", "--json"))
    assert (made["scope"], made["limit_usd"], made["spent_usd"]) == ("workspace", "0.01", "0.0051")
    says("spend", "set", "$1,000", "--organization")

    default, whole = (re.split(r"  +", line) for line in says("spend", "show").splitlines()[1:])
    assert default[:5] == ["Default", "$0.01", "$0.0051", "$0.00", "$0.0049"]
    assert whole[:2] == ["all workspaces", "$1,000.00"]

    [gone] = json.loads(says("spend", "set", "none", "--json"))
    assert gone["limit_usd"] is None


def test_prices_are_set_listed_and_taken_back(says):
    assert "$0.40 input, $0.04 cached, $2.00 output" in says(
        "prices", "set", "my-model", "--input", "0.40", "--output", "2"
    )
    first = json.loads(says("prices", "list", "--json"))[0]
    assert (first["model"], first["input_usd"], first["workspace"]) == (
        "my-model",
        "0.4",
        "all workspaces",
    )

    assert "no price of your own in the workspace Default" in says(
        "prices", "unset", "my-model", "--workspace", "Default"
    )
    listed = says("prices", "list")
    assert "unknown: listed without a price" in listed
    assert "mistral-large-2411" in listed
