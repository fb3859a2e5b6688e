"""Reading incidents: the list with its windows and filters, one by id or number, its alerts and fields."""

from datetime import datetime, timedelta

from syncd.sandbox.pagerduty.asking import Ask, Routes, page
from syncd.sandbox.pagerduty.directory_json import custom_field
from syncd.sandbox.pagerduty.errors import invalid
from syncd.sandbox.pagerduty.records import Incident
from syncd.sandbox.pagerduty.render import alert_json, custom_values, incident_json
from syncd.sandbox.wire import Reply

routes = Routes()
LONGEST = timedelta(days=184)
USUAL = timedelta(days=30)


def window(ask: Ask) -> tuple[datetime | None, datetime | None]:
    """Return the asked span of creation: a month by default, six at most, all time for `date_range=all`."""
    if ask.call.value("date_range") == "all":
        return None, None
    since, until = ask.moment("since"), ask.moment("until")
    if since is None:
        since = (until or ask.now) - USUAL
    if (until or ask.now) - since > LONGEST:
        raise invalid("The time range must not exceed 6 months")
    return since, until


def candidates(ask: Ask) -> list[Incident]:
    """Return the incidents of the asked span, only the open ones where nothing else was asked."""
    since, until = window(ask)
    statuses = ask.call.values("statuses[]")
    if since is None and until is None and statuses and "resolved" not in statuses:
        account = ask.account
        return sorted((account.incidents[id_] for id_ in account.open_ids), key=lambda one: one.number)
    return ask.account.created_between(since, until)


def wanted(ask: Ask, incident: Incident) -> bool:
    """Say whether an incident fits every filter of the request."""
    values = ask.call.values
    teams = ask.account.services[incident.service_id].team_ids
    users = [user for user, _ in incident.assignments]
    return all(
        not asked or any(one in asked for one in held)
        for asked, held in (
            (values("statuses[]"), [incident.status]),
            (values("service_ids[]"), [incident.service_id]),
            (values("team_ids[]"), list(teams)),
            (values("urgencies[]"), [incident.urgency]),
            (values("user_ids[]"), users if incident.is_open else []),
            (values("incident_key"), [incident.incident_key]),
        )
    )


def in_order(ask: Ask, found: list[Incident]) -> list[Incident]:
    """Sort as `sort_by` says: at most two of number, creation, resolve, urgency; ascending by number else."""
    keys = ask.call.listed("sort_by")
    if len(keys) > 2:
        raise invalid("At most two fields may be sorted by")
    for key in reversed(keys):
        name, _, direction = key.partition(":")
        if name not in ("incident_number", "created_at", "resolved_at", "urgency"):
            raise invalid(f"Cannot sort by {name}")
        found = sorted(found, key=lambda one: _sort_key(one, name), reverse=direction == "desc")
    return found


def _sort_key(incident: Incident, name: str) -> float | str:
    if name == "incident_number":
        return incident.number
    if name == "urgency":
        return incident.urgency
    moment = incident.created_at if name == "created_at" else incident.resolved_at
    return moment.timestamp() if moment else float("inf")


@routes.on("GET", "/incidents")
def listing(ask: Ask) -> Reply:
    """Answer with a page of incidents."""
    found = in_order(ask, [one for one in candidates(ask) if wanted(ask, one)])
    return page(ask, "incidents", found, lambda one: incident_json(ask.account, one, ask.include))


@routes.on("GET", "/incidents/custom_fields")
def field_definitions(ask: Ask) -> Reply:
    """Answer with the definitions of the custom fields."""
    return Reply.of({"fields": [custom_field(ask.account, id_) for id_ in ask.account.custom_fields]})


@routes.on("GET", "/incidents/{id}")
def one(ask: Ask) -> Reply:
    """Answer with one incident and its custom fields."""
    return Reply.of({"incident": incident_json(ask.account, ask.incident(), ask.include, detail=True)})


@routes.on("GET", "/incidents/{id}/alerts")
def alerts(ask: Ask) -> Reply:
    """Answer with a page of the incident's alerts."""
    incident = ask.incident()
    asked = ask.call.values("statuses[]")
    rows = [alert for alert in incident.alerts if not asked or alert.status in asked]
    return page(ask, "alerts", rows, lambda alert: alert_json(ask.account, incident, alert))


@routes.on("GET", "/incidents/{id}/custom_fields/values")
def values(ask: Ask) -> Reply:
    """Answer with the values of the incident's custom fields."""
    return Reply.of({"custom_fields": custom_values(ask.account, ask.incident())})
