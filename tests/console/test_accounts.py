import html
import re

import pytest

from tests.console.conftest import csrf_token
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID

pytestmark = pytest.mark.anyio

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


async def post(client, path, **fields):
    return await client.post(f"/console{path}", data={"csrf_token": await csrf_token(client), **fields})


async def make_key(client, name="Editor", **fields):
    answer = await post(client, "/keys", name=name, workspace=DEFAULT_WORKSPACE_ID, **fields)
    return answer, re.search("tm_[0-9A-Za-z]{36}", answer.text)


async def status_with(client, key):
    answer = await client.get("/v1/models", headers={"authorization": f"Bearer {key}"})
    return answer.status_code


def action(page, verb):
    return re.search(f'/console(/keys/[0-9a-f-]+/{verb})"', page.text)[1]


async def test_a_key_is_shown_once_works_and_is_refused_after_it_is_revoked(admin):
    _, key = await make_key(admin)
    page = await admin.get("/console/keys")

    assert key[0] not in page.text
    assert await status_with(admin, key[0]) == 200
    assert (await post(admin, action(page, "revoke"))).status_code == 303
    assert await status_with(admin, key[0]) == 401
    assert "revoked" in (await admin.get("/console/keys")).text


async def test_a_rotated_key_goes_on_beside_the_new_one(admin):
    _, key = await make_key(admin)
    answer = await post(admin, action(await admin.get("/console/keys"), "rotate"))
    new = re.search("tm_[0-9A-Za-z]{36}", answer.text)

    assert await status_with(admin, key[0]) == 200
    assert await status_with(admin, new[0]) == 200


async def test_a_key_may_end_by_itself(admin):
    answer, _ = await make_key(admin, expires="30")
    row = answer.text.partition("<tbody>")[2].partition("</tr>")[0]

    assert "active" in row
    assert "never" in row  # used
    assert row.count("<td>20") == 2  # created and ends


@pytest.mark.parametrize(
    ("name", "problem"), [("", "name must not be empty"), ("x" * 256, "name must have at most 255")]
)
async def test_what_cannot_be_says_why_and_keeps_what_was_typed(admin, name, problem):
    answer, _ = await make_key(admin, name=name, expires="90")

    assert answer.status_code == 400
    assert problem in answer.text
    assert '<option value="90" selected>' in answer.text


async def test_names_are_text_and_never_markup(admin):
    await make_key(admin, name=HOSTILE)
    await post(admin, "/workspaces", name=HOSTILE, plan="scale")
    for path in ("/console/keys", "/console/workspaces", "/console/playground"):
        page = await admin.get(path)
        assert HOSTILE not in page.text
        assert HOSTILE in html.unescape(page.text)
        assert "<img src=x" not in page.text


async def test_lists_page(admin):
    for number in range(30):
        await make_key(admin, name=f"Key {number}")
        await post(admin, "/workspaces", name=f"Workspace {number}", plan="scale")
        await post(admin, "/admin-keys", name=f"Key {number}")
    for path, seen in (
        ("keys", ">Key {}</th>"),
        ("admin-keys", ">Key {}</th>"),
        ("workspaces", ">Workspace {}</a>"),
    ):
        first = await admin.get(f"/console/{path}")
        second = await admin.get(html.unescape(re.search('rel="next" href="([^"]+)"', first.text)[1]))
        for number in range(30):
            name = seen.format(number)
            in_tables = [page.text.partition("<tbody>")[2].count(name) for page in (first, second)]
            assert sorted(in_tables) == [0, 1], (path, name)
        assert 'rel="next"' not in second.text
        assert f'href="/console/{path}">First page' in second.text
    for odd in ("0", "-1", "99999999999999999999", "x", "²"):
        assert (await admin.get("/console/keys", params={"after": odd})).status_code == 200


async def test_an_admin_key_is_shown_once_opens_the_admin_api_and_is_refused_when_revoked(admin):
    made = await post(admin, "/admin-keys", name="Deployment", expires="30")
    key = re.search("tma_[0-9A-Za-z]{36}", made.text)[0]
    workspaces, bearer = "/v1/admin/workspaces", {"authorization": f"Bearer {key}"}
    assert (await admin.get(workspaces, headers=bearer)).status_code == 200
    page = await admin.get("/console/admin-keys")
    assert key not in page.text
    await post(admin, re.search('action="/console(/admin-keys/[^"]+/revoke)"', page.text)[1])

    assert (await admin.get(workspaces, headers=bearer)).status_code == 401
    assert "Deployment" in (await admin.get("/console/changes")).text


async def test_a_model_has_limits_of_its_own_and_loses_them(admin):
    path = f"/workspaces/{DEFAULT_WORKSPACE_ID}"
    await post(admin, f"{path}/limits", model="mistral-large-latest", requests_per_minute="7")
    row = re.search("<code>fake</code></th>(.*?)</tr>", (await admin.get(f"/console{path}")).text, re.DOTALL)[
        1
    ]
    assert ">7" in row
    assert "7</td>" in (await admin.get("/console/limits")).text
    refused = await post(admin, f"{path}/limits", model="nothing", requests_per_minute="7")
    assert refused.status_code == 400
    assert "There is no model" in html.unescape(refused.text)
    await post(admin, f"{path}/limits", model="fake", unset="yes")

    assert "Take away" not in (await admin.get(f"/console{path}")).text


async def test_a_workspace_is_made_changed_and_archived(admin):
    made = await post(admin, "/workspaces", name="Research", plan="scale")
    path = made.headers["location"].removeprefix("/console")
    page = await admin.get(made.headers["location"])
    assert "Research" in page.text
    assert re.search('value="scale" checked', page.text)

    await post(admin, path, name="Science", plan="experiment")
    page = await admin.get(f"/console{path}")
    assert "<h1>Science</h1>" in page.text
    assert re.search('value="experiment" checked', page.text)

    await post(admin, f"{path}/archive")
    page = await admin.get(f"/console{path}")
    assert "It is archived" in page.text
    assert (await post(admin, path, name="Again", plan="scale")).status_code == 409


async def test_a_name_that_is_taken_says_so(admin):
    answer = await post(admin, "/workspaces", name="Default", plan="scale")

    assert answer.status_code == 409
    assert "Another workspace has the name" in answer.text


@pytest.mark.parametrize("path", ["/workspaces/nothing", "/workspaces/00000000-0000-7000-8000-0000000000ff"])
async def test_a_workspace_that_is_not_there_says_so(admin, path):
    answer = await admin.get(f"/console{path}")

    assert answer.status_code == 404
    assert "There is no workspace" in answer.text
