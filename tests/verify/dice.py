"""Random choices that are counted by name, and acts on an issue as Jira would record them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from syncd.domain.duty import DutyKind, Waiver
from verify.verify_cast import APP, MACHINES, OPEN, Acts, at

TEAM = ("ines", "jo", "mei", "ravi")


class Dice:
    """Random choices; `seen` counts the events that occurred.

    `away` tells when somebody left and came back, in hours (None: never).
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.away: dict[str, tuple[float, float | None]] = {}

    def hit(self, chance: float, name: str = "") -> bool:
        happens = self.random.random() < chance
        if happens and name:
            self.seen[name] += 1
        return happens

    def hours(self, low: float, high: float) -> float:
        # whole minutes and a few seconds, so that no two acts share a moment
        return round(self.random.uniform(low, high) * 60) / 60 + self.random.randint(1, 50) / 3600

    def person(self, when: float | None = None) -> str:
        """Return a person of the team; with a time, one who had not left by then."""
        there = [name for name in TEAM if when is None or not is_away(self.away, name, when)]
        return self.random.choice(there)

    def machine(self) -> str:
        """Return an account that no person uses, but not syncd's."""
        name = self.random.choice(MACHINES)
        self.seen[f"act of {'an app' if name == APP else 'a ' + name}"] += 1
        return name

    def day(self, hours: float, low: int, high: int) -> str:
        """Return a day between two numbers of days after a time."""
        return f"{at(hours) + timedelta(days=self.random.randint(low, high)):%Y-%m-%d}"


Away = Mapping[str, tuple[float, float | None]]


def is_away(away: Away, name: str | None, when: float) -> bool:
    """Return True if somebody has left at a time and has not come back."""
    left, back = away.get(name or "", (when, None))
    return left < when and (back is None or when <= back)


def as_recorded(acts: Acts, away: Away, owner: str | None = None) -> Acts:
    """Return the acts that Jira records: those that change something, by accounts that were active.

    The values `+LABEL` and `-LABEL` of the field `labels` become whole lists of labels. `owner` is the first
    assignee. Whoever left does nothing and is assigned to nothing any more.
    """
    values: dict[str, str | None] = {"status": OPEN, "assignee": owner}
    recorded: Acts = []
    for when, who, name, given in sorted(acts, key=lambda act: act[0]):
        value = given
        if is_away(away, who, when) or is_away(away, given, when):
            continue
        if name == "labels" and given is not None:
            labels = set((values.get(name) or "").split())
            labels = labels | {given[1:]} if given[0] == "+" else labels - {given[1:]}
            value = " ".join(sorted(labels)) or None
        if name in ("comment", "Link") or values.get(name) != value:
            recorded.append((when, who, name, value))
        if name not in ("comment", "Link"):
            values[name] = value
    return recorded


def waivers(
    dice: Dice, since: float, until: float, kinds: tuple[DutyKind | None, ...], subject: str | None = None
) -> list[Waiver]:
    """Return up to two waivers of one duty, given between two times, some of them taken back."""
    duty = dice.random.choice(kinds)
    given, some = since, []
    for _ in range(2 if dice.hit(0.3, "a duty waived twice") else 1):
        given += dice.hours(0.5, until - since)
        ends = given + dice.hours(24, 400)
        taken_back = at(given + dice.hours(1, 60)) if dice.hit(0.2) else None
        if taken_back is not None and taken_back < at(ends):
            dice.seen["waiver taken back"] += 1
        some.append(
            Waiver(
                duty=duty,
                subject=subject,
                until=at(ends),
                reason="r",
                by="boss@x.example",
                at=at(given),
                ended_at=taken_back,
                ended_by="boss@x.example" if taken_back else None,
            )
        )
    return some
