import html
import re

import httpx
import pytest

from tests.console.conftest import ORIGIN, PASSWORD, csrf_token
from tests.console.test_gate import ACTIONS, GUARDED, _Anything
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID, Role
from tramontane.console.app import actions_of

pytestmark = pytest.mark.anyio

ADA = "ada@example.org"
SECRET = "a password of her own"
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Ping"}]}
FOR_ADMINS = [
    (action.method, action.path) for action in actions_of(_Anything()) if action.least is Role.admin
]


@pytest.fixture
async def browser(running):
    """Makes another browser, which is nobody's yet."""
    clients = []

    def another():
        client = httpx.AsyncClient(transport=httpx.ASGITransport(running.app), base_url=ORIGIN)
        clients.append(client)
        return client

    yield another
    for client in clients:
        await client.aclose()


async def post(client, path, **fields):
    token = re.search('name="csrf_token" value="([0-9a-f]{64})"', (await client.get("/console/models")).text)[
        1
    ]
    return await client.post(f"/console{path}", data={"csrf_token": token, **fields})


async def invite(admin, role="member", email=ADA, name="Ada", **fields):
    page = await post(admin, "/members", name=name, email=email, role=role, **fields)
    assert page.status_code == 200, page.text
    return re.search(r"/console/welcome\?token=[\w-]+", page.text)[0]


async def accept(client, link, password=SECRET):
    token = link.partition("token=")[2]
    return await client.post(
        "/console/welcome", data={"token": token, "password": password, "again": password}
    )


@pytest.fixture
async def own(admin):
    """The id of a workspace that members are given in these tests."""
    made = await post(admin, "/workspaces", name="Research", plan="unlimited")
    return made.headers["location"].rpartition("/")[2]


@pytest.fixture
async def member(admin, browser, own):
    client = browser()
    assert (await accept(client, await invite(admin, workspace=own))).status_code == 303
    return client


def member_path(page):
    return re.search('href="/console(/members/[0-9a-f-]{36})"', page.text)[1]


async def test_an_invitation_is_opened_often_and_taken_up_once(admin, browser):
    link = await invite(admin)
    visitor = browser()
    for _ in range(2):
        assert "Welcome, Ada" in (await visitor.get(link)).text
    assert "at least 12 characters" in (await accept(visitor, link, "short")).text
    assert (await accept(visitor, link)).headers["location"] == "/console/"
    assert (await visitor.get("/console/models")).status_code == 200

    assert (await accept(browser(), link)).status_code == 403
    assert "used before, or is too old" in (await browser().get(link)).text


async def test_a_member_signs_in_with_address_and_password(member, browser):
    client = browser()
    page = await client.get("/console/sign-in")
    assert "E-mail address" in page.text
    wrong = await client.post("/console/sign-in", data={"email": ADA, "password": PASSWORD})
    assert wrong.status_code == 403
    assert "no member with this address and password" in wrong.text
    right = await client.post("/console/sign-in", data={"email": " ADA@example.org", "password": SECRET})

    assert right.status_code == 303
    assert "Ada" in (await client.get("/console/models")).text


async def test_the_operator_signs_in_as_before(member, browser):
    client = browser()
    assert (await client.post("/console/sign-in", data={"password": PASSWORD})).status_code == 303


async def test_failures_of_one_address_do_not_shut_out_others(member, browser):
    client = browser()
    for _ in range(10):
        await client.post("/console/sign-in", data={"email": ADA, "password": "wrong"})
    blocked = await client.post("/console/sign-in", data={"email": ADA, "password": SECRET})

    assert blocked.status_code == 429
    assert (await client.post("/console/sign-in", data={"password": PASSWORD})).status_code == 303


@pytest.mark.parametrize(("method", "path"), FOR_ADMINS)
async def test_members_see_and_do_nothing_that_is_for_administrators(member, method, path):
    path = re.sub(r"{\w+}", DEFAULT_WORKSPACE_ID, path)
    answer = await (post(member, path) if method == "POST" else member.get(f"/console{path}"))

    assert answer.status_code == 403
    assert "This is for administrators" in answer.text


