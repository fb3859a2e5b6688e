"""Choose the next step of a ticket on its way to a status: a known route, the mapping's path, or exploring.

A route passes only through statuses that the mapping names. On the way to an open status it passes through no
status of category done: customers and boards would take the ticket for closed.
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
"""The most steps of one move."""


@dataclass(frozen=True)
class Goal:
    """The target of a move: the word's status, the statuses accepted instead, the statuses on the path."""

    target: Status
    instead: tuple[Status, ...]
    path: tuple[Status, ...]
    ranks: dict[str, int]
    """The position in an incident's life of each status that may be passed, by its id."""

    def may_pass(self, status: Status) -> bool:
        """Return True if the mapping names the status and passing it closes nothing."""
        closes = status.category == "done" and self.target.category != "done"
        return status.id in self.ranks and not closes

    def arrived(self, status_id: str) -> bool:
        """Return True if a ticket in this status has reached the goal."""
        return any(status_id == status.id for status in (self.target, *self.instead))

    def behind(self, status: Status) -> bool:
        """Return True if the target lies before the status in an incident's life: a reopen goes back."""
        if status.category == "done" and self.target.category != "done":
            return True
        return self.ranks.get(status.id, -1) > self.ranks[self.target.id]

    def distance(self, status: Status) -> int:
        """Return how many of the mapping's words lie between a status that may be passed and the target."""
        return abs(self.ranks[status.id] - self.ranks[self.target.id])


@dataclass(frozen=True)
class Step:
    """The next status; `last`: the ticket has reached its goal then."""

    to: Status
    last: bool


def goal_for(project: ResolvedProject, word: str) -> Goal:
    """Return the goal of a move to the status of one of the mapping's words."""
    ranks: dict[str, int] = {}
    for rank, status_word in enumerate(STATUS_WORDS):
        ranks.setdefault(project.statuses[status_word].id, rank)
    for rank, status_word in enumerate(STATUS_WORDS):
        for status in project.path.get(status_word, ()):
            ranks.setdefault(status.id, rank)
    return Goal(
        target=project.statuses[word],
        instead=project.instead.get(word, ()),
        path=project.path.get(word, ()),
        ranks=ranks,
    )


def goal_back(project: ResolvedProject, before: Status) -> Goal:
    """Return the goal of a move back to an earlier status; any status for `resolved` is accepted too."""
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
    """Return the next step from status `at`, given what Jira offers there; None where no step leads on.

    Candidates in order: a known route to the target within `hops` steps, the mapping's path, the nearest
    status that syncd has not explored, a route to a status that the mapping accepts for the same word.
    `explored` are the statuses whose transitions are known well enough.
    """
    graph = {**graph, at: tuple(offered)}
    onwards = (
        _first_hop(at, goal.target, goal, graph, hops)
        or _along_the_path(at, offered, goal, hops)
        or _around(at, goal, graph, frozenset(explored), hops)
    )
    if onwards is not None:
        return Step(onwards, last=onwards.id == goal.target.id)
    another = _to_another(at, goal, graph, hops)
    return Step(another, last=goal.arrived(another.id)) if another is not None else None


def _to_another(at: str, goal: Goal, graph: Graph, hops: int) -> Status | None:
    """Return the first step to a status that the mapping accepts instead, None where the ticket is there."""
    if goal.arrived(at):
        return None
    steps = (_first_hop(at, status, goal, graph, hops) for status in goal.instead)
    return next((step for step in steps if step is not None), None)


def _first_hop(at: str, target: Status, goal: Goal, graph: Graph, hops: int) -> Status | None:
    """Return the first step of a shortest known route, breadth first."""
    seen = {at}
    waiting: deque[tuple[str, Status | None, int]] = deque([(at, None, 0)])
    while waiting:
        here, first, length = waiting.popleft()
        if length == hops:
            continue
        for status in graph.get(here, ()):
            if status.id == target.id:
                return first or status
            if status.id not in seen and goal.may_pass(status):
                seen.add(status.id)
                waiting.append((status.id, first or status, length + 1))
    return None


def _along_the_path(at: str, offered: Sequence[Status], goal: Goal, hops: int) -> Status | None:
    """Return the status furthest along the mapping's path that Jira offers."""
    steps = [status.id for status in goal.path]
    ahead = steps[steps.index(at) + 1 :] if at in steps else steps
    passable = {status.id: status for status in offered if goal.may_pass(status)}
    furthest = next((passable[status_id] for status_id in reversed(ahead) if status_id in passable), None)
    # one step must be left to reach the target
    return furthest if hops > 1 else None


def _around(at: str, goal: Goal, graph: Graph, explored: frozenset[str], hops: int) -> Status | None:
    """Return the first step to the nearest unexplored status, with one step left to go on."""
    seen = {at}
    level: list[tuple[str, Status | None]] = [(at, None)]
    for _ in range(1, hops):
        ahead = [
            (status, first or status)
            for here, first in level
            for status in graph.get(here, ())
            if status.id not in seen and goal.may_pass(status)
        ]
        unexplored = [(status, first) for status, first in ahead if status.id not in explored]
        if unexplored:
            return min(unexplored, key=lambda candidate: goal.distance(candidate[0]))[1]
        seen.update(status.id for status, _ in ahead)
        level = [(status.id, first) for status, first in ahead]
    return None
