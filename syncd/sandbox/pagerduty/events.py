"""The Events API v2: an event of monitoring opens, acknowledges or resolves the incident of its dedup key.

The real one has a host of its own and no login: the routing key in the body names the service.
"""

from typing import Any

from syncd.sandbox.pagerduty import lifecycle
from syncd.sandbox.pagerduty.asking import Ask, Routes
from syncd.sandbox.pagerduty.lifecycle import Actor, Trigger
from syncd.sandbox.pagerduty.records import Alert, Incident
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json, Refusal, Reply

PATH = "/v2/enqueue"
SEVERITIES = ("critical", "error", "warning", "info")

routes = Routes()


@routes.on("POST", PATH)
def enqueue(ask: Ask) -> Reply:
    """Take one event, as PagerDuty does: 202 with its dedup key, or 400 with all that is wrong."""
    event, account = _event(ask), ask.account
    service_id = account.routing_keys.get(str(event.get("routing_key")))
    if service_id is None:
        raise _invalid("'routing_key' is invalid")
    key = str(event.get("dedup_key") or account.new_id("", 32).lower())
    account.events.append(event)
    service = account.services[service_id]
    actor = Actor(("integration", service.integration_id), "api")
    incident = _open(account, service_id, key)
    if event["event_action"] == "trigger" and incident is None:
        title = str(event["payload"]["summary"])
        alert = Alert(account.new_id(), title, ask.now, key, details={}, contexts=[])
        new = Trigger(service_id, title, None, None, key, None, [], None, [alert])
        lifecycle.trigger(account, new, actor, ask.now)
    elif event["event_action"] == "resolve" and incident is not None:
        lifecycle.resolve(account, incident, actor, ask.now)
    return Reply.of({"status": "success", "message": "Event processed", "dedup_key": key}, 202)


def _event(ask: Ask) -> Json:
    try:
        event: Any = ask.call.json()
    except ValueError as problem:
        raise _invalid("JSON is not valid") from problem
    if not isinstance(event, dict):
        raise _invalid("JSON is not an object")
    action, payload = event.get("event_action"), event.get("payload")
    wrong = []
    if action not in ("trigger", "acknowledge", "resolve"):
        wrong.append("'event_action' is missing or invalid")
    if action != "trigger" and not event.get("dedup_key"):
        wrong.append("'dedup_key' is missing or blank")
    if action == "trigger":
        payload = payload if isinstance(payload, dict) else {}
        names = ("summary", "source", "severity")
        wrong += [f"'payload.{name}' is missing or blank" for name in names if not payload.get(name)]
        if len(str(payload.get("summary"))) > 1024:
            wrong.append("'payload.summary' is too long (maximum is 1024 characters)")
        if payload.get("severity") not in (None, *SEVERITIES):
            wrong.append("'payload.severity' is invalid")
    if len(str(event.get("dedup_key") or "")) > 255:
        wrong.append("'dedup_key' is too long (maximum is 255 characters)")
    if wrong:
        raise _invalid(*wrong)
    return event


def _open(account: Account, service_id: str, key: str) -> Incident | None:
    incidents = (account.incidents[id_] for id_ in account.open_ids)
    return next((row for row in incidents if row.service_id == service_id and row.incident_key == key), None)


def _invalid(*details: str) -> Refusal:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": list(details)}
    return Refusal(Reply.of(body, 400))
