import pytest

from tests.support.served import served
from tramontane.catalog.builtin import default_model
from tramontane.catalog.profile import ModelProfile
from tramontane.catalog.resolve import resolve_model
from tramontane.errors import ConfigurationError, ModelNotFoundError
from tramontane.models.cards import model_card, model_list
from tramontane.models.catalog import Catalog
from tramontane.models.loaded import EmbeddingModel, GenerationModel
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.tokenizer import ByteTokenizer

NOW = 1_791_303_487
MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"

# The order of a hosted entry of October 2026, less `billing_model_name`, which few entries have.
HOSTED_KEYS = [
    "id", "object", "created", "owned_by", "capabilities", "name", "description",
    "max_context_length", "aliases", "deprecation", "deprecation_replacement_model",
    "default_model_temperature", "type",
]  # fmt: skip
HOSTED_CAPABILITIES = [
    "completion_chat", "function_calling", "reasoning", "completion_fim", "fine_tuning", "vision",
    "ocr", "classification", "moderation", "audio", "audio_transcription",
    "audio_transcription_realtime", "audio_speech", "unified_resources",
]  # fmt: skip


def generation_model(profile, template=None):
    chat = ChatRenderer(ByteTokenizer(), template)
    return served(GenerationModel(profile, engine=None, admission=None, vocabulary=None, chat=chat, fim=None))


def embedding_model(profile):
    return served(EmbeddingModel(profile, engine=None, admission=None, brief=None, tokenizer=None))


@pytest.fixture
def catalog():
    return Catalog(
        [
            generation_model(default_model("generate").profile(8192)),
            embedding_model(default_model("embed").profile(256)),
        ]
    )


def test_every_id_and_alias_has_a_card_of_its_own(catalog):
    cards = model_list(catalog, NOW).data
    assert [card.id for card in cards] == list(catalog.ids())
    assert cards[0].id == "smollm2-135m-instruct"


def test_a_card_has_the_hosted_keys_in_their_order(catalog):
    card = model_card(catalog, NOW, "mistral-large-latest").model_dump()
    assert [key for key in card if key != "billing_model_name"] == HOSTED_KEYS
    assert list(card["capabilities"]) == HOSTED_CAPABILITIES


def test_an_alias_names_its_model_and_lists_the_other_ids(catalog):
    card = model_card(catalog, NOW, "mistral-embed")
    assert card.name == "all-minilm-l6-v2"
    assert card.aliases == [
        "all-minilm-l6-v2",
        "mistral-embed-2312",
        "codestral-embed-2505",
        "codestral-embed",
    ]
    assert (card.created, card.object, card.type, card.owned_by) == (NOW, "model", "base", "tramontane")
    assert (card.max_context_length, card.default_model_temperature) == (256, None)
    assert not any(card.capabilities.model_dump().values())


def test_a_stand_in_is_not_hidden(catalog):
    own = model_card(catalog, NOW, "smollm2-135m-instruct")
    alias = model_card(catalog, NOW, "mistral-large-latest")
    assert alias.description == f"Stand-in for mistral-large-latest: {own.description}"
    assert "not a Mistral model" in own.description


@pytest.mark.parametrize(("template", "more"), [(None, set()), ("<think>", {"reasoning"})])
def test_a_chat_model_says_what_it_can_do_and_nothing_else(template, more):
    catalog = Catalog([generation_model(default_model("generate").profile(8192), template)])
    capabilities = model_card(catalog, NOW, "codestral-latest").capabilities.model_dump()
    can = {"completion_chat", "completion_fim", "function_calling"}
    assert {name for name, able in capabilities.items() if able} == can | more


def test_an_id_that_two_models_claim_is_listed_for_the_first_only():
    first = generation_model(
        ModelProfile("first", "…", default_model("generate").capabilities, 8, aliases=("shared",))
    )
    second = generation_model(
        ModelProfile("second", "…", default_model("generate").capabilities, 8, aliases=("shared", "own"))
    )
    catalog = Catalog([first, second])
    assert [card.id for card in model_list(catalog, NOW).data] == ["first", "shared", "second", "own"]
    assert model_card(catalog, NOW, "shared").name == "first"
    assert model_card(catalog, NOW, "second").aliases == ["own"]


@pytest.fixture
def ministral():
    """The built-in models, and beside them one whose weights are those of a hosted model."""
    return Catalog(
        [
            generation_model(default_model("generate").profile(8192)),
            generation_model(resolve_model(MINISTRAL, "generate").profile(32_768)),
        ]
    )


def test_the_weights_of_a_hosted_model_answer_to_its_ids_as_themselves(ministral):
    for model_id in ("ministral-3b-2512", "ministral-3b-latest", MINISTRAL):
        card = model_card(ministral, NOW, model_id)
        assert (card.id, card.name, card.owned_by) == (model_id, "ministral-3b-2512", "mistralai")
        assert card.description == (
            f"Ministral 3 3B by Mistral AI: its open weights, {MINISTRAL}, served from this machine."
        )
    assert (card.max_context_length, card.default_model_temperature) == (32_768, 0.3)


def test_what_is_no_such_model_remains_a_stand_in(ministral):
    card = model_card(ministral, NOW, "mistral-large-latest")
    assert card.name == "smollm2-135m-instruct"
    assert card.description.startswith("Stand-in for mistral-large-latest: ")
    alone = Catalog([generation_model(resolve_model(MINISTRAL, "generate").profile(32_768))])
    card = model_card(alone, NOW, "mistral-large-latest")
    assert card.name == "ministral-3b-2512"
    assert card.description.startswith("Stand-in for mistral-large-latest: Ministral 3 3B by Mistral AI")


def test_the_end_of_a_hosted_model_is_told(catalog):
    card = model_card(catalog, NOW, "mistral-medium-2505").model_dump(mode="json")
    assert card["deprecation"] == "2026-08-31T12:00:00Z"
    assert card["deprecation_replacement_model"] == "mistral-medium-3-5"
    card = model_card(catalog, NOW, "mistral-medium-latest")
    assert (card.deprecation, card.deprecation_replacement_model) == (None, None)


def test_two_models_of_one_name_are_refused():
    model = generation_model(default_model("generate").profile(8192))
    with pytest.raises(
        ConfigurationError, match=r"Two models are called smollm2-135m-instruct\. .* another id"
    ):
        Catalog([model, model])


def test_an_id_that_is_not_served_has_no_card(catalog):
    with pytest.raises(ModelNotFoundError, match=r"Model gpt-4o was not found\."):
        model_card(catalog, NOW, "gpt-4o")


def test_the_list_is_narrowed_to_a_model_by_any_of_its_ids(catalog):
    ids = [card.id for card in model_list(catalog, NOW, model="mistral-embed").data]
    assert ids == [
        "all-minilm-l6-v2", "mistral-embed", "mistral-embed-2312", "codestral-embed-2505", "codestral-embed",
    ]  # fmt: skip
    assert model_list(catalog, NOW, model="gpt-4o").data == []


def test_the_list_is_narrowed_to_an_owner(catalog):
    assert model_list(catalog, NOW, provider="mistralai").data == []
    assert len(model_list(catalog, NOW, provider="tramontane").data) == len(catalog.ids())
