"""Say where a write must show: a success is believed when a later read has shown it.

A place is a field of an issue (`status`, `assignee`, `label:urgent`, `link:10002`) or of an incident
(`status`). The ledger keeps each written place until a read shows another value there than before the write.
That value counts, also if a service normalised ours or a person changed it since. A place that two reads by
id showed unchanged, and that nobody changed, had no effect: the rules then decide the write again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.domain.operation import ObjectKind
from syncd.domain.operation.base import object_of, object_of_ticket
from syncd.domain.operation.rendered import (
    FieldValues,
    Rendered,
    RenderedChange,
    RenderedEdit,
    RenderedLink,
    RenderedMove,
    assignee_in,
)
from syncd.domain.ticket import Issue
from syncd.policy.case import Case
from syncd.policy.ticket.revert_counter import print_of

_HOLDS = {"label": "labels", "component": "components", "link": "issuelinks"}
"""The field of a place that is one member of a list."""
_BY_ID = ("priority", "security")


def written_at(rendered: Rendered, aspect: str) -> dict[str, str]:
    """Return a hash of the value that a request writes, by place; only of places that reads can show."""
    return {place: normal_print(value) for place, value in _written(rendered, aspect).items()}


def _written(rendered: Rendered, aspect: str) -> dict[str, JsonValue]:
    if isinstance(rendered, RenderedMove):
        return {"status": rendered.to.id}
    if isinstance(rendered, RenderedLink):
        return {f"link:{rendered.other}": True}
    if isinstance(rendered, RenderedChange):
        assignees: JsonValue = [rendered.assignee] if rendered.assignee is not None else None
        value = rendered.status or assignees or rendered.priority or rendered.text
        return {} if rendered.left is not None or value is None else {aspect: value}
    return _edited(rendered.fields, rendered.update) if isinstance(rendered, RenderedEdit) else {}


def _edited(fields: FieldValues, update: FieldValues) -> dict[str, JsonValue]:
    places: dict[str, JsonValue] = {}
    for name, value in fields.items():
        if name == "labels":
            places |= _labels(value)
        elif name == "components":
            places |= {f"component:{ident}": True for ident in _ids(value)}
        elif name == "assignee":
            places[name] = assignee_in(fields)
        elif name in _BY_ID and isinstance(value, dict):
            places[name] = value.get("id")
        elif name in ("summary", "duedate") or name.startswith("customfield_"):
            places[name] = _plain(value)
    return places | _labels(update.get("labels"))


def _labels(change: JsonValue) -> dict[str, JsonValue]:
    """Return the places of labels: from `{add: [...], remove: [...]}` or from Jira's list of verbs."""
    verbs = [change] if isinstance(change, dict) else change if isinstance(change, list) else []
    places: dict[str, JsonValue] = {}
    for verb in verbs:
        for name, labels in verb.items() if isinstance(verb, dict) else ():
            for label in labels if isinstance(labels, list) else [labels]:
                places[f"label:{label}"] = name == "add"
    return places


def _ids(value: JsonValue) -> list[str]:
    return [str(part["id"]) for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _plain(value: JsonValue) -> JsonValue:
    """Return an option as its text: Jira shows it as an object with more keys."""
    return value.get("value", value.get("id")) if isinstance(value, dict) else value


def shown_at(issue: Issue, place: str) -> str | None:
    """Return a hash of the value that an issue shows at a place, None where this read does not hold it."""
    field, _, member = place.partition(":")
    value: JsonValue
    if field == "label":
        value = member.casefold() in {label.casefold() for label in issue.labels}
    elif field == "component":
        value = member in {component.id for component in issue.components}
    elif field == "link":
        value = member in {link.other_id for link in issue.links}
    elif field == "status":
        value = issue.status.id
    elif field == "summary":
        value = issue.summary
    elif field == "assignee":
        value = issue.assignee.id if issue.assignee else None
    elif field == "duedate":
        value = issue.due_date
    elif field in _BY_ID:
        reference = issue.priority if field == "priority" else issue.security_level
        value = reference.id if reference else None
    elif field in issue.fields:
        value = _plain(issue.fields[field])
    else:
        return None
    return normal_print(value)


def normal_print(value: JsonValue) -> str:
    """Return a hash of a value without what a service may normalise: case, spaces, order, seconds."""
    return print_of(_normal(value))


def _normal(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        parts: list[JsonValue] = sorted((_normal(part) for part in value), key=repr)
        return parts
    if isinstance(value, dict):
        return {name: _normal(part) for name, part in value.items()}
    if not isinstance(value, str):
        return value
    text = " ".join(value.split()).casefold()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    # a plain day has no time to round
    return moment.replace(second=0, microsecond=0).isoformat() if "t" in text else text


def field_of(place: str) -> str:
    """Return the field of Jira that holds a place."""
    field = place.partition(":")[0]
    return _HOLDS.get(field, field)


def unseen_of(rows: Iterable[tuple[str, str, bool]]) -> dict[str, bool]:
    """Return what a case knows of written places, given object, place and if the write had no effect.

    By object and field (`ticket:P1 assignee`): True where our write had no effect, False while none showed.
    """
    unseen: dict[str, bool] = {}
    for object_, place, no_effect in rows:
        name = f"{object_} {field_of(place)}"
        unseen[name] = unseen.get(name, False) or no_effect
    return unseen


def on_ticket(case: Case, fields: Iterable[str]) -> bool | None:
    """Return True if our last write to one of these fields had no effect, False while no read has shown it.

    None: reads have shown all that syncd wrote there.
    """
    return _any(case, object_of_ticket(case.incident.id), fields)


def on_incident(case: Case, aspect: str) -> bool | None:
    """Return as `on_ticket` does, about an aspect of the incident."""
    return _any(case, object_of(ObjectKind.INCIDENT, case.incident.id), (aspect,))


def _any(case: Case, object_: str, fields: Iterable[str]) -> bool | None:
    unseen = [case.unseen[name] for field in fields if (name := f"{object_} {field}") in case.unseen]
    return any(unseen) if unseen else None
