"""What a postmortem tells of its incident: gathered once, when it is made.

Texts stand here as they were read; who prints them masks and escapes them.
"""

from __future__ import annotations

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import SeverityPeriod


class Line(Value):
    """One line of the timeline; `who` is empty where nobody in particular did it."""

    at: UtcTime
    text: str
    who: str = ""


class Helper(Value):
    """Somebody who had a part in the incident, and the parts."""

    name: str
    roles: tuple[str, ...]


class Alert(Value):
    """An alert: summary, source and link; `details`, on one line, are copied with `alerts: full` only."""

    summary: str
    source: str = ""
    url: str = ""
    details: str = Field("", repr=False)


class Window(Value):
    """A span in which the incident was open; `until` None: it still is."""

    since: UtcTime
    until: UtcTime | None = None


class Story(Value):
    """The whole of it. `severity` is the worst that counts, `severity_periods` are all that the incident had.

    `withheld`: the incident is restricted, and no text of it stands here.
    """

    severity: str
    windows: tuple[Window, ...] = Field(min_length=1)
    severity_periods: tuple[SeverityPeriod, ...] = ()
    acknowledged_at: UtcTime | None = None
    helpers: tuple[Helper, ...] = ()
    lines: tuple[Line, ...] = ()
    alerts: tuple[Alert, ...] = ()
    ticket_key: str = ""
    ticket_url: str = ""
    owner: str = ""
    schedule_by: UtcTime
    review_by: UtcTime
    complete_by: UtcTime | None = None
    withheld: bool = False
