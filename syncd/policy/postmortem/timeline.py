"""Build the timeline of an incident from its log, its notes, its ticket's comments and its severities.

Ramen runbook, "Post-incident review": timeline. QRPay runbook, "Roles": the scribe documents it. Entries of
PagerDuty's log keep PagerDuty's words. Notifications are left out, since a page is no act of the response. So
are syncd's own texts, also its copies of notes and comments. PagerDuty has no list of status updates, so only
those in the log appear. The timeline of a restricted incident has only events and times, in syncd's words.
Beside the timeline stand the incident's alerts, the times in which it was open, and the people who helped.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import Incident, LogEntry, Note
from syncd.domain.postmortem import Alert, Helper, Line, Window
from syncd.domain.ticket import Comment
from syncd.policy.marks import mark_in

QUIET = frozenset({"notify", "annotate", "link", "include"})
"""Kinds of log entries to leave out: pages, notes (their text is in the timeline), and grouped alerts."""

_WORDS = {
    "trigger": "Triggered",
    "acknowledge": "Acknowledged",
    "unacknowledge": "No longer acknowledged",
    "resolve": "Resolved",
    "assign": "Assigned",
    "escalate": "Escalated",
    "delegate": "Handed to another escalation policy",
    "snooze": "Snoozed",
    "urgency_change": "Urgency changed",
    "field_value_change": "A field changed",
    "custom_field_value_change": "A custom field changed",
}
_STATE_CHANGES = {
    "triggered": "Triggered",
    "acknowledged": "Acknowledged",
    "unacknowledged": "No longer acknowledged",
    "resolved": "Resolved",
    "reopened": "Reopened",
}
_ROLES = {
    "acknowledge": "acknowledged",
    "resolve": "resolved",
    "escalate": "escalated",
    "assign": "reassigned",
    "annotate": "wrote notes",
}


def timeline_of(
    log: Iterable[LogEntry],
    state_changes: Iterable[StateChange],
    severity_periods: Sequence[SeverityPeriod],
    notes: Iterable[Note],
    comments: Iterable[Comment],
    ranks: Sequence[str],
    *,
    withheld: bool = False,
) -> tuple[Line, ...]:
    """Return the timeline of an incident, oldest line first, times in UTC.

    `ranks` are the mapping's severities, worst first. If `withheld`, the lines hold no text of people's or
    PagerDuty's.
    """
    entries = [entry for entry in log if entry.kind not in QUIET]
    lines = [_entry(entry, withheld) for entry in entries]
    # A state change that the log tells of has its line already.
    times = {entry.at for entry in entries}
    lines += [
        Line(at=change.at, text=_STATE_CHANGES[change.kind], who=change.agent)
        for change in state_changes
        if change.at not in times and change.kind in _STATE_CHANGES
    ]
    lines += list(_severities(severity_periods, ranks))
    if not withheld:
        lines += list(_texts(notes, comments))
    return tuple(sorted(lines, key=lambda line: line.at))


def _entry(entry: LogEntry, withheld: bool) -> Line:
    own = _WORDS.get(entry.kind, entry.kind.replace("_", " ").capitalize())
    agent = entry.agent.name if entry.agent else ""
    if withheld or not entry.summary.strip():
        return Line(at=entry.at, text=own, who=agent)
    # PagerDuty's sentence names the person already.
    return Line(at=entry.at, text=entry.summary, who="" if agent and agent in entry.summary else agent)


def _severities(severity_periods: Sequence[SeverityPeriod], ranks: Sequence[str]) -> Iterator[Line]:
    order = {name: place for place, name in enumerate(ranks)}
    for before, severity_period in pairwise(severity_periods):
        rises = order.get(severity_period.severity, 0) < order.get(before.severity, 0)
        way = "raised" if rises else "lowered"
        yield Line(
            at=severity_period.since,
            text=f"Severity {way} from {before.severity} to {severity_period.severity}",
        )


def _texts(notes: Iterable[Note], comments: Iterable[Comment]) -> Iterator[Line]:
    for note in notes:
        if note.text.strip() and mark_in(note.text) is None:
            who = note.author.name if note.author else ""
            yield Line(at=note.created_at, text=f"Note: {note.text}", who=who)
    for comment in comments:
        if comment.mark is None and comment.body.strip() and mark_in(comment.body) is None:
            who = comment.author.name if comment.author else ""
            yield Line(at=comment.created_at, text=f"Comment: {comment.body}", who=who)


def windows_of(state_changes: Iterable[StateChange], incident: Incident) -> tuple[Window, ...]:
    """Return the times (UTC) in which the incident was open, oldest first."""
    spans: list[Window] = []
    since = incident.created_at
    is_open = True
    for state_change in state_changes:
        if state_change.kind == "resolved" and is_open:
            spans.append(Window(since=since, until=max(since, state_change.at)))
            is_open = False
        elif state_change.kind == "reopened" and not is_open:
            since, is_open = state_change.at, True
    return (*spans, Window(since=since)) if is_open else tuple(spans)


def helpers_of(
    log: Iterable[LogEntry],
    notes: Iterable[Note],
    commanders: Iterable[str] = (),
    our_users: Container[str] = frozenset(),
) -> tuple[Helper, ...]:
    """Return the people who helped and their parts, in the order of their first act.

    `commanders` were on the schedule; `our_users` are the ids of the PagerDuty users in whose names syncd
    acts. Authors of notes come from the notes: the log does not tell which notes are syncd's.
    """
    parts: dict[str, list[str]] = {name: ["incident commander"] for name in commanders if name}
    people = [
        (entry.at, entry.agent.name, entry.kind)
        for entry in log
        if entry.by_person and entry.kind != "annotate"
        if entry.agent and entry.agent.name and entry.agent.id not in our_users
    ]
    people += [
        (note.created_at, note.author.name, "annotate")
        for note in notes
        if note.author and note.author.name and mark_in(note.text) is None
        if note.author.id not in our_users
    ]
    for _at, name, kind in sorted(people):
        role = _ROLES.get(kind)
        if role is not None and role not in parts.setdefault(name, []):
            parts[name].append(role)
    return tuple(Helper(name=name, roles=tuple(roles)) for name, roles in parts.items() if roles)


def alerts_of(alerts: Iterable[Alert], extent: Literal["short", "full"]) -> tuple[Alert, ...]:
    """Return what a postmortem tells of alerts: their details only where the mapping says `alerts: full`."""
    if extent == "full":
        return tuple(alerts)
    return tuple(alert.model_copy(update={"details": ""}) for alert in alerts)
