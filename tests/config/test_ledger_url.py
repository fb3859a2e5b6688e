"""The URL of a ledger: a refusal says why, an accepted one is read by all in one way; no secret shows."""

from __future__ import annotations

import pytest

from syncd.config.problems import ConfigError
from syncd.config.settings.access import load_settings
from syncd.ledger.database.postgresql.address import ledger_url

Env = pytest.MonkeyPatch
PG = "postgresql+psycopg://"

MALFORMED = {
    f"{PG}syncd:hunter2@secret@db.example/syncd": "a bare @",
    f"{PG}syncd:hunter2@secret/99@db.example/syncd": "a bare @",
    f"{PG}syncd:hunter2/secret@db.example/syncd": "a bare / or ? before an @",
    f"{PG}syncd:hunter2?secret@db.example/syncd": "a bare / or ? before an @",
    f"{PG}db.example?password=hunter2@secret": "a bare @",
    f"{PG}db.example:5432/syncd?password=hunter2@secret": "a bare @",
    f"{PG}syncd:hunter2#secret@db.example/syncd": "a bare #",
    f"{PG}syncd:hunter2%secret@db.example/syncd": "a bare %",
    f"{PG}syncd:hunter2%@db.example/syncd": "a bare %",
    f"{PG}syncd:hunter2 secret@db.example/syncd": "a blank or an invisible sign",
    f"{PG}syncd:hunter2\u00a0secret@db.example/syncd": "a blank or an invisible sign",
    f"{PG}syncd:hunter2\u200bsecret@db.example/syncd": "a blank or an invisible sign",
    f"{PG}db.example/syncd?password=hunter2+secret": "a bare +",
    f"{PG}db.example/syncd?password=hunter2&secret": "an option that is not NAME=VALUE",
    f"{PG}db.example/syncd?password=hunter2&=secret": "an option that is not NAME=VALUE",
    f"{PG}syncd:hunter2@/syncd": "a URL without a host",
    f"{PG}/syncd": "a URL without a host",
    f"{PG}?password=hunter2": "a URL without a host",
    PG: "a URL without a host",
    f"{PG}syncd:hunter2@db.example": "a URL without a database",
    f"{PG}syncd:hunter2@db.example/": "a URL without a database",
    f"{PG}syncd:hunter2@db.example/syncd/": "a / in the name of the database",
    f"{PG}syncd:hunter2@db.example:secret/syncd": "whose host or port cannot be read",
    f"{PG}syncd:hunter2@db.example:/syncd": "whose host or port cannot be read",
    f"{PG}syncd:hunter2@[::1/syncd": "whose host or port cannot be read",
    f"{PG}syncd:hunter2@dätenbank.example/syncd": "whose host or port cannot be read",
    "postgres://syncd:hunter2@db.example/syncd": "begin it with postgresql+psycopg://",
    "postgresql+asyncpg://syncd:hunter2@db.example/syncd": "begin it with postgresql+psycopg://",
    "postgresql:syncd:hunter2@db.example/syncd": "begin it with postgresql+psycopg://",
    "postgresqll://syncd:hunter2@db.example/syncd": "begin it with postgresql+psycopg://",
    "mysql://syncd:hunter2@db.example/syncd": "nor a PostgreSQL database such as",
    "syncd:hunter2@db.example/syncd": "nor a PostgreSQL database such as",
    "sqlite://": "not a SQLite file such as",
    "sqlite:///:memory:": "not a SQLite file such as",
}

WELL_FORMED = {
    f"{PG}syncd@db.example/syncd": None,
    f"{PG}db.example:5433/syncd?sslmode=verify-full&sslrootcert=/etc/ssl/ca.crt": None,
    "postgresql://syncd:hunter2@db.example/syncd": "hunter2",
    f"{PG}syncd:hunter2%40%2F%3F%23%25%20@db.example/syncd": "hunter2@/?#% ",
    f"{PG}syncd:hunter2:secret@db.example/syncd": "hunter2:secret",
    f"{PG}syncd:hunter2[]+&=$!'@db.example/syncd": "hunter2[]+&=$!'",
    f"{PG}syncd:hunter2ß🜁℀@db.example/syncd": "hunter2ß🜁℀",
    f"{PG}syncd:hunter2@[::1]:5432/syncd": "hunter2",
    f"{PG}syncd:hunter2@/syncd?host=/var/run/postgresql": "hunter2",
    f"{PG}/syncd?service=syncd&password=hunter2%2Fsecret": "hunter2/secret",
    f"{PG}/?service=syncd": None,
    f"{PG}syncd:hunter2@/syncd?host=one.example:5432&host=two.example": "hunter2",
}


@pytest.mark.parametrize(("url", "words"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_a_malformed_url_is_refused_in_one_line_that_never_shows_its_parts(
    monkeypatch: Env, url: str, words: str
) -> None:
    monkeypatch.setenv("SYNCD_LEDGER_URL", url)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    (problem,) = caught.value.problems
    assert problem.key == "SYNCD_LEDGER_URL"
    assert words in str(problem)
    assert not [part for part in ("hunter2", "secret", "dätenbank") if part in str(problem)]
    # it says what is right
    assert any(hint in str(problem) for hint in ("write ", "begin it with", "end it with", "such as"))


@pytest.mark.parametrize(("url", "password"), WELL_FORMED.items(), ids=range(len(WELL_FORMED)))
def test_an_accepted_url_is_read_as_the_driver_reads_it_and_its_password_is_a_secret(
    monkeypatch: Env, url: str, password: str | None
) -> None:
    monkeypatch.setenv("SYNCD_LEDGER_URL", url)
    settings = load_settings()
    read = ledger_url(settings.ledger_url)
    assert (read.password or read.query.get("password")) == password
    assert password is None or password in settings.secret_values()
    assert "hunter2" not in repr(settings)


def test_a_password_is_a_secret_in_every_form(monkeypatch: Env) -> None:
    for url in (f"{PG}syncd:hunter2%2Fsecret@db.example/syncd", f"{PG}h/d?sslpassword=hunter2%2Fsecret"):
        monkeypatch.setenv("SYNCD_LEDGER_URL", url)
        assert {"hunter2/secret", "hunter2%2Fsecret"} <= {*load_settings().secret_values()}
