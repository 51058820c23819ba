import re
from datetime import date
from pathlib import Path

import pytest

from tramontane.catalog.hosted import find_hosted, hosted_ids, hosted_model_of, hosted_models
from tramontane.catalog.licenses import find_license, known_licenses
from tramontane.weights.hub_reference import parse_hub_reference

# Every id that has been served since the first release: programs rely on them.
SERVED_SINCE_THE_FIRST_RELEASE = (Path(__file__).parent / "served_ids.txt").read_text().split()


def test_no_id_has_been_lost():
    assert set(SERVED_SINCE_THE_FIRST_RELEASE) <= set(hosted_ids("generate"))
    assert set(hosted_ids("embed")) == {
        "mistral-embed", "mistral-embed-2312", "codestral-embed", "codestral-embed-2505",
    }  # fmt: skip


def test_the_best_known_id_is_listed_first():
    assert hosted_ids("generate")[0] == "mistral-large-latest"


# `/v1/models` of the hosted API in August 2026: ids of one model, its context and default temperature.
@pytest.mark.parametrize(
    ("ids", "context", "temperature"),
    [
        ("mistral-medium-latest mistral-medium mistral-medium-3-5 mistral-medium-3.5", 262144, 1.0),
        ("mistral-medium-3 mistral-medium-2604 mistral-vibe-cli-latest", 262144, 1.0),
        ("mistral-small-2603 mistral-small-latest mistral-vibe-cli-fast magistral-small-latest", 262144, 0.3),
        ("mistral-large-2512 mistral-large-latest", 262144, 0.3),
        ("mistral-medium-2505", 131072, 0.3),
        ("mistral-medium-2508", 131072, 0.3),
        ("ministral-3b-2512 ministral-3b-latest", 131072, 0.3),
        ("ministral-8b-2512 ministral-8b-latest", 262144, 0.3),
        ("ministral-14b-2512 ministral-14b-latest", 262144, 0.3),
        ("codestral-2508 codestral-latest mistral-code-latest mistral-code-fim-latest", 256000, 0.3),
        ("devstral-2512 devstral-medium-latest devstral-latest mistral-code-agent-latest", 262144, 0.2),
        ("labs-leanstral-1-5-1 labs-leanstral-1-5", 262144, 1.0),
        ("glm-5-2 zai-glm-5-2", 1048576, None),
        ("mistral-embed-2312 mistral-embed", 8192, None),
        ("codestral-embed codestral-embed-2505", 8192, None),
    ],
)  # fmt: skip
def test_the_facts_are_those_of_the_hosted_api(ids, context, temperature):
    [model] = {find_hosted(model_id) for model_id in ids.split()}
    assert set(ids.split()) <= set(model.ids)
    assert (model.max_context_length, model.default_temperature) == (context, temperature)


@pytest.mark.parametrize("model", hosted_models(), ids=lambda model: model.id)
def test_a_model_has_open_weights_or_a_stand_in_that_has(model):
    if model.weights is not None:
        assert parse_hub_reference(model.weights.repository).reference == model.weights.repository
        assert find_license(model.weights.license) is not None
        assert model.stand_in is None
        return
    stand_in = find_hosted(model.stand_in)
    if stand_in is None:
        assert parse_hub_reference(model.stand_in) is not None
    else:
        assert (stand_in.task, stand_in.weights is not None) == (model.task, True)


@pytest.mark.parametrize("model", hosted_models(), ids=lambda model: model.id)
def test_dates_and_replacements_make_sense(model):
    assert date(2023, 9, 27) <= model.released <= date(2026, 10, 31)
    if model.deprecated is not None:
        assert model.released < model.deprecated <= model.retires
        assert (
            find_hosted(model.replacement).weights is not None or not find_hosted(model.replacement).retires
        )
    assert model.tokenizer is None or re.fullmatch(r"(tekken|sentencepiece)(-v\d+)?", model.tokenizer)


def test_no_two_models_share_an_id_or_a_repository():
    ids = [model_id for model in hosted_models() for model_id in model.ids]
    assert len(ids) == len(set(ids))
    repositories = [
        repository
        for model in hosted_models()
        if model.weights
        for repository in (model.weights.repository, *model.weights.other_forms)
    ]
    assert len(repositories) == len(set(repositories))


def test_a_repository_is_known_however_it_is_written():
    model = find_hosted("ministral-3b-2512")
    assert hosted_model_of("mistralai/Ministral-3-3B-Instruct-2512") is model
    assert hosted_model_of("MistralAI/ministral-3-3b-instruct-2512-gguf") is model
    assert hosted_model_of("me/mine") is None


def test_restricted_are_the_licences_that_restrict():
    restricted = {terms.id for terms in known_licenses() if terms.restriction}
    assert restricted == {"MRL-0.1", "MNPL-0.1", "Modified-MIT", "CC-BY-NC-4.0"}
    assert find_license("apache-2.0").id == "Apache-2.0"
    assert find_license("mnpl").id == "MNPL-0.1"
    assert find_license("my-own") is None
