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

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import CreateTicket, Kind, OperationState
from syncd.domain.operation.rendered import RenderedCreate
from syncd.domain.ticket import Issue
from syncd.engine.act.executor import Executor
from syncd.engine.act.find_created import highest_seen, keys_from
from syncd.engine.act.kind import Outcome, mark_of
from syncd.engine.act.kinds.create_ticket import CreateTicketKind
from syncd.engine.bulk.initial_status import StatusAtBirth, Way
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.observe.issues import saw_numbers
from syncd.engine.observe.masking import storage_rules
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirming import ReadBack, confirm_batch
from syncd.ledger.store.leaving import (
    Leaving,
    creates_to_render,
    incidents_in_need,
    incidents_with_ticket,
    waiting_creates,
)
from syncd.remote.answers import BulkAnswer, BulkItem
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import prepaid

FROM = 10
"""So many incidents have to wait at once for batches to be worth it."""
FIRST, MOST = 10, 50
READ = 100
"""Issues that are read back in one request."""
QUICK_SECONDS = 10.0
GRAVE = 2
"""So many of the mapping's first severities go alone, at once."""


CREATE = CreateTicketKind()


@dataclass
class _Item:
    operation: OperationRecord
    rendered: RenderedCreate
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

    def __init__(self, context: EngineContext, work_queue: WorkQueue, executor: Executor) -> None:
        self._context = context
        self._work_queue = work_queue
        self._executor = executor
        self._births = StatusAtBirth(context, executor)
        self._size = FIRST
        self._made = _Made()
        self._afterwards: set[str] = set()
        self._lock = Lock()
        self.enabled = True
        self.under_way = False

    def expect(self, incidents: int) -> None:
        """So many incidents are about to be worked on: with many, their creates are left to batches."""
        if self.enabled and incidents >= FROM and self._context.services.jira.server().edition == "cloud":
            self.under_way = True

    def takes(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        """Whether a worker leaves this create to the batches, which begin when a first load is behind us."""
        if (
            not self.under_way
            or not self._context.brakes.accepted()
            or operation.kind != Kind.CREATE_TICKET
            or operation.attempts
            or not operation.typed(CreateTicket).is_plain
        ):
            return False
        return operation.state == OperationState.PENDING and not self._grave(incident.team, incident.severity)

    def _grave(self, team: str | None, severity: str | None) -> bool:
        mapping = self._context.rules.current.mapping_of(team)
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
        context = self._context
        return not context.stop.is_set() and not context.dry_run and context.brakes.may_leave("jira")

    def end(self) -> None:
        """Nothing more waits to be decided: what the batches left goes alone, and what they made goes on.

        Until then no update or comment of what they made stands in the way of the creates.
        """
        self.under_way = False
        self._work_queue.submit(self._waiting(MOST * 100).values())
        self._work_queue.submit(incidents_in_need(self._context.ledger))
        self._work_queue.submit(self._afterwards)
        self._afterwards = set()

    def _waiting(self, limit: int, *, light: bool = False) -> dict[int, str]:
        """Creates that never left, the oldest first, and their incidents; `light`: none of the gravest."""
        return {
            create.operation_id: create.incident_id
            for create in waiting_creates(self._context.ledger, limit)
            if not (light and self._grave(create.team, create.severity))
        }

    def _one_batch(self) -> bool:
        context = self._context
        if not context.health.may_ask("jira"):
            return False
        waiting = self._waiting(self._size * 2, light=True)
        first = dict(list(waiting.items())[: self._size])
        taken = set(self._work_queue.reserve(first.values()))
        sent, kept = False, set[str]()
        try:
            items = self._rendered([number for number, incident in first.items() if incident in taken])
            if len(items) < 2:
                return False
            sent = True
            kept = self._send(items)
            return True
        except RemoteError as error:
            context.health.failed(error.service, error)
            return False
        finally:
            # what was not sent waits for `end`: asked for again now, the queue would never be empty
            self._let_go(taken - kept, again=sent)

    def _let_go(self, incident_ids: set[str], *, again: bool) -> None:
        """Give slots back; what has to be worked on again waits until all creates have left."""
        self._afterwards |= (
            incident_ids if again else incidents_with_ticket(self._context.ledger, [*incident_ids])
        )
        self._work_queue.release(incident_ids)

    def _rendered(self, numbers: list[int]) -> list[_Item]:
        """What can be rendered, all of the first one's project; the rest is left to the workers."""
        items: list[_Item] = []
        for operation, known in creates_to_render(self._context.ledger, numbers):
            try:
                rendered = CREATE.render_known(self._context.pinned(), operation, known)
            except (CannotRender, DecideAgain):
                continue
            if not items or items[0].rendered.project == rendered.project:
                incident = Incident.model_validate(known.snapshot)
                items.append(_Item(operation, rendered, incident, known.team))
        return self._with_transitions(items)

    def _with_transitions(self, items: list[_Item]) -> list[_Item]:
        for item in list(items):
            way = self._births.transition_for(item.operation, item.incident, item.team)
            if way.alone:
                items.remove(item)
            item.way = way
        return items

    def _send(self, items: list[_Item]) -> set[str]:
        """Send one batch; return the incidents of what was made, whose slots stay taken until it is read."""
        context = self._context
        project = items[0].rendered.project
        base = highest_seen(context, project)
        context.budgets.take("jira")
        claimed = self._claim(items, base)
        if not claimed:
            return set()
        began = context.clock.boottime()
        asked = [
            BulkItem(one.rendered.fields, mark_of(context, one.operation), one.way.transition)
            for one in claimed
        ]
        try:
            with prepaid():
                answer = context.services.jira.create_many(asked)
        except NotDone as error:
            self._none_done(claimed, error)
            return set()
        except Unknown as error:
            self._lost(claimed, project, base, error)
            return set()
        took = context.clock.boottime() - began
        self._size = min(MOST, self._size * 2) if took < QUICK_SECONDS else max(FIRST, self._size // 2)
        context.health.succeeded("jira")
        return self._answered(claimed, project, answer)

    def _claim(self, items: list[_Item], base: int) -> list[_Item]:
        context, run = self._context, self._context.ledger.run_name
        wanted = [Leaving(item.operation.id, item.rendered) for item in items]
        # None: paused while it was made ready
        claims = leaving.claim(context.ledger, wanted, "jira", run, context.clock.now(), base) or []
        claimed = {operation.id: operation for operation in claims}
        return [
            replace(item, operation=claimed[item.operation.id])
            for item in items
            if item.operation.id in claimed
        ]

    def _none_done(self, items: list[_Item], error: NotDone) -> None:
        context = self._context
        context.health.failed(error.service, error)
        operations, anew = [item.operation for item in items], error.cause is Cause.REJECTED
        leaving.put_back(context.ledger, operations, context.clock.now(), error.describe(), anew=anew)
        logger.warning("a batch of {} creates was not done: {}", len(items), error.describe())

    def _lost(self, items: list[_Item], project: str, base: int, error: Unknown) -> None:
        """The answer is lost: all settle, and what is found at once is bound at once."""
        context = self._context
        context.health.failed(error.service, error)
        items = self._mark_unknown(items, error.describe())
        logger.warning("the answer to a batch of {} creates is lost: {}", len(items), error.describe())
        try:
            self._bind(items, list(keys_from(context, project, base)), read_seq=0)
        except RemoteError as worse:
            context.health.failed(worse.service, worse)

    def _mark_unknown(self, items: list[_Item], words: str) -> list[_Item]:
        """What became of these is looked up from now on; return them so."""
        context, operations = self._context, [item.operation for item in items]
        settling = leaving.mark_unknown(
            context.ledger, operations, context.clock.now(), context.gave_up(), words
        )
        return [replace(item, operation=operation) for item, operation in zip(items, settling, strict=True)]

    def _answered(self, items: list[_Item], project: str, answer: BulkAnswer) -> set[str]:
        """What is refused goes on alone; what was made is read back with what the next batch makes."""
        saw_numbers(self._context, project, [int(one.key.rpartition("-")[2]) for one in answer.created])
        made = [item for number, item in enumerate(items) if number not in answer.refused]
        self._made.items += made
        self._made.ids += [one.id for one in answer.created]
        for number, error in answer.refused.items():
            if number < len(items):
                self._refused(items[number], error)
        return {item.operation.incident_id for item in made}

    def _refused(self, item: _Item, error: NotDone) -> None:
        if item.way.transition is None:
            self._executor.refuse(CREATE, item.operation, error)
            return
        # it may be the transition that is refused: once more, alone and without it
        self._births.forget(item.incident, item.team)
        context = self._context
        leaving.put_back(context.ledger, [item.operation], context.clock.now(), error.describe())

    def _read_back(self) -> None:
        """Bind what was made by its marks; what does not show settles."""
        context, made, self._made = self._context, self._made, _Made()
        if not made.items:
            return
        try:
            read_seq = context.ledger.logical_clock.next()
            try:
                issues = context.fetch(made.ids).issues
            except RemoteError as error:
                context.health.failed(error.service, error)
                self._mark_unknown(made.items, f"made, but not read back: {error.describe()}")
                return
            bound = self._bind(made.items, list(issues), read_seq)
            unbound = [item for item in made.items if item.operation.id not in bound]
            if unbound:
                self._mark_unknown(unbound, "not among what the answer named")
        finally:
            self._let_go({item.operation.incident_id for item in made.items}, again=True)

    def _bind(self, items: list[_Item], issues: list[Issue], read_seq: int) -> set[int]:
        """Confirm what bears our marks, in one transaction; `read_seq` 0: the issues were not read whole."""
        context = self._context
        by_op = {issue.mark.op: issue for issue in issues if issue.mark is not None}
        made = [self._read_of(item, by_op[item.operation.op]) for item in items if item.operation.op in by_op]
        now, jira_now = context.clock.now(), context.date_of("jira")
        confirm_batch(context.ledger, storage_rules(context), made, read_seq, now, jira_now)
        logger.info("{} tickets of {} made in one batch", len(made), len(made))
        return {one.operation.id for one in made}

    def _read_of(self, item: _Item, issue: Issue) -> ReadBack:
        """What was read back of a create; its status may be the right one already."""
        outcome = Outcome(issue.id, key=issue.key)
        CREATE.learn(self._context, item.operation, outcome)
        confirmation = CREATE.confirmation(self._context, item.operation, outcome)
        state: dict[str, JsonValue] = {"state": item.incident.state}
        return ReadBack(item.operation, confirmation, issue, item.way.goal, state)
