"""When somebody may be reminded: quiet hours, weekends, holidays and both changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_cast import mapping

from syncd.domain.mapping.mapping import Mapping
from syncd.policy.time.quiet_hours import is_open, last_open, next_open

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def rules(zone: str = "Europe/Berlin", **more: Any) -> Mapping:
    return mapping(zone=zone, **more)


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("Europe/Berlin"))  # type: ignore[arg-type,misc]  # parts of a moment


@pytest.mark.parametrize(
    ("moment", "leaves"),
    [
        (berlin(2026, 11, 24, 7, 59), berlin(2026, 11, 23, 19, 59)),
        (berlin(2026, 11, 24, 8, 0), berlin(2026, 11, 24, 8, 0)),
        (berlin(2026, 11, 24, 19, 59), berlin(2026, 11, 24, 19, 59)),
        (berlin(2026, 11, 24, 20, 0), berlin(2026, 11, 24, 19, 59)),
        (berlin(2026, 11, 23, 4, 0), berlin(2026, 11, 20, 19, 59)),
        (berlin(2026, 11, 21, 12, 0), berlin(2026, 11, 20, 19, 59)),
        (berlin(2026, 10, 26, 4, 0), berlin(2026, 10, 23, 19, 59)),  # clocks went back on that Sunday
        (berlin(2026, 3, 30, 4, 0), berlin(2026, 3, 27, 19, 59)),  # and forward on that one
        (berlin(2028, 2, 29, 21, 0), berlin(2028, 2, 29, 19, 59)),
    ],
)
def test_a_moment_moves_back_to_the_last_open_one(moment: datetime, leaves: datetime) -> None:
    assert last_open(moment, rules()) == leaves


def test_a_holiday_is_no_day_for_reminders() -> None:
    there = rules(holidays=[date(2026, 12, 25)])
    assert last_open(berlin(2026, 12, 25, 12), there) == berlin(2026, 12, 24, 19, 59)
    assert next_open(berlin(2026, 12, 25, 12), there) == berlin(2026, 12, 28, 8)


def test_quiet_hours_within_a_day_close_only_those() -> None:
    there = rules(mails={"quiet": {"start": time(12), "end": time(13)}})
    assert last_open(berlin(2026, 11, 24, 12, 30), there) == berlin(2026, 11, 24, 11, 59)
    assert next_open(berlin(2026, 11, 24, 12, 30), there) == berlin(2026, 11, 24, 13)
    assert is_open(berlin(2026, 11, 24, 3), there)


def test_quiet_hours_of_no_length_close_nothing() -> None:
    there = rules(mails={"quiet": {"start": time(8), "end": time(8)}})
    assert is_open(berlin(2026, 11, 24, 8), there)
    assert last_open(berlin(2026, 11, 22, 8), there) == berlin(2026, 11, 20, 23, 59)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.sampled_from(ZONES),
)
def test_the_last_open_moment_is_open_not_later_and_near(naive: datetime, zone: str) -> None:
    moment, there = naive.replace(tzinfo=UTC), rules(zone)
    back, ahead = last_open(moment, there), next_open(moment, there)
    assert is_open(back, there)
    assert is_open(ahead, there)
    assert back <= moment <= ahead
    assert moment - back <= timedelta(hours=61, minutes=1)
    assert ahead - moment <= timedelta(hours=61)
    if is_open(moment, there):
        assert back == ahead == moment
