"""Texts for chat and customers: made once from a person's line, drafts until the right person approves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from policy_cast import NOW, SOMEBODY, book, case, comment, incident, issue, note, ticket

from syncd.domain.history import Change
from syncd.domain.incident import Note
from syncd.domain.operation import CommentOnTicket, PostChat, PostReadyTexts, RewriteReadyTexts
from syncd.domain.role import Role
from syncd.domain.ticket import Account, Comment
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.communications.texts import (
    TEXTS,
    ReadyTexts,
    decide_texts,
    ready_texts,
    with_ready_texts,
    without_words,
)

LEGAL = "legal@qrpay.example"
LAWYER = Account(id="acc-law", name="Lena Law")
TEXTS_KEY: dict[str, Any] = {
    "slack": {"on": ["update", "mitigation"], "to": "chat", "template": "a.txt.j2"},
    "page": {"on": "update", "to": "status_page", "template": "b.txt.j2"},
    "banner": {"on": "update", "to": "banner", "template": "c.txt.j2", "severities": ["SEV0"]},
}
CHAT = {"mode": "enforce", "channel": "qrpay"}


def rules(**more: Any) -> Rulebook:
    """QRPay's rulebook with texts and a channel, SEV2 owing an update every 15 minutes."""
    changed = more.pop("sev2", {})
    made = book(texts=TEXTS_KEY, chat=CHAT, **more)
    severities = dict(made.mapping.severities)
    sev2 = severities["SEV2"].model_dump() | {"communications": {"first_minutes": 15, "every_minutes": 15}}
    severities["SEV2"] = type(severities["SEV2"]).model_validate(sev2 | changed)
    return made.model_copy(update={"mapping": made.mapping.model_copy(update={"severities": severities})})


def seen(*texts: Note | Comment, at: int = 1, agreed: dict[str, Any] | None = None, **more: Any) -> Case:
    """The case with these notes and comments, so many minutes after the trigger."""
    notes = tuple(text for text in texts if isinstance(text, Note))
    comments = tuple(text for text in texts if isinstance(text, Comment))
    had = ticket(issue(comments=comments))
    had = had.model_copy(update={"agreed": {**had.agreed, **(agreed or {})}})
    happened = more.pop("happened", None)
    facts = {"now": NOW + timedelta(minutes=at), "channels": frozenset({"qrpay"}), **more}
    return case(happened, had, notes=notes, **facts)


def at(minutes: int) -> datetime:
    """So many minutes after the trigger."""
    return NOW + timedelta(minutes=minutes)


def texts(decision: Decision) -> ReadyTexts:
    """What a decision keeps of texts."""
    return ready_texts(decision.agreed)


def shown(decision: Decision, minutes: int = 2) -> dict[str, Any]:
    """The agreed values after the comment stood on the ticket."""
    now = texts(decision)
    made = tuple(text.model_copy(update={"shown_at": at(minutes)}) for text in now.made)
    after = now.model_copy(update={"made": made, "comment": "C99", "comments": 1, "version": now.wanted})
    return with_ready_texts({}, after)


def posts(decision: Decision) -> list[tuple[str, str | None]]:
    """The posts of a decision: the note or comment, and why it is passed over."""
    return [
        (op.content.source, op.skip)  # type: ignore[union-attr]  # each post here is an update's
        for op in decision.operations
        if isinstance(op, PostChat)
    ]


def comments(decision: Decision) -> list[object]:
    """The operations on the ticket's comments."""
    return [op for op in decision.operations if not isinstance(op, PostChat)]


