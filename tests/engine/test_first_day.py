"""The first day disturbs nobody: what was reached before `enforce_from` is listed, later things are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rig import Rig

from engine.cast import nothing_more_is_written
from engine.mail_rig import (
    COMPLIANCE,
    CTO,
    DIRECTOR,
    MakeRig,
    Owed,
    duties_stay_as_they_are,
    letters,
    mailing,
    mails,
    recipients,
    whys,
)
from engine.test_backfill import ALL, over
from syncd.config.mapping.load import load_mappings
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.notify.notices import BEFORE
from syncd.sandbox import dump
from syncd.sandbox.cast import START

DAY = timedelta(days=1)
TODAY = START.date()
SHIPPED = {mapping.team: mapping for mapping in load_mappings(shipped("mappings"), Templates())}
HOUR = 3600.0


def first_day(make_rig: MakeRig, **changes: Any) -> Rig:
    """A rig whose rules hold from today on."""
    return make_rig(mappings=(mailing(enforce_from=TODAY, **changes),), mail=True)


def old(rig: Rig, count: int = 1, priority: str = "P1") -> list[str]:
    """Incidents that were triggered three days before the rules began and are still open."""
    trigger = rig.world.pagerduty.trigger
    return [
        trigger("Alipay Integration", f"Old trouble {number}", priority=priority, at=START - 3 * DAY).id
        for number in range(count)
    ]


def with_a_new_ledger(rig: Rig) -> None:
    """Delete the ledger, in effect: the daemon starts on another one."""
    rig.stop()
    rig.name = "another.db"
    rig.start()


def test_old_open_incidents_get_tickets_and_mail_nobody(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    old(rig, 3)
    rig.settle(3)
    assert len(dump.whole(rig.world)["jira"]["issues"]) == 3
    assert letters(rig) == []
    nothing_more_is_written(rig)
    assert letters(rig) == []


def test_what_they_reached_before_is_on_record_as_not_sent_with_the_reason(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    old(rig)
    rig.settle(3)
    listed = mails(rig, "dropped")
    assert sorted(line.meaning["to"] for line in listed) == sorted([CTO, COMPLIANCE])
    assert [whys(rig, line.id or 0) for line in listed] == [[f"not sent: {BEFORE}"]] * 2


def test_a_severity_that_is_reached_after_the_rules_began_is_mailed(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    (incident,) = old(rig, priority="P2")
    rig.settle(2)
    rig.world.pagerduty.set_priority(incident, "P1", "Amara Osei")
    rig.settle(2)
    assert recipients(rig) == sorted([CTO, COMPLIANCE])
    rig.world.pagerduty.set_priority(incident, "P2", "Amara Osei")
    rig.settle(22, 180)
    rig.world.pagerduty.set_priority(incident, "P1", "Amara Osei")
    rig.settle(2)
    assert DIRECTOR not in recipients(rig)


def test_a_severity_that_comes_back_after_the_rules_began_is_mailed(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    (incident,) = old(rig)
    rig.settle(2)
    rig.world.pagerduty.set_priority(incident, "P3", "Amara Osei")
    rig.settle(2)
    assert letters(rig) == []
    rig.world.pagerduty.set_priority(incident, "P1", "Amara Osei")
    rig.settle(2)
    assert recipients(rig) == sorted([CTO, COMPLIANCE])


def test_deleting_a_ledger_is_no_amnesty_and_makes_nothing_old_new(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    old(rig)
    rig.settle(2)
    rig.world.pagerduty.trigger("BluBank Integration", "New trouble", priority="P2")
    with_a_new_ledger(rig)
    rig.settle(4)
    assert recipients(rig) == [DIRECTOR]
    with_a_new_ledger(rig)
    rig.settle(4)
    assert set(recipients(rig)) == {DIRECTOR}


@pytest.mark.parametrize("team", SHIPPED.values(), ids=SHIPPED.keys())
def test_the_shipped_mappings_mail_nobody_of_what_was_reached_before(
    make_rig: MakeRig, team: Mapping
) -> None:
    rig = make_rig(mappings=(team.model_copy(update={"enforce_from": TODAY}),), mail=True)
    services = {each_service.name for each_service in rig.world.pagerduty.account.services.values()} & set(
        team.services
    )
    service = min(services)
    for number, priority in enumerate(("P1", "P2", "P3")):
        rig.world.pagerduty.trigger(service, f"Old {number}", priority=priority, at=START - 3 * DAY)
    rig.settle(4)
    assert letters(rig) == []
    rig.world.pagerduty.trigger(service, "New", priority="P1")
    rig.settle(2)
    assert {str(letter.message["Subject"]) for letter in letters(rig)} == {
        f"{next(iter(team.severities))}: New (#4)"
    }


def test_what_was_over_before_gets_nothing_at_all(make_rig: MakeRig) -> None:
    rig = first_day(make_rig)
    over(rig, 3, count=3, priority="P1")
    rig.settle(4, seconds=HOUR)
    assert rig.writes() == 0
    assert mails(rig) == []


def test_a_target_that_was_over_before_gets_no_ticket_for_what_was_merged_into_it_before(
    make_rig: MakeRig,
) -> None:
    rig = first_day(make_rig)
    people = rig.world.pagerduty
    first, second = (
        people.trigger("Alipay Integration", name, priority="P1", at=START - 3 * DAY).id
        for name in ("a", "b")
    )
    people.merge(first, [second], "Amara Osei", at=START - 2 * DAY)
    people.resolve(first, "Amara Osei", at=START - 1 * DAY)
    rig.settle(4)
    assert rig.writes() == 0
    assert mails(rig) == []


def test_a_backfilled_ticket_whose_incident_went_to_a_foreign_service_says_nothing(make_rig: MakeRig) -> None:
    rig = first_day(make_rig, backfill=ALL)
    people = rig.world.pagerduty
    target = people.trigger("Dispatch", "theirs", at=START - 3 * DAY).id
    source = people.trigger("Alipay Integration", "ours", priority="P1", at=START - 3 * DAY).id
    people.merge(target, [source], "Amara Osei", at=START - 2 * DAY)
    rig.settle(5)
    (ticket,) = dump.whole(rig.world)["jira"]["issues"]
    assert "syncd-backfill" in ticket["fields"]["labels"]
    assert ticket["comments"] == []


def test_a_backfilled_restricted_incident_mails_no_security_lead(make_rig: MakeRig) -> None:
    restricted = {"titles": ["^breach"], "lead": CTO, "level": ["No such level"]}
    rig = first_day(make_rig, backfill=ALL, restricted=restricted)
    at = START - 3 * DAY
    incident = rig.world.pagerduty.trigger("Alipay Integration", "breach of a database", at=at).id
    rig.world.pagerduty.resolve(incident, "Amara Osei", at=at + timedelta(hours=1))
    rig.settle(5)
    assert len(dump.whole(rig.world)["jira"]["issues"]) == 1
    assert mails(rig) == []


def test_a_deadline_that_was_missed_before_is_listed_and_one_missed_afterwards_is_mailed(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    duties_stay_as_they_are(monkeypatch)
    enforced = {"postmortem": {"mode": "enforce"}, "follow_ups": {"mode": "enforce"}}
    rig = first_day(make_rig, **enforced)
    rig.cycle()
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Again", priority="P3", at=START - 3 * DAY)
    rig.settle(2)
    owed = Owed(rig, incident.id)
    owed.set("breached", START - DAY)
    rig.settle(3, seconds=HOUR)
    rig.cycle(24 * HOUR)
    rig.settle(3, seconds=HOUR)
    assert letters(rig) == []
    assert f"not sent: {BEFORE}" in [why for mail in mails(rig, "dropped") for why in whys(rig, mail.id or 0)]
    owed.set("breached", rig.clock.now() - timedelta(minutes=1), kind="completed")
    rig.settle(2)
    assert {str(letter.message["Subject"]) for letter in letters(rig)} == {
        "Overdue: Complete the postmortem of #1"
    }
