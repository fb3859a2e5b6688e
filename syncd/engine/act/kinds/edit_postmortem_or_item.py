"""Changes fields and labels of a postmortem or an action item, in one edit.

Labels are added and removed one by one, so that those of people stay. A field that Jira refuses is left out
once and recorded; a security level never is.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.operation.postmortem import DutyIssueEdit
from syncd.engine.act.jira_write.postmortem_or_item import agreed_on, duty_issue_for, written
from syncd.engine.act.jira_write.refusals import (
    forget_refused_assignee,
    note_refusal,
    place,
    stop_where_refused,
)
from syncd.engine.act.kind import BaseKind, Outcome, Rendered
from syncd.engine.context import EngineContext
from syncd.ledger.records import DutyIssueRecord, OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation
from syncd.ledger.store.leaving import Basis
from syncd.remote.errors import NotDone


class EditDutyIssueKind(BaseKind):
    """One edit: `fields` are set, `update` holds the labels to add and remove, `agree` is agreed on then."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """What is meant, without what Jira refused."""
        duty_issue = duty_issue_for(context, operation)
        stop_where_refused(context, operation)
        edit = operation.typed(DutyIssueEdit)
        return {
            "issue": duty_issue.issue_id,
            "fields": _without(edit.fields, edit.refused),
            "update": _without(edit.update, edit.refused),
            "refused": [*sorted(edit.refused)],
        }

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One edit; nothing is sent where all of it was refused."""
        fields, update = _without(rendered["fields"]), _without(rendered["update"])
        if fields or update:
            try:
                context.services.jira.edit(str(rendered["issue"]), fields, update)
            except NotDone as error:
                forget_refused_assignee(context, fields, error)
                droppable = self.drop_refused(operation, error.field_errors)
                if not droppable or set(droppable) != set(error.field_errors):
                    note_refusal(context, operation, error)
                raise
        return Outcome(str(rendered["issue"]))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """What was written is agreed on, and stands in what is known of it."""
        return Confirmation(duty_issue=partial(_change, operation, context.ledger.logical_clock.next()))

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Jira took it: earlier refusals count no more."""
        context.facts.end_trail(place(operation))

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Anything can be left as it is, but never a security level."""
        rendered = operation.rendered or {}
        sent = {*_without(rendered.get("fields")), *_without(rendered.get("update"))}
        return [name for name in refused if name in sent and name != "security"]


def _change(operation: OperationRecord, moment: int, duty_issue: DutyIssueRecord) -> Change:
    rendered = operation.rendered or {}
    values = agreed_on(duty_issue, dict(operation.typed(DutyIssueEdit).agree))
    fields, update = _without(rendered.get("fields")), _without(rendered.get("update"))
    if duty_issue.snapshot:
        values["snapshot"] = _as_written(duty_issue.snapshot, fields, update)
    refused: list[JsonValue] = [*rendered.get("refused", [])]
    names: list[JsonValue] = [*sorted({*fields, *update})]
    return written(duty_issue, moment, "edited", {"fields": names, "refused": refused}, **values)


def _without(values: JsonValue, refused: Collection[str] = ()) -> dict[str, JsonValue]:
    if not isinstance(values, dict):
        return {}
    return {name: one for name, one in values.items() if name not in refused}


def _as_written(
    snapshot: dict[str, Any], fields: dict[str, JsonValue], update: dict[str, JsonValue]
) -> dict[str, Any]:
    """The issue as it must look after our edit, until it is read again."""
    after = dict(snapshot)
    assignee, level = fields.get("assignee"), fields.get("security")
    if isinstance(assignee, dict):
        after["assignee"] = {"id": assignee.get("accountId") or assignee.get("name")}
    elif "assignee" in fields:
        after["assignee"] = None
    if isinstance(level, dict):
        after["security_level"] = {"id": level["id"], "name": ""}
    if "duedate" in fields:
        after["due_date"] = fields["duedate"]
    changes = update.get("labels")
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, dict):
            kept = [one for one in after.get("labels", []) if one not in change.values()]
            after["labels"] = [*kept, change["add"]] if "add" in change else kept
    return after
