"""The audit trail for commands: its head, the check of its chain, the events after a sequence number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from syncd.domain.base import JsonValue
from syncd.domain.operation import Kind
from syncd.domain.trail.account import Account
from syncd.domain.trail.chain import GENESIS, Anchor, Broken, TrailRow, anchor_of, damage_in, data_of, spelled
from syncd.ledger.database.connection import Database, Transactions
from syncd.ledger.database.functions import json_source
from syncd.ledger.errors import LedgerUnreadable
from syncd.ledger.head_note import read_head_file
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.loading import get
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    IncidentRow,
    MetaRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """An event of the audit trail, with the incident, ticket and operation that it is about.

    `about` is the incident's id, the ident of a recurring duty, or None.
    """

    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]
    about: str | None
    number: int | None
    ticket: str | None
    operation: OperationRecord | None


def head(ledger: Transactions) -> tuple[int, str]:
    """Return sequence and hash of the chain's end."""
    with ledger.read() as session:
        return audit.head(session)


def verify(
    ledger: Transactions, anchors: Iterable[Anchor] = (), noted: Mapping[Anchor, str] | None = None
) -> Broken | None:
    """Check the trail; return the first broken or missing row, None if it is whole.

    The chain must hold, pass through the `anchors`, through those that mails and exports carried and the one
    `noted` beside the ledger's file, and tell of every record that only it explains.
    """
    account = Account()
    with ledger.read() as session:
        broken = audit.verify(session, anchors, account, {**_kept_anchors(session), **(noted or {})})
        # a trail that was cut and made to fit is shorter than what else the ledger shows
        if broken is None or broken.seq is None:
            last, untold = audit.head(session)[0], next(_untold(session, account), None)
            if untold is not None:
                return Broken(last + 1, f"row {last + 1} is missing: {untold}")
        return broken


def noted_head(ledger: Database) -> dict[Anchor, str]:
    """Return the end of the trail that stands in the file beside the ledger, with its name; read it first.

    A trail that is read afterwards can only be longer.
    """
    note = ledger.backend.head_file
    instance, end = read_head_file(note)
    with ledger.read() as session:
        ours = instance == session.connection().scalar(_INSTANCE)
    return {end: f"the file {note.name} beside the ledger"} if ours and end and note else {}


def _kept_anchors(session: Session) -> dict[Anchor, str]:
    """Return the anchors that mails and exports carried, as the ledger keeps them, each with its name."""
    kept = {_anchor(text): "an export" for text in _export_anchors(session)}
    for row in session.connection().execute(_MAILS):
        try:
            text = data_of(row.rendered).get("anchor")
        except (TypeError, ValueError):
            text = "damaged"
        if text:
            kept[_anchor(text)] = f"the mail of operation {row.id}"
    return kept


def _anchor(text: object) -> Anchor:
    try:
        return anchor_of(str(text))
    except ValueError:
        # no row has this anchor, so a damaged one is a break, too
        return 0, str(text)


_MAILS = (
    # as it is stored: a damaged one must be named
    columns(col(OperationRow.id), json_source(col(OperationRow.rendered)).label("rendered"))
    .where(col(OperationRow.kind) == Kind.SEND_MAIL, col(OperationRow.rendered).is_not(None))
    .order_by(col(OperationRow.id))
)
_EXPORTS = "exports"


def _export_anchors(session: Session) -> list[object]:
    anchors = get_cursor_in(session, _EXPORTS).get("anchors")
    return anchors if isinstance(anchors, list) else []


def _untold(session: Session, account: Account) -> Iterator[str]:
    """Yield the records of the ledger that the trail does not tell of, or tells of otherwise."""
    connection = session.connection()
    instance = connection.scalar(_INSTANCE)
    if (account.birth or {}).get("instance") != instance:
        yield f"the ledger {instance} was born, but no row tells of it"
    yield from account.untold(
        (row._asdict() for row in connection.execute(_OPERATIONS)),
        ((row.incident_id, row._asdict()) for row in connection.execute(_DUTIES)),
    )
    for row in connection.execute(_WAIVERS):
        if row.number > account.waivers[row.incident_id]:
            yield f"{row.number} waivers of {row.incident_id} were given, but no row tells of them all"
    for table, words in _ISSUES.items():
        for row in connection.execute(columns(table.issue_id, table.key)):
            if row.issue_id not in account.issues:
                yield f"{row.key} is {words}, but no row tells of it"