def test_an_update_makes_the_chats_post_and_one_comment_with_the_other_texts() -> None:
    decision = decide_texts(seen(note("update: half of the\npayments fail")), rules())
    (post,) = [op for op in decision.operations if isinstance(op, PostChat)]
    assert (post.key, post.channel) == ("chat/P1/update:note:N1", "qrpay")
    assert post.content.model_dump(exclude={"post"}) == {
        "source": "note:N1",
        "author": "Ana",
        "text": "half of the payments fail",
        "mitigation": "",
        "next_at": at(15),
        "template": "a.txt.j2",
    }
    (written,) = comments(decision)
    assert isinstance(written, PostReadyTexts) and written.key == "comment/P1/texts/1"
    (text,) = texts(decision).made
    assert (text.name, text.number, text.state, text.text) == (
        *("page", 1, "ready to use"),
        "half of the payments fail",
    )


def test_the_comment_that_stands_is_written_no_second_time() -> None:
    first = decide_texts(seen(note("update: a")), rules())
    sent = {"chat/P1/update:note:N1": NOW}
    again = decide_texts(seen(note("update: a"), agreed=shown(first), sent=sent), rules())
    assert (posts(again), comments(again), again.agreed) == ([("note:N1", None)], [], {})


def test_a_mitigation_fills_its_words_beside_the_latest_update() -> None:
    later = note("mitigation: traffic is rerouted", 2).model_copy(update={"created_at": at(1)})
    decision = decide_texts(seen(note("update: a"), later, at=2), rules())
    assert posts(decision) == [("note:N1", "a later post says what is true now"), ("note:N2", None)]
    content = decision.operations[1].content  # type: ignore[union-attr]  # the second post
    assert (content.text, content.mitigation) == ("a", "traffic is rerouted")  # type: ignore[union-attr]  # an update
    assert [text.text for text in texts(decision).made] == ["a"]


def test_a_new_update_has_a_new_number_and_edits_the_comment() -> None:
    first = decide_texts(seen(note("update: a")), rules())
    second = note("update: b", 2).model_copy(update={"created_at": at(5)})
    decision = decide_texts(seen(note("update: a"), second, at=6, agreed=shown(first)), rules())
    (edit,) = comments(decision)
    assert isinstance(edit, RewriteReadyTexts) and edit.comment == "C99"
    assert [(text.number, text.text) for text in texts(decision).made] == [(2, "b")]


@pytest.mark.parametrize(
    ("after", "whom", "what"),
    [
        ((note("update: changed"),), "[~accountid:acc-ana]", "the line `update: …` was edited"),
        ((note("never mind"),), "[~accountid:acc-ana]", "a line that made texts was edited or deleted"),
        ((), "scribe\\@qrpay.example", "a line that made texts was edited or deleted"),
    ],
)
def test_an_edited_or_deleted_line_makes_no_text_and_the_scribe_hears_once(
    after: tuple[Note, ...], whom: str, what: str
) -> None:
    first = decide_texts(seen(note("update: a")), rules())
    sent = {"chat/P1/update:note:N1": NOW}
    scribe = rules(roles={Role.SCRIBE: {"address": "scribe@qrpay.example"}})
    decision = decide_texts(seen(*after, agreed=shown(first), sent=sent), scribe)
    (told,) = comments(decision)
    assert isinstance(told, CommentOnTicket) and (told.subject, told.text) == (
        "",
        f"{whom}, {what} after syncd used it. The posted texts stay. For new texts write a new line.",
    )
    assert [text.text for text in texts(decision).made] == ["a"]
    again = seen(*after, agreed={**shown(first), TEXTS: decision.agreed[TEXTS]}, sent=sent)
    assert comments(decide_texts(again, scribe)) == []


def test_the_scribes_account_is_mentioned_else_the_authors() -> None:
    first = decide_texts(seen(comment("update: a")), rules())
    scribe = rules(roles={Role.SCRIBE: {"address": "scribe@qrpay.example"}})
    changed = seen(comment("update: changed"), agreed=shown(first))
    known = changed.model_copy(update={"addresses": {"acc-scribe": "scribe@qrpay.example"}})
    heard = [comments(decide_texts(of, scribe))[0] for of in (changed, known)]
    starts = [told.text.partition(",")[0] for told in heard if isinstance(told, CommentOnTicket)]
    assert starts == [f"[~accountid:{SOMEBODY.id}]", "[~accountid:acc-scribe]"]


