"""`syncd --resync`: the plan, the question, the repair, with and without a daemon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from commandline import House, Process
from waiting import wait_for

Start = Callable[..., Process]


@pytest.fixture
def old(house: House) -> str:
    """An incident from before the backfill's days, which no cycle has ever seen."""
    house.syncd("run", "--once")
    path = Path("mappings/qrpay.yaml")
    lines = path.read_text().splitlines()
    changed = ["enforce_from: 2020-01-01" if line.startswith("enforce_from") else line for line in lines]
    path.write_text("\n".join(changed) + "\n")
    at = house.world.clock() - timedelta(days=20)
    incident = house.trigger("Unseen", priority="P4", at=at)
    house.world.pagerduty.resolve(incident, at=at + timedelta(hours=1))
    house.syncd("run", "--once")
    assert house.tickets(incident) == []
    return incident


def test_a_dry_run_shows_the_plan_and_writes_nothing(house: House, old: str) -> None:
    writes = house.writes()
    result = house.syncd("resync", "--since", "30d", "--dry-run")
    assert result.code == 0
    assert "To repair in PagerDuty or Jira" in result.out
    assert "\n#1 " in result.out
    assert house.writes() == writes
    assert house.syncd("status", "--json").json["incidents"] == []


def test_it_repairs_and_a_second_run_does_nothing(house: House, old: str) -> None:
    result = house.syncd("--resync", "--since", "30d", "--yes")
    assert result.code == 0
    assert "operations done, 0 waiting" in result.out
    assert len(house.tickets(old)) == 1
    writes = house.writes()
    result = house.syncd("--resync", "--since", "30d", "--yes")
    assert (result.code, "Nothing to repair" in result.out) == (0, True)
    assert house.writes() == writes


def test_one_incident_and_a_day_can_be_named(house: House, old: str) -> None:
    day = f"{house.world.clock() - timedelta(days=25):%Y-%m-%d}"
    assert "\n#1 " in house.syncd("--resync", "--since", day, "--dry-run").out
    assert "\n#1 " in house.syncd("--resync", "--incident", old, "--dry-run").out


def test_an_incident_that_nobody_knows_fails_and_the_others_are_repaired(house: House, old: str) -> None:
    result = house.syncd("--resync", "--incident", "NOPE", "--incident", "OPS-99", "--incident", old, "--yes")
    assert result.code == 1
    for name in ("NOPE", "OPS-99"):
        assert f"syncd: {name}: no such incident in PagerDuty" in result.err
    assert len(house.tickets(old)) == 1


def test_named_incidents_and_a_day_exclude_each_other(house: House, old: str) -> None:
    asked = house.world.journal.total()
    result = house.syncd("--resync", "--since", "30d", "--incident", old, "--dry-run")
    assert (result.code, "give --since or --incident" in result.err) == (2, True)
    assert house.world.journal.total() == asked


def test_without_a_terminal_it_wants_yes(house: House, old: str) -> None:
    asked = house.world.journal.total()
    result = house.syncd("--resync", "--since", "30d")
    assert result.code == 2
    assert "--yes" in result.err
    assert house.world.journal.total() == asked


@pytest.mark.parametrize(("answer", "code", "tickets"), [("y", 0, 1), ("n", 130, 0)])
def test_on_a_terminal_it_asks(house: House, old: str, answer: str, code: int, tickets: int) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    house.monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    result = house.syncd("--resync", "--since", "30d")
    assert result.code == code
    assert "Repair?" in result.out
    assert "Later steps (such as the status of a new ticket) follow" in result.out
    assert len(house.tickets(old)) == tickets


@pytest.mark.parametrize("since", ["yesterday", "2999-01-01", "9999999d", ""])
def test_a_since_that_means_nothing_is_a_usage_error(house: House, since: str) -> None:
    result = house.syncd("--resync", "--dry-run", "--since", since)
    assert result.code == 2
    assert "--since" in result.err


@pytest.mark.parametrize("args", [("--yes",), ("--dry-run",), ("--since", "1d"), ("--incident", "P1")])
def test_its_options_go_with_it_alone(house: House, args: tuple[str, ...]) -> None:
    result = house.syncd(*args)
    assert result.code == 2
    assert "--resync" in result.err


def test_it_goes_without_a_command(house: House) -> None:
    assert house.syncd("--resync", "--yes", "status").code == 2


def test_a_service_that_is_down_is_69(house: House) -> None:
    house.syncd("run", "--once")
    house.server.close_door("jira")
    result = house.syncd("--resync", "--yes")
    assert result.code == 69
    assert "Jira cannot be reached" in result.err


def test_beside_a_running_daemon_the_daemon_does_it_and_shows_its_progress(
    house: House, old: str, started: Start
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.5")
    house.set("SYNCD_LOG_FORMAT", "text")
    started("run")
    wait_for(lambda: "syncd runs for" in house.err("run"))
    result = house.syncd("--resync", "--since", "30d", "--yes")
    assert result.code == 0
    assert "operations done, 0 waiting" in result.out
    assert len(house.tickets(old)) == 1


def test_what_is_left_is_listed_with_the_reason(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    house.world.jira.transition("OPS-1", "In Progress", "Ines Carvalho")
    result = house.syncd("--resync", "--dry-run")
    assert "Left alone" in result.out
    assert "it is at In Progress, and syncd did not move it there" in result.out
