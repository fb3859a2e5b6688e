"""Creates in batches, when many incidents wait at once: each operation exactly once, as if it went alone.

A batch becomes in flight in one transaction with one `probe_from`. Keys are bound only by reading back
what was made, by its mark: the answer names no input and promises no order. What an answer refuses goes
on alone; after a lost answer what is found is bound at once, and the rest settles and goes alone. Batches
start at 10 and double while answers stay under 10 seconds. The two highest severities never ride in one.
Data Center has no bulk create.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock

from loguru import logger
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import Kind, OperationState
from syncd.domain.ticket import Issue
from syncd.engine.act.executor import Executor
from syncd.engine.act.find_created import highest_seen, keys_from
from syncd.engine.act.kind import Outcome, Rendered, mark_of
from syncd.engine.act.kinds.create_ticket import CreateTicket
from syncd.engine.bulk.initial_status import StatusAtBirth, Way
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.intake import keep_issue
from syncd.engine.observe.issue_numbers import saw_numbers
from syncd.engine.work_queue import Dispatcher
from syncd.ledger.store import outbox
from syncd.ledger.store.snapshots import incidents_of
from syncd.ledger.store.tables import IncidentRow, OperationRow, TicketRow
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import prepaid
from syncd.remote.ports import BulkAnswer, BulkItem

FROM = 10
"""So many incidents have to wait at once for batches to be worth it."""
FIRST, MOST = 10, 50
READ = 100
"""Issues that are read back in one request."""
QUICK_SECONDS = 10.0
GRAVE = 2
"""So many of the mapping's first severities go alone, at once."""


CREATE = CreateTicket()


@dataclass
class _Item:
    row: OperationRow
    rendered: Rendered
    incident: Incident
    team: str | None
    way: Way = field(default_factory=Way)


