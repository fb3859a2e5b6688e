"""The verbs that adopt an existing issue as an incident's ticket or postmortem.

The engine's rules (pure functions) choose among the candidates. The same transaction checks that no candidate
belongs to another incident, and that the incident has no ticket yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from loguru import logger
from sqlalchemy import bindparam, exists, or_
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OPEN_STATES, UNSURE_STATES, Kind, OperationState, op_of, ticket_key
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions, after_commit
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.holds import end_mass_if_gone
from syncd.ledger.store.intake import StorageRules, store_duty_issue_in, store_issue_in
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.lookups import name_in
from syncd.ledger.store.operation_states import finish
from syncd.ledger.store.outbox import on_record
from syncd.ledger.store.postmortems import duty_issues_by_id
from syncd.ledger.store.restored import APART, note_succession, restored_at
from syncd.ledger.store.snapshots import tickets_by_issue_in
from syncd.ledger.store.tables import IncidentRow, OperationRow, PostmortemRow, TicketRow


class Own(Transactions, Protocol):
    """A ledger with its name and its birth in UTC (`syncd.ledger.open.Ledger`)."""

    instance: str
    born: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """The issue to adopt and the evidence for it (`by`); without one, the keys of `unclear` candidates."""

    issue: Issue | None = None
    by: str = ""
    unclear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The moment when a read of Jira began, our time, and the time of Jira's own clock if it is known."""

    read_seq: int
    now: datetime
    jira_now: datetime | None


def unsearched(ledger: Own, in_peace: datetime | None) -> list[IncidentRecord]:
    """Return the claimed incidents older than the ledger whose ticket was not searched for, oldest first.

    Those that were resolved before `in_peace` (UTC) are left out; None: none is.
    """
    asked = {"born": ledger.born, "in_peace": in_peace or _LONG_AGO}
    with ledger.read_one() as session:
        return load(session, IncidentRecord, _UNSEARCHED, asked)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_UNSEARCHED = Prepared(
    select_records(IncidentRecord)
    .where(
        col(IncidentRow.searched).is_(False),
        col(IncidentRow.created_at) < bindparam("born"),
        col(IncidentRow.team).is_not(None),
        or_(
            col(IncidentRow.status) != IncidentStatus.RESOLVED,
            col(IncidentRow.resolved_at).is_(None),
            col(IncidentRow.resolved_at) >= bindparam("in_peace"),
        ),
        ~exists().where(col(TicketRow.incident_id) == col(IncidentRow.id)),
    )
    # as the index has them: the ledger reads none of the incidents that came after its birth
    .order_by(col(IncidentRow.created_at), col(IncidentRow.number))
)


def settle_searched(
    ledger: Own,
    rules: StorageRules,
    incident_ids: Iterable[str],
    issues: Sequence[Issue],
    choose: Callable[[str, list[Issue]], Choice | None],
    reading: Reading,
    *,
    believed: bool,
) -> dict[str, Choice]:
    """Adopt the tickets that a search brought for these incidents, or store that it brought none.

    `choose`: given an incident and the issues that are no incident's ticket yet, return the choice, None if
    none of them may be its ticket. Unless the search is `believed`, an incident without a choice stays
    unsearched, so that syncd searches again.
    """
    choices: dict[str, Choice] = {}
    with ledger.write() as session:
        for incident_id in incident_ids:
            row = session.get(IncidentRow, incident_id)
            if row is None or session.get(TicketRow, incident_id) is not None:
                continue
            # read for each incident: the one before may have adopted an issue of these
            taken = tickets_by_issue_in(session, [issue.id for issue in issues])
            choice = choose(incident_id, [issue for issue in issues if issue.id not in taken])
            if choice is None and not believed:
                continue
            row.searched = True
            session.add(row)
            if choice is None:
                continue
            choices[incident_id] = choice
            if choice.issue is not None:
                _adopt(session, ledger, rules, incident_id, choice.issue, reading, by=choice.by)
            else:
                _say_unclear(session, incident_id, choice, reading.now)
    return choices


def has_ticket_or_create(ledger: Transactions, incident_id: str) -> bool:
    """Return True if an incident has a ticket, or if the create of a ticket was decided."""
    with ledger.read() as session:
        if session.connection().scalar(_TICKET, {"incident": incident_id}) is not None:
            return True
        return on_record(session, ticket_key(incident_id))


_TICKET = select(col(TicketRow.issue_id)).where(col(TicketRow.incident_id) == bindparam("incident"))


