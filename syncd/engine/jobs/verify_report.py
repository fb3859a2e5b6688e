"""Derive the figures of a week again, from the services and by the second judge, and compare them.

Facts are read afresh; decisions of people come from the ledger. A fact that can no longer be read makes its
rows "not verifiable", which is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from syncd.domain.duty import OF_ACTION_ITEM, DutyKind
from syncd.domain.mapping.bindings import bound
from syncd.domain.mapping.mapping import Mapping, mapping_of
from syncd.engine.context import Services
from syncd.engine.jobs.verify_facts import Read, Reader
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import service_bindings
from syncd.ledger.views.to_verify import OnRecord, incidents_resolved, on_record_of, rules_changed_at
from syncd.remote.http.lanes import slow_lane
from syncd.verify.facts import Correction, Decisions, Judged, RulesLoaded, Verdict
from syncd.verify.judge import judge

LOOK_BACK = timedelta(days=21)
"""Before a week's begin: a duty of a postmortem that was due in it arose at most so long before."""
SOURCES = "PagerDuty's log, Jira's changelog"


class Outcome(StrEnum):
    """The result for one row."""

    SAME = "the same"
    DIFFERENT = "DIFFERENT"
    NOT_VERIFIABLE = "not verifiable"


@dataclass(frozen=True)
class Line:
    """One row of the comparison; `source` names where its facts come from, or why they cannot be read."""

    outcome: Outcome
    name: str
    duty: str
    on_record: str
    derived: str
    source: str


_UNDECIDED = frozenset({"open", "not judged", "pending", "due_soon"})
_NOT_COUNTED = frozenset({Verdict.CANCELLED, "not_required"})


def verify(
    ledger: Transactions,
    services: Services,
    mappings: Sequence[Mapping],
    rows: Sequence[dict[str, Any]],
    bounds: tuple[datetime, datetime],
    team: str | None,
    made_at: datetime,
) -> list[Line]:
    """Return the comparison of a report's duty rows; raise `RemoteError` where a service cannot answer."""
    mappings = bound(mappings, service_bindings(ledger))
    duties = [row for row in rows if row["table"] == "duty"]
    named = {str(row["incident"]) for row in duties if row.get("incident")}
    beside = incidents_resolved(ledger, bounds[0] - LOOK_BACK, bounds[1], team)
    lines = [_restricted(row) for row in duties if not row.get("incident")]
    with slow_lane():
        reader = Reader(ledger, services, mappings)
        for incident_id in sorted({*named, *beside}):
            of_incident = [row for row in duties if row.get("incident") == incident_id]
            record = on_record_of(ledger, incident_id)
            mapping = mapping_of(mappings, record.incident.team) if record else None
            if record is None or mapping is None:
                why = "the ledger does not have it" if record is None else "no mapping is for its team"
                lines += [_unverifiable(row, why) for row in of_incident]
                continue
            changed = rules_changed_at(ledger, mapping.file)
            lines += _compare(
                record, reader.read(record, mapping), mapping, changed, of_incident, bounds, made_at
            )
    return lines


def _restricted(row: dict[str, Any]) -> Line:
    why = "the report does not name restricted incidents"
    return Line(Outcome.NOT_VERIFIABLE, "restricted", str(row["duty"]), str(row["verdict"]), "", why)


def _unverifiable(row: dict[str, Any], why: str) -> Line:
    return Line(Outcome.NOT_VERIFIABLE, _name(row), str(row["duty"]), _on_record(row), "", why)


def _name(row: dict[str, Any]) -> str:
    return f"#{row.get('number')}" + (f" {row['key']}" if row.get("key") else "")


def _on_record(row: dict[str, Any]) -> str:
    return f"{row['verdict']}, due {str(row['due_at'])[:16]}"


def _decisions(record: OnRecord, mapping: Mapping) -> Decisions:
    return Decisions(
        rules=(RulesLoaded(at=mapping.enforced_since, mapping=mapping),),
        waivers=record.waivers,
        corrections=tuple(
            Correction(
                kind=DutyKind(str(taken.data["duty"])),
                subject=str(taken.data["subject"]),
                clock=int(taken.data.get("clock") or 1),
                at=taken.at,
                met_at=taken.data.get("met_at"),
            )
            for taken in record.corrections
        ),
    )


