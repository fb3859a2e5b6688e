"""Edit a ticket, a postmortem or an action item: one edit carries all changes of one cycle.

syncd adds and removes labels one by one, so that people's labels stay. It leaves out a field that Jira
refuses, and records that; it never leaves out a security level.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.operation import EditTicket, Kind, op_of, ticket_key
from syncd.domain.operation.postmortem import DutyIssueEdit
from syncd.domain.operation.rendered import FieldValues, RenderedEdit, assignee_in
from syncd.domain.ticket import Issue, Mark
from syncd.engine.act.kind import BaseKind, Outcome, agreed_on, duty_issue_for, look_back, there, written
from syncd.engine.act.refusals import forget_refused_assignee
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.leaving import Basis
from syncd.policy.case import DutyIssueState, TicketState
from syncd.policy.ticket.revert_counter import remembered
from syncd.remote.errors import NotDone

LABELS = "labels"
SECURITY = "security"


class EditKind(BaseKind[RenderedEdit]):
    """One edit of an issue."""

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedEdit) -> Outcome:
        """Send one edit; send nothing where Jira refused each field before.

        A security level protects texts that leave next, so syncd looks at once if it is there.
        """
        fields, update = self.request(rendered)
        if fields or update or rendered.mark is not None:
            try:
                context.services.jira.edit(rendered.issue, fields, update, rendered.mark)
            except NotDone as error:
                forget_refused_assignee(context, fields, error)
                raise
        level = fields.get(SECURITY)
        if isinstance(level, dict):
            look_back(context, rendered.issue, lambda issue: _level_of(issue) == level["id"], "level")
        return Outcome(rendered.issue)

    def request(self, rendered: RenderedEdit) -> tuple[FieldValues, FieldValues | None]:
        """Return the fields to set, and those of which values are added and removed."""
        return rendered.fields, rendered.update

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Return the refused fields that syncd sent: an edit can leave out any field but a security level."""
        rendered = operation.rendered_as(RenderedEdit)
        sent = {*rendered.fields, *rendered.update}
        return [name for name in refused if name in sent and name != SECURITY]


class EditTicketKind(EditKind):
    """An edit of the ticket."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedEdit:
        """Return the decided fields without those that Jira refused."""
        edit = operation.typed(EditTicket)
        fields = _without(edit.fields, edit.refused)
        issue_id = there(basis.ticket).issue_id
        if not edit.marks:
            return RenderedEdit(issue=issue_id, fields=fields, refused=edit.refused)
        # the mark of the create that this ticket made needless: a new ledger finds the ticket by it
        mark = Mark(
            op=op_of(ticket_key(operation.incident_id)),
            kind=Kind.CREATE_TICKET,
            incident=operation.incident_id,
            instance=context.ledger.instance,
        )
        return RenderedEdit(issue=issue_id, fields=fields, refused=edit.refused, mark=mark)

    def request(self, rendered: RenderedEdit) -> tuple[FieldValues, FieldValues | None]:
        """Return the fields to set, and the labels to add and remove."""
        return _without(rendered.fields, (LABELS,)), _verbs(rendered.fields)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that both sides agree on these aspects, and that refused fields are not tried again.

        A refusal of the assignee concerns one person: syncd tries again when the incident has another.
        """
        return Confirmation(ticket=partial(_change_ticket, operation, context.ledger.logical_clock.next()))


class EditDutyIssueKind(EditKind):
    """An edit of a postmortem or an action item."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedEdit:
        """Return the decided fields and labels without those that Jira refused."""
        duty_issue = duty_issue_for(context, operation)
        edit = operation.typed(DutyIssueEdit)
        return RenderedEdit(
            issue=duty_issue.issue_id,
            fields=_without(edit.fields, edit.refused),
            update=_without(edit.update, edit.refused),
            refused=edit.refused,
        )

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Store that both sides agree on the written fields, and put them into the snapshot."""
        moment = context.ledger.logical_clock.next()
        return Confirmation(duty_issue=partial(_change_duty_issue, operation, moment))


def _level_of(issue: Issue) -> str | None:
    return issue.security_level.id if issue.security_level is not None else None


def _without(values: FieldValues, left_out: Collection[str]) -> FieldValues:
    return {name: value for name, value in values.items() if name not in left_out}