def test_what_is_for_administrators_is_most_of_it():
    assert {path for _, path in GUARDED} - {f"/console{path}" for _, path in FOR_ADMINS} == {
        "/console/sign-out",
        "/console/playground",
        "/console/playground/fim",
        "/console/playground/embeddings",
        "/console/playground/receipt/{request_id}",
        "/console/playground/v1/chat/completions",
        "/console/playground/v1/fim/completions",
        "/console/playground/v1/embeddings",
        "/console/keys",
        "/console/keys/{key_id}/rotate",
        "/console/keys/{key_id}/revoke",
        "/console/usage",
        "/console/usage.csv",
        "/console/requests",
        "/console/requests/{request_id}",
        "/console/limits",
        "/console/limits/live",
        "/console/models",
        "/console/models/live",
        "/console/account",
        "/console/account/password",
    }
    assert ACTIONS


async def test_members_keep_to_their_workspaces(admin, member, own):
    foreign = await post(admin, "/keys", name="Foreign key", workspace=DEFAULT_WORKSPACE_ID)
    key_id = re.search("/keys/([0-9a-f-]{36})/revoke", foreign.text)[1]
    for path in ("/console/keys", f"/console/keys?workspace={DEFAULT_WORKSPACE_ID}"):
        assert "Foreign key" not in (await member.get(path)).text
    for path in ("limits", "usage", "requests", "playground", "keys"):
        page = (await member.get(f"/console/{path}")).text
        assert "Research" in page
        assert "Default" not in page.partition("<main")[2].replace("Default temperature", "")

    assert (await post(member, f"/keys/{key_id}/revoke")).status_code == 404
    assert (await post(member, f"/keys/{key_id}/rotate")).status_code == 404
    assert (await post(member, "/keys", name="Mine", workspace=DEFAULT_WORKSPACE_ID)).status_code == 404
    mine = await post(member, "/keys", name="Mine", workspace=own)
    assert re.search("tm_[0-9A-Za-z]{36}", mine.text)
    own_id = re.search("/keys/([0-9a-f-]{36})/revoke", mine.text)[1]
    assert (await post(member, f"/keys/{own_id}/revoke")).status_code == 303


async def ask(client, workspace):
    token = re.search('value="([0-9a-f]{64})"', (await client.get("/console/models")).text)[1]
    return await client.post(
        "/console/playground/v1/chat/completions",
        json=CHAT,
        headers={"x-csrf-token": token, "x-workspace": workspace},
    )


async def test_what_members_ask_stands_in_the_ledger_by_their_name(admin, member, own):
    assert (await ask(member, DEFAULT_WORKSPACE_ID)).status_code == 404
    request_id = (await ask(member, own)).json()["id"]
    of_others = (await ask(admin, DEFAULT_WORKSPACE_ID)).json()["id"]

    assert (await member.get(f"/console/playground/receipt/{request_id}")).json()["completion_tokens"] > 0
    assert (await admin.get(f"/console/playground/receipt/{request_id}")).json() is None
    assert "playground: Ada" in (await admin.get("/console/requests")).text
    assert "playground: Ada" in (await admin.get("/console/usage?by=key")).text
    assert (await member.get(f"/console/requests/{request_id}")).status_code == 200
    assert (await member.get(f"/console/requests/{of_others}")).status_code == 404
    listed = (await member.get(f"/console/requests?workspace={DEFAULT_WORKSPACE_ID}")).text
    assert request_id in listed
    assert of_others not in listed


async def test_a_role_and_workspaces_hold_with_the_next_click(admin, member, own):
    path = member_path(await admin.get("/console/members"))
    await post(admin, path, name="Ada", role="member")
    refused = await member.get("/console/keys")
    assert refused.status_code == 403
    assert "You have no workspace yet" in refused.text
    await post(admin, path, name="Countess", role="admin")

    assert (await member.get("/console/health")).status_code == 200
    assert "Countess" in (await member.get("/console/members")).text


