"""Check a server before a ledger is opened on it for work."""

from __future__ import annotations

from typing import Any

from syncd.ledger.errors import LedgerMisconfigured, LedgerUnreachable, LedgerUnsafe

OLDEST = 130_000
"""The oldest server, in PostgreSQL's own counting."""
_FACTS = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('server_encoding'), pg_is_in_recovery(), current_schema(),
       has_schema_privilege(current_user, current_schema(), 'CREATE'), current_user,
       current_setting('fsync'), current_setting('full_page_writes')
"""


def check_server(connection: Any, name: str) -> None:
    """Raise `LedgerError` if a server cannot keep what a ledger promises."""
    if len({connection.execute("SELECT pg_backend_pid()").fetchone()[0] for _ in range(2)}) > 1:
        raise LedgerMisconfigured(
            f"{name} is a transaction pooler: two statements went to two servers",
            "connect syncd to PostgreSQL itself: its lock lives as long as its connection",
        )
    version, words, encoding, standby, schema, may_create, user, *durable = connection.execute(
        _FACTS
    ).fetchone()
    if version < OLDEST:
        raise LedgerMisconfigured(f"{name} is PostgreSQL {words}", "syncd needs PostgreSQL 13 or newer")
    if encoding != "UTF8":
        raise LedgerMisconfigured(
            f"the database {name} has the encoding {encoding}",
            "make one for syncd: CREATE DATABASE syncd ENCODING 'UTF8' TEMPLATE template0",
        )
    if schema is None:
        raise LedgerMisconfigured(
            f"the role {user} has no schema of its search_path in {name}",
            f"make one: CREATE SCHEMA {user} AUTHORIZATION {user}",
        )
    for setting, value in zip(("fsync", "full_page_writes"), durable, strict=True):
        if value != "on":
            raise LedgerUnsafe(
                f"{name} runs with {setting}={value}: a crash can damage the ledger or lose its last writes",
                f"set {setting} = on in postgresql.conf and reload the server",
            )
    if standby:
        # it may become the primary
        raise LedgerUnreachable(
            f"{name} is a read-only standby of a PostgreSQL cluster",
            "name the primary in SYNCD_LEDGER_URL, or all servers with target_session_attrs=read-write",
        )
    if not may_create:
        raise LedgerMisconfigured(
            f"the role {user} may not create tables in the schema {schema} of {name}",
            f"allow it: GRANT CREATE, USAGE ON SCHEMA {schema} TO {user}",
        )
