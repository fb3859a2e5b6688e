"""Creates in batches, when many incidents wait at once: each operation exactly once, as if it went alone.

A batch becomes in flight in one transaction with one `probe_from`. Keys are bound only by reading back
what was made, by its mark: the answer names no input and promises no order. What an answer refuses goes
on alone; after a lost answer what is found is bound at once, and the rest settles and goes alone. Batches
start at 10 and double while answers stay under 10 seconds. The two highest severities never ride in one.
Data Center has no bulk create.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from loguru import logger
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationState
from syncd.domain.ticket import Issue
from syncd.engine.acts.base import CannotRender, DecideAgain, Outcome, Rendered, mark_of
from syncd.engine.acts.registry import ACTS
from syncd.engine.border import keep_issue
from syncd.engine.bulk_status import StatusAtBirth
from syncd.engine.desk import Desk
from syncd.engine.dispatch import Dispatcher
from syncd.engine.executor import Executor
from syncd.engine.probe import highest_seen, keys_from, saw_numbers
from syncd.ledger import outbox
from syncd.ledger.tables import IncidentRow, OperationRow, TicketRow
from syncd.remote.budget import prepaid
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.ports import BulkAnswer, BulkItem

FROM = 10
"""So many incidents have to wait at once for batches to be worth it."""
FIRST, MOST = 10, 50
QUICK_SECONDS = 10.0
GRAVE = 2
"""So many of the mapping's first severities go alone, at once."""


@dataclass
class _Item:
    row: OperationRow
    rendered: Rendered
    transition: str | None = None


