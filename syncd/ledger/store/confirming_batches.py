"""The verb that ends the creates of a batch, and stores the tickets as they were read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.domain.ticket import Issue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.confirming import finish_done, store
from syncd.ledger.store.intake import StorageRules, store_issue_in
from syncd.ledger.store.snapshots import incidents_of
from syncd.ledger.store.tables import TicketRow


@dataclass(frozen=True)
class ReadBack:
    """A ticket that a batch made, as it was read back; `agreed` is agreed on where it stands in `status`."""

    operation: OperationRecord
    confirmation: Confirmation
    issue: Issue
    status: str | None
    agreed: dict[str, JsonValue]


def confirm_batch(
    ledger: Transactions,
    rules: StorageRules,
    made: Sequence[ReadBack],
    moment: int,
    now: datetime,
    jira_now: datetime | None,
) -> None:
    """End the creates of a batch and store their tickets.

    The tickets were read at `moment`; 0: they were not read whole, so no snapshot is stored. `jira_now` is
    Jira's time of that read.
    """
    with ledger.write() as session, session.no_autoflush:
        # the rows are at hand for what is stored of each
        known = incidents_of(session, [one.operation.incident_id for one in made])
        for one in made:
            store(session, one.operation, one.issue.id, one.confirmation, now)
            finish_done(session, one.operation, one.issue.id, one.confirmation, now)
        if not moment or not known:
            return
        tickets = {row.incident_id: row for row in session.new if isinstance(row, TicketRow)}
        for one in made:
            ticket = tickets[one.operation.incident_id]
            # the read began after the create was answered, so it is later than our write
            ticket.written_seq = moment - 1
            store_issue_in(session, rules, ticket, one.issue, moment, now, jira_now)
            if one.status == one.issue.status.id:
                ticket.agreed = {**ticket.agreed, **one.agreed}
                ticket.placed_status = one.issue.status.id
