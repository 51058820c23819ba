"""Our schemas beside the hosted API's, field by field: its public OpenAPI document, and the SDK's models.

Every difference is in `DIFFERENCES`, with its reason. One that is missing there fails, and one that is there
and no longer exists.
"""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest
from mistralai.client import models as sdk

import tramontane.schemas
from tests.contract.wire_fields import HOSTED_NAMES, Field, Reader, SdkReader
from tramontane.schemas.base import WireModel
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.completions import ChatCompletionResponse, CompletionChunk
from tramontane.schemas.embeddings import EmbeddingRequest, EmbeddingResponse
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.models import ModelList

DOCUMENT = json.loads((Path(__file__).parent / "data" / "hosted_fields.json").read_text())["schemas"]

SDK_NAMES = {
    "JsonSchema": "JSONSchema",
    "ModerationLLMV1CategoryThresholds": "ModerationLlmv1CategoryThresholds",
    "ModerationLLMV1Config": "ModerationLlmv1Config",
    "ModerationLLMV2CategoryThresholds": "ModerationLlmv2CategoryThresholds",
    "ModerationLLMV2Config": "ModerationLlmv2Config",
}

DIFFERENCES = {
    "The SDK sends it; the public document does not know it. The server does: it does not answer 422.": {
        "document ChatCompletionRequest.min_tokens",
        "document ChatCompletionRequest.repetition_penalty",
        "document ChatCompletionRequest.top_k",
        "document ChatCompletionRequest.logprobs",
        "document ChatCompletionRequest.top_logprobs",
        "document ChatCompletionRequest.prompt_logprobs",
        "document ChatCompletionRequest.top_prompt_logprobs",
        "document ChatCompletionRequest.reasoning_effort",
        "document ResourceChunk",
        "document ResourceLinkChunk",
        "document AssistantMessage.content",
        "document ToolMessage.content",
        "document UserMessage.content",
    },
    "The document has the built-in tools of the platform, the SDK has them in another API only.": {
        "sdk ChatCompletionRequest.tools",
    },
    "Any tool's name is taken, so the SDK's newest one is too.": {
        "sdk ToolReferenceChunk.tool",
    },
    "Answers are made side by side: their number is bounded as OpenAI bounds it.": {
        "document ChatCompletionRequest.n",
    },
    "A seed has 64 bits; a larger one would be cut in silence.": {
        "document ChatCompletionRequest.random_seed",
        "document FIMCompletionRequest.random_seed",
    },
    "The default is written out: text.": {
        "document ChatCompletionRequest.response_format",
    },
    "Required and with a default: required it is. The default names a retired model.": {
        "document FIMCompletionRequest.model",
    },
    "The document has one value for it, the SDK any.": {
        "sdk ToolCall.type",
        "sdk ToolChoice.type",
    },
    "We always send this very value.": {
        "document BaseModelCard.object",
        "document ChatCompletionResponse.object",
        "document CompletionChunk.object",
        "document DeltaMessage.role",
        "document EmbeddingResponse.object",
        "document EmbeddingResponseData.object",
        "document ModelList.object",
        "document UsageInfo.service_tier",
        "sdk BaseModelCard.object",
        "sdk ChatCompletionResponse.object",
        "sdk CompletionChunk.object",
        "sdk DeltaMessage.role",
        "sdk EmbeddingResponse.object",
        "sdk EmbeddingResponseData.object",
        "sdk ModelList.object",
        "sdk UsageInfo.service_tier",
    },
    "Answers of the served models are text, and always there.": {
        "document CompletionMessage.content",
        "document DeltaMessage.content",
        "sdk CompletionMessage.content",
        "sdk DeltaMessage.content",
    },
    "A chunk may lack it; where it has one it is not null.": {
        "document CompletionChunk.usage",
        "sdk CompletionChunk.usage",
    },
    "In every recorded answer, and not in the document or the SDK, which keeps what it does not know.": {
        "document PromptTokensDetails",
        "document UsageInfo.prompt_tokens_details",
        "document EmbeddingUsageInfo.request_count",
        "document EmbeddingUsageInfo.prompt_tokens_details",
        "document EmbeddingUsageInfo.prompt_token_details",
        "document EmbeddingUsageInfo.completion_tokens_details",
        "document BaseModelCard.billing_model_name",
        "sdk PromptTokensDetails",
        "sdk UsageInfo.prompt_tokens_details",
        "sdk EmbeddingUsageInfo.request_count",
        "sdk EmbeddingUsageInfo.prompt_tokens_details",
        "sdk EmbeddingUsageInfo.prompt_token_details",
        "sdk EmbeddingUsageInfo.completion_tokens_details",
    },
    "Binary vectors are integers, and base64 is text; the document and the SDK name only floats.": {
        "document EmbeddingResponseData.embedding",
        "sdk EmbeddingResponseData.embedding",
    },
    "The chunk ends a stream with the reason that a whole answer gives.": {
        "document CompletionResponseStreamChoice.finish_reason",
        "sdk CompletionResponseStreamChoice.finish_reason",
    },
    "What answers have of a `ThinkChunk`, whole and streamed.": {
        "document ClosedThinkChunk",
        "document ThinkChunkDelta",
        "sdk ClosedThinkChunk",
        "sdk ThinkChunkDelta",
    },
    "In no recorded answer.": {
        "document BaseModelCard.internal",
        "document ChatCompletionChoice.messages",
        "document CompletionMessage.prefix",
        "document DeltaMessage.index",
        "document DeltaMessage.metadata",
        "document DeltaMessage.tool_call_id",
        "sdk BaseModelCard.audio_speech_capabilities",
        "sdk BaseModelCard.audio_transcription_capabilities",
        "sdk BaseModelCard.internal",
        "sdk ChatCompletionChoice.messages",
        "sdk CompletionMessage.prefix",
        "sdk DeltaMessage.index",
        "sdk DeltaMessage.metadata",
        "sdk DeltaMessage.tool_call_id",
    },
    "Log-probabilities are in the SDK only, which lets alternatives be absent.": {
        "document ChatCompletionChoice.logprobs",
        "document ChatCompletionResponseChoiceLogprobs",
        "document ChatCompletionResponseTokenLogprobs",
        "document ChatCompletionResponseTokenLogprobsTopK",
        "document CompletionResponseStreamChoice.logprobs",
        "sdk ChatCompletionResponseTokenLogprobsTopK.top_logprobs",
    },
    "Comes with what is not served: the prompt's log-probabilities, audio, fine-tuned models.": {
        "document ModelList.data",
        "document UsageInfo.prompt_audio_seconds",
        "sdk ChatCompletionChoice.prompt_logprobs",
        "sdk CompletionResponseStreamChoice.prompt_logprobs",
        "sdk ModelList.data",
        "sdk UsageInfo.prompt_audio_seconds",
    },
}

