"""Every kind of operation is stored as its dictionary, and comes back from it as its model."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from golden.ledger import operations
from golden.lives import play_life
from golden.seams import LEDGER
from golden.trace import Trace
from pydantic import ValidationError

from syncd.domain.mail import MailKind
from syncd.domain.operation import (
    ChangeIncident,
    CloseDuplicate,
    CommentOnActionItem,
    CommentOnPostmortem,
    CommentOnTicket,
    CreateActionItem,
    CreatePostmortem,
    CreateRecurring,
    CreateTicket,
    EditActionItem,
    EditPostmortem,
    EditTicket,
    FillRestrictedStub,
    Kind,
    LinkActionItem,
    LinkDuplicate,
    LinkNote,
    LinkPostmortem,
    LinkTickets,
    MirrorComment,
    MirrorNote,
    MoveTicket,
    Operation,
    OperationBase,
    PostChat,
    PostReadyTexts,
    RewriteComment,
    RewriteNote,
    RewriteReadyTexts,
    SendMail,
    parse_operation,
)
from syncd.domain.operation.chat import PostKind
from syncd.domain.operation.rendered import (
    Rendered,
    RenderedChange,
    RenderedComment,
    RenderedCreate,
    RenderedMail,
    RenderedMove,
    RenderedNote,
    RenderedStay,
    parse_rendered,
)

AT = "2026-11-16T06:03:00+00:00"
COPY = {"author": "Ana", "text": "looking into it", "at": AT}
REWRITTEN = {**COPY, "note": "N1", "comment": "20001", "version": "ab12"}
POST = {"channel": "status", "moment": AT}
DUPLICATE = {"older": "10001", "younger": "10002", "from": "3"}
EDIT = {"issue": "10006", "fields": {"security": {"id": "77"}}, "update": {}, "agree": {"security": "77"}}
LINK = {"issue": "10006", "other": "10001", "types": ["Relates"], "purpose": "link"}
SAID = {"subject": "postmortem", "text": "it is due", "value": ""}
FACTS = {"what": "waiver", "duty": None, "until": "2026-11-26T00:00:00Z"}
MAIL = {"to": "ana@example.com", "why": "it is yours", "moment": AT}
DUTY = {"duty": "owned", "subject": "10012", "clock": "1"}

MEANINGS: list[tuple[Kind, str, type[OperationBase], dict[str, Any]]] = [
    (Kind.CREATE_TICKET, "ticket:P1", CreateTicket, {}),
    (Kind.CREATE_TICKET, "ticket:P1", CreateTicket, {"restricted": True}),
    (Kind.CREATE_TICKET, "ticket:P1", CreateTicket, {"refused": ["components"]}),
    (Kind.LINK_NOTE, "incident:P1", LinkNote, {}),
    (
        Kind.MOVE_TICKET,
        "ticket:P1",
        MoveTicket,
        {"word": "resolved", "status": "5", "state": "resolved", "from": "3"},
    ),
    (
        Kind.MOVE_TICKET,
        "ticket:P1",
        MoveTicket,
        {
            "word": "resolved",
            "status": "5",
            "state": "resolved",
            "from": "3",
            "back": {"id": "4", "name": ""},
        },
    ),
    (
        Kind.EDIT_TICKET,
        "ticket:P1",
        EditTicket,
        {
            "fields": {"priority": {"id": "1"}, "labels": {"add": ["SEV0"], "remove": []}},
            "agree": {"priority": "1", "assignee": None},
            "before": {"priority": "cc11310c456c"},
        },
    ),
    (
        Kind.EDIT_TICKET,
        "ticket:P1",
        EditTicket,
        {"fields": {"security": {"id": "77"}}, "agree": {}, "refused": ["security"]},
    ),
    (Kind.FILL_RESTRICTED_STUB, "ticket:P1", FillRestrictedStub, {}),
    (Kind.LINK_TICKETS, "ticket:P1", LinkTickets, {"target": "P2", "purpose": "duplicate"}),
    (Kind.MIRROR_NOTE, "ticket:P1", MirrorNote, {**COPY, "note": "N1"}),
    (Kind.MIRROR_COMMENT, "incident:P1", MirrorComment, {**COPY, "comment": "20001"}),
    (
        Kind.MIRROR_NOTE,
        "ticket:P1",
        MirrorNote,
        {**COPY, "note": "N1", "at": "2026-11-16T06:03:00.120000+00:00"},
    ),
    (Kind.REWRITE_COMMENT, "comment:20001", RewriteComment, REWRITTEN),
    (Kind.REWRITE_NOTE, "note:N1", RewriteNote, REWRITTEN),
    (
        Kind.REWRITE_NOTE,
        "note:N1",
        RewriteNote,
        {**REWRITTEN, "author": "", "text": "", "at": "", "version": "deleted"},
    ),
    (
        Kind.CHANGE_INCIDENT,
        "incident:P1",
        ChangeIncident,
        {"status": "resolved", "agree": {"state": "resolved", "seen:status": "ab"}, "from": "cd"},
    ),
    (
        Kind.CHANGE_INCIDENT,
        "incident:P1",
        ChangeIncident,
        {"account": "712020:a", "email": None, "name": "", "agree": {"assignee": "712020:a"}, "from": "cd"},
    ),
    (
        Kind.CHANGE_INCIDENT,
        "incident:P1",
        ChangeIncident,
        {"priority": "P1", "agree": {"priority": "1", "seen:priority": None}, "from": "cd"},
    ),
    (Kind.CHANGE_INCIDENT, "incident:P1", ChangeIncident, {"text": "", "agree": {}, "from": "cd"}),
    (Kind.COMMENT_ON_TICKET, "ticket:P1", CommentOnTicket, SAID),
    (Kind.COMMENT_ON_TICKET, "ticket:P1", CommentOnTicket, {**SAID, "companion": "fields"}),
    (Kind.POST_READY_TEXTS, "ticket:P1", PostReadyTexts, {"number": 1}),
    (Kind.REWRITE_READY_TEXTS, "ticket:P1", RewriteReadyTexts, {"comment": "7", "version": "ab"}),
    (Kind.LINK_DUPLICATE, "issue:10002", LinkDuplicate, DUPLICATE),
    (Kind.CLOSE_DUPLICATE, "issue:10002", CloseDuplicate, DUPLICATE),
    (Kind.CREATE_POSTMORTEM, "postmortem:P1", CreatePostmortem, {}),
    (
        Kind.CREATE_POSTMORTEM,
        "postmortem:P1",
        CreatePostmortem,
        {"restricted": True, "not": ["712020:a"], "refused": ["components"]},
    ),
    (Kind.CREATE_ACTION_ITEM, "postmortem:P1", CreateActionItem, {"knowledge-base": True}),
    (
        Kind.CREATE_ACTION_ITEM,
        "postmortem:P1",
        CreateActionItem,
        {"text": "Alert on the queue", "owner": "", "due": "", "row": "ab12"},
    ),
    (
        Kind.CREATE_RECURRING,
        "issue:recurring:QRPay/Runbook review/2027-Q1",
        CreateRecurring,
        {"due": "2027-03-31", "since": "2027-03-16T16:00:00+00:00"},
    ),
    (Kind.LINK_POSTMORTEM, "postmortem:P1", LinkPostmortem, LINK),
    (Kind.LINK_ACTION_ITEM, "action_item:10006", LinkActionItem, LINK),
    (Kind.EDIT_POSTMORTEM, "postmortem:P1", EditPostmortem, EDIT),
    (Kind.EDIT_ACTION_ITEM, "action_item:10006", EditActionItem, EDIT),
    (
        Kind.COMMENT_ON_POSTMORTEM,
        "postmortem:P1",
        CommentOnPostmortem,
        {**SAID, "step": "scheduled/1", "facts": FACTS},
    ),
    (Kind.COMMENT_ON_POSTMORTEM, "postmortem:P1", CommentOnPostmortem, {**SAID, "issue": ""}),
    (
        Kind.COMMENT_ON_ACTION_ITEM,
        "action_item:10006",
        CommentOnActionItem,
        {**SAID, "facts": FACTS, "said": ""},
    ),
    *(
        (Kind.SEND_MAIL, "mail:P1", SendMail, {**MAIL, **content})
        for content in (
            {"mail": "notice", "severity": "SEV0", "since": AT},
            {"mail": "notice", "severity": "SEV0", "since": AT, "skip": "it was merged", "unsure": True},
            {"mail": "correction", "severity": "SEV1", "before": "SEV0", "since": AT, "notice": "mail/n"},
            {"mail": "unacknowledged", "severity": "SEV0", "triggered": AT, "since": AT},
            {"mail": "missing_roles", "severity": "SEV0", "roles": ["communications_lead"]},
            {"mail": "reminder", **DUTY},
            {"mail": "breach", **DUTY},
            {"mail": "filing", **DUTY, "last": True},
            {"mail": "notice", "severity": "SEV0", "since": AT, "exercise": "[EXERCISE?]"},
            {"mail": "unacknowledged", "severity": "SEV0", "triggered": AT, "since": AT},
            {"mail": "missing_roles", "severity": "SEV0", "roles": ["commander"]},
            {"mail": "postponed", "issue": "10012"},
            {"mail": "digest", "at": AT},
            {"mail": "weekly_report", "team": None, "week": "2026-W47", "names": False},
            {"mail": "impact", "since": AT, "page": "the status page"},
            {"mail": "operator", "topic": "mass", "since": AT, "tickets": 26},
            {"mail": "operator", "topic": "alarm", "since": AT, "alarm": "expires/jira", "text": "soon"},
            {"mail": "operator", "topic": "stalled", "since": AT, "service": "jira"},
        )
    ),
    (
        Kind.SEND_MAIL,
        "mail:P1",
        SendMail,
        {"mail": "lead", "to": "lead@example.com", "why": "you are the lead", "reason": "it has no level"},
    ),
    *(
        (Kind.POST_CHAT, "chat:P1", PostChat, {**POST, **content})
        for content in (
            {"post": "ticket", "severity": "SEV0", "commander": "Ana"},
            {"post": "severity", "severity": "SEV1", "before": "SEV0", "skip": "too old", "unsure": True},
            {"post": "update", "source": "note:N1", "author": "Ana", "text": "rerouted"},
            {"post": "resolved", "due": AT},
            {"post": "resolved"},
            {"post": "breach", "what": "scheduling the postmortem", "due": AT},
            {"post": "owed_update", "since": AT, "who": "Ana"},
        )
    ),
    (
        Kind.SEND_MAIL,
        "mail:P1",
        SendMail,
        {"mail": "decision", "to": "pia@example.com", "why": "a command named you", "text": "waived #1"},
    ),
]


def parsed(kind: str, name: str, meaning: dict[str, Any]) -> Operation:
    return parse_operation(kind, "key", "P1", name, "aspect", ["ticket/P1"], "it changed", meaning)


@pytest.mark.parametrize(("kind", "name", "model", "meaning"), MEANINGS)
def test_a_stored_meaning_comes_back_as_its_model_and_as_itself(
    kind: Kind, name: str, model: type[OperationBase], meaning: dict[str, Any]
) -> None:
    operation = parsed(kind, name, meaning)
    assert type(operation) is model
    assert operation.meaning == meaning
    assert json.loads(json.dumps(operation.meaning)) == meaning
    assert (operation.kind, operation.object, operation.needs) == (kind, name, ("ticket/P1",))
    assert parsed(kind, name, operation.meaning) == operation


def test_every_model_and_every_kind_of_mail_has_an_example() -> None:
    models = set(get_args(get_args(Operation)[0]))
    assert {model for _, _, model, _ in MEANINGS} == models
    assert {kind for kind, _, _, _ in MEANINGS} == set(Kind)
    assert {meaning["post"] for kind, _, _, meaning in MEANINGS if kind is Kind.POST_CHAT} == set(PostKind)
    assert {meaning["mail"] for kind, _, _, meaning in MEANINGS if kind is Kind.SEND_MAIL} == set(MailKind)


def test_a_word_that_a_kind_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError):
        parsed(Kind.LINK_NOTE, "incident:P1", {"text": "hello"})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every operation that a team's incidents leave in a ledger, from trigger to the end of their duties."""
    folder = tmp_path_factory.mktemp("life")
    play_life("ramen", Trace(), folder, data_center=False)
    return operations(folder / LEDGER)


