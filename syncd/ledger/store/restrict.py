"""Restrict an incident: no row holds its title or texts any more, and none will.

Facts that decisions need stay: ids, states, people, hashes. Waiting operations that carry texts are dropped.
An operation under way keeps only the data that finds it again. SQLite overwrites deleted text in the file
(`secure_delete`), and the write-ahead log loses it at its next checkpoint.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.incident import Restriction, stub_title
from syncd.domain.mail import KEYS, concerns_no_incident
from syncd.domain.operation import OPEN_STATES, UNSENT_STATES, Kind, OperationState
from syncd.domain.ticket import Comment
from syncd.ledger.store import audit, operation_states
from syncd.ledger.store.tables import (
    ActionItemRow,
    ChangeNoticeRow,
    IncidentRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)
from syncd.policy.communications.texts import without_words
from syncd.policy.lines import comments_without_words
from syncd.policy.postmortem.facts_in_comments import WITHHELD
from syncd.policy.postmortem.waiver_labels import BY_LABEL

AGAIN = "again"
"""A key in `rendered`: the operation must be rendered anew before it leaves."""
PRIVATE = "restricted"
"""A key in a create's `meaning`: its text is read when it leaves, and is never stored."""


_TEXTS = (
    Kind.MIRROR_NOTE,
    Kind.MIRROR_COMMENT,
    Kind.REWRITE_COMMENT,
    Kind.REWRITE_NOTE,
    Kind.COMMENT_ON_TICKET,
    Kind.POST_CHAT,
)
_KEPT = ("project", "issuetype", "security")


def texts_withheld(number: int) -> dict[str, Any]:
    """Return the values that replace the texts in the snapshot of a postmortem or an action item."""
    return {"summary": stub_title(number), "comments": []}


