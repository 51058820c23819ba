"""The playground in a real browser."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

pytest.importorskip("playwright", reason="Playwright is not installed")

from playwright.sync_api import expect  # noqa: E402

expect.set_options(timeout=60_000)


def say(page, text):
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def answers(page):
    return page.locator(".message.assistant")


def test_an_answer_streams_and_says_how_it_went(page):
    say(page, "Hello **there**")
    expect(answers(page)).to_contain_text("You wrote: Hello there")
    stats = answers(page).locator(".stats")

    expect(stats).to_contain_text(re.compile(r"\d+ tokens in, \d+ out"))
    expect(stats).to_contain_text(re.compile(r"first token after \d+ ms"))
    expect(stats).to_contain_text("tokens/s")
    assert answers(page).locator("strong").inner_text() == "there"


def test_a_conversation_goes_on_and_can_be_cleared(page):
    say(page, "First")
    expect(answers(page).locator(".stats")).to_be_visible()
    say(page, "Second")
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_contain_text("You wrote: Second")
    page.get_by_role("button", name="Clear").click()

    expect(answers(page)).to_have_count(0)


def test_an_answer_can_be_stopped(page):
    say(page, "slow")
    expect(answers(page)).to_contain_text("word3 ")
    page.get_by_role("button", name="Stop").click()

    expect(answers(page)).to_contain_text("stopped")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    assert "word3999" not in answers(page).inner_text()


def test_what_a_model_says_runs_nothing(page):
    say(page, "hostile")
    expect(answers(page).locator(".stats")).to_be_visible()
    answer = answers(page)

    expect(answer).to_contain_text("The end")
    ours = "button:not(.copy):not(.again)"
    for forbidden in ("script", "img", "svg", "iframe", "style", "form", ours, "[onerror]", "[onload]"):
        assert answer.locator(forbidden).count() == 0
    assert answer.locator("a[href^='javascript']").count() == 0
    assert page.evaluate("window.hacked") is None
    assert 'print("</code>' in answer.locator("pre code").inner_text()


def test_errors_are_those_of_the_api(page):
    page.get_by_text("Tools", exact=True).click()
    page.get_by_label("Functions, as JSON").fill("{")
    say(page, "Hello")
    expect(answers(page)).to_contain_text("The tools are not valid JSON")
    page.get_by_label("Functions, as JSON").fill('[{"type": "function", "function": {"name": "a b"}}]')
    say(page, "Hello")

    expect(answers(page).last).to_contain_text("(4")


def test_code_is_coloured_and_copied(page):
    say(page, "hostile")
    expect(answers(page).locator(".stats")).to_be_visible()
    expect(answers(page).locator("pre .hljs-string").first).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answers(page).get_by_role("button", name="Copy").click()
    expect(answers(page).get_by_role("button", name="Copied")).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()").startswith('print("</code>')


def test_settings_stay_until_they_are_reset_or_somebody_signs_out(page):
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_text("Form of the answer").click()
    page.get_by_label("JSON schema").fill('{"type": "object"}')
    page.reload()
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    expect(page.get_by_label("Answer with")).to_have_value("json_schema")
    page.get_by_role("button", name="Reset settings").click()
    page.reload()
    expect(page.get_by_label("Temperature")).to_have_value("")
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    assert page.evaluate("Object.keys(localStorage)") == []


def test_an_answer_can_be_had_again(page):
    say(page, "First")
    expect(answers(page).locator(".stats")).to_contain_text("out")
    with page.expect_request("**/v1/chat/completions") as asked:
        page.get_by_role("button", name="Try again").click()
    expect(answers(page).locator(".stats")).to_contain_text("out")

    assert asked.value.post_data_json["messages"] == [{"role": "user", "content": "First"}]
    expect(answers(page)).to_have_count(1)


def test_what_was_not_answered_can_be_sent_again(page):
    page.get_by_text("Tools", exact=True).click()
    page.get_by_label("Functions, as JSON").fill("{")
    say(page, "Hello")
    expect(page.get_by_role("alert")).to_contain_text("The tools are not valid JSON")
    expect(page.get_by_label("Your message")).to_have_value("Hello")
    page.get_by_label("Functions, as JSON").fill("")
    page.get_by_label("Your message").press("Control+Enter")

    expect(answers(page).last).to_contain_text("You wrote: Hello")


def test_the_code_of_a_whole_request_runs(page, console):
    page.get_by_label("Max tokens").fill("60")
    page.get_by_label("Stop at").fill("never\nsaid")
    page.get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="Insert an example").first.click()
    page.get_by_text("Form of the answer").click()
    page.get_by_label("Answer with").select_option("json_object")
    page.get_by_label("Your message").fill('It\'s "me", \\ $HOME ünïcödé')
    page.get_by_role("button", name="View code").click()
    environment = os.environ | {"TRAMONTANE_API_KEY": console.key}
    for language, command in [
        ("curl", ["bash", "-c"]),
        ("mistralai", [sys.executable, "-c"]),
        ("openai", [sys.executable, "-c"]),
    ]:
        page.get_by_label("Language").select_option(language)
        code = page.locator("#code-text").inner_text()
        for word in ("get_weather", "never", "said", "json_object", "60"):
            assert word in code, language
        ran = subprocess.run(
            [*command, code], check=False, env=environment, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, (language, ran.stderr)
        assert ("data: {" if language == "curl" else "This is the fake engine") in ran.stdout, language


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("curl", ["/v1/chat/completions", "$TRAMONTANE_API_KEY", '"temperature": 0.5', "It'\\''s me"]),
        ("mistralai", ["Mistral(", "client.chat.stream(", "temperature=0.5", '"content": "It\'s me"']),
        ("openai", ["OpenAI(", "/v1", "stream=True", "seed=7"]),
        ("typescript", ["fetch(", "/v1/chat/completions", "random_seed"]),
    ],
)
def test_the_request_is_there_as_code(page, language, words):
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Your message").fill("It's me")
    page.get_by_role("button", name="View code").click()
    page.get_by_label("Language").select_option(language)
    code = page.locator("#code-text").inner_text()

    assert [word for word in words if word not in code] == []
    if language in ("mistralai", "openai"):
        compile(code, language, "exec")


def test_a_gap_is_filled(page):
    page.get_by_role("link", name="Fill in the middle").click()
    page.get_by_role("button", name="Fill the gap").click()

    expect(page.locator("#filled")).to_contain_text("This is the fake engine")
    expect(page.locator("#stats")).to_contain_text("tokens in")
    page.get_by_role("button", name="Take it over").click()
    expect(page.get_by_label("Code before the gap")).to_have_value(re.compile("This is the fake engine"))


def test_texts_are_compared(page):
    page.get_by_role("link", name="Embeddings").click()
    page.get_by_label("Texts, one a line").fill("the same\nthe same\n<b>other</b>")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#matrix tbody tr")).to_have_count(3)

    assert page.locator("#matrix tbody td").all_inner_texts()[:2] == ["1.00", "1.00"]
    assert page.locator("#matrix b").count() == 0
