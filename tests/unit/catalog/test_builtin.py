import re

import pytest

from tramontane.catalog.builtin import builtin_models, default_model
from tramontane.catalog.hosted import hosted_ids

HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


def test_the_defaults_are_the_documented_models():
    assert default_model("generate").id == "smollm2-135m-instruct"
    assert default_model("embed").id == "all-minilm-l6-v2"


def test_what_a_builtin_model_can_do_is_said_in_its_profile():
    chat = default_model("generate").profile(8192)
    assert (chat.capabilities.completion_chat, chat.capabilities.completion_fim) == (True, True)
    assert (chat.max_context_length, chat.default_temperature) == (8192, 0.2)
    embedding = default_model("embed").profile(256)
    assert (embedding.capabilities.completion_chat, embedding.capabilities.completion_fim) == (False, False)
    assert (embedding.max_context_length, embedding.default_temperature) == (256, None)


def test_the_lower_limit_of_model_and_engine_counts():
    assert default_model("generate").profile(1024).max_context_length == 1024
    assert default_model("generate").profile(1_000_000).max_context_length == 8192


@pytest.mark.parametrize("model", builtin_models(), ids=lambda model: model.id)
def test_everything_of_a_builtin_model_is_pinned(model):
    assert model.source.model == model.id
    assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", model.source.requirement)
    assert HEX_SHA256.fullmatch(model.source.sha256)
    assert model.source.size > max(member.size for member in model.source.members) / 2
    assert all(HEX_SHA256.fullmatch(member.sha256) for member in model.source.members)
    assert model.source.entry in {"", *(member.target for member in model.source.members)}


@pytest.mark.parametrize("model", builtin_models(), ids=lambda model: model.id)
def test_a_stand_in_says_that_it_is_no_mistral_model(model):
    assert model.name in model.description
    assert "not a Mistral model" in model.description
    assert model.license == "Apache-2.0"


def test_no_id_is_claimed_twice():
    ids = [*hosted_ids("generate"), *hosted_ids("embed"), *(model.id for model in builtin_models())]
    assert len(ids) == len(set(ids))


def test_every_alias_has_the_form_of_a_hosted_id():
    for alias in (*hosted_ids("generate"), *hosted_ids("embed")):
        assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)+", alias), alias


@pytest.mark.parametrize(
    ("alias", "task"),
    [
        ("mistral-large-latest", "generate"),
        ("mistral-medium-2505", "generate"),
        ("mistral-small-2503", "generate"),
        ("open-mistral-nemo", "generate"),
        ("codestral-latest", "generate"),
        ("mistral-code-fim-latest", "generate"),
        ("mistral-embed", "embed"),
        ("codestral-embed-2505", "embed"),
    ],
)
def test_programs_for_the_hosted_api_find_their_model(alias, task):
    assert alias in default_model(task).profile(256).aliases


@pytest.mark.parametrize("work", ["ocr", "moderation", "transcribe", "voxtral", "tts"])
def test_what_cannot_be_stood_in_for_is_not_claimed(work):
    assert not [alias for alias in (*hosted_ids("generate"), *hosted_ids("embed")) if work in alias]