def adopt_first(
    ledger: Own,
    rules: StorageRules,
    incident_id: str,
    candidates: Sequence[Issue],
    reading: Reading,
    *,
    by: str,
    agreed: dict[str, JsonValue],
) -> Issue | None:
    """Adopt the first of these issues that is no ticket yet, and return it.

    Return None if all are tickets, or if the incident has a ticket already.
    """
    with ledger.write() as session:
        taken = tickets_by_issue_in(session, [issue.id for issue in candidates])
        free = [issue for issue in candidates if issue.id not in taken]
        if not free or session.get(TicketRow, incident_id) is not None:
            return None
        _adopt(session, ledger, rules, incident_id, free[0], reading, by=by, agreed=agreed)
        return free[0]


def why_not_adopt(ledger: Transactions, incident_id: str, issue: Issue | None = None) -> str | None:
    """Return why an incident cannot get a ticket, or not this issue, by the record; None if it can."""
    with ledger.read() as session:
        return _why_not_adopt(session, incident_id, issue)


def _why_not_adopt(session: Session, incident_id: str, issue: Issue | None) -> str | None:
    ticket, name = session.get(TicketRow, incident_id), name_in(session, incident_id)
    if ticket is not None:
        return f"incident {name} has the ticket {ticket.key}, and an incident has exactly one"
    if session.connection().scalar(_STATE, {"op": op_of(ticket_key(incident_id))}) in UNSURE_STATES:
        return (
            f"syncd's own create for incident {name} is under way;"
            " wait until `syncd outbox` no longer lists it"
        )
    if issue is None:
        return None
    other = session.exec(select(TicketRow).where(TicketRow.issue_id == issue.id)).first()
    if other is not None:
        return f"{issue.key} is the ticket of incident {name_in(session, other.incident_id)}"
    paper = duty_issues_by_id(session, [issue.id]).get(issue.id)
    if paper is not None:
        kind = "the postmortem" if isinstance(paper, PostmortemRow) else "an action item"
        return f"{issue.key} is {kind} of incident {name_in(session, paper.incident_id)}"
    return None


def adopt_named(
    ledger: Own, rules: StorageRules, incident_id: str, issue: Issue, reading: Reading, *, typed_by: str
) -> str | None:
    """Adopt the issue that a system user named as an incident's ticket; return why not, None if it is done.

    A create that waits is superseded.
    """
    with ledger.write() as session:
        why_not = _why_not_adopt(session, incident_id, issue)
        if why_not is not None:
            return why_not
        op = op_of(ticket_key(incident_id))
        create = session.exec(select(OperationRow).where(OperationRow.op == op)).first()
        if create is not None and create.state in OPEN_STATES:
            why = f"{issue.key} was adopted"
            finish(session, create, OperationState.SUPERSEDED, reading.now, why=why)
            end_mass_if_gone(session)
        row = session.get(IncidentRow, incident_id)
        if row is not None:
            row.searched = True
            session.add(row)
        _adopt(session, ledger, rules, incident_id, issue, reading, by="command", typed_by=typed_by)
        notice_changes_in(session, [incident_id], reading.now, 0, "its ticket was adopted", notes=True)
    return None


def lost(ledger: Own, issues: Sequence[Issue]) -> list[Issue]:
    """Return the issues with this ledger's mark that it does not know, although it made them.

    Such an issue proves that somebody put an older file of the ledger back. What was made before a restore
    proves nothing: that ledger knows that it is older.
    """
    marks = {
        issue.id: issue.mark for issue in issues if issue.mark and issue.mark.instance == ledger.instance
    }
    if not marks:
        return []
    with ledger.read() as session:
        known = set(session.connection().scalars(_OPS, {"ops": [mark.op for mark in marks.values()]}))
        on_record = {*tickets_by_issue_in(session, marks), *duty_issues_by_id(session, [*marks])}
        restored = restored_at(session)
    return [
        issue
        for issue in issues
        if issue.id in marks
        and marks[issue.id].op not in known
        and issue.id not in on_record
        and (restored is None or (issue.created_at is not None and issue.created_at > restored + APART))
    ]


# one that is decided and never left has made nothing
_OPS = select(col(OperationRow.op)).where(
    col(OperationRow.op).in_(bindparam("ops", expanding=True)),
    or_(col(OperationRow.attempts) > 0, col(OperationRow.state) == OperationState.DONE),
)


