"""The data of `syncd show`, ready for a table or for JSON.

The shapes are a promise to scripts (systemd/README.md, "For scripts").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OPEN_STATES, Kind, MoveTicket, OperationState
from syncd.domain.recurring import recurring_of
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import audit, first_load
from syncd.ledger.store.first_load import FirstLoad
from syncd.ledger.store.former_rules import former_keeps
from syncd.ledger.store.loaded_rules import not_asked_by_team
from syncd.ledger.store.loading import load, select_records
from syncd.ledger.store.restored import PUT_BACK, restored_at
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    MetaRow,
    MirrorLinkRow,
    OperationRow,
    TicketRow,
    UnseenWriteRow,
)
from syncd.ledger.store.troubles import troubles_in
from syncd.ledger.views.actions import items_data
from syncd.ledger.views.postmortems import filings_data, iso, postmortem_data, postmortem_views
from syncd.ledger.views.status import incident_data, operation_data, trouble_data
from syncd.policy.communications.texts import ready_texts
from syncd.policy.duty_words import overridden
from syncd.policy.restricted import UNJUDGED
from syncd.policy.ticket.close_gate import OVERRIDES
from syncd.policy.ticket.revert_counter import conflicts_in
from syncd.policy.ticket.unseen_writes import field_of

Data = dict[str, Any]


def show_data(ledger: Transactions, incident: IncidentRecord, now: datetime) -> Data:
    """Return all facts and acts of one incident, as of `now`."""
    with ledger.read() as session:
        return _show(session, incident, now)


def _show(session: Session, incident: IncidentRecord, now: datetime) -> Data:
    ticket = session.get(TicketRow, incident.id)
    postmortem = postmortem_views(session, [incident.id]).get(incident.id)
    query = select_records(OperationRecord).where(col(OperationRow.incident_id) == incident.id)
    operations = load(session, OperationRecord, query.order_by(col(OperationRow.id)))
    events = session.exec(
        select(AuditEventRow).where(AuditEventRow.incident_id == incident.id).order_by(col(AuditEventRow.seq))
    ).all()
    mirrored = select(MirrorLinkRow).where(MirrorLinkRow.incident_id == incident.id)
    pairs = session.exec(mirrored.order_by(col(MirrorLinkRow.id))).all()
    items = items_data(session, incident.id, now)
    keys = [ticket.key if ticket else None, postmortem.key if postmortem else None]
    keys += [item["key"] for item in items]
    return {
        "incident": {
            **incident_data(
                incident,
                ticket,
                not_asked_by_team(session),
                postmortem,
                sum(op.state == OperationState.PARKED for op in operations),
            ),
            "snapshot": incident.snapshot,
            "notes": incident.notes,
        },
        "rules_gone": former_keeps(session, incident.team),
        "ticket": _ticket_data(ticket) if ticket else None,
        "postmortem": postmortem_data(session, incident, now),
        "no_postmortem": incident.no_postmortem,
        "updates": incident.cadence,
        "texts": _texts(ticket) if ticket else [],
        "filings": filings_data(session, incident, now) if incident.restricted else [],
        "action_items": items,
        "troubles": [
            trouble_data(trouble)
            for whose in (incident.id, *filter(None, keys))
            for trouble in troubles_in(session, whose)
        ],
        "waits": [
            *_first_load(session, incident),
            *_provisional(incident),
            *waits(incident, ticket, operations, now),
            *_unseen(session, incident.id),
        ],
        "operations": [operation_data(operation) for operation in operations],
        "mirrored": [
            {"origin": pair.origin, "note": pair.note_id, "comment": pair.comment_id} for pair in pairs
        ],
        "events": _events(events),
    }


def recurring_data(ledger: Transactions, name: str, now: datetime) -> Data | None:
    """Return all facts and acts of a recurring duty, by its ident or its issue's key; None without one."""
    with ledger.read() as session:
        of_key = select(ActionItemRow).where(ActionItemRow.key == name.upper())
        item = session.exec(of_key.where(col(ActionItemRow.team).is_not(None))).first()
        recurring = recurring_of(item.incident_id if item is not None else name)
        if recurring is None:
            return None
        items = items_data(session, recurring.ident, now)
        events = select(AuditEventRow).where(AuditEventRow.incident_id == recurring.ident)
        query = select_records(OperationRecord).where(col(OperationRow.incident_id) == recurring.ident)
        operations = load(session, OperationRecord, query.order_by(col(OperationRow.id)))
        if not items and not operations:
            return None
        return {
            "recurring": {**recurring._asdict(), "ident": recurring.ident},
            "action_items": items,
            "troubles": [
                trouble_data(trouble)
                for whose in (recurring.ident, *(item["key"] for item in items))
                for trouble in troubles_in(session, whose)
            ],
            "operations": [operation_data(operation) for operation in operations],
            "events": _events(session.exec(events.order_by(col(AuditEventRow.seq))).all()),
        }


