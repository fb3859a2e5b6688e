"""A server that goes away, breaks a connection or has no room, and a ledger that goes on."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

import psycopg
import pytest
from ledger_cast import NOW, behind_its_back

from syncd.ledger.database.connection import unusable
from syncd.ledger.errors import (
    CommitUnknown,
    LedgerError,
    LedgerUnreachable,
    LedgerUnwritable,
)
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store.identity import set_meta
from syncd.ledger.store.key_values import get_value, set_value

DATABASES = ("postgresql",)


def test_a_restart_of_the_server_ends_no_reader_and_a_writer_goes_on(ledger: Ledger) -> None:
    set_value(ledger, "a", b=1)
    with behind_its_back(ledger.url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND application_name LIKE 'syncd %'"
        )
    assert get_value(ledger, "a") == {"b": 1}
    set_value(ledger, "a", b=2)
    assert get_value(ledger, "a") == {"b": 2}


def test_a_server_that_goes_away_at_any_statement_of_a_takeover_ends_no_standby(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_for_work(url, "the test", NOW).close()
    breaks = _Breaks()

    def execute(*arguments: Any, **options: Any) -> Any:
        return breaks.execute(*arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    for number in count():
        breaks.before(number)
        try:
            ledger = open_for_work(url, "the test", NOW, boottime=lambda: 0.0)
        except Exception as error:  # noqa: BLE001 - the test judges whatever is raised
            # these a standby says and tries again; after an open commit the service manager starts it again
            told = isinstance(error, LedgerUnreachable | LedgerUnwritable) or unusable(error) is not None
            assert told, f"statement {number}: {error!r}"
        else:
            breaks.before(-2)
            ledger.close()
            break
    assert number > 10


class _Breaks:
    """Ends our own session directly before one statement of psycopg."""

    def __init__(self) -> None:
        self._execute: Any = psycopg.Cursor.execute
        self._left = 0

    def before(self, number: int) -> None:
        self._left = number

    def execute(self, cursor: psycopg.Cursor[Any], *statement: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            with suppress(psycopg.OperationalError):
                self._execute(cursor, "SELECT pg_terminate_backend(pg_backend_pid())")
        return self._execute(cursor, *statement, **options)


def test_a_connection_that_breaks_within_a_write_is_trouble_of_the_ledger(ledger: Ledger) -> None:
    with (
        pytest.raises(LedgerUnwritable, match="cannot be written: terminating connection"),
        ledger.write() as session,
    ):
        session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert ledger.trouble is not None
    set_value(ledger, "a", b=2)


def test_a_connection_that_breaks_within_a_commit_ends_the_daemon(ledger: Ledger) -> None:
    with pytest.raises(CommitUnknown, match="broke during a commit"), ledger.write() as session:
        set_meta(session, "run", "99")
        driver: Any = session.connection().connection.driver_connection
        driver.commit = _breaking(driver)
    with pytest.raises(CommitUnknown):
        ledger.check_in_place()


def _breaking(driver: Any) -> Any:
    def commit() -> None:
        driver.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    return commit


def test_a_full_disk_is_told_from_a_defect(ledger: Ledger) -> None:
    with (
        pytest.raises(LedgerUnwritable, match="no space left"),
        ledger.write() as session,
    ):
        session.connection().exec_driver_sql(
            "DO $$BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END$$"
        )
    with pytest.raises(Exception, match="does not exist") as caught, ledger.write() as session:
        session.connection().exec_driver_sql("SELECT 1 FROM nowhere")
    assert not isinstance(caught.value, LedgerError)