class BulkCreates:
    """The batches of one engine."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher, executor: Executor) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._executor = executor
        self._births = StatusAtBirth(desk, executor)
        self._size = FIRST
        self._lock = Lock()
        self.enabled = True
        self.under_way = False

    def expect(self, incidents: int) -> None:
        """So many incidents are about to be worked on: with many, their creates are left to batches."""
        if self.enabled and incidents >= FROM and self._desk.clients.jira.server().edition == "cloud":
            self.under_way = True

    def takes(self, row: OperationRow) -> bool:
        """Whether a worker leaves this create to the batches."""
        if not self.under_way or row.kind != Kind.CREATE_TICKET or row.attempts or row.meaning:
            return False
        with self._desk.ledger.db.read() as session:
            return not self._grave(session, row)

    def _grave(self, session: Session, row: OperationRow) -> bool:
        incident = session.get(IncidentRow, row.incident_id)
        if incident is None:
            return True
        mapping = next((one for one in self._desk.mappings if one.team == incident.team), None)
        return mapping is None or incident.severity in list(mapping.severities)[:GRAVE]

    def run(self) -> None:
        """Send batches until none is left to send; what remains goes alone."""
        if not self.under_way or not self._lock.acquire(blocking=False):
            return
        try:
            while self._may_go_on() and self._one_batch():
                pass
        finally:
            self._lock.release()

    def _may_go_on(self) -> bool:
        desk = self._desk
        return not desk.stop.is_set() and not desk.dry_run and desk.brakes.may_leave_now("jira")

    def end(self) -> None:
        """Nothing more is waiting to be decided: what the batches left goes alone."""
        self.under_way = False
        with self._desk.ledger.db.read() as session:
            self._dispatcher.submit(row.incident_id for row in self._waiting(session, MOST * 100))
            self._dispatcher.submit(outbox.incidents_that_need_something(session))

    def _waiting(self, session: Session, limit: int) -> list[OperationRow]:
        query = (
            select(OperationRow)
            .where(
                OperationRow.state == OperationState.PENDING,
                OperationRow.kind == Kind.CREATE_TICKET,
                OperationRow.attempts == 0,
            )
            .order_by(col(OperationRow.id))
            .limit(limit)
        )
        return [row for row in session.exec(query).all() if not row.meaning]

    def _one_batch(self) -> bool:
        desk = self._desk
        if not desk.health.may_ask("jira"):
            return False
        with desk.ledger.db.read() as session:
            rows = [row for row in self._waiting(session, self._size * 2) if not self._grave(session, row)]
        taken = set(self._dispatcher.reserve(row.incident_id for row in rows[: self._size]))
        sent = False
        try:
            items = self._rendered([row for row in rows if row.incident_id in taken])
            if len(items) < 2:
                return False
            sent = True
            self._send(items)
            return True
        except RemoteError as error:
            desk.health.failed(error.service, error)
            return False
        finally:
            # what was not sent waits for `end`: asked for again now, the queue would never be empty
            again = taken if sent else self._with_ticket(taken)
            self._dispatcher.release(taken - again)
            self._dispatcher.release(again, again=True)

    def _with_ticket(self, incident_ids: set[str]) -> set[str]:
        with self._desk.ledger.db.read() as session:
            return {one for one in incident_ids if session.get(TicketRow, one) is not None}

    def _rendered(self, rows: list[OperationRow]) -> list[_Item]:
        """What can be rendered, all of the first one's project; the rest is left to the workers."""
        items: list[_Item] = []
        act = ACTS[Kind.CREATE_TICKET]
        for row in rows:
            try:
                rendered = act.render(self._desk, row)
            except (CannotRender, DecideAgain):
                continue
            if not items or _project(items[0].rendered) == _project(rendered):
                items.append(_Item(row, rendered))
        return self._with_transitions(items)

    def _with_transitions(self, items: list[_Item]) -> list[_Item]:
        for item in list(items):
            way = self._births.transition_for(item.row)
            if way.alone:
                items.remove(item)
            item.transition = way.transition
        return items

    def _send(self, items: list[_Item]) -> None:
        desk = self._desk
        project = _project(items[0].rendered)
        base = highest_seen(desk, project)
        desk.budgets.take("jira")
        claimed = self._claim(items, base)
        if not claimed:
            return
        began = desk.clock.boottime()
        asked = [BulkItem(_fields(one.rendered), mark_of(desk, one.row), one.transition) for one in claimed]
        try:
            with prepaid():
                answer = desk.clients.jira.create_many(asked)
        except NotDone as error:
            self._none_done(claimed, error)
            return
        except Unknown as error:
            self._lost(claimed, project, base, error)
            return
        took = desk.clock.boottime() - began
        self._size = min(MOST, self._size * 2) if took < QUICK_SECONDS else max(FIRST, self._size // 2)
        desk.health.succeeded("jira")
        self._answered(claimed, project, answer)

    def _claim(self, items: list[_Item], base: int) -> list[_Item]:
        desk, claimed = self._desk, []
        with desk.ledger.db.write() as session:
            if not desk.brakes.may_leave(session, "jira"):
                return []  # paused while it was made ready
            for item in items:
                row = outbox.claim(
                    session, item.row.id or 0, desk.ledger.run_name, desk.clock.now(), item.rendered, base
                )
                if row is not None:
                    claimed.append(_Item(row, item.rendered, item.transition))
        return claimed

    def _none_done(self, items: list[_Item], error: NotDone) -> None:
        desk = self._desk
        desk.health.failed(error.service, error)
        with desk.ledger.db.write() as session:
            for item in items:
                session.add(item.row)
                if error.cause is Cause.REJECTED:
                    item.row.rendered = None
                outbox.put_back(session, item.row, desk.clock.now(), error.describe())
        logger.warning("a batch of {} creates was not done: {}", len(items), error.describe())

    def _lost(self, items: list[_Item], project: str, base: int, error: Unknown) -> None:
        """The answer is lost: all settle, and what is found at once is bound at once."""
        desk = self._desk
        desk.health.failed(error.service, error)
        self._settle(items, error.describe())
        logger.warning("the answer to a batch of {} creates is lost: {}", len(items), error.describe())
        try:
            self._bind(items, list(keys_from(desk, project, base)), moment=0)
        except RemoteError as worse:
            desk.health.failed(worse.service, worse)

    def _settle(self, items: list[_Item], words: str) -> None:
        desk = self._desk
        with desk.ledger.db.write() as session:
            for item in items:
                session.add(item.row)
                outbox.settle(session, item.row, desk.clock.now(), desk.gave_up(), words)

    def _answered(self, items: list[_Item], project: str, answer: BulkAnswer) -> None:
        desk, act = self._desk, ACTS[Kind.CREATE_TICKET]
        saw_numbers(desk, project, [int(one.key.rpartition("-")[2]) for one in answer.created])
        for number, error in answer.refused.items():
            if number < len(items):
                self._executor.refuse(act, items[number].row, error)
        made = [item for number, item in enumerate(items) if number not in answer.refused]
        moment = desk.ledger.moments.next()
        ids = [one.id for one in answer.created]
        desk.fetch_lag.made(ids)
        began = desk.clock.boottime()
        try:
            issues = desk.fetch(ids).issues
        except RemoteError as error:
            self._settle(made, f"made, but not read back: {error.describe()}")
            return
        desk.fetch_lag.looked(ids, [issue.id for issue in issues], began)
        bound = self._bind(made, list(issues), moment)
        unbound = [item for item in made if item.row.id not in bound]
        if unbound:
            self._settle(unbound, "not among what the answer named")

    def _bind(self, items: list[_Item], issues: list[Issue], moment: int) -> set[int | None]:
        """Confirm what bears our marks, in one transaction; `moment` 0: the issues were not read whole."""
        desk = self._desk
        by_op = {issue.mark.op: issue for issue in issues if issue.mark is not None}
        bound: set[int | None] = set()
        with desk.ledger.db.write() as session:
            for item in items:
                issue = by_op.get(item.row.op)
                if issue is None:
                    continue
                session.add(item.row)
                self._confirm(session, item, issue, moment)
                bound.add(item.row.id)
        logger.info("{} tickets made in one batch", len(bound))
        return bound

    def _confirm(self, session: Session, item: _Item, issue: Issue, moment: int) -> None:
        desk, row = self._desk, item.row
        outcome = Outcome(issue.id, {"key": issue.key})
        ACTS[Kind.CREATE_TICKET].confirm(session, desk, row, outcome)
        outbox.finish(session, row, OperationState.DONE, desk.clock.now(), remote_id=issue.id)
        ticket = session.get(TicketRow, row.incident_id)
        known = session.get(IncidentRow, row.incident_id)
        if ticket is None or known is None or not moment:
            return
        # the read began after the create was answered, so it is later than our write
        ticket.written_moment = moment - 1
        keep_issue(session, desk, ticket, issue, moment)
        if item.transition is not None:
            incident = Incident.model_validate(known.snapshot)
            if self._births.arrived(incident, known.team, issue.status.id):
                ticket.agreed = {**ticket.agreed, "state": incident.status}
                ticket.placed_status = issue.status.id
        session.add(ticket)


def _project(rendered: Rendered) -> str:
    project = _fields(rendered).get("project")
    return str(project.get("key", "")) if isinstance(project, dict) else ""


def _fields(rendered: Rendered) -> dict[str, JsonValue]:
    fields = rendered.get("fields")
    return fields if isinstance(fields, dict) else {}
