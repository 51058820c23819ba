import re

import pytest
from starlette.routing import Mount

from tests.console.conftest import csrf_token
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.console.app import CONTENT_SECURITY_POLICY, guarded_routes, routes_of
from tramontane.console.sessions import SessionService

pytestmark = pytest.mark.anyio

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Ping"}]}


class _Anything:
    """Stands for the services of routes that are listed, but not served."""

    def __getattr__(self, name):
        return _Anything()

    def __call__(self, *_arguments):
        return 0.0


GUARDED = [(next(iter(route.methods - {"HEAD"})), route.path) for route in guarded_routes(_Anything())]
ACTIONS = [path for method, path in GUARDED if method == "POST"]


def test_only_signing_in_and_static_files_are_open():
    guarded = {path for _, path in GUARDED}
    is_open = {
        route.path
        for route in routes_of(_Anything())
        if isinstance(route, Mount) or route.path not in guarded
    }

    assert is_open == {
        "/",
        "/console",
        "/console/",
        "/console/sign-in",
        "/console/static/{release}",
        "/console/welcome",
    }


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nothing_is_shown_or_done_without_signing_in(visitor, method, path):
    answer = await visitor.request(method, re.sub(r"{\w+}", "1", path))

    assert answer.status_code in (303, 401)
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/console/sign-in")


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("forgery", ["none", "wrong", "elsewhere"])
async def test_nothing_is_done_for_another_site(admin, path, forgery):
    headers = {"none": {}, "wrong": {"x-csrf-token": "0" * 64}, "elsewhere": {"sec-fetch-site": "cross-site"}}
    fields = {"csrf_token": await csrf_token(admin)} if forgery == "elsewhere" else {}
    answer = await admin.post(re.sub(r"{\w+}", "1", path), data=fields, headers=headers[forgery])

    assert answer.status_code == 403
    assert "nothing has been changed" in answer.text


async def test_every_answer_forbids_scripts_of_others(admin):
    for path in (
        "/",
        "/console/sign-in",
        "/console/health",
        "/console/nothing",
        "/console/static/x/console.css",
    ):
        answer = await admin.get(path)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert re.search("<script(?! src=)|<style| style=| on[a-z]+=", answer.text) is None


async def test_pages_are_not_kept_and_static_files_are(admin):
    page = await admin.get("/console/health")
    assert page.headers["cache-control"] == "no-store"
    sheet = re.search('href="([^"]+console.css)"', page.text)[1]

    assert "immutable" in (await admin.get(sheet)).headers["cache-control"]
    assert "immutable" not in (await admin.get("/console/static/old/console.css")).headers["cache-control"]


async def test_a_page_that_is_not_there_says_where_to_go(admin):
    answer = await admin.get("/console/nothing")

    assert answer.status_code == 404
    assert 'href="/console/"' in answer.text


async def test_no_request_can_say_who_it_is_itself(visitor):
    answer = await visitor.post("/v1/chat/completions", json=CHAT, headers={"tramontane.principal": "x"})

    assert answer.status_code == 401


async def test_the_playground_answers_as_the_api_does(admin):
    answer = await admin.post(
        "/console/playground/v1/chat/completions",
        json=CHAT,
        headers={"x-csrf-token": await csrf_token(admin), "x-workspace": DEFAULT_WORKSPACE_ID},
    )

    assert answer.status_code == 200
    assert answer.json()["object"] == "chat.completion"
    assert answer.json()["usage"]["completion_tokens"] > 0


async def test_errors_of_the_playground_are_the_apis(admin):
    answer = await admin.post(
        "/console/playground/v1/chat/completions",
        json=CHAT | {"model": "nothing"},
        headers={"x-csrf-token": await csrf_token(admin), "x-workspace": DEFAULT_WORKSPACE_ID},
    )

    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid model: nothing"


async def test_pages_say_what_is_served(admin):
    models = (await admin.get("/console/models")).text
    assert "Scripted answers for tests of client programs" in models
    assert "Stand-in" in models
    assert "mistral-large-latest" in models
    health = (await admin.get("/console/health")).text
    assert "Every model would answer now." in health
    assert "0 of 16" in health
    assert "SQLite" in health


def test_sessions_are_not_printed():
    from tramontane.console.sessions import Session  # noqa: PLC0415

    assert "secret" not in repr(Session("secret"))
    assert SessionService(None, None, None).has_password is False
