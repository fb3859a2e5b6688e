"""Notes become comments and comments become notes, each once, and never what a syncd wrote."""

from __future__ import annotations

import pytest
from policy_cast import NOW, book, case, comment, issue, note, of_kind, ticket, untracked

from syncd.domain.incident import Note
from syncd.domain.operation import Kind, OperationClass, op_of, ticket_key
from syncd.domain.ticket import Mark
from syncd.policy.case import Case, Decision, MirrorPair
from syncd.policy.marks import mark_in, mark_line
from syncd.policy.two_way.copy_texts import decide_mirror

OURS = Mark(op=op_of("note/N9"), kind="mirror_note", incident="P1", instance="abcd")
FOREIGN = Mark(op="f" * 16, kind="mirror_note", incident="P77", instance="another")


def commented(*bodies: str, **more: object) -> Case:
    """An incident without notes whose ticket bears these comments."""
    comments = tuple(comment(body, number) for number, body in enumerate(bodies, start=1))
    return case(None, ticket(issue(comments=comments)), **more)


def test_a_note_becomes_a_comment_and_says_who_wrote_it_when() -> None:
    (op,) = decide_mirror(case(notes=(note("looking into it"),)), book()).operations
    assert (op.kind, op.key, op.object, op.needs) == (Kind.MIRROR_NOTE, "note/N1", "ticket:P1", ())
    assert op.meaning == {"note": "N1", "author": "Ana", "text": "looking into it", "at": NOW.isoformat()}


def test_a_comment_becomes_a_note_and_says_who_wrote_it_when() -> None:
    (op,) = decide_mirror(commented("called the bank"), book()).operations
    assert (op.kind, op.key, op.object, op.needs) == (Kind.MIRROR_COMMENT, "comment/C1", "incident:P1", ())
    assert op.meaning == {
        "comment": "C1",
        "author": "Somebody else",
        "text": "called the bank",
        "at": NOW.isoformat(),
    }


def test_both_kinds_happen_once_for_ever() -> None:
    decision = decide_mirror(case(None, ticket(issue(comments=(comment("b"),))), notes=(note("a"),)), book())
    assert {op.op_class for op in decision.operations} == {OperationClass.ONCE}
    once = {op.key for op in decision.operations}
    again = case(None, ticket(issue(comments=(comment("b"),))), notes=(note("a"),), once=once)
    assert decide_mirror(again, book()) == Decision()


def test_what_stands_in_a_pair_is_not_mirrored_back() -> None:
    pairs = (
        MirrorPair(origin="note", note_id="N1", comment_id="C1"),
        MirrorPair(origin="comment", note_id="N2", comment_id="C2"),
    )
    both = case(
        None,
        ticket(issue(comments=(comment("a", 1), comment("b", 2)))),
        notes=(note("a", 1), note("b", 2)),
        pairs=pairs,
    )
    assert decide_mirror(both, book()) == Decision()


def test_the_same_words_said_twice_are_mirrored_twice() -> None:
    decision = decide_mirror(case(notes=(note("ok", 1), note("ok", 2))), book())
    assert [op.key for op in decision.operations] == ["note/N1", "note/N2"]


def test_a_person_on_our_account_gets_through() -> None:
    pairs = (MirrorPair(origin="syncd", comment_id="C7"),)
    (op,) = decide_mirror(commented("it is me, Priya", pairs=pairs), book()).operations
    assert op.key == "comment/C1"


@pytest.mark.parametrize("mark", [OURS, FOREIGN], ids=["ours", "foreign"])
def test_a_comment_that_bears_a_syncds_property_is_not_mirrored(mark: Mark) -> None:
    marked = case(None, ticket(issue(comments=(comment("Ana on PagerDuty: looking", 1, mark),))))
    assert decide_mirror(marked, book()) == Decision()


@pytest.mark.parametrize("mark", [OURS, FOREIGN], ids=["ours", "foreign"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  \n\n", " "])
def test_a_text_that_ends_in_anybodys_mark_is_not_mirrored(mark: Mark, end: str) -> None:
    text = f"Ana on PagerDuty: looking\n\n{mark_line(mark.op)}{end}"
    assert decide_mirror(case(notes=(note(text),)), book()) == Decision()
    assert decide_mirror(commented(text), book()) == Decision()


@pytest.mark.parametrize(
    "text",
    [
        f"{mark_line(OURS.op)}\nwhat does this line mean?",
        f"it says {mark_line(OURS.op)}",
        "syncd 0123456789abcde",
        "syncd 0123456789abcdef0",
        "syncd 0123456789ABCDEF",
        "Syncd works",
        "",
        "\n",
    ],
)
def test_a_person_may_speak_of_marks(text: str) -> None:
    assert [op.kind for op in decide_mirror(case(notes=(note(text),)), book()).operations] == [
        Kind.MIRROR_NOTE
    ]


def test_a_mark_is_read_back_as_it_was_written() -> None:
    assert mark_in(f"some text\n{mark_line(OURS.op)}") == OURS.op
    assert mark_in(mark_line(OURS.op)) == OURS.op
    assert mark_in("some text") is None


def test_a_note_waits_for_the_ticket_that_is_to_bear_it() -> None:
    first = decide_mirror(untracked(notes=(note("looking"),)), book())
    assert [op.needs for op in first.operations] == [(ticket_key("P1"),)]
    later = decide_mirror(case(notes=(note("looking"),)), book())
    assert [op.needs for op in later.operations] == [()]


@pytest.mark.parametrize(
    ("two_way", "kinds"),
    [
        ({}, [Kind.MIRROR_NOTE, Kind.MIRROR_COMMENT]),
        ({"notes": False}, [Kind.MIRROR_COMMENT]),
        ({"comments": False}, [Kind.MIRROR_NOTE]),
        ({"notes": False, "comments": False}, []),
    ],
)
def test_each_direction_is_switched_singly(two_way: dict[str, bool], kinds: list[Kind]) -> None:
    both = case(None, ticket(issue(comments=(comment("b"),))), notes=(note("a"),))
    assert [op.kind for op in decide_mirror(both, book(two_way=two_way)).operations] == kinds


def test_what_was_not_read_is_not_mirrored() -> None:
    unread = case(None, ticket(issue(comments=None)), notes=None)
    assert decide_mirror(unread, book()) == Decision()
    no_issue = case(None, ticket().model_copy(update={"issue": None}))
    assert decide_mirror(no_issue, book()) == Decision()


def test_nothing_of_a_silent_incident_is_mirrored() -> None:
    assert decide_mirror(untracked(before_enforcement=True, notes=(note("a"),)), book()) == Decision()


def test_a_text_without_an_author_is_mirrored_all_the_same() -> None:
    anonymous = Note(id="N1", text="auto-resolved", created_at=NOW)
    (op,) = of_kind(decide_mirror(case(notes=(anonymous,)), book()), Kind.MIRROR_NOTE)
    assert op.meaning["author"] == ""
