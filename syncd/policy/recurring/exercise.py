"""Read when an exercise takes place: two lines that people fill in the description of a GameDay's issue.

`start: 2027-02-03 14:00` and `end: 2027-02-03 16:00` are times in the team's zone. An exercise lasts 8 hours
at most: a forgotten end must not mark incidents as exercises for days.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.base import JsonValue, Reference, UtcTime, Value
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.case import ItemState

TIMES = "exercise"
"""The key in an issue's facts under which the ledger keeps the two times as people typed them."""
LONGEST = timedelta(hours=8)
_LINE = re.compile(r"^[ \t*|]*(start|end):[ \t|]*(\d{4}-\d\d-\d\d[ T]\d\d:\d\d)\b", re.MULTILINE)


class Exercise(Value):
    """A GameDay as its issue plans it: its name, the issue's key, and its times (UTC)."""

    name: str
    key: str
    since: UtcTime
    until: UtcTime


def exercise_times(description: str) -> dict[str, JsonValue]:
    """Return the times of an exercise as people typed them in a description, by `start` and `end`."""
    return dict(reversed(_LINE.findall(description)))


def exercises_at(
    game_days: Iterable[ItemState], mapping: Mapping, service: Reference, at: datetime
) -> Iterator[Exercise]:
    """Yield the exercises during which something happened on a service at a time (UTC).

    `game_days` are the issues of the team's recurring duties.
    """
    for state in game_days:
        entry = mapping.recurring.get(state.recurring.name) if state.recurring else None
        if entry is None or entry.kind != "game_day":
            continue
        exercise = _exercise(state, mapping)
        takes_part = {service.name, service.id} & {*entry.services}
        if exercise is not None and takes_part and exercise.since <= at <= exercise.until:
            yield exercise


def bears_marker(incident: Incident, mapping: Mapping) -> bool:
    """Return True if the title carries the marker of one of the team's GameDays."""
    title = incident.title.casefold()
    return any(entry.marker and entry.marker.casefold() in title for entry in mapping.recurring.values())


def game_day_of(game_days: Iterable[ItemState], mapping: Mapping, incident: Incident) -> str | None:
    """Return the GameDay whose marker a title carries and in whose time it was triggered, or None."""
    for planned in exercises_at(game_days, mapping, incident.service, incident.created_at):
        marker = mapping.recurring[planned.name].marker
        if marker and marker.casefold() in incident.title.casefold():
            return f"{planned.key} ({planned.name})"
    return None


def _exercise(state: ItemState, mapping: Mapping) -> Exercise | None:
    """Return the exercise that an issue plans, None where its times say none."""
    times = state.facts.get(TIMES)
    if not isinstance(times, dict) or not {"start", "end"} <= times.keys():
        return None
    zone = ZoneInfo(mapping.zone)
    try:
        since, until = (
            datetime.fromisoformat(str(times[word])).replace(tzinfo=zone) for word in ("start", "end")
        )
    except ValueError:
        # it looks like a time but is none, such as 2027-13-45 25:00
        return None
    if until <= since:
        return None
    name = state.recurring.name if state.recurring else ""
    return Exercise(name=name, key=state.key, since=since, until=min(until, since + LONGEST))
