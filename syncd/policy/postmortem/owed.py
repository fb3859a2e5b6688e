"""Decide if an incident owes a postmortem, for which severity, and since when.

With `basis: peak` a severity counts if the incident had it for ten minutes, or at a resolve; time at a worse
severity counts for the milder one, too. With `basis: final` only the present severity counts. An incident
that was merged into this one counts with its own severity, from the merge until it is opened again. An
incident that was itself merged into another owes nothing: the target owes the postmortem. What a service
asks for counts from the move to it on, if the incident owed nothing before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from syncd.domain.history import SeverityPeriod, unowed_until
from syncd.policy.case import Case, Rulebook
from syncd.policy.exercises import exercise_of
from syncd.policy.severity import decide_severity

HELD = timedelta(minutes=10)
"""A severity counts after this time."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An owed postmortem: the worst severity that counts, and when the incident first qualified."""

    severity: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the severity was of a kind; `until` is None if it still is."""

    since: datetime
    until: datetime | None = None
    severity: str = ""

    def holds(self, at: datetime) -> bool:
        """Return True if the severity was of the kind at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


def counts_for_another(case: Case) -> bool:
    """Return True if the incident was merged into one whose own postmortem and follow-ups count."""
    merged = case.incident.merged_into is not None
    return merged and (case.merged_into is None or case.merged_into.claimed)


def severity_periods_of(case: Case, book: Rulebook) -> tuple[SeverityPeriod, ...]:
    """Return the severities that the incident had and the present severity, oldest first."""
    incident = case.incident
    now = decide_severity(incident, book.mapping, book.section).name
    recorded = tuple(period for period in case.severity_periods if period.severity in book.mapping.severities)
    if recorded and recorded[-1].severity == now:
        return recorded
    # The ledger has not stored the latest severity yet.
    since = (incident.updated_at or case.now or incident.created_at) if recorded else incident.created_at
    return (*recorded, SeverityPeriod(severity=now, since=since))


def owed_postmortem(case: Case, book: Rulebook) -> Owed | None:
    """Return the postmortem that the incident owes, None if it owes none.

    The caller checks `enforce_from` and the mapping's mode.
    """
    return None if counts_for_another(case) else qualifies(case, book)[0]


def qualifies(case: Case, book: Rulebook) -> tuple[Owed | None, datetime | None]:
    """Return what the incident owes by its own severities and by those of its merged sources.

    The second value is the moment (UTC) from which the present severity counts. It is None if that severity
    counts already or owes nothing, or if the case has no `now`. An exercise owes nothing.
    """
    if exercise_of(case) is not None:
        return None, None
    since, settles_at = _own(case, book)
    merged = min(
        (source for source in case.merged_sources if source.owes and source.until is None),
        key=lambda source: source.merged_at,
        default=None,
    )
    names = [source.severity for source in case.merged_sources if source.owes and source.until is None]
    severity = _worst([*names, *([worst_severity(case, book)] if since is not None else [])], book)
    if merged is not None and (since is None or merged.merged_at < since):
        reason = f"incident #{merged.number}, {merged.severity}, was merged into it"
        return Owed(severity=severity, since=merged.merged_at, reason=reason), None
    if since is None:
        return None, settles_at
    reason = f"{severity} incidents need a postmortem"
    # The severity alone asks for no postmortem, so the service's section does.
    if not book.mapping.severities[severity].postmortem:
        service = case.incident.service
        reason = f"every incident of {service.name or service.id} needs a postmortem"
    return Owed(severity=severity, since=since, reason=reason), None


def owing_times(case: Case, book: Rulebook) -> list[Stretch]:
    """Return the times in which the incident owed a postmortem, oldest first.

    With `basis: peak` it owes one for ever; with `final` until its severity is lowered. What a merge brought
    lasts until the source is opened again.
    """
    if exercise_of(case) is not None:
        return []
    own = _owing_stretches(case, book)
    if book.mapping.postmortem.basis != "final":
        since, _settles_at = _own(case, book)
        own = [Stretch(since=since)] if since is not None else []
    merged = [
        Stretch(since=source.merged_at, until=source.until) for source in case.merged_sources if source.owes
    ]
    times: list[Stretch] = []
    for stretch in sorted([*own, *merged], key=lambda each: each.since):
        last = times[-1] if times else None
        if last is None or (last.until is not None and last.until < stretch.since):
            times.append(stretch)
        elif last.until is not None and (stretch.until is None or stretch.until > last.until):
            times[-1] = replace(last, until=stretch.until)
    return times


