"""The first visit: the printed link, the built-in models, a key."""

import re

import httpx
import pytest

from tests.support.server import running_server

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

pytest.importorskip("playwright", reason="Playwright is not installed")

from playwright.sync_api import expect  # noqa: E402

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory, builtin_cache_dir):
    with running_server(tmp_path_factory.mktemp("data"), builtin_cache_dir, key=None) as server:
        yield server


@pytest.fixture
def page(chromium, server):
    from tests.support.browser import PATIENCE_MILLISECONDS  # noqa: PLC0415

    context = chromium.new_context(base_url=server.base_url)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield context.new_page()
    context.close()


def test_from_the_printed_link_to_an_answer_of_the_built_in_model_and_a_key_that_works(page, server):
    [link] = re.findall(r"http://\S+/console/sign-in\?link=\S+", "".join(server.output))
    page.goto(link)

    page.get_by_label("Temperature").fill("0")  # the same long answer each time
    page.get_by_label("Your message").fill("Count from one to fifty, in words.")
    page.get_by_label("Your message").press("Enter")
    answer = page.locator(".message.assistant")
    page.wait_for_function("document.querySelector('.message.assistant')?.innerText.length > 20")
    begun = answer.inner_text()
    assert answer.locator(".stats").count() == 0, "it came whole, and not as a stream"
    page.get_by_role("button", name="Stop").click()
    expect(answer).to_contain_text("stopped")
    assert len(answer.inner_text()) >= len(begun)

    page.get_by_role("link", name="Embeddings").click()
    page.get_by_label("Texts, one a line").fill("a cat sleeps\na kitten naps\nstock prices fell")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#matrix tbody tr")).to_have_count(3)
    first = [float(text) for text in page.locator("#matrix tbody tr").first.locator("td").all_inner_texts()]
    assert first[1] > first[2], "texts that mean the same are the more alike"

    page.goto("/console/keys")
    page.get_by_label("Name").fill("first")
    page.get_by_role("button", name="Create key").click()
    headers = {"authorization": f"Bearer {page.locator('#new-key').inner_text()}"}
    assert httpx.get(f"{server.base_url}/v1/models", headers=headers, trust_env=False).status_code == 200
