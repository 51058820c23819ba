"""Moderation of a chat on its way: thresholds by category, and what happens above them."""

from enum import StrEnum

from tramontane.schemas.base import WireModel


class ModerationLLMAction(StrEnum):
    """What happens when a category is above its threshold."""

    none = "none"
    block = "block"


class ModerationLLMV1CategoryThresholds(WireModel):
    """Scores above which a category counts, for mistral-moderation-2411."""

    sexual: float | None = None
    hate_and_discrimination: float | None = None
    violence_and_threats: float | None = None
    dangerous_and_criminal_content: float | None = None
    selfharm: float | None = None
    health: float | None = None
    financial: float | None = None
    law: float | None = None
    pii: float | None = None


class ModerationLLMV2CategoryThresholds(WireModel):
    """Scores above which a category counts, for mistral-moderation-2603."""

    sexual: float | None = None
    hate_and_discrimination: float | None = None
    violence_and_threats: float | None = None
    dangerous: float | None = None
    criminal: float | None = None
    selfharm: float | None = None
    health: float | None = None
    financial: float | None = None
    law: float | None = None
    pii: float | None = None
    jailbreaking: float | None = None


class ModerationLLMV1Config(WireModel):
    """Moderation by the first model."""

    model_name: str = "mistral-moderation-2411"
    custom_category_thresholds: ModerationLLMV1CategoryThresholds | None = None
    ignore_other_categories: bool = False
    action: ModerationLLMAction = ModerationLLMAction.none


class ModerationLLMV2Config(WireModel):
    """Moderation by the second model."""

    model_name: str = "mistral-moderation-2603"
    custom_category_thresholds: ModerationLLMV2CategoryThresholds | None = None
    ignore_other_categories: bool = False
    action: ModerationLLMAction = ModerationLLMAction.none


class GuardrailConfig(WireModel):
    """One guardrail."""

    block_on_error: bool = False
    moderation_llm_v1: ModerationLLMV1Config | None = None
    moderation_llm_v2: ModerationLLMV2Config | None = None
