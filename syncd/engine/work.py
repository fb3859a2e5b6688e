"""What happens to one incident while it has its slot: look, decide, record, act, and again until still.

Nothing here runs twice at once for the same incident; different incidents run in parallel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loguru import logger
from sqlmodel import Session

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.operation import OperationClass, OperationState
from syncd.engine.cases import build_case
from syncd.engine.desk import Desk
from syncd.engine.executor import Executor, Verdict
from syncd.engine.jira_facts import MappingDoesNotFit
from syncd.engine.people import people_of
from syncd.engine.settle import settle
from syncd.ledger import audit, outbox
from syncd.ledger.snapshots import looks_of, save_incident, save_issue, save_notes, ticket_of
from syncd.ledger.tables import IncidentRow, LookAgainRow, OperationRow, TicketRow
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.decide import decide
from syncd.policy.severity import decide_severity
from syncd.remote.errors import RemoteError

ROUNDS = 12
"""Rounds of look, decide and act in one go; more than a life needs, so more means a circle."""
RETRY_AFTER = 5.0
"""Seconds until an incident whose operation waits for its service is tried again; the service's own
pause counts where it is longer."""


@dataclass
class Later:
    """What the worker wants to come back for, in seconds; None: nothing."""

    seconds: float | None = None
    wake: set[str] = field(default_factory=set)

    def at(self, seconds: float) -> None:
        """Come back after `seconds` at the latest."""
        self.seconds = seconds if self.seconds is None else min(self.seconds, seconds)


class Worker:
    """Works on one incident at a time (in one thread)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._executor = Executor(desk)

    def work(self, incident_id: str) -> Later:
        """Bring one incident as far as it gets now; return when to come back and whom to wake."""
        later = Later()
        for _ in range(ROUNDS):
            if self._desk.stop.is_set():
                return later
            try:
                book = self._look(incident_id, later)
                if book is None:
                    return later
                self._decide(incident_id, book, later)
            except RemoteError as error:
                self._desk.health.failed(error.service, error)
                later.at(max(RETRY_AFTER, self._desk.health.wait(error.service)))
                book = None
            except MappingDoesNotFit as error:
                logger.error("{} waits: {}", incident_id, error)
                later.at(60.0)
                return later
            if not self._act(incident_id, later):
                return later
        logger.error("{} does not come to rest after {} rounds", incident_id, ROUNDS)
        later.at(60.0)
        return later

    def _look(self, incident_id: str, later: Later) -> Rulebook | None:
        """Read what is not fresh enough; return the rulebook, None where no team claims the incident."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            row = session.get(IncidentRow, incident_id)
            looks = looks_of(session, incident_id)
        wanted = max((look.moment for look in looks if not look.ticket), default=0)
        if row is None or row.moment < wanted:
            row = self._read_incident(incident_id)
        if row is None:
            self._forget_looks(looks)
            return None
        incident = Incident.model_validate(row.snapshot)
        book = desk.book_of(incident, row.team)
        if book is None:
            self._forget_looks(looks)
            return None
        if book.mapping.severity_field is not None and incident.custom_fields is None:
            row = self._read_incident(incident_id) or row
            incident = Incident.model_validate(row.snapshot)
        if row.notes_wanted or any(look.notes and look.moment >= row.notes_moment for look in looks):
            self._read_notes(row)
        later.wake.update(self._know_merge_target(incident))
        self._read_ticket(incident, max((look.moment for look in looks if look.ticket), default=0))
        return book

    def _know_merge_target(self, incident: Incident) -> set[str]:
        """The incident that this one was merged into must be known, and decided on for its ticket."""
        desk, target = self._desk, incident.merged_into
        if target is None:
            return set()
        with desk.ledger.db.read() as session:
            known = session.get(IncidentRow, target)
            ticket = ticket_of(session, target)
        if known is None:
            self._read_incident(target)
        return {target} if ticket is None else set()

    def _read_incident(self, incident_id: str) -> IncidentRow | None:
        desk = self._desk
        moment = desk.ledger.moments.next()
        incident = desk.clients.pagerduty.incident(incident_id)
        desk.health.succeeded("pagerduty")
        if incident is None:
            logger.warning(
                "PagerDuty does not show incident {} to us; nothing about it is changed", incident_id
            )
            return None
        team = desk.team_of(incident.service.id, incident.service.name)
        with desk.ledger.db.write() as session:
            known = session.get(IncidentRow, incident_id)
            kept = known.team if known else None
            save_incident(session, incident, moment, desk.clock.now(), team[0].team if team else kept)
            session.flush()
            return session.get(IncidentRow, incident_id)

    def _read_notes(self, row: IncidentRow) -> None:
        desk = self._desk
        moment = desk.ledger.moments.next()
        notes = desk.clients.pagerduty.notes(row.id)
        with desk.ledger.db.write() as session:
            session.add(row)
            save_notes(session, row, notes, moment)

    def _read_ticket(self, incident: Incident, wanted: int) -> None:
        """A ticket is read by id where a look asks for it, or where it must be moved and was never read."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            ticket = ticket_of(session, incident.id)
        if ticket is None:
            return
        never = not ticket.snapshot and incident.status is not IncidentStatus.TRIGGERED
        if not never and ticket.moment >= wanted:
            return
        moment = desk.ledger.moments.next()
        fetched = desk.clients.jira.fetch([ticket.issue_id])
        desk.health.succeeded("jira")
        with desk.ledger.db.write() as session:
            session.add(ticket)
            for issue in fetched.issues:
                if issue.id == ticket.issue_id:
                    save_issue(session, ticket, issue, moment)
            if not fetched.issues and not fetched.unread and ticket.out_of_sight_since is None:
                ticket.out_of_sight_since = desk.clock.now()
                audit.append(
                    session,
                    desk.clock.now(),
                    "ticket.out_of_sight",
                    incident=incident.id,
                    issue=ticket.issue_id,
                )

    def _forget_looks(self, looks: list[LookAgainRow]) -> None:
        if looks:
            with self._desk.ledger.db.write() as session:
                _delete(session, looks)

    def _decide(self, incident_id: str, book: Rulebook, later: Later) -> None:
        """Decide on the present case and record the result, in one transaction with the looks it answers."""
        desk = self._desk
        with desk.ledger.db.read() as session:
            row = session.get(IncidentRow, incident_id)
        if row is None:
            return
        people = people_of(desk, Incident.model_validate(row.snapshot), book)
        with desk.ledger.db.read() as session:
            looks = looks_of(session, incident_id)
            row = session.get(IncidentRow, incident_id)
            if row is None:
                return
            case = build_case(session, desk, row, book, people)
            decision = decide(case, book)
            if decision.again is not None:
                later.at(decision.again)
            if _nothing_to_write(session, row, decision, case) and not looks:
                return
        with desk.ledger.db.write() as session:
            self._record(session, incident_id, book, decision, looks)

    def _record(
        self,
        session: Session,
        incident_id: str,
        book: Rulebook,
        decision: Decision,
        looks: list[LookAgainRow],
    ) -> None:
        desk = self._desk
        _delete(session, looks)
        row = session.get(IncidentRow, incident_id)
        ticket = ticket_of(session, incident_id)
        operations = [op for op in decision.operations if _may_be_made(desk, row, op.kind)]
        outbox.record(session, incident_id, operations, desk.clock.now(), book.mapping.version)
        if ticket is not None and decision.agreed:
            _agree(session, ticket, decision.agreed)
        for remark in decision.remarks:
            audit.append(
                session,
                desk.clock.now(),
                "left",
                incident=incident_id,
                issue=ticket.issue_id if ticket else None,
                data={"rule": remark.rule, "reason": remark.reason},
            )
        if row is not None:
            severity = decide_severity(Incident.model_validate(row.snapshot), book.mapping, book.section)
            row.severity, row.assumed = severity.name, severity.assumed
            row.would, row.silence = list(decision.would), decision.silence
            over = row.status == IncidentStatus.RESOLVED and decision.again is None
            row.finished = over and not outbox.open_of(session, incident_id)
            session.add(row)

    def _act(self, incident_id: str, later: Later) -> bool:
        """Try each open operation that may leave; return whether anything changed."""
        desk = self._desk
        if desk.dry_run:
            return False
        with desk.ledger.db.read() as session:
            rows = outbox.open_of(session, incident_id)
        moved = False
        for row in rows:
            if desk.stop.is_set():
                return False
            verdict = self._try(row, later)
            moved = moved or verdict in (Verdict.DONE, Verdict.AGAIN, Verdict.ENDED)
            if verdict is Verdict.DONE:
                with desk.ledger.db.read() as session:
                    later.wake.update(outbox.incidents_waiting_for(session, row.key))
        return moved

    def _try(self, row: OperationRow, later: Later) -> Verdict | None:
        desk = self._desk
        if row.state not in (OperationState.PENDING, OperationState.SETTLING):
            return None
        if not desk.health.may_ask(row.target):
            later.at(desk.health.wait(row.target))
            return Verdict.WAIT
        if row.state == OperationState.SETTLING:
            verdict, seconds = settle(desk, self._executor, row)
        else:
            with desk.ledger.db.read() as session:
                if outbox.unmet(session, row):
                    return None
            verdict, seconds = self._executor.attempt(row), RETRY_AFTER
        if verdict is Verdict.WAIT:
            later.at(max(seconds, desk.health.wait(row.target)))
        return verdict


