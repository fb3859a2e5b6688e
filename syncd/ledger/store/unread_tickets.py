"""Select the tickets that the next decisions on their incidents have to read first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import col

from syncd.domain.incident import IncidentStatus
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.outbox import in_doubt_in
from syncd.ledger.store.tables import ChangeNoticeRow, IncidentRow, TicketRow


def unread_tickets(ledger: Transactions, now: datetime, most: int) -> list[str]:
    """Return the issue ids of at most so many tickets that a decision waits to read.

    A ticket is left out to which a write failed a while ago: only a read by its id shows it as it is.
    """
    with ledger.read() as session:
        connection = session.connection()
        unread: dict[str, str] = {}
        for query in (_NOTICED, _NEVER):
            unread |= {row.incident_id: row.issue_id for row in connection.execute(query, {"most": most})}
        chosen = list(unread.items())[:most]
        return [issue for incident, issue in chosen if not in_doubt_in(session, incident, now)]


_NOTICED = (
    columns(col(TicketRow.incident_id), col(TicketRow.issue_id))
    .join(ChangeNoticeRow, col(ChangeNoticeRow.incident_id) == col(TicketRow.incident_id))
    .where(
        col(ChangeNoticeRow.ticket).is_(True),
        col(ChangeNoticeRow.read_seq) > col(TicketRow.read_seq),
    )
    .order_by(col(ChangeNoticeRow.id))
    .limit(bindparam("most"))
)
_NEVER = (
    columns(col(TicketRow.incident_id), col(TicketRow.issue_id))
    .join(IncidentRow, col(IncidentRow.id) == col(TicketRow.incident_id))
    .where(
        col(IncidentRow.finished).is_(False),
        # the ticket of a triggered incident stays where Jira created it
        col(IncidentRow.status) != IncidentStatus.TRIGGERED,
        col(TicketRow.read_seq) == 0,
    )
    .order_by(col(IncidentRow.number))
    .limit(bindparam("most"))
)
