"""PagerDuty hears of the daemon's own troubles: once a cause and change, and once more when it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from rig import Rig

from engine.cast import logged
from syncd.policy.notify.operator_alarms import Trouble, alarms_of, events_due
from syncd.remote.errors import RemoteError
from syncd.remote.pagerduty.events import EventsClient
from syncd.sandbox import faults

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
KEY = "R0CANARYROUTINGKEY0000000000000"


def causes(trouble: Trouble, told: dict[str, str], *, settled: bool = True) -> list[tuple[str, bool]]:
    due = events_due(alarms_of(trouble, NOW), told, settled=settled)
    return [(event.cause, event.alarm is not None) for event in due]


def test_a_cause_is_one_event_until_it_changes_and_one_when_it_is_over() -> None:
    down = Trouble(last_good={"jira": NOW - timedelta(hours=1)})
    (event,) = events_due(alarms_of(down, NOW), {}, settled=True)
    assert event.alarm is not None
    told = {event.cause: event.alarm.key}
    assert causes(down, told) == []
    assert causes(Trouble(last_good={"jira": NOW - timedelta(minutes=30)}), told) == [("stalled/jira", True)]
    assert causes(Trouble(), told) == [("stalled/jira", False)]


def test_an_absent_alarm_ends_nothing_before_this_run_has_looked_everywhere() -> None:
    assert causes(Trouble(), {"stalled/jira": "earlier"}, settled=False) == []


def test_the_steps_before_an_expiry_are_one_incident() -> None:
    (event,) = events_due(alarms_of(Trouble(expires={"jira": date(2026, 11, 23)}), NOW), {}, settled=True)
    assert event.cause == "expires/jira"
    assert event.alarm is not None
    assert event.alarm.severity == "warning"


def start(house: Rig, key: str = KEY) -> None:
    account = house.world.pagerduty.account
    account.routing_keys[KEY] = next(iter(account.services))
    events = EventsClient(house.server.url("pagerduty"), key, house.transport)
    house.restart(alarm_events=events)


def cycle(house: Rig, seconds: float = 30.0) -> None:
    house.cycle(seconds)
    house.loop.mail_schedule.operator.events.wait()


def sent(house: Rig) -> list[tuple[str, str]]:
    events = house.world.pagerduty.account.events
    return [(event["event_action"], event["dedup_key"].split("/", 2)[2]) for event in events]


def put_off(house: Rig) -> None:
    """Refuse syncd's token for Jira."""
    house.world.jira.site.tokens = {}


def test_a_refused_token_opens_one_incident_which_its_end_resolves_across_a_restart(house: Rig) -> None:
    tokens = dict(house.world.jira.site.tokens)
    start(house)
    cycle(house)
    put_off(house)
    for _ in range(3):
        cycle(house)
    assert sent(house) == [("trigger", "credentials/jira")]
    (event,) = house.world.pagerduty.account.events
    assert event["payload"]["summary"].startswith("syncd: Jira has refused syncd's credentials since")
    assert event["payload"]["severity"] == "critical"
    (incident,) = house.world.pagerduty.account.incidents.values()
    assert incident.status == "triggered"
    house.world.jira.site.tokens = tokens
    start(house)
    for _ in range(3):
        cycle(house)
    assert sent(house) == [("trigger", "credentials/jira"), ("resolve", "credentials/jira")]
    assert incident.status == "resolved"


def test_a_failure_holds_nothing_up_is_logged_once_and_tried_again_later(house: Rig) -> None:
    start(house)
    cycle(house)
    house.world.faults.add(faults.error(500), service="pagerduty", path="/v2/enqueue", times=2)
    put_off(house)
    with logged() as lines:
        for _ in range(12):
            cycle(house)
    told = [line for line in lines if "cannot tell PagerDuty of an alarm" in line]
    assert len(told) == 1
    assert sum("takes syncd's alarms again" in line for line in lines) == 1
    assert sent(house) == [("trigger", "credentials/jira")]
    assert house.world.journal.counts()["pagerduty", "POST", "/v2/enqueue"] == 3


def test_a_wrong_routing_key_stops_nothing_and_is_never_printed(house: Rig) -> None:
    start(house, key="R0WRONGROUTINGKEY00000000000000")
    put_off(house)
    with logged() as lines:
        cycle(house)
        cycle(house, 3600)
    assert any("Event object is invalid" in line for line in lines)
    assert not any("R0WRONG" in line for line in lines)
    assert sent(house) == []
    assert house.loop.good_reads.latest().keys() == {"pagerduty"}


def test_a_token_refused_at_the_start_is_an_event_before_syncd_ends(house: Rig) -> None:
    put_off(house)
    start(house)
    with pytest.raises(RemoteError):
        house.loop.make_first_contact()
    assert sent(house) == [("trigger", "start/jira")]


def test_a_dry_run_and_a_daemon_without_a_key_send_no_event(house: Rig) -> None:
    put_off(house)
    house.cycle()
    start(house)
    events: Any = house.context.alarm_events
    house.restart(alarm_events=events, dry_run=True)
    cycle(house)
    assert sent(house) == []
