"""Count how often a person or another tool changes back what syncd wrote.

A place is a field or the status of the ticket, or of the incident (`incident status`). The agreed values of
the ticket keep a hash of the value before syncd's write; the value itself may be a text. Three reverts within
24 hours are a conflict, whoever makes them: otherwise syncd and another robot would overwrite each other for
ever. A conflict is over when both sides have agreed for 24 hours, or when somebody gives the ticket a third
value: it stands until the incident changes again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from syncd.domain.base import JsonValue, texts_in
from syncd.domain.incident import Incident

CONFLICT = "conflict"
"""The rule of remarks about conflicts, and the kind of their audit event."""
CONFLICT_OVER = "conflict.over"
"""The rule of remarks about conflicts that are over, and the kind of their audit event."""
TIMES = 3
"""So many reverts within `WITHIN` are a conflict."""
WITHIN = timedelta(hours=24)
INCIDENT = "incident "
"""The prefix of a place on the incident; a place without it is on the ticket."""
SEEN = "seen:"
"""The prefix of the agreed hash of a value that the ticket shows and that never travels to the incident."""
_BACK, _CONFLICT = "back:", "conflict:"

Agreed = Mapping[str, JsonValue]


def print_of(value: JsonValue) -> str:
    """Return a hash of a value, to compare it with another value of the same place."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def incident_value(incident: Incident, aspect: str) -> JsonValue:
    """Return the incident's value of an aspect: `status`, `assignee`, `priority` or `summary`."""
    if aspect == "assignee":
        return [*sorted(person.id for person in incident.assignees)]
    if aspect == "priority":
        return incident.priority.id if incident.priority else None
    return str(incident.status) if aspect == "status" else incident.title


def seen(aspect: str, showing: JsonValue) -> dict[str, JsonValue]:
    """Return the agreed value for something that the ticket shows and that never travels to the incident."""
    return {SEEN + aspect: print_of(showing)}


def in_conflict(agreed: Agreed, aspect: str) -> bool:
    """Return True if an aspect is in conflict, so that syncd leaves it alone on both sides."""
    return bool(agreed.get(_CONFLICT + aspect))


def conflict_on(aspect: str) -> dict[str, JsonValue]:
    """Return the agreed value that marks an aspect as in conflict."""
    return {_CONFLICT + aspect: True}


def conflicts_in(agreed: Agreed) -> dict[str, dict[str, JsonValue]]:
    """Return what is known of each present conflict, by aspect.

    `shown` is a hash of the ticket's value at its beginning, or of the last value on which both sides agreed;
    they agree since `agree_since` (UTC).
    """
    return {
        name.removeprefix(_CONFLICT): known if isinstance(known, dict) else {}
        for name, known in agreed.items()
        if name.startswith(_CONFLICT) and known
    }


def followed(
    aspect: str, known: Mapping[str, JsonValue], showing: JsonValue, agree: bool, now: datetime
) -> dict[str, JsonValue]:
    """Return what is known of a conflict now; nothing if that is unchanged."""
    since = known.get("agree_since") or now.isoformat() if agree else None
    shown = print_of(showing) if agree else known.get("shown") or print_of(showing)
    after: dict[str, JsonValue] = {"shown": shown, "agree_since": since}
    return {} if after == known else {_CONFLICT + aspect: after}


def seconds_left(known: Mapping[str, JsonValue], now: datetime) -> float:
    """Return the seconds for which both sides must still agree before a conflict is over."""
    since = known.get("agree_since")
    begun = datetime.fromisoformat(str(since)) if since else now
    return (begun + WITHIN - now).total_seconds()


def is_over(known: Mapping[str, JsonValue], showing: JsonValue, agree: bool, now: datetime) -> str | None:
    """Return why a conflict is over, None while it lasts."""
    if agree:
        return "both sides have agreed for 24 hours" if seconds_left(known, now) <= 0 else None
    changed = known.get("shown") not in (None, print_of(showing))
    return "somebody gave the ticket another value, which stays" if changed else None


def conflict_over(aspect: str) -> dict[str, JsonValue]:
    """Return the agreed values after the end of a conflict: the count begins anew on both sides."""
    return {_CONFLICT + aspect: None, _BACK + aspect: None, _BACK + INCIDENT + aspect: None}


def remembered(agreed: Agreed, place: str, before: str, *, further: bool = False) -> dict[str, JsonValue]:
    """Return what the ticket keeps when a write to a place is confirmed; `before` is the old value's hash.

    `further`: the write was a later step of a move, so a return to the start of an earlier step counts, too.
    """
    counter = _counter(agreed, place)
    earlier: list[str] = texts_in(counter.get("before")) if further else []
    times: list[JsonValue] = [*texts_in(counter.get("times"))]
    return {_BACK + place: {"before": [*earlier, before], "times": times, "is": False}}


def watched(agreed: Agreed) -> list[str]:
    """Return the places that syncd wrote to."""
    return [name.removeprefix(_BACK) for name in agreed if name.startswith(_BACK)]


def counted(agreed: Agreed, place: str, showing: JsonValue, now: datetime) -> dict[str, JsonValue]:
    """Return the new counter of a place that shows a value now; nothing if the counter is unchanged."""
    counter = _counter(agreed, place)
    back, was = print_of(showing) in texts_in(counter.get("before")), bool(counter.get("is"))
    # The same revert is seen at every read until syncd writes again: count it once.
    if not counter or back == was:
        return {}
    times = [at for at in texts_in(counter.get("times")) if datetime.fromisoformat(at) > now - WITHIN]
    kept: list[JsonValue] = [*times, *([now.isoformat()] if back else [])]
    return {_BACK + place: {**counter, "times": kept, "is": back}}


def too_often(change: Agreed) -> bool:
    """Return True if the counter that `counted` returned makes a conflict."""
    counters = (counter for counter in change.values() if isinstance(counter, dict))
    return any(len(texts_in(counter.get("times"))) >= TIMES for counter in counters)


def _counter(agreed: Agreed, place: str) -> dict[str, JsonValue]:
    counter = agreed.get(_BACK + place)
    return counter if isinstance(counter, dict) else {}
