"""Account for the records beside a trail by its events: operations, duties, waivers, issues.

Whoever cuts rows off a trail, and makes the rest fit, leaves records that no event tells of. The ledger
(`syncd audit verify`) and the check of an export compare their records with this account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.domain.duty import DutyState
from syncd.domain.text import counted
from syncd.domain.trail.chain import TrailRow, data_of

Data = dict[str, Any]
DutyPlace = tuple[str, str, str, int]
"""The incident, kind, subject and clock that name one duty."""

_AFTER = {
    "operation.done": "done",
    "operation.dropped": "dropped",
    "operation.superseded": "superseded",
    "operation.parked": "parked",
    "operation.unknown": "unknown",
    "operation.leaves": "in_flight",
    "operation.not_done": "pending",
    "operation.retried": "pending",
    "operation.freed": "pending",
    "operation.released": "pending",
}
"""The state in which each event leaves an operation."""


@dataclass(slots=True)
class OperationTold:
    """An operation as the events tell it; times are as the trail has them."""

    incident: str | None
    op: str
    kind: str
    state: str
    reason: str
    decided_at: str
    attempts: int = 0
    claimed_at: str | None = None
    finished_at: str | None = None


class Account:
    """The account that the rows of a trail give, up to the last one that was added."""

    def __init__(self) -> None:
        self.birth: Data | None = None
        self.operations: dict[int, OperationTold] = {}
        self.duties: dict[DutyPlace, Data] = {}
        self.incidents: dict[str, list[Data]] = {}
        self.waivers: Counter[str] = Counter()
        self.issues: set[str] = set()
        self.exports: dict[str, int] = {}
        self.restricted: set[str] = set()

    def add(self, row: TrailRow) -> None:
        """Take in a row that the chain holds."""
        data = data_of(row.text)
        if row.issue is not None:
            self.issues.add(row.issue)
        if row.operation is not None and row.kind.startswith("operation."):
            self._operation(row, row.operation, data)
        elif row.kind.startswith("duty."):
            self._duty(row, data)
        elif row.kind in ("waiver.given", "waiver.rebuilt") and row.incident is not None:
            self.waivers[row.incident] += 1
        elif row.kind == "severity.decided" and row.incident is not None:
            self.incidents.setdefault(row.incident, []).append(data)
            if data.get("restricted"):
                self.restricted.add(row.incident)
        elif row.kind == "incident.restricted" and row.incident is not None:
            self.restricted.add(row.incident)
        elif row.kind == "ledger.born":
            self.birth = data
        elif row.kind == "export.made":
            self.exports[str(data.get("manifest"))] = row.seq

    def _duty(self, row: TrailRow, data: Data) -> None:
        place = (str(row.incident), str(data.get("duty")), str(data.get("subject")), data.get("clock", 1))
        if row.kind == "duty.corrected":
            # the duty keeps what an earlier row told, and is void from this one on
            self.duties[place] = {**self.duties.get(place, {}), "state": str(DutyState.VOID)}
        else:
            self.duties[place] = {**data, "state": row.kind.partition(".")[2]}

    def _operation(self, row: TrailRow, ident: int, data: Data) -> None:
        if row.kind == "operation.decided":
            # a restore frees numbers of operations that never left, so a number may come again
            state = "held" if data.get("held") else "pending"
            reason = str(data.get("reason", ""))
            self.operations[ident] = OperationTold(
                row.incident, str(data.get("op")), str(data.get("kind")), state, reason, row.at
            )
        told = self.operations.get(ident)
        if told is None or row.kind not in _AFTER:
            return
        told.state = _AFTER[row.kind]
        if row.kind == "operation.leaves":
            told.attempts, told.claimed_at = int(data.get("attempt", 0)), row.at
        elif told.state in ("done", "dropped", "superseded"):
            told.finished_at = row.at

    def untold_operation(self, record: Mapping[str, Any]) -> str | None:
        """Return how an operation's record differs from the events, None if it does not."""
        name = f"operation {record['id']} ({record['kind']})"
        told = self.operations.get(record["id"])
        if told is None or (told.op, told.kind) != (record["op"], record["kind"]):
            return f"{name} is {record['state']}, but no row tells of it"
        if told.state != record["state"]:
            return f"{name} is {record['state']}, but the rows tell that it is {told.state}"
        if told.attempts != record["attempts"]:
            return f"{name} left {counted(record['attempts'], 'time')}, but the rows tell of {told.attempts}"
        return None

    def untold_duty(self, incident: str, record: Mapping[str, Any]) -> str | None:
        """Return how a duty's record differs from the events, None if it does not."""
        name = f"the duty {record['kind']} (clock {record['clock']}) of {record['subject']}"
        told = self.duties.get((incident, record["kind"], record["subject"], record["clock"]))
        if told is None:
            return f"{name} is {record['state']}, but no row tells of it"
        # what is rebuilt from an earlier ledger keeps the state that this ledger gave it
        if told["state"] not in (record["state"], "rebuilt"):
            return f"{name} is {record['state']}, but the rows tell that it is {told['state']}"
        return None

    def untold(
        self, operations: Iterable[Mapping[str, Any]], duties: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> Iterator[str]:
        """Yield how the records of operations, and of duties with their incidents, differ from the events."""
        yield from filter(None, map(self.untold_operation, operations))
        for incident, duty in duties:
            words = self.untold_duty(incident, duty)
            if words is not None:
                yield words
