"""What a postmortem says about its duties, waivers by label, and a clock explained in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from duty_cast import APPROVER, DAY, DUE, HOUR, OLA, RESOLVED, US, Life, ours, rules, theirs

from syncd.domain.clock import GRACE, ClockSkew
from syncd.domain.duty import DutyKind
from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Comment
from syncd.policy.case import Decision, MergeTarget
from syncd.policy.marks import mark_line
from syncd.policy.notify.duty_comments import OVERDUE_LABEL, comment_on_duties
from syncd.policy.notify.reminders import decide_reminders
from syncd.policy.postmortem.explain import explain, summary

LATER = DUE + GRACE
APPROVERS = {"approvers": ["boss@qrpay.example"]}


def told(life: Life, now: datetime) -> Decision:
    """What is told at a moment, the duties being judged and kept; what was said is remembered."""
    life.decide(now)
    decision = comment_on_duties(life.case(now), life.book)
    life.once |= {op.key for op in decision.operations if op.kind is Kind.COMMENT_ON_POSTMORTEM}
    return decision


def said(decision: Decision) -> list[str]:
    return [str(op.meaning["text"]) for op in decision.operations if op.kind is Kind.COMMENT_ON_POSTMORTEM]


def labelled(decision: Decision) -> list[object]:
    edits: list[Operation] = [op for op in decision.operations if op.kind is Kind.EDIT_POSTMORTEM]
    return [op.meaning["update"] for op in edits]


def test_one_comment_when_due_soon_one_at_the_breach_and_none_daily() -> None:
    life = Life().resolve()
    assert said(told(life, DUE - DAY - HOUR)) == []
    (soon,) = said(told(life, DUE - DAY))
    assert soon.startswith("schedule it by 2026-11-25 09:00 UTC. Why: SEV2 incidents need a postmortem;")
    assert "To do: enter the day of its review in its due date" in soon
    assert said(told(life, DUE - HOUR)) == []
    (late,) = said(told(life, LATER))
    assert late.startswith("it was not scheduled by 2026-11-25 09:00 UTC and is overdue")
    for days in range(1, 5):
        assert said(told(life, LATER + days * DAY)) == []


def test_an_owner_whom_no_mail_reaches_is_named_in_that_comment_and_in_no_other() -> None:
    mails = {"mode": "enforce"}
    life = Life(book=rules(mails=mails)).resolve()
    for now in (DUE - 24 * HOUR, DUE - 4 * HOUR, DUE + GRACE + HOUR):
        decision = told(life, now)
        named = ("[~accountid:acc-ola] schedule it by ", "[~accountid:acc-ola] it was not scheduled by ")
        assert said(decision) == [] or said(decision)[0].startswith(named)
        about = decide_reminders(life.case(now), life.book)
        assert [op for op in about.operations if op.kind is Kind.COMMENT_ON_POSTMORTEM] == []
        life.once |= {op.key for op in decision.operations}
    assert len([key for key in life.once if key.startswith("comment/")]) == 2
    assert "acc-ola" not in str(told(Life().resolve(), DUE - 24 * HOUR))


def test_after_downtime_only_the_latest_step_is_said_and_the_other_is_on_record() -> None:
    life = Life().resolve()
    life.decide(RESOLVED + HOUR)
    decision = life.decide(LATER + HOUR)
    (remark,) = decision.remarks
    assert remark.rule == "postmortem.due_soon"
    assert len(said(told(life, LATER + HOUR))) == 1


def test_the_label_comes_with_the_breach_and_goes_when_the_duty_is_met() -> None:
    life = Life().resolve()
    assert labelled(told(life, DUE - HOUR)) == []
    assert labelled(told(life, LATER)) == [{"labels": [{"add": OVERDUE_LABEL}]}]
    life.labels, life.agreed = (OVERDUE_LABEL,), {OVERDUE_LABEL: "scheduled/1"}
    assert labelled(told(life, LATER + HOUR)) == []
    life.review(LATER + 2 * HOUR, "2026-12-01")
    assert labelled(told(life, LATER + 3 * HOUR)) == [{"labels": [{"remove": OVERDUE_LABEL}]}]


def test_a_label_that_a_person_took_away_stays_away() -> None:
    life = Life(agreed={OVERDUE_LABEL: "scheduled/1"}).resolve()
    assert labelled(told(life, LATER)) == []


def test_a_waived_duty_is_not_reminded_of() -> None:
    life = Life().resolve().waive(RESOLVED + HOUR, DUE + 5 * DAY)
    assert told(life, DUE) == Decision()
    assert told(life, DUE + DAY) == Decision()


def test_reopened_after_it_was_met_a_comment_asks_to_review_it_once() -> None:
    life = Life().resolve().review(RESOLVED + HOUR)
    assert said(told(life, RESOLVED + 2 * HOUR)) == []
    life.reopen(RESOLVED + 3 * HOUR)
    (asked,) = said(told(life, RESOLVED + 4 * HOUR))
    assert asked.startswith(
        "the incident was reopened 2026-11-23 12:00 UTC, after the postmortem was scheduled."
    )
    life.resolve(RESOLVED + 5 * HOUR)
    assert said(told(life, RESOLVED + 6 * HOUR)) == []


def test_merged_after_a_person_wrote_it_one_comment_asks_which_counts() -> None:
    life = Life().resolve().review(RESOLVED + HOUR)
    life.merged_into = MergeTarget(id="P9", number=99)
    (asked,) = said(told(life, RESOLVED + 2 * HOUR))
    assert "which of the two counts" in asked
    assert said(told(life, RESOLVED + 3 * HOUR)) == []
    untouched = Life().resolve()
    untouched.comments.append(ours("made", RESOLVED + HOUR))
    # a bulk read carries no properties of comments: our account is known by the last line alone
    untouched.comments.append(theirs(f"due soon\n\n{mark_line('a' * 16)}", RESOLVED + HOUR, US))
    untouched.merged_into = MergeTarget(id="P9", number=99)
    assert said(told(untouched, RESOLVED + 2 * HOUR)) == []


def test_in_report_it_is_only_said_what_would_have_been_told() -> None:
    life = Life(rules(postmortem={"mode": "report"})).resolve()
    decision = told(life, LATER)
    assert decision.operations == ()
    assert [note[:41] for note in decision.dry_run_notes] == ["comment on OPS-9: it was not scheduled by"]
    assert told(Life(rules(postmortem={"mode": "off"})).resolve(), LATER) == Decision()


def waived(body: str, at: datetime = RESOLVED + HOUR, by: object = APPROVER) -> Life:
    life = Life(rules(people=APPROVERS), labels=("Waived",)).resolve()
    life.change("labels", RESOLVED + HOUR, None, after_words="Waived")
    comment = theirs(body, at)
    life.comments.append(Comment.model_validate(comment.model_dump() | {"author": by}))
    return life


def test_a_label_with_an_approvers_comment_waives_both_for_14_days() -> None:
    life = waived("Waived, the vendor writes this one")
    assert life.state(RESOLVED + 2 * HOUR) == "waived"
    assert life.state(RESOLVED + 2 * HOUR, DutyKind.COMPLETED) == "waived"
    (waiver,) = life.waivers
    assert (waiver.until, waiver.source) == (RESOLVED + HOUR + 14 * DAY, "jira")
    assert (waiver.by, waiver.reason) == ("The boss", "Waived, the vendor writes this one")


@pytest.mark.parametrize(
    ("body", "until"),
    [
        ("until 2026-11-30 please", datetime(2026, 12, 1, tzinfo=UTC)),
        ("until 2027-11-30 please", RESOLVED + HOUR + 30 * DAY),
        ("until 2026-13-45 or the 3rd of May", RESOLVED + HOUR + 14 * DAY),
        ("it was 2026-11-01", RESOLVED + HOUR + 14 * DAY),
        ("not 2026-99-99 nor 2026-11-01, 2026-11-28", datetime(2026, 11, 29, tzinfo=UTC)),
    ],
)
def test_a_day_to_come_that_the_comment_names_ends_it_and_without_one_14_days_do(
    body: str, until: datetime
) -> None:
    life = waived(body)
    life.decide(RESOLVED + 2 * HOUR)
    assert [waiver.until for waiver in life.waivers] == [until]


@pytest.mark.parametrize("by", [OLA, None])
def test_an_owner_or_anybody_who_is_no_approver_waives_nothing(by: object) -> None:
    life = waived("waived", by=by)
    life.approvers = frozenset({APPROVER.id, OLA.id})
    assert life.state(RESOLVED + 2 * HOUR) == "pending"
    life = waived("waived")
    life.approvers = frozenset()
    assert life.state(RESOLVED + 2 * HOUR) == "pending"


def test_a_comment_of_long_before_the_label_is_about_something_else() -> None:
    assert waived("well done", at=RESOLVED - HOUR).state(RESOLVED + 2 * HOUR) == "pending"


def test_approvers_are_looked_up_when_a_label_asks_for_it() -> None:
    life = waived("waived")
    life.approvers = None
    assert life.decide(RESOLVED + 2 * HOUR).look == {"approvers"}
    life.labels = ()
    assert life.decide(RESOLVED + 2 * HOUR).look == frozenset()


def test_a_label_that_goes_ends_the_waiver_then() -> None:
    life = waived("waived")
    life.decide(RESOLVED + 2 * HOUR)
    life.labels = ()
    life.change("labels", DUE + DAY, None, before_words="Waived", after_words="")
    duty = life.duty(DUE + DAY + HOUR)
    assert duty is not None
    assert (duty.state, duty.due_at) == ("due_soon", DUE + 2 * DAY)
    assert life.waivers[0].ended_at == DUE + DAY
    assert life.decide(DUE + DAY + 2 * HOUR).waivers == ()


def test_of_a_restricted_incident_no_comment_is_kept() -> None:
    life = waived("the customer's data")
    life.restricted = True
    life.decide(RESOLVED + 2 * HOUR)
    assert [waiver.reason for waiver in life.waivers] == ["see the comment"]


def lines(life: Life, now: datetime) -> tuple[str, ...]:
    duty = life.duty(now)
    assert duty is not None
    return explain(duty, life.case(now))


def test_a_clock_is_explained_from_its_start_to_what_ends_it() -> None:
    life = Life().resolve()
    assert lines(life, RESOLVED + HOUR) == (
        "Started 2026-11-23 09:00 UTC: SEV2 incidents need a postmortem;"
        " the deadline is 48 hours after the resolve",
        "Due 2026-11-25 09:00 UTC, in 47 hours",
        "To do: enter the day of its review in its due date, from 2026-11-23 to 2026-12-07",
        "Or get a waiver: syncd waive 17 --duty scheduled --until DATE --reason WHY --by ADDRESS",
    )


def test_what_happened_to_a_clock_is_explained() -> None:
    life = Life().resolve()
    assert "Overdue since 2026-11-25 09:00 UTC, for 3 days" in lines(life, DUE + 3 * DAY)
    life.review(DUE + 4 * DAY, "2026-12-01")
    done = lines(life, DUE + 5 * DAY)
    assert "Was due 2026-11-25 09:00 UTC; done 2026-11-29 09:00 UTC by Ola" in done
    assert "It became overdue 2026-11-25 09:00 UTC; that stays on record" in done
    rests = Life().resolve().waive(RESOLVED + HOUR, DUE + DAY)
    assert (
        "Waived until 2026-11-26 09:00 UTC by Pia, for the first time, given 2026-11-23 10:00 UTC: holidays;"
        " after that it is due 2026-11-27 09:00 UTC" in lines(rests, DUE)
    )
    twice = Life().resolve().waive(RESOLVED + HOUR, DUE + DAY).waive(RESOLVED + 2 * HOUR, DUE + 5 * DAY)
    assert (
        "Waived until 2026-11-30 09:00 UTC by Pia, for the second time, given 2026-11-23 11:00 UTC: holidays;"
        " after that it is due 2026-12-01 09:00 UTC" in lines(twice, DUE)
    )
    again = Life().resolve()
    again.decide(RESOLVED + HOUR)
    again.reopen(RESOLVED + 2 * HOUR)
    assert lines(again, RESOLVED + DAY) == (
        "Cancelled: the incident was reopened 2026-11-23 11:00 UTC; the next resolve starts a new clock",
        "Next: nothing until the incident is resolved",
    )


@pytest.mark.parametrize(
    ("life", "why"),
    [
        (
            Life(skew=ClockSkew(behind=DAY)),
            "the clocks of syncd and a service differ, and it must have passed by both",
        ),
        (
            Life(rules(postmortem={"mode": "report"}), postmortem=False),
            "syncd knows no postmortem",
        ),
    ],
)
def test_why_a_deadline_is_not_judged_yet_is_explained(life: Life, why: str) -> None:
    life.state_changes, life.duties = life.state_changes[:1], ()
    life.resolve()
    waiting = [line for line in lines(life, DUE + 3 * HOUR) if "not judged yet" in line]
    assert waiting == [f"Was due 2026-11-25 09:00 UTC, 3 hours ago, and is not judged yet: {why}"]


def test_a_postmortem_that_cannot_be_seen_at_its_deadline_is_explained() -> None:
    life = Life(gone_since=DUE, read_until=DUE)
    life.resolve()
    explained = " ".join(lines(life, DUE + 3 * HOUR))
    assert "cannot see OPS-9" in explained, explained


def test_a_duty_in_a_few_words_says_until_when() -> None:
    life = Life().resolve()
    duty = life.duty(DUE - HOUR)
    assert duty is not None
    assert summary(duty) == "due soon, 2026-11-25 09:00 UTC"
    life.review(DUE - HOUR)
    duty = life.duty(DUE)
    assert duty is not None
    assert summary(duty) == "done in time"


def test_a_breach_from_before_the_mode_was_switched_gets_no_comment() -> None:
    life = Life().resolve()
    life.decide(LATER)
    case = life.case(LATER)
    switched = case.model_copy(update={"switched": {"postmortem": LATER}})
    assert said(comment_on_duties(switched, life.book)) == []
    assert len(said(comment_on_duties(case, life.book))) == 1