def test_a_text_of_an_exercise_says_that_nobody_publishes_it() -> None:
    label = Change(at=NOW, author=SOMEBODY, field="labels", after_words="game-day")
    drill = seen(note("update: a"))
    certain = ticket(issue(labels=("game-day",)), changes=[label], labels_read=("game-day",))
    (text,) = texts(decide_texts(drill.model_copy(update={"ticket": certain}), rules())).made
    assert text.state == "EXERCISE: do not publish"
    (text,) = texts(decide_texts(drill.model_copy(update={"game_day": "OPS-9 (Storm)"}), rules())).made
    assert text.state.startswith("EXERCISE?: do not publish")


def test_a_text_that_first_stands_after_the_resolve_is_for_nobody_to_use() -> None:
    over = incident(status="resolved", resolved_at=at(10))
    first = decide_texts(seen(note("update: a"), at=12, happened=over), rules())
    assert texts(first).made[0].state == "the incident is over, do not use it"
    again = decide_texts(seen(note("update: a"), at=13, happened=over, agreed=shown(first, 12)), rules())
    assert (comments(again), again.agreed) == ([], {})
    early = decide_texts(seen(note("update: a")), rules())
    stands = decide_texts(seen(note("update: a"), at=12, happened=over, agreed=shown(early)), rules())
    assert (comments(stands), stands.agreed) == ([], {})


def test_notes_that_syncd_has_not_read_are_no_deleted_lines() -> None:
    first = decide_texts(seen(note("update: a")), rules())
    unread = seen(agreed=shown(first)).model_copy(update={"notes": None})
    assert decide_texts(unread, rules()) == Decision()


def test_lines_from_before_the_rules_or_after_the_resolve_make_nothing() -> None:
    over = incident(status="resolved", resolved_at=at(10))
    late = note("update: b", 2).model_copy(update={"created_at": at(11)})
    early = note("update: a").model_copy(update={"created_at": datetime.fromisoformat("2026-10-31T00:00Z")})
    decision = decide_texts(seen(early, late, at=12, happened=over), rules())
    assert (decision.operations, texts(decision).made) == ((), ())
    assert texts(decision).lines == {"note:N1": "", "note:N2": ""}
    assert decide_texts(seen(note("update: a"), before_enforcement=True), rules()) == Decision()


def test_a_banner_is_made_for_its_severities_alone() -> None:
    sev0 = incident(priority={"id": "PRIO1", "name": "P1"})
    decision = decide_texts(seen(note("update: a"), happened=sev0), rules())
    assert [text.name for text in texts(decision).made] == ["page", "banner"]


APPROVING = {"sev2": {"approve": LEGAL}}


def approving(first: Decision, *more: Comment, minutes: int = 5, **others: Any) -> Case:
    """The case with the first draft on the ticket since minute 2, and these comments."""
    facts: dict[str, Any] = {"customer_approvers": {LEGAL: LAWYER}, **others}
    return seen(note("update: a"), *more, at=minutes, agreed=shown(first), **facts)


def said(text: str, minutes: int, author: Account = LAWYER, number: int = 7) -> Comment:
    """A comment at a minute."""
    return comment(text, number).model_copy(update={"author": author, "created_at": at(minutes)})


def draft() -> Decision:
    """The decision that makes the first draft."""
    facts = {"customer_approvers": {LEGAL: LAWYER}}
    return decide_texts(seen(note("update: a"), **facts), rules(**APPROVING))


