"""The action items for `syncd actions` and `syncd show`, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Any

from sqlmodel import Session, col, func, select

from syncd.domain.duty import OWED, RUNNING, Duty, DutyKind, DutyState, verdict_of, verdict_words
from syncd.domain.history import Leave
from syncd.domain.incident import stub_title
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.loaded_rules import not_asked
from syncd.ledger.store.postmortems import duties_of, waivers_of
from syncd.ledger.store.tables import ActionItemRow, DutyRow, IncidentRow
from syncd.ledger.views.postmortems import waivers_data
from syncd.policy.duty_words import SUBJECTS, UNOWNED, out_of_sight, owner_note, owner_words
from syncd.policy.postmortem.explain import notes_on

Data = dict[str, Any]

OVERDUE = "overdue"
OWNER_LATE = "no owner in time"
DAY_SECONDS = 86_400


def actions_data(
    ledger: Transactions, now: datetime, *, overdue: bool = False, unowned: bool = False
) -> list[Data]:
    """Return the action items and recurring issues to be done, the longest overdue first, then by date.

    An item that was closed against the rules is still to be done.
    """
    query = select(ActionItemRow).where(col(ActionItemRow.ended_at).is_(None))
    with ledger.read() as session:
        items = [item_data(session, row, now) for row in session.exec(query).all()]
    chosen = [
        item
        for item in items
        if (item["stands"] == "open" or item["violations"])
        and (not overdue or item["overdue_days"] > 0)
        and (not unowned or {*UNOWNED}.intersection(item["violations"]))
    ]
    # an item without a date comes last
    return sorted(chosen, key=lambda item: (-item["overdue_days"], item["due"] or "9999", item["key"]))


def recurring_now(ledger: Transactions, team: str | None, now: datetime) -> list[Data]:
    """Return the issues of recurring duties that are still to be held, the longest overdue first.

    They are of one team, or of all if it is None; its case does not matter.
    """
    query = select(ActionItemRow).where(col(ActionItemRow.team).is_not(None))
    if team is not None:
        query = query.where(func.lower(ActionItemRow.team) == team.lower())
    with ledger.read() as session:
        items = [item_data(session, row, now) for row in session.exec(query).all()]
    running = [item for item in items if item["held"] is None or item["held"]["running"]]
    return sorted(running, key=lambda item: (-item["overdue_days"], item["due"] or "9999", item["key"]))


def items_data(session: Session, incident_id: str, now: datetime) -> list[Data]:
    """Return all action items of an incident, also those that have ended."""
    query = (
        select(ActionItemRow)
        .where(ActionItemRow.incident_id == incident_id)
        .order_by(col(ActionItemRow.first_seen_at), col(ActionItemRow.key))
    )
    duties, waivers = duties_of(session, incident_id), waivers_of(session, incident_id)
    items = []
    for row in session.exec(query).all():
        given = waivers_data(waivers, row.issue_id, now)
        notes = _notes(row, duties)
        notes += [f"{SUBJECTS[DutyKind(waiver['duty'])]}: {waiver['words']}" for waiver in given]
        items.append({**item_data(session, row, now), "waivers": given, "notes": notes})
    return items


def _notes(row: ActionItemRow, duties: Sequence[Duty]) -> list[str]:
    """Return what happened to an item's duties: owed again, not visible, or a breach taken back."""
    lost = out_of_sight(row.key, row.deleted_by, row.moved_by)
    own = [duty for duty in duties if duty.subject == row.issue_id]
    again = [f"{SUBJECTS[duty.kind]}: owed again, {duty.reason}" for duty in own if duty.clock > 1]
    return again + [f"{SUBJECTS[duty.kind]}: {note}" for duty in own for note in notes_on(duty, lost)]


def item_data(session: Session, row: ActionItemRow, now: datetime) -> Data:
    """Return one action item; `overdue_days` counts days since the missed deadline, a begun day as one."""
    incident = session.get(IncidentRow, row.incident_id)
    issue, facts = row.snapshot or {}, row.facts
    owner = issue.get("assignee") or {}
    hidden = incident is not None and incident.restricted
    owned, done = _latest(session, row, DutyKind.OWNED), _latest(session, row, DutyKind.DONE)
    held = _latest(session, row, DutyKind.HELD) if row.team is not None else None
    late = _late(held or done, now)
    # the stored violations are of the last decision: sight and lateness are as of now
    violations = [*facts.get("violations", ())]
    if row.out_of_sight_since is not None and "not visible" not in violations:
        violations.append("not visible")
    if late:
        violations.append(OVERDUE)
    if owned is not None and owned.state == DutyState.BREACHED:
        violations.append(OWNER_LATE)
    name = (owner.get("name") or owner.get("id")) if owner else None
    return {
        "key": row.key,
        "summary": stub_title(incident.number) if hidden and incident else issue.get("summary", ""),
        "incident": row.incident_id,
        "number": incident.number if incident else None,
        "owner": name,
        "owner_words": owner_words(name, owner_note(violations, _leave(row, owner.get("id")))),
        "due": facts.get("due") or issue.get("due_date"),
        "status": (issue.get("status") or {}).get("name"),
        "overdue_days": late,
        "violations": violations,
        "deleted_by": row.deleted_by,
        "moved_by": row.moved_by,
        "postponed": facts.get("postponed", 0),
        "source": row.source,
        "stands": "ended" if row.ended_at is not None else facts.get("stands", "open"),
        "ended_by": facts.get("ended_by") or None,
        "owned": _state(owned),
        "done": _state(done),
        "held": _state(held),
        "team": incident.team if incident else row.team,
        "asked": DutyKind.DONE not in not_asked(session, incident.team if incident else row.team),
    }


def _leave(row: ActionItemRow, account: str | None) -> Leave | None:
    leave = row.leaves.get(account or "")
    return Leave.model_validate(leave) if leave else None


def _latest(session: Session, row: ActionItemRow, kind: DutyKind) -> DutyRow | None:
    query = select(DutyRow).where(
        DutyRow.incident_id == row.incident_id, DutyRow.kind == kind, DutyRow.subject == row.issue_id
    )
    return session.exec(query.order_by(col(DutyRow.clock).desc()).limit(1)).first()


def _late(duty: DutyRow | None, now: datetime) -> int:
    if duty is None or duty.state not in OWED:
        return 0
    since = duty.breached_at or duty.due_at
    return max(0, ceil((now - since).total_seconds() / DAY_SECONDS))


def _state(duty: DutyRow | None) -> Data | None:
    if duty is None:
        return None
    verdict = verdict_of(DutyState(duty.state), duty.breached_at)
    return {
        "state": verdict,
        "words": verdict_words(verdict, unseen=duty.unseen),
        "running": duty.state in RUNNING,
        "due_at": duty.due_at.isoformat(),
        "met_at": duty.met_at.isoformat() if duty.met_at else None,
        "reason": duty.reason,
    }
