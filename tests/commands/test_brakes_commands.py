"""`accept`, `pause`, `resume`, `outbox release`, and what `status` and `plan` say about what is held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from commandline import NO_DAEMON, House, Process
from waiting import wait_for

from syncd.ledger.store import first_load, holds

Start = Callable[..., Process]
SMALL = (
    "from syncd.ledger.store import first_load, holds;"
    " first_load.FIRST_LOAD_AT_MOST = 3; holds.MASS_AT_MOST = 2"
)


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_load, "FIRST_LOAD_AT_MOST", 3)
    monkeypatch.setattr(holds, "MASS_AT_MOST", 2)


def storm(house: House, count: int) -> list[str]:
    before_the_start = house.world.clock() - timedelta(minutes=1)
    return [house.trigger(f"Trouble {number}", priority="P3", at=before_the_start) for number in range(count)]


def everyone_has_one(house: House, incidents: list[str]) -> bool:
    return all(len(house.tickets(incident)) == 1 for incident in incidents)


def test_a_first_load_that_is_held_says_so_everywhere_and_what_ends_it(house: House) -> None:
    storm(house, 4)
    result = house.syncd("run", "--once")
    assert result.code == 75
    assert "syncd accept" in result.err
    assert house.writes() == 0
    assert house.syncd("status", "--json").json["first_load"]["counts"] == {
        "create_ticket": 4,
        "link_note": 4,
        "send_mail": 4,
    }
    assert "4 create_ticket, 4 link_note, 4 send_mail" in house.syncd("status").out
    plan = house.syncd("plan")
    assert "syncd accept" in plan.out
    assert house.syncd("plan", "--json").json["first_load"]["state"] == "held"


def test_a_plan_before_the_first_run_says_that_it_would_be_held(house: House) -> None:
    storm(house, 4)
    assert house.syncd("plan", "--json").json["first_load"]["counts"]["create_ticket"] == 4


def test_without_a_daemon_the_acceptance_holds_for_the_next_run(house: House) -> None:
    incidents = storm(house, 4)
    house.syncd("run", "--once")
    result = house.syncd("accept")
    assert (result.code, result.out) == (
        0,
        "accepted: 4 create_ticket, 4 link_note, 4 send_mail\n" + NO_DAEMON,
    )
    assert result.err == ""
    assert house.syncd("run", "--once").code == 0
    assert everyone_has_one(house, incidents)
    assert house.syncd("accept").out == "nothing waits to be accepted\n"
    assert house.syncd("audit", "verify").code == 0


def test_a_living_daemon_stays_up_and_goes_on_after_the_acceptance(house: House, started: Start) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.5")
    incidents = storm(house, 4)
    house.syncd("run", "--once")
    process = started("run", first=SMALL)
    wait_for(lambda: "syncd runs for" in house.err("run"))
    assert process.poll() is None
    assert house.writes() == 0
    wait_for(lambda: house.syncd("accept").out.startswith("accepted"))
    wait_for(lambda: everyone_has_one(house, incidents))
    assert process.poll() is None


def test_a_pause_holds_back_says_why_and_ends(house: House) -> None:
    house.syncd("run", "--once")
    assert house.syncd("pause", "jira").code == 2
    result = house.syncd("pause", "jira", "--reason", "Jira is being moved")
    assert (result.code, result.out) == (0, "paused: jira; syncd resume ends it\n")
    incident = house.trigger()
    result = house.syncd("run", "--once")
    assert result.code == 75
    assert "jira is paused (Jira is being moved)" in result.err
    assert house.tickets(incident) == []
    assert house.syncd("status", "--json").json["paused"]["jira"]["reason"] == "Jira is being moved"
    assert "Jira is being moved" in house.syncd("status").out
    assert house.syncd("resume", "jira").out == "resumed: jira\n" + NO_DAEMON
    assert house.syncd("run", "--once").code == 0
    assert len(house.tickets(incident)) == 1
    assert house.syncd("status", "--json").json["paused"] == {}


def test_a_pause_of_all_is_a_pause_of_each(house: House) -> None:
    house.syncd("run", "--once")
    house.syncd("pause", "--reason", "quiet")
    assert sorted(house.syncd("status", "--json").json["paused"]) == ["chat", "jira", "mail", "pagerduty"]


def test_a_pause_of_what_syncd_does_not_write_to_is_refused(house: House) -> None:
    assert house.syncd("pause", "fax", "--reason", "quiet").code == 2


def test_a_hostile_reason_moves_no_cursor_and_is_no_markup(house: House) -> None:
    house.syncd("run", "--once")
    house.syncd("pause", "--reason", "[red]gone[/red]\x1b[2J\r\nforged")
    status = house.syncd("status").out
    assert "\x1b" not in status
    assert "[red]gone[/red]" in status


def change_the_rules(house: House) -> None:
    path = Path("mappings/qrpay.yaml")
    text = path.read_text()
    assert "priority: Medium" in text
    path.write_text(text.replace("priority: Medium", "priority: Low"))


def test_a_mass_of_writes_is_held_shown_and_released(house: House) -> None:
    incidents = storm(house, 3)
    house.syncd("run", "--once")
    house.syncd("accept")
    house.syncd("run", "--once")
    assert house.syncd("run", "--once").code == 0
    writes = house.writes()
    change_the_rules(house)
    result = house.syncd("run", "--once")
    assert result.code == 75
    assert "syncd outbox release" in result.err
    assert house.writes() == writes
    assert house.syncd("status", "--json").json["held"]["tickets"] == 3
    assert "syncd outbox release" in house.syncd("status").out
    assert "syncd outbox release" in house.syncd("outbox").out
    plan = house.syncd("plan", "--json").json
    assert plan["held"]["tickets"] == 3
    assert [operation["state"] for operation in plan["operations"]] == ["held"] * 3
    assert "writes to 3 tickets whose incidents did not change" in house.syncd("plan").out
    assert house.syncd("outbox", "release").out == "released: 3 operations on 3 tickets\n" + NO_DAEMON
    assert house.syncd("run", "--once").code == 0
    assert {house.tickets(incident)[0]["fields"]["priority"]["name"] for incident in incidents} == {"Low"}
    writes = house.writes()
    assert house.syncd("run", "--once").code == 0
    assert house.writes() == writes


def test_a_mass_of_writes_can_be_dropped_with_a_reason(house: House) -> None:
    storm(house, 3)
    house.syncd("run", "--once")
    change_the_rules(house)
    house.syncd("run", "--once")
    assert house.syncd("outbox", "drop", "--reason", "a mistake").code == 2
    assert house.syncd("outbox", "drop", "--held", "--reason", "a mistake").out == "dropped: 3 operations\n"
    assert house.syncd("status", "--json").json["held"] is None


def test_releasing_what_is_not_held_fails_and_says_which(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    result = house.syncd("outbox", "release", "1", "99")
    assert result.code == 1
    assert "operation 1 is done, not held" in result.err
    assert "there is no operation 99" in result.err


def test_status_says_what_a_rule_in_mode_report_would_have_done(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Alipay Integration", "--project", "OPS")
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    long_ago = bare.world.clock() - timedelta(minutes=10)
    incident = bare.trigger(urgency="low", at=long_ago)
    bare.syncd("run", "--once")
    bare.world.pagerduty.resolve(incident, at=long_ago + timedelta(minutes=2))
    bare.syncd("run", "--once")
    bare.syncd("run", "--once")
    (shown,) = bare.syncd("status", "--json").json["dry_run_notes"]
    assert shown["incident"] == incident
    assert "close the ticket" in shown["dry_run_notes"][0]
    status = bare.syncd("status").out
    assert "In mode `enforce` they would have done" in status
    assert "#1: close the ticket" in status


def test_what_begins_after_the_first_start_is_done_by_each_run_while_the_rest_is_held(house: House) -> None:
    incidents = storm(house, 4)
    house.syncd("run", "--once")
    late = house.trigger("Later", "BluBank Integration", priority="P3")
    assert house.syncd("run", "--once").code == 75
    assert len(house.tickets(late)) == 1
    assert not any(house.tickets(incident) for incident in incidents)
    plan = house.syncd("plan", "--json").json
    assert (plan["first_load"]["state"], plan["first_load"]["counts"]["create_ticket"]) == ("held", 4)
    assert "holds the work for incidents that began before its first start" in house.syncd("plan").out
    (wait,) = house.syncd("show", "1", "--json").json["waits"]
    assert (wait["until"], "syncd accept" in wait["why"]) == (None, True)
    assert house.syncd("show", "5", "--json").json["waits"] == []
    writes = house.writes()
    house.syncd("plan")
    assert house.writes() == writes
    house.syncd("accept")
    house.syncd("run", "--once")
    assert everyone_has_one(house, [*incidents, late])
