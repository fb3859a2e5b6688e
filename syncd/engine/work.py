"""What happens to one incident while it has its slot: look, decide, record, act, and again until still.

Nothing here runs twice at once for the same incident; different incidents run in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from loguru import logger
from sqlalchemy import delete
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping import Coexist
from syncd.domain.operation import Kind, OperationClass, OperationState
from syncd.engine import paperwork
from syncd.engine.border import keep_incident, keep_issue, tell_lead
from syncd.engine.brakes import rest_of
from syncd.engine.cases import build_case
from syncd.engine.coexist import take_other_tools_ticket
from syncd.engine.desk import Desk
from syncd.engine.executor import Executor, Verdict
from syncd.engine.jira_facts import MappingDoesNotFit
from syncd.engine.latest import as_if_untried, bring_up_to_date, up_to_date
from syncd.engine.people import people_of
from syncd.engine.people_texts import read_comments, read_notes
from syncd.engine.settle import give_up, settle
from syncd.engine.shelter import book_for
from syncd.engine.unreadable import note_read, note_unread
from syncd.ledger import audit, outbox
from syncd.ledger.snapshots import looks_of, ticket_of
from syncd.ledger.tables import IncidentRow, LookAgainRow, OperationRow, TicketRow
from syncd.policy.case import Case, Decision, Remark, Rulebook
from syncd.policy.decide import decide
from syncd.policy.restricted import ASPECT, LEFT
from syncd.policy.severity import decide_severity
from syncd.remote.errors import RemoteError, Unreadable

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

    def __init__(
        self, desk: Desk, left_to_batches: Callable[[OperationRow], bool] = lambda _row: False
    ) -> None:
        self._desk = desk
        self._executor = Executor(desk)
        self._left_to_batches = left_to_batches

    def work(self, incident_id: str) -> Later:
        """Bring one incident as far as it gets now; return when to come back and whom to wake."""
        later = Later()
        for _ in range(ROUNDS):
            if self._desk.stop.is_set():
                return later
            try:
                seen = self._look(incident_id, later)
                if seen is None:
                    return later
                if not self._decide(*seen, later):
                    continue
            except RemoteError as error:
                self._desk.health.failed(error.service, error)
                later.at(max(RETRY_AFTER, self._desk.health.wait(error.service)))
                if self._restricted(incident_id):
                    return later  # undecided, its security level may be what has to go first
            except MappingDoesNotFit as error:
                logger.error("{} waits: {}", incident_id, error)
                later.at(60.0)
                return later
            if not self._act(incident_id, later):
                return later
        logger.error("{} does not come to rest after {} rounds", incident_id, ROUNDS)
        later.at(60.0)
        return later

    def _restricted(self, incident_id: str) -> bool:
        with self._desk.ledger.db.read() as session:
            row = session.get(IncidentRow, incident_id)
        return row is not None and row.restricted

    def _look(self, incident_id: str, later: Later) -> tuple[Incident, Rulebook] | None:
        """Read what is not fresh enough; return incident and rulebook, None where no team claims it."""
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
        book = book_for(desk, row)
        if book is None:
            self._forget_looks(looks)
            return None
        if _lacks_something(incident, book):
            row = self._read_incident(incident_id) or row
            incident, book = Incident.model_validate(row.snapshot), book_for(desk, row) or book
        noted = row.notes_wanted or any(look.notes and look.moment >= row.notes_moment for look in looks)
        if noted and not row.restricted:
            read_notes(self._desk, row)
        take_other_tools_ticket(desk, row)
        later.wake.update(self._know_merge_target(incident))
        self._read_ticket(incident, max((look.moment for look in looks if look.ticket), default=0))
        if book.mapping.two_way.comments and not row.restricted:
            read_comments(desk, incident_id)
        return incident, book

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
        try:
            incident = desk.clients.pagerduty.incident(incident_id)
        except Unreadable as error:
            with desk.ledger.db.write() as session:
                note_unread(session, desk, {incident_id: error.message}, look=False)
            return None
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
            note_read(session, incident_id)
            keep_incident(session, desk, incident, moment, team[0].team if team else kept)
            session.flush()
            return session.get(IncidentRow, incident_id)

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
        fetched = desk.fetch([ticket.issue_id])
        desk.health.succeeded("jira")
        with desk.ledger.db.write() as session:
            session.add(ticket)
            for issue in fetched.issues:
                if issue.id == ticket.issue_id:
                    keep_issue(session, desk, ticket, issue, moment)
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

    def _decide(self, incident: Incident, book: Rulebook, later: Later) -> bool:
        """Decide on the present case and record the result, in one transaction with the looks it answers.

        False: something was read that the decision rests on, so it is taken again.
        """
        desk = self._desk
        people = people_of(desk, incident, book)
        with desk.ledger.db.read() as session:
            looks = looks_of(session, incident.id)
            row = session.get(IncidentRow, incident.id)
            if row is None:
                return True
            case = build_case(session, desk, row, book, people)
            rows = outbox.open_of(session, incident.id)
            decision = decide(as_if_untried(case, rows), book)
            if decision.again is not None:
                later.at(decision.again)
            rest = rest_of(row, book.mapping.version, decision.again, desk.clock.now())
            rest_noted = bool(rows or decision.operations) or row.rest == rest
            settled = (
                rest_noted and not looks and not paperwork.news(session, row, decision, desk.clock.now())
            )
            if settled and not decision.look and _nothing_to_write(row, rows, decision, case):
                return True
        if decision.look:
            paperwork.read(desk, incident.id, book, decision.look)
            return False
        with desk.ledger.db.write() as session:
            now = session.get(IncidentRow, incident.id)
            if now is not None and now.restricted and not case.restricted:
                later.at(0.0)  # somebody said so meanwhile, and this decision may hold texts
                return True
            self._record(session, case, book, decision, looks)
        return True

    def _record(
        self, session: Session, case: Case, book: Rulebook, decision: Decision, looks: list[LookAgainRow]
    ) -> None:
        desk, incident_id, version = self._desk, case.incident.id, book.mapping.version
        _delete(session, looks)
        row = session.get(IncidentRow, incident_id)
        ticket = ticket_of(session, incident_id)
        operations = [op for op in decision.operations if _may_be_made(desk, row, op.kind, book)]
        held = desk.brakes.unprovoked(row, ticket is not None, operations, version) if row else frozenset()
        outbox.record(session, incident_id, operations, desk.clock.now(), version, hold=held)
        bring_up_to_date(session, desk, case, decision)
        if ticket is not None and decision.agreed:
            _agree(session, ticket, decision.agreed)
        for remark in decision.remarks:
            if remark.rule == LEFT:
                tell_lead(session, desk, incident_id, remark.reason, ticket.issue_id if ticket else None)
                continue
            audit.append(
                session,
                desk.clock.now(),
                "left",
                incident=incident_id,
                issue=ticket.issue_id if ticket else None,
                data=_said(session, remark),
            )
        if row is not None:
            severity = decide_severity(Incident.model_validate(row.snapshot), book.mapping, book.section)
            row.severity, row.assumed = severity.name, severity.assumed
            paperwork.record(session, row, decision, case, severity.name, desk.clock.now())
            row.would, row.silence = list(decision.would), decision.silence
            over = row.status == IncidentStatus.RESOLVED and decision.again is None
            left = outbox.open_of(session, incident_id)
            row.finished = over and not left
            if not left and not decision.operations:
                row.rest = rest_of(row, version, decision.again, desk.clock.now())
            session.add(row)

    def _act(self, incident_id: str, later: Later) -> bool:
        """Try each open operation that may leave; return whether anything changed."""
        desk = self._desk
        if desk.dry_run:
            return False
        with desk.ledger.db.read() as session:
            if not desk.brakes.accepted(session):
                return False
            rows = outbox.open_of(session, incident_id)
        moved = False
        for row in sorted(rows, key=lambda one: one.aspect != ASPECT):
            if desk.stop.is_set():
                return False
            verdict = self._try(row, later)
            moved = moved or verdict in (Verdict.DONE, Verdict.AGAIN, Verdict.ENDED)
            if row.aspect == ASPECT and row.state != OperationState.PARKED and verdict is not Verdict.DONE:
                return moved  # the security level goes before everything else of its incident
            if verdict is Verdict.DONE and row.kind == Kind.CREATE_TICKET:
                with desk.ledger.db.read() as session:
                    later.wake.update(outbox.incidents_waiting_for(session, row.key))
        return moved

    def _try(self, row: OperationRow, later: Later) -> Verdict | None:
        desk = self._desk
        if row.state == OperationState.IN_FLIGHT:
            # who has the slot of an incident sends for it: this one's sending blew up before its end
            give_up(desk, row)
            return Verdict.AGAIN
        if row.state not in (OperationState.PENDING, OperationState.SETTLING):
            return None
        if not desk.health.may_ask(row.target):
            later.at(desk.health.wait(row.target))
            return Verdict.WAIT
        if row.state == OperationState.SETTLING:
            verdict, seconds = settle(desk, self._executor, row)
        else:
            with desk.ledger.db.read() as session:
                if outbox.unmet(session, row, desk.clock.now()) or not desk.brakes.may_leave(
                    session, row.target
                ):
                    return None
            if self._left_to_batches(row):
                return None
            verdict, seconds = self._executor.attempt(row), RETRY_AFTER
        if verdict is Verdict.WAIT:
            later.at(max(seconds, desk.health.wait(row.target)))
        return verdict


def _said(session: Session, remark: Remark) -> dict[str, JsonValue]:
    """A remark as the audit trail has it; a person's name is a salted hash."""
    said: dict[str, JsonValue] = {"rule": remark.rule, "reason": remark.reason}
    return said if remark.by is None else {**said, "by": audit.salted(session, remark.by)}


