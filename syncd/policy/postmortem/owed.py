"""Decide if an incident owes a postmortem, for which severity, and since when.

A severity counts that was held for ten minutes, or at a resolve (`basis: peak`), or the one that stands now
(`basis: final`; rules: "Severity"); a worse one in between holds it, too. What was merged into the incident
counts with its own severity from the merge on (rules: "The postmortem"), and what was itself merged into
another owes nothing: the other one does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import SeverityPeriod
from syncd.policy.case import Case, Rulebook
from syncd.policy.severity import decide_severity

HELD = timedelta(minutes=10)
"""For so long a severity stands before it counts."""


class Owed(Value):
    """That a postmortem is owed: the worst severity that counts, and when the incident first qualified."""

    severity: str
    since: UtcTime
    reason: str


class Stretch(Value):
    """A time in which the severity was of a kind; `until` None: it still is."""

    since: UtcTime
    until: UtcTime | None = None


def counts_for_another(case: Case) -> bool:
    """Return True if the incident was merged into one whose own postmortem and follow-ups count."""
    merged = case.incident.merged_into is not None
    return merged and (case.merged_into is None or case.merged_into.claimed)


def severity_periods_of(case: Case, book: Rulebook) -> tuple[SeverityPeriod, ...]:
    """The severities that the incident had, with the one that it has now, oldest first."""
    incident = case.incident
    now = decide_severity(incident, book.mapping, book.section).name
    known = tuple(one for one in case.severity_periods if one.severity in book.mapping.severities)
    if known and known[-1].severity == now:
        return known
    since = (incident.updated_at or case.now or incident.created_at) if known else incident.created_at
    return (*known, SeverityPeriod(severity=now, since=since))


def owed_postmortem(case: Case, book: Rulebook) -> Owed | None:
    """Given a case, return what is owed for it, None where no postmortem is.

    Silence (what was over before the rules began) and the mapping's mode are the caller's business.
    """
    return None if counts_for_another(case) else qualifies(case, book)[0]


def qualifies(case: Case, book: Rulebook) -> tuple[Owed | None, datetime | None]:
    """Return what the incident owes by its severities, and by those of what was merged into it.

    With it the moment at which a severity that stands now will have been held long enough to count; None: it
    counts, or owes nothing, or nobody asks as of a moment.
    """
    since, settles_at = _own(case, book)
    merged = min(
        (one for one in case.merged_sources if one.owes), key=lambda one: one.merged_at, default=None
    )
    if since is None and merged is None:
        return None, settles_at
    names = [source.severity for source in case.merged_sources if source.owes]
    severity = _worst([*names, *([worst_severity(case, book)] if since is not None else [])], book)
    if merged is not None and (since is None or merged.merged_at < since):
        reason = f"incident #{merged.number}, {merged.severity}, was merged into it"
        return Owed(severity=severity, since=merged.merged_at, reason=reason), None
    reason = f"{severity} incidents need a postmortem"
    if not book.mapping.severities[severity].postmortem:
        service = case.incident.service
        reason = f"every incident of {service.name or service.id} needs a postmortem"
    return Owed(severity=severity, since=since, reason=reason), None


def might_owe(case: Case, book: Rulebook) -> bool:
    """Return True if anything ever asked for a postmortem, held long enough or not."""
    return bool(_stretches(case, book, _owes(book))) or any(source.owes for source in case.merged_sources)


def worst_severity(case: Case, book: Rulebook) -> str:
    """Return the worst severity of the incident that counts, the mildest where none was held so long."""
    names = list(book.mapping.severities)
    if book.mapping.postmortem.basis == "final":
        return severity_periods_of(case, book)[-1].severity
    for rank, name in enumerate(names):
        as_bad = set(names[: rank + 1])
        if any(_counts(stretch, case) for stretch in _stretches(case, book, as_bad.__contains__)):
            return name
    return names[-1]


def _own(case: Case, book: Rulebook) -> tuple[datetime | None, datetime | None]:
    """Return since when the incident's own severities owe a postmortem, and when that settles."""
    stretches = _stretches(case, book, _owes(book))
    if book.mapping.postmortem.basis == "final":
        last = stretches[-1] if stretches else None
        return (last.since if last is not None and last.until is None else None), None
    for stretch in stretches:
        if _counts(stretch, case):
            return stretch.since, None
        if stretch.until is None and case.now is not None:
            return None, stretch.since + HELD
    return None, None


def _owes(book: Rulebook) -> Callable[[str], bool]:
    return lambda severity: book.mapping.owes_postmortem(severity, book.section)


def _stretches(case: Case, book: Rulebook, of_the_kind: Callable[[str], bool]) -> list[Stretch]:
    """The stretches in which the severity was of a kind, oldest first."""
    stretches: list[Stretch] = []
    for period in severity_periods_of(case, book):
        going_on = bool(stretches) and stretches[-1].until is None
        if of_the_kind(period.severity) and not going_on:
            stretches.append(Stretch(since=period.since))
        elif going_on and not of_the_kind(period.severity):
            stretches[-1] = stretches[-1].model_copy(update={"until": period.since})
    return stretches


def _counts(stretch: Stretch, case: Case) -> bool:
    """Return True if a severity was held for ten minutes, or at a resolve."""
    over, until = case.incident.over_since, stretch.until
    # as of no moment nothing has been held any longer than until the resolve
    held_until = until or case.now or over or stretch.since
    resolves = [change.at for change in case.state_changes or () if change.kind == "resolved"]
    resolves += [over] if over is not None else []
    at_a_resolve = any(stretch.since <= at and (until is None or at < until) for at in resolves)
    return held_until - stretch.since >= HELD or at_a_resolve


def _worst(severities: list[str], book: Rulebook) -> str:
    """Return the worst of these severities.

    What only another team's mapping names is as bad as the worst that owes a postmortem here.
    """
    ranks = list(book.mapping.severities)
    known = [name for name in severities if name in ranks]
    foreign = next((name for name in ranks if book.mapping.severities[name].postmortem), ranks[0])
    return min(known, key=ranks.index, default=foreign)
