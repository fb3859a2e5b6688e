"""What syncd did and why, from the audit trail of its ledger: the record that an auditor would read."""

from __future__ import annotations

from syncd.commands.demo.lines import Line
from syncd.commands.shared.wording import done_words
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
