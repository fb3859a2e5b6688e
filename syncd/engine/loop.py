"""One cycle: read PagerDuty and Jira, each by itself, and work on the incidents that may have changed.

A service that syncd cannot read does not hold up the other. A cycle is good for a service when all its reads
succeeded; the ledger keeps that time for `syncd status` and for monitoring.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from loguru import logger

from syncd.domain.base import SERVICE_NAMES
from syncd.domain.mail import OPERATOR, concerns_no_incident
from syncd.domain.operation import OperationState, Target
from syncd.domain.recurring import recurring_of
from syncd.engine.act.attempts import Later
from syncd.engine.act.executor import Executor
from syncd.engine.act.lane_of import ranks_of
from syncd.engine.bulk.create import BulkCreates
from syncd.engine.bulk.thread import BATCH_EVERY, BatchThread
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.decide.due import DueIncidents
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.jobs.disk_watch import LedgerWatch
from syncd.engine.jobs.nightly_verify import NightlyVerify
from syncd.engine.jobs.recurring import RecurringDuties
from syncd.engine.jobs.reload import ourselves, record_rules
from syncd.engine.jobs.runner import JobRunner
from syncd.engine.jobs.weekly_report import WeeklyReports
from syncd.engine.notify.schedule import MailSchedule
from syncd.engine.observe.earlier_ledger.adopt_tickets import adopt_known
from syncd.engine.observe.earlier_ledger.proof import prove_age
from syncd.engine.observe.elsewhere import NoticedElsewhere, read_again
from syncd.engine.observe.first_contact import make_first_contact
from syncd.engine.observe.jira import JiraPoller
from syncd.engine.observe.pagerduty import PagerDutyPoller
from syncd.engine.observe.unseen_writes import look_for_writes
from syncd.engine.reconcile import Reconciler
from syncd.engine.runtime.brakes import print_of
from syncd.engine.runtime.clock_jumps import ClockJumps
from syncd.engine.runtime.reads import read_alone
from syncd.engine.status import GoodReads, ServicesState
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.errors import LedgerReplaced, LedgerUnwritable
from syncd.ledger.requests import answers
from syncd.ledger.store import change_queue, operation_states
from syncd.ledger.store.change_queue import incidents_with_notices
from syncd.ledger.store.lookups import open_operations
from syncd.remote.errors import Cause, RemoteError
from syncd.remote.http.lanes import SHORT_WAIT, Lane, lane

WORKERS = 8
"""The number of incidents that syncd works on at the same time."""
LONGEST_REST = 3600.0
"""Real seconds that one full cycle may take."""


@dataclass(frozen=True)
class CycleResult:
    """The services that syncd could read."""

    pagerduty: bool
    jira: bool

    @property
    def good(self) -> bool:
        """True if syncd could read both."""
        return self.pagerduty and self.jira


class ControlLoop:
    """The control loop: pollers, work queue and reconciler, on one context.

    `looks_soon` returns the incidents that webhooks queue within two seconds.
    """

    def __init__(self, context: EngineContext, looks_soon: Callable[[], Collection[str]] = frozenset) -> None:
        self.context = context
        self._looks_soon = looks_soon
        self.pagerduty = PagerDutyPoller(context, self._begin_early, lambda: self.work_queue.let_work())
        self.jira = JiraPoller(context)
        self.good_reads = GoodReads(context)
        self._reconciler = Reconciler(
            context,
            lambda operation, incident: self._batches.takes(operation, incident),
            self.good_reads.both_until,
            lambda incident_id: self.work_queue.give_way(incident_id),
        )
        self.work_queue = WorkQueue(
            self._work,
            context.clock,
            self._emptied,
            partial(context.progress.report, "incidents worked on"),
            partial(ranks_of, context),
        )
        self.bulk = BulkCreates(context, self.work_queue, Executor(context))
        self._reading = False
        self._batches = BatchThread(context, self.work_queue, self.bulk, lambda: self._reading)
        self.ledger_watch = LedgerWatch(context.ledger)
        self.mail_schedule = MailSchedule(context, self.good_reads.at)
        self.recurring = RecurringDuties(context, self._reconciler.send_mails)
        self.jobs = JobRunner(
            context,
            self.work_queue,
            WeeklyReports(context, self.good_reads.latest, self.work_queue.idle),
            NightlyVerify(context),
            contacted=lambda: self.contacted.issuperset(SERVICES),
            hand_out=self._hand_out,
            work_on=self.work_on,
            read_side=self._side,
        )
        self._clock_jumps = ClockJumps(context.clock)
        self._judging = False
        self.contacted: set[str] = set()
        self._due = DueIncidents(context)
        self._elsewhere = NoticedElsewhere(context)
        self._state = ServicesState(context)

    def recover(self) -> None:
        """Take up the work of an earlier run: look up operations in flight, decide on open incidents."""
        context = self.context
        answers.requeue_jobs(context.ledger)
        orphans = operation_states.recover(
            context.ledger, context.ledger.run_name, context.clock.now(), context.gave_up()
        )
        self.bulk.lost = len(orphans) > 1
        if orphans:
            logger.warning(
                "{} incidents had a request under way when syncd last stopped; syncd looks up their outcome",
                len(orphans),
            )
            read_again(context, orphans)
        record_rules(context, ourselves("start"))
        self._mind_restore()
        if self.contacted.issuperset(SERVICES):
            # before the workers take it up
            self.bulk.look_up_lost()
        self.take_up()

    def _mind_restore(self) -> None:
        """Take everything up again when the wait for Jira's index after a restore is over."""
        if self.context.search_index.check():
            self.take_up()

    def take_up(self) -> None:
        """Queue all incidents that rules may concern: open, held or unfinished."""
        self._hand_out(change_queue.to_take_up(self.context.ledger))
        self.recurring.take_up()

    def make_first_contact(self) -> None:
        """Ask both services who they are; see `syncd.engine.observe.first_contact`."""
        try:
            with lane(Lane.FIRST):
                self.contacted |= make_first_contact(self.context, set(SERVICES) - self.contacted)
        except RemoteError as error:
            if error.cause is Cause.CREDENTIALS:
                self._mail_refused_credentials(error.service)
            raise

    def _mail_refused_credentials(self, service: str) -> None:
        """Mail the operator before syncd stops because a service refuses its token."""
        operator = self.mail_schedule.operator
        if operator.tell_refused_at_the_start(service) and not self.context.dry_run:
            for operation in open_operations(self.context.ledger, OPERATOR):
                if operation.state == OperationState.PENDING:
                    Executor(self.context).attempt(operation)
        operator.events.wait()

    def cycle(self) -> CycleResult:
        """Read both services and queue the incidents that may have changed; do not wait for the workers."""
        try:
            # without the ledger nothing may leave, so reading would be in vain
            if not self.ledger_watch.usable():
                return CycleResult(pagerduty=False, jira=False)
            return self._cycle()
        except LedgerReplaced:
            raise
        except LedgerUnwritable:
            self.ledger_watch.log_trouble()
            return CycleResult(pagerduty=False, jira=False)

    def _cycle(self) -> CycleResult:
        self._mind_clock()
        self.serve_requests()
        self._mind_restore()
        self.work_queue.wake()
        self._reading = True
        try:
            with lane(Lane.FIRST, SHORT_WAIT):
                result = CycleResult(
                    pagerduty=self._side("pagerduty", self.pagerduty.poll),
                    jira=self._side("jira", self._read_jira),
                )
        finally:
            self._reading = False
        self.context.ledger_age.tried()
        # until now nothing was judged: what is on record may be long out of date at a start
        if not self._judging and self.good_reads.both_until() is not None:
            self._judging = True
            self.take_up()
        if result.jira:
            self.bulk.look_up_lost()
        # creates for old incidents wait for the search of existing tickets
        adopted = result.jira and self._side("jira", self._adopt, "Jira's tickets of earlier incidents")
        for side, read in ((Target.PAGERDUTY, result.pagerduty), (Target.JIRA, result.jira)):
            if read:
                look = partial(look_for_writes, self.context, side)
                self._side(side, look, f"what syncd wrote to {SERVICE_NAMES[side]}")
        self.work_on_notices()
        if result.good and adopted:
            self.context.brakes.read_whole()
        self._state.store(self.pagerduty.unmapped, self.pagerduty.remarks())
        self._submit_scheduled(at_once=True)
        return result

    def work_on_notices(self) -> None:
        """Queue the incidents that may have changed, without those that webhooks queue at their own time.

        With all of them at once, the workers would leave the listener no processor time.
        """
        noticed, soon = incidents_with_notices(self.context.ledger), self._looks_soon()
        self._hand_out(self.bulk.due([incident_id for incident_id in noticed if incident_id not in soon]))

    def _read_jira(self) -> None:
        """Read Jira; take up the incidents of teams that were stopped and run again."""
        self._prove_age()
        stopped = self.context.refusals.stopped_teams()
        self.jira.look_at_stopped_teams()
        try:
            self.jira.poll()
        finally:
            if stopped - self.context.refusals.stopped_teams():
                self.take_up()

    def _prove_age(self) -> None:
        """Prove after a start that the ledger knows all that it made; take all up if it begins anew."""
        try:
            if prove_age(self.context):
                self.take_up()
        except RemoteError as error:
            # the writes that wait for it say so, and the next cycle tries again
            self.context.health.failed(error.service, error)
            logger.debug("syncd could not prove the age of its ledger: {}", error)

    def _work(self, ident: str) -> Later:
        """Work on an incident, or send the mails that concern none."""
        # no storm's requests may use up the budget before those of a grave incident
        with lane(Lane.FIRST if self.work_queue.is_grave(ident) else Lane.CREATE, SHORT_WAIT):
            if recurring_of(ident) is not None:
                return self.recurring.work(ident)
            if not concerns_no_incident(ident):
                return self._reconciler.work(ident)
            self.mail_schedule.drop_untrue(ident)
            return self._reconciler.send_mails(ident)

    def _hand_out(self, incident_ids: Sequence[str]) -> None:
        """Queue incidents; if they are many, their creates go in batches."""
        self.bulk.expect(len(incident_ids))
        self.work_queue.submit(incident_ids)
        self._batches.start_if_needed()

    def _begin_early(self, incident_ids: list[str]) -> None:
        """Let the workers begin with many new incidents while the next page is read."""
        if self.work_queue.threaded:
            self._hand_out(incident_ids)

    def _judge(self) -> None:
        """Let the brakes judge, once all queued incidents are decided, which held operations may leave."""
        brakes = self.context.brakes
        if brakes.to_judge():
            latest = brakes.latest()
            if self.work_queue.idle():
                self._hand_out(brakes.judge(latest))
                # the operator hears in the same cycle of operations that are held from now on
                self.work_queue.submit(self.mail_schedule.due(at_once=True))

    def _emptied(self) -> None:
        """Judge and send batches when the queue of a caller without workers is empty."""
        self._judge()
        self._batches.run_inline()

    def run_until_idle(self) -> None:
        """Work, or wait for the workers, until nothing more can leave now."""
        if not self.work_queue.threaded:
            self.work_queue.drain()
            return
        while self.work_queue.wait_idle(LONGEST_REST):
            self._judge()
            if self.context.stop.is_set() or (self.work_queue.idle() and not self.bulk.under_way):
                return
            self.context.stop.wait(BATCH_EVERY)

    def serve_requests(self) -> None:
        """Serve the requests that operators typed at the command line."""
        served = answers.serve(self.context.ledger, self.context.clock, print_of)
        for target in served.resumed:
            self.context.ask_again(target)
        for incident_id in served.retried:
            self.context.troubles.try_now(incident_id)
        if served.incidents:
            self._hand_out(served.incidents)

    def tick(self) -> None:
        """Take up due incidents, mails and requests; called once a second between cycles."""
        self._mind_clock()
        self.serve_requests()
        if noticed := self._elsewhere.fresh():
            self._hand_out(noticed)
        self._hand_out(self._due.fresh())
        self._submit_scheduled()
        self.work_queue.wake()
        self._judge()

    def _submit_scheduled(self, *, at_once: bool = False) -> None:
        self.work_queue.submit(self.mail_schedule.due(at_once=at_once))
        self.work_queue.submit(self.recurring.due(at_once=at_once))

    def _mind_clock(self) -> None:
        """Decide on all incidents anew if the clock was set: the old one gave them their due times."""
        jump = self._clock_jumps.latest()
        if not jump:
            return
        logger.warning(
            "the system's clock was set {} by {:.0f} s; syncd goes on by the new time",
            "forward" if jump > 0 else "back",
            abs(jump),
        )
        self.good_reads.clock_was_set(jump)
        self.mail_schedule.operator.clock_was_set(jump)
        self.take_up()

    def slow(self) -> None:
        """Run the slow poll now."""
        self.jobs.slow()

    def rules_changed(self) -> None:
        """Read everything anew after a reload: incidents of other services may be ours now."""
        self.pagerduty.forget()
        self.jira.forget()
        self.take_up()

    def work_on(self, incident_ids: Sequence[str]) -> None:
        """Queue incidents and wait until the workers are done with them."""
        self._hand_out(incident_ids)
        if not self.work_queue.threaded:
            self.work_queue.drain()
            return
        # the first round decides, the second sends what the brakes held until all was decided
        for _ in range(2):
            self.work_queue.wait_for(incident_ids, self.context.stop)
            while self.bulk.under_way and not self.context.stop.is_set():
                self.context.stop.wait(BATCH_EVERY)
            self._judge()

    def _adopt(self) -> None:
        with lane(Lane.CREATE, SHORT_WAIT):
            self.work_queue.submit(adopt_known(self.context))

    def _side(self, service: str, read: Callable[[], None], what: str = "") -> bool:
        """Read a part of a service, `what` it is unless it says refusals itself; return False if it fails."""
        context = self.context
        if not context.health.may_ask(service):
            return False
        try:
            if service in SERVICES and service not in self.contacted:
                self.contacted |= make_first_contact(context, {service})
                if service not in self.contacted:
                    return False
            if what:
                read_alone(service, context.refusals, what, read)
            else:
                read()
        except RemoteError as error:
            context.health.failed(error.service, error)
            logger.debug("syncd could not read {}: {}", service, error)
            return False
        except MappingMismatch as error:
            # logged when the teams were stopped
            logger.debug("no team can run: {}", error)
            return False
        if service in SERVICES:
            self.good_reads.note(service)
        return True
