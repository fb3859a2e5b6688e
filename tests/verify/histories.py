"""Seeded random histories of an incident, its postmortem and its action items, with the decisions of people.

A history names each kind of event that occurs in it, so that a run can show how often each was judged.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from syncd.domain.duty import DutyKind, Waiver
from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.mapping.mapping import Mapping
from syncd.verify.facts import (
    Decisions,
    IncidentFacts,
    IssueFacts,
    ItemFacts,
    Leaving,
    People,
    RulesLoaded,
)
from verify.verify_cast import DONE, MONDAY, OPEN, ROBOT, SYNCD, Acts, at, incident, issue, item, mapping

TEAM = ("ines", "jo", "mei")
STARTS = (
    datetime(2026, 3, 27, 9, tzinfo=UTC),
    datetime(2026, 10, 23, 9, tzinfo=UTC),
    datetime(2026, 12, 22, 9, tzinfo=UTC),
    datetime(2026, 2, 26, 9, tzinfo=UTC),
    MONDAY,
)
"""Around both changes of clocks, the holidays, a month's end, and an ordinary Monday."""
HOLIDAYS = [date(2026, 12, 25), date(2026, 4, 3), date(2026, 4, 6)]
END = 75 * 24.0
"""Hours after which everything is decided."""


@dataclass
class History:
    """One history; `seen` counts the kinds of events that occurred."""

    facts: IncidentFacts
    people: People
    waivers: tuple[Waiver, ...]
    rules: Mapping
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def decisions(self) -> Decisions:
        return Decisions(rules=(RulesLoaded(at=at(-9000), mapping=self.rules),), waivers=self.waivers)


