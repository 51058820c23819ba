"""Days and months as they are billed: in UTC."""

from datetime import UTC, date, datetime, timedelta


def day_of(at: float) -> date:
    """The day of a Unix time."""
    return datetime.fromtimestamp(at, UTC).date()


def month_of(at: float) -> date:
    """The first day of its month."""
    return day_of(at).replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after the one that begins at `month`."""
    return (month + timedelta(days=31)).replace(day=1)


def last_day(month: date) -> date:
    """The last day of the month that begins at `month`."""
    return next_month(month) - timedelta(days=1)