def _lacks_something(incident: Incident, book: Rulebook) -> bool:
    """Whether a rule looks at something that only a read by id shows."""
    fields = book.mapping.severity_field is not None and incident.custom_fields is None
    return fields or (bool(book.mapping.restricted.incident_types) and incident.incident_type is None)


def _delete(session: Session, looks: list[LookAgainRow]) -> None:
    if looks:
        session.connection().execute(
            delete(LookAgainRow).where(col(LookAgainRow.id).in_([look.id for look in looks]))
        )


def _may_be_made(desk: Desk, row: IncidentRow | None, kind: str, book: Rulebook) -> bool:
    """A create waits until it was searched whether an incident may have a ticket that we do not know.

    That is one older than the ledger, and any where another tool makes tickets, too.
    """
    if row is None or kind != "create_ticket":
        return True
    others = book.mapping.coexist is Coexist.ADOPT
    return row.searched or (row.created_at >= desk.ledger.born and not others)


def _agree(session: Session, ticket: TicketRow, agreed: dict[str, JsonValue]) -> None:
    after = {**ticket.agreed, **agreed}
    if after != ticket.agreed:
        ticket.agreed = after
        if "state" in agreed and ticket.snapshot:
            stands = str(ticket.snapshot["status"]["id"])
            if ticket.placed_status is None or _moved_there(session, ticket, stands):
                ticket.placed_status = stands
        session.add(ticket)


def _moved_there(session: Session, ticket: TicketRow, status: str) -> bool:
    """Whether it stands where a move of ours was to bring it whose answer was lost: then we put it there."""
    row = outbox.perhaps_done(session, f"ticket:{ticket.incident_id}", "status")
    to = (row.rendered or {}).get("to") if row else None
    return isinstance(to, dict) and to.get("id") == status


def _nothing_to_write(row: IncidentRow, rows: list[OperationRow], decision: Decision, case: Case) -> bool:
    """Whether recording the decision would change nothing: no transaction is begun then."""
    if decision.agreed or decision.remarks or decision.silence != row.silence:
        return False
    if not up_to_date(case, rows, decision):
        return False
    over = row.status == IncidentStatus.RESOLVED and decision.again is None and not rows
    if over != row.finished or list(decision.would) != row.would:
        return False
    states = {(row.object, row.aspect): row.meaning for row in rows if row.op_class == OperationClass.STATE}
    wanted = {(op.object, op.aspect): op.meaning for op in decision.operations if op.aspect}
    return states == wanted and all(op.aspect or op.key in case.once for op in decision.operations)