def test_what_a_life_recorded_comes_back_as_itself(recorded: list[dict[str, Any]]) -> None:
    assert len({row["kind"] for row in recorded}) > 15
    for row in recorded:
        operation = parse_operation(
            row["kind"],
            row["key"],
            row["incident"],
            row["object"],
            row["aspect"],
            row["needs"],
            row["reason"],
            row["meaning"],
        )
        assert operation.meaning == row["meaning"]
        assert (operation.op_class, operation.target) == (row["class"], row["target"])
        if row["rendered"]:
            assert parse_rendered(row["kind"], row["rendered"]).stored == row["rendered"]


RENDERED: list[tuple[Kind, type[Rendered], dict[str, Any]]] = [
    # of an incident that became restricted while its request was under way
    (
        Kind.CREATE_TICKET,
        RenderedCreate,
        {"fields": {"project": {"key": "OPS"}}, "agree": {}, "refused": [], "needed": [], "again": True},
    ),
    (Kind.CREATE_ACTION_ITEM, RenderedCreate, {"parent": "10006", "facts": {}, "again": True}),
    (Kind.CREATE_POSTMORTEM, RenderedCreate, {"restricted": True, "lead": None, "refused": ["labels"]}),
    (Kind.COMMENT_ON_TICKET, RenderedComment, {"issue": "10001", "hidden": True, "again": True}),
    (Kind.MIRROR_COMMENT, RenderedNote, {"again": True}),
    (Kind.CHANGE_INCIDENT, RenderedChange, {"again": True}),
    (Kind.SEND_MAIL, RenderedMail, {"again": True}),
    # nobody knows whether it was carried out
    (
        Kind.MOVE_TICKET,
        RenderedMove,
        {
            "issue": "10001",
            "transition": "21",
            "fields": {},
            "missing": "",
            "to": {"id": "3", "name": "In Progress", "untranslated": None, "category": "indeterminate"},
            "last": True,
            "workflow": "OPS.10001",
            "from": "1",
            "unknown": True,
        },
    ),
    (Kind.MOVE_TICKET, RenderedStay, {"issue": "10001", "stays": "no way back"}),
    (Kind.CHANGE_INCIDENT, RenderedChange, {"left": "PagerDuty has no such priority"}),
]


@pytest.mark.parametrize(("kind", "model", "stored"), RENDERED)
def test_what_an_operation_was_rendered_to_comes_back_as_itself(
    kind: Kind, model: type[Rendered], stored: dict[str, Any]
) -> None:
    rendered = parse_rendered(kind, stored)
    assert type(rendered) is model
    assert rendered.stored == stored


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_rendered_to_a_model(kind: Kind) -> None:
    with pytest.raises(ValidationError):
        parse_rendered(kind, {"issue": "10001", "no such word": True})
