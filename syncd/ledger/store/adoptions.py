"""The verbs by which an issue that stands there already becomes an incident's ticket or postmortem.

Which of the candidates it is the engine's rules say (pure functions); that none of them is anybody's
already, and that the incident has none yet, is asked in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loguru import logger
from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import Kind, OperationState, ticket_key
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.intake import StorageRules, store_duty_issue_in, store_issue_in
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.outbox import on_record
from syncd.ledger.store.postmortems import duty_issues_by_id
from syncd.ledger.store.restored import note_succession
from syncd.ledger.store.snapshots import tickets_by_issue_in
from syncd.ledger.store.tables import IncidentRow, OperationRow, PostmortemRow, TicketRow


class Own(Transactions, Protocol):
    """A ledger that knows its name and its birth (`syncd.ledger.open.Ledger`)."""

    instance: str
    born: datetime

    def begin_anew(self, session: Session, now: datetime) -> None:
        """The file is older than what was done in its name."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The issue that is adopted, and what told so (`by`); without one, the keys of those that may be it."""

    issue: Issue | None = None
    by: str = ""
    unclear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """When a read of Jira began, as a moment of the ledger; our time and Jira's, where that is known."""

    read_seq: int
    now: datetime
    jira_now: datetime | None


def unsearched(ledger: Own) -> list[IncidentRecord]:
    """Return the claimed incidents without a ticket that are older than the ledger and were not searched."""
    with ledger.read() as session:
        return load(session, IncidentRecord, _UNSEARCHED, {"born": ledger.born})


_UNSEARCHED = (
    select_records(IncidentRecord)
    .where(
        col(IncidentRow.searched).is_(False),
        col(IncidentRow.created_at) < bindparam("born"),
        col(IncidentRow.team).is_not(None),
        col(IncidentRow.id).not_in(select(TicketRow.incident_id)),
    )
    .order_by(col(IncidentRow.number))
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
    """Adopt the tickets that a search brought for these incidents, or note that it brought none.

    `choose`: given an incident and the issues that are nobody's ticket, which one is its ticket; None: none
    of them may be. Unless the search is `believed`, an incident for which there is none stays unsearched.
    """
    choices: dict[str, Choice] = {}
    with ledger.write() as session:
        for incident_id in incident_ids:
            row = session.get(IncidentRow, incident_id)
            if row is None or session.get(TicketRow, incident_id) is not None:
                continue
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
    """Return True if an incident has a ticket, or the create of one was decided."""
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
    """Adopt the first of these issues that is nobody's ticket; None where the incident has one already."""
    with ledger.write() as session:
        taken = tickets_by_issue_in(session, [issue.id for issue in candidates])
        free = [issue for issue in candidates if issue.id not in taken]
        if not free or session.get(TicketRow, incident_id) is not None:
            return None
        _adopt(session, ledger, rules, incident_id, free[0], reading, by=by, agreed=agreed)
        return free[0]


def adopt_lost(
    ledger: Own, rules: StorageRules, issues: Iterable[Issue], reading: Reading
) -> dict[str, Issue]:
    """Take up tickets that this ledger made and does not know; return them by incident.

    Only a file that was put back by hand knows less than was done in its name, so with the first of them the
    ledger begins anew. What is under way or settling finds its ticket by itself.
    """
    taken: dict[str, Issue] = {}
    with ledger.write() as session:
        for issue in issues:
            mark = issue.mark
            if mark is None or mark.kind != Kind.CREATE_TICKET:
                continue
            incident = session.get(IncidentRow, mark.incident)
            if incident is None or session.get(TicketRow, incident.id) is not None:
                continue
            if session.connection().scalar(_KNOWN, {"op": mark.op}) is not None:
                continue
            if not taken:
                ledger.begin_anew(session, reading.now)
                logger.error("the ledger is older than what was done in its name, such as {}", issue.key)
            _adopt(session, ledger, rules, incident.id, issue, reading, by="mark")
            notice_changes_in(session, [incident.id], reading.now, 0, "its ticket was found", notes=True)
            taken[incident.id] = issue
    return taken


_UNDER_WAY = (OperationState.IN_FLIGHT, OperationState.UNKNOWN, OperationState.DONE)
_KNOWN = select(col(OperationRow.id)).where(
    col(OperationRow.op) == bindparam("op"),
    col(OperationRow.state).in_([str(state) for state in _UNDER_WAY]),
)


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
) -> None:
    """An issue is an incident's ticket from now on; `by` says on the record what told so."""
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
    _say_adopted(session, "ticket.adopted", incident_id, issue, by, reading.now)


def adopt_postmortem(
    ledger: Own,
    rules: StorageRules,
    incident_id: str,
    candidates: Sequence[Issue],
    choose: Callable[[list[Issue]], Choice],
    reading: Reading,
) -> Choice:
    """Adopt the one of these issues that is an incident's postmortem; return which one that is.

    `choose` is given those that are nobody's ticket, postmortem or action item.
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


def _say_adopted(session: Session, kind: str, incident_id: str, issue: Issue, by: str, now: datetime) -> None:
    data: dict[str, JsonValue] = {"key": issue.key, "by": by}
    audit.append(session, now, kind, incident=incident_id, issue=issue.id, data=data)


def _say_unclear(session: Session, incident_id: str, choice: Choice, now: datetime) -> None:
    audit.append(session, now, "candidates", incident=incident_id, data={"keys": [*choice.unclear]})


def _note_earlier_ledger(session: Session, ledger: Own, issue: Issue, now: datetime) -> None:
    """An issue bears another ledger's mark: that one is lost, and what it may have sent is not sent again.

    From then on, mails about what lies before this ledger's beginning are listed and not sent (rules:
    "Start, brakes, ceilings").
    """
    another = issue.mark is not None and issue.mark.instance != ledger.instance
    if another and note_succession(session, ledger.born):
        logger.warning("an earlier ledger made {}: what it knew is rebuilt from both services", issue.key)
        data: dict[str, JsonValue] = {"born": ledger.born.isoformat()}
        audit.append(session, now, "ledger.succeeds", data=data)