@dataclass
class _Made:
    """What batches made and nobody has read back yet; the slots of its incidents are taken."""

    items: list[_Item] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class BulkCreates:
    """The batches of one engine."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher, executor: Executor) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._executor = executor
        self._births = StatusAtBirth(desk, executor)
        self._size = FIRST
        self._made = _Made()
        self._afterwards: set[str] = set()
        self._lock = Lock()
        self.enabled = True
        self.under_way = False

    def expect(self, incidents: int) -> None:
        """So many incidents are about to be worked on: with many, their creates are left to batches."""
        if self.enabled and incidents >= FROM and self._desk.clients.jira.server().edition == "cloud":
            self.under_way = True

    def takes(self, row: OperationRow, incident: IncidentRow) -> bool:
        """Whether a worker leaves this create to the batches."""
        if not self.under_way or row.kind != Kind.CREATE_TICKET or row.attempts or row.meaning:
            return False
        return row.state == OperationState.PENDING and not self._grave(incident.team, incident.severity)

    def _grave(self, team: str | None, severity: str | None) -> bool:
        mapping = next((one for one in self._desk.mappings if one.team == team), None)
        return mapping is None or severity in list(mapping.severities)[:GRAVE]

    def due(self, incident_ids: list[str]) -> list[str]:
        """Those of these incidents whose turn it is: what batches made goes on when all creates have left."""
        return [one for one in incident_ids if one not in self._afterwards]

    def run(self) -> None:
        """Send batches until none is left to send; what remains goes alone."""
        if not self.under_way or not self._lock.acquire(blocking=False):
            return
        try:
            while self._may_go_on() and self._one_batch():
                if len(self._made.ids) + self._size > READ:
                    self._read_back()
        finally:
            try:
                self._read_back()
            finally:
                self._lock.release()

    def _may_go_on(self) -> bool:
        desk = self._desk
        return not desk.stop.is_set() and not desk.dry_run and desk.brakes.may_leave_now("jira")

    def end(self) -> None:
        """Nothing more waits to be decided: what the batches left goes alone, and what they made goes on.

        Until then no update or comment of what they made stands in the way of the creates.
        """
        self.under_way = False
        with self._desk.ledger.db.read() as session:
            self._dispatcher.submit(self._waiting(session, MOST * 100).values())
            self._dispatcher.submit(outbox.incidents_that_need_something(session))
        self._dispatcher.submit(self._afterwards)
        self._afterwards = set()

    def _waiting(self, session: Session, limit: int, *, light: bool = False) -> dict[int, str]:
        """Creates that never left, the oldest first, and their incidents; `light`: none of the gravest."""
        table, whose = col(OperationRow.id), col(IncidentRow.id)
        query = (
            columns(
                table,
                col(OperationRow.incident_id),
                col(OperationRow.meaning),
                col(IncidentRow.team),
                col(IncidentRow.severity),
            )
            .join(IncidentRow, whose == col(OperationRow.incident_id))
            .where(
                col(OperationRow.state) == OperationState.PENDING,
                col(OperationRow.kind) == Kind.CREATE_TICKET,
                col(OperationRow.attempts) == 0,
            )
            .order_by(table)
            .limit(limit)
        )
        return {
            number: incident
            for number, incident, meaning, team, severity in session.connection().execute(query)
            if not meaning and not (light and self._grave(team, severity))
        }

    def _one_batch(self) -> bool:
        desk = self._desk
        if not desk.health.may_ask("jira"):
            return False
        with desk.ledger.db.read() as session:
            waiting = self._waiting(session, self._size * 2, light=True)
        first = dict(list(waiting.items())[: self._size])
        taken = set(self._dispatcher.reserve(first.values()))
        sent, kept = False, set[str]()
        try:
            items = self._rendered([number for number, incident in first.items() if incident in taken])
            if len(items) < 2:
                return False
            sent = True
            kept = self._send(items)
            return True
        except RemoteError as error:
            desk.health.failed(error.service, error)
            return False
        finally:
            # what was not sent waits for `end`: asked for again now, the queue would never be empty
            self._let_go(taken - kept, again=sent)

    def _let_go(self, incident_ids: set[str], *, again: bool) -> None:
        """Give slots back; what has to be worked on again waits until all creates have left."""
        self._afterwards |= incident_ids if again else self._with_ticket(incident_ids)
        self._dispatcher.release(incident_ids)

    def _with_ticket(self, incident_ids: set[str]) -> set[str]:
        with self._desk.ledger.db.read() as session:
            query = select(TicketRow.incident_id).where(col(TicketRow.incident_id).in_(incident_ids))
            return set(session.exec(query).all())

    def _rendered(self, numbers: list[int]) -> list[_Item]:
        """What can be rendered, all of the first one's project; the rest is left to the workers."""
        items: list[_Item] = []
        with self._desk.ledger.db.read() as session:
            query = (
                select(OperationRow).where(col(OperationRow.id).in_(numbers)).order_by(col(OperationRow.id))
            )
            rows = session.exec(query).all()
            known = {one.id: one for one in incidents_of(session, [row.incident_id for row in rows])}
        ticketed = self._with_ticket(set(known))
        for row in rows:
            incident = known.get(row.incident_id)
            if incident is None or row.incident_id in ticketed:
                continue
            try:
                rendered = CREATE.render_known(self._desk, row, incident)
            except (CannotRender, DecideAgain):
                continue
            if not items or _project(items[0].rendered) == _project(rendered):
                items.append(_Item(row, rendered, Incident.model_validate(incident.snapshot), incident.team))
        return self._with_transitions(items)

    def _with_transitions(self, items: list[_Item]) -> list[_Item]:
        for item in list(items):
            way = self._births.transition_for(item.row, item.incident, item.team)
            if way.alone:
                items.remove(item)
            item.way = way
        return items

    def _send(self, items: list[_Item]) -> set[str]:
        """Send one batch; return the incidents of what was made, whose slots stay taken until it is read."""
        desk = self._desk
        project = _project(items[0].rendered)
        base = highest_seen(desk, project)
        desk.budgets.take("jira")
        claimed = self._claim(items, base)
        if not claimed:
            return set()
        began = desk.clock.boottime()
        asked = [
            BulkItem(_fields(one.rendered), mark_of(desk, one.row), one.way.transition) for one in claimed
        ]
        try:
            with prepaid():
                answer = desk.clients.jira.create_many(asked)
        except NotDone as error:
            self._none_done(claimed, error)
            return set()
        except Unknown as error:
            self._lost(claimed, project, base, error)
            return set()
        took = desk.clock.boottime() - began
        self._size = min(MOST, self._size * 2) if took < QUICK_SECONDS else max(FIRST, self._size // 2)
        desk.health.succeeded("jira")
        return self._answered(claimed, project, answer)

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
                    claimed.append(replace(item, row=row))
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

    def _answered(self, items: list[_Item], project: str, answer: BulkAnswer) -> set[str]:
        """What is refused goes on alone; what was made is read back with what the next batch makes."""
        saw_numbers(self._desk, project, [int(one.key.rpartition("-")[2]) for one in answer.created])
        made = [item for number, item in enumerate(items) if number not in answer.refused]
        self._made.items += made
        self._made.ids += [one.id for one in answer.created]
        for number, error in answer.refused.items():
            if number < len(items):
                self._refused(items[number], error)
        return {item.row.incident_id for item in made}

    def _refused(self, item: _Item, error: NotDone) -> None:
        if item.way.transition is None:
            self._executor.refuse(CREATE, item.row, error)
            return
        # it may be the transition that is refused: once more, alone and without it
        self._births.forget(item.incident, item.team)
        with self._desk.ledger.db.write() as session:
            session.add(item.row)
            outbox.put_back(session, item.row, self._desk.clock.now(), error.describe())

    def _read_back(self) -> None:
        """Bind what was made by its marks; what does not show settles."""
        desk, made, self._made = self._desk, self._made, _Made()
        if not made.items:
            return
        try:
            moment = desk.ledger.moments.next()
            try:
                issues = desk.fetch(made.ids).issues
            except RemoteError as error:
                desk.health.failed(error.service, error)
                self._settle(made.items, f"made, but not read back: {error.describe()}")
                return
            bound = self._bind(made.items, list(issues), moment)
            unbound = [item for item in made.items if item.row.id not in bound]
            if unbound:
                self._settle(unbound, "not among what the answer named")
        finally:
            self._let_go({item.row.incident_id for item in made.items}, again=True)

    def _bind(self, items: list[_Item], issues: list[Issue], moment: int) -> set[int | None]:
        """Confirm what bears our marks, in one transaction; `moment` 0: the issues were not read whole."""
        desk = self._desk
        by_op = {issue.mark.op: issue for issue in issues if issue.mark is not None}
        found = [(item, by_op[item.row.op]) for item in items if item.row.op in by_op]
        with desk.ledger.db.write() as session, session.no_autoflush:
            known = incidents_of(session, [item.row.incident_id for item, _ in found])
            for item, issue in found:
                session.add(item.row)
                CREATE.confirm(session, desk, item.row, Outcome(issue.id, {"key": issue.key}))
                outbox.finish(session, item.row, OperationState.DONE, desk.clock.now(), remote_id=issue.id)
            if moment:
                tickets = {one.incident_id: one for one in session.new if isinstance(one, TicketRow)}
                for item, issue in found:
                    self._keep(session, item, tickets[item.row.incident_id], issue, moment)
        logger.info("{} tickets of {} made in one batch", len(found), len(known))
        return {item.row.id for item, _ in found}

    def _keep(self, session: Session, item: _Item, ticket: TicketRow, issue: Issue, moment: int) -> None:
        """What was read back is the ticket's first snapshot, and its status may be the right one already."""
        # the read began after the create was answered, so it is later than our write
        ticket.written_moment = moment - 1
        keep_issue(session, self._desk, ticket, issue, moment)
        if item.way.goal == issue.status.id:
            ticket.agreed = {**ticket.agreed, "state": item.incident.state}
            ticket.placed_status = issue.status.id


def _project(rendered: Rendered) -> str:
    project = _fields(rendered).get("project")
    return str(project.get("key", "")) if isinstance(project, dict) else ""


def _fields(rendered: Rendered) -> dict[str, JsonValue]:
    fields = rendered.get("fields")
    return fields if isinstance(fields, dict) else {}
