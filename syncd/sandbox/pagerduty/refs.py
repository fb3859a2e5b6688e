"""How PagerDuty writes times, addresses of pages, references and agents."""

from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json

PATHS = {
    "incident": "incidents",
    "service": "services",
    "user": "users",
    "team": "teams",
    "escalation_policy": "escalation_policies",
    "schedule": "schedules",
    "priority": "priorities",
}

HTML_PATHS = {**PATHS, "service": "service-directory"}


def utc(moment: datetime | None) -> str | None:
    """Return a time as PagerDuty writes it, in UTC with `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def local(account: Account, moment: datetime) -> str:
    """Return a time in the account's zone with its offset, as notes show it."""
    return moment.astimezone(ZoneInfo(account.options.time_zone)).isoformat(timespec="seconds")


def html(account: Account, path: str) -> str:
    """Return the address of a page on the account's web site."""
    return f"https://{account.subdomain}.pagerduty.example/{path}"


def name_of(account: Account, kind: str, id_: str) -> str:
    """Return the name of an object that people read."""
    if kind == "incident":
        incident = account.incidents[id_]
        return f"[#{incident.number}] {incident.title}"
    if kind == "service":
        return account.services[id_].name
    if kind == "user":
        return account.users[id_].name
    if kind == "team":
        return account.teams[id_].name
    if kind == "escalation_policy":
        return account.policies[id_].name
    if kind == "schedule":
        return account.schedules[id_].name
    return account.priorities[id_].name


def ref(account: Account, kind: str, id_: str) -> Json:
    """Return a reference to an object."""
    return {
        "id": id_,
        "type": f"{kind}_reference",
        "summary": name_of(account, kind, id_),
        "self": f"{account.base_url}/{PATHS[kind]}/{id_}",
        # A priority has no page of its own.
        "html_url": None if kind == "priority" else html(account, f"{HTML_PATHS[kind]}/{id_}"),
    }


def agent(account: Account, key: tuple[str, str]) -> Json:
    """Return the reference to an actor: a user, a service, or the integration of a service."""
    kind, id_ = key
    if kind != "integration":
        return ref(account, kind, id_)
    service = next(row for row in account.services.values() if row.integration_id == id_)
    path = f"services/{service.id}/integrations/{id_}"
    return {
        "id": id_,
        "type": "events_api_v2_inbound_integration_reference",
        "summary": "Events API V2",
        "self": f"{account.base_url}/{path}",
        "html_url": html(account, path),
    }
