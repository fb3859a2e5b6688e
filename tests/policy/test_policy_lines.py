"""Lines of people: what counts as one, and what never does."""

from __future__ import annotations

import pytest
from policy_cast import ANA, NOW, SOMEBODY, case, comment, issue, note, ticket

from syncd.domain.incident import Note
from syncd.domain.operation import op_of
from syncd.domain.ticket import Account, Comment, Mark
from syncd.policy.case import Case, MirrorPair
from syncd.policy.judged_people import judged_people
from syncd.policy.lines import approvals_of, comments_without_words, lines_of, texts_of_people
from syncd.policy.marks import mark_line

OURS = Mark(op=op_of("note/N9"), kind="mirror_note", incident="P1", instance="abcd")


def of_texts(*texts: Note | Comment, **more: object) -> Case:
    """An incident with these notes, whose ticket bears these comments."""
    notes = tuple(text for text in texts if isinstance(text, Note))
    comments = tuple(text for text in texts if isinstance(text, Comment))
    return case(None, ticket(issue(comments=comments)), notes=notes, **more)


def keywords(of: Case) -> list[tuple[str, str]]:
    """The keyword and the rest of each line."""
    return [(line.keyword, line.rest) for line in lines_of(of)]


def test_notes_and_comments_give_lines_oldest_first_with_their_authors() -> None:
    early = note("Update: we reroute to the backup\nmore of it")
    late = comment("status page:  posted").model_copy(update={"created_at": NOW.replace(hour=10)})
    first, second = lines_of(of_texts(late, early))
    assert (first.source, first.id, first.author, first.at) == ("note", "N1", ANA, NOW)
    assert (first.keyword, first.rest) == ("update", "we reroute to the backup")
    assert first.text == "we reroute to the backup\nmore of it"
    assert (second.source, second.author, second.keyword, second.rest) == (
        "comment",
        SOMEBODY,
        "status page",
        "posted",
    )


@pytest.mark.parametrize(
    "text",
    [
        "we update: nothing but this sentence is longer than any keyword: so",
        "looking into it\nupdate: not the first line",
        "update\n: no",
        "update",
        ": nothing before it",
        "",
        f"update: a copy\n\n{mark_line(OURS.op)}",
    ],
)
def test_a_text_without_a_keyword_at_its_beginning_gives_no_update(text: str) -> None:
    assert "update" not in dict(keywords(of_texts(note(text), comment(text))))


def test_only_people_write_lines() -> None:
    bot = note("update: bot", 1).model_copy(update={"by_person": False})
    nameless = note("update: nobody", 2).model_copy(update={"author": None})
    app = comment("update: app", 1).model_copy(update={"author": Account(id="app", human=False)})
    unsure = comment("update: unsure", 2).model_copy(update={"author": Account(id="x", human=None)})
    assert lines_of(of_texts(bot, nameless, app, unsure, comment("update: syncd", 3, OURS))) == ()
    both = of_texts(note("update: our user"), comment("update: robot"))
    assert texts_of_people(judged_people(both, {ANA.id, SOMEBODY.id})) == ()


def test_of_a_mirrored_pair_only_the_original_counts() -> None:
    pairs = (
        MirrorPair(origin="note", note_id="N1", comment_id="C1"),
        MirrorPair(origin="comment", note_id="N2", comment_id="C2"),
        MirrorPair(origin="syncd", note_id="N3"),
    )
    texts = [note("a: n", 1), comment("a: c", 1), note("b: n", 2), comment("b: c", 2), note("c: n", 3)]
    assert keywords(of_texts(*texts, pairs=pairs)) == [("b", "c"), ("a", "n")]


@pytest.mark.parametrize("hostile", [":" * 300_000, "update:" * 50_000, " \n" * 150_000, "a " * 150_000])
def test_a_hostile_text_gives_one_line_at_most(hostile: str) -> None:
    assert len(lines_of(of_texts(note(hostile)))) <= 1
    assert approvals_of(of_texts(comment(hostile))) == ()


def test_an_approval_says_nothing_else() -> None:
    comments = [
        comment(text, number)
        for number, text in enumerate(
            ["Approved 2", " approved ", "approved, but not this", "not approved", "approved 2 3"], start=1
        )
    ]
    approvals = approvals_of(of_texts(note("approved 7"), *comments))
    assert [(approval.author, approval.number) for approval in approvals] == [(SOMEBODY, 2), (SOMEBODY, None)]


def test_of_a_restricted_ticket_only_lines_stay_without_their_words() -> None:
    bodies = [
        *("update: SECRET", "Impact: customers, SECRET", "impact: SECRET", "status page: posted SECRET"),
        *("approved 3", "filed-gdpr: IC-2026-118", "filed-gdpr: SECRET words"),
        *(
            "filed-gdpr: IC-2026-119 (SECRET)",
            "SECRET: x",
            "SECRET",
            "commander: SECRET",
            "filed by SECRET: IC-1",
        ),
    ]
    comments = [comment(body, number) for number, body in enumerate(bodies, start=1)]
    kept = comments_without_words([*comments, comment("approved 4", 13, OURS)])
    assert [(left.id, left.body) for left in kept] == [
        *(("C1", "update: "), ("C2", "impact: customers"), ("C3", "impact: "), ("C4", "status page: posted")),
        *(("C5", "approved 3"), ("C6", "filed-gdpr: IC-2026-118")),
        *(("C7", "filed-gdpr: "), ("C8", "filed-gdpr: IC-2026-119")),
    ]