class _Dice:
    """Random choices that are counted by name."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seen: Counter[str] = Counter()

    def hit(self, chance: float, name: str) -> bool:
        happens = self.random.random() < chance
        self.seen[name] += happens
        return happens

    def hours(self, low: float, high: float) -> float:
        # whole minutes, and never a moment of which two acts could dispute
        return round(self.random.uniform(low, high) * 60) / 60 + self.random.randint(1, 50) / 3600

    def person(self) -> str:
        return self.random.choice(TEAM)


def history(seed: int, *, with_leavers: bool = False) -> History:
    """Return the history of a seed; the first judge keeps no record of leavers yet."""
    dice = _Dice(seed)
    base = (dice.random.choice(STARTS) - MONDAY).total_seconds() / 3600 + dice.hours(0, 96)
    rules = mapping(
        zone=dice.random.choice(["Europe/Berlin", "Asia/Singapore", "America/New_York", "UTC"]),
        holidays=HOLIDAYS,
        enforce_from=date(2026, 1, 1),
    )
    states, last = _states(dice, base)
    created = base - 2
    severities = _severities(dice, created, base)
    leavers = _leavers(dice, base) if with_leavers else {}
    acts = _real(_postmortem_acts(dice, base, last))
    items = tuple(_item(dice, base, number) for number in range(dice.random.randint(0, 2)))
    merged = None
    if last is not None and dice.hit(0.1, "merge"):
        merged = last
        # what a person wrote before a merge keeps its duties; that is a question of its own
        acts = [act for act in acts if act[1] == SYNCD]
    facts = incident(
        states,
        created_at=at(created),
        severities=severities,
        postmortem=issue(acts, created=base + 0.6, id="800"),
        items=items,
        merged_at=at(merged) if merged is not None else None,
    )
    people = People(automatic=frozenset({SYNCD, ROBOT}), leavers=leavers)
    return History(facts, people, _waivers(dice, base), rules, dice.seen)


def _states(dice: _Dice, base: float) -> tuple[str, float | None]:
    """Return states from the create on, and the time of the last resolve, None if it is open in the end."""
    parts = [f"acknowledged {base - 1}", f"resolved {base}"]
    last: float = base
    while dice.hit(0.3, "reopening") and len(parts) < 8:
        reopened = last + dice.hours(0.2, 90)
        parts.append(f"reopened {reopened}")
        short = dice.hit(0.4, "short reopening")
        again = reopened + (dice.hours(0.05, 0.45) if short else dice.hours(0.6, 30))
        if dice.hit(0.7, "acknowledged when reopened"):
            parts.append(f"acknowledged {reopened + (again - reopened) / 2}")
        parts.append(f"resolved {again}")
        last = again
    return ", ".join(parts), last


def _severities(dice: _Dice, created: float, base: float) -> tuple[SeverityPeriod, ...]:
    first = dice.random.choice(["SEV0", "SEV1", "SEV1", "SEV3"])
    periods = [(first, created)]
    if dice.hit(0.2, "severity changed while open"):
        periods.append((dice.random.choice(["SEV0", "SEV1", "SEV3"]), created + dice.hours(0.05, 1.8)))
    if dice.hit(0.2, "severity changed after the resolve"):
        periods.append((dice.random.choice(["SEV0", "SEV1", "SEV3"]), base + dice.hours(1, 60)))
    return tuple(SeverityPeriod(severity=name, since=at(since)) for name, since in periods)


def _leavers(dice: _Dice, base: float) -> dict[str, Leaving]:
    if not dice.hit(0.15, "leaver"):
        return {}
    last = base + dice.hours(1, 200)
    return {dice.person(): Leaving(active_at=at(last), inactive_at=at(last + dice.hours(0.5, 24)))}


def _real(acts: Acts) -> Acts:
    """Return the acts that change something: Jira records no others."""
    values: dict[str, str | None] = {"status": OPEN}
    real: Acts = []
    for act in sorted(acts):
        _, _, name, value = act
        if name == "comment" or values.get(name) != value:
            real.append(act)
        if name != "comment":
            values[name] = value
    return real


def _day(dice: _Dice, hours: float, low: int, high: int) -> str:
    return f"{at(hours) + timedelta(days=dice.random.randint(low, high)):%Y-%m-%d}"


def _postmortem_acts(dice: _Dice, base: float, last: float | None) -> Acts:
    acts: Acts = []
    if dice.hit(0.8, "owner by rule"):
        acts.append((base + 0.7, SYNCD, "assignee", dice.person()))
    if dice.hit(0.4, "owner by a person"):
        acts.append((base + dice.hours(1, 70), dice.person(), "assignee", dice.person()))
    for _ in range(dice.random.randint(0, 3)):
        when = base + dice.hours(1, 100)
        by = ROBOT if dice.hit(0.15, "review date by a robot") else dice.person()
        gone = dice.hit(0.15, "review date removed")
        far = dice.hit(0.15, "review date too far")
        acts.append(
            (when, by, "duedate", None if gone else _day(dice, when, 16 if far else 0, 30 if far else 12))
        )
    if dice.hit(0.15, "owner removed"):
        acts.append((base + dice.hours(1, 100), dice.person(), "assignee", None))
    if dice.hit(0.7, "completed"):
        by = ROBOT if dice.hit(0.1, "completed by a robot") else dice.person()
        acts.append((base + dice.hours(20, 500), by, "status", DONE))
    return acts


def _item(dice: _Dice, base: float, number: int) -> ItemFacts:
    created = base + dice.hours(-1, 200)
    acts: Acts = []
    if dice.hit(0.3, "item owned by rule"):
        acts.append((created + dice.hours(0.1, 60), SYNCD, "assignee", dice.person()))
        if dice.hit(0.4, "item touched"):
            acts.append((created + dice.hours(1, 90), dice.person(), "comment", "mine"))
    if dice.hit(0.6, "item owned by a person"):
        acts.append((created + dice.hours(0.1, 60), dice.person(), "assignee", dice.person()))
    if dice.hit(0.1, "item's owner removed"):
        acts.append((created + dice.hours(1, 200), dice.person(), "assignee", None))
    for _ in range(dice.random.randint(0, 2)):
        when = created + dice.hours(0.5, 300)
        acts.append((when, dice.person(), "duedate", _day(dice, when, 1, 40)))
        dice.seen["item's date set"] += 1
    if dice.hit(0.6, "item done"):
        when = created + dice.hours(5, 900)
        by = ROBOT if dice.hit(0.1, "item closed by a robot") else dice.person()
        acts.append((when, by, "status", DONE))
        if dice.hit(0.15, "item opened again"):
            acts.append((when + dice.hours(1, 50), dice.person(), "status", OPEN))
    if dice.hit(0.1, "won't do"):
        when = created + dice.hours(5, 300)
        acts += [(when, dice.person(), "labels", "wont-do"), (when + 0.1, dice.person(), "comment", "no")]
    return item(_real(acts), created, id=f"90{number}")


def _waivers(dice: _Dice, base: float) -> tuple[Waiver, ...]:
    if not dice.hit(0.15, "waiver"):
        return ()
    given = base + dice.hours(1, 90)
    ends = at(given + dice.hours(24, 300))
    duty: Any = dice.random.choice([None, DutyKind.SCHEDULED, DutyKind.COMPLETED])
    return (Waiver(duty=duty, until=ends, reason="r", by="boss@x.example", at=at(given)),)


__all__ = ["END", "History", "IssueFacts", "StateChange", "history"]
