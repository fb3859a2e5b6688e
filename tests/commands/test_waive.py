"""`waive`, `unwaive` and `correct`: what people decide about duties, checked and on record."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ledger_reading
import pytest
from commandline import NO_DAEMON, House
from ledger_reading import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    PostmortemRow,
    WaiverRow,
    opened,
    rows,
)

from syncd.ledger.store.lookups import incident_named

SINGAPORE = ZoneInfo("Asia/Singapore")
"""The zone of the mapping that ships for QRPay."""
AMARA = {"id": "acc-1", "name": "Amara Osei", "email": "amara.osei@qrpay.example"}
WHY = ("--reason", "The bank is closed", "--by", "priya.raman@qrpay.example")


def put(house: House, *given: Any) -> None:
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        ledger_reading.put(ledger, *given)


def waivers(house: House) -> list[WaiverRow]:
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        return rows(ledger, WaiverRow)


def number_of(house: House, key: str) -> int | None:
    """Return the number of the incident to which an issue belongs."""
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        incident = incident_named(ledger, key)
        return incident.number if incident is not None else None


def events(house: House, kind: str) -> list[str]:
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        return [row.text for row in rows(ledger, AuditEventRow) if row.kind == kind]


def duty(house: House, incident: str, kind: str, state: str = "pending", **more: Any) -> DutyRow:
    now = house.clock.now()
    known: dict[str, Any] = {"subject": incident, "started_at": now, "due_at": now + timedelta(hours=48)}
    return DutyRow(incident_id=incident, kind=kind, state=state, **(known | more))


def day(house: House, days: float) -> str:
    return f"{house.clock.now() + timedelta(days=days):%Y-%m-%d}"


@pytest.fixture
def owing(house: House) -> tuple[House, str]:
    """An incident that owes both duties, its postmortem Amara's, with one action item of Amara's."""
    incident = house.trigger()
    assert house.syncd("run", "--once").code == 0
    now = house.clock.now()
    put(
        house,
        duty(house, incident, "scheduled"),
        duty(house, incident, "completed"),
        duty(house, incident, "done", subject="10900"),
        PostmortemRow(
            incident_id=incident,
            issue_id="10899",
            key="OPS-899",
            project="OPS",
            origin="operation",
            snapshot={"assignee": AMARA},
            created_at=now,
        ),
        ActionItemRow(
            issue_id="10900",
            incident_id=incident,
            key="OPS-900",
            project="OPS",
            source="subtask",
            snapshot={"assignee": AMARA},
            first_seen_at=now,
        ),
    )
    return house, incident


def test_a_waiver_names_duty_end_reason_and_who_and_is_on_record(owing: tuple[House, str]) -> None:
    house, incident = owing
    result = house.syncd("waive", "1", "--duty", "scheduled", "--until", day(house, 3), *WHY)
    assert result.code == 0
    assert result.out.startswith("waived for incident #1 OPS-1 until ")
    (waiver,) = waivers(house)
    assert (waiver.incident_id, waiver.duty, waiver.subject) == (incident, "scheduled", None)
    assert (waiver.reason, waiver.by) == ("The bank is closed", "priya.raman@qrpay.example")
    (event,) = events(house, "waiver.given")
    assert "priya" not in event
    assert "bank" not in event
    assert house.syncd("audit", "verify").code == 0


def test_without_a_duty_both_of_the_postmortem_rest_and_any_key_of_the_incident_names_it(
    owing: tuple[House, str],
) -> None:
    house, _ = owing
    assert "completed and scheduled" in house.syncd("waive", "OPS-899", "--until", day(house, 3), *WHY).out
    assert number_of(house, "OPS-899") == 1
    assert waivers(house)[0].duty is None


def test_an_action_item_is_waived_by_its_key(owing: tuple[House, str]) -> None:
    house, _ = owing
    assert "waived for OPS-900" in house.syncd("waive", "ops-900", "--until", day(house, 3), *WHY).out
    assert number_of(house, "ops-900") == 1
    (waiver,) = waivers(house)
    assert (waiver.duty, waiver.subject) == ("done", "10900")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("waive", "1", "--until", "2020-01-01"), "2020-01-01 is over (Asia/Singapore); name a day to come"),
        (("waive", "1", "--until", "in 32 days"), "30 days at most"),
        (("waive", "1", "--until", "9999-12-31"), "30 days at most"),
        (("waive", "1", "--until", "0001-01-01"), "0001-01-01 is over"),
        (("waive", "NOPE", "--until", "in 3 days"), "is no incident, number, ticket"),
        (("waive", "1", "--duty", "owned", "--until", "in 3 days"), "name its key instead"),
        (("unwaive", "1"), "no waiver of incident #1 OPS-1 runs now"),
        (("correct", "1"), "no breach of incident #1 OPS-1 is on record"),
    ],
)
def test_what_cannot_be_says_why_and_changes_nothing(
    owing: tuple[House, str], args: tuple[str, ...], words: str
) -> None:
    house, _ = owing
    written = [day(house, int(word.split()[1])) if word.startswith("in ") else word for word in args]
    answer = house.syncd(*written, *WHY)
    assert answer.code == 1
    assert words in answer.err
    assert waivers(house) == []


@pytest.mark.any_day
def test_a_waiver_ends_with_its_day_in_the_teams_zone(owing: tuple[House, str]) -> None:
    house, _ = owing
    until = house.clock.now().astimezone(SINGAPORE).date()
    assert house.syncd("waive", "1", "--until", f"{until}", *WHY).code == 0
    (waiver,) = waivers(house)
    assert waiver.until == datetime.combine(until + timedelta(days=1), time(), SINGAPORE)
    yesterday = until - timedelta(days=1)
    over = house.syncd("waive", "1", "--until", f"{yesterday}", *WHY)
    assert (over.code, len(waivers(house))) == (1, 1)
    assert f"{yesterday} is over (Asia/Singapore)" in over.err


@pytest.mark.any_day
def test_the_latest_day_that_a_refusal_names_is_taken(owing: tuple[House, str]) -> None:
    house, _ = owing
    refusal = house.syncd("waive", "1", "--until", day(house, 40), *WHY).err
    (latest,) = re.findall(r"at most: until (\S+)", refusal)
    assert house.syncd("waive", "1", "--until", latest, *WHY).code == 0


@pytest.mark.parametrize("who", ["amara.osei@qrpay.example", "AMARA OSEI", "acc-1"])
@pytest.mark.parametrize("of", ["1", "OPS-900"])
def test_nobody_waives_what_they_owe(owing: tuple[House, str], who: str, of: str) -> None:
    house, _ = owing
    result = house.syncd("waive", of, "--until", day(house, 3), "--reason", "busy", "--by", who)
    assert result.code == 1
    assert "nobody waives their own duty" in result.err
    assert waivers(house) == []


def test_a_waiver_can_be_ended_before_its_day(owing: tuple[House, str]) -> None:
    house, _ = owing
    house.syncd("waive", "1", "--until", day(house, 3), *WHY)
    assert house.syncd("unwaive", "1", *WHY).out == "1 waiver of incident #1 OPS-1 ended\n" + NO_DAEMON
    assert waivers(house)[0].ended_by == "priya.raman@qrpay.example"
    assert len(events(house, "waiver.ended")) == 1
    assert house.syncd("unwaive", "1", *WHY).code == 1


def test_what_is_not_owed_cannot_be_waived(house: House) -> None:
    house.trigger(priority="P4")
    house.syncd("run", "--once")
    result = house.syncd("waive", "1", "--until", day(house, 3), *WHY)
    assert result.code == 1
    assert "no such duty of incident #1 OPS-1 is owed" in result.err


def test_a_wrong_breach_is_corrected_once_and_stays_on_record(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    put(house, duty(house, incident, "scheduled", "breached", breached_at=house.clock.now()))
    result = house.syncd("correct", "1", *WHY)
    assert result.code == 0
    assert "both stay on record" in result.out
    assert "owed anew, due in 24 hours" in result.out
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        (row,) = rows(ledger, DutyRow)
    assert (row.state, row.corrected) == ("void", "The bank is closed")
    assert (row.corrected_by, row.claimed_met_at) == ("priya.raman@qrpay.example", None)
    assert row.breached_at is not None
    assert row.met_at is None
    assert len(events(house, "duty.corrected")) == 1
    assert house.syncd("correct", "1", *WHY).code == 1


def test_a_correction_says_when_the_duty_was_met_but_never_after_its_deadline(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    due = house.clock.now() - timedelta(hours=1)
    put(house, duty(house, incident, "scheduled", "breached", due_at=due, breached_at=due))
    late = house.syncd("correct", "1", *WHY, "--met-at", f"{due + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}")
    assert late.code == 1
    assert "it was missed" in late.err
    result = house.syncd("correct", "1", *WHY, "--met-at", f"{due - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z")
    assert result.code == 0
    assert "nothing more is owed" in result.out
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        (row,) = rows(ledger, DutyRow)
    assert (row.state, row.met_at) == ("void", None)
    assert row.claimed_met_at is not None
    assert house.syncd("correct", "1", *WHY, "--met-at", "yesterday").code == 2


@pytest.mark.parametrize("command", ["waive", "unwaive", "correct"])
@pytest.mark.parametrize("who", ["the intern", "mei.tanaka@qrpay.example"])
def test_only_an_approver_waives_and_takes_back(owing: tuple[House, str], command: str, who: str) -> None:
    house, incident = owing
    now = house.clock.now()
    put(house, duty(house, incident, "scheduled", "breached", clock=2, breached_at=now))
    assert house.syncd("waive", "1", "--until", day(house, 3), *WHY).code == 0
    until = ("--until", day(house, 3)) if command == "waive" else ()
    duty_named = ("--duty", "scheduled") if command == "correct" else ()
    result = house.syncd(command, "1", *until, *duty_named, "--reason", "busy", "--by", who)
    assert result.code == 1
    assert "is no approver of" in result.err
    assert len(waivers(house)) == 1
    assert waivers(house)[0].ended_at is None


def test_a_third_waiver_of_a_duty_needs_a_second_approver(owing: tuple[House, str]) -> None:
    house, _ = owing
    until = ("--duty", "scheduled", "--until", day(house, 3))
    assert house.syncd("waive", "1", *until, *WHY).code == 0
    assert house.syncd("waive", "1", *until, *WHY).code == 0
    third = house.syncd("waive", "1", *until, *WHY)
    assert third.code == 1
    assert "a second approver must agree (--and-by)" in third.err
    same = house.syncd("waive", "1", *until, *WHY, "--and-by", "PRIYA.RAMAN@qrpay.example")
    assert same.code == 1
    assert house.syncd("waive", "1", *until, *WHY, "--and-by", "the intern").code == 1
    assert len(waivers(house)) == 2


def test_of_several_breaches_one_has_to_be_named(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    late = {"breached_at": house.clock.now()}
    put(
        house,
        duty(house, incident, "scheduled", "met_late", **late),
        duty(house, incident, "completed", "breached", **late),
    )
    assert "name one with --duty" in house.syncd("correct", "1", *WHY).err
    assert house.syncd("correct", "1", "--duty", "scheduled", *WHY).code == 0


def test_what_is_no_day_says_how_one_is_written(owing: tuple[House, str]) -> None:
    house, _ = owing
    result = house.syncd("waive", "1", "--until", "tomorrow", *WHY)
    assert result.code == 2
    assert "'tomorrow' is not a day; write a day like 2026-12-01" in result.err
