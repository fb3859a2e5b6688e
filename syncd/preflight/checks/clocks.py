"""Whether the services' clocks and ours agree: deadlines are judged by times of both."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.preflight.checks.finding import Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight

MOST_SKEW = 120.0
"""Seconds (design: "Observing")."""
NAMES = {"pagerduty": "PagerDuty", "jira": "Jira"}


def clocks(sight: Sight) -> Iterator[Finding]:
    """One finding a service, by the `Date` of its last answer."""
    for service, name in NAMES.items():
        skew = sight.skew(service)
        if skew is None:
            yield unknown("C06", name, "told no time", "try again when it answers")
        elif abs(skew) > MOST_SKEW:
            way = "ahead of" if skew > 0 else "behind"
            said = f"its clock is {abs(skew):.0f} s {way} ours: nothing that has a deadline is decided"
            yield wrong("C06", name, said, "set this machine's clock by NTP")
        else:
            yield ok("C06", name, f"its clock and ours are {abs(skew):.0f} s apart")
