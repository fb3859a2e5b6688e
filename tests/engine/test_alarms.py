"""What the operator is told of the daemon's own troubles: each occasion once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

from rig import Rig
from sqlmodel import select

from syncd.engine.alarms import Alarms
from syncd.ledger.tables import AuditEventRow
from syncd.policy.alarms import Trouble, alarms_due

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
    def alarms() -> Alarms:
        return Alarms(house.desk, house.engine.good_sides, {"jira": house.clock.now().date()})

    said: list[str] = []
    made = alarms()
    made.tell = lambda _session, alarm: said.append(alarm.kind)
    made.run()
    assert said == ["expires"]
    house.server.close_door("jira")
    for _ in range(31):
        house.cycle()
        made.run()
    assert said == ["expires", "no_cycle"]
    house.restart()
    assert alarms().run() == []
    with house.ledger.db.read() as session:
        rows = session.exec(select(AuditEventRow).where(AuditEventRow.kind == "alarm")).all()
        assert [json.loads(row.text)["kind"] for row in rows] == said


def test_a_token_that_is_refused_while_it_runs_is_an_alarm_at_once(house: Rig) -> None:
    house.world.jira.site.tokens = {}
    house.cycle()
    (alarm,) = Alarms(house.desk, house.engine.good_sides, {}).run()
    assert (alarm.kind, "Jira refuses" in alarm.text) == ("refused", True)
