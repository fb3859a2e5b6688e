"""Decide what an action item that a merge handed over still owes to the target.

A duty that was met or missed before the merge stays as it is, with the incident of which it was then. If it
was met, the target owes it from when the item loses its owner or is opened again; if it was missed, from the
target's next resolve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from syncd.domain.duty import MET, Duty, DutyKind, DutyState
from syncd.policy.case import Case, ItemState
from syncd.policy.follow_ups.completion import Ended
from syncd.policy.follow_ups.owner import Held
from syncd.policy.follow_ups.runs import Run, runs_after


def owed_runs(
    kind: DutyKind, case: Case, state: ItemState, runs: Sequence[Run], times: Iterable[Held | Ended]
) -> tuple[Sequence[Run], datetime | None]:
    """Return the runs in which a duty is owed, and when the item lost what had met it before its merge.

    `times` are those in which the duty is fulfilled.
    """
    merged, last = state.handed_over_at, _last(kind, case, state)
    if merged is None or last is None:
        return runs, None
    if last.claimed_met_at is not None:
        return [], None
    if last.state in MET:
        later = [time for time in times if time.until is None or merged < time.until]
        held = next((time for time in later if time.since <= merged), None)
        # What was lost before the merge is owed to the target at once.
        if held is None:
            return runs, None
        return (runs_after(runs, held.until) if held.until is not None else [], held.until)
    return [run for run in runs if run.item.starts > merged], None


def _last(kind: DutyKind, case: Case, state: ItemState) -> Duty | None:
    """Return the verdict with which an item came from a source, None if nothing was met or missed there."""
    earlier = [duty for duty in case.earlier_duties if duty.kind is kind and duty.subject == state.issue_id]
    last = max(earlier, key=lambda duty: (duty.started_at, duty.clock), default=None)
    if last is None or (last.state is DutyState.VOID and last.claimed_met_at is None):
        return None
    return last if last.state in MET or last.claimed_met_at or last.breached_at else None
