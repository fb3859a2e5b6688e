"""Working days in a zone: weekends, holidays, the two days on which clocks change, the leap day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.policy.time.working_time import add_working_days, add_working_hours, at_local, is_working_day

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def local(zone: str, *parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc, arg-type]  # parts of a date


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ((2026, 11, 23, 9, 30), 1, (2026, 11, 24, 9, 30)),
        ((2026, 11, 27, 9, 30), 1, (2026, 11, 30, 9, 30)),
        ((2026, 11, 23, 9, 30), 10, (2026, 12, 7, 9, 30)),
        ((2026, 11, 21, 15, 0), 1, (2026, 11, 24, 0, 0)),
        ((2026, 11, 22, 23, 59), 10, (2026, 12, 7, 0, 0)),
        ((2028, 2, 28, 12, 0), 1, (2028, 2, 29, 12, 0)),
        ((2028, 2, 29, 12, 0), 10, (2028, 3, 14, 12, 0)),
        ((2027, 2, 26, 12, 0), 1, (2027, 3, 1, 12, 0)),
        ((2026, 12, 31, 18, 0), 1, (2027, 1, 1, 18, 0)),
    ],
)
@pytest.mark.parametrize("zone", [*ZONES, "UTC"])
def test_working_days_pass_at_the_same_time_of_day(
    zone: str, start: tuple[int, ...], days: int, due: tuple[int, ...]
) -> None:
    assert add_working_days(local(zone, *start), days, zone) == local(zone, *due)


def test_holidays_are_no_working_days() -> None:
    free = (date(2026, 12, 25), date(2026, 12, 28))
    due = add_working_days(datetime(2026, 12, 24, 10, tzinfo=UTC), 1, "UTC", free)
    assert due == datetime(2026, 12, 29, 10, tzinfo=UTC)
    assert not is_working_day(free[0], free)
    from_a_holiday = add_working_days(datetime(2026, 12, 25, 10, tzinfo=UTC), 1, "UTC", free)
    assert from_a_holiday == datetime(2026, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "friday", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 27), 71),
        ("Europe/Berlin", (2026, 10, 23), 73),
        ("America/New_York", (2026, 3, 6), 71),
        ("America/New_York", (2026, 10, 30), 73),
        ("Australia/Lord_Howe", (2026, 10, 2), 71.5),
        ("Australia/Lord_Howe", (2026, 4, 3), 72.5),
    ],
)
def test_a_deadline_keeps_its_time_of_day_over_a_change_of_clocks(
    zone: str, friday: tuple[int, int, int], hours: float
) -> None:
    start = local(zone, *friday, 14, 15)
    due = add_working_days(start, 1, zone)
    assert due.astimezone(ZoneInfo(zone)).time() == time(14, 15)
    assert due - start.astimezone(UTC) == timedelta(hours=hours)


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
def test_so_many_working_days_lie_before_the_deadline(start: datetime, days: int, zone: str) -> None:
    begins, due = (at.astimezone(ZoneInfo(zone)) for at in (start, add_working_days(start, days, zone)))
    span = (due.date() - begins.date()).days
    passed = sum(is_working_day(begins.date() + timedelta(days=one)) for one in range(span))
    assert passed == days
    assert due.time() == (begins.time() if is_working_day(begins.date()) else time())


@given(MOMENTS, MOMENTS, st.integers(1, 15), st.sampled_from(ZONES))
def test_who_begins_later_is_due_no_earlier(one: datetime, other: datetime, days: int, zone: str) -> None:
    first, second = sorted((one, other))
    assert add_working_days(first, days, zone) <= add_working_days(second, days, zone)
