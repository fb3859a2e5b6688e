"""Exercises: only a person says that an incident was one, and no exercise hides a grave incident."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from duty_cast import RESOLVED, ROBOT, Life, rules
from policy_cast import NOW, SOMEBODY, book, incident, issue, ticket

from syncd.domain.base import Reference
from syncd.domain.duty import DutyKind, DutyState
from syncd.domain.history import Change
from syncd.domain.operation import SendMail
from syncd.domain.recurring import RecurringName
from syncd.domain.ticket import Account
from syncd.policy.case import Case, Decision, ItemState, TicketState
from syncd.policy.decide import decide, with_duties
from syncd.policy.exercises import exercise_of, look_at_labels, mark_of
from syncd.policy.notify.notices import decide_notices
from syncd.policy.postmortem.duties import decide_duties, why_no_postmortem
from syncd.policy.recurring.exercise import game_day_of

HOUR = timedelta(hours=1)
GAME_DAY = {
    "Storm": {
        "kind": "game_day",
        "every": "quarter",
        "owner": "amara@qrpay.example",
        "services": ["Alipay"],
        "marker": "[GAME DAY]",
    }
}


def labelled(*acts: tuple[str, Account | None], read: bool = True) -> TicketState:
    """A ticket with these labels set or removed one after the other: `+game-day`, `-game-day`."""
    labels: set[str] = set()
    changes = []
    for number, (act, by) in enumerate(acts):
        before = " ".join(sorted(labels))
        (labels.add if act[0] == "+" else labels.discard)(act[1:])
        after, at = " ".join(sorted(labels)), NOW + number * HOUR
        changes.append(Change(at=at, author=by, field="labels", before_words=before, after_words=after))
    shown = issue(labels=tuple(labels))
    return ticket(shown, changes=changes, labels_read=tuple(labels) if read else None)


def mails(seen: Case, severity: str = "P3") -> list[tuple[str, str]]:
    """Recipient and mark of each notice."""
    the_rules = book(
        mails={"mode": "enforce"},
        severities={
            "SEV0": {"pagerduty": "P1", "urgency": "high", "notify": "cto@qrpay.example"},
            "SEV2": {"pagerduty": "P3", "urgency": "low", "notify": "amara@qrpay.example"},
        },
    )
    happened = seen.incident.model_copy(update={"priority": Reference(id="P", name=severity)})
    seen = seen.model_copy(update={"incident": happened, "now": NOW})
    operations = decide_notices(seen, the_rules).operations
    return [(op.to, op.content.exercise) for op in operations if isinstance(op, SendMail)]


def seen(had: TicketState, **more: Any) -> Case:
    return Case(incident=incident(), ticket=had, now=NOW, **more)


@pytest.mark.parametrize(
    ("acts", "by"),
    [
        ([("+game-day", SOMEBODY)], "Somebody else"),
        ([("+game-day", ROBOT)], None),
        ([("+game-day", None)], None),
        ([("+other", SOMEBODY)], None),
        ([("+game-day", SOMEBODY), ("-game-day", ROBOT)], None),
        ([("+game-day", SOMEBODY), ("-game-day", SOMEBODY)], None),
        ([("+game-day", SOMEBODY), ("-game-day", ROBOT), ("+game-day", ROBOT)], None),
    ],
    ids=["a person", "a robot", "nobody", "another label", "removed by a robot", "removed", "set again"],
)
def test_only_a_label_that_a_person_set_makes_an_exercise(
    acts: list[tuple[str, Account | None]], by: str | None
) -> None:
    exercise = exercise_of(seen(labelled(*acts)))
    assert (exercise.by if exercise else None) == by


def test_the_changelog_is_read_before_a_label_counts() -> None:
    unread = seen(labelled(("+game-day", SOMEBODY), read=False))
    assert look_at_labels(unread, book()).look == {"ticket"}
    assert not look_at_labels(seen(labelled(("+game-day", SOMEBODY))), book()).look


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "OPS-9 (Storm)"),
        ({"title": "Payments are late"}, None),
        ({"service": Reference(id="S2", name="BluBank")}, None),
        ({"created_at": NOW + 3 * HOUR}, None),
        ({"created_at": NOW - HOUR}, None),
    ],
    ids=["all hold", "no marker", "another service", "after it", "before it"],
)
def test_a_title_makes_an_exercise_only_on_a_game_days_service_in_its_time(
    more: dict[str, Any], expected: str | None
) -> None:
    held = ItemState(
        incident_id=RecurringName("QRPay", "Storm", "2026-Q4").ident,
        issue_id="99",
        key="OPS-9",
        source="recurring",
        first_seen_at=NOW,
        facts={"exercise": {"start": f"{NOW:%Y-%m-%d %H:%M}", "end": f"{NOW + 2 * HOUR:%Y-%m-%d %H:%M}"}},
    )
    happened = incident(**{"title": "[Game Day] Payments are late", **more})
    assert game_day_of((held,), book(recurring=GAME_DAY).mapping, happened) == expected


def test_of_two_game_days_at_the_same_time_the_one_counts_whose_marker_the_title_carries() -> None:
    times = {"start": f"{NOW:%Y-%m-%d %H:%M}", "end": f"{NOW + HOUR:%Y-%m-%d %H:%M}"}
    held = [
        ItemState(
            incident_id=RecurringName("QRPay", name, "2026-Q4").ident,
            issue_id=name,
            key=key,
            source="recurring",
            first_seen_at=NOW,
            facts={"exercise": times},
        )
        for name, key in (("Other", "OPS-8"), ("Storm", "OPS-9"))
    ]
    both = {**GAME_DAY, "Other": {**GAME_DAY["Storm"], "marker": "[CHAOS]"}}
    happened = incident(title="[GAME DAY] Payments are late")
    assert game_day_of(held, book(recurring=both).mapping, happened) == "OPS-9 (Storm)"


def test_notices_go_out_with_a_mark_until_a_person_has_said_so_and_the_gravest_always_do() -> None:
    by_title = {"game_day": "OPS-9 (Storm)"}
    amara, cto = "amara@qrpay.example", "cto@qrpay.example"
    assert mails(seen(ticket())) == [(amara, "")]
    assert mails(seen(ticket(), **by_title)) == [(amara, "[EXERCISE?]")]
    assert mails(seen(labelled(("+game-day", ROBOT)))) == [(amara, "[EXERCISE?]")]
    assert mails(seen(labelled(("+game-day", SOMEBODY)))) == []
    assert mails(seen(labelled(("+game-day", SOMEBODY))), "P1") == [(cto, "[EXERCISE]")]


def test_while_jira_refuses_the_changelog_nothing_waits_and_no_duty_is_judged() -> None:
    unread = labelled(("+game-day", SOMEBODY), read=False)
    unread = unread.model_copy(update={"changes": ()})
    refused = Life().resolve().case(RESOLVED + 50 * HOUR)
    refused = refused.model_copy(update={"ticket": unread, "refused_looks": frozenset({"ticket"})})
    assert look_at_labels(refused, rules()) == Decision(again=60.0)
    assert mark_of(refused) == "[EXERCISE?]"
    decision = decide(refused, rules())
    assert (decision.look, decision.duties, decision.again) == (frozenset(), (), 60.0)
    assert decide(refused.model_copy(update={"refused_looks": frozenset()}), rules()).look == {"ticket"}


def test_a_person_who_removes_the_label_makes_a_game_days_incident_real() -> None:
    had = labelled(("+game-day", SOMEBODY), ("-game-day", SOMEBODY))
    real = seen(had, game_day="OPS-9 (Storm)")
    assert exercise_of(real) is None
    assert mark_of(real) == ""


def test_an_exercise_owes_no_postmortem_and_owes_it_from_the_resolve_once_it_is_real() -> None:
    life, now = Life().resolve(), RESOLVED + HOUR
    exercise = labelled(("+game-day", SOMEBODY))
    real = labelled(("+game-day", SOMEBODY), ("-game-day", SOMEBODY))
    plain = life.case(now)
    began = with_duties(plain, decide_duties(plain, rules()).duties)
    off = began.model_copy(update={"ticket": exercise})
    cancelled = with_duties(off, decide_duties(off, rules()).duties)
    assert {duty.state for duty in cancelled.duties} == {DutyState.CANCELLED}
    never = plain.model_copy(update={"ticket": exercise})
    assert why_no_postmortem(never, rules()) == "it is an exercise: a person set the label game-day"
    again = cancelled.model_copy(update={"ticket": real, "now": RESOLVED + 2 * HOUR})
    owed = with_duties(again, decide_duties(again, rules()).duties).duty(DutyKind.SCHEDULED)
    assert owed is not None
    assert (owed.state, owed.started_at, owed.due_at) == (
        DutyState.PENDING,
        RESOLVED,
        RESOLVED + 48 * HOUR,
    )


def test_a_label_takes_no_breach_away() -> None:
    life = Life().resolve()
    late = life.case(RESOLVED + 50 * HOUR)
    missed = with_duties(late, decide_duties(late, rules()).duties)
    off = missed.model_copy(update={"ticket": labelled(("+game-day", SOMEBODY))})
    duty = with_duties(off, decide_duties(off, rules()).duties).duty(DutyKind.SCHEDULED)
    assert duty is not None
    assert duty.state is DutyState.BREACHED
