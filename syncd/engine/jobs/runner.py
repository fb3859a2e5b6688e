"""Serves what takes its time: resyncs, reports and reloads that people asked for, and the nightly sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from syncd.engine.context import Desk
from syncd.engine.jira_knowledge.resolve_names import MappingDoesNotFit
from syncd.engine.jobs import requests
from syncd.engine.jobs.duplicates import Sweep
from syncd.engine.jobs.reload import Reloader
from syncd.engine.jobs.resync import Resync, Scope, state_in_words
from syncd.engine.jobs.send_report import send_report
from syncd.engine.jobs.weekly_report import WeeklyReports
from syncd.engine.work_queue import Dispatcher
from syncd.ledger.store import holds
from syncd.ledger.store.loaded_rules import Loaded
from syncd.ledger.store.resync import made_since
from syncd.remote.errors import RemoteError


@dataclass(frozen=True)
class JobRunner:
    """The jobs of one engine.

    `contacted` tells whether both services are known. `hand_out` has incidents worked on, `work_on` waits
    until they were. `read_side` runs a read and returns whether it came to its end.
    """

    desk: Desk
    dispatcher: Dispatcher
    weekly: WeeklyReports
    contacted: Callable[[], bool]
    hand_out: Callable[[Sequence[str]], None]
    work_on: Callable[[Sequence[str]], None]
    read_side: Callable[[str, Callable[[], None]], bool]

    def nightly(self) -> None:
        """Once a day, asked more often: look for two issues that one operation made."""
        sweep = Sweep(self.desk)
        if self.contacted() and sweep.due():
            self.read_side("nightly sweep", lambda: self.hand_out(sweep.run()))

    def errands(self) -> bool:
        """Work through the resyncs that were asked for, one after the other; return whether there was any."""
        desk, any_done = self.desk, False
        while not desk.stop.is_set() and self.contacted():
            row = requests.take_errand(desk.ledger)
            if row is None:
                break
            any_done = True
            result = self._resync(row.id, row.arguments)
            if result is None:
                requests.give_back_errands(desk.ledger)
            else:
                requests.end_errand(desk.ledger, row.id, result, desk.clock)
        return any_done

    def reports(self) -> None:
        """Make the weekly reports that are due, and send those that somebody asked for."""
        self.dispatcher.submit(self.weekly.due())
        while (row := requests.take_errand(self.desk.ledger, requests.REPORT)) is not None:
            result = send_report(self.desk, self.weekly, row, self.work_on)
            requests.end_errand(self.desk.ledger, row.id, result, self.desk.clock)

    def reloads(self, reloader: Reloader) -> None:
        """Read the mappings anew as often as somebody asked for it."""
        while (row := requests.take_errand(self.desk.ledger, requests.RELOAD)) is not None:
            uid = int(row.arguments.get("uid", -1))
            result = reloader.run(Loaded(uid, row.asked_by, "syncd reload"))
            requests.end_errand(self.desk.ledger, row.id, result, self.desk.clock)

    def _resync(self, number: int, arguments: dict[str, Any]) -> requests.Result | None:
        """Return the answer of one resync; None if the daemon was stopped meanwhile."""
        desk = self.desk
        before = holds.latest_operation(desk.ledger)
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
        made, lines = made_since(desk.ledger, before), state_in_words(desk.ledger)
        return {**account.data(), "operations": made, "lines": lines, "incidents": [], "failed": False}
