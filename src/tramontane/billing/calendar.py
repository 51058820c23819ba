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


def days_between(since: date, until: date) -> list[date]:
    """The days from `since` to `until`, both included."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def bounds_of(day: date) -> tuple[int, int]:
    """The Unix times at which it begins and ends; the second is the next day's."""
    begin = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return begin, begin + 86_400
