"""What the operator is told of the daemon's own troubles: each occasion once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from rig import Rig
from sqlmodel import select

from engine.cast import logged, pause, resume, standing
from engine.mail_rig import MakeRig, letters, mailing, mails, sev0, subjects, text_of
from syncd.ledger.store.tables import AuditEventRow
from syncd.policy.notify.operator_alarms import Alarm, Trouble, alarms_due, alarms_of
from syncd.remote.errors import RemoteError
from syncd.sandbox import faults

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def told_of(trouble: Trouble, *told: str, now: datetime = NOW) -> list[Alarm]:
    return alarms_due(alarms_of(trouble, now), told, now)


def test_fifteen_minutes_without_a_read_of_a_side_are_told_once_an_outage_and_once_a_day() -> None:
    last = NOW - timedelta(minutes=15)
    assert told_of(Trouble(last_good={"jira": last + timedelta(seconds=1)})) == []
    (first,) = told_of(Trouble(last_good={"jira": last}))
    assert "syncd could not read Jira for 15 minutes" in first.text
    told = first.names(NOW)
    assert told_of(Trouble(last_good={"jira": last}), *told, now=NOW + timedelta(days=2)) == []
    second = Trouble(last_good={"jira": NOW + timedelta(hours=6)})
    assert told_of(second, *told, now=NOW + timedelta(hours=7)) == []
    (next_day,) = told_of(second, *told, now=NOW + timedelta(hours=24))
    assert next_day.key != first.key
    other = Trouble(last_good={"pagerduty": last})
    assert [alarm.service for alarm in told_of(other, *told)] == ["pagerduty"]


def test_a_refused_credential_is_told_at_once_and_names_the_service() -> None:
    (alarm,) = told_of(Trouble(last_good={"jira": NOW}, refused={"jira": NOW}))
    assert alarm.kind == "credentials"
    assert alarm.text.startswith("Jira has refused syncd's credentials since 2026-11-22 08:00 UTC.")


def test_each_mass_of_writes_that_is_held_is_told_by_itself() -> None:
    (first,) = told_of(Trouble(held=(NOW, 40)))
    (second,) = told_of(Trouble(held=(NOW + timedelta(hours=1), 30)), *first.names(NOW))
    assert second.mail.tickets == 30


def test_a_side_whose_credentials_are_refused_is_not_told_of_a_second_time_as_not_read() -> None:
    refused = Trouble(last_good={"jira": NOW - timedelta(hours=1)}, refused={"jira": NOW})
    assert [alarm.kind for alarm in told_of(refused)] == ["credentials"]


def test_an_expiry_is_told_30_7_and_1_days_before_and_only_the_latest_step() -> None:
    told: list[str] = []
    days = []
    for number in range(60):
        now = NOW + timedelta(days=number)
        due = told_of(Trouble(expires={"jira": date(2027, 1, 1)}), *told, now=now)
        told += [name for alarm in due for name in alarm.names(now)]
        days += [(date(2027, 1, 1) - now.date()).days for _ in due]
    assert days == [30, 7, 1]
    (alarm,) = told_of(Trouble(expires={"jira": date(2026, 11, 25)}))
    assert "expires in 3 days" in alarm.text
    assert alarm.instead == ("expires/jira/2026-11-25/30",)


def alarms_on_record(house: Rig) -> list[str]:
    with house.ledger.read() as session:
        rows = session.exec(select(AuditEventRow).where(AuditEventRow.kind == "alarm")).all()
        return [json.loads(row.text)["kind"] for row in rows]


def test_alarms_are_on_record_in_the_log_and_survive_a_restart(house: Rig) -> None:
    expires = {"jira": house.clock.now().date()}
    with logged() as lines:
        house.restart(expires=expires)
        house.cycle()
        assert alarms_on_record(house) == ["expires"]
        house.server.close_door("jira")
        for _ in range(31):
            house.cycle()
        assert alarms_on_record(house) == ["expires", "stalled"]
        house.restart(expires=expires)
        for _ in range(40):
            house.cycle()
    assert alarms_on_record(house) == ["expires", "stalled"]
    assert sum("syncd could not read Jira for 15 minutes" in line for line in lines) == 1


def test_a_token_that_is_refused_while_it_runs_is_an_alarm_at_once(house: Rig) -> None:
    house.world.jira.site.tokens = {}
    house.cycle()
    assert alarms_on_record(house) == ["credentials"]


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mail=True, mappings=(mailing(),))
    made.settle(2)
    return made


def test_the_operator_is_mailed_that_a_credential_expires_once_a_step(post: Rig) -> None:
    for _ in range(2):
        post.restart(expires={"jira": post.clock.now().date() + timedelta(days=7)})
        post.cycle()
    assert subjects(post) == ["syncd: The credential for Jira expires in 7 days"]
    assert "SYNCD_JIRA_TOKEN_EXPIRES" in text_of(letters(post)[0])


def test_a_token_refused_at_the_start_is_mailed_once_a_day_however_often_it_is_started(post: Rig) -> None:
    post.world.jira.site.tokens = {}
    for _ in range(3):
        post.restart()
        with pytest.raises(RemoteError):
            post.loop.make_first_contact()
    assert subjects(post) == ["syncd: Jira refuses syncd's credentials, so syncd does not start"]
    post.world.advance(86_400)
    post.restart()
    with pytest.raises(RemoteError):
        post.loop.make_first_contact()
    assert len(subjects(post)) == 2


def test_a_mail_server_that_refuses_us_is_named_by_status_and_told_to_nobody_by_mail(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_permanently(stage="mail", times=None, code=530)
    sev0(post)
    post.settle(20)
    assert alarms_on_record(post) == ["credentials"]
    assert any("mail since" in line for line in standing(post)["services"])
    assert {row.meaning["mail"] for row in mails(post)} == {"notice"}
    assert {row.state for row in mails(post)} == {"pending"}


def test_an_outage_whose_mail_never_left_is_told_when_it_comes_back(post: Rig) -> None:
    pause(post, "mail")
    outage = post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(33)
    post.world.faults.remove(outage.id)
    post.settle(12)
    post.world.faults.add(faults.error(503), service="jira", times=None)
    post.settle(33)
    resume(post, "mail")
    post.settle(3)
    assert [row.state for row in mails(post)] == ["dropped", "done"]
    assert subjects(post) == ["syncd: Jira could not be read for 15 minutes"]