OPEN_IN_THE_DOCUMENT = {
    # Never seen to be open on the wire: a misspelt threshold would be a guardrail that is not there.
    "GuardrailConfig",
    "ModerationLLMV1CategoryThresholds",
    "ModerationLLMV1Config",
    "ModerationLLMV2CategoryThresholds",
    "ModerationLLMV2Config",
}

RESPONSES = ("tramontane.schemas.completions", "tramontane.schemas.models")
RESPONSE_CLASSES = {"EmbeddingUsageInfo", "EmbeddingResponse", "EmbeddingResponseData"}


def wire_models():
    found = {}
    for module in pkgutil.iter_modules(tramontane.schemas.__path__, "tramontane.schemas."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {name: cls for name, cls in members if issubclass(cls, WireModel) and cls is not WireModel}
    return found


def is_response(model):
    return model.__module__ in RESPONSES or model.__name__ in RESPONSE_CLASSES


def our_fields(model):
    schema = model.model_json_schema()
    return Reader(schema.get("$defs", {})).fields(schema)


def document_fields(name):
    schema = DOCUMENT.get(HOSTED_NAMES.get(name, name))
    return schema and {field: Field(**facts) for field, facts in schema["fields"].items()}


def sdk_fields(name):
    name = HOSTED_NAMES.get(name, name)
    model = getattr(sdk, SDK_NAMES.get(name, name), None)
    if model is None:
        return None
    schema = model.model_json_schema()
    return SdkReader(schema.get("$defs", {})).fields(schema)


def comparable(field, *, response, ranges):
    """What of a field can be compared: of an answer only its type, as a sender may always send it."""
    if field is None:
        return None
    kind = field.type if ranges else re.sub(r" [<>]=? [-+.\de]+( items)?", "", field.type)
    if response:
        return kind
    return str(Field(kind, field.required, field.default if ranges else None))


def differences():
    found = {}
    for name, model in wire_models().items():
        ours = our_fields(model)
        for origin, theirs in (("document", document_fields(name)), ("sdk", sdk_fields(name))):
            if theirs is None:
                found[f"{origin} {name}"] = "no such schema"
                continue
            for field in ours.keys() | theirs.keys():
                mine, other = (
                    comparable(fields.get(field), response=is_response(model), ranges=origin == "document")
                    for fields in (ours, theirs)
                )
                if mine != other:
                    found[f"{origin} {name}.{field}"] = f"ours: {mine} | theirs: {other}"
    return found


def test_every_difference_has_a_reason_and_every_reason_a_difference():
    listed = [difference for group in DIFFERENCES.values() for difference in group]
    assert len(listed) == len(set(listed))

    found = differences()
    assert {name: found[name] for name in found.keys() - set(listed)} == {}, "not listed"
    assert set(listed) - found.keys() == set(), "no longer true"


def test_every_schema_of_the_document_is_ours():
    ours = {HOSTED_NAMES.get(name, name) for name in wire_models()}
    assert DOCUMENT.keys() - ours == set()


def test_requests_are_closed_where_the_hosted_ones_are():
    requests = {name: model for name, model in wire_models().items() if not is_response(model)}
    assert all(model.model_config["extra"] == "forbid" for model in requests.values())
    assert {name for name in requests if name in DOCUMENT and not DOCUMENT[name]["closed"]} == (
        OPEN_IN_THE_DOCUMENT
    )


class TestWhatTheSdkSends:
    """The SDK's own models, written as it writes them, are valid requests."""

    def test_chat(self):
        request = sdk.ChatCompletionRequest(
            model="mistral-large-latest",
            messages=[
                sdk.SystemMessage(content=[sdk.TextChunk(text="Be brief.")]),
                sdk.UserMessage(
                    content=[sdk.ImageURLChunk(image_url=sdk.ImageURL(url="data:image/png;base64,"))]
                ),
                sdk.AssistantMessage(
                    content="", tool_calls=[sdk.ToolCall(function=sdk.FunctionCall(name="f", arguments={}))]
                ),
                sdk.ToolMessage(content="1", tool_call_id="012345678", name="f"),
                sdk.AssistantMessage(content=[sdk.ThinkChunk(thinking=[sdk.TextChunk(text="Hm.")])]),
                sdk.UserMessage(content="Go on."),
            ],
            tools=[sdk.Tool(function=sdk.Function(name="f", parameters={}, strict=True))],
            tool_choice=sdk.ToolChoice(function=sdk.FunctionName(name="f")),
            response_format=sdk.ResponseFormat(
                type="json_schema",
                json_schema=sdk.JSONSchema(name="book", schema_definition={"type": "object"}, strict=True),
            ),
            temperature=None,
            stop=["x"],
            n=2,
            stream=True,
            prediction=sdk.Prediction(content="x"),
            reasoning_effort="max",
            safe_prompt=True,
        )
        assert ChatCompletionRequest.model_validate(written(request)).messages[5].content == "Go on."

    def test_fim(self):
        request = sdk.FIMCompletionRequest(model="codestral-latest", prompt="a", suffix=None, min_tokens=1)
        assert FIMCompletionRequest.model_validate(written(request)).min_tokens == 1

    def test_embeddings(self):
        request = sdk.EmbeddingRequest(model="mistral-embed", inputs=["a"], output_dtype="int8")
        assert EmbeddingRequest.model_validate(written(request)).input == ["a"]


def written(request):
    return json.loads(request.model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ChatCompletionResponse, sdk.ChatCompletionResponse),
        (CompletionChunk, sdk.CompletionChunk),
        (EmbeddingResponse, sdk.EmbeddingResponse),
        (ModelList, sdk.ModelList),
    ],
    ids=lambda model: model.__module__.split(".")[0],
)
def test_the_sdk_knows_every_field_that_it_requires(ours, theirs):
    required = {name for name, field in theirs.model_fields.items() if field.is_required()}
    assert required <= ours.model_fields.keys()
