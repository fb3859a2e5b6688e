"""The times in which an incident's duties run: from a resolve until something ends them.

What ends them is a reopening that lasts, a merge, a severity that was lowered, or an item that is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from syncd.domain.history import unowed_until
from syncd.domain.mapping.mapping import Mapping
from syncd.verify.facts import Absorbed, IncidentFacts, Merge

SHORT_REOPENING = timedelta(minutes=30)
"""An incident that is resolved again within this time changes no clock."""
LASTING_SEVERITY = timedelta(minutes=10)
"""A severity that was held for this long counts, as does one that was held at a resolve."""

Ending = Literal["reopened", "merged", "severity lowered", "done", "no action item any more", "exercise", ""]


class Span(NamedTuple):
    """A time in which duties run; `resolved_at` is the resolve with which it begins or before which it lies.

    `undecided_since` is set while the incident is open again and it is not yet clear that this will last.
    `incident` is the one for which an action item counts meanwhile, None where no action item asks, and the
    item leaves it at `leaves_at`.
    """

    start: datetime
    end: datetime | None
    why: Ending
    resolved_at: datetime
    undecided_since: datetime | None = None
    incident: IncidentFacts | None = None
    leaves_at: datetime | None = None

    def is_of_same(self, other: Span) -> bool:
        """Return True if an action item counts for the same incident in both times."""
        ids = [span.incident.id if span.incident is not None else None for span in (self, other)]
        return ids[0] == ids[1]


class _Resolve(NamedTuple):
    at: datetime
    reopened_at: datetime | None


def resolves(facts: IncidentFacts, now: datetime) -> list[_Resolve]:
    """Return each resolve with the reopening after it, whether it lasted or not."""
    resolved: list[_Resolve] = []
    is_open = True
    for change in sorted(facts.states, key=lambda state: state.at):
        if change.at > now:
            break
        if is_open and change.kind == "resolved":
            resolved.append(_Resolve(change.at, None))
            is_open = False
        elif not is_open and change.kind != "resolved":
            resolved[-1] = resolved[-1]._replace(reopened_at=change.at)
            is_open = True
    return resolved


def _has_sign(facts: IncidentFacts, since: datetime, until: datetime) -> bool:
    """Return True if an alert, an acknowledgement or a note shows that a reopening was meant."""
    acknowledged = [state.at for state in facts.states if state.kind == "acknowledged"]
    return any(since <= at <= until for at in (*facts.signs, *acknowledged))


def resolved_spans(facts: IncidentFacts, now: datetime) -> list[Span]:
    """Return the times from a resolve to the next reopening that lasted."""
    spans: list[Span] = []
    start: datetime | None = None
    every = resolves(facts, now)
    # an incident that is still open has no resolve, and so no pair
    for resolve, following in zip(every, [*every[1:], None], strict=False):
        start = start or resolve.at
        reopened = resolve.reopened_at
        if reopened is None:
            spans.append(Span(start, None, "", start))
            break
        until = following.at if following else now
        # a source that is opened again is no source any more: it counts on its own from its next resolve
        parted = any(start <= merge.at <= reopened for merge in facts.merges if merge.claimed)
        lasts = parted or (until - reopened > SHORT_REOPENING and _has_sign(facts, reopened, until))
        if lasts:
            spans.append(Span(start, reopened, "reopened", start))
            start = None
        elif following is None:
            spans.append(Span(start, None, "", start, undecided_since=reopened))
    return spans


def parted_at(source: IncidentFacts, merge: Merge) -> datetime | None:
    """Return when a source was opened again after its merge, so that it counts on its own; None if never."""
    later = [state.at for state in source.states if state.kind == "reopened" and state.at >= merge.at]
    return min(later, default=None)


def only_within(spans: Iterable[Span], since: datetime, until: datetime | None, why: Ending) -> list[Span]:
    """Return the parts of spans that lie in [since, until); those that `until` cuts end because of `why`."""
    parts = []
    for span in spans:
        start = max(span.start, since)
        if (until is not None and start >= until) or (span.end is not None and start >= span.end):
            continue
        if until is not None and (span.end is None or until < span.end):
            # what was not clear after this end makes no difference to it
            parts.append(span._replace(start=start, end=until, why=why, undecided_since=None))
        else:
            parts.append(span._replace(start=start))
    return parts


class Held(NamedTuple):
    """A severity that counts, from a time until another time; None: for ever.

    `owes` is True where it is a merged incident's that owed a postmortem by its own team's rules.
    """

    severity: str
    since: datetime
    until: datetime | None
    owes: bool = False


def _held(facts: IncidentFacts, now: datetime) -> list[Held]:
    periods = sorted((period for period in facts.severities if period.since <= now), key=lambda p: p.since)
    # an incident of which no severity is known yet has no end of one either
    ends = [*(period.since for period in periods[1:]), None]
    return [Held(period.severity, period.since, end) for period, end in zip(periods, ends, strict=False)]


def _times_at(held: Iterable[Held], names: Collection[str], severity: str) -> list[Held]:
    """Return the times in which an incident had one of the severities `names`, as times of `severity`."""
    joined: list[Held] = []
    for period in held:
        if period.severity not in names:
            continue
        if joined and joined[-1].until == period.since:
            joined[-1] = joined[-1]._replace(until=period.until)
        else:
            joined.append(period._replace(severity=severity))
    return joined


def _lasting(facts: IncidentFacts, times: Iterable[Held], now: datetime) -> list[Held]:
    """Return those times that lasted, or in which the incident was resolved; they count for ever."""
    resolved = [resolve.at for resolve in resolves(facts, now)]
    return [
        time._replace(until=None)
        for time in times
        if (time.until or now) - time.since >= LASTING_SEVERITY
        or any(time.since <= at and (time.until is None or at < time.until) for at in resolved)
    ]


def _by_merges(facts: IncidentFacts, now: datetime) -> list[Held]:
    return [
        Held(
            merge.severity or "",
            merge.at,
            merge.until if merge.until is not None and merge.until <= now else None,
            owes=merge.owes,
        )
        for merge in facts.absorbed
        if merge.at <= now
    ]


def counting(facts: IncidentFacts, mapping: Mapping, now: datetime) -> list[Held]:
    """Return the severities that count and when, by the mapping's `basis`.

    `peak`: each severity that lasted, or that was held at a resolve, counts for ever, and time at a worse one
    counts for it, too. `final`: each counts while it is held. The severity of a merged incident counts from
    the merge until that one is opened again.
    """
    held, names = _held(facts, now), [*mapping.severities]
    if mapping.postmortem.basis == "peak":
        at_least = [
            time for rank, name in enumerate(names) for time in _times_at(held, names[: rank + 1], name)
        ]
        held = _lasting(facts, at_least, now)
    return held + _by_merges(facts, now)


def severity_at(facts: IncidentFacts, mapping: Mapping, at: datetime, now: datetime) -> str | None:
    """Return the worst severity that counts at a time, None if none is known."""
    names = {
        period.severity
        for period in counting(facts, mapping, now)
        if period.since <= at and (period.until is None or at < period.until)
    }
    return next((name for name in mapping.severities if name in names), None)


def severity_turns(facts: IncidentFacts, mapping: Mapping, now: datetime) -> list[datetime]:
    """Return the times at which the worst severity that counts may change."""
    periods = counting(facts, mapping, now)
    return [at for period in periods for at in (period.since, period.until) if at is not None]


def absorbed(
    source: IncidentFacts, mapping: Mapping, way: Sequence[tuple[IncidentFacts, Merge]], now: datetime
) -> Absorbed | None:
    """Return what a source brings to a target: the severity that counted at its merge by its own mapping.

    `way` are the merges that lead from the source to the target. None: they never held at the same time.
    """
    merged_at = way[0][1].at
    at = max(merge.at for _, merge in way)
    until = min((parted for step in way if (parted := parted_at(*step)) is not None), default=None)
    if until is not None and until <= at:
        return None
    severity = severity_at(source, mapping, merged_at, now)
    owes = severity in mapping.severities and mapping.severities[severity].postmortem
    return Absorbed(at=at, severity=severity, owes=owes or source.service_owes, until=until)


def owing_spans(facts: IncidentFacts, mapping: Mapping, spans: Sequence[Span], now: datetime) -> list[Span]:
    """Return the parts of spans in which the incident owes a postmortem.

    No part begins before a move from a service by whose rules it owed none.
    """
    owing = {name for name, section in mapping.severities.items() if section.postmortem}
    if facts.service_owes:
        own = [Held("", facts.created_at, None)]
    else:
        # a worse severity that asks for no postmortem gives no time to a milder one that does
        own = _times_at(_held(facts, now), owing, "")
    moved = unowed_until(facts.severities)
    if moved is not None:
        own = [
            held._replace(since=max(held.since, moved))
            for held in own
            if held.until is None or held.until > moved
        ]
    if mapping.postmortem.basis == "peak":
        own = _lasting(facts, own, now)
    merged = [held for held in _by_merges(facts, now) if held.severity in owing or held.owes]
    joined: list[Held] = []
    for held in sorted([*own, *merged], key=lambda period: period.since):
        last = joined[-1] if joined else None
        if last is None or (last.until is not None and last.until < held.since):
            joined.append(held)
        elif last.until is not None and (held.until is None or held.until > last.until):
            joined[-1] = last._replace(until=held.until)
    return [
        part for held in joined for part in only_within(spans, held.since, held.until, "severity lowered")
    ]