def _events(events: Sequence[AuditEventRow]) -> list[Data]:
    return [
        # nested, since the data of an operation's event has a `kind` of its own
        {
            "seq": event.seq,
            "at": iso(event.at),
            "kind": event.kind,
            "data": audit.event_data(event.seq, event.text),
        }
        for event in events
    ]


def _ticket_data(ticket: TicketRow) -> Data:
    return {
        "key": ticket.key,
        "issue_id": ticket.issue_id,
        "origin": ticket.origin,
        "agreed": ticket.agreed,
        "refused": ticket.refused,
        "conflicts": sorted(conflicts_in(ticket.agreed)),
        "out_of_sight_since": iso(ticket.out_of_sight_since),
        "deleted_by": ticket.deleted_by,
        "moved_by": ticket.moved_by,
        "overrides": [
            {**given, "words": overridden(given["by"], datetime.fromisoformat(given["at"]), given["missing"])}
            for given in ticket.agreed.get(OVERRIDES, ())
        ],
        "snapshot": ticket.snapshot,
    }


def _texts(ticket: TicketRow) -> list[Data]:
    """Return the texts that people's lines made, without their words: they stand on the ticket."""
    return [
        {
            "name": text.name,
            "number": text.number,
            "at": iso(text.at),
            "state": text.state,
            "approved_at": iso(text.approved_at),
        }
        for text in ready_texts(ticket.agreed).made
    ]


def _first_load(session: Session, incident: IncidentRecord) -> list[Data]:
    """Return the wait for `syncd accept`, if a first load holds everything about an incident."""
    passed = first_load.state_of(session) is FirstLoad.PASSED
    if passed or incident.team is None or not first_load.holds(session, incident.id):
        return []
    why = "it began before this ledger's first start; syncd writes nothing about it until: syncd accept"
    return [{"why": why, "until": None}]


def _provisional(incident: IncidentRecord) -> list[Data]:
    """Return the wait for a judgement, if an incident is restricted provisionally."""
    why = f"{UNJUDGED}; syncd withholds its texts until it can judge, see syncd check"
    return [{"why": why, "until": None}] if incident.provisional else []


def _unseen(session: Session, incident_id: str) -> list[Data]:
    """Return the wait for a read that shows what syncd wrote, once a read by id has looked in vain."""
    query = select(UnseenWriteRow.place).where(
        UnseenWriteRow.incident_id == incident_id,
        UnseenWriteRow.looks > 0,
        col(UnseenWriteRow.no_effect).is_(False),
    )
    fields = sorted({field_of(place) for place in session.exec(query).all()})
    why = f"no read has shown yet what syncd wrote: {', '.join(fields)}"
    return [{"why": why, "until": None}] if fields else []


def waits(
    row: IncidentRecord, ticket: TicketRow | None, operations: Sequence[OperationRecord], now: datetime
) -> list[Data]:
    """Return the waits of an incident, each with `why` and `until` (ISO 8601, None if no moment ends it)."""
    reasons = _no_ticket(row, operations, now) if ticket is None else _moves(operations)
    return [{"why": why, "until": until.isoformat() if until else None} for why, until in reasons]


