"""`POST /v1/chat/completions`: the request.

Every field of the hosted API is read and checked, also those that the served models cannot do:
`serving` refuses these by name, so that no field is ever ignored.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tramontane.schemas.base import Items, WireModel
from tramontane.schemas.content import ImageURLChunk
from tramontane.schemas.guardrails import GuardrailConfig
from tramontane.schemas.messages import Message
from tramontane.schemas.sampling import Metadata, Penalty, RandomSeed, Stop, Temperature, TokenCount, TopP
from tramontane.schemas.tools import AnyTool, ToolChoice, ToolChoiceEnum

_IMAGE_SOURCE: Final = re.compile(r"https://|data:image/[\w.+-]+;base64,")
_BAD_IMAGE_SOURCE: Final = (
    "Value error, Image content must be a URL (starting with 'https') or base64 encoded image (starting with "
    "'data:image/<format>;base64,<image-base64>')."
)


class ResponseFormats(StrEnum):
    """Text as it comes, any JSON, or JSON of a schema."""

    text = "text"
    json_object = "json_object"
    json_schema = "json_schema"


class JsonSchema(WireModel):
    """The schema that an answer must follow."""

    name: str
    description: str | None = None
    schema_definition: dict[str, Any] = Field(alias="schema")
    strict: bool = False


class ResponseFormat(WireModel):
    """The form of the answer."""

    type: ResponseFormats = ResponseFormats.text
    json_schema: JsonSchema | None = None


class Prediction(WireModel):
    """Text that the answer will resemble; an empty one predicts nothing."""

    type: Literal["content"] = "content"
    content: str = ""


class ReasoningEffort(StrEnum):
    """How long a model thinks before it answers."""

    none = "none"
    minimal = "minimal"
    low = "low"
    medium = "medium"
    high = "high"
    xhigh = "xhigh"
    max = "max"


class MistralPromptMode(StrEnum):
    """The system prompt of reasoning models."""

    reasoning = "reasoning"


class RequestedServiceTier(StrEnum):
    """Priority capacity if there is some, or standard capacity only."""

    auto = "auto"
    standard_only = "standard_only"


class ChatCompletionRequest(WireModel):
    """A conversation, and how it is to be continued."""

    model: str
    temperature: Temperature = None
    top_p: TopP = None
    max_tokens: TokenCount = None
    stream: bool = False
    stop: Stop = None
    random_seed: RandomSeed = None
    metadata: Metadata = None
    messages: Items[Message]
    response_format: ResponseFormat = ResponseFormat()
    tools: Items[AnyTool] | None = None
    tool_choice: ToolChoice | ToolChoiceEnum = ToolChoiceEnum.auto
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    min_tokens: TokenCount = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: Annotated[int, Field(ge=0)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    prediction: Prediction = Prediction()
    parallel_tool_calls: bool = True
    reasoning_effort: ReasoningEffort | None = None
    prompt_mode: MistralPromptMode | None = None
    guardrails: Items[GuardrailConfig] | None = None
    prompt_cache_key: str | None = None
    service_tier: RequestedServiceTier | None = None
    safe_prompt: bool = False

    @model_validator(mode="after")
    def _images_have_a_place(self) -> Self:
        """As hosted: for the body as a whole, not for the chunk."""
        for message in self.messages:
            for chunk in message.content if isinstance(message.content, list) else ():
                if isinstance(chunk, ImageURLChunk) and not _IMAGE_SOURCE.match(chunk.source):
                    raise PydanticCustomError("value_error", _BAD_IMAGE_SOURCE)
        return self
