"""Spans and points of time on the command line: `30d`, `12h`, `2027-01-31`."""

import re
import time
from datetime import UTC, datetime
from typing import Final

import click

_UNITS: Final = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}


class Span(click.ParamType[int]):
    """A length of time, in seconds: `90s`, `15m`, `12h`, `30d`, `2w`, and `0`."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        if isinstance(value, int):
            return value
        seconds = _seconds(str(value))
        if seconds is None:
            self.fail(f"{value!r} is no span of time like 90s, 15m, 12h, 30d or 2w", param, ctx)
        return seconds


class Expiry(click.ParamType[int]):
    """A time to come, in Unix seconds: a span from now, or a date or time, UTC unless it says otherwise."""

    name = "expiry"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Unix seconds."""
        if isinstance(value, int):
            return value
        now = time.time()
        if (span := _seconds(str(value))) is not None:
            expires_at = int(now) + span
        else:
            try:
                moment = datetime.fromisoformat(str(value))
            except ValueError:
                self.fail(f"{value!r} is neither a span like 30d nor a date like 2027-01-31", param, ctx)
            expires_at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        if expires_at <= now:
            self.fail(f"{value!r} is not in the future", param, ctx)
        return expires_at


def _seconds(text: str) -> int | None:
    match = re.fullmatch(r"(\d{1,6})\s*([smhdw])|0", text.strip().lower())
    if match is None:
        return None
    return int(match[1]) * _UNITS[match[2]] if match[1] else 0
