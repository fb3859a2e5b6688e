"""What the writes to postmortems and action items have in common: which one it is, and what is kept of it."""

from __future__ import annotations

from typing import Any

from syncd.domain.base import JsonValue
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Event
from syncd.ledger.store.confirming import duty_issue_of
from syncd.policy.case import DutyIssueState, ItemState, PostmortemState


def duty_issue_for(context: EngineContext, operation: OperationRecord) -> DutyIssueState:
    """Return the postmortem or action item that an operation is about.

    Raises `DecideAgain` where it is not on record yet.
    """
    issue = duty_issue_of(context.ledger, operation)
    if issue is None:
        raise DecideAgain
    return issue


def agreed_on(duty_issue: DutyIssueState, agreed: dict[str, JsonValue]) -> dict[str, Any]:
    """What is kept of what was agreed on by a write of ours: on an action item it stands among its facts."""
    if not agreed:
        return {}
    if isinstance(duty_issue, ItemState):
        return {"facts": {**duty_issue.facts, **agreed}}
    return {"agreed": {**duty_issue.agreed, **agreed}}


def written(
    duty_issue: DutyIssueState, seq: int, what: str, data: dict[str, JsonValue], **values: Any
) -> Change:
    """Return what is stored of a confirmed write of ours: reads count only after `seq`."""
    whose = "postmortem" if isinstance(duty_issue, PostmortemState) else "item"
    return Change({**values, "written_seq": seq}, Event(f"{whose}.{what}", data))
