"""Run the jobs beside the loop: what operators requested, and what is due by the ledger.

By the ledger are due: the slow poll, the nightly search for duplicates, the nightly verification of the
figures, and the weekly reports. The daemon's ticker and `syncd run --once` both ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.jobs import duplicates
from syncd.engine.jobs.adopt import adopt
from syncd.engine.jobs.nightly_verify import NightlyVerify
from syncd.engine.jobs.reload import Reloader
from syncd.engine.jobs.resync import Resync, Scope, state_in_words
from syncd.engine.jobs.weekly_report import WeeklyReports, send_report
from syncd.engine.observe import slow_poll
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.requests import answers
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store import holds
from syncd.ledger.store.jobs import made_since
from syncd.ledger.store.loaded_rules import Loaded
from syncd.ledger.store.waiting_creates import incidents_in_need
from syncd.remote.errors import RemoteError


@dataclass(frozen=True)
class JobRunner:
    """The jobs of one engine.

    `contacted` returns True if syncd knows both services. `hand_out` queues incidents, `work_on` queues them
    and waits for the workers. `read_side` runs a read of a side and returns True if it succeeded; its third
    argument says what is read, for refusals that the read does not note itself.
    """

    context: EngineContext
    work_queue: WorkQueue
    weekly: WeeklyReports
    figures: NightlyVerify
    contacted: Callable[[], bool]
    hand_out: Callable[[Sequence[str]], None]
    work_on: Callable[[Sequence[str]], None]
    read_side: Callable[[str, Callable[[], None], str], bool]

    def due(self) -> None:
        """Run what is due by the ledger, but the weekly reports: these come last."""
        self.slow_if_due()
        self.nightly()

    def slow_if_due(self) -> None:
        """Run the slow poll if the last one was 15 minutes ago."""
        if self.contacted() and slow_poll.due(self.context):
            self.slow()

    def slow(self) -> None:
        """Run the slow poll."""
        if self.contacted():
            slow_poll.note_begun(self.context)
            self.read_side("slow poll of PagerDuty", partial(slow_poll.read_pagerduty, self.context), "")
            read_jira = partial(slow_poll.read_jira, self.context)
            self.read_side("slow poll of Jira", read_jira, "Jira's issues of the slow poll")
        self.work_queue.submit(incidents_in_need(self.context.ledger))

    def nightly(self) -> None:
        """Search for duplicates and verify the figures if each was done a day ago."""
        if self.contacted() and duplicates.due(self.context):
            self.read_side(
                "nightly duplicate search",
                lambda: self.hand_out(duplicates.find_duplicates(self.context)),
                "",
            )
        if self.contacted():
            self.read_side("nightly verification", self.figures.run_if_due, "")

    def run_jobs(self) -> bool:
        """Run the requested resyncs one after the other; return True if there was any."""
        context, any_done = self.context, False
        while not context.stop.is_set() and self.contacted():
            row = answers.take_job(context.ledger)
            if row is None:
                break
            any_done = True
            result = self._resync(row.id, row.arguments)
            if result is None:
                answers.requeue_jobs(context.ledger)
            else:
                answers.finish_job(context.ledger, row.id, result, context.clock)
        return any_done

    def adoptions(self) -> None:
        """Adopt the issues that operators named as tickets, and queue their incidents."""
        while self.contacted() and (row := answers.take_job(self.context.ledger, answers.ADOPT)) is not None:
            result = adopt(self.context.pinned(), row)
            answers.finish_job(self.context.ledger, row.id, result, self.context.clock)
            self.hand_out(result["incidents"])

    def reports(self) -> None:
        """Create the weekly reports that are due, and send the requested ones."""
        self.work_queue.submit(self.weekly.due())
        while (row := answers.take_job(self.context.ledger, answers.REPORT)) is not None:
            result = send_report(self.context, self.weekly, row, self.work_on)
            answers.finish_job(self.context.ledger, row.id, result, self.context.clock)

    def reloads(self, reloader: Reloader) -> None:
        """Read the mappings anew, once for each request."""
        while (row := answers.take_job(self.context.ledger, answers.RELOAD)) is not None:
            uid = int(row.arguments.get("uid", -1))
            result = reloader.run(Loaded(uid, row.asked_by, "syncd reload"))
            answers.finish_job(self.context.ledger, row.id, result, self.context.clock)

    def _resync(self, number: int, arguments: dict[str, Any]) -> Result | None:
        """Return the answer of one resync, None if the daemon was stopped meanwhile."""
        context = self.context
        before = holds.latest_operation(context.ledger)
        say = partial(answers.report_job_progress, context.ledger, number)
        try:
            report = Resync(context, self.work_queue, self.work_on, say).run(Scope.of(arguments))
        except RemoteError as error:
            context.health.failed(error.service, error)
            return {"lines": [f"not finished: {error.describe()}"], "incidents": [], "failed": True}
        except MappingMismatch as error:
            return {"lines": [f"not finished: {error}"], "incidents": [], "failed": True}
        if context.stop.is_set():
            return None
        made, lines = made_since(context.ledger, before), state_in_words(context.ledger)
        return {**report.data(), "operations": made, "lines": lines, "incidents": [], "failed": False}
