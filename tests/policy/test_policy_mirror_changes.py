"""A copy follows its original: edits, deletions, floods, and what is not known."""

from __future__ import annotations

from datetime import timedelta

import pytest
from policy_cast import NOW, book, case, comment, issue, note, said, ticket, untracked

from syncd.domain.operation import Kind, OperationClass
from syncd.policy.case import Case, Decision, MirrorPair
from syncd.policy.marks import mark_line, text_hash
from syncd.policy.two_way.copy_texts import MOST_TEXTS, decide_mirror
from syncd.policy.two_way.update_copies import GONE, decide_mirror_changes

NOTED = MirrorPair(origin="note", note_id="N1", comment_id="C9", note_hash=text_hash("a"), comment_hash="h")
SAID = MirrorPair(origin="comment", note_id="N9", comment_id="C1", comment_hash=text_hash("b"), note_hash="h")


def noted(*texts: str, pair: MirrorPair = NOTED) -> Case:
    return case(notes=tuple(note(text) for text in texts), pairs=(pair,))


def spoken(*texts: str, pair: MirrorPair = SAID) -> Case:
    return case(None, ticket(issue(comments=tuple(comment(text) for text in texts))), pairs=(pair,))


def test_an_edited_note_rewrites_its_comment() -> None:
    (op,) = decide_mirror_changes(noted("a and more"), book()).operations
    assert (op.kind, op.object, op.aspect) == (Kind.REWRITE_COMMENT, "comment:C9", "text")
    assert (op.op_class, op.reason) == (OperationClass.STATE, "the note was edited")
    assert (op.meaning["text"], op.meaning["version"]) == ("a and more", text_hash("a and more"))


def test_an_edited_comment_rewrites_its_note() -> None:
    (op,) = decide_mirror_changes(spoken("b and more"), book()).operations
    assert (op.kind, op.object, op.aspect) == (Kind.REWRITE_NOTE, "note:N9", "text")
    assert (op.meaning["author"], op.meaning["text"]) == ("Somebody else", "b and more")


@pytest.mark.parametrize(("known", "reason"), [(noted(), "the note"), (spoken(), "the comment")])
def test_a_deleted_text_is_told_by_its_copy(known: Case, reason: str) -> None:
    (op,) = decide_mirror_changes(known, book()).operations
    assert (op.meaning["version"], op.meaning["text"]) == (GONE, "")
    assert op.reason == f"{reason} was deleted"


@pytest.mark.parametrize(
    "known",
    [
        noted("a"),
        spoken("b"),
        noted(pair=NOTED.model_copy(update={"note_hash": GONE})),
        spoken(pair=SAID.model_copy(update={"comment_hash": GONE})),
        noted("other", pair=NOTED.model_copy(update={"note_hash": None})),
        noted(f"a\n{mark_line('0123456789abcdef')}"),
        noted("a").model_copy(update={"notes": None}),
        case(None, ticket(issue(comments=None)), pairs=(SAID,)),
        noted("new").model_copy(update={"before_enforcement": True}),
        noted("new").model_copy(update={"restricted": True}),
        noted("a", pair=MirrorPair(origin="syncd", note_id="N5", comment_id=None)),
    ],
    ids=["note", "comment", "told", "told too", "unknown", "marked", "no notes", "no comments",
         "before_enforcement", "restricted", "ours"],
)  # fmt: skip
def test_what_did_not_change_or_is_not_known_is_left(known: Case) -> None:
    assert decide_mirror_changes(known, book()) == Decision()


def test_a_direction_that_is_switched_off_is_left() -> None:
    off = book(two_way={"notes": False, "comments": False})
    assert decide_mirror_changes(noted("new"), off) == Decision()
    assert decide_mirror_changes(spoken("new"), off) == Decision()


# Floods


