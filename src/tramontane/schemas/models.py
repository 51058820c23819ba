"""`GET /v1/models` and `GET /v1/models/{id}`: the responses.

The order of the fields is the order of the keys in answers of the hosted API.
"""

from datetime import datetime
from typing import Literal

from tramontane.schemas.base import WireModel


class ModelCapabilities(WireModel):
    """What a model can do."""

    completion_chat: bool = False
    function_calling: bool = False
    reasoning: bool = False
    completion_fim: bool = False
    fine_tuning: bool = False
    vision: bool = False
    ocr: bool = False
    classification: bool = False
    moderation: bool = False
    audio: bool = False
    audio_transcription: bool = False
    audio_transcription_realtime: bool = False
    audio_speech: bool = False
    unified_resources: bool = False


class BaseModelCard(WireModel):
    """One id that is served. An alias has a card of its own, with the canonical id as its `name`."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    capabilities: ModelCapabilities
    name: str | None
    description: str | None
    max_context_length: int
    aliases: list[str]
    deprecation: datetime | None = None
    deprecation_replacement_model: str | None = None
    default_model_temperature: float | None = None
    billing_model_name: str | None = None
    type: Literal["base"] = "base"


class ModelList(WireModel):
    """All ids that are served."""

    object: Literal["list"] = "list"
    data: list[BaseModelCard]
