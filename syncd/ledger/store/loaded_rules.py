"""Record which rules are loaded for each team, since when, and how they differ from the rules before.

Each value is stored for comparison; one that holds an address is stored as a salted hash, because the audit
trail keeps what changed for ever. Beside them the whole mapping is stored as it was loaded last: by it the
incidents of a team go on whose file is gone. It holds no secret, but addresses; `forget` empties them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.duty import OF_ACTION_ITEM, OF_POSTMORTEM, DutyKind
from syncd.domain.mapping.value_types import Mode
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import drop_cursor_in, get_cursor_in, set_cursor_in
from syncd.ledger.store.tables import IncidentRow, KeyValueRow

_KEY = "rules/"
_CHANGED = "changed_rules/"
_LAST = "last_mapping/"
_MODE = ".mode"
_GONE = "gone"
MOST_STEPS = 20
"""How many changes of one key are remembered."""
LONGEST_VALUE = 120
"""How many characters of JSON a stored value may have; a longer value is stored as a hash."""
MOST_CHANGES = 200
"""How many changed keys one event names; the rest is counted."""


@dataclass(frozen=True)
class MappingValues:
    """One team's mapping as its file has it: version, values by dotted key, `whole` as JSON, approvers."""

    team: str
    file: str
    version: str
    values: dict[str, JsonValue]
    whole: dict[str, JsonValue]
    may_approve: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """The system user who had rules loaded, by id and name, and the occasion (`why`)."""

    uid: int
    name: str
    why: str


def record(
    ledger: Transactions,
    now: datetime,
    rules: Iterable[MappingValues],
    by: Loaded,
    unusable: Collection[str | None] = (),
) -> list[str]:
    """Record the rules that are loaded now; return the differences from the rules before, one line each.

    The rules of teams whose file is `unusable` stay on record: they come back when the file is mended. Those
    of a team that is gone stay while it has incidents.
    """
    given = {team_rules.team: team_rules for team_rules in rules}
    changes: list[str] = []
    with ledger.write() as session:
        for team in known_teams(session):
            # an unusable file that does not tell its team may be that of any
            if team not in given and team not in unusable and None not in unusable:
                changes += _remove_team(session, now, team, by)
        for team_rules in given.values():
            changes += _record_team(session, now, team_rules, by)
    return changes


def _remove_team(session: Session, now: datetime, team: str, by: Loaded) -> list[str]:
    """Record that no mapping of a team is loaded any more; its incidents go on by the last one."""
    entry, runs_on = on_record(session, team), has_incidents(session, team)
    if not runs_on:
        drop_cursor_in(session, _KEY + team)
        drop_cursor_in(session, _LAST + team)
    if _GONE in entry:
        return []
    file = str(entry.get("file", ""))
    _append(session, now, "rules.removed", {"file": file}, by)
    if not runs_on:
        return [f"{file}: its rules are gone"]
    set_cursor_in(session, _KEY + team, **{**entry, _GONE: now.isoformat()})
    return [f"{file}: it is gone; the incidents of {team} keep its rules, new ones get no ticket"]


def _record_team(session: Session, now: datetime, rules: MappingValues, by: Loaded) -> list[str]:
    entry = on_record(session, rules.team)
    if last_mapping(session, rules.team) != rules.whole:
        set_cursor_in(session, _LAST + rules.team, **rules.whole)
    same = entry.get("version") == rules.version and entry.get("file") == rules.file
    if same and _GONE not in entry:
        return []
    values = {_clean(session, key): _short(session, value) for key, value in rules.values.items()}
    before = entry.get("values")
    # the first load of a mapping holds from `enforce_from`, so it has no moment of its own
    since = now.isoformat() if entry else None
    set_cursor_in(
        session,
        _KEY + rules.team,
        file=rules.file,
        version=rules.version,
        since=since,
        values=values,
        may_approve=[audit.salted(session, _folded(name)) for name in rules.may_approve],
    )
    data: dict[str, JsonValue] = {"file": rules.file, "hash": rules.version}
    if not isinstance(before, dict):
        _append(session, now, "rules.loaded", data, by)
        return [f"{rules.file}: loaded for the first time"]
    changes = _difference(before, values)
    _remember(session, now, rules.team, before, values)
    data |= {"before": str(entry["version"]), "changes": [*changes[:MOST_CHANGES]]}
    if len(changes) > MOST_CHANGES:
        data["more"] = len(changes) - MOST_CHANGES
    _append(session, now, "rules.changed", data, by)
    if same:
        return [f"{rules.file}: it is back, with the same rules"]
    return [f"{rules.file}: {change}" for change in changes] or [f"{rules.file}: other words, the same rules"]


_REPORTABLE = {"postmortem": OF_POSTMORTEM, "follow_ups": OF_ACTION_ITEM}


def not_asked(session: Session, team: str | None) -> frozenset[DutyKind]:
    """Return the duties of a team that nobody is asked for: their section is in mode `report`."""
    values = get_cursor_in(session, f"{_KEY}{team}").get("values")
    stored, report = values if isinstance(values, dict) else {}, json.dumps(Mode.REPORT)
    sections = [kinds for name, kinds in _REPORTABLE.items() if stored.get(f"{name}{_MODE}") == report]
    return frozenset(kind for kinds in sections for kind in kinds)


def not_asked_by_team(session: Session) -> dict[str, frozenset[DutyKind]]:
    """Return for each team the duties that nobody is asked for."""
    return {team: not_asked(session, team) for team in known_teams(session)}


