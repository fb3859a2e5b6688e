"""One daemon in the thread of the test, on the wire without sockets; it can be ended at any step.

A step is the moment right after a request that writes, or right after a commit that changes the outbox.
Between two steps only reads, decisions and uncommitted changes happen. They leave nothing behind, so to end
there is the same as to end at the earlier step.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger_reading import look_at_everything
from rig import PlainRenderer, RigClock, mapping

from simulation.watched import watched_ledger
from simulation.wire import Killed, NearServices, WatchedLedger, WireTransport
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import build_context
from syncd.engine.loop import ControlLoop
from syncd.engine.rules import Rules
from syncd.ledger.open import open_for_work
from syncd.remote.jira.client import jira_client
from syncd.remote.pagerduty.client import pagerduty_client
from syncd.sandbox import dump
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, START, default_world
from syncd.sandbox.clock import SandboxClock

POLL = 30.0
"""Seconds between two cycles."""
SETTLE = 60.0
"""Seconds; nothing lags in this house."""
_KEY = re.compile(r"OPS-\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
"""The time of a text, as its copy shows it: it differs where an end of the daemon delays the text."""


class House(NearServices):
    """A world, and a daemon in it that ends at step `die_at` (0: never)."""

    def __init__(
        self,
        folder: Path,
        die_at: int,
        mappings: tuple[Mapping, ...] | None = None,
        *,
        data_center: bool = False,
    ) -> None:
        clock = SandboxClock(START)
        super().__init__(default_world(clock, 1, limits=False, data_center_edition=data_center))
        for service in self.world.pagerduty.account.services.values():
            # PagerDuty must change nothing by itself: every end is compared with the one without a crash.
            service.acknowledgement_timeout = None
        for policy in self.world.pagerduty.account.policies.values():
            policy.rules = policy.rules[:1]
        self.clock = RigClock(clock)
        self.mappings = mappings or (mapping(),)
        self.file = folder / f"ledger-{die_at}.db"
        self.file.write_bytes(watched_ledger())
        self.die_at, self.steps, self.ends = die_at, 0, 0
        self.dead = False
        self.ledger: WatchedLedger | None = None
        self.loop: ControlLoop | None = None

    def step(self, kind: str) -> None:
        if self.dead:
            raise Killed
        if kind == "after a commit of the outbox":
            self._count()

    def sent(self, service: str, left: float, writes: bool, marks: list[str], outcome: str) -> None:
        lines = self.world.journal.writes()
        # Only a request that changed something counts as a step.
        if lines and outcome != "killed" and len(lines) > self._written:
            self._written = len(lines)
            self._count()

    _written = 0

    def _count(self) -> None:
        self.steps += 1
        if self.steps == self.die_at:
            self.dead = True
            raise Killed

    def start(self) -> None:
        """Start the daemon on the ledger, as its wiring does."""
        self.stop()
        self.dead = False
        opened = open_for_work(f"sqlite:///{self.file}", "house", self.clock.now())
        self.ledger = WatchedLedger(opened, self.step)
        transport = WireTransport(self.clock, self)
        pagerduty = pagerduty_client(
            self.url("pagerduty"), PAGERDUTY_KEY, "amara.osei@qrpay.example", transport
        )
        email = BOT_EMAIL if self.world.jira.site.edition == "cloud" else None
        jira = jira_client(self.url("jira"), JIRA_KEY, transport, email=email)
        clients = (lambda: pagerduty, lambda: jira)
        rules = Rules(self.mappings, PlainRenderer())
        self.loop = ControlLoop(
            build_context(self.ledger, self.clock, clients, transport, rules, settle_seconds=SETTLE)
        )

    def stop(self) -> None:
        """End the process of the daemon."""
        if self.ledger is not None:
            self.ledger.close()
            self.ledger = None

    def survive(self, do: Callable[[], None]) -> None:
        """Do something with the daemon; if it ends meanwhile, start it again and repeat."""
        while True:
            try:
                if self.ledger is None or self.dead:
                    self.start()
                    assert self.loop
                    self.loop.make_first_contact()
                    self.loop.recover()
                do()
            except Killed:
                self.ends += 1
                continue
            if not self.dead:
                return

    def rest(self) -> None:
        """Run cycles until nothing is written and nothing waits for its time."""
        self.survive(self._rest)

    def turn(self) -> None:
        """Run one cycle and everything that can leave after it."""
        assert self.loop
        self.loop.cycle()
        self.loop.run_until_idle()

    def ticket(self, incident: str) -> str:
        """Return the key of the ticket of an incident."""
        return next(
            issue.key
            for issue in self.world.jira.site.issues.values()
            if f"pd-{incident}" in issue.now.values.get("labels", ())
        )

    def _rest(self) -> None:
        loop = self.loop
        assert loop
        for _ in range(40):
            written = len(self.world.journal.writes())
            # A read does not show what happens in the same moment, so time must pass first.
            self.world.advance(POLL)
            loop.cycle()
            loop.run_until_idle()
            due = loop.work_queue.next_due()
            if due is None and len(self.world.journal.writes()) == written:
                return
            self.world.advance(max(0.0, (due or 0.0) - self.clock.boottime() - POLL))
        raise AssertionError("the daemon does not come to rest")

    def once_more(self) -> list[str]:
        """Read and decide everything again; return what was written."""
        self.die_at, before = 0, len(self.world.journal.writes())
        assert self.ledger and self.loop
        look_at_everything(self.ledger, self.clock.now())
        self.rest()
        return [f"{line.method} {line.path}" for line in self.world.journal.writes()[before:]]

    def end_state(self) -> dict[str, Any]:
        """Return what people see of each incident and its tickets, without keys and times."""
        state = dump.whole(self.world)
        titles = {row["id"]: row["title"] for row in state["pagerduty"]["incidents"]}
        end_state: dict[str, Any] = {}
        for incident in state["pagerduty"]["incidents"]:
            notes = sorted(_bare(note["content"]) for note in incident["notes"])
            end_state[incident["title"]] = {"notes": notes, "tickets": []}
        for issue in state["jira"]["issues"]:
            label = next((row for row in issue["fields"]["labels"] if row.startswith("pd-")), None)
            if label is not None:
                end_state[titles[label[3:]]]["tickets"].append(_shown(issue))
        return end_state


def _bare(text: str) -> str:
    """Return a text without the keys and times in it."""
    return _TIME.sub("TIME", _KEY.sub("KEY", text))


def _shown(issue: dict[str, Any]) -> dict[str, Any]:
    fields = issue["fields"]
    return {
        "status": fields["status"]["name"],
        "summary": fields["summary"],
        "priority": (fields["priority"] or {}).get("name"),
        "assignee": (fields["assignee"] or {}).get("displayName"),
        "components": sorted(row["name"] for row in fields["components"]),
        "labels": sorted(row for row in fields["labels"]),
        "resolution": (fields["resolution"] or {}).get("name"),
        "comments": sorted(_bare(comment["body"]) for comment in issue["comments"]),
        "links": sorted(
            link["type"]["name"] + ("<" if "inwardIssue" in link else ">") for link in fields["issuelinks"]
        ),
    }
