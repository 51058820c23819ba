"""`POST /v1/embeddings`: the request and the response."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tramontane.schemas.base import Items, WireModel
from tramontane.schemas.completions import PromptTokensDetails
from tramontane.schemas.sampling import Metadata


class EmbeddingDtype(StrEnum):
    """The type of a vector's numbers; the binary ones hold eight dimensions a byte."""

    float = "float"
    int8 = "int8"
    uint8 = "uint8"
    binary = "binary"
    ubinary = "ubinary"


class EncodingFormat(StrEnum):
    """A vector as a JSON array, or as base64 of its little-endian bytes."""

    float = "float"
    base64 = "base64"


class EmbeddingRequest(WireModel):
    """Texts to be turned into vectors."""

    model: str
    metadata: Metadata = None
    input: str | Items[str]
    output_dimension: Annotated[int, Field(gt=0)] | None = None
    output_dtype: EmbeddingDtype = EmbeddingDtype.float
    encoding_format: EncodingFormat = EncodingFormat.float


class EmbeddingUsageInfo(WireModel):
    """Tokens of an embedding request. The odd pair of `prompt_token…_details` is the hosted API's own."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int = 0
    request_count: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    prompt_token_details: PromptTokensDetails | None = None
    completion_tokens_details: None = None
    prompt_audio_seconds: int | None = None
    service_tier: str | None = None


class EmbeddingResponseData(WireModel):
    """The vector of one input."""

    object: Literal["embedding"] = "embedding"
    embedding: list[float] | list[int] | str
    index: int


class EmbeddingResponse(WireModel):
    """The vectors, in the order of the inputs."""

    id: str
    object: Literal["list"] = "list"
    data: list[EmbeddingResponseData]
    model: str
    usage: EmbeddingUsageInfo