def _change_ticket(operation: OperationRecord, read_seq: int, ticket: TicketState) -> Change:
    edit, rendered = operation.typed(EditTicket), operation.rendered_as(RenderedEdit)
    agreed = {**ticket.agreed, **edit.agree}
    # a refused edit changed nothing that a person could change back
    if not rendered.refused:
        for name, before in edit.before.items():
            agreed = {**agreed, **remembered(agreed, name, before)}
    values: dict[str, Any] = {"agreed": agreed, "written_seq": read_seq}
    # another responder may be assignable, so a refused assignee is tried again
    given_up = {name for name in rendered.refused if name != "assignee"}
    if given_up:
        values["refused"] = sorted({*ticket.refused, *given_up})
    if ticket.issue is not None:
        values["snapshot"] = _ticket_as_written(ticket.issue.model_dump(mode="json"), rendered.fields)
    return Change(values, Event("ticket.edited", _told(rendered)))


def _change_duty_issue(operation: OperationRecord, moment: int, duty_issue: DutyIssueState) -> Change:
    rendered = operation.rendered_as(RenderedEdit)
    values = agreed_on(duty_issue, operation.typed(DutyIssueEdit).agree)
    if duty_issue.issue is not None:
        values["snapshot"] = _duty_issue_as_written(duty_issue.issue.model_dump(mode="json"), rendered)
    return written(duty_issue, moment, "edited", _told(rendered), **values)


def _told(rendered: RenderedEdit) -> dict[str, JsonValue]:
    return {"fields": [*sorted({*rendered.fields, *rendered.update})], "refused": [*rendered.refused]}


def _verbs(fields: FieldValues) -> FieldValues | None:
    """Return Jira's verbs that add and remove single labels: people's labels stay."""
    change = fields.get(LABELS)
    if not isinstance(change, dict):
        return None
    verbs: list[JsonValue] = []
    for verb in ("remove", "add"):
        labels = change.get(verb)
        verbs += [{verb: label} for label in labels] if isinstance(labels, list) else []
    return {LABELS: verbs}


def _ticket_as_written(snapshot: dict[str, JsonValue], fields: FieldValues) -> dict[str, JsonValue]:
    """Return the ticket's snapshot as it must look after our edit, until the next read."""
    after = _as_written(snapshot, fields)
    for name, value in fields.items():
        if name == "summary":
            after["summary"] = value
        elif name == "priority" and isinstance(value, dict):
            after["priority"] = {"id": value["id"], "name": ""}
        elif name == LABELS and isinstance(value, dict):
            after[LABELS] = _relabelled(after.get(LABELS), value)
        elif name == "components" and isinstance(value, list):
            after["components"] = [
                {**component, "name": ""} for component in value if isinstance(component, dict)
            ]
        elif name.startswith("customfield_"):
            raw = after["fields"]
            after["fields"] = {**(raw if isinstance(raw, dict) else {}), name: value}
    return after


def _relabelled(labels: JsonValue, change: dict[str, JsonValue]) -> list[JsonValue]:
    added, removed = change.get("add"), change.get("remove")
    before = labels if isinstance(labels, list) else []
    gone = removed if isinstance(removed, list) else []
    return [*(label for label in before if label not in gone), *(added if isinstance(added, list) else [])]


def _duty_issue_as_written(snapshot: dict[str, Any], rendered: RenderedEdit) -> dict[str, Any]:
    """Return the issue's snapshot as it must look after our edit, until the next read."""
    after: dict[str, Any] = _as_written(snapshot, rendered.fields)
    if "duedate" in rendered.fields:
        after["due_date"] = rendered.fields["duedate"]
    changes = rendered.update.get(LABELS)
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, dict):
            kept = [label for label in after.get(LABELS, []) if label not in change.values()]
            after[LABELS] = [*kept, change["add"]] if "add" in change else kept
    return after


def _as_written(snapshot: dict[str, JsonValue], fields: FieldValues) -> dict[str, JsonValue]:
    """Return the snapshot with the assignee and security level that syncd wrote."""
    after, level = dict(snapshot), fields.get(SECURITY)
    if "assignee" in fields:
        account = assignee_in(fields)
        after["assignee"] = {"id": account} if account is not None else None
    if isinstance(level, dict):
        after["security_level"] = {"id": level["id"], "name": ""}
    return after
