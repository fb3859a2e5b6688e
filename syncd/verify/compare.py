"""Compare the rows of a report with what the second judge says of the same facts.

A row that rests on a fact that can no longer be read is "not verifiable", which is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import OF_ACTION_ITEM, OF_POSTMORTEM, DutyKind
from syncd.domain.mail import name_for_people
from syncd.verify.as_of import as_of
from syncd.verify.facts import Decisions, IncidentFacts, Judged, People, Verdict
from syncd.verify.judge import judge
from syncd.verify.times import times_of

Row = Mapping[str, Any]

_UNDECIDED = frozenset({"open", "pending", "due_soon"})
_NOT_COUNTED = frozenset({Verdict.CANCELLED, "not_required"})
SECONDS_APART = 1.0
"""The times of an incident and of its log may differ by so many seconds."""
NOT_JUDGED = "not judged"
"""The verdict of a row that could not be judged when the report was made."""


class Outcome(StrEnum):
    """The result for one row."""

    SAME = "the same"
    DIFFERENT = "DIFFERENT"
    NOT_VERIFIABLE = "not verifiable"


class Line(Value):
    """One row of the comparison.

    `on_record` is the row's verdict and deadline, `derived` the second judge's, empty where there is none.
    `sources` name where its facts and decisions come from; of a row that is not verifiable, what is missing.
    A restricted incident has neither id nor number here.
    """

    outcome: Outcome
    team: str = ""
    incident: str | None = None
    number: int | None = None
    key: str | None = None
    duty: str
    clock: int | None = None
    on_record: str
    derived: str = ""
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """The incident and issue of the row, for people."""
        if self.number is None:
            return f"{name_for_people(self.incident)} {self.key or ''}" if self.incident else "restricted"
        return f"#{self.number}" + (f" {self.key}" if self.key else "")

    @property
    def words(self) -> str:
        """The row in one line without its outcome and sources."""
        derived = f"; derived anew: {self.derived}" if self.outcome is Outcome.DIFFERENT else ""
        return f"{self.name} {self.duty}: {self.on_record}{derived}"


def counts_of(lines: Sequence[Line]) -> dict[Outcome, int]:
    """Return how many lines have each outcome."""
    return {outcome: sum(line.outcome is outcome for line in lines) for outcome in Outcome}


class Material(Value):
    """All on which the second judge decides about one incident, and what could not be read of it.

    `facts` None: PagerDuty does not show the incident. `keys` are the keys of its issues by id, `postmortem`
    the key of its postmortem. `unreadable` says by key (`` for the incident) what could not be read. `left`
    are the keys of issues of whose owners nobody knows when they left. `rules_changed` are the times (UTC) at
    which the mapping changed, of which only the present rules are at hand.
    """

    incident: str
    number: int
    team: str
    facts: IncidentFacts | None
    people: People
    decisions: Decisions
    keys: dict[str, str] = Field(default_factory=dict)
    postmortem: str | None = None
    unreadable: dict[str, str] = Field(default_factory=dict)
    left: frozenset[str] = frozenset()
    rules_changed: tuple[UtcTime, ...] = ()

    def judged(self, at: datetime) -> list[Judged]:
        """Return what the second judge says at a time (UTC)."""
        if self.facts is None:
            return []
        judged = judge(as_of(self.facts, at), self.people, self.decisions, at)
        if self.facts.postmortem is None and self.postmortem is not None:
            # nothing can be said of a postmortem that Jira does not show
            judged = [duty for duty in judged if duty.kind in OF_ACTION_ITEM]
        return judged

    def sources(self, kind: str, key: str | None) -> tuple[str, ...]:
        """Return where the facts of a duty come from, and the decisions of people about its incident."""
        named = [f"PagerDuty's log of #{self.number}"]
        if key is not None and key not in self.unreadable:
            named.append(f"Jira's changelog of {key}")
        waivers = [
            waiver
            for waiver in self.decisions.waivers
            if waiver.duty in (None, kind) and self._is_of(waiver.subject, key)
        ]
        taken_back = [
            taken
            for taken in self.decisions.corrections
            if taken.kind == kind and self._is_of(taken.subject, key)
        ]
        if waivers:
            named.append(f"the audit trail: {len(waivers)} given waivers")
        if taken_back:
            named.append(f"the audit trail: {len(taken_back)} corrections")
        return tuple(named)

    def _is_of(self, subject: str | None, key: str | None) -> bool:
        """Return True if a decision about `subject` concerns the issue, or the incident's postmortem."""
        if subject in (None, self.incident):
            return key is None or key == self.postmortem
        return self.keys.get(str(subject)) == key


def compare(
    material: Material, rows: Sequence[Row], bounds: tuple[datetime, datetime], made_at: datetime
) -> list[Line]:
    """Return the comparison of an incident's rows, of a report of the time `bounds` made at `made_at`."""
    if material.facts is None:
        return [unverifiable(row, material.unreadable[""]) for row in rows]
    judged = material.judged(made_at)
    of_rules = [at for at in material.rules_changed if material.facts.created_at <= at <= made_at]
    lines = []
    for row in rows:
        match = _match(row, judged, material)
        if match is not None:
            judged.remove(match)
        line = _line(row, match, material)
        why = material.unreadable.get(str(row.get("key") or ""))
        if line.outcome is Outcome.DIFFERENT:
            why = why or _excuse(row, material, of_rules)
        lines.append(unverifiable(row, why) if why else line)
    # what the report leaves out and should have counted
    for duty in judged:
        due = bounds[0] <= duty.due_at < min(bounds[1], made_at)
        if due and duty.verdict not in _NOT_COUNTED and duty.verdict is not Verdict.PENDING:
            lines.append(_left_out(duty, material, excused=bool(of_rules)))
    return lines


