"""The triggers that keep the audit trail append-only."""

from __future__ import annotations

from sqlmodel import Session

from syncd.ledger.errors import LedgerUnsafe

TRIGGERS = {
    "audit_event_no_update": (
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
    "audit_event_no_delete": (
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
    # INSERT OR REPLACE deletes the old row and does not fire the DELETE trigger
    "audit_event_no_replace": (
        "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event "
        "WHEN EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
}
"""The triggers that refuse a change of the trail, word for word as the database must have them."""


def check_triggers(session: Session) -> None:
    """Raise `LedgerUnsafe` unless the database has every one of `TRIGGERS`, word for word."""
    triggers_in_force = {
        row[0]: row[1]
        for row in session.connection().exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
        )
    }
    missing = [name for name, text in TRIGGERS.items() if triggers_in_force.get(name) != text]
    if missing:
        raise LedgerUnsafe(
            f"the audit trail is not protected: {', '.join(missing)} missing or changed",
            "restore a backup, or find out who removed it before going on",
        )
