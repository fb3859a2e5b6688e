"""The verbs that keep what an earlier ledger knew of an incident's duties, as its comments state it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.domain.duty import Duty, Waiver
from syncd.domain.operation import Operation
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.duties import save_rebuilt
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow


@dataclass(frozen=True, slots=True)
class Written:
    """A comment that an earlier ledger wrote: by which operation, its id, and when."""

    operation: Operation
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the comments on a postmortem or an action item state, asked for the ledger born at `born` (UTC).

    `doubted` are the comments that nobody can vouch for. `agreed` is added to what was agreed on for the
    postmortem, where it does not stand there already.
    """

    incident_id: str
    issue_id: str
    is_item: bool
    born: datetime
    doubted: tuple[str, ...]
    duties: tuple[Duty, ...]
    waivers: tuple[Waiver, ...]
    agreed: dict[str, JsonValue]
    written: tuple[Written, ...]


def note_sought(ledger: Transactions, incident_id: str, born: datetime) -> None:
    """Note that the incident's postmortem was looked for, for the ledger born at `born` (UTC)."""
    with ledger.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is not None:
            row.postmortem_searched_for = born
            session.add(row)


def store_recalled(ledger: Transactions, recalled: Recalled, now: datetime) -> None:
    """Store the duties and waivers that comments state; the comments count as written by this ledger."""
    incident_id = recalled.incident_id
    with ledger.write() as session:
        row: PostmortemRow | ActionItemRow | None
        if recalled.is_item:
            row = session.get(ActionItemRow, recalled.issue_id)
        else:
            row = session.get(PostmortemRow, incident_id)
        if row is None:
            return
        row.rebuilt_for = recalled.born
        for comment in recalled.doubted:
            data: dict[str, JsonValue] = {"comment": comment}
            kind = "comment.not_believed"
            audit.append(session, now, kind, incident=incident_id, issue=recalled.issue_id, data=data)
        save_rebuilt(session, incident_id, recalled.duties, recalled.waivers, now)
        if recalled.agreed and isinstance(row, PostmortemRow):
            row.agreed = {**recalled.agreed, **row.agreed}
        session.add(row)
        for written in recalled.written:
            outbox.note_done(session, written.operation, written.comment, written.at, now)