def _compare(
    record: OnRecord,
    read: Read,
    mapping: Mapping,
    changed: Iterable[datetime],
    rows: Sequence[dict[str, Any]],
    bounds: tuple[datetime, datetime],
    made_at: datetime,
) -> list[Line]:
    if read.facts is None:
        return [_unverifiable(row, read.unreadable[""]) for row in rows]
    judged = judge(read.facts, read.people, _decisions(record, mapping), made_at)
    if read.facts.postmortem is None and record.postmortem is not None:
        # nothing can be said of a postmortem that Jira does not show
        judged = [duty for duty in judged if duty.kind in OF_ACTION_ITEM]
    of_rules = [at for at in changed if read.facts.created_at <= at <= made_at]
    lines = []
    for row in rows:
        match = _match(row, judged, read)
        if match is not None:
            judged.remove(match)
        line = _line(row, match)
        why = read.unreadable.get(str(row.get("key") or ""))
        if line.outcome is Outcome.DIFFERENT:
            why = why or _excuse(row, read, of_rules)
        lines.append(_unverifiable(row, why) if why else line)
    # what the report leaves out and should have counted
    for duty in judged:
        due = bounds[0] <= duty.due_at < min(bounds[1], made_at)
        if due and duty.verdict not in _NOT_COUNTED and duty.verdict is not Verdict.PENDING:
            name = f"#{record.incident.number} {read.keys.get(duty.subject, '')}".strip()
            missing = Outcome.NOT_VERIFIABLE if of_rules else Outcome.DIFFERENT
            lines.append(Line(missing, name, str(duty.kind), "not in the report", _derived(duty), SOURCES))
    return lines


def _match(row: dict[str, Any], judged: Sequence[Judged], read: Read) -> Judged | None:
    kind, clock = str(row["duty"]), row.get("clock")
    # a postmortem's key is on its rows, too, but its duties belong to the incident
    of_kind = [
        duty
        for duty in judged
        if duty.kind == kind
        and (
            duty.kind in (DutyKind.SCHEDULED, DutyKind.COMPLETED)
            or read.keys.get(duty.subject) == row.get("key")
        )
    ]
    due_at = datetime.fromisoformat(str(row["due_at"]))
    by_clock = [duty for duty in of_kind if duty.clock == clock]
    return next(iter(by_clock or [duty for duty in of_kind if duty.due_at == due_at]), None)


def _line(row: dict[str, Any], duty: Judged | None) -> Line:
    word = str(row["verdict"])
    if duty is None:
        same = word in _NOT_COUNTED
        return Line(_outcome(same=same), _name(row), str(row["duty"]), _on_record(row), "not owed", SOURCES)
    same = word == duty.verdict or (word in _UNDECIDED and duty.verdict is Verdict.PENDING)
    # the deadline of what does not count moves no number
    if duty.verdict not in _NOT_COUNTED:
        same = same and duty.due_at == datetime.fromisoformat(str(row["due_at"]))
    return Line(_outcome(same=same), _name(row), str(row["duty"]), _on_record(row), _derived(duty), SOURCES)


def _outcome(*, same: bool) -> Outcome:
    return Outcome.SAME if same else Outcome.DIFFERENT


def _derived(duty: Judged) -> str:
    return f"{duty.verdict}, due {duty.due_at.isoformat()[:16]}"


def _excuse(row: dict[str, Any], read: Read, changed: Sequence[datetime]) -> str:
    """Return why a difference may lie in a fact that cannot be read any more, empty where it cannot."""
    if changed:
        return f"the rules changed on {changed[-1]:%Y-%m-%d}; the file has the present ones only"
    if row["duty"] in (DutyKind.SCHEDULED, DutyKind.OWNED) and row.get("key") in read.left:
        return "its owner has left, and Jira does not tell since when"
    return ""
