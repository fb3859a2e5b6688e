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
    changed = ["enforce_from: 2020-01-01" if one.startswith("enforce_from") else one for one in lines]
    path.write_text("\n".join(changed) + "\n")
    at = house.world.clock() - timedelta(days=20)
    incident = house.trigger("Unseen", priority="P4", at=at)
    house.world.pagerduty.resolve(incident, at=at + timedelta(hours=1))
    house.syncd("run", "--once")
    assert house.tickets(incident) == []
    return incident


def test_a_dry_run_shows_the_plan_and_writes_nothing(house: House, old: str) -> None:
    writes = house.writes()
    said = house.syncd("resync", "--since", "30d", "--dry-run")
    assert said.code == 0
    assert "To repair in PagerDuty or Jira" in said.out
    assert "\n#1 " in said.out
    assert house.writes() == writes
    assert house.syncd("status", "--json").json["incidents"] == []


def test_it_repairs_and_a_second_run_does_nothing(house: House, old: str) -> None:
    said = house.syncd("--resync", "--since", "30d", "--yes")
    assert said.code == 0
    assert "operations done, 0 waiting" in said.out
    assert len(house.tickets(old)) == 1
    writes = house.writes()
    said = house.syncd("--resync", "--since", "30d", "--yes")
    assert (said.code, "Nothing to repair" in said.out) == (0, True)
    assert house.writes() == writes


def test_one_incident_and_a_day_can_be_named(house: House, old: str) -> None:
    day = f"{house.world.clock() - timedelta(days=25):%Y-%m-%d}"
    assert "\n#1 " in house.syncd("--resync", "--since", day, "--dry-run").out
    assert "\n#1 " in house.syncd("--resync", "--incident", old, "--dry-run").out


def test_without_a_terminal_it_wants_yes(house: House, old: str) -> None:
    asked = house.world.journal.total()
    said = house.syncd("--resync", "--since", "30d")
    assert said.code == 2
    assert "--yes" in said.err
    assert house.world.journal.total() == asked


@pytest.mark.parametrize(("answer", "code", "tickets"), [("y", 0, 1), ("n", 130, 0)])
def test_on_a_terminal_it_asks(house: House, old: str, answer: str, code: int, tickets: int) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    house.monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    said = house.syncd("--resync", "--since", "30d")
    assert said.code == code
    assert "Repair?" in said.out
    assert "Later steps (such as the status of a new ticket) follow" in said.out
    assert len(house.tickets(old)) == tickets


@pytest.mark.parametrize("since", ["yesterday", "2999-01-01", "9999999d", ""])
def test_a_since_that_means_nothing_is_a_usage_error(house: House, since: str) -> None:
    said = house.syncd("--resync", "--dry-run", "--since", since)
    assert said.code == 2
    assert "--since" in said.err


@pytest.mark.parametrize("args", [("--yes",), ("--dry-run",), ("--since", "1d"), ("--incident", "P1")])
def test_its_options_go_with_it_alone(house: House, args: tuple[str, ...]) -> None:
    said = house.syncd(*args)
    assert said.code == 2
    assert "--resync" in said.err


def test_it_goes_without_a_command(house: House) -> None:
    assert house.syncd("--resync", "--yes", "status").code == 2


def test_a_service_that_is_down_is_69(house: House) -> None:
    house.syncd("run", "--once")
    house.server.close_door("jira")
    said = house.syncd("--resync", "--yes")
    assert said.code == 69
    assert "Jira cannot be reached" in said.err


def test_beside_a_running_daemon_the_daemon_does_it_and_shows_its_progress(
    house: House, old: str, started: Start
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.5")
    house.set("SYNCD_LOG_FORMAT", "text")
    started("run")
    wait_for(lambda: "syncd runs for" in house.err("run"))
    said = house.syncd("--resync", "--since", "30d", "--yes")
    assert said.code == 0
    assert "operations done, 0 waiting" in said.out
    assert len(house.tickets(old)) == 1


def test_what_is_left_is_listed_with_the_reason(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    house.world.jira.transition("OPS-1", "In Progress", "Ines Carvalho")
    said = house.syncd("--resync", "--dry-run")
    assert "Left alone" in said.out
    assert "it is at In Progress, and syncd did not move it there" in said.out
