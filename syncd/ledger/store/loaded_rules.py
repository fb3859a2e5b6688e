"""Which rules are loaded, since when, and how they differ from those before: on record, by team.

Values that hold an address stand here as salted hashes, so that forgetting a person stays possible.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import drop_cursor_in, get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import KeyValueRow

_KEY = "rules/"
_CHANGED = "changed_rules/"
MOST_STEPS = 20
"""Changes of one key that are remembered."""
LONGEST_VALUE = 120
MOST_CHANGES = 200
"""Changed keys that one event names; the rest is counted."""


@dataclass(frozen=True)
class MappingValues:
    """One team's mapping as it stands in a file: its version, and every value by its dotted key."""

    team: str
    file: str
    version: str
    values: dict[str, JsonValue]


@dataclass(frozen=True)
class Loaded:
    """Who had rules loaded: a system user by id and name."""

    uid: int
    name: str
    why: str


def record(ledger: Transactions, now: datetime, rules: Iterable[MappingValues], by: Loaded) -> list[str]:
    """Write down what is loaded now; return, in words, what is different from what was loaded before."""
    given = {team_rules.team: team_rules for team_rules in rules}
    changes: list[str] = []
    with ledger.write() as session:
        for team in known_teams(session):
            if team not in given:
                known = get_cursor_in(session, _KEY + team)
                drop_cursor_in(session, _KEY + team)
                _append(session, now, "rules.removed", {"file": str(known.get("file", ""))}, by)
                changes.append(f"{known.get('file')}: its rules are gone")
        for team_rules in given.values():
            changes += _record_one(session, now, team_rules, by)
    return changes


def _record_one(session: Session, now: datetime, rules: MappingValues, by: Loaded) -> list[str]:
    known = get_cursor_in(session, _KEY + rules.team)
    if known.get("version") == rules.version and known.get("file") == rules.file:
        return []
    values = {_clean(session, key): _short(session, value) for key, value in rules.values.items()}
    before = known.get("values")
    since = now.isoformat() if known else None
    set_cursor_in(
        session,
        _KEY + rules.team,
        file=rules.file,
        version=rules.version,
        since=since,
        values=values,
    )
    data: dict[str, JsonValue] = {"file": rules.file, "hash": rules.version}
    if not isinstance(before, dict):
        _append(session, now, "rules.loaded", data, by)
        return [f"{rules.file}: loaded for the first time"]
    changes = _difference(before, values)
    _remember(session, now, rules.team, before, values)
    data |= {"before": str(known["version"]), "changes": [*changes[:MOST_CHANGES]]}
    if len(changes) > MOST_CHANGES:
        data["more"] = len(changes) - MOST_CHANGES
    _append(session, now, "rules.changed", data, by)
    return [f"{rules.file}: {change}" for change in changes] or [f"{rules.file}: other words, the same rules"]


def known_teams(session: Session) -> list[str]:
    """The teams whose rules are on record as loaded."""
    query = select(KeyValueRow.name).where(col(KeyValueRow.name).startswith(_KEY))
    return sorted(name.removeprefix(_KEY) for name in session.exec(query).all())


def changed_rules(session: Session, team: str) -> dict[str, object]:
    """Return the remembered changes of a team's rules by key, for `values_before`."""
    return get_cursor_in(session, _CHANGED + team)


def values_before(changed: dict[str, object], than: datetime) -> dict[str, str | None]:
    """Return what keys had for a value (JSON) at a moment, as far as they were changed then or after it.

    None: the key did not exist. Only keys by which incidents are judged are remembered.
    """
    found: dict[str, str | None] = {}
    for key, steps in changed.items():
        later = [step for step in _steps(steps) if datetime.fromisoformat(str(step[0])) >= than]
        if later:
            found[key] = later[0][1]
    return found


def _steps(value: object) -> list[list[str | None]]:
    """The changes of one key as they are kept: when, and what stood there before; oldest first."""
    return value if isinstance(value, list) else []


def _remember(
    session: Session, now: datetime, team: str, before: dict[str, str], after: dict[str, str]
) -> None:
    """Keep what the keys had before, by which incidents are judged that are over by now."""
    changed = [key for key in {*before, *after} if before.get(key) != after.get(key) and _judges(key)]
    if not changed:
        return
    known = get_cursor_in(session, _CHANGED + team)
    steps = {key: [*_steps(known.get(key)), [now.isoformat(), before.get(key)]] for key in changed}
    kept = {key: some[-MOST_STEPS:] for key, some in steps.items()}
    set_cursor_in(session, _CHANGED + team, **{**known, **kept})


def _judges(key: str) -> bool:
    """Whether incidents are judged by a key whose value is kept as it is."""
    found = key.startswith(("postmortem.", "follow_ups.", "severities.")) or key.endswith(".postmortem")
    return found and not key.endswith((".notify", ".overdue"))


def _append(session: Session, now: datetime, kind: str, data: dict[str, JsonValue], by: Loaded) -> None:
    who: dict[str, JsonValue] = {"uid": by.uid, "by": audit.salted(session, by.name), "why": by.why}
    audit.append(session, now, kind, data={**data, **who})


def _difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [
        f"{key}: {before.get(key, 'not set')} → {after.get(key, 'not set')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def _clean(session: Session, key: str) -> str:
    return key if "@" not in key else f"hash {audit.salted(session, key)[:12]}"


def _short(session: Session, value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if "@" in text or len(text) > LONGEST_VALUE:
        return f"hash {audit.salted(session, text)[:12]}"
    return text
