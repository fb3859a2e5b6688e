"""Build the variables of the template of a recurring duty's issue."""

from __future__ import annotations

from datetime import date

from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.recurring import Recurring
from syncd.domain.recurring import RecurringName


def recurring_context(
    entry: Recurring, mapping: Mapping, name: RecurringName, due: date
) -> dict[str, JsonValue]:
    """Return the variables of the template.

    - `team`, `zone`: the team's name and time zone
    - `name`, `period`, `kind` (`game_day` or `review`), `due` (a day), `owner` (an address)
    - `scenario`, `document` (None where the mapping has none)
    - `services`: each with `name` and `owner` (None where the mapping has none)
    - `incident`: the number of the incident after which the review is due, None for a period
    """
    sections = [
        section
        for key, section in mapping.services.items()
        if {key, section.id, *section.ids} & {*entry.services}
    ]
    return {
        "team": mapping.team,
        "zone": mapping.zone,
        "name": name.name,
        "period": name.period,
        "kind": entry.kind,
        "due": due.isoformat(),
        "owner": entry.owner,
        "scenario": entry.scenario,
        "document": entry.document,
        "services": [{"name": section.name, "owner": section.owner} for section in sections],
        "incident": name.number,
    }
