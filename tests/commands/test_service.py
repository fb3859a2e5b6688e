"""The daemon as a service: what it tells its manager, what its watchdog sees, how it reads its rules anew."""

from __future__ import annotations

import hmac
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import ledger_reading
import pytest
import requests
from commandline import House, Process
from ledger_reading import opened
from waiting import PATIENCE, pause, wait_for

from syncd.sandbox import faults

Start = Callable[..., Process]
QUICK = "from syncd.engine.runtime import watchdog; watchdog.STUCK_AFTER = 0.6\n"
MAPPING = Path("mappings/qrpay.yaml")


class Manager:
    """What a service manager hears."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """Every line so far."""
        while True:
            try:
                self._heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self._heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(house: House) -> Iterator[Manager]:
    made = Manager(house.folder)
    house.set("NOTIFY_SOCKET", made.address)
    house.set("SYNCD_POLL_SECONDS", "0.2")
    yield made
    made.close()


def events(house: House, *kinds: str) -> list[tuple[str, dict[str, object]]]:
    """The audit events of these kinds."""
    with opened(house.folder / ".syncd/syncd.db") as db:
        return ledger_reading.events(db, *kinds)


def change(old: str, new: str) -> None:
    text = MAPPING.read_text()
    assert old in text
    MAPPING.write_text(text.replace(old, new))


def test_it_is_ready_when_everything_is_up_and_says_how_it_stands(
    house: House, started: Start, manager: Manager
) -> None:
    rule = house.world.faults.add(faults.delay(0.5), service="jira", path="/serverInfo$", times=1)
    house.trigger()
    process = started("run")
    wait_for(lambda: rule.struck)
    assert "READY=1" not in manager.heard()
    wait_for(lambda: any("1 open" in line and "last good cycle" in line for line in manager.heard()))
    heard = manager.heard()
    assert heard.index("READY=1") < next(n for n, line in enumerate(heard) if "last good" in line)
    assert any("Nobody receives mail" in line for line in heard)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert manager.heard()[-1] == "STOPPING=1"


def test_a_service_that_is_down_stops_neither_the_start_nor_the_watchdog(
    house: House, started: Start, manager: Manager
) -> None:
    house.set("WATCHDOG_USEC", "200000")
    house.server.close_door("jira")
    started("run", first=QUICK)
    wait_for(lambda: "READY=1" in manager.heard())
    before = manager.heard().count("WATCHDOG=1")
    wait_for(lambda: manager.heard().count("WATCHDOG=1") > before + 12)
    assert any("jira has been down since" in line for line in manager.heard())


HANG = "time.sleep(60)"
RAISE = "raise ValueError('gone')"


@pytest.mark.parametrize(
    ("module", "owner", "name", "does", "words"),
    [
        ("syncd.engine.observe.jira", "JiraPoller", "poll", HANG, "the current cycle has made no progress"),
        ("syncd.web", "source", "instance_of", RAISE, "the ledger does not answer: ValueError"),
    ],
    ids=["a cycle that hangs", "a ledger that does not answer"],
)
def test_the_watchdog_hears_nothing_more_of(
    house: House, started: Start, manager: Manager, module: str, owner: str, name: str, does: str, words: str
) -> None:
    """The fault strikes once a file is there: before, the watchdog was told."""
    house.set("WATCHDOG_USEC", "100000")
    trap = (
        f"{QUICK}import os, time\nfrom {module} import {owner}\nkept = {owner}.{name}\n"
        f"def struck(*a, **k):\n    if os.path.exists('strike'):\n        {does}\n    return kept(*a, **k)\n"
        f"{owner}.{name} = struck\n"
    )
    started("run", first=trap)
    wait_for(lambda: "WATCHDOG=1" in manager.heard())
    Path("strike").touch()
    wait_for(lambda: words in house.err("run"))
    before = manager.heard().count("WATCHDOG=1")
    pause(0.3)
    assert manager.heard().count("WATCHDOG=1") == before


def test_sigterm_ends_a_wait_that_a_service_asked_for(house: House, started: Start, manager: Manager) -> None:
    later = faults.error(429, headers={"Retry-After": "20"})
    rule = house.world.faults.add(later, service="jira", method="POST", path="/issue$")
    house.trigger()
    house.trigger("Another one")
    process = started("run")
    wait_for(lambda: rule.struck)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert "stopped with requests that have no answer yet" not in house.err("run")


def test_sighup_loads_changed_rules_and_puts_them_on_record(
    house: House, started: Start, manager: Manager
) -> None:
    process = started("run")
    wait_for(lambda: "READY=1" in manager.heard())
    change("priority: Highest", "priority: Lowest")
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: manager.heard().count("READY=1") == 2)
    assert "RELOADING=1" in manager.heard()
    incident = house.trigger(priority="P1")
    (ticket,) = wait_for(lambda: house.tickets(incident))
    assert ticket["fields"]["priority"]["name"] == "Lowest"
    (first, data) = events(house, "rules.loaded")[0]
    assert first == "rules.loaded"
    assert data["file"] == "qrpay.yaml"
    ((_, changed),) = events(house, "rules.changed")
    assert changed["uid"] == os.getuid()
    assert changed["why"] == "SIGHUP"
    assert changed["before"] == data["hash"] != changed["hash"]
    assert any("priority" in each_change and "Lowest" in each_change for each_change in changed["changes"])  # type: ignore[attr-defined]
    assert not any("@" in dump for dump in json.dumps(changed))


def test_rules_that_are_wrong_or_do_not_fit_change_nothing_and_the_daemon_goes_on(
    house: House, started: Start, manager: Manager
) -> None:
    started("run")
    wait_for(lambda: "READY=1" in manager.heard())
    change("priority: Highest", "priority: Lowest")
    change("enforce_from", "enforce_form")
    result = house.syncd("reload")
    assert result.code == 78
    assert "enforce_form: unknown key" in result.err
    assert "stay in force" in result.err
    change("enforce_form", "enforce_from")
    change("project: OPS", "project: NOPE")
    result = house.syncd("reload")
    assert result.code == 78
    assert "NOPE" in result.err
    incident = house.trigger(priority="P1")
    (ticket,) = wait_for(lambda: house.tickets(incident))
    assert ticket["fields"]["priority"]["name"] == "Highest"
    assert events(house, "rules.changed") == []


def test_reload_says_what_changed_and_decides_what_waits_anew(
    house: House, started: Start, manager: Manager
) -> None:
    started("run")
    wait_for(lambda: "READY=1" in manager.heard())
    assert house.syncd("pause", "jira", "--reason", "a test").code == 0
    incident = house.trigger(service="BluBank Integration", priority="P1")
    wait_for(lambda: house.syncd("outbox", "--json").json["counts"]["pending"])
    change("priority: Highest", "priority: Lowest")
    result = house.syncd("reload")
    assert result.code == 0
    assert "qrpay.yaml: severities.SEV0.priority" in result.out
    assert house.syncd("reload").out == "nothing has changed\n"
    assert house.syncd("resume", "jira").code == 0
    (ticket,) = wait_for(lambda: house.tickets(incident))
    assert ticket["fields"]["priority"]["name"] == "Lowest"


def test_reload_without_a_daemon_says_so(house: House) -> None:
    house.syncd("run", "--once")
    result = house.syncd("reload")
    assert result.code == 0
    assert result.out.startswith("no daemon is running")
    assert result.err == ""


def test_rules_that_changed_while_no_daemon_ran_are_on_record_too(house: House) -> None:
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    assert events(house, "rules.changed") == []
    change("priority: Highest", "priority: Lowest")
    house.syncd("run", "--once")
    ((_, changed),) = events(house, "rules.changed")
    assert changed["why"] == "start"
    MAPPING.unlink()
    assert house.syncd("init", "mappings", "--example", "ramen").code == 0
    house.syncd("run", "--once")
    assert [data["file"] for _, data in events(house, "rules.removed")] == ["qrpay.yaml"]


class Page(BaseHTTPRequestHandler):
    """An address that counts its visitors."""

    visits = 0

    def do_GET(self) -> None:
        type(self).visits += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_webhook_is_acted_upon_at_once_and_good_cycles_beat(house: House, started: Start) -> None:
    house.syncd("run", "--once")  # what is older than the ledger waits for a search
    younger = house.clock.now() + timedelta(seconds=1)
    beats = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=beats.serve_forever, daemon=True).start()
    house.set("SYNCD_HEARTBEAT_URL", f"http://127.0.0.1:{beats.server_port}/ping/5ecret")
    house.set("SYNCD_POLL_SECONDS", "600")
    house.set("SYNCD_HTTP_LISTEN", "127.0.0.1:0")
    house.set("SYNCD_PAGERDUTY_WEBHOOK_SECRETS", "older,newer")
    process = started("run")
    try:
        (port,) = wait_for(lambda: re.findall(r"listening on 127\.0\.0\.1:(\d+)", house.err("run")))
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: requests.get(f"{url}/readyz", timeout=5).status_code == 200)
        wait_for(lambda: Page.visits == 1)
        # PagerDuty tells whole seconds
        wait_for(lambda: house.clock.now() >= younger)
        incident = house.trigger()
        number = house.world.pagerduty.account.incidents[incident].service_id
        service = {"id": number, "type": "service_reference", "summary": "Alipay Integration"}
        data = {"id": incident, "type": "incident", "service": service}
        body = json.dumps({"event": {"id": "01", "event_type": "incident.triggered", "data": data}}).encode()
        signed = {"X-PagerDuty-Signature": "v1=" + hmac.new(b"newer", body, "sha256").hexdigest()}
        answer = requests.post(f"{url}/webhooks/pagerduty", data=body, headers=signed, timeout=5)
        assert (answer.status_code, answer.text) == (202, "used\n")
        wait_for(lambda: house.tickets(incident))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        beats.shutdown()
        beats.server_close()
    assert "5ecret" not in house.err("run")


def test_an_address_that_is_taken_is_78_and_says_which(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        house.set("SYNCD_HTTP_LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        result = house.syncd("run")
    assert result.code == 78
    assert "SYNCD_HTTP_LISTEN: cannot listen on 127.0.0.1:" in result.err
