"""What comes round: which period is due, when its duty is met, who hears of it, what an exercise is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from duty_cast import OLA, ROBOT, US
from policy_cast import DONE, TO_DO, book

from syncd.domain.base import Reference
from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change, SeverityPeriod
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.operation import SendMail
from syncd.domain.recurring import RecurringName, recurring_of, stand_in
from syncd.domain.ticket import Account, Issue, Status
from syncd.policy.case import Case, Decision, ItemState, Rulebook
from syncd.policy.decide import decide_recurring
from syncd.policy.recurring.after import Major, asks_for_review, review_after
from syncd.policy.recurring.exercise import TIMES, exercise_times, exercises_at
from syncd.policy.recurring.judge import DUE, SINCE
from syncd.policy.recurring.periods import Period, latest_period

NAME = RecurringName("QRPay", "Storm", "2027-Q1")
MADE = datetime(2027, 3, 17, tzinfo=UTC)
DEADLINE = datetime(2027, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rules(**changes: Any) -> Rulebook:
    """QRPay's rulebook with one GameDay a quarter, its owner and the process owner named."""
    storm = {"kind": "game_day", "mode": "enforce", "every": "quarter", "owner": "ola@qrpay.example"}
    people = {"process_owner": "pia@qrpay.example"}
    rulebook = book(
        recurring={"Storm": {**storm, **changes.pop("storm", {})}},
        mails={"mode": "enforce", "quiet": {"start": "22:00", "end": "06:00"}},
        people=people,
        **changes,
    )
    return rulebook.model_copy(update={"section": ServiceSection(owner="ola@qrpay.example")})


