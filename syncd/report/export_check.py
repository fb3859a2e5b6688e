"""Check an export by itself: its manifest, its chain of rows, and that each file says what the rows tell.

The ledger is the better proof. Without it, whoever holds an export finds every change of what events carry,
and learns what no event carries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from syncd.domain.text import counted
from syncd.domain.trail.account import Account
from syncd.domain.trail.chain import Anchor, Chain, TrailRow, anchor_of, data_of
from syncd.report.evidence import MANIFEST, POPULATION, TRAIL, as_csv

Data = dict[str, Any]

_ABOUT: dict[str, type] = {
    "from": str,
    "to": str,
    "begins": str,
    "anchor": str,
    "incidents": int,
    "restricted": int,
    "files": list,
}
_FILE: dict[str, type] = {
    "incident": dict,
    "duties": list,
    "waivers": list,
    "operations": list,
    "events": list,
}


class Damaged(Exception):
    """A file, or a place in it, cannot be read as what it should be."""


@dataclass
class Checked:
    """The result of a check: what is wrong, and what a second proof is compared with."""

    problems: list[str] = field(default_factory=list)
    about: Data = field(default_factory=dict)
    manifest: str = ""
    account: Account = field(default_factory=Account)

    @property
    def begins(self) -> Anchor:
        """The row before the export's first one."""
        return anchor_of(self.about["begins"])

    @property
    def ends(self) -> Anchor:
        """The export's last row."""
        return anchor_of(self.about["anchor"])


