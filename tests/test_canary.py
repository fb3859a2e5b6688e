"""The canary: words of restricted incidents, and both tokens, turn up nowhere but where they belong.

Everything that the product leaves behind is searched: the log of a real daemon at DEBUG while services fail
and quote what they were sent, every byte of the ledger, what commands print, the other tickets, PagerDuty.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from commands.commandline import House, end
from shifted_clock import ShiftedClock
from waiting import PATIENCE, wait_for

from syncd.sandbox import dump, faults
from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.server import SandboxServer

WORDS = "KANARIENVOGEL"
PAGERDUTY_TOKEN = "CANARY-pagerduty-9f27"
JIRA_TOKEN = "CANARY-jira-41c8"
BASIC = base64.b64encode(f"{BOT_EMAIL}:{JIRA_TOKEN}".encode()).decode()
WEBHOOKS = "CANARY-webhooks-77aa"
HEARTBEAT = "CANARY-heartbeat-0b1c"
ROUTING_KEY = "CANARY-routing-key-5a7e"
CHAT = "CANARY-chat-webhook-3c1f"
SECRETS = (PAGERDUTY_TOKEN, JIRA_TOKEN, BASIC, WEBHOOKS, HEARTBEAT, ROUTING_KEY, CHAT)
READING = (
    ("status",),
    ("status", "--json"),
    ("status", "--all", "--json"),
    ("outbox",),
    ("outbox", "--json"),
    ("plan",),
    ("plan", "--json"),
)
WHAT = {"errorMessages": [f"what about {JIRA_TOKEN}?"]}
ECHO = {"errorMessages": [f"what about {WORDS}?"], "errors": {"labels": f"{WORDS} {JIRA_TOKEN}"}}


@pytest.fixture
def canary(
    tmp_path: Path, start: datetime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    """Yield Ramen's shipped mapping on a sandbox whose tokens are canaries."""
    for name in list(os.environ):
        if name.startswith(("SYNCD_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    clock = ShiftedClock(start)
    world = default_world(SandboxClock(clock.now), limits=False)
    world.pagerduty.account.tokens = {PAGERDUTY_TOKEN: None}
    world.jira.site.tokens = {(BOT_EMAIL, JIRA_TOKEN): BOT_ACCOUNT}
    world.chat.add_webhook("ramen-status", secret=CHAT)
    with SandboxServer(world) as server:
        house = House(world, server, tmp_path, clock, monkeypatch, capsys)
        for name, value in {
            "PAGERDUTY_URL": server.url("pagerduty"),
            "PAGERDUTY_TOKEN": PAGERDUTY_TOKEN,
            "PAGERDUTY_FROM": BOT_EMAIL,
            "JIRA_URL": server.url("jira"),
            "JIRA_EMAIL": BOT_EMAIL,
            "JIRA_TOKEN": JIRA_TOKEN,
            "LOG_LEVEL": "DEBUG",
            "HTTP_LISTEN": "127.0.0.1:0",
            "PAGE_LISTEN": "127.0.0.1:0",
            "PAGERDUTY_WEBHOOK_SECRETS": WEBHOOKS,
            "JIRA_WEBHOOK_SECRET": WEBHOOKS,
            "HEARTBEAT_URL": f"http://127.0.0.1:9/{HEARTBEAT}",
            "ALARM_URL": server.url("pagerduty"),
            "ALARM_ROUTING_KEY": ROUTING_KEY,
            "CHAT_URLS": world.chat.urls(),
            "POLL_SECONDS": "0.5",
            "SETTLE_SECONDS": "1",
            "MAPPINGS_DIR": "mappings",
        }.items():
            house.set(f"SYNCD_{name}", value)
        assert house.syncd("init", "mappings", "--example", "ramen").code == 0
        rules = Path("mappings/ramen.yaml")
        at_once = "postmortem:\n  after_minutes: 0\n  remind_hours: [48.0, 47.0]"
        text = re.sub(r"^postmortem:.*$", at_once, rules.read_text(), flags=re.MULTILINE)
        rules.write_text(f"{text}\nchat:\n  mode: enforce\n  channel: ramen-status\n")
        yield house


def play(house: House) -> dict[str, str]:
    """Open restricted and plain incidents with the words in every text; return their ids by name."""
    people = house.world.pagerduty
    ids = {
        "title": house.trigger(f"PII of {WORDS} in a log", "Payments", priority="P1", details={"x": WORDS}),
        "low": house.trigger(f"Security: {WORDS} logged in", "Dispatch", priority="P3", key=f"key-{WORDS}"),
        "plain": house.trigger("Couriers are late", "Dispatch", priority="P3"),
        "other": house.trigger("Queue grows", "Webhooks", priority="P2"),
    }
    for name in ("title", "low"):
        people.note(ids[name], f"it was {WORDS}", "Diego Fuentes")
        people.acknowledge(ids[name], "Diego Fuentes")
    people.set_priority(ids["low"], "P2", "Diego Fuentes")
    return ids


def break_things(house: House) -> None:
    """Let answers be lost or refused in between; some quote our words and our token."""
    add, of_restricted = house.world.faults.add, {"service": "jira", "method": "POST", "body": "[Ss]ecurity"}
    add(faults.error(400, body=ECHO), path=r"/issue$", times=1, **of_restricted)
    add(faults.error(500, body=ECHO), path=r"/issue$", times=1, skip=1, **of_restricted)
    add(faults.lose_answer(), path=r"/issue$", times=1, skip=2, **of_restricted)
    add(faults.error(400, body=WHAT), service="jira", method="POST", path="/transitions", times=1, skip=1)
    add(faults.cut(), service="jira", path="/search", times=1, skip=3)
    add(faults.html(), service="pagerduty", method="GET", path="/log_entries", times=1, skip=1)
    add(faults.lose_answer(), service="pagerduty", method="POST", path="/notes", times=1)
    add(faults.error(404, body=f"no webhook {CHAT}".encode()), service="chat", times=1)


def done(house: House, made: dict[str, str]) -> bool:
    data = house.syncd("status", "--json").json
    waiting = sum(data["outbox"][state] for state in ("pending", "in_flight", "unknown"))
    return len(data["incidents"]) == len(made) and not waiting


def over_the_listener(house: House, incident: str) -> dict[str, str]:
    """Return what the listener shows and answers, also to a sender of our words."""
    port, page = wait_for(lambda: re.findall(r"listening on 127\.0\.0\.1:(\d+)", house.err("run")))
    url = f"http://127.0.0.1:{port}"
    answers = {path: requests.get(url + path, timeout=5).text for path in ("/healthz", "/readyz", "/metrics")}
    for path in ("/", "/team/Ramen"):
        answer = requests.get(f"http://127.0.0.1:{page}{path}", timeout=5)
        assert answer.status_code == 200
        answers[f"page {path}"] = answer.text
    data = {
        "id": incident,
        "type": "incident",
        "title": WORDS,
        "service": {"id": "P0", "summary": "Payments"},
    }
    body = json.dumps({"event": {"id": "01", "event_type": "incident.triggered", "data": data}}).encode()
    signed = {"X-PagerDuty-Signature": "v1=" + hmac.new(WEBHOOKS.encode(), body, "sha256").hexdigest()}
    for headers in (signed, {"X-PagerDuty-Signature": f"v1={WEBHOOKS}"}):
        answer = requests.post(f"{url}/webhooks/pagerduty", data=body, headers=headers, timeout=5)
        answers[f"webhook {answer.status_code}"] = answer.text + str(answer.headers)
    assert {"webhook 202", "webhook 401"} <= answers.keys()
    return answers


def duty_issues(house: House, incident: str, kind: str) -> list[dict[str, Any]]:
    """Return the postmortems or action items that were made for an incident."""
    marked = house.tickets(incident)
    return [issue for issue in marked if issue["properties"]["syncd"]["kind"] == kind]


def write_the_postmortem(house: House, incident: str) -> None:
    """End the incident, and let people write the words into everything that follows it."""
    house.world.pagerduty.resolve(incident, "Diego Fuentes")
    (duty_issue,) = wait_for(lambda: duty_issues(house, incident, "create_postmortem"))
    people = house.world.jira
    table = f"h2. Action items\n||Action||Owner||Due||\n|Rotate {WORDS}|Priya Raman|2027-01-01|"
    people.edit(duty_issue["key"], by="Priya Raman", description=table, summary=f"Postmortem of {WORDS}")
    people.comment(duty_issue["key"], f"It was {WORDS}", "Priya Raman")
    item = people.sub_task(duty_issue["key"], f"Rotate {WORDS} again", by="Priya Raman")
    people.comment(item.key, f"{WORDS} is rotated", "Priya Raman")
    wait_for(lambda: item.key in house.syncd("actions", "--json").out)
    wait_for(lambda: "completed" in house.syncd("show", incident).out)


def searched(house: House, made: dict[str, str], log: str) -> dict[str, str]:
    """Return by place everything that is left behind, without restricted tickets and texts of people."""
    texts = {"log": log}
    shows = [("show", row, *more) for row in made.values() for more in ((), ("--json",))]
    for args in (
        *READING,
        *shows,
        ("actions",),
        ("actions", "--json"),
        ("report", "--json"),
        ("audit", "verify", "--json"),
    ):
        result = house.syncd(*args)
        texts[" ".join(args)] = result.out + result.err
    for path in Path(".syncd").rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_bytes().decode("latin-1")
    issues = dump.whole(house.world)["jira"]["issues"]
    marks = [(row["properties"]["syncd"], row) for row in issues if row["properties"].get("syncd")]
    ours = {mark["incident"]: row for mark, row in marks if mark["kind"] == "create_ticket"}
    for name in ("plain", "other"):
        texts[f"ticket of {name}"] = json.dumps(ours[made[name]])
    texts["chat"] = json.dumps([post.body for post in house.world.chat.posts])
    for row in dump.whole(house.world)["pagerduty"]["incidents"]:
        notes = [note["content"] for note in row["notes"] if not note["content"].startswith("it was")]
        texts[f"notes of {row['id']}"] = json.dumps(notes)
    return texts


@pytest.mark.parametrize("level", [True, False], ids=["under the level", "as a stub"])
def test_neither_words_nor_tokens_turn_up_where_they_do_not_belong(canary: House, level: bool) -> None:
    house = canary
    if not level:
        project = house.world.jira.site.project("OPS")
        assert project is not None
        project.denied.add("SET_ISSUE_SECURITY")
    break_things(house)
    made = play(house)
    daemon = house.start("run")
    try:
        wait_for(lambda: (house.folder / ".syncd" / "syncd.db").exists())
        wait_for(lambda: house.tickets(made["title"]) and done(house, made))
        (secret,) = house.tickets(made["title"])
        house.world.jira.comment(secret["key"], f"I agree: {WORDS}", "Priya Raman")
        house.world.pagerduty.set_title(made["title"], f"PII and more {WORDS}", "Diego Fuentes")
        house.world.pagerduty.note(made["plain"], "it was nothing", "Diego Fuentes")
        (plain,) = wait_for(lambda: house.tickets(made["plain"]))
        wait_for(lambda: any("nothing" in row["body"] for row in house.tickets(made["plain"])[0]["comments"]))
        write_the_postmortem(house, made["title"])
        listened = over_the_listener(house, made["title"])
        change = Path("mappings/ramen.yaml")
        change.write_text(change.read_text() + f"\n# {WORDS}\n")
        assert house.syncd("reload").code == 0
        assert house.syncd("backup").code == 0
        while_running = {**searched(house, made, house.err("run")), **listened}
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(PATIENCE)
    finally:
        end(daemon)
    log = house.err("run") + house.syncd("--debug", "run", "--once").err
    afterwards = searched(house, made, log)
    assert log.count("\n") > 10
    assert [post.text for post in house.world.chat.posts if "Couriers" in post.text or "Queue" in post.text]
    leaks = {
        where: [word for word in (WORDS, *SECRETS) if word in text]
        for where, text in {**while_running, **{f"after: {k}": v for k, v in afterwards.items()}}.items()
    }
    assert {where: words for where, words in leaks.items() if words} == {}
    (secret,) = duty_issues(house, made["title"], "create_ticket")
    assert (WORDS in secret["fields"]["summary"]) is level
    assert (secret["fields"]["security"] is not None) is level
    if not level:
        assert secret["fields"]["summary"] == "Security incident #1"
        assert WORDS not in str(secret["fields"]["description"])
    assert len(plain["properties"]) == 1


def test_the_canary_is_found_where_an_incident_is_not_restricted(canary: House) -> None:
    incident = canary.trigger(f"Couriers of {WORDS} are late", "Dispatch")
    canary.syncd("run", "--once")
    assert WORDS in canary.syncd("show", incident).out
    assert WORDS.encode() in b"".join(file.read_bytes() for file in Path(".syncd").glob("syncd.db*"))
    (ticket,) = canary.tickets(incident)
    assert WORDS in ticket["fields"]["summary"]


def test_a_title_is_logged_of_no_incident(canary: House) -> None:
    canary.trigger(f"Couriers of {WORDS} are late", "Dispatch")
    canary.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=1)
    result = canary.syncd("--debug", "run", "--once")
    assert "create_ticket" in result.err
    assert WORDS not in result.err


def test_whoever_asks_for_restricted_titles_gets_them_from_pagerduty(canary: House) -> None:
    incident = canary.trigger(f"PII of {WORDS}", "Payments")
    canary.syncd("run", "--once")
    for args in (("status",), ("status", "--json"), ("show", incident), ("show", incident, "--json")):
        assert WORDS not in canary.syncd(*args).out
        assert WORDS in canary.syncd(*args, "--restricted").out
