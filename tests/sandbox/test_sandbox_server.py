import http.client
import json
import socket
import threading
from typing import Any

import pytest
import requests

from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_EMAIL, PAGERDUTY_KEY
from syncd.sandbox.mail import MailSandbox
from syncd.sandbox.presets import data_center

KEY = {"Authorization": f"Token token={PAGERDUTY_KEY}", "From": BOT_EMAIL}


def connect(server: Any, name: str = "pagerduty") -> http.client.HTTPConnection:
    host, _, port = server.url(name).removeprefix("http://").partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=5)


def ask(connection: http.client.HTTPConnection, path: str = "/abilities") -> int:
    connection.request("GET", path, headers=KEY)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_connection_is_kept(server: Any) -> None:
    connection = connect(server)
    ask(connection)
    first = connection.sock
    assert {ask(connection) for _ in range(100)} == {200}
    assert connection.sock is first
    connection.close()


def test_the_date_is_the_sandboxs(world: Any, server: Any) -> None:
    world.advance(3600)
    answer = requests.get(server.url("pagerduty") + "/abilities", headers=KEY, timeout=5)
    assert answer.headers["Date"] == "Mon, 16 Nov 2026 07:00:00 GMT"


def test_own_addresses_are_those_of_the_door(world: Any, server: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    shown = requests.get(f"{server.url('pagerduty')}/incidents/{made.id}", headers=KEY, timeout=5).json()
    assert requests.get(shown["incident"]["self"], headers=KEY, timeout=5).json() == shown


def test_a_reset_reaches_the_caller(world: Any, server: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.faults.add(faults.lose_answer(), method="POST")
    url = f"{server.url('pagerduty')}/incidents/{made.id}/notes"
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json={"note": {"content": "x"}}, headers=KEY, timeout=5)
    assert len(made.notes) == 1


def test_a_cut_answer_ends_short_of_its_length(world: Any, server: Any) -> None:
    world.faults.add(faults.cut())
    connection = connect(server)
    connection.request("GET", "/services", headers=KEY)
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_a_trickle_is_slower_than_anyones_patience(world: Any, server: Any) -> None:
    world.faults.add(faults.trickle())
    connection = connect(server)
    connection.sock = socket.create_connection((connection.host, connection.port), timeout=0.3)
    connection.request("GET", "/abilities", headers=KEY)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_closed_door_refuses_and_opens_on_the_same_port(world: Any, server: Any) -> None:
    url, other = server.url("pagerduty") + "/abilities", connect(server, "jira")
    kept = connect(server)
    ask(kept)
    server.close_door("pagerduty")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, headers=KEY, timeout=5)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(kept)
    assert ask(other, "/rest/api/2/serverInfo") == 401
    server.open_door("pagerduty")
    assert requests.get(url, headers=KEY, timeout=5).status_code == 200
    kept.close()
    other.close()


def test_the_journal_counts_by_template(world: Any, server: Any) -> None:
    numbers = [world.pagerduty.trigger("Payments", "x").number for _ in range(3)]
    connection = connect(server)
    for number in numbers:
        ask(connection, f"/incidents/{number}")
    connection.close()
    assert world.journal.counts() == {("pagerduty", "GET", "/incidents/{id}"): 3}
    assert world.journal.writes() == []


def test_the_settings_of_a_daemon_lead_to_the_doors(world: Any, server: Any) -> None:
    with MailSandbox(world.clock) as mail:
        settings = server.environment(mail)
    assert settings["SYNCD_JIRA_URL"] == server.url("jira")
    assert settings["SYNCD_SMTP_PORT"] == str(mail.port)
    key = {"Authorization": f"Token token={settings['SYNCD_PAGERDUTY_TOKEN']}"}
    assert requests.get(settings["SYNCD_PAGERDUTY_URL"] + "/priorities", headers=key, timeout=5).ok
    who = (settings["SYNCD_JIRA_EMAIL"], settings["SYNCD_JIRA_TOKEN"])
    assert requests.get(settings["SYNCD_JIRA_URL"] + "/rest/api/2/myself", auth=who, timeout=5).ok
    data_center(world)
    assert "SYNCD_JIRA_EMAIL" not in server.environment()


def test_many_callers_at_once_get_their_own_answers(world: Any, server: Any) -> None:
    world.pagerduty.account.options.limits = False
    made = [world.pagerduty.trigger("Payments", f"number {number}") for number in range(8)]
    wrong: list[str] = []

    def read(incident: Any) -> None:
        connection = connect(server)
        for _ in range(25):
            connection.request("GET", f"/incidents/{incident.id}", headers=KEY)
            shown = json.loads(connection.getresponse().read())["incident"]
            if shown["title"] != incident.title:
                wrong.append(shown["title"])
        connection.close()

    callers = [threading.Thread(target=read, args=(incident,)) for incident in made]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []
    assert world.journal.total("pagerduty", "GET") == 200