def might_owe(case: Case, book: Rulebook) -> bool:
    """Return True if a severity or a merged source ever asked for a postmortem, for however short a time."""
    return bool(_owing_stretches(case, book)) or any(source.owes for source in case.merged_sources)


def worst_severity(case: Case, book: Rulebook) -> str:
    """Return the worst severity of the incident that counts, the mildest of the mapping where none counts."""
    names = list(book.mapping.severities)
    if book.mapping.postmortem.basis == "final":
        return severity_periods_of(case, book)[-1].severity
    counting = {stretch.severity for stretch in severities_that_count(case, book)}
    return min(counting, key=names.index, default=names[-1])


def worst_at(case: Case, book: Rulebook, at: datetime) -> str:
    """Return the worst severity of the incident that counted at a moment, the mildest where none did."""
    names = list(book.mapping.severities)
    counting = {each.severity for each in severities_that_count(case, book) if each.holds(at)}
    return min(counting, key=names.index, default=names[-1])


def severities_that_count(case: Case, book: Rulebook) -> list[Stretch]:
    """Return the times in which severities of the incident count; those of merged sources are not among them.

    With `basis: peak` a severity counts for ever, with `final` until the next.
    """
    names, counting = list(book.mapping.severities), []
    if book.mapping.postmortem.basis == "final":
        periods = severity_periods_of(case, book)
        ends = [*(period.since for period in periods[1:]), None]
        return [
            Stretch(since=period.since, until=end, severity=period.severity)
            for period, end in zip(periods, ends, strict=True)
        ]
    for rank, name in enumerate(names):
        # Time at a worse severity counts for this one, too: SEV1 for 6 and SEV0 for 5 minutes make a SEV1.
        as_bad = set(names[: rank + 1])
        stretches = _stretches(case, book, as_bad.__contains__)
        first = next((stretch for stretch in stretches if _counts(stretch, case)), None)
        counting += [Stretch(since=first.since, severity=name)] if first is not None else []
    return counting


def _own(case: Case, book: Rulebook) -> tuple[datetime | None, datetime | None]:
    """Return since when the incident's own severities owe a postmortem, and when a present one will count."""
    stretches = _owing_stretches(case, book)
    if book.mapping.postmortem.basis == "final":
        last = stretches[-1] if stretches else None
        return (last.since if last is not None and last.until is None else None), None
    for stretch in stretches:
        if _counts(stretch, case):
            return stretch.since, None
        if stretch.until is None and case.now is not None:
            return None, stretch.since + HELD
    return None, None


def _owing_stretches(case: Case, book: Rulebook) -> list[Stretch]:
    """Return the stretches in which the incident's own severity asked for a postmortem, oldest first.

    None begins before a move away from a service by whose rules it owed none.
    """
    stretches = _stretches(case, book, partial(book.mapping.owes_postmortem, section=book.section))
    moved = unowed_until(case.severity_periods)
    if moved is None:
        return stretches
    return [
        replace(stretch, since=max(stretch.since, moved))
        for stretch in stretches
        if stretch.until is None or stretch.until > moved
    ]


def _stretches(case: Case, book: Rulebook, of_the_kind: Callable[[str], bool]) -> list[Stretch]:
    """Return the stretches in which the severity was of a kind, oldest first."""
    stretches: list[Stretch] = []
    for period in severity_periods_of(case, book):
        going_on = bool(stretches) and stretches[-1].until is None
        if of_the_kind(period.severity) and not going_on:
            stretches.append(Stretch(since=period.since))
        elif going_on and not of_the_kind(period.severity):
            stretches[-1] = replace(stretches[-1], until=period.since)
    return stretches


def _counts(stretch: Stretch, case: Case) -> bool:
    """Return True if the incident had the severity for ten minutes, or at a resolve."""
    over, until = case.incident.over_since, stretch.until
    # Without a present moment the stretch lasts until the resolve at most.
    held_until = until or case.now or over or stretch.since
    resolves = [*case.resolves, *([over] if over is not None else [])]
    at_a_resolve = any(stretch.since <= at and (until is None or at < until) for at in resolves)
    return held_until - stretch.since >= HELD or at_a_resolve


def _worst(severities: list[str], book: Rulebook) -> str:
    """Return the worst of these severities.

    A severity that only another team's mapping names (a merged source's) counts as the worst severity that
    owes a postmortem here.
    """
    ranks = list(book.mapping.severities)
    own = [name for name in severities if name in ranks]
    foreign = next((name for name in ranks if book.mapping.severities[name].postmortem), ranks[0])
    return min(own, key=ranks.index, default=foreign)
