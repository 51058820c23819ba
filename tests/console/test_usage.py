import csv
import html
import json
import re
from datetime import UTC, datetime

import pytest

from tests.console.conftest import csrf_token
from tests.support.billing import outcome, request
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, OPERATOR_KEY_ID
from tramontane.billing.entities import Status
from tramontane.billing.service import BillingService
from tramontane.core.clock import SystemClock
from tramontane.core.principal import Principal
from tramontane.storage.database import Database

pytestmark = pytest.mark.anyio

PRINCIPAL = Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, OPERATOR_KEY_ID)
HOSTILE = "<script>window.hacked = 1</script>"


@pytest.fixture
async def bill(running, tmp_path):
    """Writes a request into the ledger of the running server, now."""
    database = await Database.open(tmp_path)
    billing = BillingService(database, SystemClock())
    await billing.start()

    async def write(status=Status.OK, prompt=1000, completion=500, **changes):
        now = int(SystemClock().now())
        billed = request(principal=PRINCIPAL, created=now, **changes)
        reservation = await billing.reserve(billed)
        await billing.settle(reservation, outcome(prompt, completion, status=status))
        return billed

    yield write
    await billing.close()
    await database.close()


def rows(page):
    table = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("</tr>")[:-1]]
    return [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in cells]


async def test_empty_pages_say_what_to_do(admin):
    for path in ("usage", "requests"):
        assert 'href="/console/playground"' in (await admin.get(f"/console/{path}")).text.partition("<h1>")[2]
    assert "No request is like that" in (await admin.get("/console/requests?status=error")).text


async def test_usage_is_what_the_ledger_says(admin, bill):
    for _ in range(2):
        await bill()
    await bill(Status.ERROR, prompt=10, completion=0)
    page = await admin.get("/console/usage?by=model")

    assert rows(page) == [
        ["mistral-large-2411", "3", "1", "2,010", "0", "1,000", "$0.01", "$0.01"],
    ]
    chart = json.loads(html.unescape(re.search('data-chart="([^"]+)"', page.text)[1]))
    day = datetime.now(UTC).day - 1
    assert chart["input"][day] == 2010
    assert sum(chart["output"]) == 1000
    assert chart["cost"][day] == pytest.approx(0.01002)  # 2010 in at 2 USD, 1000 out at 6 USD a million
    assert chart["limit"] is None


@pytest.mark.parametrize("by", ["day", "model", "served", "key", "workspace"])
async def test_the_table_is_there_as_a_file(admin, bill, by):
    await bill()
    answer = await admin.get(f"/console/usage.csv?by={by}")

    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    (line,) = csv.DictReader(answer.text.splitlines())
    assert line["prompt_tokens"] == "1000"
    assert line["completion_tokens"] == "500"


async def test_other_months_and_other_workspaces_are_apart(admin, bill):
    await bill()

    assert "Nothing was used in January 2020" in (await admin.get("/console/usage?month=2020-01")).text
    for odd in ("month=x", "month=0000-00", "by=x", "workspace=x", "page=9", "month=9999-12"):
        assert (await admin.get(f"/console/usage?{odd}")).status_code == 200


async def test_requests_are_listed_and_filtered(admin, bill):
    await bill()
    await bill(Status.CANCELLED, model_asked="codestral-latest")
    found = rows(await admin.get("/console/requests"))
    assert {row[1] for row in found} == {"ok", "cancelled"}
    assert any("codestral-latest answered by smollm2-135m-instruct" in row[3] for row in found)

    assert [row[1] for row in rows(await admin.get("/console/requests?status=cancelled"))] == ["cancelled"]
    assert len(rows(await admin.get("/console/requests?model=mistral-large-2411"))) == 1
    assert rows(await admin.get("/console/requests?model=nothing")) == []


async def test_requests_page_without_gaps(admin, bill):
    ids = {(await bill()).request_id for _ in range(30)}
    first = await admin.get("/console/requests")
    older = html.unescape(re.search('rel="next" href="([^"]+)"', first.text)[1])
    second = await admin.get(older)

    seen = re.findall('title="([0-9a-f]{32})"', first.text + second.text)
    assert len(seen) == 30
    assert set(seen) == ids
    assert 'rel="next"' not in second.text
    for odd in ("before=x", "before=1-", "before=99999999999999999999999-0", "status=x", "workspace=x"):
        assert (await admin.get(f"/console/requests?{odd}")).status_code == 200


async def test_fields_of_requests_are_text_and_never_markup(admin, bill):
    await bill(model_asked=HOSTILE)
    for path in ("requests", "usage?by=model"):
        page = await admin.get(f"/console/{path}")
        assert HOSTILE not in page.text
        assert HOSTILE in html.unescape(page.text)


async def test_limits_show_what_is_allowed_and_used(admin, bill):
    await admin.post(
        f"/console/workspaces/{DEFAULT_WORKSPACE_ID}/limits",
        data={
            "csrf_token": await csrf_token(admin),
            "requests_per_minute": "120",
            "tokens_per_month": "5,000",
        },
    )
    await bill(model_served="fake")
    page = await admin.get("/console/limits")

    (chat, _) = rows(page)
    assert chat == [
        "Default",
        "fake",
        "unlimited own figures",
        "0 of 120",  # the limiter's own count, and no request has come to it
        "0",
        "2",
        "0 of any number",
        "1,500 of 5,000",
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"requests_per_minute": "many"}, "is neither a number nor"),
        ({"requests_per_minute": "10", "burst": "11"}, "burst must be at most"),
        ({"burst": "0"}, "is neither a number nor"),
        ({"tokens_per_minute": "-1"}, "is neither a number nor"),
        ({"tokens_per_minute": "9" * 30}, "is neither a number nor"),
    ],
)
async def test_limits_that_cannot_be_say_why(admin, fields, problem):
    answer = await admin.post(
        f"/console/workspaces/{DEFAULT_WORKSPACE_ID}/limits",
        data={"csrf_token": await csrf_token(admin), **fields},
    )

    assert answer.status_code == 400
    assert problem in answer.text


async def test_a_spending_limit_is_set_drawn_in_and_taken_away(admin, bill):
    await bill()
    path = f"/console/workspaces/{DEFAULT_WORKSPACE_ID}/spending"
    token = await csrf_token(admin)
    await admin.post(path, data={"csrf_token": token, "amount": "$1,250.50"})
    page = await admin.get(f"/console/usage?workspace={DEFAULT_WORKSPACE_ID}")
    assert "$1,250.50" in page.text
    assert "&#34;limit&#34;: 1250.5" in page.text

    await admin.post(path, data={"csrf_token": token, "amount": ""})
    page = await admin.get(f"/console/usage?workspace={DEFAULT_WORKSPACE_ID}")
    assert "&#34;limit&#34;: null" in page.text
    for odd in ("x", "-1", "NaN", "1e99"):
        answer = await admin.post(path, data={"csrf_token": token, "amount": odd})
        assert answer.status_code == 400
