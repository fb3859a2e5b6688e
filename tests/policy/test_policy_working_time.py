"""Working days in a zone: weekends, holidays, the two days on which clocks change, the leap day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.policy.time.working_time import (
    add_working_hours,
    at_local,
    end_of_day,
    is_working_day,
    working_day_after,
)

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def local(zone: str, *parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc, arg-type]  # parts of a date


@pytest.mark.parametrize(
    ("start", "days", "last"),
    [
        ((2026, 11, 23, 9, 30), 1, (2026, 11, 24)),
        ((2026, 11, 27, 9, 30), 1, (2026, 11, 30)),
        ((2026, 11, 23, 9, 30), 10, (2026, 12, 7)),
        ((2026, 11, 21, 15, 0), 1, (2026, 11, 23)),
        ((2026, 11, 22, 23, 59), 10, (2026, 12, 4)),
        ((2027, 10, 16, 12, 0), 15, (2027, 11, 5)),
        ((2028, 2, 28, 12, 0), 1, (2028, 2, 29)),
        ((2028, 2, 29, 12, 0), 10, (2028, 3, 14)),
        ((2027, 2, 26, 12, 0), 1, (2027, 3, 1)),
        ((2026, 12, 31, 18, 0), 1, (2027, 1, 1)),
    ],
)
@pytest.mark.parametrize("zone", [*ZONES, "UTC"])
def test_the_count_starts_with_the_next_working_day_also_on_a_day_off(
    zone: str, start: tuple[int, ...], days: int, last: tuple[int, int, int]
) -> None:
    assert working_day_after(local(zone, *start), days, zone) == date(*last)


def test_holidays_are_no_working_days() -> None:
    free = (date(2026, 12, 25), date(2026, 12, 28))
    before = datetime(2026, 12, 24, 10, tzinfo=UTC)
    assert working_day_after(before, 1, "UTC", free) == date(2026, 12, 29)
    assert not is_working_day(free[0], free)
    on_a_holiday = datetime(2026, 12, 25, 10, tzinfo=UTC)
    assert working_day_after(on_a_holiday, 1, "UTC", free) == date(2026, 12, 29)


@pytest.mark.parametrize(
    ("zone", "sunday", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("America/New_York", (2026, 3, 8), 23),
        ("America/New_York", (2026, 11, 1), 25),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
    ],
)
def test_a_day_ends_at_local_midnight_also_when_the_clocks_change(
    zone: str, sunday: tuple[int, int, int], hours: float
) -> None:
    day = date(*sunday)
    assert end_of_day(day, zone) - end_of_day(day - timedelta(days=1), zone) == timedelta(hours=hours)
    assert end_of_day(day, zone).astimezone(ZoneInfo(zone)).time() == time()


def test_a_time_of_day_that_does_not_exist_or_exists_twice_is_read_as_the_later_one() -> None:
    assert at_local(date(2026, 3, 29), time(2, 30), "Europe/Berlin") == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    assert at_local(date(2026, 10, 25), time(2, 30), "Europe/Berlin") == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )


def test_working_hours_stand_still_over_a_weekend_and_count_the_night() -> None:
    friday = local("Europe/Berlin", 2026, 11, 27, 15, 0)
    assert add_working_hours(friday, 24, "Europe/Berlin") == local("Europe/Berlin", 2026, 11, 30, 15, 0)
    tuesday = local("Europe/Berlin", 2026, 11, 24, 15, 0)
    assert add_working_hours(tuesday, 24, "Europe/Berlin") == local("Europe/Berlin", 2026, 11, 25, 15, 0)
    saturday = local("Europe/Berlin", 2026, 11, 28, 15, 0)
    assert add_working_hours(saturday, 24, "Europe/Berlin") == local("Europe/Berlin", 2026, 12, 1, 0, 0)


MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda at: datetime.fromtimestamp(at, UTC))
"""Seconds from 2020 to 2034."""


@given(MOMENTS, st.integers(1, 30), st.sampled_from(ZONES))
def test_so_many_working_days_lie_between_the_start_and_the_last_one(
    start: datetime, days: int, zone: str
) -> None:
    begins, last = start.astimezone(ZoneInfo(zone)).date(), working_day_after(start, days, zone)
    after = [begins + timedelta(days=day) for day in range(1, (last - begins).days + 1)]
    assert sum(is_working_day(day) for day in after) == days
    assert is_working_day(last)


@given(MOMENTS, MOMENTS, st.integers(1, 15), st.sampled_from(ZONES))
def test_who_begins_later_is_due_no_earlier(one: datetime, other: datetime, days: int, zone: str) -> None:
    first, second = sorted((one, other))
    assert working_day_after(first, days, zone) <= working_day_after(second, days, zone)
