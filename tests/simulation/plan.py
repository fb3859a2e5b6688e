"""Everything that will happen in a simulation, drawn from one seed before it begins.

Acts of people follow a small model of PagerDuty's states and never what the daemon did. So the same history
can be played again without faults, and both ends compared.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

from simulation.strikes import Window, chat_windows, faulty_windows, refused_endpoints, silent_successes
from syncd.sandbox.cast import BOT_EMAIL
from syncd.sandbox.chance import stream

CLAIMED = ("Alipay Integration", "BluBank Integration", "Yoomonea Service", "Core QRPay Web")
SECOND_TEAM = ("Yoomonea Service", "Core QRPay Web")
"""The services of the second team, where there is one."""
FOREIGN = "Ordering API"
OUTAGE = 400.0
"""Seconds of downtime in which two reminders of an owed update come due."""
LEAK = "Leak"
"""The first word of the title of each restricted incident."""
PRIORITIES = ("P1", "P2", "P3", "P4", None)
RESPONDERS = ("Amara Osei", "Mei Tanaka", "Jonas Lindqvist", "Hannah Weiss", "Tomasz Wójcik")
COLLEAGUES = ("Ines Carvalho", "Priya Raman")
STATUSES = ("To Do", "In Progress", "In Review", "Done")

ACTS: dict[str, dict[str, float]] = {
    "triggered": {"acknowledge": 4, "resolve": 1.5, "merge": 0.8, "reassign": 1, "move": 0.4},
    "acknowledged": {"resolve": 4, "merge": 0.6, "reassign": 1, "move": 0.4},
    "resolved": {"reopen": 1.2},
}
ALWAYS = {
    "note": 2.5,
    "edit_note": 0.3,
    "delete_note": 0.2,
    "set_priority": 0.8,
    "set_title": 0.8,
    "comment": 2.5,
    "edit_comment": 0.3,
    "delete_comment": 0.2,
    "summary": 0.5,
    "transition": 0.4,
    "assign": 0.4,
    "clone": 0.1,
    "delete": 0.06,
}
"""How likely each act of a person is, whatever the state of the incident."""


@dataclass(frozen=True)
class Act:
    """An act of a person on an incident, by the incident's number, at a moment (seconds)."""

    at: float
    incident: int
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Crash:
    """The daemon ends at step `steps` and starts again after `down` seconds, perhaps after a reboot."""

    steps: int
    down: float
    reboot: bool


@dataclass(frozen=True)
class Plan:
    """One simulation. Times are seconds since the world began."""

    seed: int
    acts: tuple[Act, ...]
    windows: tuple[Window, ...] = ()
    closed: tuple[tuple[float, float, str], ...] = ()
    crashes: tuple[Crash, ...] = ()
    steps: tuple[tuple[float, float], ...] = ()
    pauses: tuple[tuple[float, float, str], ...] = ()
    logged_out: tuple[tuple[float, float], ...] = ()
    proves: bool = True
    """True if Jira's answers name our account."""
    edition: Literal["cloud", "datacenter"] = "cloud"
    two_teams: bool = False
    """True if a second team has some of the services, and a Jira project of its own."""
    archived: tuple[tuple[float, float, str], ...] = ()
    """When the second team's project is archived, and how Jira answers then: `hidden` or `refused`."""
    renames: tuple[tuple[float, str, str], ...] = ()
    """When people rename a service, and its names before and after."""
    search_lag: float = 0.0
    fetch_lag: float = 0.0
    latency: float = 0.2
    poll: float = 60.0
    settle: float = 600.0
    workers: int = 2
    others: float = 0.0
    silent_log: bool = False
    timeouts: bool = False
    dry: bool = False
    papers: bool = False
    """True if postmortems and their action items are switched on."""
    chat: Literal["off", "report", "enforce"] = "off"
    """The mode of the team's chat channel; unless off, the history has the incidents of `channel.Channel`."""
    calm: float = 0.0
    """From this moment on people do nothing and nothing fails any more."""

    @property
    def sender(self) -> str:
        """The user in whose name syncd acts at PagerDuty: its own one, or a person's who also acts herself.

        What that user writes counts as no person's.
        """
        return BOT_EMAIL if self.seed % 2 else "amara.osei@qrpay.example"

    @property
    def refused(self) -> float:
        """How long the longest refusal lasts, in seconds: syncd may wait as long again until it asks."""
        refusals = [window.end - window.begin for window in self.windows if window.refuses]
        return max([0.0, *refusals, *(end - begin for begin, end, _ in self.archived)])

    @property
    def kinds(self) -> set[str]:
        """Return the kinds of acts of people and of faults, and all else in which plans differ."""
        happens = ("closed", "crashes", "steps", "pauses", "logged_out", "archived", "renames", "others")
        worlds = ("proves", "two_teams", "silent_log", "timeouts", "dry", "papers", "chat")
        return {
            *(act.kind for act in self.acts),
            *(window.strike for window in self.windows),
            *(name for name in happens if getattr(self, name)),
            *(f"{name}: {getattr(self, name)}" for name in (*worlds, "edition")),
            *("reboot" for crash in self.crashes if crash.reboot),
        }

    def without_faults(self) -> Plan:
        """Return the same history in a world without faults."""
        return replace(
            self,
            windows=(),
            closed=(),
            crashes=(),
            steps=(),
            pauses=(),
            logged_out=(),
            archived=(),
            proves=True,
            search_lag=0.0,
            fetch_lag=0.0,
            latency=0.2,
        )


