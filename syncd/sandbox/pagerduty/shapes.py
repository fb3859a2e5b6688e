"""The shapes of request bodies, as far as PagerDuty refuses a body for its shape alone."""

from typing import Any, Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict


class Reference(TypedDict, total=False):
    """A reference to an object."""

    id: str | None
    type: str | None


class Assignment(TypedDict, total=False):
    """The person to whom an incident is assigned."""

    assignee: Reference | None


class Body(TypedDict, total=False):
    """The text of an incident that a person opens."""

    details: str | None


class Wish(TypedDict, total=False):
    """The properties that a request asks of an incident."""

    id: str
    type: str
    title: str
    status: str
    resolution: str | None
    urgency: Literal["high", "low"]
    priority: Reference | None
    service: Reference | None
    escalation_policy: Reference | None
    escalation_level: int
    assignments: list[Assignment]
    incident_key: str | None
    body: Body | None
    conference_bridge: dict[str, Any] | None


class NoteBody(TypedDict):
    """A note."""

    content: str


class FieldValue(TypedDict, total=False):
    """A custom field's value, by the field's id or name."""

    id: str
    name: str
    value: str | int | float | bool | list[str] | None


WISH = TypeAdapter(Wish)
WISHES = TypeAdapter(list[Wish])
SOURCES = TypeAdapter(list[Reference])
SECONDS = TypeAdapter(int)
NOTE = TypeAdapter(NoteBody)
VALUES = TypeAdapter(list[FieldValue])
TEXT = TypeAdapter(str)
