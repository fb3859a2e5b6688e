"""The triggers that keep the audit trail append-only."""

from __future__ import annotations

import re

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


ON_SERVER = {
    "audit_event_no_update": "UPDATE",
    "audit_event_no_delete": "DELETE",
    "audit_event_no_truncate": "TRUNCATE",
}
"""The triggers that refuse a change in PostgreSQL, and what each refuses."""
_FUNCTION = "BEGIN RAISE EXCEPTION 'audit_event is append-only'; END"
"""The body of the function that they run."""
_AUDIT = ("audit_event", "audit_head")

_IN_FILE = "SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
_IN_SERVER = """
SELECT tgname, pg_get_triggerdef(trigger.oid), relname, tgenabled::text, prosrc
FROM pg_trigger AS trigger
JOIN pg_class ON pg_class.oid = tgrelid
JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
ORDER BY tgname
"""
_DEFINED = re.compile(
    r"CREATE TRIGGER (\w+) BEFORE (\w+) ON (?:[^ ]+\.)?audit_event"
    r" FOR EACH STATEMENT EXECUTE FUNCTION (?:[^ ]+\.)?audit_event_refuse_change\(\)"
)


def unprotected(session: Session) -> list[str]:
    """Return which triggers are missing, changed or foreign; an empty list if the trail is protected.

    A foreign trigger on any table can change what the ledger writes, so a verified ledger has none.
    """
    return _wrong(session, only_audit=False)


def check_triggers(session: Session) -> None:
    """Raise `LedgerUnsafe` unless the audit tables have exactly `TRIGGERS`, word for word."""
    wrong = _wrong(session, only_audit=True)
    if wrong:
        raise LedgerUnsafe(
            f"the audit trail is not protected: {'; '.join(wrong)}",
            "restore a backup, or find out who changed this before going on",
        )


def _wrong(session: Session, *, only_audit: bool) -> list[str]:
    connection = session.connection()
    on_server = connection.dialect.name == "postgresql"
    expected = ON_SERVER if on_server else TRIGGERS
    in_force = {
        row[0]: _on_server(*row) if on_server else row[1]
        for row in connection.exec_driver_sql(_IN_SERVER if on_server else _IN_FILE)
        if not only_audit or row[2] in _AUDIT
    }
    missing = [name for name in expected if name not in in_force]
    changed = [name for name, text in expected.items() if in_force.get(name, text) != text]
    foreign = [name for name in in_force if name not in expected]
    lists = (("missing", missing), ("changed", changed), ("none of syncd's", foreign))
    return [f"{_triggers(names)} {word}" for word, names in lists if names]


def _on_server(name: str, text: str, _table: str, enabled: str, body: str) -> str:
    """Return what a trigger of PostgreSQL refuses; its whole text if it is not one of ours as it was made."""
    defined = _DEFINED.fullmatch(text)
    # O: it runs unless the session only replays a replica, which `postgresql.connection` refuses
    if defined is None or defined[1] != name or enabled not in ("O", "A") or body != _FUNCTION:
        return text
    return defined[2]


def _triggers(names: list[str]) -> str:
    one = len(names) == 1
    return f"the {'trigger' if one else 'triggers'} {', '.join(names)} {'is' if one else 'are'}"
