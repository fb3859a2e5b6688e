"""What the writes to postmortems and action items have in common: which one it is, and what is kept of it."""

from __future__ import annotations

from typing import Any

from syncd.domain.base import JsonValue
from syncd.engine.context import Desk
from syncd.engine.errors import DecideAgain
from syncd.ledger.records import DutyIssueRecord, OperationRecord, PostmortemRecord
from syncd.ledger.store.confirmation import Change, Event
from syncd.ledger.store.confirming import duty_issue_of


def paper_of(desk: Desk, operation: OperationRecord) -> DutyIssueRecord:
    """The postmortem or action item that an operation is about.

    Raises `DecideAgain` where it is not on record yet.
    """
    issue = duty_issue_of(desk.ledger, operation)
    if issue is None:
        raise DecideAgain
    return issue


def agreed_on(paper: DutyIssueRecord, agreed: dict[str, JsonValue]) -> dict[str, Any]:
    """What is kept of what was agreed on by a write of ours: on an action item it stands among its facts."""
    if not agreed:
        return {}
    if isinstance(paper, PostmortemRecord):
        return {"agreed": {**paper.agreed, **agreed}}
    return {"facts": {**paper.facts, **agreed}}


def written(moment: int, kind: str, data: dict[str, JsonValue], **values: Any) -> Change:
    """A write of ours to it was confirmed at a moment: later reads count, and it stands on record."""
    return Change({**values, "written_moment": moment}, Event(kind, data))
