import json
import shlex

import pytest

from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.cli.banner import Banner, MadeEarlier, NewlyMade, Operators, render_banner

URL = "http://127.0.0.1:8000"
MODELS = [
    ModelProfile(
        "tiny-chat",
        "",
        Capabilities(completion_chat=True, completion_fim=True),
        100,
        aliases=("mistral-large-latest", "codestral-latest"),
    ),
    ModelProfile("tiny-embed", "", Capabilities(), 100, aliases=("mistral-embed",)),
]


def render(key, models=MODELS):
    return render_banner(Banner(URL, "unlimited", models, key))


def curl(text):
    command = text[text.index("\ncurl ") :].split("\n\n")[0].replace("\\\n", " ")
    return shlex.split(command)


def test_it_says_where_the_server_is_what_it_serves_and_on_which_plan():
    text = render(Operators())

    assert f"{URL}/v1" in text
    assert "unlimited: No limits" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["Models", "tiny-chat", "chat,", "fill-in-the-middle"] in lines
    assert ["tiny-embed", "embeddings"] in lines


def test_whoever_keeps_text_is_told():
    said = render_banner(Banner(URL, "unlimited", MODELS, Operators(), transcript_days=7))

    assert "requests and answers are kept for 7 days (--no-transcripts)" in said
    assert "kept for" not in render(Operators())


def test_stand_ins_are_not_hidden():
    text = " ".join(render(Operators()).split())

    assert "stand-ins for the hosted models, which are not here themselves: 3 of their ids" in text
    assert "mistral-large-latest" in text
    own = [ModelProfile("own", "", Capabilities(completion_chat=True), 100)]
    assert "stand-ins" not in render(Operators(), own)


def test_the_command_can_be_pasted():
    command = curl(render(NewlyMade("tm_secret")))

    assert command[:2] == ["curl", f"{URL}/v1/chat/completions"]
    assert "Authorization: Bearer tm_secret" in command
    assert json.loads(command[-1])["model"] == "mistral-large-latest"


def test_a_key_that_was_made_just_now_is_shown_with_a_warning():
    text = render(NewlyMade("tm_secret"))

    assert "API key   tm_secret\n" in text
    assert "not shown again" in text
    assert "tm_secret" not in repr(NewlyMade("tm_secret"))


@pytest.mark.parametrize(
    ("key", "said"),
    [(MadeEarlier("tm_…abcd"), "tm_…abcd"), (Operators(), "TRAMONTANE_API_KEY"), (None, "none is valid")],
)
def test_any_other_key_is_taken_from_the_environment(key, said):
    text = render(key)

    assert said in text
    assert "Authorization: Bearer $TRAMONTANE_API_KEY" in curl(text)