def make_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = stream(seed, "plan")
    acts, papers = _with_papers(stream(seed, "papers"), _history(stream(seed, "people")))
    last = max(act.at for act in acts)
    windows, closed = faulty_windows(stream(seed, "windows"), last)
    windows += refused_endpoints(stream(seed, "refusals"), last)
    windows += silent_successes(stream(seed, "silences"), last)
    acts, chat, chat_windows = _with_chat(stream(seed, "chat"), acts)
    windows += chat_windows
    ends = [last, *(window.end for window in windows), *(end for _, end, _ in closed)]
    crashes = tuple(
        Crash(random.randint(1, 160), random.choice([1.0, 5.0, 30.0, 240.0]), random.random() < 0.2)
        for _ in range(random.choice([0, 1, 1, 2, 3, 5]))
    )
    wall = tuple(
        (random.uniform(0, last), random.choice([-7200.0, -90.0, 90.0, 3600.0, 86400.0]))
        for _ in range(random.choice([0, 0, 0, 1, 2]))
    )
    if chat == "enforce" and stream(seed, "outage").random() < 0.5:
        crashes += (Crash(stream(seed, "outage").randint(20, 120), OUTAGE, reboot=False),)
    pauses = _pauses(stream(seed, "pauses"), last)
    ends += [end for _, end, _ in pauses]
    logged_out, proves = _logins(stream(seed, "logins"), last)
    ends += [end for _, end in logged_out]
    two_teams, archived = _archives(stream(seed, "archives"), last)
    ends += [end for _, end, _ in archived]
    return Plan(
        seed=seed,
        acts=acts,
        windows=windows,
        closed=closed,
        crashes=crashes,
        steps=wall,
        pauses=pauses,
        logged_out=logged_out,
        proves=proves,
        edition="datacenter" if stream(seed, "edition").random() < 0.3 else "cloud",
        two_teams=two_teams,
        archived=archived,
        renames=_renames(stream(seed, "renames"), last),
        search_lag=random.choice([0.0, 0.0, 5.0, 60.0, 300.0, 600.0]),
        fetch_lag=random.choice([0.0, 0.0, 0.0, 2.0, 30.0, 300.0]),
        latency=random.choice([0.01, 0.2, 0.2, 2.0]),
        poll=random.choice([30.0, 60.0, 60.0, 120.0]),
        workers=random.choice([1, 2, 3]),
        others=random.choice([0.0, 0.0, 30.0, 120.0]),
        silent_log=random.random() < 0.3,
        timeouts=random.random() < 0.2,
        dry=random.random() < 0.03,
        papers=papers,
        chat=chat,
        calm=max(ends) + 1.0,
    )


def _with_papers(random: Random, acts: tuple[Act, ...]) -> tuple[tuple[Act, ...], bool]:
    """Switch postmortems on in half of the histories: more is resolved, and people add action items."""
    if random.random() < 0.5:
        return acts, False
    last = max(act.at for act in acts)
    numbers = [act.incident for act in acts if act.kind == "trigger"]
    ends = [
        Act(last + random.uniform(0.0, 60.0), incident, "resolve")
        for incident in numbers
        if random.random() < 0.7
    ]
    items = [
        Act(random.uniform(0.0, last), incident, "action_item", {"text": f"Mend {incident}.{number}"})
        for incident in numbers
        for number in range(random.choice([0, 1, 2]))
    ]
    return tuple(sorted([*acts, *items, *ends], key=lambda act: act.at)), True


def _with_chat(
    random: Random, acts: tuple[Act, ...]
) -> tuple[tuple[Act, ...], Literal["off", "report", "enforce"], tuple[Window, ...]]:
    """Give a quarter of the histories a chat channel: some texts of people are updates, and posts fail."""
    if random.random() > 0.25:
        return acts, "off", ()
    last = max(act.at for act in acts)
    told = tuple(
        replace(act, arguments={**act.arguments, "text": f"update: {act.arguments['text']}"})
        if act.kind in ("note", "comment") and random.random() < 0.4
        else act
        for act in acts
    )
    windows = chat_windows(random, last)
    return told, "report" if random.random() < 0.2 else "enforce", windows


