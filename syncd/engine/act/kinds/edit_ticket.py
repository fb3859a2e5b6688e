"""Changes fields of a ticket: all that changed in one cycle in one edit."""

from __future__ import annotations

from functools import partial
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.operation import EditTicket
from syncd.engine.act.jira_write.refusals import (
    forget_refused_assignee,
    note_refusal,
    place,
    stop_where_refused,
)
from syncd.engine.act.kind import BaseKind, Outcome, Rendered, there
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord, TicketRecord
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.leaving import Basis
from syncd.policy.ticket.revert_counter import remembered
from syncd.remote.errors import NotDone

LABELS = "labels"


class EditTicketKind(BaseKind):
    """One edit."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The fields as decided, without those that Jira refused."""
        stop_where_refused(context, operation)
        edit = operation.typed(EditTicket)
        fields = {name: value for name, value in edit.fields.items() if name not in edit.refused}
        return {"issue": there(basis.ticket).issue_id, "fields": fields, "refused": [*edit.refused]}

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """One edit; nothing is sent where all its fields were refused."""
        fields = rendered["fields"]
        if isinstance(fields, dict) and fields:
            values = {name: value for name, value in fields.items() if name != LABELS}
            try:
                context.services.jira.edit(str(rendered["issue"]), values, _verbs(fields))
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
        """Both sides agree on these aspects; a refused field is not tried again.

        A refused assignee is one person: another one is tried when the incident has another.
        """
        return Confirmation(ticket=partial(_change, operation, context.ledger.logical_clock.next()))

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Jira took it: earlier refusals count no more."""
        context.facts.end_trail(place(operation))

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Any field can be left as it is, but never a security level."""
        fields = (operation.rendered or {}).get("fields", {})
        return [name for name in refused if name in fields and name != "security"]


def _change(operation: OperationRecord, read_seq: int, ticket: TicketRecord) -> Change:
    edit, rendered = operation.typed(EditTicket), operation.rendered or {}
    agreed = {**ticket.agreed, **edit.agree}
    if not rendered.get("refused"):
        for name, before in edit.before.items():
            agreed = {**agreed, **remembered(agreed, name, before)}
    values: dict[str, Any] = {"agreed": agreed, "written_seq": read_seq}
    given_up = {name for name in rendered.get("refused", []) if name != "assignee"}
    if given_up:
        values["refused"] = sorted({*ticket.refused, *given_up})
    if ticket.snapshot:
        values["snapshot"] = _as_written(ticket.snapshot, rendered["fields"])
    data = {"fields": sorted(rendered["fields"]), "refused": rendered.get("refused", [])}
    return Change(values, Event("ticket.edited", data))


def _relabelled(labels: JsonValue, change: dict[str, JsonValue]) -> list[JsonValue]:
    added, removed = change.get("add"), change.get("remove")
    known = labels if isinstance(labels, list) else []
    gone = removed if isinstance(removed, list) else []
    return [*(one for one in known if one not in gone), *(added if isinstance(added, list) else [])]


def _verbs(fields: dict[str, JsonValue]) -> dict[str, JsonValue] | None:
    """Labels are added and taken off one by one, so that what people put there meanwhile stays."""
    change = fields.get(LABELS)
    if not isinstance(change, dict):
        return None
    verbs: list[JsonValue] = []
    for verb in ("remove", "add"):
        labels = change.get(verb)
        verbs += [{verb: one} for one in labels] if isinstance(labels, list) else []
    return {LABELS: verbs}


def _as_written(snapshot: dict[str, JsonValue], fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The ticket as it must look after our edit, until it is read again."""
    after = dict(snapshot)
    for name, value in fields.items():
        if name == "summary":
            after["summary"] = value
        elif name == "priority" and isinstance(value, dict):
            after["priority"] = {"id": value["id"], "name": ""}
        elif name == "security" and isinstance(value, dict):
            after["security_level"] = {"id": value["id"], "name": ""}
        elif name == LABELS and isinstance(value, dict):
            after[LABELS] = _relabelled(after.get(LABELS), value)
        elif name == "components" and isinstance(value, list):
            after["components"] = [{**one, "name": ""} for one in value if isinstance(one, dict)]
        elif name == "assignee" and isinstance(value, dict):
            after["assignee"] = {"id": value.get("accountId") or value.get("name")}
        elif name.startswith("customfield_"):
            raw = after["fields"]
            after["fields"] = {**(raw if isinstance(raw, dict) else {}), name: value}
    return after