def flood(count: int, seconds: float = 10.0, now: float = 599.0) -> Case:
    """So many notes, one every `seconds`, as seen `now` seconds after the first."""
    notes = tuple(
        note(f"text {number}", number).model_copy(
            update={"created_at": NOW + timedelta(seconds=number * seconds)}
        )
        for number in range(count)
    )
    return case(notes=notes, now=NOW + timedelta(seconds=now))


def copied(decision: Decision) -> int:
    return sum(op.kind in (Kind.MIRROR_NOTE, Kind.MIRROR_COMMENT) for op in decision.operations)


def test_thirty_texts_in_ten_minutes_are_copied_and_not_one_more() -> None:
    assert copied(decide_mirror(flood(30), book())) == 30
    decision = decide_mirror(flood(45), book())
    assert (copied(decision), decision.again) == (MOST_TEXTS, 1.0)
    (words,) = said(decision)
    assert "more than 30 texts within 10 minutes" in words


def test_what_a_flood_holds_back_follows_thirty_texts_in_ten_minutes() -> None:
    assert copied(decide_mirror(flood(75, now=600), book())) == MOST_TEXTS + 1
    # the 31st to the 60th take their turns 10 minutes after the first thirty
    decision = decide_mirror(flood(75, now=890), book())
    assert (copied(decision), decision.again) == (2 * MOST_TEXTS, 310.0)
    assert decide_mirror(flood(75, now=1340), book()).again is None
    assert copied(decide_mirror(flood(75, now=1340), book())) == 75
    assert said(decide_mirror(flood(75, now=1340), book())) == []


def test_the_notice_comes_once_a_flood() -> None:
    first = decide_mirror(flood(35), book())
    once = {op.key for op in first.operations}
    later = flood(45).model_copy(update={"once": frozenset(once)})
    assert decide_mirror(later, book()) == Decision(again=1.0)


def test_an_early_text_that_is_read_late_brings_no_second_notice() -> None:
    seen = flood(45)
    once = frozenset(op.key for op in decide_mirror(seen, book()).operations)
    early = comment("early", 1).model_copy(update={"created_at": NOW + timedelta(seconds=5)})
    late = case(
        None, ticket(issue(comments=(early,))), notes=seen.notes or (), now=NOW + timedelta(seconds=599)
    )
    decision = decide_mirror(late.model_copy(update={"once": once}), book())
    assert (copied(decision), said(decision)) == (1, [])


def test_many_texts_over_a_longer_time_are_no_flood() -> None:
    assert copied(decide_mirror(flood(200, 20.1), book())) == 200


def test_after_a_flood_copying_goes_on_with_what_is_new() -> None:
    stormy = flood(60, now=1300)
    assert stormy.notes
    late = note("people again", 99).model_copy(update={"created_at": NOW + timedelta(seconds=1300)})
    decision = decide_mirror(stormy.model_copy(update={"notes": (*stormy.notes, late)}), book())
    assert [op.key for op in decision.operations if op.kind is Kind.MIRROR_NOTE][-1] == "note/N99"
    assert copied(decision) == 61


def test_both_sides_count_together_and_our_own_copies_do_not() -> None:
    notes = flood(20).notes or ()
    comments = tuple(
        comment(f"said {number}", number).model_copy(update={"created_at": NOW + timedelta(seconds=number)})
        for number in range(20)
    )
    both = case(None, ticket(issue(comments=comments)), notes=notes, now=NOW + timedelta(seconds=300))
    assert copied(decide_mirror(both, book())) == MOST_TEXTS
    pairs = tuple(MirrorPair(origin="note", note_id=f"N{n}", comment_id=f"C{n}") for n in range(20))
    assert decide_mirror(both.model_copy(update={"pairs": pairs}), book()) == Decision()


def test_catching_up_is_no_flood() -> None:
    late = NOW + timedelta(days=1)
    assert copied(decide_mirror(untracked(notes=flood(100, 60).notes, now=late), book())) == 100
    assert decide_mirror(untracked(notes=flood(100).notes, now=late), book()).again is None
