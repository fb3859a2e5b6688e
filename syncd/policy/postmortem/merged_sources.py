"""Decide what merges bring to their target: the severity that counted for each source, and in which time.

The times at PagerDuty decide. A source that is opened again is none any more: it counts on its own. What was
merged into a source counts for the target from the later of both merges on. A source that was opened again
brings nothing where its log does not tell when it was merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import MERGED, Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.policy.case import Case, MergedSource, Rulebook
from syncd.policy.postmortem.owed import worst_at


class Member(NamedTuple):
    """An incident that is merged into the incident `into`, or was until it was opened again.

    `mapping` and `section` are the rules of its own team. `state_changes` are those of its log as last read,
    which may lack the latest ones; None if the log was never read. An `exercise` owes nothing.
    """

    incident: Incident
    into: str
    severity_periods: tuple[SeverityPeriod, ...]
    state_changes: tuple[StateChange, ...] | None
    mapping: Mapping
    section: ServiceSection
    exercise: bool = False

    @property
    def merged_at(self) -> datetime | None:
        """When it was merged (UTC), None if it left the merge and its log does not tell the merge."""
        merges = (change.at for change in self.state_changes or () if change.merged_into == self.into)
        return latest_merge(self.incident, merges)

    @property
    def parted_at(self) -> datetime | None:
        """When it was opened again after the merge (UTC), at the latest; None if it was not."""
        merged_at = self.merged_at
        if merged_at is None:
            return None
        for change in self.state_changes or ():
            if change.kind == "reopened" and change.at >= merged_at:
                return change.at
        # the log does not reach that far, but the incident shows a later state without the merge
        changed_at = self.incident.over_since or self.incident.status_changed_at
        left = self.incident.state != MERGED and changed_at is not None and changed_at > merged_at
        return changed_at if left else None


def latest_merge(incident: Incident, told: Iterable[datetime]) -> datetime | None:
    """Return when an incident was last merged (UTC), None if it is merged no more and its log tells no merge.

    `told` are its merges by its log as last read. PagerDuty keeps the time of the resolve of an incident that
    was resolved before the merge.
    """
    # a log from before another merge into the same incident tells the earlier merge only
    shown = (incident.over_since,) if incident.state == MERGED else ()
    return max((at for at in (*told, *shown) if at is not None), default=None)


def merged_sources(target: str, members: Iterable[Member], now: datetime) -> tuple[MergedSource, ...]:
    """Return the sources of an incident, each with the time in which it counts for it."""
    by_id = {member.incident.id: member for member in members}
    sources = []
    for member in by_id.values():
        way = _way(member, target, by_id)
        merges = [each.merged_at for each in way if each.merged_at is not None]
        if not merges or len(merges) < len(way):
            continue
        merged_at = max(merges)
        until = min((each.parted_at for each in way if each.parted_at is not None), default=None)
        # it was opened again before the incident into which it was merged became a source
        if until is not None and until <= merged_at:
            continue
        severity = _severity(member, merges[0], now)
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


def _severity(member: Member, merged_at: datetime, now: datetime) -> str:
    """Return the worst severity that counted for a source at its merge, by its own team's rules."""
    case = Case(
        incident=member.incident,
        severity_periods=member.severity_periods,
        state_changes=member.state_changes,
        now=now,
    )
    book = Rulebook.without_project(member.mapping, member.section)
    return worst_at(case, book, merged_at)