def test_a_text_is_a_draft_until_the_right_person_approves_it() -> None:
    assert decide_texts(seen(note("update: a")), rules(**APPROVING)).look == {"customer_approvers"}
    (text,) = texts(draft()).made
    waits = f'it waits for the comment "approved 1" of {LEGAL} (an edited comment does not count)'
    assert text.state == f"draft 1, do not use it: {waits}"
    for words in ("approved", "Approved 1"):
        decision = decide_texts(approving(draft(), said(words, 3)), rules(**APPROVING))
        (text,) = texts(decision).made
        assert text.state == "draft 1, approved by Lena Law, 2026-11-22 09:03 UTC"
        assert isinstance(comments(decision)[0], RewriteReadyTexts)


@pytest.mark.parametrize(
    "word",
    [
        said("approved", 3, SOMEBODY),
        said("approved 2", 3),
        said("approved, but call me", 3),
        said("approved", 1),
        said("approved", 3).model_copy(update={"updated_at": at(4)}),
    ],
    ids=["another person", "another number", "more words", "before it was shown", "edited"],
)
def test_no_other_word_approves(word: Comment) -> None:
    decision = decide_texts(approving(draft(), word), rules(**APPROVING))
    assert (comments(decision), decision.agreed) == ([], {})


def test_a_changed_draft_needs_a_new_approval() -> None:
    approved = decide_texts(approving(draft(), said("approved", 3)), rules(**APPROVING))
    second = note("update: b", 2).model_copy(update={"created_at": at(4)})
    facts = {"customer_approvers": {LEGAL: LAWYER}}
    agreed = {TEXTS: approved.agreed[TEXTS]}
    changed = seen(note("update: a"), second, said("approved", 3), at=6, agreed=agreed, **facts)
    (text,) = texts(decide_texts(changed, rules(**APPROVING))).made
    assert (text.number, text.approved_at) == (2, None)


def test_without_an_account_of_the_approver_it_stays_a_draft_and_says_why() -> None:
    facts: dict[str, Any] = {"customer_approvers": {LEGAL: None}}
    (text,) = texts(decide_texts(seen(note("update: a"), **facts), rules(**APPROVING))).made
    assert text.state.endswith(f"Jira has no account for {LEGAL}, who has to approve it")


def test_an_approver_who_cannot_be_looked_up_now_holds_up_nothing() -> None:
    decision = decide_texts(seen(note("update: a"), refused_looks={"customer_approvers"}), rules(**APPROVING))
    assert decision.look == set() and "cannot look up" in texts(decision).made[0].state


def test_a_restricted_incidents_text_is_a_draft_without_words_and_never_in_the_chat() -> None:
    lead = {"lead": LEGAL}
    facts: dict[str, Any] = {"customer_approvers": {LEGAL: LAWYER}, "restricted": True}
    decision = decide_texts(seen(comment("update: "), **facts), rules(restricted=lead))
    (text,) = texts(decision).made
    assert (text.update_line, text.text, posts(decision)) == ("comment:C1", "", [])
    assert text.state.startswith("draft 1, do not use it")
    nobody = decide_texts(seen(comment("update: "), restricted=True), rules())
    assert "names nobody who may approve it" in texts(nobody).made[0].state


def test_a_stub_gets_no_text() -> None:
    stub = seen(comment("update: "), restricted=True, agreed={"stub": True})
    assert decide_texts(stub, rules()) == Decision()


def test_an_incident_that_becomes_restricted_loses_the_words_of_its_texts() -> None:
    agreed = shown(decide_texts(seen(note("update: SECRET")), rules()))
    assert "SECRET" in str(agreed) and "SECRET" not in str(without_words(agreed))


def test_nothing_leaves_in_report() -> None:
    made = book(texts=TEXTS_KEY, chat={"mode": "report", "channel": "qrpay"})
    decision = decide_texts(seen(note("update: a")), made)
    assert posts(decision) == [] and decision.dry_run_notes == (
        "post to #qrpay: a person wrote a line `update:`",
    )
    assert decide_texts(seen(note("update: a", 1)), book()) == Decision()
