"""The plans as data: `data/plans.toml`."""

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from tramontane.limits.figures import Limits, request_rate

_Positive = Annotated[int, msgspec.Meta(ge=0)]


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A set of figures with a name. None is no limit."""

    description: str
    since: dt.date
    """From when on the source has these figures."""
    source: str
    requests_per_minute: _Positive | None = None
    burst: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tokens_per_minute: _Positive | None = None
    tokens_per_month: _Positive | None = None

    @property
    def limits(self) -> Limits:
        """What the plan allows a workspace with each model."""
        rate = self.requests_per_minute
        return Limits(
            requests=None if rate is None else request_rate(rate, self.burst),
            tokens_per_minute=self.tokens_per_minute,
            tokens_per_month=self.tokens_per_month,
        )


@cache
def plans() -> Mapping[str, Plan]:
    """The plans by name, in the order in which they are shown."""
    text = (files("tramontane.limits") / "data" / "plans.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Plan])
