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
    # REPLACE deletes a row without asking the trigger above
    "audit_event_no_replace": (
        "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event "
        "WHEN EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
}
"""What refuses to change the trail, word for word as it must stand in the database."""


def check_triggers(session: Session) -> None:
    """Raise `LedgerUnsafe` unless every refusing trigger is in force, word for word."""
    found = {
        row[0]: row[1]
        for row in session.connection().exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
        )
    }
    missing = [name for name, text in TRIGGERS.items() if found.get(name) != text]
    if missing:
        raise LedgerUnsafe(
            f"the audit trail is not protected: {', '.join(missing)} missing or changed",
            "restore a backup, or find out who removed it before going on",
        )
