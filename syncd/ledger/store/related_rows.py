"""Which tables hold anything of an incident, in one read.

Most incidents have neither postmortem nor duties, waivers or pairs of notes: what is not there does not have
to be asked for table by table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, col

from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    MirrorLinkRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)

Tables = frozenset[type[SQLModel]]
_WHOSE: dict[type[SQLModel], Mapped[Any]] = {
    TicketRow: col(TicketRow.incident_id),
    PostmortemRow: col(PostmortemRow.incident_id),
    ActionItemRow: col(ActionItemRow.incident_id),
    DutyRow: col(DutyRow.incident_id),
    WaiverRow: col(WaiverRow.incident_id),
    MirrorLinkRow: col(MirrorLinkRow.incident_id),
    OperationRow: col(OperationRow.incident_id),
    IncidentRow: col(IncidentRow.merged_into),
}


def tables_with(session: Session, incident_id: str) -> Tables:
    """The tables with a row of this incident; `IncidentRow` where another was merged into it."""
    found = session.connection().execute(_EXISTING, {"incident": incident_id}).one()
    return frozenset(table for table, there in zip(_WHOSE, found, strict=True) if there)


_EXISTING = select(*(exists().where(whose == bindparam("incident")) for whose in _WHOSE.values()))
