"""Tell the acts of syncd and their reasons from the audit trail of its ledger, as an auditor reads it."""

from __future__ import annotations

from syncd.commands.demo.lines import Line
from syncd.domain.duty import STATE_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind, MoveTicket, PostChat, SendMail
from syncd.domain.operation.mail import WeeklyReportMail
from syncd.domain.recurring import recurring_of
from syncd.engine.context import EngineContext
from syncd.ledger.records import OperationRecord
from syncd.ledger.views.audit_trail import TrailEvent, events_since

_DUTIES = {
    "scheduled": "schedule the postmortem",
    "completed": "complete the postmortem",
    "filed": "file with the regulator",
    "owned": "name an owner for an action item",
    "done": "finish an action item",
    "held": "hold",
}
_FAILURES = {
    "operation.parked": "could not {operation} for {incident} and waits for a person",
    "operation.unknown": "got no answer to {operation} for {incident} and looks for its effect",
    "operation.not_done": "could not {operation} for {incident} and tries again",
}


class SyncdFeed:
    """The audit trail, each event shown once."""

    def __init__(self, context: EngineContext, mapping: Mapping) -> None:
        self._context = context
        self._mapping = mapping
        self._seq = 0

    def news(self) -> list[Line]:
        """Return the lines for what was recorded since the last call, oldest first."""
        events = events_since(self._context.ledger, self._seq)
        lines = [line for event in events if (line := self._line(event))]
        self._seq = events[-1].seq if events else self._seq
        return lines

    def _line(self, event: TrailEvent) -> Line | None:
        recurring = recurring_of(event.about)
        # Other events without an incident (a start, a mapping that was loaded) are no part of the story.
        if event.number is None and recurring is None:
            return _weekly_report(event)
        incident = f"#{event.number}" if recurring is None else recurring.words
        key = event.ticket or "its ticket"
        data, operation = event.data, event.operation
        if event.kind == "operation.done" and operation is not None:
            if recurring is not None and operation.kind == Kind.LINK_ACTION_ITEM:
                return Line(event.at, "syncd", f"linked {incident}", operation.reason)
            to = _recipient(operation)
            text = done_words(operation.kind, incident, key, self._status_name(operation), to)
            return Line(event.at, "syncd", text, operation.reason)
        if event.kind in _FAILURES and operation is not None:
            # A kind reads as a verb and its object: "create_ticket" becomes "create ticket".
            words = operation.kind.replace("_", " ")
            text = _FAILURES[event.kind].format(operation=words, incident=incident)
            return Line(event.at, "syncd", text, operation.error or "")
        # A duty that only began has no state before it, and is no news to anybody.
        if event.kind.startswith("duty.") and data.get("before") is not None:
            state = STATE_WORDS.get(event.kind.removeprefix("duty."), event.kind)  # type: ignore[call-overload] # by its word
            why = str(data["reason"]).partition(";")[0]
            what = _DUTIES[data["duty"]]
            duty = f'"{what}" of {incident}' if recurring is None else f'"{what} {incident}"'
            return Line(event.at, "syncd", f"marked {duty} as {state}", why)
        if event.kind == "left":
            return Line(event.at, "syncd", f"left {data['rule']} of {key} as it is", str(data["reason"]))
        return None

    def _status_name(self, record: OperationRecord) -> str:
        if record.kind != Kind.MOVE_TICKET:
            return ""
        move = record.typed(MoveTicket)
        statuses = self._context.facts.resolved(self._mapping).statuses.values()
        return next((status.name for status in statuses if status.id == move.status), "")


def _recipient(operation: OperationRecord) -> str:
    """Return the address of a mail or the channel of a post, empty for any other operation."""
    decided = operation.operation
    if isinstance(decided, PostChat):
        return f"#{decided.channel}"
    return decided.to if isinstance(decided, SendMail) else ""


def _weekly_report(event: TrailEvent) -> Line | None:
    operation = event.operation
    if event.kind != "operation.done" or operation is None or operation.kind != Kind.SEND_MAIL:
        return None
    mail = operation.typed(SendMail)
    if not isinstance(mail.content, WeeklyReportMail):
        return None
    team = mail.content.team or "all teams"
    return Line(event.at, "syncd", f"mailed {mail.to} the report of {mail.content.week} for {team}")


_DONE = {
    Kind.CREATE_TICKET: "created {key} for {incident}",
    Kind.LINK_NOTE: "named {key} in a note on {incident}",
    Kind.MOVE_TICKET: "moved {key} to {status}",
    Kind.EDIT_TICKET: "updated {key}",
    Kind.FILL_RESTRICTED_STUB: "gave {key} its full text under its security level",
    Kind.LINK_TICKETS: "linked {key}",
    Kind.MIRROR_NOTE: "copied a note of {incident} to {key} as a comment",
    Kind.MIRROR_COMMENT: "copied a comment on {key} to {incident} as a note",
    Kind.POST_READY_TEXTS: "wrote texts to copy on {key}",
    Kind.REWRITE_READY_TEXTS: "updated the texts to copy on {key}",
    Kind.REWRITE_COMMENT: "updated the copy of a note of {incident} on {key}",
    Kind.REWRITE_NOTE: "updated the copy of a comment on {key} on {incident}",
    Kind.CHANGE_INCIDENT: "changed {incident} as a person changed {key}",
    Kind.COMMENT_ON_TICKET: "wrote a comment on {key}",
    Kind.CREATE_POSTMORTEM: "created the postmortem of {incident}",
    Kind.LINK_POSTMORTEM: "linked the postmortem of {incident}",
    Kind.LINK_ACTION_ITEM: "linked an action item of {incident}",
    Kind.EDIT_POSTMORTEM: "updated the postmortem of {incident}",
    Kind.EDIT_ACTION_ITEM: "updated an action item of {incident}",
    Kind.COMMENT_ON_POSTMORTEM: "wrote a comment on the postmortem of {incident}",
    Kind.COMMENT_ON_ACTION_ITEM: "wrote a comment on an action item of {incident}",
    Kind.CREATE_ACTION_ITEM: "created an action item for {incident}",
    Kind.CREATE_RECURRING: "created the issue of {incident}",
    Kind.LINK_DUPLICATE: "linked a duplicate of {key} to it",
    Kind.CLOSE_DUPLICATE: "closed a duplicate of {key}",
    Kind.SEND_MAIL: "sent {to} a mail about {incident}",
    Kind.POST_CHAT: "posted to {to} about {incident}",
}


def done_words(kind: str, incident: str, key: str, status: str = "", to: str = "") -> str:
    """Return a finished operation in words.

    `incident` is the number, `key` that of the ticket, `status` the name of a moved ticket's status, `to` the
    address of a mail.
    """
    words = _DONE.get(Kind(kind)) if kind in set(Kind) else None
    words = words or f"did {kind.replace('_', ' ')} for {{incident}}"
    return words.format(incident=incident, key=key, status=status or "its status", to=to or "somebody")
