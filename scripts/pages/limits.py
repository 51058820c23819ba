"""The generated block of `docs/limits.md`, of the plans."""

from scripts.pages.markdown import table

from tramontane.limits.plans import Plan
from tramontane.limits.plans import plans as all_plans


def plans() -> str:
    """Every plan and its figures."""
    head = ["plan", "requests a minute", "burst", "tokens a minute", "tokens a month", "", "figures of"]
    return table(head, [_row(name, plan) for name, plan in all_plans().items()])


BLOCKS = {"plans": plans}


def _row(name: str, plan: Plan) -> list[str]:
    limits = plan.limits
    rate = limits.requests
    figures = [
        rate.per_minute if rate else None,
        rate.burst if rate else None,
        limits.tokens_per_minute,
        limits.tokens_per_month,
    ]
    shown = ["unlimited" if figure is None else f"{figure:,}" for figure in figures]
    return [f"`{name}`", *shown, plan.description, f"{plan.since:%B %Y}"]
