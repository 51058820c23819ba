"""The console with the real built-in model."""

import re

import pytest

pytestmark = pytest.mark.e2e

pytest.importorskip("playwright", reason="Playwright is not installed")

from playwright.sync_api import expect  # noqa: E402

from tests.support.browser import CHROMIUM, PATIENCE_MILLISECONDS, browser  # noqa: E402


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium (CONTRIBUTING.md)")
def test_the_printed_link_signs_in_once_and_the_built_in_model_answers(server):
    link = re.search(r"http://\S+/console/sign-in\?link=\S+", "".join(server.output))[0]
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.goto(link)
        page.get_by_label("Max tokens").fill("12")
        page.get_by_label("Your message").fill("What is the capital of France?")
        page.get_by_label("Your message").press("Enter")
        answer = page.locator(".message.assistant")
        expect(answer.locator(".stats")).to_contain_text(re.compile(r"tokens in, \d+ out"))
        assert answer.locator(".markdown").inner_text().strip()

        page.goto(f"{server.base_url}/console/models")
        expect(page.get_by_text("SmolLM2").first).to_be_visible()
        expect(page.get_by_text("MiB").first).to_be_visible()

        stranger = chromium.new_context().new_page()
        stranger.goto(link)
        expect(stranger.get_by_role("alert")).to_contain_text("has been used before")
