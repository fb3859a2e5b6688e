"""Who owns an action item: leavers, assignments by rule, and items that are done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from duty_cast import DAY, HOUR, OLA, PIA, RESOLVED, US
from policy_cast import ANA, DONE, IN_PROGRESS, book, incident

from syncd.domain.clock import GRACE
from syncd.domain.duty import Duty, DutyKind
from syncd.domain.history import Change, Leave
from syncd.domain.ticket import Account, Issue
from syncd.policy.case import Case, ItemState
from syncd.policy.decide import with_duties
from syncd.policy.duty_words import BY_RULE
from syncd.policy.follow_ups.judge import decide_follow_ups
from syncd.policy.follow_ups.operations import act_on_follow_ups
from syncd.policy.judged_people import judged_people

ITEM = "900"
BOOK = book(
    follow_ups={"mode": "enforce", "unowned": "assign"},
    postmortem={"mode": "off"},
    services={"Alipay": {"owner": "owner@qrpay.example"}},
)
DUE = RESOLVED + DAY
"""24 working hours after a Monday's resolve."""


class Life:
    """One action item with its changelog; `at` judges what syncd knows at a moment, and keeps it."""

    def __init__(self, owner: Account | None = None) -> None:
        self.first, self.facts, self.duties = owner, {}, ()
        self.changes: list[Change] = []
        self.leaves: dict[str, Leave] = {}
        self.inactive: set[str] = set()

    facts: dict[str, Any]
    duties: tuple[Duty, ...]

    def assign(self, at: datetime, to: Account | None, by: Account | None = PIA) -> Life:
        earlier = [change.after for change in self.changes if change.field == "assignee"]
        before = earlier[-1] if earlier else (self.first.id if self.first else None)
        after = to.id if to else None
        self.changes.append(Change(at=at, author=by, field="assignee", before=before, after=after))
        return self

    def close(self, at: datetime, by: Account = PIA) -> Life:
        self.changes.append(Change(at=at, author=by, field="status", before=IN_PROGRESS.id, after=DONE.id))
        self.changes.append(Change(at=at, author=by, field="resolution", before=None, after="1"))
        return self

    def open(self, at: datetime, by: Account = PIA) -> Life:
        self.changes.append(Change(at=at, author=by, field="status", before=DONE.id, after=IN_PROGRESS.id))
        self.changes.append(Change(at=at, author=by, field="resolution", before="1", after=None))
        return self

    def leave(self, who: Account, at: datetime, after: datetime | None = None) -> Life:
        self.leaves[who.id] = Leave(after=after or at - DAY, by=at)
        return self

    def case(self, now: datetime) -> Case:
        changes = tuple(change for change in self.changes if change.at <= now)
        owners = [change.after for change in changes if change.field == "assignee"]
        owner = owners[-1] if owners else (self.first.id if self.first else None)
        statuses = [change.after for change in changes if change.field == "status"]
        leaves = {account: leave for account, leave in self.leaves.items() if leave.by <= now}
        issue = Issue(
            id=ITEM,
            key="OPS-9",
            project="OPS",
            type_id="100",
            summary="Alert earlier",
            status=DONE if statuses and statuses[-1] == DONE.id else IN_PROGRESS,
            assignee=Account(id=owner, name=owner, active=owner not in leaves) if owner else None,
            created_at=RESOLVED,
        )
        state = ItemState(
            issue_id=ITEM,
            key="OPS-9",
            source="sub-task of the postmortem",
            issue=issue,
            changes=changes,
            changes_until=now,
            first_seen_at=RESOLVED,
            facts=self.facts,
            leaves=leaves,
        )
        case = Case(
            incident=incident(status="resolved", resolved_at=RESOLVED, created_at=RESOLVED - HOUR),
            now=now,
            items=(state,),
            duties=self.duties,
            service_owner=Account(id="acc-owner", name="Owner"),
            owner_known=True,
        )
        return judged_people(case, {US.id})

    def at(self, now: datetime) -> Duty:
        case = self.case(now)
        decision = decide_follow_ups(case, BOOK)
        self.duties = with_duties(case, decision.duties).duties
        self.facts = {**self.facts, **decision.facts[ITEM]}
        duty = case.model_copy(update={"duties": self.duties}).duty(DutyKind.OWNED, ITEM)
        assert duty is not None
        return duty

    def all(self) -> list[tuple[int, str]]:
        return [(duty.clock, str(duty.state)) for duty in self.duties if duty.kind is DutyKind.OWNED]

    def writes(self, now: datetime) -> list[str]:
        case = self.case(now)
        return [str(operation.kind) for operation in act_on_follow_ups(case, BOOK).operations]


@pytest.mark.parametrize("looks", [True, False])
def test_no_tenure_of_a_leaver_meets_the_clock_that_their_leaving_started(looks: bool) -> None:
    left = DUE + 3 * DAY
    life = Life(OLA).leave(OLA, left)
    if looks:
        assert life.at(RESOLVED + HOUR).state == "met"
        again = life.at(left + HOUR)
        assert (again.clock, again.state, again.started_at) == (2, "pending", left)
    life.assign(left + 2 * HOUR, PIA)
    met = life.at(left + 3 * HOUR)
    first = next(duty for duty in life.duties if duty.kind is DutyKind.OWNED)
    assert (first.state, first.met_at) == ("met", RESOLVED)
    if looks:
        assert (met.state, met.met_at, met.met_by) == ("met", left + 2 * HOUR, PIA.id)


