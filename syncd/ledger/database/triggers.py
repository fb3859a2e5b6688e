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


def unprotected(session: Session) -> list[str]:
    """Return which triggers are missing, changed or foreign; an empty list if the trail is protected.

    A foreign trigger on any table can change what the ledger writes, so a verified ledger has none.
    """
    return _wrong(session, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")


def check_triggers(session: Session) -> None:
    """Raise `LedgerUnsafe` unless the audit tables have exactly `TRIGGERS`, word for word."""
    wrong = _wrong(
        session,
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        " AND tbl_name IN ('audit_event', 'audit_head') ORDER BY name",
    )
    if wrong:
        raise LedgerUnsafe(
            f"the audit trail is not protected: {'; '.join(wrong)}",
            "restore a backup, or find out who changed this before going on",
        )


def _wrong(session: Session, query: str) -> list[str]:
    in_force = {row[0]: row[1] for row in session.connection().exec_driver_sql(query)}
    missing = [name for name in TRIGGERS if name not in in_force]
    changed = [name for name, text in TRIGGERS.items() if in_force.get(name, text) != text]
    foreign = [name for name in in_force if name not in TRIGGERS]
    lists = (("missing", missing), ("changed", changed), ("none of syncd's", foreign))
    return [f"{_triggers(names)} {word}" for word, names in lists if names]


def _triggers(names: list[str]) -> str:
    one = len(names) == 1
    return f"the {'trigger' if one else 'triggers'} {', '.join(names)} {'is' if one else 'are'}"
