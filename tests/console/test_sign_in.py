import pytest

from tests.console.conftest import PASSWORD, csrf_token

pytestmark = pytest.mark.anyio

SIGN_IN = "/console/sign-in"


async def test_the_root_leads_to_the_console_and_the_console_to_the_sign_in(visitor):
    answer = await visitor.get("/", follow_redirects=True)

    assert answer.status_code == 200
    assert answer.url.path == SIGN_IN
    assert "Password of the operator" in answer.text


async def test_the_api_stays_where_it_is(visitor):
    assert (await visitor.get("/v1/models")).status_code == 401
    assert (await visitor.get("/health/ready")).json() == {"status": "ready"}


async def test_the_password_signs_in_and_leads_back(visitor):
    asked = await visitor.get("/console/models")
    assert asked.status_code == 303
    assert asked.headers["location"] == f"{SIGN_IN}?next=/console/models"
    answer = await visitor.post(SIGN_IN, data={"password": PASSWORD, "next": "/console/models"})

    assert answer.headers["location"] == "/console/models"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Secure" not in cookie  # nothing could be sent back without TLS
    assert (await visitor.get("/console/models")).status_code == 200


async def test_behind_tls_the_cookie_is_for_tls_only(visitor):
    answer = await visitor.post(SIGN_IN, data={"password": PASSWORD}, headers={"x-forwarded-proto": "https"})

    assert answer.headers["set-cookie"].startswith("__Host-tramontane_console=")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "target",
    ["//evil.test/", "https://evil.test/console/", "/\\evil.test", "/console/\\..//x", "javascript:1"],
)
async def test_signing_in_leads_nowhere_else(visitor, target):
    answer = await visitor.post(SIGN_IN, data={"password": PASSWORD, "next": target})

    assert answer.headers["location"] == "/console/"


async def test_a_wrong_password_opens_nothing(visitor):
    answer = await visitor.post(SIGN_IN, data={"password": "wrong"})

    assert answer.status_code == 403
    assert "That is not the password." in answer.text
    assert "set-cookie" not in answer.headers


async def test_after_ten_failures_even_the_password_must_wait(visitor):
    for _ in range(10):
        assert (await visitor.post(SIGN_IN, data={"password": "wrong"})).status_code == 403
    answer = await visitor.post(SIGN_IN, data={"password": PASSWORD})

    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "Try again in" in answer.text


async def test_another_site_cannot_sign_in(visitor):
    for header in ({"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}):
        answer = await visitor.post(SIGN_IN, data={"password": PASSWORD}, headers=header)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_on_the_server(admin):
    cookies = dict(admin.cookies)
    answer = await admin.post("/console/sign-out", data={"csrf_token": await csrf_token(admin)})
    assert answer.headers["location"] == SIGN_IN

    admin.cookies.update(cookies)  # somebody has kept a copy
    assert (await admin.get("/console/models")).status_code == 303


async def test_signing_out_everywhere_ends_other_browsers_too(admin, running):
    other = dict(admin.cookies)
    admin.cookies.clear()
    await admin.post(SIGN_IN, data={"password": PASSWORD})
    await admin.post("/console/sign-out", data={"csrf_token": await csrf_token(admin), "everywhere": "yes"})

    admin.cookies.update(other)
    assert (await admin.get("/console/models")).status_code == 303