def test_a_clock_that_a_leaver_started_is_missed_although_the_leaver_still_stands_there() -> None:
    left = DUE + 3 * DAY  # a Friday morning, so 24 working hours end on Monday
    life = Life(OLA).leave(OLA, left)
    life.at(RESOLVED + HOUR)
    life.at(left + HOUR)
    missed = life.at(left + 4 * DAY)
    assert (missed.clock, missed.state) == (2, "breached")
    life.assign(left + 5 * DAY, PIA)
    late = life.at(left + 6 * DAY)
    assert (late.state, late.met_at, late.met_by) == ("met_late", left + 5 * DAY, PIA.id)


def test_who_owned_an_item_over_its_deadline_counts_for_it_if_syncd_saw_the_leaving_only_later() -> None:
    life = Life(OLA).leave(OLA, DUE + HOUR, after=DUE - HOUR)
    life.at(DUE + 2 * HOUR)
    assert life.all() == [(1, "met"), (2, "pending")]


def test_an_owner_whom_syncd_never_saw_active_meets_nothing_also_after_another_took_over() -> None:
    life = Life(OLA)
    life.leaves[OLA.id] = Leave(by=RESOLVED + HOUR)
    assert life.at(RESOLVED + HOUR).state == "pending"
    life.assign(DUE + HOUR, PIA)
    duty = life.at(DUE + 2 * HOUR)
    assert (duty.state, duty.met_at, duty.met_by) == ("met_late", DUE + HOUR, PIA.id)


def test_who_comes_back_owns_the_item_from_then_on() -> None:
    left = DUE + DAY
    life = Life(OLA).leave(OLA, left)
    life.at(RESOLVED + HOUR)
    life.at(left + HOUR)
    life.leaves[OLA.id] = Leave(after=left - DAY, by=left, back=left + 5 * HOUR)
    case = life.case(left + 6 * HOUR)
    assert case.items[0].issue is not None
    back = case.items[0].issue.model_copy(update={"assignee": OLA})
    case = case.model_copy(update={"items": (case.items[0].model_copy(update={"issue": back}),)})
    met = [duty for duty in decide_follow_ups(case, BOOK).duties if duty.kind is DutyKind.OWNED][-1]
    assert (met.clock, met.state, met.met_at) == (2, "met", left + 5 * HOUR)


def test_what_was_assigned_by_rule_counts_once_another_person_assigns_it() -> None:
    life = Life()
    life.at(DUE + HOUR)
    life.facts["by_rule"] = ANA.id
    life.assign(DUE + 2 * HOUR, Account(id=ANA.id), by=US)
    assert life.at(DUE + 3 * HOUR).state == "breached"
    assert BY_RULE in life.facts["violations"]
    life.assign(DUE + 4 * HOUR, None).assign(DUE + 5 * HOUR, Account(id=ANA.id))
    met = life.at(DUE + 6 * HOUR)
    assert (met.state, met.met_at) == ("met_late", DUE + 5 * HOUR)
    assert BY_RULE not in life.facts["violations"]


def test_an_assignment_by_rule_whose_author_jira_leaves_out_meets_nothing() -> None:
    life = Life()
    life.facts["by_rule"] = ANA.id
    life.assign(RESOLVED + HOUR, Account(id=ANA.id), by=None)
    assert life.at(RESOLVED + 2 * HOUR).state == "pending"
    assert BY_RULE in life.facts["violations"]


def test_an_item_that_is_done_without_an_owner_owes_none_and_syncd_does_not_change_it() -> None:
    life = Life().close(RESOLVED + HOUR)
    duty = life.at(RESOLVED + 2 * HOUR)
    assert (duty.state, duty.verdict, duty.reason) == (
        "cancelled",
        "cancelled",
        "it was done before it had an owner",
    )
    assert life.at(DUE + DAY) == duty
    assert "edit_action_item" not in life.writes(DUE + DAY)


@pytest.mark.parametrize("looks", [True, False])
def test_an_item_done_after_its_owner_was_due_stays_missed_and_nobody_is_reminded(looks: bool) -> None:
    life = Life().close(DUE + HOUR)
    if looks:
        assert life.at(DUE + GRACE).state == "breached"
    duty = life.at(DUE + 2 * HOUR)
    assert (duty.state, duty.verdict, duty.due_at) == ("cancelled", "breached", DUE)
    assert "edit_action_item" not in life.writes(DUE + DAY)


def test_an_item_done_before_its_owner_left_begins_no_clock() -> None:
    life = Life(OLA).close(RESOLVED + 3 * HOUR).leave(OLA, DUE + DAY)
    life.at(RESOLVED + HOUR)
    life.at(DUE + 2 * DAY)
    assert life.all() == [(1, "met")]
    life.open(DUE + 3 * DAY)
    again = life.at(DUE + 3 * DAY + HOUR)
    assert (again.clock, again.state, again.started_at) == (2, "pending", DUE + 3 * DAY)


def test_an_item_that_was_done_without_an_owner_and_opened_again_gets_a_whole_clock() -> None:
    life = Life().close(RESOLVED + HOUR)
    life.at(RESOLVED + 2 * HOUR)
    life.open(DUE + DAY)
    again = life.at(DUE + DAY + HOUR)
    assert (again.clock, again.state, again.started_at) == (2, "pending", DUE + DAY)
    assert life.all() == [(1, "cancelled"), (2, "pending")]


def test_an_item_that_was_read_just_after_its_deadline_is_read_again_before_it_is_judged() -> None:
    life = Life()
    assert life.at(DUE - HOUR).due_at == DUE
    read = life.case(DUE + GRACE / 2)
    assert not decide_follow_ups(read, BOOK).look
    assert decide_follow_ups(read.model_copy(update={"now": DUE + GRACE}), BOOK).look == {"items"}