def adopt_lost(
    ledger: Own, rules: StorageRules, issues: Iterable[Issue], reading: Reading
) -> dict[str, Issue]:
    """Adopt tickets with this ledger's mark that it does not have on record; return them by incident."""
    taken: dict[str, Issue] = {}
    with ledger.write() as session:
        for issue in issues:
            mark = issue.mark
            if mark is None or mark.kind != Kind.CREATE_TICKET:
                continue
            incident = session.get(IncidentRow, mark.incident)
            if incident is None or session.get(TicketRow, incident.id) is not None:
                continue
            # in flight or of unknown outcome: that operation finds its ticket by itself
            if session.connection().scalar(_STATE, {"op": mark.op}) in _UNDER_WAY:
                continue
            _adopt(session, ledger, rules, incident.id, issue, reading, by="mark")
            notice_changes_in(session, [incident.id], reading.now, 0, "its ticket was found", notes=True)
            taken[incident.id] = issue
    return taken


_UNDER_WAY = (*UNSURE_STATES, OperationState.DONE)
_STATE = select(col(OperationRow.state)).where(col(OperationRow.op) == bindparam("op"))


def _adopt(
    session: Session,
    ledger: Own,
    rules: StorageRules,
    incident_id: str,
    issue: Issue,
    reading: Reading,
    *,
    by: str,
    agreed: dict[str, JsonValue] | None = None,
    typed_by: str = "",
) -> None:
    """Store an issue as an incident's ticket; `by` names the evidence in the audit event.

    `typed_by` is the system user who named the issue.
    """
    ticket = TicketRow(
        incident_id=incident_id,
        issue_id=issue.id,
        key=issue.key,
        project=issue.project,
        origin="adopted",
        agreed=agreed or {},
        created_at=reading.now,
    )
    store_issue_in(session, rules, ticket, issue, reading.read_seq, reading.now, reading.jira_now)
    _note_earlier_ledger(session, ledger, issue, reading.now)
    _say_adopted(session, "ticket.adopted", incident_id, issue, by, reading.now, typed_by)


def adopt_postmortem(
    ledger: Own,
    rules: StorageRules,
    incident_id: str,
    candidates: Sequence[Issue],
    choose: Callable[[list[Issue]], Choice],
    reading: Reading,
) -> Choice:
    """Adopt the issue that `choose` takes for an incident's postmortem; return the choice.

    `choose` gets those issues that are no ticket, postmortem or action item yet.
    """
    ids = [issue.id for issue in candidates]
    with ledger.write() as session:
        taken = {*tickets_by_issue_in(session, ids), *duty_issues_by_id(session, ids)}
        choice = choose([issue for issue in candidates if issue.id not in taken])
        issue = choice.issue
        if issue is None:
            if choice.unclear:
                _say_unclear(session, incident_id, choice, reading.now)
            return choice
        row = PostmortemRow(
            incident_id=incident_id,
            issue_id=issue.id,
            key=issue.key,
            project=issue.project,
            origin="adopted",
            created_at=issue.created_at or reading.now,
        )
        session.add(row)
        store_duty_issue_in(session, rules, row, issue, reading.read_seq, reading.now)
        _note_earlier_ledger(session, ledger, issue, reading.now)
        _say_adopted(session, "postmortem.adopted", incident_id, issue, choice.by, reading.now)
        return choice


def _say_adopted(
    session: Session, kind: str, incident_id: str, issue: Issue, by: str, now: datetime, typed_by: str = ""
) -> None:
    data: dict[str, JsonValue] = {"key": issue.key, "by": by}
    if typed_by:
        data["typed_by"] = audit.salted(session, typed_by)
    audit.append(session, now, kind, incident=incident_id, issue=issue.id, data=data)


def _say_unclear(session: Session, incident_id: str, choice: Choice, now: datetime) -> None:
    audit.append(session, now, "candidates", incident=incident_id, data={"keys": [*choice.unclear]})


def _note_earlier_ledger(session: Session, ledger: Own, issue: Issue, now: datetime) -> None:
    """Record that an earlier ledger is lost, if an issue bears the mark of another ledger.

    From then on, syncd lists the mails about moments before this ledger's beginning and does not send them:
    the lost ledger may have sent them.
    """
    another = issue.mark is not None and issue.mark.instance != ledger.instance
    if another and note_succession(session, ledger.born):
        words = "an earlier ledger made {}: its facts are rebuilt from both services"
        after_commit(session, partial(logger.warning, words, issue.key))
        data: dict[str, JsonValue] = {"born": ledger.born.isoformat()}
        audit.append(session, now, "ledger.succeeds", data=data)
