"""Builds the case of one incident from the ledger: what a decision may look at, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident, IncidentStatus, Note
from syncd.domain.operation import OperationClass
from syncd.domain.ticket import Account, Issue
from syncd.engine.desk import Desk
from syncd.engine.paperwork import extend_case
from syncd.ledger import outbox
from syncd.ledger.beside import tables_with
from syncd.ledger.tables import IncidentRow, MirrorLinkRow, OperationRow, TicketRow
from syncd.policy.case import Case, ClosedBy, MergeTarget, MirrorPair, Rulebook, TicketState
from syncd.policy.two_way import travels


def ticket_state(row: TicketRow) -> TicketState:
    """A ticket's row as the rules see it."""
    return TicketState(
        issue_id=row.issue_id,
        key=row.key,
        origin=row.origin,
        agreed=row.agreed,
        placed_status=row.placed_status,
        refused=tuple(row.refused),
        issue=Issue.model_validate(row.snapshot) if row.snapshot else None,
        closed=ClosedBy.model_validate(row.closed) if row.closed else None,
    )


def is_silent(incident: Incident, book: Rulebook) -> bool:
    """Whether it was over before the mapping's rules began (rules: "Backfill is silent")."""
    return was_over_before(incident, book.mapping.enforce_from)


def was_over_before(incident: Incident, day: date) -> bool:
    """Whether it was resolved before a day (UTC) began."""
    begins = datetime.combine(day, time(), UTC)
    over = incident.resolved_at or incident.status_changed_at or incident.created_at
    return incident.status is IncidentStatus.RESOLVED and over < begins


def left_in_peace(incident: Incident, book: Rulebook) -> bool:
    """Whether it is silent and the mapping wants no ticket for such incidents."""
    return is_silent(incident, book) and book.mapping.backfill.tickets == "open"


def build_case(
    session: Session,
    desk: Desk,
    row: IncidentRow,
    book: Rulebook,
    people: tuple[dict[str, Account | None], Account | None],
) -> Case:
    """Given an incident's row, return its case as of this transaction."""
    incident = Incident.model_validate(row.snapshot)
    there, whose = tables_with(session, row.id), {"incident": row.id}
    ticket = session.get(TicketRow, row.id) if TicketRow in there else None
    once = session.connection().scalars(_ONCE, whose).all() if OperationRow in there else ()
    pairs = session.connection().execute(_PAIRS, whose).all() if MirrorLinkRow in there else ()
    sources = session.connection().scalars(MERGED_FROM, whose).all() if IncidentRow in there else ()
    case = Case(
        incident=incident,
        notes=tuple(Note.model_validate(note) for note in row.notes) if row.notes is not None else None,
        ticket=ticket_state(ticket) if ticket else None,
        pairs=tuple(
            MirrorPair(
                origin=pair.origin,
                note_id=pair.note_id,
                comment_id=pair.comment_id,
                note_hash=pair.note_hash,
                comment_hash=pair.comment_hash,
            )
            for pair in pairs
        ),
        people=people[0],
        fallback=people[1],
        once=frozenset(once),
        instance=desk.ledger.instance,
        silent=is_silent(incident, book),
        restricted=row.restricted,
        attempted=_attempted(session, ticket, book) if ticket else {},
        now=desk.clock.now(),
        merged_into=_merge_target(session, incident),
        merged_from=tuple(sources),
    )
    return extend_case(session, desk, row, case, book, there)


_ONCE = select(col(OperationRow.key)).where(
    col(OperationRow.incident_id) == bindparam("incident"), col(OperationRow.op_class) == OperationClass.ONCE
)
_PAIRS = select(
    col(MirrorLinkRow.origin),
    col(MirrorLinkRow.note_id),
    col(MirrorLinkRow.comment_id),
    col(MirrorLinkRow.note_hash),
    col(MirrorLinkRow.comment_hash),
).where(col(MirrorLinkRow.incident_id) == bindparam("incident"))
MERGED_FROM = select(col(IncidentRow.id)).where(col(IncidentRow.merged_into) == bindparam("incident"))
"""What was merged into an incident."""


def _attempted(session: Session, ticket: TicketRow, book: Rulebook) -> dict[str, JsonValue]:
    """What our latest writes to the ticket meant whose outcome nobody knows.

    They are asked for only where the ticket stands elsewhere than where we put it last, or shows something
    else than what was agreed on.
    """
    twoway, place = travels(book.mapping.two_way), f"ticket:{ticket.incident_id}"
    astray = ticket.snapshot is not None and ticket.snapshot["status"]["id"] != ticket.placed_status
    edit = outbox.perhaps_done(session, place, "fields") if twoway or _shows_otherwise(ticket) else None
    move = outbox.perhaps_done(session, place, "status") if twoway or astray else None
    to = (move.rendered or {}).get("to") if move else None
    status: dict[str, JsonValue] = {"status": to["id"]} if isinstance(to, dict) else {}
    return {**(edit.meaning.get("agree", {}) if edit else {}), **status}


def _shows_otherwise(ticket: TicketRow) -> bool:
    if ticket.snapshot is None:
        return False
    showing = {
        "summary": ticket.snapshot["summary"],
        **{name: (ticket.snapshot[name] or {}).get("id") for name in ("assignee", "priority")},
    }
    return any(ticket.agreed.get(name) not in (None, value) for name, value in showing.items())


def _merge_target(session: Session, incident: Incident) -> MergeTarget | None:
    """The incident that this one was merged into; one that was never read counts as claimed."""
    if incident.merged_into is None:
        return None
    row = session.get(IncidentRow, incident.merged_into)
    if row is None:
        return MergeTarget(id=incident.merged_into)
    return MergeTarget(
        id=row.id,
        number=row.number,
        claimed=row.team is not None,
        has_ticket=session.get(TicketRow, row.id) is not None,
    )