def _delete(session: Session, looks: list[LookAgainRow]) -> None:
    for look in looks:
        found = session.get(LookAgainRow, look.id)
        if found is not None:
            session.delete(found)


def _may_be_made(desk: Desk, row: IncidentRow | None, kind: str) -> bool:
    """A create waits until it was searched whether an incident older than the ledger has a ticket."""
    if row is None or kind != "create_ticket":
        return True
    return row.searched or row.created_at >= desk.ledger.born


def _agree(session: Session, ticket: TicketRow, agreed: dict[str, JsonValue]) -> None:
    after = {**ticket.agreed, **agreed}
    if after != ticket.agreed:
        ticket.agreed = after
        if "state" in agreed and ticket.placed_status is None and ticket.snapshot:
            ticket.placed_status = str(ticket.snapshot["status"]["id"])
        session.add(ticket)


def _nothing_to_write(session: Session, row: IncidentRow, decision: Decision, case: Case) -> bool:
    """Whether recording the decision would change nothing: no transaction is begun then."""
    if decision.agreed or decision.remarks or decision.silence != row.silence:
        return False
    rows = outbox.open_of(session, row.id)
    over = row.status == IncidentStatus.RESOLVED and decision.again is None and not rows
    if over != row.finished or list(decision.would) != row.would:
        return False
    states = {(row.object, row.aspect): row.meaning for row in rows if row.op_class == OperationClass.STATE}
    wanted = {(op.object, op.aspect): op.meaning for op in decision.operations if op.aspect}
    return states == wanted and all(op.aspect or op.key in case.once for op in decision.operations)
