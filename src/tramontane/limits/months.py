"""Calendar months in UTC, by which tokens are allotted and counted."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from tramontane.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Month:
    """One month."""

    first: date
    """Its first day."""
    name: str
    """`2026-11`."""
    start: float
    end: float
    """Unix seconds; the end is the start of the next one."""


def month_at(now: float) -> Month:
    """The month in which the Unix second `now` lies."""
    start = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    years, months = divmod(start.month, 12)
    end = start.replace(year=start.year + years, month=months + 1)
    return Month(start.date(), f"{start:%Y-%m}", start.timestamp(), end.timestamp())


class Calendar:
    """The current month, worked out once a month."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._month = month_at(clock.now())

    def month(self) -> Month:
        """The current one."""
        now = self._clock.now()
        if not self._month.start <= now < self._month.end:
            self._month = month_at(now)
        return self._month

    def seconds_left(self) -> float:
        """Until the next month."""
        return self.month().end - self._clock.now()
