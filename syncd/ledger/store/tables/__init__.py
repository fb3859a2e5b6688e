"""The ledger's tables; each class explains its columns. The modules of `syncd.ledger.store` change the rows.

Columns with `seq` in their name hold moments: integers that only grow, taken when a request begins and when a
write is confirmed (`database.connection.LogicalClock`). They order reads and writes, because wall time can
jump back. Times are UTC.
"""

from __future__ import annotations

from syncd.ledger.store.tables.of_incidents import (
    ActionItemRow,
    ChangeNoticeRow,
    DutyIssueRow,
    DutyRow,
    IncidentRow,
    IssueRow,
    MirrorLinkRow,
    PostmortemRow,
    TicketRow,
    TroubleRow,
    WaiverRow,
)
from syncd.ledger.store.tables.of_ledger import (
    AuditEventRow,
    AuditHeadRow,
    KeyValueRow,
    MetaRow,
    PersonRow,
    ReportRunRow,
    RequestRow,
)
from syncd.ledger.store.tables.of_outbox import (
    OperationRow,
    UnseenWriteRow,
)

__all__ = [
    "ActionItemRow",
    "AuditEventRow",
    "AuditHeadRow",
    "ChangeNoticeRow",
    "DutyIssueRow",
    "DutyRow",
    "IncidentRow",
    "IssueRow",
    "KeyValueRow",
    "MetaRow",
    "MirrorLinkRow",
    "OperationRow",
    "PersonRow",
    "PostmortemRow",
    "ReportRunRow",
    "RequestRow",
    "TicketRow",
    "TroubleRow",
    "UnseenWriteRow",
    "WaiverRow",
]
