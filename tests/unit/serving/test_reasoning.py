import pytest

from tramontane.errors import FeatureNotEnabledError, InvalidRequestError
from tramontane.schemas.chat import ChatCompletionRequest, ReasoningEffort
from tramontane.serving.reasoning import check_reasoning

EFFORTS = (ReasoningEffort.none, ReasoningEffort.high)


def request(**fields):
    return ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )


@pytest.mark.parametrize(
    ("fields", "efforts"),
    [
        ({}, ()),
        ({"reasoning_effort": "none"}, ()),
        ({"reasoning_effort": "high"}, EFFORTS),
        ({"reasoning_effort": "none", "prompt_mode": "reasoning"}, EFFORTS),
    ],
)
def test_what_the_model_knows_is_accepted(fields, efforts):
    check_reasoning(request(**fields), efforts)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"reasoning_effort": "high"}, "reasoning_effort is not enabled for this model"),
        ({"prompt_mode": "reasoning"}, "prompt_mode is not enabled for this model"),
    ],
)
def test_a_model_that_does_not_think_says_so(fields, text):
    with pytest.raises(FeatureNotEnabledError) as error:
        check_reasoning(request(**fields), ())
    assert error.value.message == text


def test_an_unknown_effort_is_refused_in_the_hosted_words():
    with pytest.raises(InvalidRequestError) as error:
        check_reasoning(request(reasoning_effort="medium"), EFFORTS)
    assert error.value.message == (
        "reasoning_effort='medium' is not supported for this model. Must be one of "
        "(<ReasoningEffort.none: 'none'>, <ReasoningEffort.high: 'high'>)"
    )
