"""When nobody acknowledged, and when a role that must be filled is empty: who hears of it, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from policy.policy_cast import ANA, NOW, QRPAY, SOMEBODY, book, case, incident, issue, note, ticket

from syncd.domain.history import Change
from syncd.domain.mail import MailKind, mail_key
from syncd.domain.operation import SendMail
from syncd.domain.role import RoleFacts
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.notify.unanswered import decide_missing_roles, decide_unacknowledged

LEAD = "lead@qrpay.example"
EXERCISE = Change(at=NOW, author=SOMEBODY, field="labels", before_words="", after_words="game-day")
MINUTE = timedelta(minutes=1)


def rules(mode: str = "enforce", **more: Any) -> Rulebook:
    alarm = {
        "alarm": True,
        "acknowledge_minutes": 5,
        "notify": LEAD,
        "roles_required": ["communications_lead"],
    }
    severities = {**QRPAY["severities"], "SEV2": {**QRPAY["severities"]["SEV2"], **alarm}}
    roles = {"commander": {}, "communications_lead": {}}
    return book(severities=severities, roles=roles, mails={"mode": mode}, **more)


def at(minutes: float, happened: Any = None, **more: Any) -> Case:
    """The incident so many minutes after its trigger."""
    return case(happened, now=NOW + minutes * MINUTE, **more)


def acknowledged(minutes: float, **more: Any) -> Case:
    facts = RoleFacts(acknowledged=ANA, acknowledged_at=NOW)
    return at(minutes, incident(status="acknowledged"), **{"roles": facts, **more})


def mailed(decision: Decision) -> list[tuple[str, str]]:
    return [
        (op.content.mail, op.to) for op in decision.operations if isinstance(op, SendMail) and not op.skip
    ]


def test_the_contacts_hear_once_when_the_time_is_over() -> None:
    early = decide_unacknowledged(at(4), rules())
    assert (mailed(early), early.again) == ([], 60.0)
    (op,) = decide_unacknowledged(at(5), rules()).operations
    assert isinstance(op, SendMail)
    assert (op.to, op.moment, op.skip) == (LEAD, NOW + 5 * MINUTE, None)
    assert op.key == mail_key(MailKind.UNACKNOWLEDGED, "P1", "once", LEAD)
    assert decide_unacknowledged(at(600, once={op.key}), rules()).operations == ()
    # after downtime it can still help
    assert mailed(decide_unacknowledged(at(600), rules())) == [("unacknowledged", LEAD)]


@pytest.mark.parametrize(
    "of",
    [
        acknowledged(9),
        at(9, incident(status="resolved")),
        at(9, incident(status="resolved", merged_into="P2")),
        at(9, roles=RoleFacts(acknowledged=ANA)),
        at(9, ticket=ticket(issue(labels=("game-day",)), changes=(EXERCISE,), labels_read=("game-day",))),
        at(9, before_enforcement=True),
        at(9, incident(priority=None, urgency="low")),
    ],
    ids=["acknowledged", "resolved", "merged", "timed out since", "exercise", "from before", "no alarm"],
)
def test_nobody_hears_of_what_somebody_acknowledged_or_is_over(of: Case) -> None:
    assert decide_unacknowledged(of, rules()).operations == ()


def test_the_time_of_a_reopened_incident_begins_at_its_reopening() -> None:
    reopened = incident(status_changed_at=NOW + 60 * MINUTE)
    assert decide_unacknowledged(at(62, reopened), rules()).again == 180.0


def test_what_was_due_before_enforce_from_is_listed_and_report_mails_nobody() -> None:
    old = incident(created_at=NOW - timedelta(days=40))
    (op,) = decide_unacknowledged(at(0, old), rules()).operations
    assert isinstance(op, SendMail)
    assert op.skip
    report = decide_unacknowledged(at(5), rules("report"))
    assert report.operations == ()
    assert report.dry_run_notes == (f"mail {LEAD}: nobody acknowledged the incident within 5 minutes",)


def test_an_empty_role_is_told_to_the_commander_five_minutes_after_the_acknowledge() -> None:
    early = decide_missing_roles(acknowledged(4), rules())
    assert (mailed(early), early.again) == ([], 60.0)
    (op,) = decide_missing_roles(acknowledged(5), rules()).operations
    assert isinstance(op, SendMail)
    assert (op.to, op.reason) == (ANA.email, "nobody is communications lead")
    # once, also when another person has become the commander since
    lead = RoleFacts(acknowledged=ANA.model_copy(update={"id": "U9"}), acknowledged_at=NOW)
    assert decide_missing_roles(acknowledged(9, roles=lead, once={op.key}), rules()).operations == ()


def test_without_a_commander_whom_a_mail_reaches_the_contacts_hear_of_it() -> None:
    stranger = RoleFacts(acknowledged=ANA.model_copy(update={"id": "U9", "email": None}), acknowledged_at=NOW)
    assert mailed(decide_missing_roles(acknowledged(9, roles=stranger), rules())) == [("missing_roles", LEAD)]


@pytest.mark.parametrize(
    "of",
    [
        at(60),
        acknowledged(9, notes=(note("communications lead: somebody"),)),
        acknowledged(9, before_enforcement=True),
        acknowledged(9, restricted=True),
    ],
    ids=["nobody acknowledged", "somebody named", "from before", "restricted"],
)
def test_no_role_is_missed(of: Case) -> None:
    assert decide_missing_roles(of, rules()).operations == ()
