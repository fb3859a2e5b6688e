"""The ending of a plan: everything that the judges read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.channel import Channel
from simulation.letterbox import Letter
from simulation.line import SimulatedLine
from simulation.people import People
from simulation.plan import Plan
from simulation.strikes import Window
from simulation.watched import Place
from syncd.sandbox.world import World


@dataclass
class Ending:
    """The services, people, logs and counts as they stand after the calm."""

    plan: Plan
    world: World
    people: People
    channel: Channel
    line: SimulatedLine
    ledger: Place
    letters: list[Letter]
    boots: list[float]
    errors: list[str]
    lines: list[tuple[float, str]]
    struck: dict[Window, int]
    mute: list[str]
    crashes: int
    starts: int
    state: dict[str, Any]
    late_writes: list[str]
    convergence: float
    ticket_times: dict[str, float]
    trace: str
    audit: str = ""
