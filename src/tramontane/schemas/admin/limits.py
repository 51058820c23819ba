"""`/v1/admin/rate-limit`, as hosted, and `/v1/admin/workspaces/{id}/limits`, which is ours."""

from typing import Annotated, Final, Literal

from pydantic import Field

from tramontane.schemas.base import WireModel

MOST_COUNTED: Final = 10**15
"""Every number up to here is exact in JSON, SQL and Lua alike."""

Count = Annotated[int, Field(ge=0, le=MOST_COUNTED)]
Figure = Count | Literal["unlimited"]


class TokensLimit(WireModel):
    """Null is no limit."""

    tokens_per_minute: int | None
    tokens_per_month: int | None


class RateLimit(WireModel):
    """The limits of a workspace."""

    requests_per_second: float | None = Field(description="For each model; null is no limit.")
    tokens_limits_by_model: dict[str, TokensLimit]


class LimitFigures(WireModel):
    """What holds."""

    requests_per_minute: Figure
    burst: Figure
    tokens_per_minute: Figure
    tokens_per_month: Figure


class LimitOverride(WireModel):
    """What holds in the place of the plan's figures; null leaves the plan's."""

    requests_per_minute: Figure | None = None
    burst: Annotated[int, Field(ge=1, le=MOST_COUNTED)] | None = None
    tokens_per_minute: Figure | None = None
    tokens_per_month: Figure | None = None


class ModelLimits(WireModel):
    """The limits of one model."""

    limits: LimitFigures
    override: LimitOverride


class WorkspaceLimitsCard(ModelLimits):
    """The limits of each model of a workspace; `models` are those with figures of their own."""

    object: Literal["limits"] = "limits"
    workspace_id: str
    plan: str
    models: dict[str, ModelLimits]


class WorkspaceLimitsCardList(WireModel):
    """The limits of several workspaces."""

    object: Literal["list"] = "list"
    data: list[WorkspaceLimitsCard]