def last_claims(ledger: Transactions, file: str) -> tuple[str, dict[str, tuple[str, ...]]] | None:
    """Return team and services (ids by name) of a file as it was last loaded, None if it never was."""
    with ledger.read() as session:
        for team in known_teams(session):
            entry = get_cursor_in(session, _KEY + team)
            values = entry.get("values")
            if entry.get("file") == file and isinstance(values, dict):
                return team, _services(values)
    return None


def _services(values: dict[str, str]) -> dict[str, tuple[str, ...]]:
    head, tail = "services.", ".id"
    return {
        key[len(head) : -len(tail)]: (str(ident),) if (ident := json.loads(value)) else ()
        for key, value in values.items()
        if key.startswith(head) and key.endswith(tail)
    }


def on_record(session: Session, team: str) -> dict[str, object]:
    """Return what is on record of a team's rules, empty if none were loaded."""
    return get_cursor_in(session, _KEY + team)


def last_mapping(session: Session, team: str) -> JsonValue:
    """Return a team's whole mapping as it was loaded last, empty if none was."""
    return cast("JsonValue", get_cursor_in(session, _LAST + team))


def gone_since(session: Session, team: str) -> datetime | None:
    """Return since when (UTC) no mapping of a team is loaded, None while one is or none ever was."""
    since = on_record(session, team).get(_GONE)
    return datetime.fromisoformat(str(since)) if since is not None else None


def has_incidents(session: Session, team: str) -> bool:
    """Return True if the ledger has incidents of a team."""
    return session.exec(select(IncidentRow.id).where(IncidentRow.team == team).limit(1)).first() is not None


def may_approve(session: Session, team: str, address: str) -> bool:
    """Return True if the rules of a team that were loaded last let this person approve."""
    approvers = get_cursor_in(session, _KEY + team).get("may_approve")
    return isinstance(approvers, list) and audit.salted(session, _folded(address)) in approvers


def zone_of(session: Session, team: str) -> str:
    """Return the time zone of a team by the rules that were loaded last, UTC without any."""
    values = get_cursor_in(session, _KEY + team).get("values")
    zone = json.loads(values.get("zone", "null")) if isinstance(values, dict) else None
    return str(zone or "UTC")


def _folded(address: str) -> str:
    return address.strip().casefold()


def known_teams(session: Session) -> list[str]:
    """Return the teams whose rules are on record as loaded."""
    query = select(KeyValueRow.name).where(col(KeyValueRow.name).startswith(_KEY))
    return sorted(name.removeprefix(_KEY) for name in session.exec(query).all())


def changed_rules(session: Session, team: str) -> dict[str, object]:
    """Return the remembered changes of a team's rules by key, for `values_before`."""
    return get_cursor_in(session, _CHANGED + team)


def values_before(changed: dict[str, object], than: datetime) -> dict[str, str | None]:
    """Return the values (JSON) that keys had at the moment `than`, if they were changed then or later.

    None: the key did not exist. Only keys by which incidents are judged are remembered.
    """
    values: dict[str, str | None] = {}
    for key, steps in changed.items():
        later = [step for step in _steps(steps) if datetime.fromisoformat(str(step[0])) >= than]
        if later:
            # a step holds the value before it: the first later step has the value of that moment
            values[key] = later[0][1]
    return values


def modes_switched(changed: dict[str, object]) -> dict[str, datetime]:
    """Return when (UTC) the mode of each section last changed, by the section's name, if it did."""
    return {
        key.removesuffix(_MODE): datetime.fromisoformat(str(steps[-1][0]))
        for key, value in changed.items()
        if key.endswith(_MODE) and (steps := _steps(value))
    }


def _steps(value: object) -> list[list[str | None]]:
    """Return the stored changes of one key, oldest first: when, and the value before."""
    return value if isinstance(value, list) else []


def _remember(
    session: Session, now: datetime, team: str, before: dict[str, str], after: dict[str, str]
) -> None:
    """Store the old values of changed keys: incidents that are over are still judged by them."""
    changed = [key for key in {*before, *after} if before.get(key) != after.get(key) and _judges(key)]
    if not changed:
        return
    remembered = get_cursor_in(session, _CHANGED + team)
    steps = {key: [*_steps(remembered.get(key)), [now.isoformat(), before.get(key)]] for key in changed}
    kept = {key: steps_of_key[-MOST_STEPS:] for key, steps_of_key in steps.items()}
    set_cursor_in(session, _CHANGED + team, **{**remembered, **kept})


def _judges(key: str) -> bool:
    """Return True if incidents are judged by a key and its value is stored as it is."""
    judges = key.startswith(
        ("postmortem.", "follow_ups.", "severities.", "restricted.clocks.")
    ) or key.endswith(".postmortem")
    # a switch of the mails tells which of them were over before it
    judges = judges or key == f"mails{_MODE}" or (key.startswith("recurring.") and key.endswith(_MODE))
    # addresses change no verdict, and they are stored as hashes
    return judges and not key.endswith((".notify", ".overdue"))


def _append(session: Session, now: datetime, kind: str, data: dict[str, JsonValue], by: Loaded) -> None:
    loaded_by: dict[str, JsonValue] = {"uid": by.uid, "by": audit.salted(session, by.name), "why": by.why}
    audit.append(session, now, kind, data={**data, **loaded_by})


def _difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [
        f"{key}: {before.get(key, 'not set')} → {after.get(key, 'not set')}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def _clean(session: Session, key: str) -> str:
    # the audit trail keeps the list of changes for ever, so no address may stand in it
    return key if "@" not in key else f"hash {audit.salted(session, key)[:12]}"


def _short(session: Session, value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if "@" in text or len(text) > LONGEST_VALUE:
        return f"hash {audit.salted(session, text)[:12]}"
    return text
