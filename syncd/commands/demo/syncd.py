"""What syncd did and why, from the audit trail of its ledger: the record that an auditor would read."""

from __future__ import annotations

from syncd.commands.demo.lines import Line
from syncd.domain.duty import STATE_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind, MoveTicket
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.views.audit_trail import TrailEvent, events_since

_DUTIES = {
    "scheduled": "scheduling the postmortem",
    "completed": "completing the postmortem",
    "owned": "an owner for an action item",
    "done": "an action item",
}
_STATES = {
    "operation.parked": "waits for a person",
    "operation.unknown": "has an unknown outcome and is looked up",
    "operation.not_done": "was not done and is tried again",
}


class SyncdFeed:
    """The audit trail, each event once."""

    def __init__(self, context: EngineContext, mapping: Mapping) -> None:
        self._context = context
        self._mapping = mapping
        self._seq = 0

    def news(self) -> list[Line]:
        """What was recorded since the last call, oldest first, as far as it says something to people."""
        events = events_since(self._context.ledger, self._seq)
        lines = [line for event in events if (line := self._line(event))]
        self._seq = events[-1].seq if events else self._seq
        return lines

    def _line(self, event: TrailEvent) -> Line | None:
        if event.number is None:
            return None
        incident, key = f"#{event.number}", event.ticket or "its ticket"
        data, operation = event.data, event.operation
        if event.kind == "operation.done" and operation is not None:
            text = done_words(operation.kind, incident, key, self._status_name(operation))
            return Line(event.at, "syncd", text, operation.reason)
        if event.kind in _STATES and operation is not None:
            text = f"{operation.kind} for {incident} {_STATES[event.kind]}"
            return Line(event.at, "syncd", text, operation.error or "")
        if event.kind.startswith("duty.") and data.get("before") is not None:
            state = STATE_WORDS.get(event.kind.removeprefix("duty."), event.kind)  # type: ignore[call-overload] # by its word
            why = str(data["reason"]).partition(";")[0]
            return Line(event.at, "syncd", f"{_DUTIES[data['duty']]} of {incident} {state}", why)
        if event.kind == "left":
            return Line(event.at, "syncd", f"left {data['rule']} of {key} as it is", str(data["reason"]))
        return None

    def _status_name(self, record: OperationRecord) -> str:
        if record.kind != Kind.MOVE_TICKET:
            return ""
        move = record.typed(MoveTicket)
        statuses = self._context.facts.resolved(self._mapping).statuses.values()
        return next((one.name for one in statuses if one.id == move.status), "")


_DONE = {
    Kind.CREATE_TICKET: "{key} made for {incident}",
    Kind.LINK_NOTE: "{key} named in a note on {incident}",
    Kind.MOVE_TICKET: "{key} moved to {status}",
    Kind.EDIT_TICKET: "{key} brought up to date",
    Kind.FILL_RESTRICTED_STUB: "{key} given its full text under its security level",
    Kind.LINK_TICKETS: "{key} linked",
    Kind.MIRROR_NOTE: "note of {incident} copied to {key} as a comment",
    Kind.MIRROR_COMMENT: "comment on {key} copied to {incident} as a note",
    Kind.REWRITE_COMMENT: "copy of a note of {incident} on {key} brought up to date",
    Kind.REWRITE_NOTE: "copy of a comment on {key} on {incident} brought up to date",
    Kind.CHANGE_INCIDENT: "{incident} changed as somebody changed {key}",
    Kind.COMMENT_ON_TICKET: "comment written on {key}",
    Kind.CREATE_POSTMORTEM: "postmortem made for {incident}",
    Kind.LINK_POSTMORTEM: "postmortem of {incident} linked",
    Kind.LINK_ACTION_ITEM: "an action item of {incident} linked",
    Kind.EDIT_POSTMORTEM: "postmortem of {incident} brought up to date",
    Kind.EDIT_ACTION_ITEM: "an action item of {incident} brought up to date",
    Kind.COMMENT_ON_POSTMORTEM: "comment written on the postmortem of {incident}",
    Kind.COMMENT_ON_ACTION_ITEM: "comment written on an action item of {incident}",
    Kind.CREATE_ACTION_ITEM: "an action item made for {incident}",
    Kind.LINK_DUPLICATE: "a duplicate of {key} linked to it",
    Kind.CLOSE_DUPLICATE: "a duplicate of {key} closed",
    Kind.SEND_MAIL: "a mail about {incident} sent",
}


def done_words(kind: str, incident: str, key: str, status: str = "") -> str:
    """What a finished operation did, given the incident's number, its ticket's key and a status's name."""
    words = _DONE.get(Kind(kind)) if kind in set(Kind) else None
    said = words or f"{kind.replace('_', ' ')} for {{incident}}"
    return said.format(incident=incident, key=key, status=status or "its status")
