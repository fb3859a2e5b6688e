"""Rows and figures of what people decided: waivers, breaches taken back, closes against the gate.

Names stand in `by` and `ended_by` alone, so that the report over all teams can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.ledger.views.report_decisions import About, OverrideFact, TakenBackFact, WaiverFact
from syncd.report.weekly.counting import Row, plain_row

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