async def test_who_is_removed_is_out_and_can_be_invited_again(admin, member, browser):
    path = member_path(await admin.get("/console/members"))
    assert (await post(admin, f"{path}/remove")).status_code == 303
    assert (await member.get("/console/models")).status_code == 303
    client = browser()
    refused = await client.post("/console/sign-in", data={"email": ADA, "password": SECRET})
    assert refused.status_code in (403, 429)
    assert (await admin.get(f"/console{path}")).status_code == 404

    assert (await accept(client, await invite(admin))).status_code == 303


async def test_a_new_link_ends_the_old_password(admin, member, browser):
    path = member_path(await admin.get("/console/members"))
    page = await post(admin, f"{path}/invite")
    link = re.search(r"/console/welcome\?token=[\w-]+", page.text)[0]
    assert (await member.get("/console/models")).status_code == 303
    old = await browser().post("/console/sign-in", data={"email": ADA, "password": SECRET})
    assert old.status_code == 403

    assert (await accept(browser(), link, "another password")).status_code == 303


async def test_members_change_their_password_and_stay_signed_in_here_only(member, browser):
    elsewhere = browser()
    await elsewhere.post("/console/sign-in", data={"email": ADA, "password": SECRET})
    new = {"new": "another password", "again": "another password"}
    assert "The old password is not it" in (await post(member, "/account/password", old="wrong", **new)).text
    changed = await post(member, "/account/password", old=SECRET, **new)
    assert "The password is changed" in changed.text

    assert (await member.get("/console/account")).status_code == 200
    assert (await elsewhere.get("/console/account")).status_code == 303


async def test_nobody_takes_the_last_ladder_away_from_themselves(admin, browser):
    client = browser()
    await accept(client, await invite(admin, role="admin"))
    path = member_path(await client.get("/console/members"))

    assert (await post(client, f"{path}/remove")).status_code == 409
    assert (await post(client, path, name="Ada", role="member")).status_code == 409


@pytest.mark.parametrize(
    ("fields", "status", "problem"),
    [
        ({"email": "nobody"}, 400, "is no e-mail address"),
        ({"role": "king"}, 400, "There is no role"),
        ({"name": ""}, 400, "name must not be empty"),
        ({"workspace": "00000000-0000-7000-8000-0000000000ff"}, 404, "There is no workspace"),
        ({"email": "ADA@EXAMPLE.org"}, 409, "Another member has the address"),
    ],
)
async def test_members_that_cannot_be_say_why(admin, fields, status, problem):
    await invite(admin)
    asked = {"name": "Bob", "email": "bob@example.org", "role": "member"} | fields
    answer = await post(admin, "/members", **asked)

    assert answer.status_code == status
    assert problem in html.unescape(answer.text)
    assert "bob@example.org" not in (await admin.get("/console/members")).text


async def test_changes_say_who_made_them(admin, member, own):
    await post(member, "/keys", name="<b>Mine</b>", workspace=own)
    await post(member, "/keys", name="", workspace=own)  # refused: no change
    page = (await admin.get("/console/changes")).text
    text = html.unescape(" ".join(re.sub("<[^>]+>", " ", page.partition("<tbody>")[2]).split()))

    assert re.search(r"Ada made the key <b>Mine</b> \(tm_….{4}\) of Research", text)
    assert "operator invited Ada (ada@example.org) as member" in text
    assert "operator made the workspace Research" in text
    assert text.count("made the key") == 1
    assert SECRET not in page


async def test_tokens_of_forms_are_those_of_one_session(admin, member):
    answer = await member.post(
        "/console/account/password", data={"csrf_token": await csrf_token(admin), "old": SECRET}
    )

    assert answer.status_code == 403
