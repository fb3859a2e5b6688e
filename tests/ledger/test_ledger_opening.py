"""Opening a ledger: its settings, its owner, its version, and the times that come back from it."""

from __future__ import annotations

import functools
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy
import sqlalchemy.exc
from ledger_cast import NOW, behind_its_back, later
from sqlmodel import Session, select

from syncd.ledger.database import migrate as migrations
from syncd.ledger.database.connection import Database
from syncd.ledger.database.sqlite.migrate import revision_of
from syncd.ledger.errors import (
    LedgerBusy,
    LedgerError,
    LedgerFromTheFuture,
    LedgerMissing,
    LedgerNotOurs,
    LedgerUnreadable,
    LedgerUnsafe,
)
from syncd.ledger.open import Ledger, open_for_reading, open_for_work
from syncd.ledger.store.identity import get_meta
from syncd.ledger.store.tables import ChangeNoticeRow

PROMISED = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def in_force(session: Session) -> dict[str, object]:
    connection = session.connection()
    return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PROMISED}


def test_every_connection_has_the_settings_that_the_promises_rest_on(ledger: Ledger, file: Path) -> None:
    def reading() -> dict[str, object]:
        with ledger.read() as session:
            return in_force(session)

    with ledger.write() as session:
        assert in_force(session) == PROMISED
    with ThreadPoolExecutor(3) as pool:
        assert [future.result() for future in [pool.submit(reading) for _ in range(3)]] == [PROMISED] * 3


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_setting_that_does_not_take_hold_is_refused(
    url: str, file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> Self:
            stays = f"PRAGMA {name}=" + ("truncate" if name == "journal_mode" else "0")
            return super().execute(stays if sql.startswith(f"PRAGMA {name}=") else sql, *parameters)

    class Stubborn(sqlite3.Connection):
        def cursor(self, *_: object) -> Deaf:  # type: ignore[override]  # always this kind of cursor
            return super().cursor(Deaf)

    monkeypatch.setattr(
        sqlite3.dbapi2, "connect", functools.partial(sqlite3.dbapi2.connect, factory=Stubborn)
    )
    with pytest.raises(LedgerUnsafe, match=f"refuses {name}="), Database(url).read() as session:
        session.connection()


def test_a_database_in_memory_is_refused_under_every_name() -> None:
    for url in ("sqlite:///:memory:", "sqlite:///file::memory:?uri=true"):
        with pytest.raises(LedgerError, match="is not a SQLite file"):
            Database(url)


def test_another_kind_of_database_is_refused_without_showing_its_password() -> None:
    with pytest.raises(LedgerError) as caught:
        Database("mysql://syncd:hunter2@db.example/syncd")
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"


def test_a_writer_has_its_turn_from_the_first_statement_on(ledger: Ledger, file: Path) -> None:
    with ledger.write() as session:
        get_meta(session, "instance")
        with (
            behind_its_back(file) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")


def test_a_reader_holds_up_no_writer_and_sees_one_moment(ledger: Ledger, file: Path) -> None:
    with ledger.read() as session:
        before = get_meta(session, "run")
        with behind_its_back(file) as other:
            other.execute("UPDATE meta SET value = '99' WHERE key = 'run'")
        session.expire_all()
        assert get_meta(session, "run") == before
    with ledger.read() as session:
        assert get_meta(session, "run") == "99"


def test_an_error_inside_a_writing_transaction_rolls_it_back(ledger: Ledger) -> None:
    def half_done() -> None:
        with ledger.write() as session:
            session.add(ChangeNoticeRow(incident_id="P1", at=NOW, why="test", read_seq=1))
            session.flush()
            raise RuntimeError("half done")

    with pytest.raises(RuntimeError, match="half done"):
        half_done()
    with ledger.read() as session:
        assert session.exec(select(ChangeNoticeRow)).all() == []


def test_aware_times_come_back_aware_and_in_utc(ledger: Ledger) -> None:
    in_kolkata = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with ledger.write() as session:
        session.add(ChangeNoticeRow(incident_id="P1", at=in_kolkata, why="test", read_seq=1))
    with ledger.read() as session:
        at = session.exec(select(ChangeNoticeRow)).one().at
    assert (at, at.tzinfo) == (NOW, UTC)


def test_a_naive_time_is_refused(ledger: Ledger) -> None:
    naive = datetime(2026, 11, 22, 9, 0)  # noqa: DTZ001 - the ledger must refuse it
    with pytest.raises(sqlalchemy.exc.StatementError, match=r"naive|timezone"), ledger.write() as session:
        session.add(ChangeNoticeRow(incident_id="P1", at=naive, why="test", read_seq=1))


def test_a_ledger_belongs_to_the_accounts_of_its_first_contact(ledger: Ledger, url: str) -> None:
    ledger.claim(pagerduty="qrpay", jira="https://qrpay.jira.example", edition="cloud")
    ledger.close()
    again = open_for_work(url, "again", later(60))
    again.claim(jira="https://qrpay.jira.example")
    try:
        for name, value in (
            ("pagerduty", "ramen"),
            ("jira", "https://ramen.jira.example"),
            ("edition", "datacenter"),
        ):
            with pytest.raises(LedgerNotOurs, match=f"belongs to {name}"):
                again.claim(**{name: value})
        with again.read() as session:
            assert get_meta(session, "owner.pagerduty") == "qrpay"
    finally:
        again.close()


def test_a_refused_claim_claims_nothing(ledger: Ledger) -> None:
    ledger.claim(jira="https://qrpay.jira.example")
    with pytest.raises(LedgerNotOurs):
        ledger.claim(pagerduty="ramen", jira="https://ramen.jira.example")
    with ledger.read() as session:
        assert get_meta(session, "owner.pagerduty") is None


def test_a_ledger_keeps_its_name_and_birth_and_counts_its_starts(url: str) -> None:
    lives = []
    for start in range(3):
        opened = open_for_work(url, "the test", later(start))
        lives.append((opened.instance, opened.born, opened.run, opened.logical_clock.next()))
        opened.close()
    names, births, runs, moments = zip(*lives, strict=True)
    assert len(set(names)) == 1
    # an incident of the second of the birth is younger, and PagerDuty tells whole seconds
    assert set(births) == {NOW.replace(microsecond=0)}
    assert list(runs) == [runs[0], runs[0] + 1, runs[0] + 2]
    assert list(moments) == sorted(set(moments))


def test_moments_of_a_later_run_are_later_than_all_of_an_earlier_one(url: str) -> None:
    first = open_for_work(url, "the test", NOW)
    seen = [first.logical_clock.next() for _ in range(1000)]
    first.close()
    second = open_for_work(url, "the test", NOW)
    assert second.logical_clock.next() > max(seen)
    assert seen == sorted(set(seen))
    second.close()


def test_a_ledger_is_made_where_there_is_none_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / "deep" / "syncd.db"
    open_for_work(f"sqlite:///{file}", "the test", NOW).close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in file.parent.iterdir()) == ["syncd.db", "syncd.db.lock"]


def test_a_first_start_that_was_killed_before_its_commit_is_begun_anew(tmp_path: Path) -> None:
    dying, left = tmp_path / "dying.db", tmp_path / "syncd.db"
    with closing(sqlite3.connect(dying, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode=wal", "PRAGMA cache_size=1", "BEGIN", "CREATE TABLE a (b)"):
            connection.execute(statement)
        connection.execute("INSERT INTO a VALUES (zeroblob(100000))")
        # the files as SIGKILL would leave them
        for ending in ("", "-wal"):
            shutil.copy(f"{dying}{ending}", f"{left}{ending}")
    assert Path(f"{left}-wal").stat().st_size > 4096
    open_for_work(f"sqlite:///{left}", "the test", NOW).close()


def test_a_path_with_signs_that_mean_something_in_addresses_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "50%41 #1?mode=memory" / "syncd.db"
    url = sqlalchemy.URL.create("sqlite", database=str(file)).render_as_string()
    open_for_work(url, "the test", NOW).close()
    assert revision_of(file) == migrations.HEAD
    open_for_reading(url).close()


def from_the_future(file: Path) -> None:
    with behind_its_back(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def test_a_ledger_from_the_future_is_refused_and_left_alone(url: str, file: Path) -> None:
    from_the_future(file)
    before = file.read_bytes()
    with pytest.raises(LedgerFromTheFuture, match="9999") as caught:
        open_for_work(url, "the test", NOW)
    assert "install that version" in caught.value.hint
    with pytest.raises(LedgerFromTheFuture):
        open_for_reading(url)
    assert file.read_bytes() == before
    assert list(file.parent.glob("*.before-*")) == []


def test_a_start_that_is_refused_gives_the_lock_back(url: str, file: Path) -> None:
    from_the_future(file)
    for _ in range(2):
        with pytest.raises(LedgerFromTheFuture):
            open_for_work(url, "the test", NOW)


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "syncd.db"
    file.write_text("these are somebody's holiday plans\n" * 40)
    before = file.read_bytes()
    for open_it in (lambda url: open_for_work(url, "the test", NOW), open_for_reading):
        with pytest.raises(LedgerUnreadable, match="cannot be read as a ledger"):
            open_it(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_reading_needs_an_existing_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing, match="no ledger"):
        open_for_reading(f"sqlite:///{tmp_path / 'syncd.db'}")
    assert list(tmp_path.iterdir()) == []


def test_reading_needs_a_ledger_of_this_version(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "HEAD", "0002")
    before = file.read_bytes()
    with pytest.raises(LedgerMissing, match="needs a migration first"):
        open_for_reading(url)
    assert file.read_bytes() == before


def test_reading_needs_no_lock(ledger: Ledger, url: str) -> None:
    beside = open_for_reading(url)
    with beside.read() as session:
        assert get_meta(session, "instance") == ledger.instance
    beside.close()
    with pytest.raises(LedgerBusy):
        open_for_work(url, "a second one", NOW)
