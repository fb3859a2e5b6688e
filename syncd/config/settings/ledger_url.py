"""Check the URL of a ledger, and find the secrets in it.

A bare character in a password can end it early. Its rest would be taken for the host, which messages show. So
a URL that could be read in two ways is refused.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

_SCHEMES = ("postgresql", "postgresql+psycopg")
_ENCODED = (
    "in a password or an option, write @ as %40, / as %2F, ? as %3F, # as %23, & as %26, + as %2B, % as %25"
)
_BARE = (
    (re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]"), "a blank or an invisible sign"),
    (re.compile(r"#"), "a bare #"),
    (re.compile(r"%(?![0-9A-Fa-f]{2})"), "a bare %"),
    (re.compile(r"@[^/?]*@|[/?].*@"), "a bare @, or a bare / or ? before an @"),
    (re.compile(r"\?.*\+"), "a bare + behind the ?"),
)
"""The characters that an address may not hold, with their names; the earlier ones are looked for first."""
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[!-9;-Z\\^-~]*)(?::(?P<port>\d{1,5}))?")
_SECRET_OPTIONS = ("password", "sslpassword")
"""Options of a PostgreSQL URL that hold a secret."""


def ledger_address(text: str) -> str:
    """Return the SQLAlchemy URL of a SQLite file or of a database in PostgreSQL; raise `ValueError`."""
    url = text.strip()
    scheme, _, rest = url.partition("://")
    if scheme.startswith("postgres"):
        if scheme not in _SCHEMES:
            raise ValueError("a URL of another driver; begin it with postgresql+psycopg://")
        _check_server(rest)
    # the lock file is beside the ledger, so it must be a file
    elif scheme.partition("+")[0] != "sqlite" or rest.strip("/") in ("", ":memory:"):
        raise ValueError(
            "not a SQLite file such as sqlite:////var/lib/syncd/syncd.db,"
            " nor a PostgreSQL database such as postgresql+psycopg://syncd@db.example/syncd"
        )
    return url


def _check_server(rest: str) -> None:
    """Raise `ValueError` for what no driver reads as it is meant; `rest` stands behind the scheme."""
    for pattern, name in _BARE:
        if pattern.search(rest):
            raise ValueError(f"a URL with {name}; {_ENCODED}")
    before, _, query = rest.partition("?")
    authority, _, database = before.partition("/")
    place = _PLACE.fullmatch(authority.rpartition("@")[2])
    if place is None:
        raise ValueError("a URL whose host or port cannot be read; write HOST:PORT, or [::1]:PORT for IPv6")
    if "/" in database:
        raise ValueError("a URL with a / in the name of the database; end it with the name: HOST/DATABASE")
    options = [option.partition("=") for option in query.split("&") if option]
    if not all(name.isidentifier() and value for name, _, value in options):
        raise ValueError(f"a URL with an option that is not NAME=VALUE; {_ENCODED}")
    given = {name for name, _, _ in options} | ({"host"} if place["host"] else set())
    if not given & {"host", "hostaddr", "service"}:
        raise ValueError(
            "a URL without a host; write USER@HOST/DATABASE, or for a server on this machine"
            " USER@/DATABASE?host=/var/run/postgresql"
        )
    if not database and not given & {"dbname", "service"}:
        raise ValueError("a URL without a database; end it with one: HOST/DATABASE")


def ledger_secrets(url: str) -> set[str]:
    """Return the secrets in the URL of a ledger in PostgreSQL, as they stand there, decoded and encoded."""
    before, _, query = url.partition("://")[2].partition("?")
    password = before.partition("/")[0].rpartition("@")[0].partition(":")[2]
    # the driver takes a password among the options, too
    options = [value for name, value in parse_qsl(query) if name in _SECRET_OPTIONS]
    return {
        form
        for secret in (password, *options)
        if secret
        for form in (secret, unquote(secret), quote(secret, ""))
    }
