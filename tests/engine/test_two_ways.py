"""Copies of notes and comments follow what people do to the originals, end to end."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from engine.cast import incident_of, issue_of, kinds_of_events, nothing_more_is_written
from syncd.policy.marks import mark_in
from syncd.sandbox import faults


def comments(rig: Rig) -> list[str]:
    return [comment["body"] for comment in issue_of(rig)["comments"] if not comment.get("deleted")]


def notes(rig: Rig, incident: Any) -> list[str]:
    """The notes beside the one that names the ticket."""
    lines = [note["content"] for note in incident_of(rig, incident)["notes"] if not note.get("deleted")]
    return [line for line in lines if not line.startswith("Ticket ")]


@pytest.fixture
def talk(house: Rig) -> tuple[Rig, Any, Any, Any]:
    """An incident with a note and a comment, both copied."""
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    note = house.world.pagerduty.note(made.id, "restarted the workers", "Amara Osei")
    comment = house.world.jira.comment("OPS-1", "called the bank", by="Ines Carvalho")
    house.settle(3)
    assert (len(comments(house)), len(notes(house, made))) == (2, 2)
    return house, made, note, comment


def copy_of(texts: list[str]) -> str:
    (copy,) = [text for text in texts if mark_in(text)]
    return copy


def quarter(rig: Rig) -> None:
    rig.loop.slow()
    rig.settle(3)


def test_an_edited_note_rewrites_our_comment_which_keeps_its_mark(talk: Any) -> None:
    rig, made, note, _ = talk
    before = mark_in(copy_of(comments(rig)))
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted the {html} workers twice")
    quarter(rig)
    rewritten = copy_of(comments(rig))
    assert "workers twice" in rewritten
    assert "{html}" not in rewritten.replace("\\{", "")
    assert ", edited:" in rewritten
    assert mark_in(rewritten) == before
    assert len(comments(rig)) == 2
    nothing_more_is_written(rig)


def test_an_edited_comment_rewrites_our_note(talk: Any) -> None:
    rig, made, _, comment = talk
    rig.world.jira.edit_comment("OPS-1", comment.id, "called the bank: they know", by="Ines Carvalho")
    rig.settle(3)
    assert "they know" in copy_of(notes(rig, made))
    assert len(notes(rig, made)) == 2
    nothing_more_is_written(rig)


def test_a_deleted_note_leaves_a_comment_that_says_so(talk: Any) -> None:
    rig, made, note, _ = talk
    rig.world.pagerduty.delete_note(made.id, note.id)
    quarter(rig)
    rewritten = copy_of(comments(rig))
    assert rewritten.startswith("deleted, ")
    assert "UTC" in rewritten
    assert "restarted" not in rewritten
    nothing_more_is_written(rig)


def test_a_deleted_comment_leaves_a_note_that_says_so(talk: Any) -> None:
    rig, made, _, comment = talk
    rig.world.jira.delete_comment("OPS-1", comment.id, by="Ines Carvalho")
    rig.settle(3)
    rewritten = copy_of(notes(rig, made))
    assert rewritten.startswith("deleted, ")
    assert "bank" not in rewritten
    nothing_more_is_written(rig)


def test_the_daemon_deletes_nothing(talk: Any) -> None:
    rig, made, note, comment = talk
    rig.world.pagerduty.delete_note(made.id, note.id)
    rig.world.jira.delete_comment("OPS-1", comment.id, by="Ines Carvalho")
    quarter(rig)
    assert [line for line in rig.world.journal.writes() if line.method == "DELETE"] == []


def test_a_copy_that_a_person_changed_is_theirs(talk: Any) -> None:
    rig, made, note, _ = talk
    ours = next(comment for comment in issue_of(rig)["comments"] if mark_in(comment["body"]))
    rig.world.jira.edit_comment("OPS-1", ours["id"], "what really happened", by="Ines Carvalho")
    rig.settle(2)
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted all")
    quarter(rig)
    assert "what really happened" in comments(rig)
    assert "left" in kinds_of_events(rig)
    nothing_more_is_written(rig)


def test_a_copy_that_a_person_deleted_is_not_made_again(talk: Any) -> None:
    rig, made, note, _ = talk
    ours = next(comment for comment in issue_of(rig)["comments"] if mark_in(comment["body"]))
    rig.world.jira.delete_comment("OPS-1", ours["id"], by="Ines Carvalho")
    rig.settle(2)
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted all")
    quarter(rig)
    assert comments(rig) == ["called the bank"]
    nothing_more_is_written(rig)


@pytest.mark.parametrize("status", [403, 404])
def test_a_proxys_page_to_a_rewriting_is_no_deleted_copy(talk: Any, status: int) -> None:
    rig, made, note, comment = talk
    for service, path in (("jira", "/comment/"), ("pagerduty", "/notes/")):
        rig.world.faults.add(faults.html(status), service=service, method="PUT", path=path, times=1)
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted all")
    rig.world.jira.edit_comment("OPS-1", comment.id, "the bank knows", by="Ines Carvalho")
    quarter(rig)
    rig.settle(6, 60)
    assert "restarted all" in copy_of(comments(rig))
    assert "the bank knows" in copy_of(notes(rig, made))
    nothing_more_is_written(rig)


@pytest.mark.parametrize("strike", [faults.lose_answer(), faults.reset_before()], ids=["done", "not done"])
def test_a_lost_answer_to_a_rewriting_is_settled_by_reading(talk: Any, strike: Any) -> None:
    rig, made, note, _ = talk
    rig.world.faults.add(strike, service="jira", method="PUT", path="/comment/", times=1)
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted all")
    quarter(rig)
    assert "restarted all" in copy_of(comments(rig))
    assert "left" not in kinds_of_events(rig)
    nothing_more_is_written(rig)


def test_an_account_that_does_not_let_notes_be_edited_is_left_alone(talk: Any) -> None:
    rig, made, _, comment = talk
    body = {"error": {"message": "Method Not Allowed", "code": 2003}}
    rig.world.faults.add(
        faults.error(405, body=body), service="pagerduty", method="PUT", path="/notes/", times=None
    )
    rig.world.jira.edit_comment("OPS-1", comment.id, "they know", by="Ines Carvalho")
    rig.settle(3)
    assert "called the bank" in copy_of(notes(rig, made))
    assert (rig.operations("parked"), kinds_of_events(rig).count("left")) == ([], 1)
    nothing_more_is_written(rig)


def test_what_is_only_missing_from_one_answer_is_not_called_deleted(talk: Any) -> None:
    rig, _, _, _ = talk
    rig.world.faults.add(
        faults.error(200, body={"notes": []}), service="pagerduty", method="GET", path="/notes$", times=1
    )
    quarter(rig)
    assert "restarted" in copy_of(comments(rig))
    nothing_more_is_written(rig)


def test_comments_beyond_those_that_an_issue_shows_are_copied_and_followed_too(house: Rig) -> None:
    house.world.jira.site.options.comments_in_issue = 2
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    written = [house.world.jira.comment("OPS-1", f"step {number}", by="Ines Carvalho") for number in range(4)]
    house.settle(2)
    assert len(notes(house, made)) == 4
    house.world.jira.edit_comment("OPS-1", written[3].id, "step 3, again", by="Ines Carvalho")
    house.settle(2)
    assert sum("step 3, again" in note for note in notes(house, made)) == 1
    assert len(notes(house, made)) == 4
    nothing_more_is_written(house)


def test_a_flood_is_copied_up_to_thirty_texts_and_said_once_and_the_rest_follows(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(2)
    for number in range(40):
        house.world.pagerduty.note(made.id, f"robot {number}", "Amara Osei")
    house.settle(3)
    texts = comments(house)
    assert sum("robot" in text for text in texts) == 30
    assert sum("more than 30" in text for text in texts) == 1
    house.settle(25)
    assert sum("robot" in text for text in comments(house)) == 40
    house.world.pagerduty.note(made.id, "a person again", "Amara Osei")
    house.settle(2)
    assert any("a person again" in comment for comment in comments(house))
    assert sum("more than 30" in comment for comment in comments(house)) == 1
    nothing_more_is_written(house)


def test_a_rewrite_on_a_deleted_ticket_is_parked_with_the_reason(talk: Any) -> None:
    rig, made, note, _ = talk
    rig.world.jira.delete("OPS-1")
    rig.world.pagerduty.edit_note(made.id, note.id, "restarted the workers twice")
    rig.loop.slow()
    rig.settle(4)
    (rewrite,) = rig.operations("parked")
    assert rewrite.kind == "rewrite_comment"
    assert "Jira does not show OPS-1" in str(rewrite.error)
    before = rig.world.journal.total()
    nothing_more_is_written(rig)
    rig.cycle()
    assert not any("/comment" in line.path for line in rig.world.journal.lines()[before:])
