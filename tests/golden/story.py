"""The demo's story, played in this process: the day of both companies and the week after it."""

from __future__ import annotations

from pathlib import Path

from golden.lives import read_all
from golden.seams import Stage, parked, stage, week
from golden.trace import Trace

DAY_LASTS = 7200.0
"""Seconds during which the daemon takes a turn every minute; later it takes leaps."""
TURN = 60.0
END = 6 * 86400.0 + 20 * 3600.0
"""Seconds until the second Monday, when the weekly report has been sent."""
LONGEST_LEAP, LEAST_LEAP = 5 * 3600.0, 60.0
RETRIED_AFTER = 300.0
"""Seconds after which the operator retries a parked operation."""
WAIVED_AFTER = 30 * 3600.0
WAIVED = "12"


class Operator:
    """A person who retries each parked operation once and waives one duty."""

    def __init__(self, on: Stage) -> None:
        self.on = on
        self.seen: dict[int, float] = {}
        self.retried: set[int] = set()
        self.waived = False

    def look(self) -> None:
        """Do what is due now."""
        on = self.on
        for number in parked(on):
            since = self.seen.setdefault(number, on.seconds)
            if on.seconds - since >= RETRIED_AFTER and number not in self.retried:
                self.retried.add(number)
                on.syncd("outbox")
                on.syncd("outbox", "retry", str(number))
        if on.seconds >= WAIVED_AFTER and not self.waived:
            self.waived = True
            why = ("--reason", "the vendor answers next week", "--by", "priya.raman@qrpay.example")
            on.syncd("waive", WAIVED, "--until", "2026-11-25", *why)


def play_story(trace: Trace, folder: Path) -> None:
    """Play the demo's story into a trace."""
    with stage(trace, folder, "qrpay", "ramen") as on:
        on.turn(0.0)
        story, operator = week(on.world), Operator(on)
        began = on.seconds
        while (passed := on.seconds - began) < END:
            played = story.play_due()
            for step in played:
                trace.act(on.world.clock(), step.says)
            operator.look()
            if passed < DAY_LASTS or played:
                on.turn(TURN)
                continue
            next_at = END if story.next_at is None else story.next_at
            on.turn(min(LONGEST_LEAP, max(LEAST_LEAP, next_at - (on.seconds - began))))
        for step in story.passed_over:
            trace.act(on.world.clock(), f"passed over: {step.says}")
        read_all(on, story.scene.incidents.values())
        trace.heading("operations")
        trace.operations(on.file)
