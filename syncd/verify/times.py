"""The times of one incident that the report averages: to its acknowledgement and to its last resolve."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from syncd.verify.facts import IncidentFacts
from syncd.verify.spans import parted_at


class Times(NamedTuple):
    """Minutes from the create, None for what has not come or does not count."""

    to_acknowledge: float | None = None
    to_resolve: float | None = None


def times_of(facts: IncidentFacts, at: datetime) -> Times:
    """Return the times of an incident as they stood at a moment (UTC).

    What is merged into an incident that a mapping claims has none: the other one's count.
    """
    if counts_elsewhere(facts, at):
        return Times()
    states = sorted((state for state in facts.states if state.at <= at), key=lambda state: state.at)
    acknowledged = [state.at for state in states if state.kind == "acknowledged"]
    over = [state for state in states if state.kind in ("resolved", "reopened")]
    is_over = bool(over) and over[-1].kind == "resolved"
    # of two resolves in a row the first one ended it: a merge of what was over ends nothing
    ends = [
        state.at
        for state, before in zip(over, [None, *over], strict=False)
        if state.kind == "resolved" and (before is None or before.kind == "reopened")
    ]
    return Times(
        _minutes(facts.created_at, acknowledged[0] if acknowledged else None),
        _minutes(facts.created_at, ends[-1] if is_over else None),
    )


def counts_elsewhere(facts: IncidentFacts, at: datetime) -> bool:
    """Return True if an incident is part of another one at a moment, and not opened again."""
    merges = sorted((merge for merge in facts.merges if merge.at <= at), key=lambda merge: merge.at)
    if not merges or not merges[-1].claimed:
        return False
    parted = parted_at(facts, merges[-1])
    return parted is None or parted > at


def _minutes(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else max(0.0, (until - since).total_seconds() / 60)
