"""Random states and severities of one incident, as PagerDuty would tell them."""

from __future__ import annotations

from syncd.domain.history import SeverityPeriod
from verify.dice import Dice
from verify.verify_cast import at

States = list[tuple[str, float]]
"""Changes of state with their hours."""


def words(states: States) -> str:
    return ", ".join(f"{kind} {hours}" for kind, hours in states)


def random_states(dice: Dice, base: float) -> tuple[States, list[float]]:
    """Return the states from the create on, and when alerts and notes came."""
    states: States = [("acknowledged", base - 1), ("resolved", base)]
    signs, last = [], base
    while dice.hit(0.35) and len(states) < 8:
        reopened = last + dice.hours(0.2, 120)
        states.append(("reopened", reopened))
        short = dice.hit(0.4, "reopened for less than 30 minutes")
        again = reopened + (dice.hours(0.05, 0.45) if short else dice.hours(0.6, 30))
        dice.seen["reopened for longer"] += not short
        middle = reopened + (again - reopened) / 2
        sign = dice.random.choice(["acknowledged", "acknowledged", "a note", "a new alert", "no sign"])
        if sign == "acknowledged":
            states.append(("acknowledged", middle))
        elif sign != "no sign":
            signs.append(middle)
        dice.seen[f"reopened with {sign}"] += 1
        states.append(("resolved", again))
        last = again
    return states, signs


def random_severities(dice: Dice, base: float) -> tuple[SeverityPeriod, ...]:
    names, created = ["SEV0", "SEV1", "SEV3"], base - 2
    periods = [(dice.random.choice(["SEV0", "SEV1", "SEV1", "SEV3"]), created)]
    changes = []
    if dice.hit(0.2, "severity changed while open"):
        changes.append(created + dice.hours(0.05, 1.8))
    while dice.hit(0.25) and len(changes) < 4:
        changes.append(base + dice.hours(0.1, 100))
    for when in sorted(changes):
        name = dice.random.choice([name for name in names if name != periods[-1][0]])
        if when > base:
            raised = names.index(name) < names.index(periods[-1][0])
            dice.seen[f"severity {'raised' if raised else 'lowered'} after the resolve"] += 1
        periods.append((name, when))
    return tuple(SeverityPeriod(severity=name, since=at(since)) for name, since in periods)
