"""Rows, figures and words of what people decided: waivers, breaches taken back, closes against the gate.

Names stand in `by` and `ended_by` alone, so that the report over all teams can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.domain.duty import Waiver
from syncd.domain.text import counted, one_line
from syncd.ledger.views.report_decisions import About, OverrideFact, TakenBackFact, WaiverFact
from syncd.policy.duty_words import SUBJECTS, taken_back, waived
from syncd.policy.time.time_words import at_words
from syncd.report.weekly.cells import cell, duty_of
from syncd.report.weekly.counting import Row, plain_row

DECIDED = ("Duty", "By whom, why, until when")
"""The columns of what people decided."""
WAIVER, TAKEN_BACK, OVERRIDE = "waiver", "taken back", "gate overridden"
"""The tables of these rows in the CSV."""
_HIDDEN = {WAIVER: "restricted waiver", TAKEN_BACK: "restricted taken back", OVERRIDE: "restricted override"}
"""The tables of the same rows of restricted incidents, which say only that there was one."""


@dataclass(frozen=True)
class Decisions:
    """The decisions that a week's report tells."""

    waivers: Sequence[WaiverFact] = ()
    taken_back: Sequence[TakenBackFact] = ()
    overrides: Sequence[OverrideFact] = ()


def decision_rows(decisions: Decisions, week: str) -> Iterator[Row]:
    """Yield the rows of a week's decisions."""
    for fact in decisions.waivers:
        yield _row(WAIVER, fact.about, week, _of_waiver(fact))
    for back in decisions.taken_back:
        yield taken_back_row(back, week)
    for override in decisions.overrides:
        values = {"by": override.by, "started_at": override.at, "reason": override.missing}
        yield _row(OVERRIDE, override.about, week, values)


def _row(table: str, about: About, week: str, values: Row) -> Row:
    if about.restricted:
        return {"table": _HIDDEN[table], "week": week, "team": about.team}
    return {
        "table": table,
        "week": week,
        "team": about.team,
        "incident": about.incident,
        "number": about.number,
        "severity": about.severity,
        "key": about.key,
        **values,
    }


def _of_waiver(fact: WaiverFact) -> Row:
    waiver = fact.waiver
    return {
        "duty": waiver.duty or "scheduled and completed",
        "by": waiver.by,
        "started_at": waiver.at,
        "until": waiver.until,
        "ended_at": waiver.ended_at,
        "ended_by": waiver.ended_by,
        "nth": fact.nth,
        "reason": waiver.reason,
    }


def taken_back_row(fact: TakenBackFact, week: str) -> Row:
    """Return the row of a breach that was taken back."""
    values = {
        "duty": fact.duty,
        "clock": fact.clock,
        "by": fact.by,
        "started_at": fact.at,
        "due_at": fact.due_at,
        "met_at": fact.claimed_met_at,
        "itself": fact.itself,
        "reason": fact.reason,
    }
    return _row(TAKEN_BACK, fact.about, week, values)


def decision_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the decisions as the report's figures have them; restricted ones only as a count."""
    return {
        "waivers": _listed(rows, WAIVER),
        "taken_back": _listed(rows, TAKEN_BACK),
        "overrides": _listed(rows, OVERRIDE),
        "restricted_decisions": sum(row["table"] in _HIDDEN.values() for row in rows),
    }


def _listed(rows: Sequence[Row], table: str) -> list[dict[str, Any]]:
    return [decision_figure(row) for row in rows if row["table"] == table]


def decision_figure(row: Row) -> dict[str, Any]:
    """Return a decision's row as the figures have it."""
    return {name: value for name, value in plain_row(row).items() if name not in ("table", "week")}


def decided_rows(
    figures: dict[str, Any], zone: str, names: bool, browse: str
) -> tuple[list[list[Any]], list[str]]:
    """Return the cells of the week's waivers and breaches taken back, and the lines above them."""
    decisions = [*figures["waivers"], *figures["taken_back"]]
    rows: list[list[Any]] = [
        [
            cell(f"{_subject(entry)}, {duty_of(entry)}", entry["key"], browse),
            decided(entry, zone, names),
        ]
        for entry in decisions
    ]
    lines = [] if decisions else ["Nothing was waived, and no breach was taken back."]
    hidden = figures["restricted_decisions"]
    if hidden:
        lines.append(f"{counted(hidden, 'decision')} about restricted incidents; this report says no more")
    return rows, lines


def _subject(entry: dict[str, Any]) -> str:
    return SUBJECTS.get(entry["duty"], "Postmortem scheduled and completed")


def decided(entry: dict[str, Any], zone: str, names: bool) -> str:
    """Return a waiver or a correction of the figures in the words of `syncd show`."""
    at, by = datetime.fromisoformat(entry["started_at"]), entry.get("by") if names else "an approver"
    if "nth" in entry:
        ended = entry["ended_at"]
        waiver = Waiver(
            until=datetime.fromisoformat(entry["until"]),
            reason=entry["reason"],
            by=by or "somebody",
            at=at,
            ended_at=datetime.fromisoformat(ended) if ended else None,
            ended_by=entry.get("ended_by") if names else None,
        )
        return one_line(waived(waiver, entry["nth"], zone))
    if entry["itself"]:
        return f"Breach taken back {at_words(at, zone)} by syncd itself: {entry['reason']}"
    met = datetime.fromisoformat(entry["met_at"]) if entry["met_at"] else None
    return one_line(taken_back(entry["reason"], by, at, met, zone))
