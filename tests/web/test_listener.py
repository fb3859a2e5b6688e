"""The listener on a real socket, over the real engine: life signs, metrics, and webhooks."""

from __future__ import annotations

import gc
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from ledger_reading import AuditEventRow, ChangeNoticeRow, holding, pause, rows
from rig import Rig
from ruamel.yaml import YAML

from syncd.domain.operation import Target
from syncd.engine.context import SERVICES
from syncd.engine.runtime.watchdog import Watchdog
from syncd.ledger.store.lookups import find_ticket
from syncd.sandbox import faults
from syncd.web import app as web
from syncd.web.app import LARGEST_BODY, Secrets, make_app
from syncd.web.metrics import Metrics
from syncd.web.receive import Receiver
from syncd.web.server import Listener
from syncd.web.source import Source

SECRET = "a-secret-of-webhooks"
SYSTEMD = Path(__file__).parents[2] / "systemd"


class Web:
    """A listener over a rig."""

    def __init__(self, rig: Rig, secrets: Secrets) -> None:
        self.rig = rig
        self.handed: list[str] = []
        self.watchdog = Watchdog(rig.clock, 30)
        expires = {"jira": rig.clock.now().date() + timedelta(days=12)}
        context = replace(rig.context, watchdog=self.watchdog, expires=expires)
        self.receiver = Receiver(context, self.handed.extend)
        source = Source(context, lambda: rig.loop.good_reads.latest(), self.receiver, 30)
        app = make_app(source, Metrics(source, rig.clock.now()), secrets)
        self.listener = Listener("127.0.0.1", 0, app, "webhooks, health and metrics")
        self.listener.start()
        self.url = f"http://127.0.0.1:{self.listener.port}"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=5)

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels."""
        figures = {}
        for line in self.get("/metrics").text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                figures[name] = float(value)
        return figures

    def send(self, source: str, body: bytes, **headers: str) -> requests.Response:
        """A webhook with a valid signature, unless `headers` says otherwise."""
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        name, value = {
            "pagerduty": ("X-PagerDuty-Signature", f"v1={digest}"),
            "jira": ("X-Hub-Signature", f"sha256={digest}"),
        }[source.rstrip("/")]
        given = {name: value, **headers}
        return requests.post(f"{self.url}/webhooks/{source}", data=body, headers=given, timeout=10)

    def looks(self) -> list[ChangeNoticeRow]:
        return rows(self.rig.ledger, ChangeNoticeRow)


def pagerduty(incident: str, kind: str = "incident.acknowledged", **data: Any) -> bytes:
    """The envelope of a v3 webhook as PagerDuty documents it."""
    of_incident = {"id": incident, "type": "incident", "number": 1, **data}
    note = {
        "id": "PNOTE1",
        "type": "incident_note",
        "incident": {"id": incident, "type": "incident_reference"},
    }
    event = {
        "id": "01" + hashlib.sha256(f"{incident}{kind}{data}".encode()).hexdigest()[:24].upper(),
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-11-22T08:00:00Z",
        "agent": None,
        "client": None,
        "data": note if kind == "incident.annotated" else of_incident,
    }
    return json.dumps({"event": event}).encode()


def trigger(rig: Rig, **more: Any) -> str:
    return rig.world.pagerduty.trigger("Alipay Integration", "Callbacks time out", **more).id


def test_it_is_well_while_the_loop_goes_round_and_ready_while_both_sides_are_read(
    house: Rig, web_of: Callable[..., Web]
) -> None:
    web = web_of()
    assert (web.get("/healthz").status_code, web.get("/healthz").text) == (200, "ok\n")
    ready = web.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert set(ready.json()["last_good_cycle"]) == {"pagerduty", "jira"}
    house.server.close_door("jira")
    for _ in range(12):
        with web.watchdog.cycle():
            house.cycle()
    late = web.get("/readyz")
    assert late.status_code == 503
    assert list(late.json()["down"]) == ["jira"]
    assert web.get("/healthz").status_code == 200
    house.world.advance(61)
    assert web.get("/healthz").status_code == 503
    assert "no cycle has begun" in web.get("/healthz").text


def test_it_is_not_well_when_the_ledger_does_not_answer(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()

    def gone() -> AbstractContextManager[Any]:
        raise OSError("gone")

    house.ledger.read, kept = gone, house.ledger.read  # type: ignore[assignment]
    try:
        assert web.get("/healthz").status_code == 503
    finally:
        house.ledger.read = kept


def test_readyz_says_how_much_waits_and_how_long(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    pause(house.ledger, Target.JIRA, "anybody", "a test", house.clock.now())
    trigger(house)
    house.cycle()
    house.cycle(60)
    state = web.get("/readyz").json()
    assert state["queue"] >= 1
    assert state["oldest_waiting_seconds"] >= 60
    metrics = web.metrics()
    assert (metrics['syncd_paused{target="jira"}'], metrics['syncd_paused{target="mail"}']) == (1, 0)


def test_the_metrics_tell_what_happened(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    incident = trigger(house, urgency="high")
    house.cycle()
    house.settle()
    metrics = web.metrics()
    assert metrics["syncd_open_incidents"] == 1
    assert metrics['syncd_cycle_age_seconds{side="jira"}'] < 31
    assert metrics['syncd_requests_total{outcome="ok",service="jira"}'] > 3
    assert metrics['syncd_operations{state="done"}'] >= 2
    assert metrics['syncd_ticket_delay_seconds_bucket{le="60.0"}'] == 1
    assert metrics["syncd_ticket_delay_seconds_count"] == 1
    assert metrics["syncd_bulk_lag_seconds_count"] == 1
    assert metrics['syncd_credential_days_left{service="jira"}'] == 12
    assert metrics["syncd_duplicates_left"] == 0
    text = web.get("/metrics").text
    assert incident not in text
    assert "Callbacks" not in text


def test_the_metrics_name_only_a_service_that_refuses_our_credentials(
    house: Rig, web_of: Callable[..., Web]
) -> None:
    web = web_of()
    house.cycle()
    assert [web.metrics()[f'syncd_credential_refused{{service="{name}"}}'] for name in SERVICES] == [0, 0]
    house.world.faults.add(faults.error(401), service="jira", times=None)
    house.cycle(30)
    refused = {name: web.metrics()[f'syncd_credential_refused{{service="{name}"}}'] for name in SERVICES}
    assert refused == {"pagerduty": 0, "jira": 1}


def _metrics_in(query: str) -> list[str]:
    return re.findall(r"syncd_\w+", query)


def test_alert_rules_and_the_dashboard_stand_on_metrics_that_exist(
    house: Rig, web_of: Callable[..., Web]
) -> None:
    web = web_of()
    web.send("pagerduty", b"{}")
    house.cycle()
    existing = {name.partition("{")[0] for name in web.metrics()}
    existing |= {
        line.split()[2] for line in web.get("/metrics").text.splitlines() if line.startswith("# TYPE")
    }
    rules = YAML(typ="safe").load((SYSTEMD / "alerts.yaml").read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"syncd_\w+", rule["expr"])}
    assert len(rules) >= 10
    assert named - existing == set()
    assert all(rule["annotations"]["summary"] and rule["annotations"]["action"] for rule in rules)
    panels = json.loads((SYSTEMD / "dashboard.json").read_text())["panels"]
    shown = {
        name for panel in panels for query in panel.get("targets", ()) for name in _metrics_in(query["expr"])
    }
    assert shown - existing == set()
    kinds = {line.split()[2] for line in web.get("/metrics").text.splitlines() if line.startswith("# TYPE")}
    bare = {name.removesuffix("_bucket") for name in shown}
    # `_created` tells when a counter began
    assert {name for name in kinds if not name.endswith("_created")} - bare == set()


def test_a_webhook_makes_a_row_to_look_again_and_nothing_else(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    incident = trigger(house)
    service = {"id": "PSVC001", "summary": "renamed meanwhile", "type": "service_reference"}
    answer = web.send("pagerduty", pagerduty(incident, "incident.triggered", service=service))
    assert (answer.status_code, answer.text) == (202, "used\n")
    (look,) = web.looks()
    assert (look.incident_id, look.why, look.notes) == (incident, "PagerDuty sent incident.triggered", False)
    assert web.handed == [incident]
    house.loop.work_queue.submit(web.handed)
    house.loop.work_queue.drain()
    assert web.looks() == []
    assert [operation.kind for operation in house.operations("done")][:1] == ["create_ticket"]


def test_a_note_asks_for_the_notes_and_an_unknown_incident_by_reference_is_passed_over(
    house: Rig, web_of: Callable[..., Web]
) -> None:
    web = web_of()
    unknown = web.send("pagerduty", pagerduty("PNEVER1", "incident.annotated"))
    assert unknown.text == "unused\n"
    incident = trigger(house)
    house.cycle()
    assert web.send("pagerduty", pagerduty(incident, "incident.annotated")).text == "used\n"
    assert [look.notes for look in web.looks()] == [True]


def test_the_same_delivery_twice_is_used_once(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    body = pagerduty(incident)
    assert web.send("pagerduty", body).text == "used\n"
    assert web.send("pagerduty", body).text == "known\n"
    # a header is not signed: anybody can repeat a delivery under another one
    assert web.send("pagerduty", body, **{"X-Webhook-Id": "two"}).text == "known\n"
    other = body.replace(b'"id": "01', b'"id": "02')
    assert other != body
    assert web.send("pagerduty", other).text == "used\n"


USELESS = (
    b"",
    b"no json",
    b"[]",
    b"null",
    b'{"event": 1}',
    b'{"event": {"event_type": "pagey.ping", "data": {"type": "ping"}}}',
    pagerduty("P'; DROP TABLE x"),
    pagerduty("PSOMEBODY", service={"id": "PELSE", "summary": "Nobody's"}),
    b"[" * 100_000,
    pagerduty("P1", "x" * 500),
)


@pytest.mark.parametrize("source", ["pagerduty", "jira"])
def test_what_cannot_be_used_is_accepted_and_passed_over(web_of: Callable[..., Web], source: str) -> None:
    web = web_of()
    # nesting brings the parser to the recursion limit: garbage of other tests must not be collected there
    gc.collect()
    gc.disable()
    try:
        answers = [web.send(source, body) for body in USELESS]
    finally:
        gc.enable()
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, "unused\n")}
    assert web.looks() == []


def test_what_is_too_large_is_accepted_and_passed_over(web_of: Callable[..., Web]) -> None:
    web = web_of()
    answer = web.send("pagerduty", b" " * (LARGEST_BODY + 1))
    assert answer.status_code == 202
    assert web.metrics()['syncd_webhooks_total{outcome="too large",source="pagerduty"}'] == 1


@pytest.mark.parametrize("source", ["pagerduty", "jira"])
def test_without_a_valid_signature_nothing_is_believed(
    house: Rig, web_of: Callable[..., Web], source: str
) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    wrong = {"X-PagerDuty-Signature": "v1=00", "X-Hub-Signature": "sha256=00"}
    assert web.send(source, pagerduty(incident), **wrong).status_code == 401
    assert requests.post(f"{web.url}/webhooks/{source}", data=b"{}", timeout=5).status_code == 401
    assert web.looks() == []
    assert web.metrics()[f'syncd_webhooks_total{{outcome="forged",source="{source}"}}'] == 2


def test_without_a_secret_a_receiver_is_shut_and_the_sender_keeps_its_events(
    web_of: Callable[..., Web],
) -> None:
    web = web_of(Secrets((), None))
    assert web.send("pagerduty", pagerduty("P1")).status_code == 503
    assert web.send("jira", b"{}").status_code == 503


def test_what_the_ledger_could_not_take_in_time_is_to_be_sent_again(
    house: Rig, web_of: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ANSWER_WITHIN", 0.2)
    listener = web_of()
    incident = trigger(house)
    house.cycle()
    body = pagerduty(incident)
    with holding(house.ledger):
        assert listener.send("pagerduty", body).status_code == 503
    # the first delivery was stored when the ledger was free, or the second one is
    assert listener.send("pagerduty", body).status_code == 202
    assert {look.incident_id for look in listener.looks()} == {incident}


def test_jira_says_which_ticket_changed_and_which_was_deleted(house: Rig, web_of: Callable[..., Web]) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    (ticket,) = [operation for operation in house.operations("done") if operation.kind == "create_ticket"]
    issue = {"id": ticket.remote_id, "key": "OPS-1"}
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": issue, "timestamp": 1}).encode()
    identified = {"X-Atlassian-Webhook-Identifier": "a"}
    assert web.send("jira", body, **identified).text == "used\n"
    assert web.send("jira", body, **identified).text == "known\n"
    (look,) = web.looks()
    assert (look.incident_id, look.ticket) == (incident, True)
    gone = {
        "webhookEvent": "jira:issue_deleted",
        "issue": issue,
        "user": {"accountId": "5b10a2844c20165700ede21g"},
    }
    assert web.send("jira", json.dumps(gone).encode()).text == "used\n"
    (event,) = [row for row in rows(house.ledger, AuditEventRow) if row.kind == "ticket.deleted"]
    assert (event.incident_id, event.issue_id) == (incident, ticket.remote_id)
    assert json.loads(event.text) == {"by": "5b10a2844c20165700ede21g"}
    moved = {
        "webhookEvent": "jira:issue_updated",
        "issue": issue,
        "user": {"accountId": "5b10a2844c20165700ede21g", "displayName": "Ines Carvalho"},
        "changelog": {"items": [{"field": "project"}, {"field": "Key"}]},
    }
    assert web.send("jira", json.dumps(moved).encode()).text == "used\n"
    lost = find_ticket(house.ledger, incident)
    assert lost is not None
    assert lost.moved_by == "Ines Carvalho"
    other = {"webhookEvent": "jira:issue_updated", "issue": {"id": "999999"}}
    assert web.send("jira", json.dumps(other).encode()).text == "unused\n"


@pytest.mark.parametrize("end", ["", "/"])
def test_a_webhook_arrives_also_at_an_address_with_a_slash_at_its_end(
    house: Rig, web_of: Callable[..., Web], end: str
) -> None:
    web = web_of()
    incident = trigger(house)
    house.cycle()
    (ticket,) = [operation for operation in house.operations("done") if operation.kind == "create_ticket"]
    assert web.send(f"pagerduty{end}", pagerduty(incident)).status_code == 202
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": ticket.remote_id}}).encode()
    assert web.send(f"jira{end}", body).status_code == 202
    assert {(look.incident_id, look.ticket) for look in web.looks()} == {(incident, False), (incident, True)}
    assert web.send(f"jira{end}", body, **{"X-Hub-Signature": "sha256=00"}).status_code == 401


def test_there_is_nothing_else_to_be_had(web_of: Callable[..., Web]) -> None:
    web = web_of()
    for path in ("/", "/docs", "/metrics/../ledger", "/webhooks/other"):
        assert web.get(path).status_code == 404
    assert web.get("/webhooks/jira").status_code == 405
    assert requests.post(f"{web.url}/healthz", timeout=5).status_code == 405
    assert "server" not in web.get("/healthz").headers
