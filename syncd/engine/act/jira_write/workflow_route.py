"""Which step a ticket takes next on its way to a status: known ways, the mapping's path, a look around.

A route passes only through statuses that the mapping names, and through none of category done on the way
to one that is not: what customers and boards take for closed must not be touched in passing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status
from syncd.engine.act.jira_write.workflow_graph import Graph

MOST_HOPS = 3
"""Steps from where a ticket stands to where it should be."""


@dataclass(frozen=True)
class Goal:
    """Where a ticket should go: the word's status, those that do as well, those on the path to it."""

    target: Status
    instead: tuple[Status, ...]
    path: tuple[Status, ...]
    ranks: dict[str, int]
    """How far along the incident's life each status stands that may be passed, by its id."""

    def may_pass(self, status: Status) -> bool:
        """Whether the mapping names the status, and passing it closes nothing."""
        closes = status.category == "done" and self.target.category != "done"
        return status.id in self.ranks and not closes

    def arrived(self, status_id: str) -> bool:
        """Whether a ticket in this status is where it should be."""
        return any(status_id == one.id for one in (self.target, *self.instead))

    def behind(self, status: Status) -> bool:
        """Whether the target lies before the status in an incident's life: a reopen goes back."""
        if status.category == "done" and self.target.category != "done":
            return True
        return self.ranks.get(status.id, -1) > self.ranks[self.target.id]

    def distance(self, status: Status) -> int:
        """How far a status that may be passed is from the target, in words."""
        return abs(self.ranks[status.id] - self.ranks[self.target.id])


@dataclass(frozen=True)
class Step:
    """The status to go to next; `last` says whether the ticket is then where it should be."""

    to: Status
    last: bool


def goal_for(project: ResolvedProject, word: str) -> Goal:
    """The goal of a move to the status of one of the mapping's words."""
    ranks: dict[str, int] = {}
    for rank, one in enumerate(STATUS_WORDS):
        ranks.setdefault(project.statuses[one].id, rank)
    for rank, one in enumerate(STATUS_WORDS):
        for status in project.path.get(one, ()):
            ranks.setdefault(status.id, rank)
    return Goal(
        target=project.statuses[word],
        instead=project.instead.get(word, ()),
        path=project.path.get(word, ()),
        ranks=ranks,
    )


def goal_back(project: ResolvedProject, before: Status) -> Goal:
    """The goal of a move back to the status in which a ticket stood; any that stands for `resolved` does."""
    goal = goal_for(project, "resolved")
    ranks = dict(goal.ranks)
    ranks.setdefault(before.id, ranks[goal.target.id])
    return Goal(target=before, instead=(goal.target, *goal.instead), path=goal.path, ranks=ranks)


def plan_step(
    at: str,
    offered: Sequence[Status],
    goal: Goal,
    graph: Graph,
    explored: Iterable[str],
    hops: int = MOST_HOPS,
) -> Step | None:
    """Given what Jira offers from status `at`, return the step to take next; None: there is no way.

    First a way that is known to reach the target within `hops` steps, then the mapping's path, then the
    nearest status whose own ways were not seen yet; at last a way to a status that the mapping names for
    the same word. `explored` are the statuses whose ways are known well enough.
    """
    known = {**graph, at: tuple(offered)}
    onwards = (
        _first_hop(at, goal.target, goal, known, hops)
        or _along_the_path(at, offered, goal, hops)
        or _around(at, goal, known, frozenset(explored), hops)
    )
    if onwards is not None:
        return Step(onwards, last=onwards.id == goal.target.id)
    another = _to_another(at, goal, known, hops)
    return Step(another, last=goal.arrived(another.id)) if another is not None else None


def _to_another(at: str, goal: Goal, graph: Graph, hops: int) -> Status | None:
    """The first step to a status that the mapping names for the same word; none from where that is so."""
    if goal.arrived(at):
        return None
    steps = (_first_hop(at, one, goal, graph, hops) for one in goal.instead)
    return next((step for step in steps if step is not None), None)


def _first_hop(at: str, target: Status, goal: Goal, graph: Graph, hops: int) -> Status | None:
    """The first step of a shortest known way, breadth first."""
    seen = {at}
    waiting: deque[tuple[str, Status | None, int]] = deque([(at, None, 0)])
    while waiting:
        here, first, length = waiting.popleft()
        if length == hops:
            continue
        for one in graph.get(here, ()):
            if one.id == target.id:
                return first or one
            if one.id not in seen and goal.may_pass(one):
                seen.add(one.id)
                waiting.append((one.id, first or one, length + 1))
    return None


def _along_the_path(at: str, offered: Sequence[Status], goal: Goal, hops: int) -> Status | None:
    """The last status of the path that Jira offers and that lies ahead."""
    steps = [one.id for one in goal.path]
    ahead = steps[steps.index(at) + 1 :] if at in steps else steps
    there = {one.id: one for one in offered if goal.may_pass(one)}
    return next((there[one] for one in reversed(ahead) if one in there), None) if hops > 1 else None


def _around(at: str, goal: Goal, graph: Graph, explored: frozenset[str], hops: int) -> Status | None:
    """The first step to the nearest status whose ways were not seen yet, with a step left to go on."""
    seen = {at}
    level: list[tuple[str, Status | None]] = [(at, None)]
    for _ in range(1, hops):
        ahead = [
            (one, first or one)
            for here, first in level
            for one in graph.get(here, ())
            if one.id not in seen and goal.may_pass(one)
        ]
        unknown = [(one, first) for one, first in ahead if one.id not in explored]
        if unknown:
            return min(unknown, key=lambda found: goal.distance(found[0]))[1]
        seen.update(one.id for one, _ in ahead)
        level = [(one.id, first) for one, first in ahead]
    return None
