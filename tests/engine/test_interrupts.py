"""Every scenario is ended at its steps, started again, and must end as if nothing had happened.

A run tries every twelfth step of the longer ones, by turns with each change of the code, and says which
(`INTERRUPTS=0` to `11`, or `all`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cheap_ledgers import memory
from simulation.house import House
from turns import turn

from syncd.ledger.requests.answers import ask
from syncd.sandbox import faults

Scenario = Callable[[House], None]
BY = "Amara Osei"
COLLEAGUE = "Ines Carvalho"
CREATE = {"service": "jira", "method": "POST", "path": r"/issue$"}
NOTE = {"service": "pagerduty", "method": "POST", "path": r"/notes$"}
EDIT = {"service": "jira", "method": "PUT", "path": r"/issue/\d+$"}
MOVE = {"service": "jira", "method": "POST", "path": r"/transitions$"}
STRIDE = 12
"""Of the longer scenarios, a run tries every so many-th step."""
TURN = os.environ.get("INTERRUPTS") or str(turn(STRIDE))
FEW = 8
"""So many steps are all tried at every run."""
COMMENT = {"service": "jira", "method": "POST", "path": r"/comment$"}


def trigger(house: House, title: str = "Latency", priority: str | None = "P4") -> str:
    made = house.world.pagerduty.trigger("Alipay Integration", title, priority=priority)
    house.rest()
    return made.id


def create(house: House) -> None:
    trigger(house)


def create_whose_answer_is_lost(house: House) -> None:
    house.world.faults.add(faults.lose_answer(), **CREATE)
    trigger(house)


def create_that_never_arrives(house: House) -> None:
    house.world.faults.add(faults.reset_before(), **CREATE)
    trigger(house)


def reboot_while_a_create_settles(house: House) -> None:
    house.world.faults.add(faults.reset_before(), **CREATE)
    house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.survive(house.turn)
    house.stop()
    house.clock.boot = "boot-2"
    house.rest()


def link_note_whose_answer_is_lost(house: House) -> None:
    house.world.faults.add(faults.lose_answer(), **NOTE)
    trigger(house)


def note_that_is_mirrored(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.note(made, "restarted the workers", BY)
    house.rest()


def note_whose_mirror_is_lost(house: House) -> None:
    made = trigger(house)
    house.world.faults.add(faults.lose_answer(), **COMMENT)
    house.world.pagerduty.note(made, "restarted the workers", BY)
    house.rest()


def comment_that_is_mirrored(house: House) -> None:
    made = trigger(house)
    house.world.jira.comment(house.ticket(made), "ok", by=COLLEAGUE)
    house.rest()


def comment_whose_mirror_is_cut_short(house: House) -> None:
    made = trigger(house)
    house.world.faults.add(faults.cut(), **NOTE)
    house.world.jira.comment(house.ticket(made), "ok", by=COLLEAGUE)
    house.rest()


def acknowledge(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.acknowledge(made, BY)
    house.rest()


def move_whose_answer_is_lost(house: House) -> None:
    made = trigger(house)
    house.world.faults.add(faults.lose_answer(), **MOVE)
    house.world.pagerduty.acknowledge(made, BY)
    house.rest()


def resolve_that_closes(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.resolve(made, BY)
    house.rest()


def resolve_that_owes_a_postmortem(house: House) -> None:
    made = trigger(house, priority="P1")
    house.world.pagerduty.resolve(made, BY)
    house.rest()


def reopen(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.resolve(made, BY)
    house.rest()
    house.world.pagerduty.reopen(made, BY)
    house.rest()


def reassign(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.reassign(made, ["Mei Tanaka"], BY)
    house.rest()


def title_and_priority(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.set_title(made, "Latency everywhere", BY)
    house.world.pagerduty.set_priority(made, "P1", BY)
    house.rest()


def edit_whose_answer_is_lost(house: House) -> None:
    made = trigger(house)
    house.world.faults.add(faults.lose_answer(), **EDIT)
    house.world.pagerduty.set_priority(made, "P1", BY)
    house.rest()


def merge(house: House) -> None:
    source, target = trigger(house, "Symptom"), trigger(house, "Cause")
    house.world.pagerduty.merge(target, [source], BY)
    house.rest()


def moved_to_another_service(house: House) -> None:
    made = trigger(house)
    house.world.pagerduty.move(made, "BluBank Integration", BY)
    house.rest()


def field_that_is_refused(house: House) -> None:
    text = "Field 'components' cannot be set. It is not on the appropriate screen, or unknown."
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"components": text}})
    house.world.faults.add(refusal, body='"components"', times=None, **CREATE)
    trigger(house)


def parked_and_tried_again(house: House) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Summary is cursed."}})
    rule = house.world.faults.add(refusal, times=None, **CREATE)
    trigger(house)
    house.world.faults.remove(rule.id)

    def retry() -> None:
        assert house.ledger
        ask(house.ledger, "outbox.retry", {"ids": []}, "operator")

    house.survive(retry)
    house.rest()


def assignee_that_a_person_chose(house: House) -> None:
    made = trigger(house)
    house.world.jira.assign(house.ticket(made), COLLEAGUE, by=COLLEAGUE)
    house.rest()
    house.world.pagerduty.reassign(made, ["Mei Tanaka"], BY)
    house.rest()


def adoption_of_a_ticket_that_was_there(house: House) -> None:
    """The incident is older than the ledger, and somebody made a ticket with its label."""
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.world.jira.create(COLLEAGUE, "Latency", type="Incident", labels=[f"pd-{made.id}"])
    house.world.advance(120.0)
    house.rest()
    house.world.pagerduty.acknowledge(made.id, BY)
    house.rest()


SCENARIOS: tuple[Scenario, ...] = (
    create,
    create_whose_answer_is_lost,
    create_that_never_arrives,
    reboot_while_a_create_settles,
    link_note_whose_answer_is_lost,
    note_that_is_mirrored,
    note_whose_mirror_is_lost,
    comment_that_is_mirrored,
    comment_whose_mirror_is_cut_short,
    acknowledge,
    move_whose_answer_is_lost,
    resolve_that_closes,
    resolve_that_owes_a_postmortem,
    reopen,
    reassign,
    title_and_priority,
    edit_whose_answer_is_lost,
    merge,
    moved_to_another_service,
    field_that_is_refused,
    parked_and_tried_again,
    assignee_that_a_person_chose,
    adoption_of_a_ticket_that_was_there,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder, in memory where there is such: the ends of a daemon do not test the disk."""
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        yield Path(name)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_ended_at_any_step_the_end_is_the_same(scenario: Scenario, folder: Path) -> None:
    whole = House(folder, 0)
    scenario(whole)
    steps, expected = whole.steps, whole.end_state()
    whole.start()
    whole.rest()
    assert whole.once_more() == []
    assert whole.end_state() == expected
    whole.stop()
    for die_at in _tried(steps):
        house = House(folder, die_at)
        scenario(house)
        where = f"ended at step {die_at} of {steps} (INTERRUPTS={TURN})"
        assert house.end_state() == expected, where
        assert house.once_more() == [], where
        assert house.end_state() == expected, f"{where}, looked at once more"
        assert house.ends == 1
        house.stop()


def _tried(steps: int) -> range:
    if steps <= FEW or TURN == "all":
        return range(1, steps + 1)
    return range(1 + int(TURN) % STRIDE, steps + 1, STRIDE)
