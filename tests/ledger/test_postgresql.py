"""A ledger in PostgreSQL: what is refused, what its writers wait for, who holds its lock, what it shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledger_cast import NOW, behind_its_back
from postgresql import Cluster
from sqlalchemy.engine import make_url
from waiting import wait_for

from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.postgresql import address, lock
from syncd.ledger.database.postgresql.connection import SETTINGS
from syncd.ledger.errors import (
    LedgerBusy,
    LedgerError,
    LedgerFromTheFuture,
    LedgerMisconfigured,
    LedgerMissing,
    LedgerUnreachable,
    LedgerUnsafe,
    LedgerUnwritable,
)
from syncd.ledger.open import Ledger, open_for_reading, open_for_work
from syncd.ledger.store import audit
from syncd.ledger.store.identity import get_meta, set_meta
from syncd.ledger.store.key_values import get_value, set_value

DATABASES = ("postgresql",)
PASSWORD = "hunter2%20secret"


@contextmanager
def changed(url: str, statement: str, undo: str) -> Iterator[None]:
    """Execute a statement on the database while the block runs."""
    with behind_its_back(url) as connection:
        connection.execute(statement)
        try:
            yield
        finally:
            connection.execute(undo)


def test_every_connection_has_the_settings_that_the_promises_rest_on(ledger: Ledger) -> None:
    query = "SELECT name, setting FROM pg_settings ORDER BY name"
    for transaction in (ledger.read, ledger.write):
        with transaction() as session:
            in_force = dict(session.connection().exec_driver_sql(query).all())
        # a writer may not stand still for long
        idle = {"idle_in_transaction_session_timeout": "10000" if transaction == ledger.write else "600000"}
        assert (SETTINGS | idle).items() <= in_force.items()
        assert in_force["synchronous_commit"] == "on"
        assert in_force["application_name"] == address.application_name()


def test_a_setting_that_does_not_take_hold_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.ledger.database.postgresql.connection._SET", "SELECT 1")
    with pytest.raises(LedgerUnsafe, match=r"refuses .* and stays at"):
        open_for_work(url, "the test", NOW)


def test_a_role_that_does_not_wait_for_the_disk_is_refused(url: str) -> None:
    # in this database alone: others of the server may serve another test
    role = f'ALTER ROLE syncd IN DATABASE "{make_url(url).database}"'
    with (
        changed(url, f"{role} SET synchronous_commit = off", f"{role} RESET synchronous_commit"),
        pytest.raises(LedgerUnsafe, match="synchronous_commit=off"),
    ):
        open_for_work(url, "the test", NOW)


FACTS = (150000, "15.1", "UTF8", False, "public", True, "syncd", "on", "on")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, 120022, "needs PostgreSQL 13"),
        (2, "SQL_ASCII", "has the encoding SQL_ASCII"),
        (3, True, "read-only standby"),
        (4, None, "has no schema"),
        (5, False, "may not create tables"),
        (7, "off", "fsync=off"),
        (8, "off", "full_page_writes=off"),
    ],
)
def test_a_server_that_cannot_keep_the_promises_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, place: int, value: object, words: str
) -> None:
    facts = [*FACTS]
    facts[place] = value
    monkeypatch.setattr("syncd.ledger.database.postgresql.checks._FACTS", _as_row(facts))
    with pytest.raises(LedgerError) as caught:
        open_for_work(url, "the test", NOW)
    assert words in f"{caught.value}; {caught.value.hint}"


def _as_row(values: list[Any]) -> str:
    def spelled(value: object) -> str:
        return f"'{value}'" if isinstance(value, str) else "NULL" if value is None else str(value).upper()

    return f"SELECT {', '.join(map(spelled, values))}"


def test_a_server_that_passes_the_checks_of_the_test_above_opens(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.ledger.database.postgresql.checks._FACTS", _as_row([*FACTS]))
    open_for_work(url, "the test", NOW).close()


def test_a_pooler_of_transactions_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pooled:
        """Answers each statement from another server, as a pooler of transactions does."""

        def __init__(self, *servers: Any) -> None:
            self.servers = servers

        def execute(self, *statement: Any, **options: Any) -> Any:
            self.servers = (*self.servers[1:], self.servers[0])
            return self.servers[0].execute(*statement, **options)

        def close(self) -> None:
            for server in self.servers:
                server.close()

    direct = lock.connect

    def pooled(*arguments: Any) -> Pooled:
        return Pooled(direct(*arguments), direct(*arguments))

    monkeypatch.setattr(lock, "connect", pooled)
    with pytest.raises(LedgerMisconfigured, match="is a transaction pooler"):
        open_for_work(url, "the test", NOW)


@pytest.mark.parametrize("code", ["0A000", "25006", "53300", "57P03", "58030"])
def test_a_server_that_is_a_standby_or_full_or_starting_rejects_all_writes(ledger: Ledger, code: str) -> None:
    fail = f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(LedgerUnwritable, match="not now"), ledger.write() as session:
        session.connection().exec_driver_sql(fail)
    assert ledger.trouble == "not now"


def test_a_reader_can_write_nothing_and_sees_one_moment(ledger: Ledger) -> None:
    with ledger.read() as session:
        before = get_meta(session, "run")
        with ledger.write() as writer:
            set_meta(writer, "run", "99")
        assert get_meta(session, "run") == before
        with pytest.raises(Exception, match="read-only transaction"):
            set_meta(session, "run", "98")
    with ledger.read() as session:
        assert get_meta(session, "run") == "99"


def test_writers_of_all_processes_wait_for_each_other(ledger: Ledger, url: str) -> None:
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    beside = open_for_reading(url)

    def add() -> None:
        with beside.write() as session:
            # it sees what the first writer wrote after this one began to wait
            set_meta(session, "run", f"{get_meta(session, 'run')}1")

    with ThreadPoolExecutor(1) as pool, behind_its_back(url) as other:
        with ledger.write() as session:
            second = pool.submit(add)
            while not other.execute(waits).fetchone()[0]:
                assert not second.done()
            set_meta(session, "run", "7")
        second.result()
    beside.close()
    with ledger.read() as session:
        assert get_meta(session, "run") == "71"


REFUSED = (
    "UPDATE audit_event SET kind = 'tasted' WHERE seq = 1",
    "UPDATE audit_event SET kind = kind WHERE false",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "TRUNCATE audit_event, meta CASCADE",
    "INSERT INTO audit_event SELECT * FROM audit_event ON CONFLICT (seq) DO UPDATE SET kind = 'tasted'",
    "MERGE INTO audit_event USING meta ON seq = 1 WHEN MATCHED THEN DELETE",
)


def test_the_trail_refuses_to_be_changed(ledger: Ledger) -> None:
    with behind_its_back(ledger.url) as connection:
        for statement in REFUSED:
            with pytest.raises(psycopg.errors.RaiseException, match="audit_event is append-only"):
                connection.execute(statement)
    with ledger.read() as session:
        assert audit.verify(session) is None


HARM = {
    "is missing": "DROP TRIGGER audit_event_no_truncate ON audit_event",
    "is changed": "ALTER TABLE audit_event DISABLE TRIGGER audit_event_no_update",
    "are changed": "CREATE OR REPLACE FUNCTION audit_event_refuse_change() RETURNS trigger LANGUAGE plpgsql"
    " AS $$BEGIN RETURN NULL; END$$",
    "is none of syncd's": "CREATE TRIGGER late BEFORE INSERT ON audit_event"
    " EXECUTE FUNCTION audit_event_refuse_change()",
}


def test_nothing_starts_without_what_protects_the_trail(cluster: Cluster) -> None:
    whole = cluster.new()
    open_for_work(cluster.url(whole), "the test", NOW).close()
    for words, statement in HARM.items():
        url = cluster.url(cluster.new(whole))
        with behind_its_back(url) as connection:
            connection.execute(statement)
        with pytest.raises(LedgerUnsafe, match=words):
            open_for_work(url, "the test", NOW)
        database = open_for_reading(url)
        with database.read() as session:
            broken = audit.verify(session)
        database.close()
        assert broken is not None
        assert words in broken.why
        cluster.drop(str(address.ledger_url(url).database))


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from syncd.ledger.open import open_for_work
open_for_work(sys.argv[1], "syncd run", datetime(2026, 11, 22, tzinfo=UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_lock_ends_with_a_killed_process(url: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, url], check=False)
    # the server notices the end of a process a moment later
    wait_for(lambda: backend_of(url).lock().holder() is None)
    open_for_work(url, "the test", NOW).close()


def test_a_lock_that_was_given_back_can_be_taken_at_once(url: str) -> None:
    for _ in range(20):
        open_for_work(url, "the test", NOW).close()


def test_the_lock_names_its_holder_and_the_trouble_of_this_machine(url: str, tmp_path: Path) -> None:
    first = open_for_work(url, "syncd run", NOW, tmp_path)
    other = first.backend.lock()
    holder = other.holder()
    assert holder is not None
    assert holder.name.startswith("syncd run, pid ")
    with pytest.raises(LedgerBusy) as caught:
        open_for_work(url, "a second one", NOW, tmp_path)
    assert caught.value.holder == holder.name
    first.note_trouble("no space left")
    assert (held_by := other.holder()) is not None
    assert held_by.words == "no space left"
    first.end_trouble()
    first.close()
    assert other.holder() is None


def test_a_holder_on_another_machine_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = address.application_name("syncd run, pid 7")
    monkeypatch.setattr(address.socket, "gethostname", lambda: "the-other-machine")
    assert address.holder_of("syncd " + name.removeprefix("syncd ")).startswith("syncd run, pid 7 on ")
    assert len(address.application_name("x" * 80)) <= 63


def test_a_standby_ledger_of_another_schema_does_not_disturb(cluster: Cluster) -> None:
    database = cluster.new()
    with cluster.connect(database) as connection:
        connection.execute("CREATE SCHEMA ramen")
    first = open_for_work(cluster.url(database), "qrpay", NOW)
    second = open_for_work(f"{cluster.url(database)}&options=-csearch_path%3Dramen", "ramen", NOW)
    set_value(second, "a", b=1)
    assert get_value(first, "a") == {}
    second.close()
    first.close()
    cluster.drop(database)


def test_a_ledger_from_the_future_is_refused(url: str) -> None:
    with changed(
        url,
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE alembic_version SET version_num = '0001'",
    ):
        for open_it in (lambda: open_for_work(url, "the test", NOW), lambda: open_for_reading(url)):
            with pytest.raises(LedgerFromTheFuture, match="9999"):
                open_it()


def test_a_database_without_a_ledger_is_missing_one(cluster: Cluster) -> None:
    with pytest.raises(LedgerMissing, match="there is no ledger at postgresql://"):
        open_for_reading(cluster.url("postgres"))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://syncd:{PASSWORD}@/nowhere?host=/nonexistent",
        f"postgresql+psycopg://syncd@/nowhere?host=/nonexistent&password={PASSWORD}",
        f"postgresql+psycopg2://syncd:{PASSWORD}@localhost/syncd",
        f"postgresql+psycopg://syncd:{PASSWORD}@localhost:port/syncd",
    ],
)
def test_no_error_shows_the_password(url: str, caplog: pytest.LogCaptureFixture) -> None:
    for open_it in (lambda: open_for_work(url, "the test", NOW), lambda: open_for_reading(url)):
        with pytest.raises((LedgerMisconfigured, LedgerUnreachable)) as caught:
            open_it()
        error: BaseException | None = caught.value
        while error is not None:
            assert "hunter2" not in f"{error}{error!r}{getattr(error, 'hint', '')}"
            error = None if error.__suppress_context__ and error.__cause__ is None else error.__cause__


def test_an_option_that_the_driver_does_not_know_is_named() -> None:
    with pytest.raises(LedgerMisconfigured, match="fsynk"):
        open_for_reading("postgresql+psycopg://syncd@localhost/syncd?fsynk=1")


def test_an_open_ledger_shows_its_password_nowhere(cluster: Cluster) -> None:
    database = cluster.new()
    url = f"{cluster.url(database)}&password={PASSWORD}".replace("syncd@", f"syncd:{PASSWORD}@")
    opened = open_for_work(url, "the test", NOW)
    shown = f"{opened.name}{opened.engine}{opened.engine.url}{opened.engine.pool.status()}"
    opened.close()
    cluster.drop(database)
    assert "hunter2" not in shown


def test_without_the_driver_one_line_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerMisconfigured, match="its driver is missing") as caught:
        address.ledger_url("postgresql+psycopg://syncd@localhost/syncd")
    assert "syncd[postgresql]" in caught.value.hint


def test_a_nul_becomes_the_sign_for_what_cannot_be_shown(ledger: Ledger) -> None:
    set_value(ledger, "a", text="one\0two", path="C:\\u0000", both="\\\0")
    assert get_value(ledger, "a") == {"text": "one\ufffdtwo", "path": "C:\\u0000", "both": "\\\ufffd"}
    with ledger.write() as session:
        set_meta(session, "with\0nul", "x\0")
    with ledger.read() as session:
        assert get_meta(session, "with\0nul") == "x\ufffd"


def test_texts_sort_by_their_bytes_as_in_sqlite(ledger: Ledger) -> None:
    names = ["a", "B", "ä", "Z", "_", "0", "-"]
    with ledger.write() as session:
        for name in names:
            set_meta(session, f"sort.{name}", "")
    with ledger.read() as session:
        query = "SELECT key FROM meta WHERE key LIKE 'sort.%%' ORDER BY key"
        stored = [row[0][5:] for row in session.connection().exec_driver_sql(query)]
    assert stored == sorted(names)