_INSTANCE = columns(col(MetaRow.value)).where(col(MetaRow.key) == "instance")
_OPERATIONS = columns(
    *map(
        col, (OperationRow.id, OperationRow.op, OperationRow.kind, OperationRow.state, OperationRow.attempts)
    )
).order_by(col(OperationRow.id))
_DUTIES = columns(
    *map(col, (DutyRow.incident_id, DutyRow.kind, DutyRow.subject, DutyRow.clock, DutyRow.state))
).order_by(col(DutyRow.id))
_WAIVERS = (
    columns(col(WaiverRow.incident_id), func.count().label("number"))
    .group_by(col(WaiverRow.incident_id))
    .order_by(col(WaiverRow.incident_id))
)
_ISSUES: dict[Any, str] = {
    TicketRow: "a ticket",
    PostmortemRow: "a postmortem",
    ActionItemRow: "an action item",
}


def rows_between(ledger: Transactions, after: int, until: int) -> Iterator[TrailRow]:
    """Yield the rows after one row, up to another; raise `LedgerUnreadable` for a damaged one."""
    with ledger.read() as session:
        for row in audit.rows(session, after + 1):
            if row.seq > until:
                return
            damage = damage_in(row)
            if damage is not None:
                raise LedgerUnreadable(
                    f"row {row.seq} of the audit trail: {damage}", "to see what is broken: syncd audit verify"
                )
            yield row


def hash_at(ledger: Transactions, seq: int) -> str:
    """Return the hash of a row of the trail; that of row 0 is the hash before the first row."""
    with ledger.read() as session:
        digest = session.connection().scalar(_HASH, {"row": seq})
    return str(digest) if digest is not None else GENESIS


_HASH = columns(col(AuditEventRow.hash)).where(col(AuditEventRow.seq) == bindparam("row"))


def note_export(ledger: Transactions, about: dict[str, JsonValue], by: str, now: datetime) -> int:
    """Record an export with its manifest's hash, asked for by a system user; return the row's number."""
    with ledger.write() as session:
        row = audit.append(session, now, "export.made", data={**about, "by": audit.salted(session, by)})
        anchors = [*_export_anchors(session), spelled(audit.head(session))]
        set_cursor_in(session, _EXPORTS, anchors=anchors)
        return row


def exports(ledger: Transactions) -> dict[str, int]:
    """Return the hashes of the manifests of all exports on record, with the rows that tell of them."""
    query = select(AuditEventRow).where(AuditEventRow.kind == "export.made").order_by(col(AuditEventRow.seq))
    with ledger.read() as session:
        return {
            str(audit.event_data(row.seq, row.text).get("manifest")): row.seq for row in session.exec(query)
        }


def events_since(ledger: Transactions, seq: int) -> list[TrailEvent]:
    """Return the events after sequence `seq`, oldest first."""
    query = select(AuditEventRow).where(col(AuditEventRow.seq) > seq).order_by(col(AuditEventRow.seq))
    with ledger.read() as session:
        return [_event(session, row) for row in session.exec(query).all()]


def _event(session: Session, row: AuditEventRow) -> TrailEvent:
    incident = session.get(IncidentRow, row.incident_id) if row.incident_id else None
    ticket = session.get(TicketRow, incident.id) if incident else None
    # some events are about no incident, or about one without a ticket
    return TrailEvent(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        data=audit.event_data(row.seq, row.text),
        about=row.incident_id,
        number=incident.number if incident else None,
        ticket=ticket.key if ticket else None,
        operation=get(session, OperationRecord, row.operation_id) if row.operation_id else None,
    )
