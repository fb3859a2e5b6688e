"""How often what we wrote was changed back, kept in what is agreed on a ticket.

A place is a field or the status of the ticket, or of the incident (`incident status`). Kept is a print of
what stood there before our write, never the value: it may be a text. Who changes it back makes no difference:
three times within 24 hours after a write of ours are a conflict, and what is a conflict stays one (design:
"Exactly one"; rules: "Start, brakes, ceilings").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident

CONFLICT = "conflict"
"""The rule of remarks about conflicts, and the kind of their audit event."""
TIMES = 3
WITHIN = timedelta(hours=24)
INCIDENT = "incident "
"""What stands before an aspect where it is the incident's, not the ticket's."""
SEEN = "seen:"
"""What stands before an aspect in what is agreed on something that the ticket shows and that stays there."""
_BACK, _CONFLICT = "back:", "conflict:"

Agreed = Mapping[str, JsonValue]


def print_of(value: JsonValue) -> str:
    """What a value is compared by with another one of its place."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def incident_value(incident: Incident, aspect: str) -> JsonValue:
    """What an incident shows of what the ticket may change: `status`, `assignee`, `priority` or `summary`."""
    if aspect == "assignee":
        return [*sorted(person.id for person in incident.assignees)]
    if aspect == "priority":
        return incident.priority.id if incident.priority else None
    return str(incident.status) if aspect == "status" else incident.title


def seen(aspect: str, showing: JsonValue) -> dict[str, JsonValue]:
    """What is agreed on something that the ticket shows, so that it never travels to the incident."""
    return {SEEN + aspect: print_of(showing)}


def in_conflict(agreed: Agreed, aspect: str) -> bool:
    """Whether an aspect is left alone on both sides from now on."""
    return bool(agreed.get(_CONFLICT + aspect))


def conflict_on(aspect: str) -> dict[str, JsonValue]:
    """What is agreed on an aspect that has become a conflict."""
    return {_CONFLICT + aspect: True}


def remembered(agreed: Agreed, place: str, before: str, *, further: bool = False) -> dict[str, JsonValue]:
    """What is kept when a write to a place is confirmed: the print of what stood there `before`.

    `further`: the write was one more step of a move, so that what stood before its earlier steps counts, too.
    """
    known = _known(agreed, place)
    earlier = _texts(known.get("before")) if further else []
    return {
        _BACK + place: {"before": [*earlier, before], "times": list(_texts(known.get("times"))), "is": False}
    }


def watched(agreed: Agreed) -> list[str]:
    """The places that we wrote to."""
    return [name.removeprefix(_BACK) for name in agreed if name.startswith(_BACK)]


def counted(agreed: Agreed, place: str, showing: JsonValue, now: datetime) -> dict[str, JsonValue]:
    """What changes in what is kept of a place that shows a value now; nothing where nothing is new."""
    known = _known(agreed, place)
    back, was = print_of(showing) in _texts(known.get("before")), bool(known.get("is"))
    if not known or back == was:
        return {}
    times = [one for one in _texts(known.get("times")) if datetime.fromisoformat(one) > now - WITHIN]
    kept: list[JsonValue] = [*times, *([now.isoformat()] if back else [])]
    return {_BACK + place: {**known, "times": kept, "is": back}}


def too_often(change: Agreed) -> bool:
    """Whether what `counted` returned makes a conflict."""
    return any(isinstance(one, dict) and len(_texts(one.get("times"))) >= TIMES for one in change.values())


def _known(agreed: Agreed, place: str) -> dict[str, JsonValue]:
    known = agreed.get(_BACK + place)
    return known if isinstance(known, dict) else {}


def _texts(value: JsonValue | Iterable[str]) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
