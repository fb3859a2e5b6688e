"""Whether an incident owes a postmortem, for which severity, and since when.

The worst severity decides that was held for ten minutes, or at the resolve (`basis: peak`), or the last one
(`basis: final`; rules: "Severity"). What was merged into the incident counts with its own severity (rules:
"The postmortem"), and what was itself merged into another owes nothing: the other one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

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


def counts_for_another(case: Case) -> bool:
    """Whether it was merged into an incident whose own postmortem and follow-ups count."""
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


def counting_severity_periods(case: Case, book: Rulebook) -> tuple[SeverityPeriod, ...]:
    """Those of its severities that count for what is owed, oldest first."""
    severity_periods = severity_periods_of(case, book)
    if book.mapping.postmortem.basis == "final":
        return severity_periods[-1:]
    return tuple(_held(severity_periods, case))


def _held(severity_periods: tuple[SeverityPeriod, ...], case: Case) -> Iterator[SeverityPeriod]:
    over = case.incident.over_since
    now = case.now or over or severity_periods[-1].since
    for at, severity_period in enumerate(severity_periods):
        last = at == len(severity_periods) - 1
        until = max(now, severity_period.since) if last else severity_periods[at + 1].since
        at_resolve = over is not None and severity_period.since <= over and (last or over < until)
        if until - severity_period.since >= HELD or at_resolve:
            yield severity_period


def settles_in(case: Case, book: Rulebook) -> float | None:
    """Seconds until the present severity will have been held long enough to count; None: it is, or owes none.

    Without a moment of the decision nothing waits.
    """
    severity_period = severity_periods_of(case, book)[-1]
    if case.now is None or not book.mapping.owes_postmortem(severity_period.severity, book.section):
        return None
    left = (severity_period.since + HELD - case.now).total_seconds()
    return left if left > 0 else None


def owed_postmortem(case: Case, book: Rulebook) -> Owed | None:
    """Given a case, return what is owed for it, None where no postmortem is.

    Silence (what was over before the rules began) and the mapping's mode are the caller's business.
    """
    incident, mapping = case.incident, book.mapping
    if counts_for_another(case):
        return None
    owing = [
        one
        for one in counting_severity_periods(case, book)
        if one.severity in mapping.severities and mapping.owes_postmortem(one.severity, book.section)
    ]
    merged = [one for one in case.merged_sources if one.owes]
    since = [*(one.since for one in owing), *(one.merged_at for one in merged)]
    if not since:
        return None
    said = [*(one.severity for one in owing), *(one.severity for one in merged)]
    ranks = list(mapping.severities)
    # what another team's mapping calls otherwise counts as the worst that owes one here
    worst = next((name for name in ranks if mapping.severities[name].postmortem), ranks[0])
    worst = min((name for name in said if name in ranks), key=ranks.index, default=worst)
    reason = f"{worst} incidents need a postmortem"
    if merged and not owing:
        reason = f"incident #{merged[0].number}, {merged[0].severity}, was merged into it"
    elif not mapping.severities[worst].postmortem:
        reason = f"every incident of {incident.service.name or incident.service.id} needs a postmortem"
    return Owed(severity=worst, since=min(since), reason=reason)
