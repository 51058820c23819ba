"""Limits as the admin API and the commands show them."""

from collections.abc import Iterable

from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import Limits, Override
from tramontane.schemas.admin.limits import (
    LimitFigures,
    LimitOverride,
    ModelLimits,
    RateLimit,
    TokensLimit,
    WorkspaceLimitsCard,
    WorkspaceLimitsCardList,
)


def limits_card(workspace: WorkspaceLimits) -> WorkspaceLimitsCard:
    """All that is set for a workspace, and what follows from it."""
    return WorkspaceLimitsCard(
        workspace_id=workspace.workspace_id,
        plan=workspace.plan,
        limits=_figures(workspace.of(None)),
        override=_override(workspace.overrides.get(None, Override())),
        models={
            model: ModelLimits(limits=_figures(workspace.of(model)), override=_override(override))
            for model, override in workspace.overrides.items()
            if model is not None
        },
    )


def limits_cards(workspaces: Iterable[WorkspaceLimits]) -> WorkspaceLimitsCardList:
    """Those of several workspaces."""
    return WorkspaceLimitsCardList(data=[limits_card(workspace) for workspace in workspaces])


def rate_limit(workspace: WorkspaceLimits, models: Iterable[str]) -> RateLimit:
    """The hosted API's answer: one rate, which models with a rate of their own do not show, and tokens."""
    rate = workspace.of(None).requests
    limits = {model: workspace.of(model) for model in models}
    return RateLimit(
        requests_per_second=None if rate is None else rate.per_minute / 60,
        tokens_limits_by_model={
            model: TokensLimit(tokens_per_minute=one.tokens_per_minute, tokens_per_month=one.tokens_per_month)
            for model, one in limits.items()
        },
    )


def _figures(limits: Limits) -> LimitFigures:
    rate = limits.requests
    return LimitFigures(
        requests_per_minute="unlimited" if rate is None else rate.per_minute,
        burst="unlimited" if rate is None else rate.burst,
        tokens_per_minute="unlimited" if limits.tokens_per_minute is None else limits.tokens_per_minute,
        tokens_per_month="unlimited" if limits.tokens_per_month is None else limits.tokens_per_month,
    )


def _override(override: Override) -> LimitOverride:
    return LimitOverride(
        requests_per_minute=override.requests_per_minute,
        burst=override.burst,
        tokens_per_minute=override.tokens_per_minute,
        tokens_per_month=override.tokens_per_month,
    )