def _pauses(random: Random, last: float) -> tuple[tuple[float, float, str], ...]:
    """Return a pause of one of the two services, in one of five histories."""
    if random.random() > 0.2:
        return ()
    begin = random.uniform(0, last)
    return ((begin, begin + random.choice([30.0, 120.0, 400.0]), random.choice(["jira", "pagerduty"])),)


def _logins(random: Random, last: float) -> tuple[tuple[tuple[float, float], ...], bool]:
    """Return when Jira's token is dead, in one of four histories, and if Jira's answers name our account."""
    proves = random.random() < 0.6
    if random.random() > 0.25:
        return (), proves
    begin = random.uniform(0, last)
    return ((begin, begin + random.choice([100.0, 400.0, 1500.0, 4000.0])),), proves


def _archives(random: Random, last: float) -> tuple[bool, tuple[tuple[float, float, str], ...]]:
    """Return if there is a second team, in one of two histories, and when its project is archived."""
    two_teams = random.random() < 0.5
    if not two_teams or random.random() < 0.4:
        return two_teams, ()
    begin = random.uniform(0, last)
    return True, (
        (begin, begin + random.choice([60.0, 300.0, 1500.0]), random.choice(["hidden", "refused"])),
    )


def _renames(random: Random, last: float) -> tuple[tuple[float, str, str], ...]:
    """Return which service people rename, in one of three histories, perhaps back again later."""
    if random.random() > 0.33:
        return ()
    at, name = random.uniform(0, last), random.choice(CLAIMED)
    there = (at, name, f"{name} v2")
    return (
        (there, (at + random.uniform(10.0, 400.0), f"{name} v2", name)) if random.random() < 0.3 else (there,)
    )


class _History:
    """PagerDuty's states, as far as acts of people depend on them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.states: list[str] = []
        self.acts: list[Act] = []
        self.texts = 0

    def trigger(self, at: float) -> int:
        random = self.random
        number = len(self.states)
        # One of nine incidents is on a service that no mapping claims.
        service = random.choice([*CLAIMED, *CLAIMED, FOREIGN])
        arguments: dict[str, Any] = {"service": service, "title": f"Trouble {number}"}
        arguments["priority"] = random.choice(PRIORITIES)
        if random.random() < 0.4:
            arguments["assignees"] = [random.choice(RESPONDERS)]
        self.states.append("triggered")
        self.acts.append(Act(at, number, "trigger", arguments))
        return number

    def turn(self, at: float, number: int) -> None:
        state = self.states[number]
        weights = {**ACTS.get(state, {}), **ALWAYS}
        kind = self.random.choices(list(weights), list(weights.values()))[0]
        arguments = self._arguments(kind, number)
        if arguments is None:
            return
        self.acts.append(Act(at, number, kind, arguments))
        after = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "triggered"}
        self.states[number] = after.get(kind, self.states[number])
        if kind == "merge":
            self.states[number] = "merged"

    def _arguments(self, kind: str, number: int) -> dict[str, Any] | None:
        random = self.random
        if kind in ("note", "edit_note", "comment", "edit_comment"):
            self.texts += 1
            return {"text": f"words {self.texts} of {number}", "which": random.random()}
        if kind in ("delete_note", "delete_comment"):
            return {"which": random.random()}
        if kind == "merge":
            targets = [
                other
                for other, state in enumerate(self.states)
                if other != number and state in ("triggered", "acknowledged")
            ]
            return {"into": random.choice(targets)} if targets else None
        self.texts += 1
        return {
            "reassign": {"to": random.choice(RESPONDERS)},
            "move": {"service": random.choice([*CLAIMED, FOREIGN])},
            "set_priority": {"priority": random.choice(PRIORITIES)},
            "set_title": {"title": f"Title {self.texts}"},
            "summary": {"summary": f"Really {self.texts}"},
            "transition": {"to": random.choice(STATUSES)},
            "assign": {"to": random.choice([*COLLEAGUES, None])},
        }.get(kind, {})


def _history(random: Random) -> tuple[Act, ...]:
    history = _History(random)
    queue: list[tuple[float, int]] = []
    length = random.choice([120.0, 400.0, 900.0])
    for begin in sorted(random.uniform(0.0, length / 2) for _ in range(random.randint(1, 4))):
        while queue and queue[0][0] < begin:
            _go_on(history, queue, length)
        number = history.trigger(begin)
        heapq.heappush(queue, (begin + random.uniform(1.0, length / 4), number))
    while queue:
        _go_on(history, queue, length)
    return tuple(sorted(history.acts, key=lambda act: act.at))


def _go_on(history: _History, queue: list[tuple[float, int]], length: float) -> None:
    at, number = heapq.heappop(queue)
    if at > length:
        return
    if history.states[number] == "merged":
        history.states[number] = "resolved"
    history.turn(at, number)
    heapq.heappush(queue, (at + history.random.choice([1.0, 5.0, 40.0, 120.0]), number))
