"""All pages in a real browser: what people do on them, and whether everybody can."""

import httpx
import pytest

pytestmark = pytest.mark.process

pytest.importorskip("playwright", reason="Playwright is not installed")

from playwright.sync_api import expect  # noqa: E402

from tests.browser.conftest import AXE, PASSWORD  # noqa: E402
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID  # noqa: E402

PAGES = [
    "/console/playground",
    "/console/playground/fim",
    "/console/playground/embeddings",
    "/console/keys",
    "/console/workspaces",
    f"/console/workspaces/{DEFAULT_WORKSPACE_ID}",
    "/console/admin-keys",
    "/console/members",
    "/console/changes",
    "/console/usage?by=model",
    "/console/requests",
    "/console/limits",
    "/console/models",
    "/console/models/plan?model=smollm2-135m-instruct",
    "/console/health",
    "/console/nothing",
]
HOSTILE = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 2</script>'


def say(page):
    """Say something in the playground and wait for the end of the answer."""
    page.get_by_label("Your message").fill("Hello")
    page.get_by_label("Your message").press("Enter")
    expect(page.locator(".message.assistant .stats").last).to_contain_text("out")


def serious(page):
    """What axe finds that keeps somebody from using the page."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_everybody_can_use_every_page(page, width, scheme):
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    found = {}
    for path in PAGES:
        page.goto(path)
        found[path] = serious(page)
    page.goto("/console/requests")
    page.locator("tbody a").first.click()
    found["a request"] = serious(page)
    page.goto("/console/playground")
    say(page)
    found["an answer"] = serious(page)
    page.get_by_role("button", name="View code").click()
    found["its code"] = serious(page)
    if width < 700:
        page.goto("/console/health")
        page.get_by_role("button", name="Menu").click()
        found["the menu"] = serious(page)

    assert {path: problems for path, problems in found.items() if problems} == {}


def focused(page):
    """What the keyboard is on: its name, as a screen reader would say it in short."""
    return page.evaluate(
        "(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.textContent.trim())"
        "(document.activeElement)"
    )


def test_the_keyboard_alone_is_enough(page):
    page.goto("/console/keys")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    order = []
    for _ in range(4):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order == ["Name", "Workspace", "Ends", "Create key"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("By keyboard")

    page.goto("/console/playground")
    page.get_by_label("Your message").focus()
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".message.assistant .stats")).to_contain_text("out")
    assert focused(page) == "Your message"
    page.get_by_role("button", name="View code").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    inside = "document.getElementById('code').contains(document.activeElement)"
    for _ in range(8):
        page.keyboard.press("Tab")
        # Between the ends of the dialog the browser's own controls have their turn, never the page behind.
        assert page.evaluate(f"{inside} || document.activeElement === document.body")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == "View code"


def test_somebody_is_invited_and_uses_what_they_are_given(page, chromium, console):
    page.goto("/console/members")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Default").check()
    page.get_by_role("button", name="Invite").click()
    link = page.locator("#new-key").inner_text()
    context = chromium.new_context(base_url=console.base_url)
    visitor = context.new_page()
    visitor.goto(link)
    assert serious(visitor) == []
    visitor.get_by_label("Password, at least").fill("a password of her own")
    visitor.get_by_label("The same again").fill("a password of her own")
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", name="Playground")).to_be_visible()
    say(visitor)
    expect(visitor.get_by_role("link", name="Members")).to_have_count(0)
    visitor.goto("/console/account")
    assert serious(visitor) == []
    assert visitor.evaluate("window.hacked") is None
    page.goto("/console/changes")
    expect(page.get_by_role("row").nth(1)).to_contain_text("invited")
    assert page.evaluate("window.hacked") is None
    page.get_by_role("link", name="Members").click()
    page.get_by_role("rowheader").first.get_by_role("link").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There are no members yet")).to_be_visible()
    visitor.reload()
    expect(visitor.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_everybody_can_sign_in(chromium, console):
    context = chromium.new_context(base_url=console.base_url)
    page = context.new_page()
    page.goto("/")
    assert serious(page) == []
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    assert serious(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_no_page_is_wider_than_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    wide = []
    for path in PAGES:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []
    page.goto("/console/models")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_role("heading", name="Health")).to_be_visible()


def test_a_key_is_made_works_and_is_refused_when_revoked(page, console):
    page.goto("/console/keys")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_role("button", name="Create key").click()
    key = page.locator("#new-key").inner_text()
    models = f"{console.base_url}/v1/models"
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.get(models, headers=headers, trust_env=False).status_code == 200
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("row").nth(1).get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("revoked")

    assert httpx.get(models, headers=headers, trust_env=False).status_code == 401
    assert page.evaluate("window.hacked") is None


def test_health_is_read_anew(page):
    page.goto("/console/health")
    with page.expect_response("**/console/health/live") as response:
        pass

    assert response.value.ok
    expect(page.get_by_text("Every model would answer now.")).to_be_visible()


def test_usage_is_drawn(page):
    page.goto("/console/usage")
    expect(page.locator("#cost canvas")).to_be_visible()
    expect(page.locator("#tokens canvas")).to_be_visible()
    expect(page.get_by_role("row")).not_to_have_count(1)
    page.get_by_label("Table by").select_option("key")
    expect(page.get_by_role("rowheader", name="playground")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()

    assert download.value.suggested_filename.endswith("-by-key.csv")


def test_a_chosen_limit_is_shown_live(page):
    page.goto(f"/console/workspaces/{DEFAULT_WORKSPACE_ID}")
    page.get_by_label("Requests a minute", exact=True).fill("90")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_label("Requests a minute", exact=True)).to_have_value("90")
    page.get_by_role("link", name="What is used now").click()
    expect(page.get_by_role("row", name="Default").first).to_contain_text("of 90")
    page.get_by_role("link", name="Default").first.click()
    page.get_by_label("Requests a minute", exact=True).fill("")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_label("Requests a minute", exact=True)).to_have_attribute("placeholder", "unlimited")


def test_a_limit_that_is_hit_says_so_and_is_shown(page):
    page.goto("/console/workspaces")
    page.get_by_label("Name").fill("Small")
    page.get_by_role("button", name="Create workspace").click()
    page.get_by_label("Requests a minute", exact=True).fill("1")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_label("Requests a minute", exact=True)).to_have_value("1")
    page.goto("/console/playground")
    page.get_by_label("Workspace").select_option(label="Small (experiment)")
    for number in range(2):
        page.get_by_label("Your message").fill("Hello")
        page.get_by_label("Your message").press("Enter")
        expect(page.locator(".message.assistant").nth(number).locator(".stats")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Try again in")
    expect(page.locator(".message.assistant").first.locator(".stats")).to_contain_text("$")

    page.goto("/console/limits")
    expect(page.get_by_role("row").filter(has_text="Small").first).to_contain_text("1 of 1")
    page.goto("/console/requests")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Small")
    expect(page.get_by_role("row").nth(1)).to_contain_text("playground")


def test_a_model_is_planned_added_unloaded_and_removed(page):
    page.goto("/console/models")
    page.get_by_label("Another model", exact=True).fill("smollm2-135m-instruct")
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_role("row").filter(has_text="would be chosen")).to_contain_text("yes")
    page.get_by_label("Id", exact=True).fill("second")
    page.get_by_role("button", name="serve it").click()
    expect(page.get_by_text("served now")).to_be_visible()
    second = page.get_by_role("article").filter(has=page.get_by_role("heading", name="second"))
    second.get_by_role("button", name="Load").click()
    expect(second).to_contain_text("Ready")
    second.get_by_role("button", name="Unload").click()
    expect(second).to_contain_text("loaded with the next request")
    page.on("dialog", lambda dialog: dialog.accept())
    second.get_by_role("button", name="Remove").click()
    expect(second).to_have_count(0)