def due(day: date, **storm: Any) -> Period | None:
    mapping = rules(storm=storm, enforce_from=storm.pop("enforce_from", date(2026, 11, 1))).mapping
    return latest_period(
        mapping.recurring["Storm"], mapping, datetime(day.year, day.month, day.day, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("day", "storm", "period"),
    [
        (date(2026, 12, 16), {}, None),
        (date(2026, 12, 17), {}, ("2026-Q4", date(2026, 12, 31))),
        (date(2027, 3, 16), {}, ("2026-Q4", date(2026, 12, 31))),
        (date(2027, 3, 17), {}, ("2027-Q1", date(2027, 3, 31))),
        # after a year's downtime only the last one is made
        (date(2028, 3, 20), {}, ("2028-Q1", date(2028, 3, 31))),
        (date(2027, 6, 1), {"lead_days": 30}, ("2027-Q2", date(2027, 6, 30))),
        (date(2027, 6, 15), {"every": "half_year"}, ("2026-H2", date(2026, 12, 31))),
        (date(2027, 6, 16), {"every": "half_year"}, ("2027-H1", date(2027, 6, 30))),
        (date(2027, 12, 17), {"every": "year"}, ("2027", date(2027, 12, 31))),
        # the period of the day on which it was last done is not owed again
        (date(2026, 12, 31), {"last_done": date(2026, 10, 2)}, None),
        (date(2027, 3, 17), {"last_done": date(2026, 10, 2)}, ("2027-Q1", date(2027, 3, 31))),
        # long overdue, it is owed once from the first day on, with its whole lead time
        (date(2026, 12, 28), {"last_done": date(2025, 1, 2), "enforce_from": date(2026, 12, 28)}, "moved"),
        (date(2027, 3, 17), {"enforce_from": date(2026, 12, 28)}, ("2027-Q1", date(2027, 3, 31))),
        (date(2026, 12, 16), {"every": 60, "last_done": date(2026, 11, 1)}, None),
        (
            date(2026, 12, 17),
            {"every": 60, "last_done": date(2026, 11, 1)},
            ("2026-12-31", date(2026, 12, 31)),
        ),
        (date(2027, 2, 16), {"every": 60, "last_done": date(2026, 11, 1)}, ("2027-03-01", date(2027, 3, 1))),
    ],
)
def test_the_issue_of_a_period_is_made_its_lead_time_before_it_is_due(
    day: date, storm: dict[str, Any], period: Any
) -> None:
    expected = ("2026-Q4", date(2027, 1, 11)) if period == "moved" else period
    wanted = due(day, **storm)
    assert (wanted and (wanted.name, wanted.due)) == expected


@pytest.mark.parametrize("team", ["QRPay", "Payments/EU"])
def test_the_name_of_a_recurring_duty_is_read_back_from_its_ident(team: str) -> None:
    name = RecurringName(team, "Runbook review", "after #12")
    assert recurring_of(name.ident) == name
    assert name.number == 12
    assert recurring_of("PABC123") is None


def issue(status: Status = TO_DO, **more: Any) -> Issue:
    return Issue(
        id="900",
        key="OPS-9",
        project="OPS",
        type_id="100",
        status=status,
        assignee=more.pop("assignee", OLA.model_copy(update={"email": "ola@qrpay.example"})),
        created_at=MADE,
        **more,
    )


def case(
    now: datetime, *changes: Change, duties: tuple[Duty, ...] = (), status: Status = TO_DO, **more: Any
) -> Case:
    """The case of one GameDay's issue, whose changelog was read at `now`."""
    hidden = more.pop("hidden", None)
    state = ItemState(
        incident_id=NAME.ident,
        issue_id="900",
        key="OPS-9",
        source="syncd-recurring",
        issue=issue(status, **more.pop("fields", {})),
        changes=changes,
        changes_until=more.pop("read", now),
        out_of_sight_since=hidden,
        facts={DUE: "2027-03-31", SINCE: MADE.isoformat()},
        first_seen_at=MADE,
    )
    return Case(incident=stand_in(NAME), items=(state,), duties=duties, now=now, **more)


def closed(at: datetime, by: Account | None = OLA) -> Change:
    return Change(at=at, author=by, field="status", before=TO_DO.id, after=DONE.id)


def held(decision: Decision) -> list[tuple[int, str, datetime]]:
    return [(duty.clock, str(duty.verdict), duty.due_at) for duty in decision.duties]


def mailed(decision: Decision) -> list[tuple[str, str]]:
    return [
        (str(op.content.mail), op.to)
        for op in decision.operations
        if isinstance(op, SendMail) and op.skip is None
    ]


@pytest.mark.parametrize(
    ("at", "by", "verdict"),
    [
        (DEADLINE - DAY, OLA, DutyState.MET),
        (DEADLINE + DAY, OLA, DutyState.MET_LATE),
        (DEADLINE - DAY, ROBOT, DutyState.BREACHED),
        (DEADLINE - DAY, US.model_copy(update={"human": False}), DutyState.BREACHED),
    ],
    ids=["in time", "late", "a robot", "syncd itself"],
)
def test_a_person_who_closes_it_meets_the_duty(at: datetime, by: Account, verdict: DutyState) -> None:
    decision = decide_recurring(case(DEADLINE + 2 * DAY, closed(at, by), status=DONE), rules())
    assert held(decision) == [(1, verdict, DEADLINE)]


def test_what_will_not_be_done_does_not_count_as_held() -> None:
    labelled = Change(at=MADE, author=OLA, field="labels", before_words="", after_words="wont-do")
    given = case(
        DEADLINE + DAY, labelled, closed(DEADLINE - DAY), status=DONE, fields={"labels": ("wont-do",)}
    )
    decision = decide_recurring(given, rules())
    assert held(decision) == [(1, DutyState.BREACHED, DEADLINE)]
    assert decision.facts["900"]["violations"] == ["marked as won't do, which does not count as held"]


def test_a_missed_one_is_told_to_its_owner_and_the_process_owner_once() -> None:
    decision = decide_recurring(case(DEADLINE + timedelta(hours=1)), rules())
    assert mailed(decision) == [("breach", "ola@qrpay.example"), ("breach", "pia@qrpay.example")]


@pytest.mark.parametrize(
    ("hours_before", "told"),
    [(5, []), (4, [("reminder", "ola@qrpay.example")])],
)
def test_the_last_reminder_goes_to_the_assignee_four_hours_before(
    hours_before: int, told: list[tuple[str, str]]
) -> None:
    decision = decide_recurring(case(DEADLINE - timedelta(hours=hours_before)), rules())
    assert held(decision) == [(1, DutyState.DUE_SOON, DEADLINE)]
    assert mailed(decision) == told


@pytest.mark.parametrize(
    ("book_now", "reason"),
    [
        (book(), "the mapping does not name it any more"),
        (rules(storm={"mode": "off"}), "its mode is `off`"),
    ],
)
def test_an_entry_that_is_removed_or_off_cancels_what_is_pending(book_now: Rulebook, reason: str) -> None:
    duties = decide_recurring(case(MADE), rules()).duties
    (duty,) = decide_recurring(case(MADE + DAY, duties=duties), book_now).duties
    assert (duty.state, duty.reason) == (DutyState.CANCELLED, reason)


def test_a_waiver_moves_the_deadline() -> None:
    until = DEADLINE + 5 * DAY
    waiver = Waiver(
        duty=DutyKind.HELD, subject="900", until=until, reason="a freeze", by="Pia", at=MADE + DAY
    )
    decision = decide_recurring(case(DEADLINE + DAY, waivers=(waiver,)), rules())
    assert [(duty.state, duty.due_at) for duty in decision.duties] == [(DutyState.WAIVED, until + DAY)]


def test_an_issue_out_of_sight_at_its_deadline_is_not_met_until_it_is_seen_again() -> None:
    gone = case(DEADLINE + DAY, closed(DEADLINE - DAY), status=DONE, hidden=DEADLINE - DAY)
    (duty,) = decide_recurring(gone, rules()).duties
    assert (duty.verdict, duty.unseen) == (DutyState.BREACHED, True)
    back = case(DEADLINE + 2 * DAY, closed(DEADLINE - DAY), status=DONE, duties=(duty,))
    (again,) = decide_recurring(back, rules()).duties
    assert (again.verdict, again.unseen) == (DutyState.MET, False)


def test_nothing_is_judged_before_the_changelog_was_read_up_to_the_deadline() -> None:
    duties = decide_recurring(case(MADE), rules()).duties
    unread = case(DEADLINE + DAY, duties=duties, read=DEADLINE - DAY)
    assert decide_recurring(unread, rules()).look == {"items"}


SINCE_TEN = datetime(2026, 11, 30, 10, tzinfo=UTC)


def major(*severities: tuple[str, int]) -> Major:
    """An incident with these severities, each from so many minutes after ten."""
    periods = tuple(
        SeverityPeriod(severity=name, since=SINCE_TEN + timedelta(minutes=after))
        for name, after in severities
    )
    return Major(id="P1", number=12, resolved_at=SINCE_TEN + DAY, severity_periods=periods, ticket="10001")


@pytest.mark.parametrize(
    ("severities", "asks"),
    [
        ([("SEV1", 0)], True),
        ([("SEV2", 0)], False),
        ([("SEV1", 0), ("SEV2", 10)], True),
        ([("SEV1", 0), ("SEV2", 9)], False),
    ],
)
def test_an_incident_that_had_a_named_severity_for_ten_minutes_asks_for_a_review(
    severities: list[tuple[str, int]], asks: bool
) -> None:
    review = {"kind": "review", "every": "quarter", "owner": "ola@qrpay.example", "after": ["SEV0", "SEV1"]}
    mapping = book(recurring={"Review": review}).mapping
    assert asks_for_review(major(*severities), mapping.recurring["Review"]) is asks
    assert review_after(major(*severities), mapping.recurring["Review"], mapping) == Period(
        name="after #12", due=date(2026, 12, 15)
    )


DESCRIPTION = """h2. When
* start: 2027-02-03 14:00
|end:| 2027-02-03T16:30
end: 2027-02-04 16:30"""


@pytest.mark.parametrize(
    ("text", "at", "service", "counts"),
    [
        (DESCRIPTION, "2027-02-03T15:00", "Alipay", True),
        (DESCRIPTION, "2027-02-03T16:31", "Alipay", False),
        (DESCRIPTION, "2027-02-03T15:00", "BluBank", False),
        ("start: 2027-02-03 14:00", "2027-02-03T15:00", "Alipay", False),
        # a forgotten end
        ("start: 2027-02-03 14:00\nend: 2027-02-09 14:00", "2027-02-03T22:01", "Alipay", False),
        ("start: 2027-02-03 14:00\nend: 2027-02-09 14:00", "2027-02-03T22:00", "Alipay", True),
        ("start: 2027-13-45 25:00\nend: 2027-02-03 16:00", "2027-02-03T15:00", "Alipay", False),
    ],
)
def test_an_exercise_is_what_the_issue_says_for_eight_hours_at_most(
    text: str, at: str, service: str, counts: bool
) -> None:
    mapping = rules(storm={"services": ["Alipay"]}).mapping
    (state,) = case(MADE).items
    state = state.model_copy(update={"facts": {TIMES: exercise_times(text)}})
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    exercises = [*exercises_at([state], mapping, Reference(id="PS1", name=service), moment)]
    assert bool(exercises) is counts
