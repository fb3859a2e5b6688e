"""Owed updates and customer impact: who is reminded when, and what the record says of the gaps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from policy_cast import NOW, SOMEBODY, book, case, comment, incident, issue, note, ticket

from syncd.domain.history import Change, SeverityPeriod, StateChange
from syncd.domain.incident import Incident, Note
from syncd.domain.operation import Operation, PostChat, SendMail
from syncd.domain.operation.chat import OwedUpdatePost
from syncd.domain.operation.mail import ImpactMail
from syncd.domain.role import Role
from syncd.domain.ticket import Comment
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.communications.cadence import UNHEARD, Cadence, cadence_of, decide_owed_updates
from syncd.policy.communications.impact import decide_impact

LEAD = {Role.COMMUNICATIONS_LEAD: {"address": "comms@qrpay.example"}}


def rules(**more: Any) -> Rulebook:
    """QRPay's rulebook: SEV2 owes its first update after 15 minutes, then one an hour."""
    changes: dict[str, Any] = {
        "chat": {"mode": "enforce", "channel": "qrpay"},
        "mails": {"mode": "enforce"},
        "roles": LEAD,
        "status_page": {"after_minutes": 15},
    }
    made = book(**(changes | more))
    owed = {"communications": {"first_minutes": 15, "every_minutes": 60}}
    severities = dict(made.mapping.severities)
    sev2 = severities["SEV2"]
    severities["SEV2"] = type(sev2).model_validate(sev2.model_dump() | owed)
    return made.model_copy(update={"mapping": made.mapping.model_copy(update={"severities": severities})})


def at(minutes: float) -> datetime:
    """So many minutes after the trigger."""
    return NOW + timedelta(minutes=minutes)


def noted(minutes: float, text: str = "looking") -> Note:
    """A person's note at a minute."""
    return note(text, int(minutes)).model_copy(update={"created_at": at(minutes)})


def now(minutes: float, *texts: Note | Comment, happened: Incident | None = None, **more: Any) -> Case:
    """The case at a minute, with these texts; its log is read and tells of no change."""
    notes = tuple(text for text in texts if isinstance(text, Note))
    comments = tuple(text for text in texts if isinstance(text, Comment))
    facts: dict[str, Any] = {
        "now": at(minutes),
        "channels": frozenset({"qrpay"}),
        "hears_status_updates": True,
        "state_changes": (StateChange(kind="triggered", at=NOW),),
    }
    return case(happened, ticket(issue(comments=comments)), notes=notes, **(facts | more))


def resolved(minutes: float) -> dict[str, Any]:
    """The facts of an incident that was resolved at a minute."""
    end = at(minutes)
    changes = (StateChange(kind="triggered", at=NOW), StateChange(kind="resolved", at=end))
    return {"happened": incident(status="resolved", resolved_at=end), "state_changes": changes}


def reminders(of: Case, by: Rulebook | None = None) -> list[tuple[int, str, bool]]:
    """The minute of each reminder, whom it names, and True where it leaves."""
    return [
        (int((op.moment - NOW).total_seconds() / 60), op.content.who, op.skip is None)
        for op in decide_owed_updates(of, by or rules()).operations
        if isinstance(op, PostChat) and isinstance(op.content, OwedUpdatePost)
    ]


def test_the_first_update_is_owed_after_the_first_minutes_and_later_ones_after_every() -> None:
    assert decide_owed_updates(now(14), rules()).again == 60
    assert reminders(now(15)) == [(15, "comms@qrpay.example", True)]
    assert reminders(now(70, noted(10))) == [(70, "comms@qrpay.example", True)]
    assert reminders(now(69, noted(10))) == []


@pytest.mark.parametrize(
    "update",
    [
        {"texts": (noted(10),)},
        {"texts": (comment("x").model_copy(update={"created_at": at(10)}),)},
        {"status_updates": (at(10),)},
    ],
    ids=["note", "comment", "status update"],
)
def test_any_word_of_a_person_counts_as_an_update(update: dict[str, Any]) -> None:
    texts = update.pop("texts", ())
    assert reminders(now(20, *texts, **update)) == []


