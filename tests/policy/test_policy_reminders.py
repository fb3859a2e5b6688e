"""Who is reminded, who hears of a breach and of the third postponement: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from policy_cast import DONE as DONE_STATUS
from policy_cast import IN_PROGRESS, book, case, incident, issue, of_kind

from syncd.domain.clock import ClockSkew
from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.domain.history import Change
from syncd.domain.operation import Kind
from syncd.domain.ticket import Account, Status
from syncd.policy.case import Case, Decision, ItemState, PostmortemState, Rulebook
from syncd.policy.notify.notices import BEFORE_SWITCH
from syncd.policy.notify.reminders import decide_reminders

DUE = datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
ANA = Account(id="acc-ana", name="Ana", email="ana@qrpay.example")
HIDDEN = Account(id="acc-hidden", name="Hidden")
GONE = Account(id="acc-gone", name="Gone", email="gone@qrpay.example", active=False)
ENFORCED: dict[str, Any] = {
    "mails": {"mode": "enforce"},
    "postmortem": {"mode": "enforce"},
    "follow_ups": {"mode": "enforce"},
    "people": {"fallback": "priya@qrpay.example", "process_owner": "process@qrpay.example"},
    "services": {"Alipay": {"owner": "owner@qrpay.example"}},
}


def rules(edition: str = "cloud", **more: Any) -> Rulebook:
    return book("Alipay", edition, **{**ENFORCED, **more})


def duty(state: str = "pending", kind: str = "scheduled", **more: Any) -> Duty:
    data: dict[str, Any] = {
        "kind": DutyKind(kind),
        "subject": "P1" if kind in ("scheduled", "completed") else "20001",
        "state": DutyState(state),
        "started_at": DUE - timedelta(hours=48),
        "due_at": DUE,
        "breached_at": DUE if state == "breached" else None,
    }
    return Duty.model_validate({**data, **more})


def postmortem(owner: Account | None = ANA, read: datetime | None = DUE) -> PostmortemState:
    there = issue(id="10009", key="OPS-9", assignee=owner)
    return PostmortemState(issue_id="10009", key="OPS-9", issue=there, changes_until=read)


def item(status: Status = IN_PROGRESS, **facts: Any) -> ItemState:
    there = issue(id="20001", key="OPS-20", assignee=ANA, status=status)
    return ItemState(
        issue_id="20001",
        key="OPS-20",
        source="sub-task",
        facts=facts,
        issue=there,
        changes_until=DUE,
        first_seen_at=DUE,
    )


def at(now: datetime, *duties: Duty, **more: Any) -> Case:
    data: dict[str, Any] = {"duties": duties, "now": now, "postmortem": postmortem(), **more}
    return case(incident(status="resolved"), **data)


def mailed(decision: Decision) -> list[tuple[str, str]]:
    return [
        (str(op.meaning["mail"]), str(op.meaning["to"]))
        for op in of_kind(decision, Kind.SEND_MAIL)
        if "skip" not in op.meaning
    ]


REMINDED = [("reminder", "ana@qrpay.example")]
LATE = [("breach", "owner@qrpay.example"), ("breach", "process@qrpay.example")]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (DUE - timedelta(hours=4, seconds=1), []),
        (DUE - timedelta(hours=4), REMINDED),
        (DUE - timedelta(seconds=1), REMINDED),
        (DUE, []),
    ],
)
def test_the_seconds_around_the_reminder(now: datetime, expected: list[tuple[str, str]]) -> None:
    decision = decide_reminders(at(now, duty()), rules())
    assert mailed(decision) == expected


def test_the_time_until_the_reminder_is_said() -> None:
    decision = decide_reminders(at(DUE - timedelta(hours=5), duty()), rules())
    assert decision.again == 3600.0


def test_what_was_not_read_since_the_reminder_became_due_is_read_first() -> None:
    stale = postmortem(read=DUE - timedelta(hours=5))
    decision = decide_reminders(at(DUE - timedelta(hours=3), duty(), postmortem=stale), rules())
    assert decision.look == {"postmortem"}
    assert mailed(decision) == []


def test_a_postmortem_out_of_sight_is_not_read_again_and_again() -> None:
    gone = postmortem(read=None).model_copy(update={"out_of_sight_since": DUE - timedelta(hours=30)})
    decision = decide_reminders(at(DUE - timedelta(hours=3), duty(), postmortem=gone), rules())
    assert decision.look == frozenset()
    assert mailed(decision) == REMINDED


@pytest.mark.parametrize("state", ["met", "met_late", "waived", "cancelled", "not_required"])
def test_what_is_not_owed_reminds_nobody(state: str) -> None:
    decision = decide_reminders(at(DUE - timedelta(hours=3), duty(state)), rules())
    assert decision == Decision()


def test_a_breach_goes_to_the_contacts_and_the_missed_reminder_is_on_record() -> None:
    decision = decide_reminders(at(DUE + timedelta(minutes=1), duty("breached")), rules())
    assert mailed(decision) == LATE
    skipped = [op for op in of_kind(decision, Kind.SEND_MAIL) if "skip" in op.meaning]
    assert [op.meaning["mail"] for op in skipped] == ["reminder"]
    again = at(DUE + timedelta(hours=1), duty("breached"), once={op.key for op in skipped})
    assert [op for op in decide_reminders(again, rules()).operations if "skip" in op.meaning] == []


def test_a_reminder_is_due_when_it_is_due_by_either_clock_and_until_the_deadline_has_passed_by_both() -> None:
    slow, fast = ClockSkew(ahead=timedelta(hours=1)), ClockSkew(behind=timedelta(hours=1))
    due = DUE - timedelta(hours=4)
    for skew, first, last in ((slow, due - timedelta(hours=1), DUE), (fast, due, DUE + timedelta(hours=1))):
        read = postmortem(read=last)
        moments = (first - timedelta(seconds=1), first, last - timedelta(seconds=1), last)
        cases = [at(now, duty(), postmortem=read, skew=skew) for now in moments]
        decisions = [decide_reminders(case, rules()) for case in cases]
        assert [mailed(decision) for decision in decisions] == [[], REMINDED, REMINDED, []]
        assert decisions[0].again == 1.0


def test_a_breach_that_was_taken_back_tells_nobody() -> None:
    wrong = duty("breached", corrected="it was on paper")
    assert decide_reminders(at(DUE + timedelta(minutes=1), wrong), rules()) == Decision()


def test_of_a_clock_that_another_one_followed_nobody_hears_any_more() -> None:
    late = duty("breached")
    anew = duty("pending", clock=2, due_at=DUE + timedelta(days=4))
    decision = decide_reminders(at(DUE + timedelta(minutes=1), late, anew), rules())
    assert decision.operations == ()


@pytest.mark.parametrize(
    "more",
    [{"before_enforcement": True}, {"now": None}],
    ids=["before the rules", "no time"],
)
def test_what_cannot_be_judged_tells_nobody(more: dict[str, Any]) -> None:
    late = at(DUE + timedelta(minutes=1), duty("breached")).model_copy(update=more)
    assert decide_reminders(late, rules()) == Decision()


def test_mails_in_report_say_what_they_would_do() -> None:
    decision = decide_reminders(
        at(DUE + timedelta(minutes=1), duty("breached")), rules(mails={"mode": "report"})
    )
    assert decision.operations == ()
    assert len(decision.dry_run_notes) == 2


@pytest.mark.parametrize(
    ("edition", "named"), [("cloud", "[~accountid:acc-hidden]"), ("datacenter", "[~acc-hidden]")]
)
def test_an_owner_without_an_address_is_named_on_the_issue(edition: str, named: str) -> None:
    theirs = item()
    assert theirs.issue is not None
    owned = theirs.model_copy(update={"issue": theirs.issue.model_copy(update={"assignee": HIDDEN})})
    hidden = at(DUE - timedelta(hours=3), duty(kind="done"), items=(owned,))
    decision = decide_reminders(hidden, rules(edition))
    (comment,) = of_kind(decision, Kind.COMMENT_ON_ACTION_ITEM)
    assert str(comment.meaning["text"]).startswith(f"{named} ")
    assert mailed(decision) == []


def test_an_owner_who_has_left_counts_as_none() -> None:
    left = at(DUE - timedelta(hours=3), duty(), postmortem=postmortem(GONE))
    assert mailed(decide_reminders(left, rules())) == [("reminder", "owner@qrpay.example")]


@pytest.mark.parametrize(
    ("times", "status", "expected"),
    [
        (2, IN_PROGRESS, []),
        (3, IN_PROGRESS, ["owner@qrpay.example", "process@qrpay.example"]),
        (4, IN_PROGRESS, ["owner@qrpay.example", "process@qrpay.example"]),
        (3, DONE_STATUS, []),
    ],
)
def test_the_third_postponement_goes_to_the_contacts(times: int, status: Status, expected: list[str]) -> None:
    decision = decide_reminders(at(DUE, items=(item(status, postponed=times),)), rules())
    assert [to for _kind, to in mailed(decision)] == expected
    assert {op.key.split("/")[3] for op in decision.operations} <= {"20001:3"}


def test_who_becomes_a_contact_later_does_not_hear_of_an_old_postponement() -> None:
    days = ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23")
    changes = tuple(
        Change(at=DUE, author=ANA, field="duedate", before=before, after=after)
        for before, after in pairwise(days)
    )
    postponed = item(postponed=3).model_copy(update={"changes": changes})
    assert len(mailed(decide_reminders(at(DUE + timedelta(days=7), items=(postponed,)), rules()))) == 2
    late = decide_reminders(at(DUE + timedelta(days=7, minutes=1), items=(postponed,)), rules())
    assert mailed(late) == []
    assert {op.meaning["skip"] for op in of_kind(late, Kind.SEND_MAIL)} == {
        "it was postponed more than a week ago; the weekly report counts it"
    }


@pytest.mark.parametrize("section", ["mails", "postmortem"])
def test_a_breach_from_before_a_switch_of_mode_is_on_record_and_mailed_to_nobody(section: str) -> None:
    now, hour = DUE + timedelta(hours=2), timedelta(hours=1)
    before = decide_reminders(at(now, duty("breached"), switched={section: DUE + hour}), rules())
    assert mailed(before) == []
    assert BEFORE_SWITCH in {op.meaning.get("skip") for op in of_kind(before, Kind.SEND_MAIL)}
    after = decide_reminders(at(now, duty("breached"), switched={section: DUE - hour}), rules())
    assert mailed(after) == LATE
