"""Connect to PostgreSQL: set what the ledger's promises rest on, read it back, refuse it if it differs."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import psycopg
from psycopg.types.json import set_json_dumps
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import URL, Engine, create_engine, event

from syncd.ledger.database.postgresql import dialect
from syncd.ledger.database.postgresql.address import connect_options
from syncd.ledger.errors import LedgerUnsafe

SETTINGS = {
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "standard_conforming_strings": "on",
    "default_transaction_read_only": "off",
    "session_replication_role": "origin",
    "statement_timeout": "60000",
    "lock_timeout": "30000",
    "idle_in_transaction_session_timeout": "600000",
    "jit": "off",
}
"""The settings of every connection, times in milliseconds; a report reads within one transaction."""
_CHECKED_ONLY = ("session_replication_role",)
"""Settings that only a superuser may set: triggers do not run with another value."""
_LINK = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "15000",
}
"""With these the server notices a client that is gone; a connection within the machine ignores them."""
_SET = ";".join(
    f"SET {name} = '{value}'" for name, value in (SETTINGS | _LINK).items() if name not in _CHECKED_ONLY
)
_READ = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_IN_EFFECT = (*SETTINGS, "synchronous_commit")


class _Text(StrDumperUnknown):
    """Replace NUL, which PostgreSQL refuses; texts of the services hold none (`syncd.remote.http.wire`)."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _as_json(value: Any) -> str:
    """Return JSON as SQLite keeps it, without an escaped NUL, which PostgreSQL cannot read back as text."""
    text = json.dumps(value)
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def set_up(connection: Any, name: str) -> None:
    """Set and check what every connection needs; raise `LedgerUnsafe` if PostgreSQL does not take it."""
    connection.adapters.register_dumper(str, _Text)
    set_json_dumps(_as_json, connection)
    connection.execute(_SET, prepare=False)
    in_force = dict(connection.execute(_READ, (list(_IN_EFFECT),)).fetchall())
    for setting, value in SETTINGS.items():
        if in_force.get(setting) != value:
            connection.close()
            raise LedgerUnsafe(
                f"{name} refuses {setting}={value} and stays at {in_force.get(setting)}",
                "connect syncd to PostgreSQL itself, not through a pooler",
            )
    if in_force["synchronous_commit"] == "off":
        connection.close()
        raise LedgerUnsafe(
            f"{name} has synchronous_commit=off: a crash would lose what syncd has done already",
            "switch it on for syncd's role: ALTER ROLE syncd SET synchronous_commit = on",
        )


def postgresql_engines(url: URL, name: str, connections: int) -> tuple[Engine, Engine]:
    """Return an engine for readers and one for writers, on the same pool of `connections`.

    Raise `LedgerUnsafe` on connecting if a setting is refused.
    """
    options: dict[str, Any] = {
        "hide_parameters": True,
        "use_native_hstore": False,
    }
    connection = connect_options(url)
    drivers = [f"postgresql+{kind.__name__.lower()}://" for kind in (dialect.Reading, dialect.Writing)]
    reading = create_engine(
        drivers[0],
        # the ledger's URL stays out of the engine, which would show a password among its options
        creator=lambda: psycopg.connect(**connection),
        pool_size=connections,
        # the connection used last: its server process has the statements prepared
        pool_use_lifo=True,
        # the server may have been restarted since a connection was used last
        pool_pre_ping=True,
        **options,
    )
    writing = create_engine(drivers[1], pool=reading.pool, **options)
    event.listen(reading, "connect", partial(_on_connect, name))
    return reading, writing


def _on_connect(name: str, connection: Any, _record: object) -> None:
    set_up(connection, name)
