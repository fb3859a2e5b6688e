"""One cycle: both sides are read, each by itself, and the incidents that may have changed are worked on.

A side that cannot be read does not hold up the other. A cycle is good for a side when its reads came to
their end; the moment is kept for `status` and for whoever watches the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock, Thread
from typing import Any

from loguru import logger

from syncd.domain.mail import OPERATOR, concerns_no_incident
from syncd.domain.operation import OperationState
from syncd.engine.act.executor import Executor
from syncd.engine.bulk.create import BulkCreates
from syncd.engine.context import Desk
from syncd.engine.jira_knowledge.resolve_names import MappingDoesNotFit
from syncd.engine.jobs import requests
from syncd.engine.jobs.disk_watch import LedgerWatch
from syncd.engine.jobs.duplicates import Sweep
from syncd.engine.jobs.reload import Reloader, ourselves, record_rules
from syncd.engine.jobs.resync import Resync, Scope, state_in_words
from syncd.engine.jobs.send_report import send_report
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
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import awaiting_a_look
from syncd.ledger.store.key_values import set_cursor
from syncd.ledger.store.loaded_rules import Loaded
from syncd.ledger.store.postmortems import due_incidents
from syncd.ledger.store.restored import hold_left
from syncd.ledger.store.snapshots import still_open, unfinished
from syncd.ledger.store.tables import IncidentRow, OperationRow
from syncd.remote.errors import Cause, RemoteError

SERVICES = frozenset({"pagerduty", "jira"})
WORKERS = 8
"""Incidents that are worked on at the same time."""
BATCH_EVERY = 0.05
"""Real seconds between two looks for creates that can go in a batch, while workers decide."""
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
        self._batches: Thread | None = None
        self._batch_lock = Lock()
        self.dispatcher.report = partial(desk.progress.report, "incidents worked on")
        self.ledger_watch = LedgerWatch(desk.ledger)
        self.good: dict[str, datetime] = {}
        self.post_office = PostOffice(desk, self.good)
        self.weekly = WeeklyReports(desk, self.good_sides, self.dispatcher.idle)
        self.contacted: set[str] = set()
        self._tried: dict[str, float] = {}
        self._noted: dict[str, float] = {}
        self._state: dict[str, object] = {}

    def recover(self) -> None:
        """At the start: what an earlier run left in flight is looked up; what is open is taken up."""
        desk = self.desk
        requests.give_back_errands(desk.ledger)
        with desk.ledger.db.write() as session:
            orphans = outbox.recover(session, desk.ledger.run_name, desk.clock.now(), desk.gave_up())
        if orphans:
            logger.warning("{} incidents had a request under way when the daemon ended", len(orphans))
        record_rules(desk, ourselves("start"))
        self._mind_restore()
        self.take_up()

    def _mind_restore(self) -> None:
        """After a restore, creates wait; what waited so is decided again when it is over."""
        desk, now = self.desk, self.desk.gave_up()
        waited = desk.patient
        desk.patient = hold_left(desk.ledger.db, now.boot_id, now.boottime, desk.settle_seconds) > 0
        if waited and not desk.patient:
            self.take_up()

    def take_up(self) -> None:
        """Have everything decided on that rules may concern: what is open, held or unfinished."""
        with self.desk.ledger.db.read() as session:
            self.dispatcher.submit(outbox.incidents_with_work(session))
            # rules may have changed meanwhile: what is open or held is decided anew
            self.dispatcher.submit(row.incident_id for row in outbox.listing(session, [OperationState.HELD]))
            self.dispatcher.submit(still_open(session))
            self.dispatcher.submit(unfinished(session))

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
            with self.desk.ledger.db.read() as session:
                waiting = outbox.open_of(session, OPERATOR)
            for row in waiting:
                if row.state == OperationState.PENDING:
                    Executor(self.desk).attempt(row)

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
        with self.desk.ledger.db.read() as session:
            waiting = awaiting_a_look(session)
        self._hand_out(self.bulk.due(waiting))
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
        with self._batch_lock:
            if self.bulk.under_way and self.dispatcher.threaded and self._batches is None:
                self._batches = Thread(target=self._batch_beside, name="batches", daemon=True)
                self._batches.start()

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
        self._batch_inline()

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

    def _left_to_batches(self, row: OperationRow, incident: IncidentRow) -> bool:
        return self.bulk.takes(row, incident)

    def _batch_inline(self) -> None:
        """The queue of a caller that works by itself is empty: send batches, then let the rest go alone."""
        if self.bulk.under_way:
            self.bulk.run()
            if self.dispatcher.idle():
                self.bulk.end()

    def _batch_beside(self) -> None:
        """Send batches while the workers decide; the rest goes alone when they are done."""
        try:
            self._send_batches()
        except Exception as error:  # noqa: BLE001 - a batch that blows up must not keep its creates back
            if not isinstance(error, LedgerUnwritable):
                logger.opt(exception=error).error("a batch of creates failed: {}", type(error).__name__)
            self.bulk.end()
        finally:
            self._batches = None

    def _send_batches(self) -> None:
        while not self.desk.stop.is_set():
            self.bulk.run()
            if self.dispatcher.idle() and not self._reading:
                self.bulk.run()
                self.bulk.end()
            with self._batch_lock:
                if not self.bulk.under_way:
                    self._batches = None
                    return
            self.desk.stop.wait(BATCH_EVERY)

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
        with self.desk.ledger.db.read() as session:
            due = due_incidents(session, clock.now())
        now = clock.boottime()
        tried = {one: self._tried[one] for one in due if now - self._tried.get(one, -DUE_AGAIN) < DUE_AGAIN}
        fresh = [one for one in due if one not in tried]
        self._tried = {**tried, **dict.fromkeys(fresh, now)}
        return fresh

    def slow(self) -> None:
        """The slow lane, every 15 minutes."""
        if self.contacted >= SERVICES:
            self._side("slow lane", self.slow_lane.run)
        with self.desk.ledger.db.read() as session:
            self.dispatcher.submit(outbox.incidents_that_need_something(session))

    def nightly(self) -> None:
        """Once a day, asked more often: look for two issues that one operation made."""
        sweep = Sweep(self.desk)
        if self.contacted >= SERVICES and sweep.due():
            self._side("nightly sweep", lambda: self._hand_out(sweep.run()))

    def errands(self) -> bool:
        """Work through what was asked for and takes its time, one after the other; whether there was any."""
        desk, any_done = self.desk, False
        while not desk.stop.is_set() and self.contacted >= SERVICES:
            row = requests.take_errand(desk.ledger)
            if row is None:
                break
            any_done = True
            result = self._resync(row.id or 0, row.arguments)
            if result is None:
                requests.give_back_errands(desk.ledger)
            else:
                requests.end_errand(desk.ledger, row.id or 0, result, desk.clock)
        return any_done

    def reports(self) -> None:
        """Make the weekly reports that are due, and send those that somebody asked for."""
        self.dispatcher.submit(self.weekly.due())
        while (row := requests.take_errand(self.desk.ledger, requests.REPORT)) is not None:
            result = send_report(self.desk, self.weekly, row, self.work_on)
            requests.end_errand(self.desk.ledger, row.id or 0, result, self.desk.clock)

    def reloads(self, reloader: Reloader) -> None:
        """Read the mappings anew as often as somebody asked for it."""
        while (row := requests.take_errand(self.desk.ledger, requests.RELOAD)) is not None:
            uid = int(row.arguments.get("uid", -1))
            result = reloader.run(Loaded(uid, row.asked_by, "syncd reload"))
            requests.end_errand(self.desk.ledger, row.id or 0, result, self.desk.clock)

    def rules_changed(self) -> None:
        """Other services may be ours now: what was read and passed over is read again."""
        self.pagerduty.forget()
        self.take_up()

    def _resync(self, number: int, arguments: dict[str, Any]) -> requests.Result | None:
        """One resync as somebody asked for it; None where the daemon was stopped meanwhile."""
        desk = self.desk
        before = desk.brakes.latest()
        say = partial(requests.errand_progress, desk.ledger, number)
        try:
            account = Resync(desk, self.dispatcher, self.work_on, say).run(Scope.of(arguments))
        except RemoteError as error:
            desk.health.failed(error.service, error)
            return {"lines": [f"not finished: {error.describe()}"], "incidents": [], "failed": True}
        except MappingDoesNotFit as error:
            return {"lines": [f"not finished: {error}"], "incidents": [], "failed": True}
        if desk.stop.is_set():
            return None
        with desk.ledger.db.read() as session:
            made = outbox.made_since(session, before)
            lines = state_in_words(session)
        return {**account.data(), "operations": made, "lines": lines, "incidents": [], "failed": False}

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
            with self.desk.ledger.db.write() as session:
                set_cursor(session, "services", **state)

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
            with self.desk.ledger.db.write() as session:
                set_cursor(session, f"cycle.{service}", at=self.desk.clock.now().isoformat())


def once(engine: Engine, *, parallel: int = 0) -> CycleResult:
    """One full cycle in the caller's thread: read, work until nothing more can leave now, and return."""
    engine.contact()
    engine.recover()
    if parallel:
        engine.dispatcher.start(parallel)
    result = engine.cycle()
    engine.come_to_rest()
    if engine.errands():
        engine.come_to_rest()
    engine.reports()
    engine.come_to_rest()
    if parallel:
        engine.dispatcher.stop(1)
    return result
