"""Reading incidents: the list with its time range and filters, one by id or number, its alerts and fields."""

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
    """Return the range of creation: a month by default, six at most, all time for `date_range=all`."""
    if ask.call.value("date_range") == "all":
        return None, None
    since, until = ask.moment("since"), ask.moment("until")
    if since is None:
        since = (until or ask.now) - USUAL
    # PagerDuty's documented limit of one query.
    if (until or ask.now) - since > LONGEST:
        raise invalid("The time range must not exceed 6 months")
    return since, until


def candidates(ask: Ask) -> list[Incident]:
    """Return the incidents of the range; where only open ones are asked for, only those."""
    since, until = window(ask)
    statuses = ask.call.values("statuses[]")
    # Every cycle of syncd asks for the open incidents; the list of them avoids a walk over all.
    if since is None and until is None and statuses and "resolved" not in statuses:
        account = ask.account
        return sorted(
            (account.incidents[id_] for id_ in account.open_ids), key=lambda incident: incident.number
        )
    return ask.account.created_between(since, until)


def matches_filters(ask: Ask, incident: Incident) -> bool:
    """Return True if an incident matches every filter of the request."""
    parameter = ask.call.values
    teams = ask.account.services[incident.service_id].team_ids
    users = [user for user, _ in incident.assignments]
    return all(
        not allowed or any(value in allowed for value in present)
        for allowed, present in (
            (parameter("statuses[]"), [incident.status]),
            (parameter("service_ids[]"), [incident.service_id]),
            (parameter("team_ids[]"), list(teams)),
            (parameter("urgencies[]"), [incident.urgency]),
            # The filter by user knows only open incidents: a resolved one has no assignee.
            (parameter("user_ids[]"), users if incident.is_open else []),
            (parameter("incident_key"), [incident.incident_key]),
        )
    )


def in_order(ask: Ask, incidents: list[Incident]) -> list[Incident]:
    """Return the incidents sorted by `sort_by` (two fields at most), else ascending by number."""
    keys = ask.call.listed("sort_by")
    if len(keys) > 2:
        raise invalid("At most two fields may be sorted by")
    for key in reversed(keys):
        name, _, direction = key.partition(":")
        if name not in ("incident_number", "created_at", "resolved_at", "urgency"):
            raise invalid(f"Cannot sort by {name}")
        incidents = sorted(
            incidents, key=lambda incident: _sort_key(incident, name), reverse=direction == "desc"
        )
    return incidents


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
    incidents = in_order(ask, [incident for incident in candidates(ask) if matches_filters(ask, incident)])
    return page(
        ask, "incidents", incidents, lambda incident: incident_json(ask.account, incident, ask.include)
    )


@routes.on("GET", "/incidents/custom_fields")
def field_definitions(ask: Ask) -> Reply:
    """Answer with the definitions of the custom fields."""
    return Reply.of({"fields": [custom_field(ask.account, id_) for id_ in ask.account.custom_fields]})


@routes.on("GET", "/incidents/{id}")
def read(ask: Ask) -> Reply:
    """Answer with one incident and its custom fields."""
    return Reply.of({"incident": incident_json(ask.account, ask.incident(), ask.include, detail=True)})


@routes.on("GET", "/incidents/{id}/alerts")
def alerts(ask: Ask) -> Reply:
    """Answer with a page of the alerts of an incident."""
    incident = ask.incident()
    states = ask.call.values("statuses[]")
    rows = [alert for alert in incident.alerts if not states or alert.status in states]
    return page(ask, "alerts", rows, lambda alert: alert_json(ask.account, incident, alert))


@routes.on("GET", "/incidents/{id}/custom_fields/values")
def values(ask: Ask) -> Reply:
    """Answer with the values of the incident's custom fields."""
    return Reply.of({"custom_fields": custom_values(ask.account, ask.incident())})
