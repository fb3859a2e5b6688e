"""What the operator is told of the daemon's own troubles: each occasion once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from rig import Rig
from sqlmodel import select

from engine.mail_rig import MakeRig, letters, mailing, mails, subjects, text_of
from engine.test_brakes import standing
from engine.test_notices import sev0
from syncd.domain.mail import OPERATOR
from syncd.domain.operation import Operation
from syncd.engine.notify.alarms import Alarms
from syncd.ledger.store.tables import AuditEventRow
from syncd.policy.notify.operator_alarms import Alarm, Trouble, alarms_due
from syncd.remote.errors import RemoteError

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def keys(trouble: Trouble, *told: str, now: datetime = NOW) -> list[str]:
    return [alarm.key for alarm in alarms_due(trouble, told, now)]


def test_fifteen_minutes_without_a_good_cycle_are_told_once_an_outage() -> None:
    last = NOW - timedelta(minutes=15)
    assert keys(Trouble(last_good=last + timedelta(seconds=1))) == []
    (first,) = keys(Trouble(last_good=last))
    assert keys(Trouble(last_good=last), first, now=NOW + timedelta(hours=5)) == []
    later = Trouble(last_good=NOW + timedelta(hours=6))
    assert keys(later, first, now=NOW + timedelta(hours=7)) == [f"no_cycle/{later.last_good.isoformat()}"]


def test_a_refused_credential_is_told_at_once_and_names_the_service() -> None:
    (alarm,) = alarms_due(Trouble(last_good=NOW, refused={"jira": NOW}), (), NOW)
    assert alarm.kind == "refused"
    assert alarm.text.startswith("Jira refuses our credentials since 2026-11-22 08:00 UTC.")


def test_an_expiry_is_told_30_7_and_1_days_before_and_only_the_latest_step() -> None:
    told: list[str] = []
    days = []
    for number in range(60):
        now = NOW + timedelta(days=number)
        due = alarms_due(Trouble(last_good=now, expires={"jira": date(2027, 1, 1)}), told, now)
        told += [key for alarm in due for key in (alarm.key, *alarm.instead)]
        days += [(date(2027, 1, 1) - now.date()).days for _ in due]
    assert days == [30, 7, 1]
    late = Trouble(last_good=NOW, expires={"jira": date(2026, 11, 25)})
    (alarm,) = alarms_due(late, (), NOW)
    assert "expires in 3 days" in alarm.text
    assert alarm.instead == ("expires/jira/2026-11-25/30",)


def test_alarms_are_on_record_and_survive_a_restart(house: Rig) -> None:
    said: list[str] = []

    def note(alarm: Alarm) -> tuple[Operation, ...]:
        said.append(alarm.kind)
        return ()

    def alarms() -> Alarms:
        return Alarms(house.context, house.loop.good_sides, {"jira": house.clock.now().date()}, note)

    made = alarms()
    made.run()
    assert said == ["expires"]
    house.server.close_door("jira")
    for _ in range(31):
        house.cycle()
        made.run()
    assert said == ["expires", "no_cycle"]
    house.restart()
    assert alarms().run() == []
    with house.ledger.read() as session:
        rows = session.exec(select(AuditEventRow).where(AuditEventRow.kind == "alarm")).all()
        assert [json.loads(row.text)["kind"] for row in rows] == said


def test_a_token_that_is_refused_while_it_runs_is_an_alarm_at_once(house: Rig) -> None:
    house.world.jira.site.tokens = {}
    house.cycle()
    (alarm,) = Alarms(house.context, house.loop.good_sides, {}).run()
    assert (alarm.kind, "Jira refuses" in alarm.text) == ("refused", True)


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mail=True, mappings=(mailing(),))
    made.settle(2)
    return made


def test_the_operator_is_mailed_that_a_credential_expires_once_a_step(post: Rig) -> None:
    for _ in range(2):
        post.restart(expires={"jira": post.clock.now().date() + timedelta(days=7)})
        mails_of = post.loop.mail_schedule.mails_of
        alarms = Alarms(post.context, post.loop.good_sides, post.context.expires, mails_of)
        alarms.run()
        post.loop.work_queue.submit([OPERATOR])
        post.loop.work_queue.drain()
    assert subjects(post) == ["syncd: The credential for Jira expires in 7 days"]
    assert "SYNCD_JIRA_TOKEN_EXPIRES" in text_of(letters(post)[0])


def test_a_token_refused_at_the_start_is_mailed_once_a_day_however_often_it_is_started(post: Rig) -> None:
    post.world.jira.site.tokens = {}
    for _ in range(3):
        post.restart()
        with pytest.raises(RemoteError):
            post.loop.make_first_contact()
    assert subjects(post) == ["syncd: Jira refuses our credentials, and syncd does not start"]
    post.world.advance(86_400)
    post.restart()
    with pytest.raises(RemoteError):
        post.loop.make_first_contact()
    assert len(subjects(post)) == 2


def test_a_mail_server_that_refuses_us_is_named_by_status_and_told_to_nobody_by_mail(post: Rig) -> None:
    assert post.mail is not None
    post.mail.refuse_permanently(stage="mail", times=None, code=530)
    alarms = Alarms(post.context, post.loop.good_sides, {}, post.loop.mail_schedule.mails_of)
    sev0(post)
    said = []
    for _ in range(20):
        post.cycle()
        said += alarms.run()
    assert ["The mail server refuses our credentials" in one.text for one in said] == [True]
    assert any("mail since" in line for line in standing(post)["services"])
    assert {row.meaning["mail"] for row in mails(post)} == {"notice"}
    assert {row.state for row in mails(post)} == {"pending"}
