from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import FakeClock
from tramontane.limits.months import Calendar, month_at


def at(*moment):
    return datetime(*moment, tzinfo=UTC)


@given(
    st.integers(0, int(at(9000, 1, 1).timestamp())).map(lambda second: datetime.fromtimestamp(second, UTC))
)
def test_a_moment_lies_in_its_month_and_months_touch(moment):
    month = month_at(moment.timestamp())

    assert month.start <= moment.timestamp() < month.end
    assert month.first == date(moment.year, moment.month, 1)
    assert month.name == f"{moment.year}-{moment.month:02}"
    assert month_at(month.end).start == month.end


@pytest.mark.parametrize(
    ("moment", "end"),
    [(at(2026, 12, 31, 23, 59, 59), at(2027, 1, 1)), (at(2028, 2, 29), at(2028, 3, 1))],
)
def test_the_year_turns_and_february_has_its_days(moment, end):
    assert month_at(moment.timestamp()).end == end.timestamp()


def test_the_calendar_turns_with_the_clock():
    clock = FakeClock(now=datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp())
    calendar = Calendar(clock)
    assert (calendar.month().name, calendar.seconds_left()) == ("2026-11", 10)
    clock.advance(10)
    assert calendar.month().name == "2026-12"
