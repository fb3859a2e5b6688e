"""Moments at which calendars surprise: tests marked `any_day` run at all of them, half in each run.

Which half changes with each change of the code (`MOMENTS=0`, `1` or `all` chooses). Each begins a little
before the surprise. All lie after November 2026, when the rules of the tests begin.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from turns import turn

SUNDAY = "a Sunday that is Monday in Singapore"
LEAP_DAY = "29 February"
YEARS_END = "the last minute of a year with 53 weeks"

MOMENTS = {
    SUNDAY: datetime(2026, 11, 29, 17, 0, tzinfo=UTC),
    "a month's end": datetime(2027, 4, 30, 23, 50, tzinfo=UTC),
    "New York's spring": datetime(2027, 3, 14, 6, 50, tzinfo=UTC),
    "New York's autumn": datetime(2027, 11, 7, 5, 50, tzinfo=UTC),
    "Berlin's spring": datetime(2027, 3, 28, 0, 50, tzinfo=UTC),
    "Berlin's autumn": datetime(2027, 10, 31, 0, 50, tzinfo=UTC),
    LEAP_DAY: datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    YEARS_END: datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
}


def in_turn() -> list[str]:
    """Return the names of the moments of this run."""
    half = os.environ.get("MOMENTS") or str(turn(2))
    return list(MOMENTS) if half == "all" else list(MOMENTS)[int(half) % 2 :: 2]