def test_the_words_of_bots_are_no_updates() -> None:
    bot = noted(10).model_copy(update={"by_person": False})
    app = comment("x").model_copy(
        update={"created_at": at(10), "author": SOMEBODY.model_copy(update={"human": False})}
    )
    assert reminders(now(15, bot, app)) == [(15, "comms@qrpay.example", True)]


def test_there_are_two_reminders_in_a_row_and_after_downtime_only_the_latest_leaves() -> None:
    assert reminders(now(76)) == [(15, "comms@qrpay.example", False), (75, "comms@qrpay.example", True)]
    sent = {"chat/P1/owed:20261122T091500": at(15)}
    assert [leaves for *_, leaves in reminders(now(76, sent=sent))] == [True, True]
    assert decide_owed_updates(now(76, sent=sent), rules()).again is not None
    assert decide_owed_updates(now(600), rules()).again is None


def test_without_a_communications_lead_the_commander_is_named() -> None:
    commander = rules(roles={Role.COMMANDER: {"address": "ic@qrpay.example"}})
    assert reminders(now(15), commander) == [(15, "ic@qrpay.example", True)]


@pytest.mark.parametrize(
    ("of", "by"),
    [
        (now(15), rules(chat={"mode": "enforce"})),
        (now(15), rules(chat={"mode": "off", "channel": "qrpay"})),
        (now(15, hears_status_updates=False), rules()),
        (now(15, restricted=True), rules()),
        (now(15, before_enforcement=True), rules()),
        (now(15, happened=incident(priority={"id": "PRIO4", "name": "P4"})), rules()),
        (now(60, **resolved(20)), rules()),
    ],
    ids=["no channel", "off", "no webhook", "restricted", "old", "severity", "resolved"],
)
def test_nobody_is_reminded_where_it_is_not_asked_for(of: Case, by: Rulebook) -> None:
    assert reminders(of, by) == []


def test_the_missing_webhook_is_said() -> None:
    assert decide_owed_updates(now(15, hears_status_updates=False), rules()).dry_run_notes == (UNHEARD,)


def test_the_log_is_read_before_a_reminder_because_it_tells_of_a_snooze() -> None:
    assert decide_owed_updates(now(15, state_changes=None), rules()).look == {"log"}
    blind = decide_owed_updates(now(15, state_changes=None, refused_looks={"log"}), rules())
    assert (blind.look, blind.operations, blind.again) == (set(), (), 60)
    asleep = (StateChange(kind="acknowledged", at=at(1)), StateChange(kind="snoozed", at=at(5)))
    assert reminders(now(300, state_changes=asleep)) == []
    awake = (*asleep, StateChange(kind="unacknowledged", at=at(125)))
    assert reminders(now(140, state_changes=awake)) == [(140, "comms@qrpay.example", True)]
    assert cadence_of(now(141, state_changes=awake), rules()) == Cadence(next_at=at(140), longest=300)


def test_the_record_tells_gaps_and_what_came_in_time() -> None:
    texts = (noted(10), noted(80), noted(100))
    judged = cadence_of(now(500, *texts, **resolved(200)), rules())
    # 10 in 15 minutes, 70 over 60, 20 within, and the last hundred minutes without one
    assert judged == Cadence(last_at=at(100), longest=6000, on_time=2, of=4)
    assert cadence_of(now(9000, *texts, **resolved(200)), rules()) == judged
    quick = cadence_of(now(20, **resolved(10)), rules())
    assert quick == Cadence(longest=600)


def test_the_log_is_read_once_to_measure_a_resolved_incident() -> None:
    over = now(60, **resolved(20)).model_copy(update={"state_changes": None})
    assert decide_owed_updates(over, rules()).look == {"log"}
    assert decide_owed_updates(over.model_copy(update={"before_enforcement": True}), rules()).look == set()


def impact(of: Case, by: Rulebook | None = None) -> list[Operation]:
    """The mails about the impact."""
    return list(decide_impact(of, by or rules()).operations)


