"""Explain the clock of a duty: its start and reason, its deadline, the next step, and the act that ends it.

People read this at night, so each line has one fact, and each time has its zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from syncd.domain.clock import in_utc
from syncd.domain.duty import MET, NOT_VISIBLE, RUNNING, Duty, DutyKind, DutyState
from syncd.policy.case import Case, IssueState
from syncd.policy.duty_words import nth_of, out_of_sight, taken_back, waived
from syncd.policy.time.time_words import long_words

_READ: Mapping[str, datetime] = MappingProxyType({})


def explain(duty: Duty, case: Case, *, asked: bool = True) -> tuple[str, ...]:
    """Return the lines that explain a duty of the incident's postmortem, with times in UTC.

    Unless people are `asked` for the duty, no line tells them to do it.
    """
    lines = [f"Started {in_utc(duty.started_at)}: {duty.reason}"]
    if duty.state is DutyState.CANCELLED:
        # The reason of a cancelled duty tells why it ended, not why it started.
        lines = [f"Cancelled: {duty.reason}"]
    lines += _stands(duty, case)
    if duty.breached_at is not None and duty.state is not DutyState.BREACHED:
        lines.append(f"It became overdue {in_utc(duty.breached_at)}; that stays on record")
    lines += notes_on(duty, sight_of(_issue_of(duty, case)))
    if not asked and duty.state in RUNNING:
        return tuple(lines)
    lines += _next(duty, case)
    if duty.remedy:
        lines.append(f"To do: {duty.remedy}")
        if duty.state is not DutyState.WAIVED:
            rest = "--until DATE --reason WHY --by ADDRESS"
            named = f"filed:{duty.subject}" if duty.kind is DutyKind.FILED else duty.kind
            lines.append(f"Or get a waiver: syncd waive {case.incident.number} --duty {named} {rest}")
    return tuple(lines)


def _issue_of(duty: Duty, case: Case) -> IssueState | None:
    return case.ticket if duty.kind is DutyKind.FILED else case.postmortem


def sight_of(issue: IssueState | None) -> str:
    """Return the sentence about an issue that syncd cannot see; empty if there is none."""
    return out_of_sight(issue.key, issue.deleted_by, issue.moved_by) if issue is not None else ""


def notes_on(duty: Duty, lost: str) -> list[str]:
    """Return what happened to a duty beside its clock; `lost` is the sentence about its issue."""
    lines = []
    if duty.unseen and lost:
        words = f"{NOT_VISIBLE[:1].upper()}{NOT_VISIBLE[1:]}"
        lines.append(f"{words}. {lost} If it is back, its changelog decides")
    if duty.corrected is not None:
        by, at, claimed = duty.corrected_by, duty.corrected_at, duty.claimed_met_at
        lines.append(taken_back(duty.corrected, by, at, claimed))
    if duty.rebuilt:
        lines.append("The breach is rebuilt from syncd's comment: an earlier ledger was lost")
    return lines


def summary(duty: Duty) -> str:
    """Return a duty in a few words, for a cell of a table: `due soon, 2026-11-24 10:00 UTC`."""
    return f"{duty.words}, {in_utc(duty.due_at)}" if duty.state in RUNNING else duty.words


def _stands(duty: Duty, case: Case) -> list[str]:
    due, now = in_utc(duty.due_at), case.now
    if duty.state is DutyState.BREACHED:
        since = duty.breached_at or duty.due_at
        ago = f", for {long_words(now - since)}" if now else ""
        # a waiver that came too late moves no deadline that was missed
        return [f"Overdue since {in_utc(since)}{ago}"]
    if duty.state in MET:
        by = _name(duty.met_by, case)
        at = f" {in_utc(duty.met_at)}" if duty.met_at else ""
        return [f"Was due {due}; done{at}{f' by {by}' if by else ''}"]
    if duty.state is DutyState.WAIVED:
        running = max(
            (
                waiver
                for waiver in case.waivers
                if now and waiver.covers(duty.kind, duty.subject) and waiver.runs(now)
            ),
            # of several, the one that ends last decides the deadline
            key=lambda waiver: waiver.end,
            default=None,
        )
        words = waived(running, nth_of(running, case.waivers)) if running else "Waived"
        return [f"{words}; after that it is due {due}"]
    if duty.state in (DutyState.PENDING, DutyState.DUE_SOON):
        if now is None or now <= duty.due_at:
            return [f"Due {due}" + (f", in {long_words(duty.due_at - now)}" if now else "")]
        ago, why = long_words(now - duty.due_at), _why_not(duty, case)
        return [f"Was due {due}, {ago} ago, and is not judged yet: {why}"]
    return []


def _why_not(duty: Duty, case: Case) -> str:
    issue = _issue_of(duty, case)
    return why_not_judged(
        issue.key if issue else None, in_sight=issue is None or issue.in_sight, skewed=bool(case.skew)
    )


def why_not_judged(
    key: str | None, *, in_sight: bool, skewed: bool, unread: Mapping[str, datetime] = _READ
) -> str:
    """Return why a duty whose deadline has passed has no verdict yet.

    `key` names its issue (None: syncd knows none). `unread` are the services, by their names, that syncd did
    not read since the deadline, each with the last read (UTC).
    """
    for name, at in sorted(unread.items()):
        return f"syncd has not read {name} since {in_utc(at)}"
    if key is None:
        return "syncd knows no postmortem"
    if not in_sight:
        return out_of_sight(key, None)
    if skewed:
        return "the clocks of syncd and a service differ, and it must have passed by both"
    return f"syncd reads the changes of {key} first"


def _next(duty: Duty, case: Case) -> list[str]:
    now = case.now
    if duty.state is DutyState.DUE_SOON and now is not None and now <= duty.due_at:
        if duty.kind is DutyKind.FILED:
            return ["Next: reminders until it is due; when it is overdue, lead and deputy are told"]
        return ["Next: when it is overdue, its contacts are told"]
    if duty.state is DutyState.CANCELLED and case.incident.open:
        return ["Next: nothing until the incident is resolved"]
    return []


def _name(account: str | None, case: Case) -> str | None:
    """Return the name of an account as Jira's changelog gives it, its id where the changelog has none."""
    changes = case.postmortem.changes if case.postmortem else ()
    authors = (change.author for change in changes if change.author is not None)
    return next((author.name for author in authors if author.id == account and author.name), account)
