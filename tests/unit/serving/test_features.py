import pytest

from tramontane.errors import FeatureNotEnabledError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.features import CHAT_FIELDS, EMBEDDING_FIELDS, FIM_FIELDS, check_features


def chat(**fields):
    return ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )


@pytest.mark.parametrize(
    ("request_type", "fields"),
    [
        (ChatCompletionRequest, CHAT_FIELDS),
        (FIMCompletionRequest, FIM_FIELDS),
        (EmbeddingRequest, EMBEDDING_FIELDS),
    ],
)
def test_no_field_of_a_request_is_forgotten(request_type, fields):
    assert set(fields) == set(request_type.model_fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"top_logprobs": 2}, "Logprobs are not enabled for this model"),
        ({"prompt_logprobs": True}, "Logprobs are not enabled for this model"),
        ({"top_prompt_logprobs": 1}, "Logprobs are not enabled for this model"),
        ({"guardrails": [{"block_on_error": True}]}, "Guardrails are not enabled for this model"),
    ],
)
def test_what_is_not_served_is_refused_by_name(fields, text):
    with pytest.raises(FeatureNotEnabledError) as error:
        check_features(chat(**fields), CHAT_FIELDS)
    assert error.value.message == text
    assert error.value.body()["code"] == "3051"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": None, "tool_choice": "none"},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": False},
        {"response_format": {"type": "text"}},
        {"logprobs": False, "top_logprobs": 0},
        {"reasoning_effort": "none", "prompt_mode": None, "guardrails": []},
        {"metadata": {"a": 1}, "prompt_cache_key": "k", "service_tier": "auto", "safe_prompt": True},
        {"prediction": {"type": "content", "content": "text"}},
    ],
)
def test_values_that_ask_for_nothing_that_is_not_served_are_accepted(fields):
    check_features(chat(**fields), CHAT_FIELDS)