def test_a_long_impact_is_told_once_to_the_communications_lead() -> None:
    began = noted(5, "impact: customers")
    assert decide_impact(now(19, began), rules()).again == 60
    (mail,) = impact(now(20, began))
    assert isinstance(mail, SendMail) and mail.to == "comms@qrpay.example"
    assert mail.content == ImpactMail(since=at(5), page="the status page")
    again = noted(8, "impact: customers")
    assert [other.key for other in impact(now(60, began, again))] == [mail.key]
    other_lead = rules(roles={Role.COMMUNICATIONS_LEAD: {"address": "next@qrpay.example"}})
    assert impact(now(60, began, again, once={mail.key}), other_lead) == []


@pytest.mark.parametrize("end", ["impact: none any more", "Status page: Posted at 9:10"])
def test_an_impact_that_ended_or_was_posted_is_not_told(end: str) -> None:
    assert impact(now(30, noted(5, "impact: customers"), noted(6, end))) == []


def test_a_page_that_was_posted_before_the_impact_counts_until_the_impact_ends() -> None:
    posted, began = noted(4, "status page: posted"), noted(5, "impact: customers cannot pay with Alipay")
    assert impact(now(30, posted, began)) == []
    (mail,) = impact(now(60, posted, began, noted(10, "impact: none"), noted(20, "impact: customers")))
    assert isinstance(mail, SendMail) and mail.content == ImpactMail(since=at(20), page="the status page")


def test_an_exercise_marks_the_mail_and_silences_it_once_a_person_has_said_so() -> None:
    began = noted(5, "impact: customers")
    (mail,) = impact(now(30, began, game_day="OPS-9 (Storm)"))
    assert isinstance(mail, SendMail) and mail.content.exercise == "[EXERCISE?]"  # type: ignore[union-attr]  # ours
    label = Change(at=at(1), author=SOMEBODY, field="labels", after_words="game-day")
    certain = ticket(issue(labels=("game-day",)), changes=[label], labels_read=("game-day",))
    assert impact(now(30, began).model_copy(update={"ticket": certain})) == []


def test_the_mail_about_an_open_incident_leaves_after_mails_are_switched_on() -> None:
    (mail,) = impact(now(60, noted(5, "impact: customers"), switched={"mails": at(40)}))
    assert isinstance(mail, SendMail) and mail.skip is None


def test_a_resolve_ends_the_impact_also_where_the_incident_is_opened_again() -> None:
    began = noted(5, "impact: customers")
    assert impact(now(60, began, **resolved(10))) == []
    opened = (
        StateChange(kind="resolved", at=at(10)),
        StateChange(kind="reopened", at=at(20)),
    )
    assert impact(now(60, began, state_changes=opened)) == []


def test_the_commander_then_the_contacts_hear_where_nobody_leads_communications() -> None:
    began = noted(5, "impact: customers")
    (mail,) = impact(now(20, began), rules(roles={Role.COMMANDER: {"address": "ic@qrpay.example"}}))
    assert isinstance(mail, SendMail) and mail.to == "ic@qrpay.example"
    assert impact(now(20, began), rules(roles={})) == []
    report = decide_impact(now(20, began), rules(mails={"mode": "report"}))
    assert report.operations == () and report.dry_run_notes != ()


def test_a_raise_that_is_not_on_record_yet_owes_its_first_update_from_then_on() -> None:
    mild = (SeverityPeriod(severity="SEV3", since=NOW),)
    raised = incident(updated_at=at(16))
    assert reminders(now(16, happened=raised, severity_periods=mild)) == []
    assert reminders(now(31, happened=raised, severity_periods=mild)) == [(31, "comms@qrpay.example", True)]


def test_the_log_is_read_before_anybody_hears_of_an_impact_that_a_resolve_may_have_ended() -> None:
    unread = now(16, noted(0.5, "impact: customers"), state_changes=None)
    assert decide_impact(unread, rules()) == Decision(look=frozenset({"log"}))
    refused = unread.model_copy(update={"refused_looks": frozenset({"log"})})
    assert decide_impact(refused, rules()) == Decision(again=60.0)
