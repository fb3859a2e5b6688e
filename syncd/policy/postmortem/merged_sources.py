"""Decide what merges bring to their target: the severity that counted for each source, and in which time.

The times at PagerDuty decide. A source that is opened again is none any more: it counts on its own. What was
merged into a source counts for the target from the later of both merges on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.policy.case import Case, MergedSource, Rulebook
from syncd.policy.postmortem.owed import worst_at


class Member(NamedTuple):
    """An incident that is merged into the incident `into`, or was until it was opened again.

    `mapping` and `section` are the rules of its own team. `state_changes` are None if its log was not read.
    An `exercise` owes nothing.
    """

    incident: Incident
    into: str
    severity_periods: tuple[SeverityPeriod, ...]
    state_changes: tuple[StateChange, ...] | None
    mapping: Mapping
    section: ServiceSection
    exercise: bool = False

    @property
    def merged_at(self) -> datetime:
        """When it was merged (UTC); PagerDuty keeps the time of the resolve if it was resolved before."""
        merges = [change.at for change in self.state_changes or () if change.merged_into == self.into]
        return max(merges, default=self.incident.over_since or self.incident.created_at)

    @property
    def parted_at(self) -> datetime | None:
        """When it was opened again after the merge (UTC), None if it was not."""
        later = (change for change in self.state_changes or () if change.at >= self.merged_at)
        return next((change.at for change in later if change.kind == "reopened"), None)


def merged_sources(target: str, members: Iterable[Member], now: datetime) -> tuple[MergedSource, ...]:
    """Return the sources of an incident, each with the time in which it counts for it."""
    by_id = {member.incident.id: member for member in members}
    sources = []
    for member in by_id.values():
        times = [(each.merged_at, each.parted_at) for each in _way(member, target, by_id)]
        merged_at = max((merged for merged, _ in times), default=None)
        until = min((parted for _, parted in times if parted is not None), default=None)
        # it was opened again before the incident into which it was merged became a source
        if merged_at is None or (until is not None and until <= merged_at):
            continue
        severity = _severity(member, now)
        sources.append(
            MergedSource(
                id=member.incident.id,
                number=member.incident.number,
                severity=severity,
                owes=not member.exercise and member.mapping.owes_postmortem(severity, member.section),
                merged_at=merged_at,
                until=until,
            )
        )
    return tuple(sources)


def _way(member: Member, target: str, by_id: dict[str, Member]) -> list[Member]:
    """Return the merges that lead from a source to the target, none if they do not lead there."""
    way = [member]
    while way[-1].into != target:
        following = by_id.get(way[-1].into)
        if following is None or following in way:
            return []
        way.append(following)
    return way


def _severity(member: Member, now: datetime) -> str:
    """Return the worst severity that counted for a source at its merge, by its own team's rules."""
    case = Case(
        incident=member.incident,
        severity_periods=member.severity_periods,
        state_changes=member.state_changes,
        now=now,
    )
    book = Rulebook.without_project(member.mapping, member.section)
    return worst_at(case, book, member.merged_at)
