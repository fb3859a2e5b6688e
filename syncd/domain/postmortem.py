"""The story of an incident for its postmortem, gathered once, when syncd creates the postmortem.

The texts are as syncd read them. The template's renderer masks and escapes them.
"""

from __future__ import annotations

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import SeverityPeriod


class Line(Value):
    """One line of the timeline; `who` is empty where no person acted."""

    at: UtcTime
    text: str
    who: str = ""


class Helper(Value):
    """A person who helped on the incident, with their roles."""

    name: str
    roles: tuple[str, ...]


class Alert(Value):
    """An alert. `details` is one line and empty unless the mapping has `alerts: full`."""

    summary: str
    key: str = ""
    source: str = ""
    url: str = ""
    details: str = Field("", repr=False)


class Window(Value):
    """A period in which the incident was open; `until` is None while it is open."""

    since: UtcTime
    until: UtcTime | None = None


class Story(Value):
    """The whole story. `severity` is the worst that counts, `severity_periods` are all that the incident had.

    `withheld` is True where the incident is restricted; the story then holds none of its texts.
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
