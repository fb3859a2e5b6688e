"""The simulation: some seeds in every run, a seed that replays, and engines that it must catch.

Every run plays the few seeds whose plans together hold each kind of act and fault, and some others, which
move with each change of the code around a ring of seeds that were all played once. `make simulate SEED=…
SEEDS=…` plays many or any other seeds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from turns import turn

from simulation import strikes
from simulation.__main__ import Total, judged, report
from simulation.judge import Judge
from simulation.mutations import MUTATIONS
from simulation.people import tickets
from simulation.plan import ACTS, ALWAYS, CLAIMED, Act, Plan, make_plan
from simulation.play import played
from simulation.strikes import Window

ROOT = Path(__file__).parents[2]
RING = 1_000
"""Seeds from 1 on. Each was played once and passed."""
OTHERS = 1
"""So many seeds of a run move around the ring; `make simulate` plays all of it."""
FIRST = int(os.environ.get("SEED") or turn(RING // OTHERS) * OTHERS + 1)
SHARES = 2
"""The seeds of one run are played in so many shares, which run in parallel."""


@cache
def covering() -> tuple[int, ...]:
    """Return short histories of the ring whose plans together hold whatever any plan of the ring holds."""
    plans = {seed: make_plan(seed) for seed in range(1, RING + 1)}
    kinds = {seed: plan.kinds for seed, plan in plans.items()}
    # what a history costs: its cycles, and what people do
    costs = {seed: plan.calm / plan.poll + len(plan.acts) for seed, plan in plans.items()}
    lacking = set().union(*kinds.values())
    chosen = []
    while lacking:
        chosen.append(max(kinds, key=lambda seed: len(kinds[seed] & lacking) / costs[seed]))
        lacking -= kinds[chosen[-1]]
    return tuple(chosen)


def test_every_act_of_people_and_every_fault_is_in_some_plan_of_each_run() -> None:
    kinds = set().union(*(make_plan(seed).kinds for seed in covering()))
    acts = {*ALWAYS, *(act for acts in ACTS.values() for act in acts)}
    assert acts | set(strikes.ALL) <= kinds


@pytest.mark.timeout(400)
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_every_promise_is_kept(share: int, capsys: pytest.CaptureFixture[str]) -> None:
    logger.remove()
    total = Total()
    seeds = [*covering(), *range(FIRST, FIRST + OTHERS)][share::SHARES]
    for seed in seeds:
        complaints = judged(seed, total, "none", twin=seed % 4 == 0)
        assert not complaints, f"make simulate SEED={seed} SEEDS=1"
    with capsys.disabled():
        sys.stdout.write(f"\nseeds {', '.join(map(str, seeds))}: {report(total)}")
    assert total.seeds == len(seeds)


def traces(*seeds: int) -> list[str]:
    """Play seeds and return what happened in each."""
    played_traces = []
    for seed in seeds:
        with played(make_plan(seed)) as ending:
            played_traces.append(ending.trace)
    return played_traces


def test_seeds_replay_to_the_last_byte() -> None:
    seeds = (797, 883)
    code = (
        "import json; from loguru import logger; logger.remove();"
        f"from simulation.test_simulation import traces; print(json.dumps(traces{seeds}))"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert json.loads(done.stdout) == traces(*seeds)


def test_a_service_is_renamed_back_only_after_its_first_renaming_which_waits_for_the_daemon() -> None:
    name = CLAIMED[0]
    there, back = (0.0, name, f"{name} v2"), (10.0, f"{name} v2", name)
    # at second 0 the daemon has not read the service yet, at second 10 it has
    with played(Plan(seed=1, acts=(), renames=(there, back), calm=100.0)) as ending:
        names = [service.name for service in ending.world.pagerduty.account.services.values()]
    assert name in names
    assert f"{name} v2" not in names


def cleared(*acts: Act, **plan: Any) -> Plan:
    """Return a history in which a person takes the assignee of a ticket away, in the sixth minute."""
    trigger = {"service": CLAIMED[0], "title": "T", "assignees": ["Mei Tanaka"]}
    first, last = Act(10.0, 0, "trigger", trigger), Act(330.0, 0, "assign", {"to": None})
    return Plan(seed=1, acts=(first, *acts, last), calm=400.0, **plan)


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_a_cleared_assignee_stays_unless_the_incident_changed(edition: str) -> None:
    with played(cleared(edition=edition)) as ending:
        assert [touch.at_rest for touch in ending.people.touches] == [True]
        assert Judge(ending).complaints == []
    with MUTATIONS["forgets_agreements"](), played(cleared(edition=edition)) as ending:
        (complaint,) = Judge(ending).complaints
    assert complaint.startswith("overwritten: assignee of OPS-1 is 'Mei Tanaka'; a person set None at ")


def test_a_change_of_the_incident_that_syncd_has_not_seen_yet_comes_after_a_persons_choice() -> None:
    reassign = Act(100.0, 0, "reassign", {"to": "Amara Osei"})
    unseen = Window(95.0, 380.0, "refused", "pagerduty", None, 1.0)
    with played(cleared(reassign, windows=(unseen,))) as ending:
        assert [touch.at_rest for touch in ending.people.touches] == [False]
        assert Judge(ending).complaints == []
        (ticket,) = tickets(ending.world, ending.people.ids[0])
    # syncd says what it replaced
    assert "Before, the ticket said: nobody" in "".join(comment.body for comment in ticket.comments)


CAUGHT = {
    "settles_at_once": (332, 172, 133),
    "ignores_pauses": (555, 648, 881),
    "asks_inside_a_transaction": (1,),
    "forgets_agreements": (988, 632, 219),
    "overlooks_action_items": (957, 399),
}
"""By mutation, seeds of which at least one catches it; without a mutation each of them passes."""


@pytest.mark.parametrize("mutation", CAUGHT)
def test_an_engine_that_is_built_wrong_is_caught(mutation: str) -> None:
    assert any(judged(seed, Total(), mutation, twin=False) for seed in CAUGHT[mutation])
