"""Weeks in a team's zone: around a change of clocks, over the end of a year, by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from syncd.report.weekly.week import Week


@pytest.mark.parametrize(
    ("name", "zone", "hours"),
    [
        ("2026-W13", "Europe/Berlin", 167),
        ("2026-W43", "Europe/Berlin", 169),
        ("2026-W47", "Europe/Berlin", 168),
        ("2026-W10", "America/New_York", 167),
        ("2026-W44", "America/New_York", 169),
        ("2026-W14", "Australia/Lord_Howe", 168.5),
        ("2026-W47", "UTC", 168),
    ],
)
def test_a_week_is_as_long_as_its_clocks_make_it(name: str, zone: str, hours: float) -> None:
    begins, ends = Week.named(name).bounds(zone)
    assert (ends - begins).total_seconds() == hours * 3600
    assert begins.tzinfo is UTC
    assert Week.named(name).back(-1).bounds(zone)[0] == ends


def test_every_moment_lies_in_the_week_whose_bounds_hold_it() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment < datetime(2027, 1, 5, tzinfo=UTC):
        for zone in ("UTC", "Asia/Tehran", "America/Los_Angeles", "Pacific/Auckland"):
            begins, ends = Week.of(moment, zone).bounds(zone)
            assert begins <= moment < ends
        moment += timedelta(hours=11)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (datetime(2026, 12, 31, 12, tzinfo=UTC), "2026-W53"),
        (datetime(2027, 1, 3, 12, tzinfo=UTC), "2026-W53"),
        (datetime(2027, 1, 4, 0, tzinfo=UTC), "2027-W01"),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-W09"),
    ],
)
def test_the_end_of_a_year_and_a_leap_day_have_the_iso_week(day: datetime, name: str) -> None:
    assert Week.of(day, "UTC").name == name
    assert Week.named(name) == Week.of(day, "UTC")


@pytest.mark.parametrize("name", ["2026-47", "2026-W54", "2025-W53", "W47", "2026-W47 ", "x"])
def test_what_is_no_week_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=r"week"):
        Week.named(name)


def test_the_report_leaves_at_its_local_hour_on_both_sides_of_a_change_of_clocks() -> None:
    before, after = Week(date(2026, 10, 12)), Week(date(2026, 10, 19))
    at = time(8)
    assert before.leaves_at("monday", at, "Europe/Berlin") == datetime(2026, 10, 19, 6, tzinfo=UTC)
    assert after.leaves_at("monday", at, "Europe/Berlin") == datetime(2026, 10, 26, 7, tzinfo=UTC)
    assert after.leaves_at("wednesday", at, "UTC") == datetime(2026, 10, 28, 8, tzinfo=UTC)
