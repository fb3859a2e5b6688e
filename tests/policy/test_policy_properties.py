"""What holds for every case: deciding is pure, and comes to rest once everything wanted was done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cast import (
    ANA,
    BEN,
    CYD,
    DONE,
    FALLBACK,
    IN_PROGRESS,
    IN_REVIEW,
    NOW,
    PEOPLE,
    QRPAY,
    SEVERITY_FIELD,
    SOMEBODY,
    TO_DO,
    WAITING,
    WONT_DO,
    book,
    case,
    comment,
    incident,
    issue,
    note,
    of_kind,
    ticket,
)
from pydantic import TypeAdapter
from simulated import after

from syncd.domain.base import Reference
from syncd.domain.mapping.two_way import TwoWay
from syncd.domain.operation import Kind, OperationClass
from syncd.domain.ticket import Mark
from syncd.policy.case import Case, Decision, MergeTarget, Rulebook
from syncd.policy.decide import decide

TITLES = ["Payments are late", "[SEV1] late", "card 4111 1111 1111 1111", "", "a\nb"]
NOISE: list[list[dict[str, Any]]] = [
    [],
    [{"name": "tests", "title": "late"}],
    [{"name": "early", "resolved_within_minutes": 5}],
]
FOREIGN = Mark(op="f" * 16, kind="mirror_note", incident="P7", instance="other")
accounts = st.sampled_from([None, PEOPLE["U1"], PEOPLE["U2"], SOMEBODY])
texts = st.sampled_from(["looking", "ok", "", "syncd 0123456789abcdef", "a\nsyncd 0123456789abcdef\n"])

incidents = st.builds(
    incident,
    status=st.sampled_from(["triggered", "acknowledged", "resolved"]),
    priority=st.sampled_from([None, *(Reference(id=f"X{n}", name=f"P{n}") for n in (1, 2, 3, 4, 9))]),
    urgency=st.sampled_from(["high", "low"]),
    title=st.sampled_from(TITLES) | st.text(max_size=20),
    assignees=st.lists(st.sampled_from([ANA, BEN, CYD]), unique=True, max_size=2).map(tuple),
    custom_fields=st.sampled_from([None, {"impact": "SEV1"}]),
)
issues = st.builds(
    issue,
    status=st.sampled_from([TO_DO, IN_PROGRESS, IN_REVIEW, DONE, WAITING, WONT_DO]),
    summary=st.sampled_from(["Payments are late", "by a person"]),
    priority=st.sampled_from([None, Reference(id="1", name="Highest"), Reference(id="9", name="Other")]),
    assignee=accounts,
    components=st.sets(st.sampled_from(["71", "72", "79"])).map(
        lambda ids: tuple(Reference(id=ident) for ident in sorted(ids))
    ),
    fields=st.sampled_from([{}, {SEVERITY_FIELD: None}, {SEVERITY_FIELD: {"value": "SEV1"}}]),
    comments=st.none()
    | st.lists(st.tuples(texts, st.sampled_from([None, FOREIGN])), max_size=2).map(
        lambda written: tuple(comment(text, number, mark) for number, (text, mark) in enumerate(written))
    ),
)
agreements: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["triggered", "acknowledged", "resolved"]),
        "summary": st.sampled_from(["Payments are late", "another"]),
        "priority": st.sampled_from(["1", "3", "9"]),
        "component": st.sampled_from(["71", "72"]),
        f"field:{SEVERITY_FIELD}": st.sampled_from(["SEV0", "SEV1"]),
        "assignee": st.sampled_from(["acc-ana", "acc-ben", "acc-fallback"]),
    },
)
known_tickets = st.builds(
    ticket,
    issues,
    agreed=agreements,
    origin=st.sampled_from(["operation", "adopted"]),
    placed_status=st.sampled_from([None, TO_DO.id, IN_PROGRESS.id, DONE.id]),
    refused=st.sets(st.sampled_from(["priority", "components", SEVERITY_FIELD, "status"])).map(tuple),
)
unread_tickets = known_tickets.map(lambda known: known.model_copy(update={"issue": None}))
notes = st.none() | st.lists(texts, max_size=2).map(
    lambda written: tuple(note(text, number) for number, text in enumerate(written))
)
keys = st.sets(st.sampled_from(["link-note/P1", "note/N0", "comment/C1"])).map(frozenset)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Anything that can be known of an incident, with a ticket or without one."""
    had = draw(st.none() | known_tickets | unread_tickets)
    made = {"ticket/P1"} if had and had.origin == "operation" else set()
    return Case(
        incident=draw(incidents),
        notes=draw(notes),
        ticket=had,
        people=PEOPLE,
        fallback=draw(st.sampled_from([None, FALLBACK])),
        once=draw(keys) | made,
        before_enforcement=draw(st.booleans()),
        now=draw(st.sampled_from([None, NOW + timedelta(minutes=1), NOW + timedelta(days=1)])),
        merged_into=draw(targets),
        merged_from=draw(st.sampled_from([(), (), ("P7",)])),
    )


