"""A pause: nothing of a kind leaves, all else goes on, and afterwards only what is true then goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig import Rig, rig

from engine.cast import (
    EVERYTHING,
    comments,
    incident_of,
    issue_of,
    issues,
    kinds_of_events,
    nothing_more_is_written,
    pause,
    resume,
    standing,
    status,
)
from syncd.sandbox.jira.people import People as JiraPeople
from syncd.sandbox.pagerduty.acts import People


def notes(rig: Rig, incident: Any) -> list[str]:
    return [note["content"] for note in incident_of(rig, incident)["notes"]]


def journey(rig: Rig) -> list[tuple[str, str]]:
    """Every field of the first ticket that anybody changed, and to what, oldest first."""
    return [
        (item["field"], item["toString"]) for entry in issue_of(rig)["changelog"] for item in entry["items"]
    ]


def writes_to(rig: Rig, service: str) -> int:
    return sum(line.service == service for line in rig.world.journal.writes())


def test_nothing_leaves_for_jira_and_reading_and_deciding_go_on(house: Rig) -> None:
    pause(house, "jira")
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    assert house.cycle().good
    house.settle(3)
    assert house.writes() == 0
    assert [row.kind for row in house.operations("pending")] == ["create_ticket", "link_note"]
    assert standing(house)["paused"]["jira"]["reason"] == "a move of servers"
    assert made.id in [incident["id"] for incident in standing(house)["incidents"]]


def test_the_other_service_is_not_held_up(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    pause(house, "pagerduty")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.world.jira.comment("OPS-1", "looking at it", "Ines Carvalho")
    house.settle(2)
    assert status(house) == "In Progress"
    assert not any("looking at it" in text for text in notes(house, made))
    resume(house)
    house.settle(2)
    assert sum("looking at it" in text for text in notes(house, made)) == 1
    nothing_more_is_written(house)


def test_it_survives_a_restart_and_is_on_record(house: Rig) -> None:
    pause(house, "jira")
    house.restart()
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    assert house.writes() == 0
    assert resume(house, "jira") == ["resumed: jira"]
    house.settle(2)
    assert len(issues(house)) == 1
    assert {"paused", "resumed"} <= set(kinds_of_events(house))
    nothing_more_is_written(house)


def test_a_batch_waits_too(house: Rig) -> None:
    pause(house, "jira")
    for number in range(12):
        house.world.pagerduty.trigger("Alipay Integration", f"Trouble {number}", priority="P3")
    house.settle(2)
    assert house.writes() == 0
    resume(house)
    house.settle(2)
    assert len(issues(house)) == 12
    nothing_more_is_written(house)


def test_only_the_latest_state_goes_out(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    pause(house, "jira")
    people.acknowledge(made.id, "Amara Osei")
    people.set_title(made.id, "Latency of callbacks", "Amara Osei")
    house.settle(2)
    people.set_title(made.id, "Latency of everything", "Amara Osei")
    people.resolve(made.id, "Amara Osei")
    house.settle(14)
    resume(house)
    house.settle(3)
    assert sorted(step for step in journey(house) if step[0] in ("summary", "status")) == [
        ("status", "Done"),
        ("summary", "Latency of everything"),
    ]
    nothing_more_is_written(house)


def test_what_was_undone_meanwhile_leaves_no_trace(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    before = house.writes()
    pause(house, "jira")
    people.set_title(made.id, "Latency of callbacks", "Amara Osei")
    house.settle(2)
    people.set_title(made.id, "Latency", "Amara Osei")
    house.settle(2)
    resume(house)
    house.settle(2)
    assert house.writes() == before
    dropped = [row for row in house.operations("superseded") if row.kind == "edit_ticket"]
    assert len(dropped) == 1
    nothing_more_is_written(house)


def test_a_note_that_was_deleted_meanwhile_is_dropped_with_the_reason(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    pause(house, "jira")
    note = house.world.pagerduty.note(made.id, "nothing to see", "Amara Osei")
    house.settle(2)
    assert [row.kind for row in house.operations("pending")] == ["mirror_note"]
    house.world.pagerduty.delete_note(made.id, note.id)
    house.loop.slow()
    house.settle(2)
    resume(house)
    house.settle(2)
    assert comments(house) == []
    assert [row.kind for row in house.operations("dropped")] == ["mirror_note"]
    nothing_more_is_written(house)


def test_a_comment_that_was_edited_meanwhile_is_copied_as_it_stands_now(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    pause(house, "pagerduty")
    comment = house.world.jira.comment("OPS-1", "it is the cache", "Ines Carvalho")
    house.settle(2)
    house.world.jira.edit_comment("OPS-1", comment.id, "it is the queue", "Ines Carvalho")
    house.settle(2)
    resume(house)
    house.settle(2)
    assert sum("it is the queue" in text for text in notes(house, made)) == 1
    assert not any("it is the cache" in text for text in notes(house, made))
    nothing_more_is_written(house)


def test_of_several_words_about_one_field_only_the_last_go_out(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="Ours")
    house.settle(2)
    pause(house, "jira")
    for title in ("Latency of callbacks", "Latency of everything"):
        people.set_title(made.id, title, "Amara Osei")
        house.settle(2)
    resume(house)
    house.settle(2)
    assert sum("Before, the ticket said: Ours" in text for text in comments(house)) == 1
    nothing_more_is_written(house)


def test_words_about_a_change_that_was_withdrawn_are_withdrawn_with_it(house: Rig) -> None:
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency")
    house.settle(2)
    house.world.jira.edit("OPS-1", "Ines Carvalho", summary="Ours")
    house.settle(2)
    before = house.writes()
    pause(house, "jira")
    people.set_title(made.id, "Latency of callbacks", "Amara Osei")
    house.settle(2)
    people.set_title(made.id, "Latency", "Amara Osei")
    house.settle(2)
    resume(house)
    house.settle(2)
    assert issue_of(house)["fields"]["summary"] == "Ours"
    assert house.writes() == before
    nothing_more_is_written(house)


def test_resuming_what_was_not_paused_says_so(house: Rig) -> None:
    assert resume(house) == ["none of these was paused; syncd asks them at once"]


def test_one_of_two_pauses_can_be_lifted(house: Rig) -> None:
    pause(house, *EVERYTHING)
    resume(house, "jira")
    assert sorted(standing(house)["paused"]) == ["chat", "mail", "pagerduty"]
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    assert (writes_to(house, "jira"), writes_to(house, "pagerduty")) == (1, 0)


OperationKind = Callable[[People, JiraPeople, str], object]

KINDS: dict[str, OperationKind] = {
    "acknowledge": lambda people, _, incident: people.acknowledge(incident, "Amara Osei"),
    "unacknowledge": lambda people, _, incident: people.unacknowledge(incident, "Amara Osei"),
    "resolve": lambda people, _, incident: people.resolve(incident, "Amara Osei"),
    "reopen": lambda people, _, incident: people.reopen(incident, "Amara Osei"),
    "rename": lambda people, _, incident: people.set_title(incident, "Latency of callbacks", "Amara Osei"),
    "name back": lambda people, _, incident: people.set_title(incident, "Latency", "Amara Osei"),
    "raise": lambda people, _, incident: people.set_priority(incident, "P1", "Amara Osei"),
    "lower": lambda people, _, incident: people.set_priority(incident, "P4", "Amara Osei"),
    "note": lambda people, _, incident: people.note(incident, "looking", "Amara Osei"),
}


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
def test_whatever_happens_during_a_pause_the_ticket_moves_once_to_where_it_ends(
    module_folder: Any, acts: list[str]
) -> None:
    with rig(module_folder.mktemp("pause")) as house:
        made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
        house.settle(3)
        before = len(journey(house))
        pause(house, "jira")
        for name in acts:
            try:
                KINDS[name](house.world.pagerduty, house.world.jira, made.id)
            except Exception:  # noqa: BLE001, S112 - what PagerDuty refuses in this state did not happen
                continue
            house.settle(2)
        house.settle(12)
        assert len(journey(house)) == before
        resume(house)
        house.settle(3)
        changed = [field for field, _ in journey(house)[before:] if field != "resolution"]
        assert len(changed) == len(set(changed))
        after = incident_of(house, made)
        # an acknowledgement that ends leaves the ticket; what owes a postmortem is not closed
        stands = {
            "triggered": {"To Do", "In Progress"},
            "acknowledged": {"In Progress"},
            "resolved": {"Done", "In Review"},
        }
        assert status(house) in stands[after["status"]]
        assert issue_of(house)["fields"]["summary"] == after["title"]
        nothing_more_is_written(house)
