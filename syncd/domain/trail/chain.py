"""The chain of hashes through the audit trail.

A row's hash is SHA-256 over the previous hash and the row's canonical text. The ledger and the check of an
export both follow the chain here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""The hash before the first row."""

Anchor = tuple[int, str]
"""Sequence and hash of a row, as a mail, an export or the log has it."""
HASH_DIGITS = 64
"""The hexadecimal digits of a SHA-256."""


def spelled(anchor: Anchor) -> str:
    """Return an anchor as `SEQ:HASH`, as mails, exports and the command line have it."""
    return f"{anchor[0]}:{anchor[1]}"


def anchor_of(text: str) -> Anchor:
    """Return an anchor from `SEQ:HASH`; raise `ValueError` if it is none."""
    seq, _, digest = text.partition(":")
    if len(digest) != HASH_DIGITS:
        raise ValueError(f"{text!r} is not SEQ:HASH")
    return int(seq), digest


class TrailRow(NamedTuple):
    """A row of the trail; `at` is in UTC, as `datetime.isoformat` writes it, `text` holds a JSON object."""

    seq: int
    at: str
    kind: str
    incident: str | None
    issue: str | None
    operation: int | None
    text: str
    hash: str


@dataclass(frozen=True)
class Broken:
    """The first row that is broken or missing, and why; `seq` None: the trail is unprotected."""

    seq: int | None
    why: str

    def __str__(self) -> str:
        """Return the one line for people."""
        if self.seq is None:
            return f"the audit trail is not protected: {self.why}"
        return f"the audit trail is broken at row {self.seq}: {self.why}"


_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("seq", (int,)),
    ("at", (str,)),
    ("kind", (str,)),
    ("incident", (str, type(None))),
    ("issue", (str, type(None))),
    ("operation", (int, type(None))),
    ("text", (str,)),
    ("hash", (str,)),
)
"""The columns of a row, and the types that their values may have."""


def canonical(
    seq: int,
    at: str,
    kind: str,
    incident: str | None,
    issue: str | None,
    operation: int | None,
    text: str,
) -> str:
    """Return the text of a row over which its hash is computed."""
    return json.dumps(
        [seq, at, kind, incident, issue, operation, text], ensure_ascii=True, separators=(",", ":")
    )


def hash_of(previous: str, spelled: str) -> str:
    """Return the hash of a row from the hash before it and its canonical text."""
    return sha256((previous + spelled).encode()).hexdigest()


def damage_in(row: TrailRow) -> str | None:
    """Return what is wrong with the types of a row's values, None if nothing is."""
    for (name, types), value in zip(_KINDS, row, strict=True):
        if type(value) not in types:
            return f"it is damaged: its {name} is {type(value).__name__ if value is not None else 'empty'}"
    return None


def data_of(text: str) -> dict[str, Any]:
    """Return the data in a row's text; raise `ValueError` if that is no JSON object."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return data


class Chain:
    """A walk along the chain, row by row, from a start and through anchors.

    `kept` are the anchors that the ledger keeps beside its trail, each with what holds it.
    """

    def __init__(
        self,
        start: Anchor = (0, GENESIS),
        anchors: Iterable[Anchor] = (),
        kept: Mapping[Anchor, str] | None = None,
    ) -> None:
        self.last, self.hash = start
        named = {**(kept or {}), **dict.fromkeys(anchors, "the anchor")}
        passed = {(0, GENESIS), start}
        self._anchors = {anchor: name for anchor, name in named.items() if anchor not in passed}
        self._by_row: dict[int, list[Anchor]] = {}
        for anchor in self._anchors:
            self._by_row.setdefault(anchor[0], []).append(anchor)

    def add(self, row: TrailRow) -> Broken | None:
        """Go on to the next row; return why it is not the one that follows."""
        wanted = self.last + 1
        if row.seq != wanted:
            return Broken(wanted, f"row {wanted} is missing")
        damage = damage_in(row)
        if damage is not None:
            return Broken(wanted, damage)
        if hash_of(self.hash, canonical(*row[:-1])) != row.hash:
            return Broken(wanted, "its hash does not follow from its text and the row before")
        try:
            data_of(row.text)
        except ValueError as error:
            return Broken(wanted, f"it is damaged: its text is no JSON object ({error})")
        for anchor in self._by_row.get(wanted, ()):
            name = self._anchors.pop(anchor)
            if anchor[1] != row.hash:
                return Broken(wanted, f"its hash differs from {name}")
        self.last, self.hash = wanted, row.hash
        return None

    def end(self, head: Anchor | None) -> Broken | None:
        """Return why the chain may not end here, where `head` is the stored end of the trail."""
        missing = f"row {self.last + 1} is missing"
        if head is None:
            return Broken(self.last + 1, "the head row is missing, which names the last row of the trail")
        if head[0] > self.last:
            return Broken(self.last + 1, f"{missing}: the head row names row {head[0]} as the last")
        if head != (self.last, self.hash):
            return Broken(self.last, f"the head row names row {head[0]} as the last, with another hash")
        if not self._anchors:
            return None
        latest = max(self._anchors)
        seq, name = latest[0], self._anchors[latest]
        if seq > self.last:
            return Broken(self.last + 1, f"{missing}: {name} names row {seq}")
        return Broken(seq, f"{name} names row {seq}, at which this chain does not begin")
