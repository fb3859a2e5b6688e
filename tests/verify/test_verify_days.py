"""Working days and hours of the second judge, over days off and both changes of clocks."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from syncd.verify.days import Calendar
from verify.verify_cast import mapping

BERLIN = Calendar(mapping(zone="Europe/Berlin", holidays=[date(2026, 12, 25)]))


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        # counting begins with the next working day, also after a day off
        ("2026-10-16T12:00+02:00", 15, "2026-11-07T00:00+01:00"),
        ("2026-10-17T12:00+02:00", 15, "2026-11-07T00:00+01:00"),
        ("2026-10-18T23:59+02:00", 15, "2026-11-07T00:00+01:00"),
        ("2026-10-19T00:00+02:00", 15, "2026-11-10T00:00+01:00"),
        ("2026-12-24T12:00+01:00", 1, "2026-12-29T00:00+01:00"),
        ("2026-03-27T12:00+01:00", 1, "2026-03-31T00:00+02:00"),
    ],
)
def test_n_working_days_end_with_the_nth_working_day_after(start: str, days: int, end: str) -> None:
    assert BERLIN.after_working_days(datetime.fromisoformat(start), days) == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-02T10:00+01:00", "2026-11-03T10:00+01:00"),
        ("2026-11-06T10:00+01:00", "2026-11-09T10:00+01:00"),
        ("2026-11-07T10:00+01:00", "2026-11-10T00:00+01:00"),
        # the nights in which the clocks change are on Sundays, which do not count
        ("2026-10-23T10:00+02:00", "2026-10-26T10:00+01:00"),
        ("2026-03-27T10:00+01:00", "2026-03-30T10:00+02:00"),
        ("2026-12-24T10:00+01:00", "2026-12-28T10:00+01:00"),
    ],
)
def test_24_working_hours_pass_on_working_days_only(start: str, end: str) -> None:
    assert BERLIN.after_working_hours(datetime.fromisoformat(start), 24) == datetime.fromisoformat(end)
