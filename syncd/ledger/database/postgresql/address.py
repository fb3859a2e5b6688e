"""The address of a ledger in PostgreSQL: from the URL to the driver's options and to a safe name."""

from __future__ import annotations

import socket
from typing import Any

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from syncd.ledger.errors import LedgerMisconfigured

CONNECT_SECONDS = 10
"""How long a new connection may take."""
_KEPT_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
"""A link that was cut is noticed within 15 seconds."""
_DRIVERS = ("postgresql", "postgresql+psycopg")
_LONGEST_NAME = 63
"""Bytes of an application's name that PostgreSQL keeps."""


def ledger_url(text: str) -> URL:
    """Return a ledger's URL; raise `LedgerMisconfigured` if it is no such URL or the driver is missing."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # the error's own text can hold the password
        raise LedgerMisconfigured(
            "SYNCD_LEDGER_URL is no URL", "use postgresql+psycopg://syncd@db.example/syncd"
        ) from None
    if url.drivername not in _DRIVERS:
        raise LedgerMisconfigured(
            f"SYNCD_LEDGER_URL names the driver {url.drivername!r}, which syncd does not know",
            "use postgresql+psycopg://…",
        )
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise LedgerMisconfigured(
            f"SYNCD_LEDGER_URL names PostgreSQL, and its driver is missing ({error})",
            "install it: pip install 'syncd[postgresql]'",
        ) from None
    return url


def name_of(url: URL) -> str:
    """Return the address for people: user, host, port and database; never a password or an option."""
    if url.host is None and "service" in url.query:
        return f"postgresql service {url.query['service']}"
    host = url.query.get("host", "") if url.host is None else url.host
    place = ",".join(host) if isinstance(host, tuple) else host
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{place}{port}/{url.database or ''}"


def application_name(suffix: str = "") -> str:
    """Return the name of this machine's connections, as PostgreSQL shows it: `syncd HOST`."""
    tail = f": {suffix}" if suffix else ""
    host = socket.gethostname()[: _LONGEST_NAME - len(f"syncd {tail}")]
    return f"syncd {host}{tail}"[:_LONGEST_NAME]


def holder_of(name: str) -> str:
    """Return the holder that the name of a lock's connection tells: on another machine with its host."""
    host, _, suffix = name.removeprefix("syncd ").partition(": ")
    here = application_name(suffix) == name
    return suffix if here else f"{suffix or 'syncd'} on {host}"


def connect_options(url: URL, suffix: str = "") -> dict[str, Any]:
    """Return the driver's options for a connection to a ledger."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    dialect: Any = PGDialect_psycopg
    _, options = dialect().create_connect_args(url)
    return {
        "connect_timeout": CONNECT_SECONDS,
        **_KEPT_ALIVE,
        **options,
        "application_name": application_name(suffix),
        # `do_begin` of the dialect and the lock begin transactions themselves
        "autocommit": True,
    }