def _no_ticket(
    row: IncidentRecord, operations: Sequence[OperationRecord], now: datetime
) -> Iterator[tuple[str, datetime | None]]:
    coming = row.due_at if row.due_at and row.due_at > now else None
    if row.team is None:
        yield "no mapping claims its service, so it gets no ticket", None
    elif row.noise_rule:
        yield f"the noise rule {row.noise_rule} keeps its ticket back", coming
    elif any(operation.kind == Kind.CREATE_TICKET for operation in operations):
        # the operation itself tells why it waits
        return
    elif row.finished:
        yield "it was over before the rules began (`enforce_from`), so it gets no ticket", None
    elif coming and row.status != IncidentStatus.RESOLVED:
        yield "syncd waits for another tool's ticket (`coexist: adopt`) before it makes one", coming


def _moves(operations: Sequence[OperationRecord]) -> Iterator[tuple[str, datetime | None]]:
    for operation in operations:
        if operation.kind == Kind.MOVE_TICKET and operation.state in OPEN_STATES:
            until = operation.typed(MoveTicket).not_before
            if until is not None:
                yield f"the ticket is not moved yet: {operation.reason}", until


def history(ledger: Transactions) -> Data:
    """Return the ledger's birth, its last restore, and the counts of `rebuilt` records by kind.

    Reports print them, because records from before come from an earlier ledger's comments.
    """
    with ledger.read() as session:
        born = session.get(MetaRow, "born")
        at = restored_at(session)
        return {
            "born": born.value if born else None,
            "restored": at.isoformat() if at else None,
            "rebuilt": _rebuilt(session),
        }


_REBUILT = {
    "ticket.adopted": "ticket",
    "postmortem.adopted": "postmortem",
    "item.adopted": "action item",
    "duty.rebuilt": "breach",
    "waiver.rebuilt": "waiver",
}
"""The noun under which an event is counted."""


@dataclass(frozen=True, slots=True)
class AfterPutBack:
    """The state of a ledger since an older file was put back: counts, and when its record ends (UTC)."""

    last_event: datetime | None
    found: dict[str, int]
    unsent: int


def after_put_back(ledger: Transactions, at: datetime) -> AfterPutBack:
    """Return what syncd found again and did not send since an older file was put back at `at` (UTC)."""
    with ledger.read() as session:
        begun = session.exec(select(AuditEventRow).where(*_since("ledger.restored", at))).first()
        last = audit.event_data(begun.seq, begun.text).get("last_event") if begun is not None else None
        dropped = select(func.count()).where(
            *_since("operation.dropped", at), col(AuditEventRow.text).contains(PUT_BACK)
        )
        return AfterPutBack(
            last_event=datetime.fromisoformat(last) if last else None,
            found=_rebuilt(session, at),
            unsent=session.exec(dropped).one(),
        )


def _since(kind: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(AuditEventRow.kind) == kind, col(AuditEventRow.at) >= at


_BEGINNING = datetime.min.replace(tzinfo=UTC)


def _rebuilt(session: Session, since: datetime = _BEGINNING) -> dict[str, int]:
    query = (
        select(AuditEventRow.kind, func.count())
        .where(col(AuditEventRow.kind).in_(_REBUILT), col(AuditEventRow.at) >= since)
        .where(
            # an issue that was adopted without our mark was not made by an earlier ledger
            or_(
                col(AuditEventRow.kind).not_in(["ticket.adopted", "postmortem.adopted"]),
                col(AuditEventRow.text).contains('"by":"mark"'),
            )
        )
        .group_by(col(AuditEventRow.kind))
    )
    counts = {kind: int(number) for kind, number in session.exec(query).all()}
    return {words: counts[kind] for kind, words in _REBUILT.items() if kind in counts}