class ExportCheck:
    """The check of one folder; `read` returns a file's bytes, or None; `names` are all files there."""

    def __init__(self, read: Callable[[str], bytes | None], names: Iterable[str]) -> None:
        self._read, self._names = read, set(names) - {MANIFEST}
        self.result = Checked()
        self._rows: dict[str, list[TrailRow]] = {}

    def run(self, anchors: Iterable[Anchor] = ()) -> Checked:
        """Return the result; anything that is wrong is in it, with file and place."""
        result = self.result
        try:
            self._manifest()
            result.problems += self._files()
            self._trail(anchors)
        except Damaged as damage:
            result.problems.append(str(damage))
            return result
        incidents = sorted(name for name in self._names if name.startswith("incidents/"))
        seen: set[str] = set()
        for name in (name for name in incidents if name.endswith(".json")):
            try:
                result.problems += [f"{name}: {words}" for words in self._incident(name, seen)]
            except Damaged as damage:
                result.problems.append(str(damage))
        result.problems += self._missing(seen)
        return result

    def _json(self, name: str, keys: Mapping[str, type]) -> Data:
        content = self._read(name)
        if content is None:
            raise Damaged(f"{name} is missing")
        try:
            data = json.loads(content.decode())
        except UnicodeDecodeError as error:
            raise Damaged(f"{name} is damaged: it is not UTF-8 at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise Damaged(f"{name} is damaged: no JSON at line {error.lineno}: {error.msg}") from None
        for key, wanted in keys.items():
            if not isinstance(data, dict) or not isinstance(data.get(key), wanted):
                raise Damaged(f"{name} is damaged: it has no {key}, or of another kind")
        return dict(data)

    def _manifest(self) -> None:
        self.result.about = about = self._json(MANIFEST, _ABOUT)
        self.result.manifest = sha256(self._read(MANIFEST) or b"").hexdigest()
        for key, make in (("begins", anchor_of), ("anchor", anchor_of), ("from", _moment), ("to", _moment)):
            try:
                make(about[key])
            except ValueError as error:
                raise Damaged(f"{MANIFEST} is damaged at {key}: {error}") from None
        for number, entry in enumerate(about["files"]):
            if not isinstance(entry, dict) or not {"name", "sha256"} <= entry.keys():
                raise Damaged(f"{MANIFEST} is damaged: entry {number + 1} of files has no name or no sha256")

    def _files(self) -> Iterator[str]:
        listed = {str(entry["name"]): entry["sha256"] for entry in self.result.about["files"]}
        for name, digest in listed.items():
            content = self._read(name) if name in self._names else None
            if content is None:
                yield f"{name} is missing"
            elif sha256(content).hexdigest() != digest:
                yield f"{name} was changed: its hash is not the manifest's"
        yield from (f"{name} does not stand in the manifest" for name in sorted(self._names - listed.keys()))

    def _trail(self, anchors: Iterable[Anchor]) -> None:
        content = self._read(TRAIL)
        if content is None:
            raise Damaged(f"{TRAIL} is missing: without it no event can be checked")
        chain = Chain(self.result.begins, anchors)
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                row = TrailRow(**data_of(line.decode()))
            except (ValueError, TypeError):
                raise Damaged(f"{TRAIL} is damaged at line {number}: no row of the audit trail") from None
            broken = chain.add(row)
            if broken is not None:
                raise Damaged(f"{TRAIL} is broken at line {number}, row {broken.seq}: {broken.why}")
            self.result.account.add(row)
            if row.incident is not None:
                self._rows.setdefault(row.incident, []).append(row)
        broken = chain.end(self.result.ends)
        if broken is not None:
            raise Damaged(f"{TRAIL} is broken at row {broken.seq}: {broken.why}")

    def _incident(self, name: str, seen: set[str]) -> Iterator[str]:
        data = self._json(name, _FILE)
        incident = data["incident"]
        seen.add(str(incident.get("id")))
        try:
            yield from self._events(data, str(incident.get("id")))
            yield from self._severity(incident)
            yield from self._duties(data, str(incident.get("id")))
            yield from self._operations(data, str(incident.get("id")))
            table = name.removesuffix("json") + "csv"
            if self._read(table) != as_csv(data):
                yield f"{table} does not say what this file says"
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Damaged(f"{name} is damaged: {type(error).__name__} {error}") from None

    def _events(self, data: Data, ident: str) -> Iterator[str]:
        rows = {row.seq: row for row in self._rows.get(ident, ())}
        events = {event["seq"]: event for event in data["events"]}
        for seq in sorted(rows.keys() | events.keys()):
            if seq not in events:
                yield f"the event of row {seq} ({rows[seq].kind}) is missing"
            elif seq not in rows:
                yield f"no row of the trail is its event {seq}"
            elif _as_event(rows[seq]) != {**events[seq], "at": _at(events[seq]["at"])}:
                yield f"the event of row {seq} was changed"

    def _severity(self, incident: Data) -> Iterator[str]:
        told = self.result.account.incidents.get(str(incident["id"]))
        # an incident on which syncd has not decided yet has no severity
        last: Data = told[-1] if told else {"severity": None, "assumed": False}
        for key, name in (("severity", "severity"), ("assumed", "severity_assumed"), ("number", "number")):
            if key in last and incident[name] != last[key]:
                yield f"{name} is {incident[name]!r}, but the rows tell {last[key]!r}"
        if "created_at" in last and _at(incident["created_at"]) != _at(last["created_at"]):
            yield f"created_at is {incident['created_at']}, but the rows tell {last['created_at']}"
        periods: list[tuple[str, str]] = []
        for entry in told or ():
            if not periods or periods[-1][0] != entry["severity"]:
                periods.append((entry["severity"], entry["since"]))
        if [(period["severity"], period["since"]) for period in incident["severities"]] != periods:
            yield "severities are not those that the rows tell"

    def _duties(self, data: Data, ident: str) -> Iterator[str]:
        account = self.result.account
        places = set()
        for duty in data["duties"]:
            place = (ident, duty["kind"], duty["subject"], duty["clock"])
            places.add(place)
            words = account.untold_duty(ident, duty)
            if words is not None:
                yield words
                continue
            told = account.duties[place]
            for key in ("started_at", "due_at", "met_at"):
                value, event = duty[key], told.get(key)
                if told["state"] != "rebuilt" and _at(value) != _at(event):
                    yield f"{key} of the duty {duty['kind']} is {value}, but the rows tell {event}"
        for _, kind, subject, clock in sorted(p for p in account.duties if p[0] == ident and p not in places):
            yield f"the duty {kind} (clock {clock}) of {subject} is missing"
        if len(data["waivers"]) != account.waivers[ident]:
            waivers = counted(len(data["waivers"]), "waiver")
            yield f"it has {waivers}, but the rows tell of {account.waivers[ident]}"

    def _operations(self, data: Data, ident: str) -> Iterator[str]:
        account, ids = self.result.account, set()
        for operation in data["operations"]:
            ids.add(operation["id"])
            words = account.untold_operation(operation)
            if words is not None:
                yield words
                continue
            told = account.operations[operation["id"]]
            for key in ("reason", "decided_at", "claimed_at", "finished_at"):
                value, event = operation[key], getattr(told, key)
                if value != event and (key == "reason" or _at(value) != _at(event)):
                    yield f"{key} of operation {operation['id']} is {value!r}, but the rows tell {event!r}"
        for number, told in account.operations.items():
            if told.incident == ident and number not in ids:
                yield f"operation {number} ({told.kind}) is missing"

    def _missing(self, seen: set[str]) -> Iterator[str]:
        about, account = self.result.about, self.result.account
        begin, end = _moment(about["from"]), _moment(about["to"])
        restricted = 0
        for ident, told in account.incidents.items():
            inside = False
            with suppress(KeyError, ValueError):
                inside = begin <= _moment(told[-1]["created_at"]) < end
            if inside and ident in account.restricted:
                restricted += 1
            elif inside and ident not in seen:
                yield f"incident #{told[-1]['number']} of the period has no file"
        if restricted > about["restricted"]:
            counts = f"{about['restricted']} restricted incidents, the rows tell of {restricted}"
            yield f"{MANIFEST} counts {counts}"
        if len(seen) != about["incidents"]:
            yield f"{MANIFEST} counts {about['incidents']} incidents, and {len(seen)} have a file"
        try:
            in_ledger = self._json(POPULATION, {"in_ledger": int})["in_ledger"]
        except Damaged as damage:
            yield str(damage)
            return
        if in_ledger != about["incidents"] + about["restricted"]:
            yield f"{POPULATION} counts {in_ledger} incidents in the ledger, the manifest another number"


def _as_event(row: TrailRow) -> Data:
    return {
        "seq": row.seq,
        "at": _at(row.at),
        "kind": row.kind,
        "operation": row.operation,
        "data": data_of(row.text),
        "hash": row.hash,
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _at(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def differences(found: bytes, wanted: bytes) -> list[str]:
    """Return where a JSON file differs from what the ledger gives; one line for another file."""
    try:
        pairs = list(_differing("", json.loads(found), json.loads(wanted)))
    except ValueError:
        pairs = []
    return [
        f"{place} is {_short(value)} in the file, {_short(other)} in the ledger"
        for place, value, other in pairs
    ] or ["it is not what the ledger gives"]


def _differing(place: str, value: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if value == other:
        return
    if isinstance(value, dict) and isinstance(other, dict):
        for key in sorted(value.keys() | other.keys()):
            yield from _differing(f"{place}.{key}".lstrip("."), value.get(key), other.get(key))
    elif isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        for number, (left, right) in enumerate(zip(value, other, strict=True)):
            yield from _differing(f"{place}[{number}]", left, right)
    else:
        yield place, value, other


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


SHOWN = 80
"""Characters of a value that are shown."""
