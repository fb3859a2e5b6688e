"""Every scenario is ended at each of its steps, started again, and must end as if nothing had happened."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simulation.house import House
from simulation.play import memory

from syncd.engine.requests import ask
from syncd.sandbox import faults

Scenario = Callable[[House], None]
BY = "Amara Osei"
COLLEAGUE = "Ines Carvalho"
CREATE = {"service": "jira", "method": "POST", "path": r"/issue$"}
NOTE = {"service": "pagerduty", "method": "POST", "path": r"/notes$"}
EDIT = {"service": "jira", "method": "PUT", "path": r"/issue/\d+$"}
MOVE = {"service": "jira", "method": "POST", "path": r"/transitions$"}
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


def create_over_a_reboot_while_it_settles(house: House) -> None:
    house.world.faults.add(faults.reset_before(), **CREATE)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.survive(lambda: house.engine and house.engine.cycle() and house.engine.come_to_rest())
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
    trigger(house)
    house.world.jira.comment("OPS-1", "ok", by=COLLEAGUE)
    house.rest()


def comment_whose_mirror_is_cut_short(house: House) -> None:
    trigger(house)
    house.world.faults.add(faults.cut(), **NOTE)
    house.world.jira.comment("OPS-1", "ok", by=COLLEAGUE)
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
    house.world.pagerduty.set_title(made, "Latency", BY)
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
    house.world.faults.add(refusal, **CREATE)
    trigger(house)


def parked_and_tried_again(house: House) -> None:
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"summary": "Summary is cursed."}})
    house.world.faults.add(refusal, **CREATE)
    trigger(house)

    def retry() -> None:
        assert house.ledger
        with house.ledger.db.write() as session:
            ask(session, "outbox.retry", {"ids": []}, "operator", house.clock)

    house.survive(retry)
    house.rest()


def assignee_that_a_person_chose(house: House) -> None:
    made = trigger(house)
    house.world.jira.assign("OPS-1", COLLEAGUE, by=COLLEAGUE)
    house.rest()
    house.world.pagerduty.reassign(made, ["Mei Tanaka"], BY)
    house.rest()


def adoption_of_a_ticket_that_was_there(house: House) -> None:
    """The incident is older than the ledger, and somebody made a ticket with its label."""
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    label = f"pd-{made.id}"
    house.world.jira.create(COLLEAGUE, "Latency", type="Incident", labels=[label])
    house.world.advance(120.0)
    house.rest()
    house.world.pagerduty.acknowledge(made.id, BY)
    house.rest()


SCENARIOS: tuple[Scenario, ...] = (
    create,
    create_whose_answer_is_lost,
    create_that_never_arrives,
    create_over_a_reboot_while_it_settles,
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


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_ended_at_any_step_the_end_is_the_same(scenario: Scenario, memory_folder: Path) -> None:
    whole = House(memory_folder, 0)
    scenario(whole)
    expected = whole.end_state()
    assert whole.once_more() == []
    whole.stop()
    assert whole.steps > 3
    for die_at in range(1, 500):
        house = House(memory_folder, die_at)
        scenario(house)
        assert house.end_state() == expected, f"ended at step {die_at}"
        ran_through = house.ends == 0
        assert house.once_more() == [], f"ended at step {die_at}"
        house.stop()
        if ran_through:
            return
    raise AssertionError("the scenario never runs through")


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A private folder, in memory where there is such: the ends of a daemon do not test the disk."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        yield Path(folder)
