"""Ask for a review of a document after a grave incident, or link the incident to the review that is open.

QRPay runbook, "Document Ownership": the runbook is reviewed quarterly or after major incidents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import SeverityPeriod
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.recurring import Recurring
from syncd.domain.operation import LinkActionItem
from syncd.domain.recurring import after_incident
from syncd.policy.case import Case, ItemState
from syncd.policy.recurring.periods import Period

RESTS = timedelta(minutes=30)
"""A review is asked for so long after the resolve: until then the incident may be reopened."""
COUNTS = timedelta(minutes=10)
"""A severity counts that was held so long, or that stood at the resolve."""
LINK = "review-of-"
"""The prefix of the fact that a review is linked to the ticket of an incident, before the incident's id."""


class Major(Value):
    """A resolved incident that may ask for a review; `ticket` is its ticket's issue id."""

    id: str
    number: int
    resolved_at: UtcTime
    severity_periods: tuple[SeverityPeriod, ...]
    ticket: str


def asks_for_review(incident: Major, entry: Recurring) -> bool:
    """Return True if an incident had one of the severities after which a document is reviewed."""
    periods = incident.severity_periods
    ends = [*(period.since for period in periods[1:]), None]
    return any(
        period.severity in entry.after and (end is None or end - period.since >= COUNTS)
        for period, end in zip(periods, ends, strict=True)
    )


def review_after(incident: Major, entry: Recurring, mapping: Mapping) -> Period:
    """Return the review that an incident asks for: it is due `lead_days` after the resolve."""
    day = incident.resolved_at.astimezone(ZoneInfo(mapping.zone)).date()
    return Period(name=after_incident(incident.number), due=day + timedelta(days=entry.lead_days))


def is_open(item: ItemState) -> bool:
    """Return True while a review is still to be held, so that incidents are linked to it."""
    return item.in_sight and item.facts.get("stands", "open") == "open"


def links_of(case: Case, mapping: Mapping, incidents: Iterable[Major]) -> tuple[LinkActionItem, ...]:
    """Return the links from the case's issue to the tickets of incidents that are not linked yet."""
    item = next(iter(case.items), None)
    if item is None:
        return ()
    return tuple(
        LinkActionItem(
            incident=case.incident.id,
            aspect=f"{LINK}{incident.id}",
            issue=item.issue_id,
            other=incident.ticket,
            types=mapping.postmortem.link_types,
            purpose=f"{LINK}{incident.id}",
            reason=f"incident #{incident.number} asks for this review",
        )
        for incident in incidents
        if f"{LINK}{incident.id}" not in item.facts
    )


def linked_in(items: Sequence[ItemState]) -> set[str]:
    """Return the incidents to whose tickets these issues are linked."""
    return {fact.removeprefix(LINK) for item in items for fact in item.facts if fact.startswith(LINK)}