def ticket_texts_withheld(number: int, snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return the values that replace the texts in a ticket's snapshot: of its comments only lines stay."""
    listed = snapshot.get("comments")
    if listed is None:
        return {**texts_withheld(number), "comments": None}
    comments = [Comment.model_validate(comment) for comment in listed]
    lines = [comment.model_dump(mode="json") for comment in comments_without_words(comments)]
    return {**texts_withheld(number), "comments": lines}


def restrict(session: Session, row: IncidentRow, why: Restriction, now: datetime) -> bool:
    """Restrict an incident, for ever or provisionally; return False if it was restricted like that already.

    The caller stores a snapshot without texts.
    """
    if row.restricted and (why.provisional or not row.provisional):
        return False
    first = not row.restricted
    # unfinished again: the ticket has to get its security level
    row.restricted, row.provisional, row.finished = True, why.provisional, False
    row.restricted_since = row.restricted_since or now
    data: dict[str, JsonValue] = {"why": why.why, "provisional": why.provisional}
    audit.append(session, now, "incident.restricted", incident=row.id, data=data)
    if first:
        _withhold_all(session, row, now)
    return True


def lift(session: Session, row: IncidentRow, now: datetime) -> None:
    """End a provisional restriction: no rule restricts the incident. The caller stores a snapshot with texts.

    The notes and the ticket's comments are read again.
    """
    row.restricted, row.provisional, row.restricted_since, row.finished = False, False, None, False
    ticket = session.get(TicketRow, row.id)
    if ticket is not None and ticket.snapshot is not None:
        ticket.snapshot = {**ticket.snapshot, "comments": None}
        session.add(ticket)
    why = "it is not restricted"
    session.add(ChangeNoticeRow(incident_id=row.id, at=now, why=why, read_seq=row.read_seq, notes=True))
    audit.append(session, now, "incident.unrestricted", incident=row.id, data={"why": why})


def _withhold_all(session: Session, row: IncidentRow, now: datetime) -> None:
    row.notes = None
    # whom the words of people's lines mean
    row.roles = {name: value for name, value in row.roles.items() if name != "named"}
    session.add(row)
    session.flush()
    ticket = session.get(TicketRow, row.id)
    if ticket is not None:
        withhold_ticket(session, ticket, row.number)
    if row.log is not None:
        row.log = [{name: value for name, value in entry.items() if name != "summary"} for entry in row.log]
    for duty_issue in _postmortems_and_items(session, row.id):
        withhold_duty_issue(session, duty_issue, row.number)
    _withhold_waivers(session, row.id)
    query = select(OperationRow).where(OperationRow.incident_id == row.id).order_by(col(OperationRow.id))
    for operation in session.exec(query).all():
        _withhold(session, operation, now)
    _withhold_from_mails_of_several(session)


def _withhold_waivers(session: Session, incident_id: str) -> None:
    # the reason of a waiver by label is the person's comment on the ticket
    query = select(WaiverRow).where(WaiverRow.incident_id == incident_id, WaiverRow.source == BY_LABEL)
    for waiver in session.exec(query).all():
        waiver.reason = WITHHELD
        session.add(waiver)


def _withhold_from_mails_of_several(session: Session) -> None:
    """Have waiting digests and bundled notices rendered anew, because they may name the incident."""
    query = select(OperationRow).where(
        OperationRow.key >= KEYS, OperationRow.key < KEYS[:-1] + "0", col(OperationRow.state).in_(OPEN_STATES)
    )
    for operation in session.exec(query).all():
        rendered = operation.rendered
        if rendered is None:
            continue
        digest = concerns_no_incident(operation.incident_id) and operation.state in UNSENT_STATES
        if digest or rendered.get("tells"):
            operation.rendered = {AGAIN: True}
            session.add(operation)


def withhold_ticket(session: Session, ticket: TicketRow, number: int) -> None:
    """Delete the texts from a ticket's row."""
    if ticket.snapshot is not None:
        ticket.snapshot = {**ticket.snapshot, **ticket_texts_withheld(number, ticket.snapshot)}
    agreed = {name: value for name, value in ticket.agreed.items() if name != "summary"}
    ticket.agreed = without_words(agreed)
    session.add(ticket)


def _postmortems_and_items(session: Session, incident_id: str) -> list[PostmortemRow | ActionItemRow]:
    postmortem = session.get(PostmortemRow, incident_id)
    items = session.exec(select(ActionItemRow).where(ActionItemRow.incident_id == incident_id)).all()
    return [*([postmortem] if postmortem else []), *items]


def withhold_duty_issue(session: Session, duty_issue: PostmortemRow | ActionItemRow, number: int) -> None:
    """Delete the texts from the row of a postmortem or an action item."""
    if duty_issue.snapshot is not None:
        duty_issue.snapshot = {**duty_issue.snapshot, **texts_withheld(number)}
    if isinstance(duty_issue, PostmortemRow):
        duty_issue.follow_ups = []
    else:
        # the text of the follow-up table's row from which the item was made
        duty_issue.facts = {name: value for name, value in duty_issue.facts.items() if name != "row"}
    session.add(duty_issue)


def _withhold(session: Session, row: OperationRow, now: datetime) -> None:
    row_of_a_table = row.kind == Kind.CREATE_ACTION_ITEM and "row" in row.meaning
    # a waiting copy of a text must not leave any more
    if (row.kind in _TEXTS or row_of_a_table) and row.state in UNSENT_STATES:
        operation_states.finish(session, row, OperationState.DROPPED, now, why="the incident is restricted")
    # our own comments on postmortems and items hold no text of the incident, so their text may stay
    ours = row.kind in (Kind.COMMENT_ON_POSTMORTEM, Kind.COMMENT_ON_ACTION_ITEM)
    blanked = ("value", "said") if ours else ("text", "mitigation", "value", "owner", "due")
    meaning: dict[str, Any] = {name: "" if name in blanked else value for name, value in row.meaning.items()}
    for part in ("fields", "agree"):
        if isinstance(meaning.get(part), dict):
            meaning[part] = {name: value for name, value in meaning[part].items() if name != "summary"}
    if row.kind in (Kind.CREATE_TICKET, Kind.CREATE_POSTMORTEM):
        meaning[PRIVATE] = True
        meaning.pop("roles", None)
    row.meaning = meaning
    if row.rendered is not None:
        row.rendered = _rendered(row.rendered)
    if row.error is not None:
        row.error = "withheld: the incident is restricted"
    session.add(row)


def _rendered(rendered: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a rendered request that finds it again and that its confirmation stores."""
    kept = {
        name: value
        for name, value in rendered.items()
        if name not in ("body", "text", "fields", "agree", "facts")
    }
    fields, agree, facts = rendered.get("fields"), rendered.get("agree"), rendered.get("facts")
    if isinstance(facts, dict):
        kept["facts"] = {name: value for name, value in facts.items() if name != "row"}
    if isinstance(fields, dict):
        kept["fields"] = {name: value for name, value in fields.items() if name in _KEPT}
    if isinstance(agree, dict):
        kept["agree"] = {name: value for name, value in agree.items() if name != "summary"}
    return {**kept, AGAIN: True}
