"""One cycle: both sides are read, each by itself, and the incidents that may have changed are worked on.

A side that cannot be read does not hold up the other. A cycle is good for a side when its reads came to
their end; the moment is kept for `status` and for whoever watches the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from loguru import logger

from syncd.domain.mail import OPERATOR, concerns_no_incident
from syncd.domain.operation import OperationState
from syncd.engine.act.executor import Executor
from syncd.engine.bulk.create import BulkCreates
from syncd.engine.bulk.thread import BATCH_EVERY, BatchThread
from syncd.engine.context import Desk
from syncd.engine.jira_knowledge.resolve_names import MappingDoesNotFit
from syncd.engine.jobs import requests
from syncd.engine.jobs.disk_watch import LedgerWatch
from syncd.engine.jobs.reload import ourselves, record_rules
from syncd.engine.jobs.runner import JobRunner
from syncd.engine.jobs.weekly_report import WeeklyReports
from syncd.engine.notify.schedule import PostOffice
from syncd.engine.observe.earlier_ledger.adopt_tickets import adopt_known
from syncd.engine.observe.first_contact import contact
from syncd.engine.observe.jira import JiraPoller
from syncd.engine.observe.pagerduty import PagerDutyPoller
from syncd.engine.observe.slow_poll import SlowLane
from syncd.engine.reconcile import Later, Worker
from syncd.engine.work_queue import Dispatcher
from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import work
from syncd.ledger.store.change_queue import awaiting_a_look
from syncd.ledger.store.key_values import set_cursor
from syncd.ledger.store.known import open_operations
from syncd.ledger.store.restored import hold_left
from syncd.ledger.views.schedule import due_incidents
from syncd.remote.errors import Cause, RemoteError

SERVICES = frozenset({"pagerduty", "jira"})
WORKERS = 8
"""Incidents that are worked on at the same time."""
DUE_AGAIN = 30.0
"""Seconds until an incident is tried again whose moment came and that could not be decided on."""
LONGEST_REST = 3600.0
"""Real seconds that one full cycle may take."""
NOTED_EVERY = 60.0
"""Seconds between two notes of a good cycle in the ledger, for those who read it from outside."""


@dataclass(frozen=True)
class CycleResult:
    """Which sides could be read."""

    pagerduty: bool
    jira: bool

    @property
    def good(self) -> bool:
        """Whether both could."""
        return self.pagerduty and self.jira


class Engine:
    """The daemon's inside: pollers, dispatcher, worker, on one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pagerduty = PagerDutyPoller(desk)
        self.jira = JiraPoller(desk)
        self.slow_lane = SlowLane(desk)
        self._worker = Worker(desk, self._left_to_batches)
        self.dispatcher = Dispatcher(self._work, desk.clock, self._emptied)
        self.bulk = BulkCreates(desk, self.dispatcher, Executor(desk))
        self.pagerduty.found = self._found
        self._reading = False
        self._batches = BatchThread(desk, self.dispatcher, self.bulk, lambda: self._reading)
        self.dispatcher.report = partial(desk.progress.report, "incidents worked on")
        self.ledger_watch = LedgerWatch(desk.ledger)
        self.good: dict[str, datetime] = {}
        self.post_office = PostOffice(desk, self.good)
        self.jobs = JobRunner(
            desk,
            self.dispatcher,
            WeeklyReports(desk, self.good_sides, self.dispatcher.idle),
            contacted=lambda: self.contacted >= SERVICES,
            hand_out=self._hand_out,
            work_on=self.work_on,
            read_side=self._side,
        )
        self.contacted: set[str] = set()
        self._tried: dict[str, float] = {}
        self._noted: dict[str, float] = {}
        self._state: dict[str, object] = {}

    def recover(self) -> None:
        """At the start: what an earlier run left in flight is looked up; what is open is taken up."""
        desk = self.desk
        requests.give_back_errands(desk.ledger)
        orphans = work.recover(desk.ledger, desk.ledger.run_name, desk.clock.now(), desk.gave_up())
        if orphans:
            logger.warning("{} incidents had a request under way when the daemon ended", len(orphans))
        record_rules(desk, ourselves("start"))
        self._mind_restore()
        self.take_up()

    def _mind_restore(self) -> None:
        """After a restore, creates wait; what waited so is decided again when it is over."""
        desk, now = self.desk, self.desk.gave_up()
        waited = desk.patient
        desk.patient = hold_left(desk.ledger, now.boot_id, now.boottime, desk.settle_seconds) > 0
        if waited and not desk.patient:
            self.take_up()

    def take_up(self) -> None:
        """Have everything decided on that rules may concern: what is open, held or unfinished."""
        self.dispatcher.submit(work.to_take_up(self.desk.ledger))

    def contact(self) -> None:
        """Ask both services who they are; see `syncd.engine.observe.first_contact`."""
        try:
            self.contacted |= contact(self.desk, SERVICES - self.contacted)
        except RemoteError as error:
            if error.cause is Cause.CREDENTIALS:
                self._tell_refused(error.service)
            raise

    def _tell_refused(self, service: str) -> None:
        """The daemon ends because a service refuses its token: the operator hears of it before."""
        if self.post_office.refused_at_the_start(service) and not self.desk.dry_run:
            for operation in open_operations(self.desk.ledger, OPERATOR):
                if operation.state == OperationState.PENDING:
                    Executor(self.desk).attempt(operation)

    def cycle(self) -> CycleResult:
        """Read both sides and hand out what may have changed; returns without waiting for the workers."""
        if not self.ledger_watch.usable():
            return CycleResult(pagerduty=False, jira=False)
        try:
            return self._cycle()
        except LedgerUnwritable:
            self.ledger_watch.say()
            return CycleResult(pagerduty=False, jira=False)

    def _cycle(self) -> CycleResult:
        self.serve_requests()
        self._mind_restore()
        self.dispatcher.wake()
        self._reading = True
        try:
            result = CycleResult(
                pagerduty=self._side("pagerduty", self.pagerduty.poll),
                jira=self._side("jira", self.jira.poll),
            )
        finally:
            self._reading = False
        adopted = result.jira and self._side("jira", self._adopt)
        self._hand_out(self.bulk.due(awaiting_a_look(self.desk.ledger)))
        if result.good and adopted:
            self.desk.brakes.read_whole()
        self._note_state()
        self.dispatcher.submit(self.post_office.due(at_once=True))
        return result

    def _work(self, ident: str) -> Later:
        """Work on an incident, or on the mails that concern none."""
        if not concerns_no_incident(ident):
            return self._worker.work(ident)
        self.post_office.drop_untrue(ident)
        return self._worker.send_mails(ident)

    def _hand_out(self, incident_ids: Sequence[str]) -> None:
        """Have incidents worked on; where they are many, their creates go in batches."""
        try:
            self.bulk.expect(len(incident_ids))
        except RemoteError as error:
            logger.debug("no batches, since Jira does not say what it is: {}", error)
        self.dispatcher.submit(incident_ids)
        self._batches.start_if_needed()

    def _found(self, incident_ids: list[str]) -> None:
        """Many new incidents are on record already while more is being read: the workers begin with them."""
        if self.dispatcher.threaded:
            self._hand_out(incident_ids)

    def _judge(self) -> None:
        """When all that was handed out is decided: what the brakes hold provisionally goes or stays."""
        brakes = self.desk.brakes
        if brakes.to_judge():
            latest = brakes.latest()
            if self.dispatcher.idle():
                self._hand_out(brakes.judge(latest))

    def _emptied(self) -> None:
        """The queue of a caller that works by itself is empty."""
        self._judge()
        self._batches.run_inline()

    def come_to_rest(self) -> None:
        """Work, or wait for the workers, until nothing more can leave now."""
        if not self.dispatcher.threaded:
            self.dispatcher.drain()
            return
        while self.dispatcher.wait_idle(LONGEST_REST):
            self._judge()
            if self.desk.stop.is_set() or (self.dispatcher.idle() and not self.bulk.under_way):
                return
            self.desk.stop.wait(BATCH_EVERY)

    def _left_to_batches(self, operation: OperationRecord, incident: IncidentRecord) -> bool:
        return self.bulk.takes(operation, incident)

    def serve_requests(self) -> None:
        """Do what people asked for at the command line."""
        incidents = requests.serve(self.desk.ledger, self.desk.clock)
        if incidents:
            self._hand_out(incidents)

    def good_sides(self) -> dict[str, datetime]:
        """The last good read of each service in this run."""
        return {side: self.good[side] for side in sorted(SERVICES) if side in self.good}

    def tick(self) -> None:
        """Once a second between cycles: take up what is due and what was asked for."""
        self.serve_requests()
        self.dispatcher.submit(self._due())
        self.dispatcher.submit(self.post_office.due())
        self.dispatcher.wake()
        self._judge()

    def _due(self) -> list[str]:
        """Incidents whose moment has come; one that could not be decided on waits."""
        clock = self.desk.clock
        due = due_incidents(self.desk.ledger, clock.now())
        now = clock.boottime()
        tried = {one: self._tried[one] for one in due if now - self._tried.get(one, -DUE_AGAIN) < DUE_AGAIN}
        fresh = [one for one in due if one not in tried]
        self._tried = {**tried, **dict.fromkeys(fresh, now)}
        return fresh

    def slow(self) -> None:
        """The slow lane, every 15 minutes."""
        if self.contacted >= SERVICES:
            self._side("slow lane", self.slow_lane.run)
        self.dispatcher.submit(work.in_need(self.desk.ledger))

    def rules_changed(self) -> None:
        """Other services may be ours now: what was read and passed over is read again."""
        self.pagerduty.forget()
        self.take_up()

    def work_on(self, incident_ids: Sequence[str]) -> None:
        """Have incidents worked on and wait until they were."""
        self._hand_out(incident_ids)
        if not self.dispatcher.threaded:
            self.dispatcher.drain()
            return
        for _ in range(2):  # once to decide, once more for what was held until all was decided
            self.dispatcher.wait_for(incident_ids, self.desk.stop)
            while self.bulk.under_way and not self.desk.stop.is_set():
                self.desk.stop.wait(BATCH_EVERY)
            self._judge()

    def _adopt(self) -> None:
        self.dispatcher.submit(adopt_known(self.desk))

    def _side(self, service: str, read: Callable[[], None]) -> bool:
        desk = self.desk
        if not desk.health.may_ask(service):
            return False
        try:
            if service in SERVICES and service not in self.contacted:
                self.contacted |= contact(desk, {service})
                if service not in self.contacted:
                    return False
            read()
        except RemoteError as error:
            desk.health.failed(error.service, error)
            logger.debug("{} could not be read: {}", service, error)
            return False
        except MappingDoesNotFit as error:
            logger.error("{}", error)
            return False
        self._note_good(service)
        return True

    def _note_state(self) -> None:
        """Keep in the ledger what `status` says about the services, written only when it changes."""
        state: dict[str, object] = {
            "down": [
                f"{one.name} since {one.down_since:%H:%M} UTC: {one.words}" for one in self.desk.health.down()
            ],
            "unmapped": dict(self.pagerduty.unmapped),
            "notes": self._limits(),
        }
        if state != self._state:
            self._state = state
            set_cursor(self.desk.ledger, "services", **state)

    def _limits(self) -> list[str]:
        """What the daemon cannot do as it was started."""
        notes = []
        if self.desk.post is not None and self.desk.post.nobody:
            notes.append("Nobody receives mail: SYNCD_SMTP_HOST is not set, and mail becomes files")
        if self.desk.dry_run:
            notes.append("Dry run: nothing is written to either service")
        return notes

    def _note_good(self, service: str) -> None:
        self.good[service] = self.desk.clock.now()
        now = self.desk.clock.boottime()
        if now - self._noted.get(service, -NOTED_EVERY) >= NOTED_EVERY:
            self._noted[service] = now
            set_cursor(self.desk.ledger, f"cycle.{service}", at=self.desk.clock.now().isoformat())


def once(engine: Engine, *, parallel: int = 0) -> CycleResult:
    """One full cycle in the caller's thread: read, work until nothing more can leave now, and return."""
    engine.contact()
    engine.recover()
    if parallel:
        engine.dispatcher.start(parallel)
    result = engine.cycle()
    engine.come_to_rest()
    if engine.jobs.errands():
        engine.come_to_rest()
    engine.jobs.reports()
    engine.come_to_rest()
    if parallel:
        engine.dispatcher.stop(1)
    return result