NOT_READ_YET = "syncd has not read this incident's log yet; the weekly report reads it before it counts"


def compare_times(material: Material, row: Row, made_at: datetime, *, log_read: bool) -> list[Line]:
    """Return the comparison of an incident's times to acknowledge and to resolve, as its row has them.

    An incident whose log syncd has not read may have been acknowledged: its row says neither yes nor no.
    """
    if material.facts is None:
        return [unverifiable({**row, "duty": "times", "verdict": "on record"}, material.unreadable[""])]
    derived = times_of(material.facts, made_at)
    sources = (f"PagerDuty's log of #{material.number}",)
    lines = []
    for duty, column, minutes in (
        ("time to acknowledge", "minutes_to_acknowledge", derived.to_acknowledge),
        ("time to resolve", "minutes_to_resolve", derived.to_resolve),
    ):
        on_record = row.get(column)
        of_row = {**row, "key": row.get("ticket"), "duty": duty, "verdict": _in_minutes(on_record)}
        same = _alike(on_record, minutes)
        if not same and on_record is None and column == "minutes_to_acknowledge" and not log_read:
            lines.append(unverifiable(of_row, NOT_READ_YET))
        else:
            lines.append(_of_row(of_row, _outcome(same=same), _in_minutes(minutes), sources))
    return lines


def _in_minutes(minutes: float | None) -> str:
    return "none" if minutes is None else f"{minutes:.1f} minutes"


def _alike(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) * 60 <= SECONDS_APART


def unverifiable(row: Row, why: str) -> Line:
    """Return the line of a row whose facts are not there, with the reason."""
    return _of_row(row, Outcome.NOT_VERIFIABLE, "", (why,))


def restricted(row: Row) -> Line:
    """Return the line of a restricted incident's row."""
    return unverifiable(row, "the report does not name restricted incidents")


def _of_row(row: Row, outcome: Outcome, derived: str, sources: tuple[str, ...]) -> Line:
    due = str(row["due_at"])[:16] if row.get("due_at") else ""
    return Line(
        outcome=outcome,
        team=str(row.get("team") or ""),
        incident=row.get("incident"),
        number=row.get("number"),
        key=row.get("key"),
        duty=str(row["duty"]),
        clock=row.get("clock"),
        on_record=f"{row['verdict']}, due {due}" if due else str(row["verdict"]),
        derived=derived,
        sources=sources,
    )


def _left_out(duty: Judged, material: Material, *, excused: bool) -> Line:
    key = material.keys.get(duty.subject) or (material.postmortem if duty.kind in OF_POSTMORTEM else None)
    return Line(
        outcome=Outcome.NOT_VERIFIABLE if excused else Outcome.DIFFERENT,
        team=material.team,
        incident=material.incident,
        number=material.number,
        key=key,
        duty=str(duty.kind),
        clock=duty.clock,
        on_record="not in the report",
        derived=_derived(duty),
        sources=material.sources(duty.kind, key),
    )


def _match(row: Row, judged: Sequence[Judged], material: Material) -> Judged | None:
    kind, clock = str(row["duty"]), row.get("clock")
    # a postmortem's key is on its rows, too, but its duties belong to the incident
    of_kind = [
        duty
        for duty in judged
        if duty.kind == kind
        and (duty.kind in OF_POSTMORTEM or material.keys.get(duty.subject) == row.get("key"))
    ]
    due_at = datetime.fromisoformat(str(row["due_at"]))
    by_clock = [duty for duty in of_kind if duty.clock == clock]
    return next(iter(by_clock or [duty for duty in of_kind if duty.due_at == due_at]), None)


def _line(row: Row, duty: Judged | None, material: Material) -> Line:
    word, sources = str(row["verdict"]), material.sources(str(row["duty"]), row.get("key"))
    if word == NOT_JUDGED:
        why = row.get("why_not_judged")
        return unverifiable(row, f"the report did not judge it: {why}" if why else "it was not judged")
    if duty is None:
        return _of_row(row, _outcome(same=word in _NOT_COUNTED), "not owed", sources)
    same = word == duty.verdict or (word in _UNDECIDED and duty.verdict is Verdict.PENDING)
    # the deadline of what does not count moves no number
    if duty.verdict not in _NOT_COUNTED:
        same = same and duty.due_at == datetime.fromisoformat(str(row["due_at"]))
    return _of_row(row, _outcome(same=same), _derived(duty), sources)


def _outcome(*, same: bool) -> Outcome:
    return Outcome.SAME if same else Outcome.DIFFERENT


def _derived(duty: Judged) -> str:
    return f"{duty.verdict}, due {duty.due_at.isoformat()[:16]}"


def _excuse(row: Row, material: Material, changed: Sequence[datetime]) -> str:
    """Return why a difference may lie in a fact that cannot be read any more, empty where it cannot."""
    if changed:
        return f"the rules changed on {changed[-1]:%Y-%m-%d}; the file has the present ones only"
    if row["duty"] in (DutyKind.SCHEDULED, DutyKind.OWNED) and row.get("key") in material.left:
        return "its owner has left, and Jira does not tell since when"
    return ""
