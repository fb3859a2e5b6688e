"""The strikes against two simulated daemons, drawn from one seed before the history begins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulation.plan import Crash, Plan, make_plan

from syncd.sandbox.chance import stream

PATIENCE = 90.0
"""Seconds for which a strike waits for its point; then it hits wherever the leader is."""
POINTS = (
    "before a request",
    "claimed",
    "checked",
    "answered",
    "before a commit",
    "after a commit of the outbox",
    "any",
)
"""Where a strike hits: `claimed` and `checked` are before and after the last check before the first byte."""
KINDS = ("kill", "kill", "stop", "stop", "stop", "cut", "database", "end")
EVERYTHING = (KINDS, POINTS)
LONG_STOPS = (("long stop",), ("claimed",))
"""The strikes that a daemon without its last check before the first byte does not survive."""
LONGEST_CHECKED = 300.0
"""Seconds for which a leader is stopped after its last check: after a settle time it would send twice."""


@dataclass(frozen=True)
class Strike:
    """A strike: from `at` on it hits the leader when it passes `point` for the `count`-th time."""

    at: float
    kind: str
    point: str
    count: int
    lasts: float


def make_strikes(
    seed: int, last: float, settle: float, among: tuple[tuple[str, ...], tuple[str, ...]]
) -> list[Strike]:
    """Return the strikes of a seed, most of them while people work, which ends at `last` (seconds)."""
    random, strikes = stream(seed, "standby"), []
    at = random.uniform(2.0, 60.0)
    while at < last + 120.0 or len(strikes) < 4:
        kind, point = random.choice(among[0]), random.choice(among[1])
        lasts = random.choice([3.0, 8.0, 15.0, 40.0])
        if kind == "stop":
            lasts = random.choice([8.0, 15.0, 40.0, LONGEST_CHECKED, settle + 60.0, 2 * settle])
            lasts = min(lasts, LONGEST_CHECKED) if point in ("checked", "any") else lasts
        elif kind == "long stop":
            kind, lasts = "stop", settle + 60.0
        strikes.append(Strike(at, kind, point, random.choice([1, 1, 1, 2, 3, 5]), lasts))
        at += random.choice([5.0, 20.0, 60.0, 60.0, 120.0])
    return strikes


@dataclass(frozen=True)
class Hit:
    """A strike that was made: when (seconds since the world began), what, on which machine, and where."""

    at: float
    kind: str
    machine: str
    point: str
    lasts: float

    def __str__(self) -> str:
        return f"{self.at:7.1f} {self.kind} of {self.machine} {self.point}, {self.lasts:.0f} s"


def pair_plan(
    seed: int, among: tuple[tuple[str, ...], tuple[str, ...]] = EVERYTHING
) -> tuple[Plan, list[Strike]]:
    """Return the plan of a seed for two daemons, and the strikes."""
    plan = make_plan(seed)
    # what is refused for long only makes a history longer here
    windows = tuple(window for window in plan.windows if not window.refuses)
    # a strike waits for a write, so people shall be heard soon
    plan = replace(plan, windows=windows, steps=(), logged_out=(), archived=(), dry=False, poll=20.0)
    last = max(act.at for act in plan.acts)
    strikes = make_strikes(seed, last, plan.settle, among)
    end = max(strike.at + PATIENCE + strike.lasts for strike in strikes) + 30.0
    # the judge asks if there were crashes, and not when
    crashes = tuple(Crash(0, 0.0, reboot=False) for _ in strikes)
    return replace(plan, crashes=crashes, calm=max(plan.calm, end)), strikes