targets = st.none() | st.builds(
    MergeTarget, id=st.just("P2"), claimed=st.booleans(), has_ticket=st.booleans()
)
owners = st.sampled_from(["pagerduty", "jira", "nobody"])


@st.composite
def books(draw: st.DrawFn) -> Rulebook:
    """A rulebook of any service, owners, ways and closing."""
    names = ("summary", "priority", "severity", "component", "assignee")
    return book(
        draw(st.sampled_from(["Alipay", "BluBank", "Web"])),
        jira={**QRPAY["jira"], "owners": {name: draw(owners) for name in names}},
        two_way={name: draw(st.booleans()) for name in TwoWay.model_fields},
        closing={"mode": draw(st.sampled_from(["off", "report", "enforce"]))},
        noise=draw(st.sampled_from(NOISE)),
    )


def test_one_decision_holds_what_every_rule_wants() -> None:
    acknowledged = incident(status="acknowledged", title="Payments have stopped")
    known = case(acknowledged, ticket(issue(comments=(comment("b"),))), notes=(note("a"),), once=frozenset())
    assert [op.kind for op in decide(known, book()).operations] == [
        Kind.LINK_NOTE,
        Kind.MOVE_TICKET,
        Kind.EDIT_TICKET,
        Kind.MIRROR_NOTE,
        Kind.MIRROR_COMMENT,
    ]


fast = settings(max_examples=80, deadline=None, derandomize=True)


@fast
@given(cases(), books())
def test_deciding_twice_is_deciding_once(known: Case, rules: Rulebook) -> None:
    before = known.model_dump_json(), rules.model_dump_json()
    first = decide(known, rules)
    again = decide(known.model_copy(deep=True), rules.model_copy(deep=True))
    as_json = TypeAdapter(Decision).dump_json
    assert as_json(first) == as_json(again)
    assert (known.model_dump_json(), rules.model_dump_json()) == before


@fast
@given(cases(), books())
def test_nothing_is_wanted_once_everything_wanted_was_done(known: Case, rules: Rulebook) -> None:
    state = known
    for _ in range(1 if known.ticket and known.ticket.issue else 2):
        # a new ticket is placed once it is there; what is there comes to rest at once
        state = after(state, decide(state, rules), rules)
    if of_kind(decide(known, rules), Kind.CHANGE_INCIDENT):
        # an incident that changed may ask for something of its ticket: who is paged by a reopen has it
        state = after(state, decide(state, rules), rules)
    rest = decide(state, rules)
    assert not of_kind(rest, Kind.CHANGE_INCIDENT)
    assert (rest.operations, rest.agreed, rest.remarks) == ((), {}, ())


@fast
@given(cases(), books())
def test_every_decision_says_why_and_touches_each_place_once(known: Case, rules: Rulebook) -> None:
    decision = decide(known, rules)
    assert all(op.reason and op.incident == "P1" for op in decision.operations)
    assert all(remark.reason for remark in decision.remarks)
    once = [op.key for op in decision.operations if op.op_class is OperationClass.ONCE]
    places = [(op.object, op.aspect) for op in decision.operations if op.op_class is OperationClass.STATE]
    assert len(once) == len(set(once))
    assert len(places) == len(set(places))
    assert known.ticket is not None or {op.kind for op in decision.operations} <= {
        Kind.CREATE_TICKET,
        Kind.LINK_NOTE,
        Kind.MIRROR_NOTE,
        Kind.LINK_TICKETS,
        Kind.COMMENT_ON_TICKET,
    }


@fast
@given(cases(), books())
def test_an_incident_that_is_silent_is_left_in_peace(known: Case, rules: Rulebook) -> None:
    before_enforcement = known.model_copy(
        update={"ticket": None, "before_enforcement": True, "merged_from": ()}
    )
    assert decide(before_enforcement, rules) == Decision()
