"""Finding a way through any workflow at all: what a ticket may be taken through, and for how long."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.domain.base import Reference
from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Status
from syncd.engine.act.jira_write.workflow_route import MOST_HOPS, goal_for, plan_step

WORDS = tuple(
    Status(id=word, name=word, category="done" if word == "closed" else "indeterminate")
    for word in STATUS_WORDS
)
MORE = (
    Status(id="reopened", name="reopened", category="new"),
    Status(id="qa", name="qa", category="indeterminate"),
    Status(id="archived", name="archived", category="done"),
    Status(id="theirs", name="theirs", category="indeterminate"),
)
EVERY = WORDS + MORE
PROJECT = ResolvedProject(
    id="1",
    key="OPS",
    incident_type=Reference(id="1"),
    statuses={each_word.id: each_word for each_word in WORDS},
    instead={"triggered": (MORE[0],)},
    path={"closed": (MORE[1],)},
)
Graph = dict[str, tuple[Status, ...]]

statuses = st.sampled_from(EVERY)
workflows = st.dictionaries(
    st.sampled_from([kind.id for kind in EVERY]),
    st.lists(statuses, max_size=4, unique=True).map(tuple),
    max_size=len(EVERY),
)


def walk(start: str, word: str, workflow: Graph, known: Graph) -> list[Status]:
    """Take steps as long as there are any, learning each status's ways when the ticket is there."""
    goal, steps, at = goal_for(PROJECT, word), [], start
    known = dict(known)
    while len(steps) <= MOST_HOPS + 1:
        if at == goal.target.id:
            return steps
        offered = [status for status in workflow.get(at, ()) if status.id != at]
        known[at] = tuple(offered)
        step = plan_step(at, offered, goal, known, set(known), MOST_HOPS - len(steps))
        if step is None:
            return steps
        steps.append(step.to)
        at = step.to.id
        if step.last:
            return steps
    return steps


@given(statuses, st.sampled_from(STATUS_WORDS), workflows, workflows)
def test_a_walk_is_short_and_passes_only_what_the_mapping_names_and_closes_nothing_in_passing(
    start: Status, word: str, workflow: Graph, believed: Graph
) -> None:
    goal = goal_for(PROJECT, word)
    steps = walk(start.id, word, workflow, believed)
    assert len(steps) <= MOST_HOPS
    at = start.id
    for step in steps:
        assert step.id in [status.id for status in workflow[at]]
        at = step.id
    for passed in steps[:-1] if steps and goal.arrived(steps[-1].id) else steps:
        assert passed.id in {*STATUS_WORDS, "qa"}
        assert passed.category != "done" or goal.target.category == "done"


@given(statuses, st.sampled_from(STATUS_WORDS), workflows)
def test_a_workflow_that_is_known_is_walked_to_its_end_by_the_shortest_way(
    start: Status, word: str, workflow: Graph
) -> None:
    goal = goal_for(PROJECT, word)
    reached, length = {start.id}, 0
    while goal.target.id not in reached and length < MOST_HOPS:
        last = length == MOST_HOPS - 1
        ahead = [status for at in reached for status in workflow.get(at, ())]
        reached |= {status.id for status in ahead if goal.may_pass(status) or status.id == goal.target.id}
        length += 1
        if last:
            break
    steps = walk(start.id, word, workflow, workflow)
    if goal.target.id in reached:
        assert len(steps) == length
        assert not steps or steps[-1] == goal.target


def test_a_fourth_step_is_never_planned() -> None:
    by_id = {kind.id: kind for kind in EVERY}
    order = ["triggered", "acknowledged", "resolved", "qa", "closed"]
    chain = {start: (by_id[end],) for start, end in pairwise(order)}
    assert [status.id for status in walk("acknowledged", "closed", chain, chain)] == [
        "resolved",
        "qa",
        "closed",
    ]
    assert walk("triggered", "closed", chain, chain) == []


@pytest.mark.parametrize(
    ("at", "word", "behind"),
    [
        ("closed", "triggered", True),
        ("closed", "resolved", True),
        ("archived", "acknowledged", True),
        ("resolved", "triggered", True),
        ("triggered", "closed", False),
        ("theirs", "triggered", False),
        ("qa", "closed", False),
    ],
)
def test_going_back_is_told_from_going_on(at: str, word: str, behind: bool) -> None:
    status = next(kind for kind in EVERY if kind.id == at)
    assert goal_for(PROJECT, word).behind(status) is behind
