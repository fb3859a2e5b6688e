"""Name a recurring duty: one GameDay or review of a team, for one period.

The outbox, the duties and the audit trail store this name instead of an incident's id. It holds the team's
name of the day on which it was made: it stays when the team is renamed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus

PREFIX = "recurring:"
_AFTER = "after #"


class RecurringName(NamedTuple):
    """The parts of the name; `period` is `2027-Q1`, `2027-H1`, `2027`, a due date, or `after #12`."""

    team: str
    name: str
    period: str

    @property
    def ident(self) -> str:
        """The name as the ledger stores it."""
        return f"{PREFIX}{self.team}/{self.name}/{self.period}"

    @property
    def words(self) -> str:
        """The name for people: `Alipay Timeout Storm, 2027-Q1`."""
        return f"{self.name}, {self.period}"

    @property
    def number(self) -> int | None:
        """The number of the incident after which this review is due, None for a period of the calendar."""
        number = self.period.removeprefix(_AFTER)
        return int(number) if number != self.period and number.isdecimal() else None


def stand_in(name: RecurringName) -> Incident:
    """Return what stands in the place of the incident in the case of a recurring duty: it is never over."""
    return Incident(
        id=name.ident,
        number=name.number or 0,
        title=name.words,
        status=IncidentStatus.TRIGGERED,
        service=Reference(id="", name=""),
        created_at=_NEVER,
    )


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def after_incident(number: int) -> str:
    """Return the period of a review after an incident."""
    return f"{_AFTER}{number}"


def recurring_of(ident: str | None) -> RecurringName | None:
    """Return the recurring duty that an ident names, None for the id of an incident and for other texts."""
    # a team's name may hold a slash, the other two parts hold none
    parts = ident.removeprefix(PREFIX).rsplit("/", 2) if ident and ident.startswith(PREFIX) else []
    return RecurringName(*parts) if len(parts) == len(RecurringName._fields) else None
