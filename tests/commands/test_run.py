"""`syncd run` and `run --once`: exit codes, signals, and what survives what."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import House, Process
from waiting import PATIENCE, wait_for

from syncd import daemon
from syncd.ledger.database.sqlite.lock import FileLock
from syncd.sandbox import faults
from syncd.sandbox.wire import Call
from syncd.sandbox.world import Delivery

Start = Callable[..., Process]
GAVE_UP = "stopped with requests that have no answer yet"
"""What the daemon logs where the grace after SIGTERM was not enough."""


def under_way(rule: faults.Rule) -> Callable[[], bool]:
    """Whether a request has met a fault."""
    return lambda: rule.struck > 0


@pytest.mark.any_day
def test_one_cycle_makes_the_ticket_and_a_second_one_writes_nothing(house: House) -> None:
    incident = house.trigger()
    assert house.syncd("run", "--once").code == 0
    assert len(house.tickets(incident)) == 1
    writes = house.writes()
    assert house.syncd("run", "--once").code == 0
    assert house.syncd("run", "--once").code == 0
    assert house.writes() == writes


def test_the_first_cycle_gives_an_open_incident_to_its_responder_and_to_nobody_before(house: House) -> None:
    incident = house.trigger()
    (responder, _at) = house.world.pagerduty.account.incidents[incident].assignments[0]
    name = house.world.pagerduty.account.users[responder].name
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    (ticket,) = house.tickets(incident)
    assert ticket["fields"]["assignee"]["displayName"] == name
    assert ticket["changelog"] == []


def test_a_dry_run_writes_to_neither_service(house: House) -> None:
    house.trigger()
    house.set("SYNCD_DRY_RUN", "true")
    assert house.syncd("run", "--once").code == 0
    assert house.writes() == 0


@pytest.mark.parametrize("args", [("run", "--once"), ("run",), ()])
@pytest.mark.parametrize(("service", "name"), [("PAGERDUTY", "PagerDuty"), ("JIRA", "Jira")])
def test_a_refused_token_is_77_with_the_name_of_the_service(
    house: House, service: str, name: str, args: tuple[str, ...]
) -> None:
    house.set(f"SYNCD_{service}_TOKEN", "not-the-right-one")
    result = house.syncd(*args)
    assert result.code == 77
    assert f"{name} refuses our credentials" in result.err
    assert f"SYNCD_{service}_TOKEN" in result.err
    assert "not-the-right-one" not in result.err


@pytest.mark.parametrize(("service", "name"), [("pagerduty", "PagerDuty"), ("jira", "Jira")])
def test_one_cycle_with_a_service_down_is_69(house: House, service: str, name: str) -> None:
    house.server.close_door(service)
    result = house.syncd("run", "--once")
    assert result.code == 69
    assert f"{name} cannot be reached" in result.err


def test_what_one_side_holds_is_kept_while_the_other_is_down_and_done_afterwards(house: House) -> None:
    incident = house.trigger()
    house.server.close_door("jira")
    assert house.syncd("run", "--once").code == 69
    house.server.open_door("jira")
    assert house.syncd("run", "--once").code == 0
    assert len(house.tickets(incident)) == 1


@pytest.mark.parametrize("args", [("run",), ("run", "--once"), ("check",), ("plan",)])
def test_a_broken_configuration_is_78_with_every_problem_and_its_place(
    house: House, args: tuple[str, ...]
) -> None:
    path = Path("mappings/qrpay.yaml")
    path.write_text(
        path.read_text().replace("enforce_from", "enforce_form").replace("project: OPS", "project: ops")
    )
    house.set("SYNCD_POLL_SECONDS", "often")
    house.monkeypatch.delenv("SYNCD_JIRA_TOKEN")
    result = house.syncd(*args)
    assert result.code == 78
    assert "environment: SYNCD_POLL_SECONDS: not a number" in result.err
    assert "environment: SYNCD_JIRA_TOKEN: not set" in result.err
    assert re.search(
        r"qrpay\.yaml:\d+:1: enforce_form: unknown key; did you mean `enforce_from`\?", result.err
    )
    assert ": jira.project: " in result.err
    assert house.world.journal.total() == 0


def test_without_a_mapping_it_names_the_command_that_makes_one(bare: House) -> None:
    result = bare.syncd()
    assert result.code == 78
    assert "syncd init" in result.err


def test_a_project_that_is_not_there_is_78(bare: House) -> None:
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web", "--project", "NOPE")
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    result = bare.syncd("run", "--once")
    assert result.code == 78
    assert "NOPE" in result.err
    assert "syncd check" in result.err


def test_the_ledger_of_another_account_is_refused(house: House) -> None:
    house.syncd("run", "--once")
    house.world.pagerduty.account.subdomain = "somebody-else"
    result = house.syncd("run", "--once")
    assert result.code == 1
    assert "somebody-else" in result.err
    assert "SYNCD_STATE_DIR" in result.err


@pytest.mark.parametrize("args", [("run",), ("run", "--once")])
def test_a_second_executor_is_75_and_names_the_first(house: House, args: tuple[str, ...]) -> None:
    house.syncd("run", "--once")
    with FileLock(house.folder / ".syncd/syncd.db") as lock:
        lock.acquire("syncd run")
        result = house.syncd(*args)
    assert result.code == 75
    assert f"syncd run, pid {os.getpid()}" in result.err


def test_hints_beside_a_running_daemon_name_the_command_for_it(house: House) -> None:
    house.syncd("run", "--once")
    house.trigger(priority="P4")
    hinting = (("check", "--offline"), ("plan",))
    for args in hinting:
        assert "syncd run starts the daemon" in house.syncd(*args).out
    with FileLock(house.folder / ".syncd/syncd.db") as lock:
        lock.acquire("syncd run")
        for args in hinting:
            printed = house.syncd(*args).out
            assert "syncd reload makes the running daemon read its mappings" in printed
            assert "starts the daemon" not in printed
        shutil.copy(".syncd/syncd.db", "copy.db")
        refused = house.syncd("restore", "copy.db", "--yes")
    assert refused.code == 75
    assert f"stop it: kill {os.getpid()}" in refused.err


def test_a_running_daemon_works_answers_requests_and_ends_at_once_on_sigterm(
    house: House, started: Start
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.5")
    process = started("run")
    incident = house.trigger()
    wait_for(lambda: house.tickets(incident))
    words = {"errorMessages": ["Not today."]}
    house.world.faults.add(faults.error(400, body=words), service="jira", method="POST", path="/issue$")
    other = house.trigger("Another one")
    wait_for(lambda: house.syncd("outbox", "--json").json["counts"]["parked"])
    result = house.syncd("outbox", "retry")
    assert (result.code, result.out) == (0, "tried again: 1 operation\n")
    assert result.err == ""
    wait_for(lambda: house.tickets(other))
    assert house.syncd("status", "--json").code == 0
    wait_for(lambda: house.syncd("outbox", "--json").json["operations"] == [])
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert GAVE_UP not in house.err("run")
    assert house.syncd("audit", "verify").code == 0
    assert house.syncd("status").out.startswith("! No daemon is running (stopped ")


def test_a_service_that_is_down_at_the_start_is_said_once_and_waited_for(
    house: House, started: Start
) -> None:
    house.set("SYNCD_POLL_SECONDS", "0.2")
    house.set("SYNCD_LOG_FORMAT", "text")
    incident = house.trigger()
    house.server.close_door("jira")
    process = started(
        "run", first="from syncd.engine.runtime import service_health; service_health.FIRST_PAUSE = 0.5"
    )
    wait_for(lambda: "Connection refused" in house.err("run"))
    wait_for(lambda: len(house.world.journal.lines("pagerduty", "GET", "/log_entries")) > 3)
    house.server.open_door("jira")
    wait_for(lambda: house.tickets(incident))
    assert house.err("run").count("Connection refused") == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_a_request_under_way_at_sigterm_ends_and_is_on_record(house: House, started: Start) -> None:
    rule = house.world.faults.add(faults.delay(1, after=True), service="jira", method="POST", path="/issue$")
    incident = house.trigger()
    process = started("run")
    wait_for(under_way(rule))
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    data = house.syncd("show", incident, "--json").json
    assert data["operations"][0]["state"] == "done"
    assert data["ticket"]["key"] == house.tickets(incident)[0]["key"]


@pytest.mark.parametrize("path", ["/serverInfo$", "/search/jql$", "/issue$"])
def test_a_request_without_an_answer_does_not_hold_up_sigterm(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first contact, in a cycle and in a worker: the process ends when the grace is over."""
    monkeypatch.setattr(daemon, "GRACE_SECONDS", 0.3)
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    house.trigger()
    rule = house.world.faults.add(faults.delay(25), service="jira", path=path)

    def stop() -> None:
        wait_for(under_way(rule))
        os.kill(os.getpid(), signal.SIGTERM)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        house.syncd("run")
    finally:
        stopper.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended == [0], "it waited for the answer"


@pytest.mark.parametrize("after", [True, False], ids=["after Jira made it", "before Jira made it"])
def test_killed_in_the_middle_of_a_create_it_leaves_one_ticket(
    house: House, started: Start, after: bool
) -> None:
    house.set("SYNCD_SETTLE_SECONDS", "600")
    gate, answer = threading.Event(), house.world.answer

    def held(name: str, call: Call, _sleep: object) -> Delivery:
        return answer(name, call, lambda _seconds: gate.wait(PATIENCE))

    house.monkeypatch.setattr(house.world, "answer", held)
    rule = house.world.faults.add(faults.delay(1, after=after), service="jira", method="POST", path="/issue$")
    incident = house.trigger()
    process = started("run", "--once")
    wait_for(under_way(rule))
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    code = house.syncd("run", "--once").code
    assert code == (0 if after else 75)
    gate.set()  # where Jira had not made it yet, it does so now, long after the answer had nowhere to go
    wait_for(lambda: house.tickets(incident))
    wait_for(lambda: house.syncd("run", "--once").code == 0)
    assert len(house.tickets(incident)) == 1
    (link,) = [row for row in house.world.pagerduty.account.incidents[incident].notes if not row.deleted]
    assert "OPS-1" in link.content
