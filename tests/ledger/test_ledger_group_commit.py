"""Group commit: a lone writer commits at once, writers that wait for each other share one commit."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from writers_cast import Body, Crowd, fail

from syncd.ledger.database import group_commit
from syncd.ledger.database.connection import after_commit
from syncd.ledger.database.sqlite.connection import Writing
from syncd.ledger.database.sqlite.watch import FileWatch
from syncd.ledger.errors import CommitUnknown, LedgerError, LedgerUnwritable
from syncd.ledger.store.key_values import set_cursor_in


def fill_disk(session: Session) -> None:
    """Write more than the disk takes."""
    session.flush()
    connection = session.connection()
    pages = connection.exec_driver_sql("PRAGMA max_page_count").scalar()
    connection.exec_driver_sql("PRAGMA max_page_count = 1")
    try:
        set_cursor_in(session, "much", text="." * 1_000_000)
        session.flush()
    finally:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def break_commit(session: Session) -> None:
    """Store a row that the database refuses at the commit."""
    connection = session.connection()
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY)")
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
    )
    connection.exec_driver_sql("INSERT INTO child VALUES (1)")


def test_a_lone_writer_commits_at_once(crowd: Crowd) -> None:
    crowd.write("first")
    assert crowd.stored == {"first"}
    assert (crowd.commits, crowd.savepoints) == (1, 0)


def test_waiting_writers_share_a_commit_and_return_after_it(crowd: Crowd) -> None:
    def nothing_is_stored(_session: Session) -> None:
        assert not any(crowd.has(name) for name in ("first", "b", "c"))

    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b")
        crowd.come("c", nothing_is_stored)
    assert crowd.has("first")
    crowd.go()
    assert crowd.stored == {"b", "c"}
    assert (crowd.commits, crowd.savepoints) == (1, 2)


def test_a_writer_that_comes_later_writes_later(crowd: Crowd) -> None:
    names = [f"w{number}" for number in range(8)]
    with crowd.ledger.write():
        for name in names:
            crowd.come(name)
    crowd.go()
    assert crowd.order == names


def test_at_most_fifty_writers_share_a_commit(crowd: Crowd, file: Path) -> None:
    with crowd.ledger.write():
        for number in range(50):
            crowd.come(f"w{number}")
    crowd.go()
    assert crowd.commits == 2
    assert len(crowd.stored) == 50


@pytest.mark.parametrize("failing", ["b", "c", "d"])
def test_a_writer_that_fails_undoes_only_its_own_writes(crowd: Crowd, failing: str) -> None:
    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        for name in ("b", "c", "d"):
            crowd.come(name, fail if name == failing else lambda _session: None)
    crowd.go()
    assert crowd.has("first")
    assert crowd.stored == {"b", "c", "d"} - {failing}
    assert isinstance(crowd.errors.pop(failing), ValueError)
    assert not crowd.errors
    assert not crowd.has(failing)
    assert crowd.commits == 1


def test_a_first_writer_that_fails_takes_nobody_along(crowd: Crowd) -> None:
    with pytest.raises(ValueError, match="no"), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b")
        crowd.come("c")
        fail(session)
    crowd.go()
    assert not crowd.has("first")
    assert crowd.stored == {"b", "c"}
    assert crowd.commits == 1


def test_a_commit_that_fails_fails_for_each_writer(crowd: Crowd) -> None:
    with pytest.raises(IntegrityError), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b", break_commit)
        crowd.come("c")
    crowd.go()
    assert {name: type(error) for name, error in crowd.errors.items()} == dict.fromkeys("bc", IntegrityError)
    # each thread raises an error of its own
    assert len(set(map(id, crowd.errors.values()))) == 2
    assert not any(crowd.has(name) for name in ("first", "b", "c"))
    crowd.write("next")
    assert crowd.stored == {"next"}


def test_a_full_disk_at_the_commit_is_the_same_trouble_for_each_writer(
    crowd: Crowd, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with pytest.raises(LedgerUnwritable, match="disk is full"), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b")
        monkeypatch.setattr(Writing, "do_commit", full)
    crowd.go()
    assert isinstance(crowd.errors["b"], LedgerUnwritable)
    assert crowd.ledger.trouble == "database or disk is full"
    monkeypatch.undo()
    assert not any(crowd.has(name) for name in ("first", "b"))
    crowd.write("next")
    assert crowd.stored == {"next"}


def test_a_commit_of_which_the_outcome_is_unknown_is_unknown_for_each_writer(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise CommitUnknown("the connection broke")

    with pytest.raises(CommitUnknown, match="broke"), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b")
        monkeypatch.setattr(crowd.ledger._writers._engine.dialect, "do_commit", break_off)
    crowd.go()
    assert isinstance(crowd.errors["b"], CommitUnknown)


def test_a_transaction_that_the_database_ends_fails_for_each_writer(crowd: Crowd, file: Path) -> None:
    with pytest.raises(LedgerUnwritable, match="disk is full"), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b", fill_disk)
        crowd.come("c")
    crowd.go()
    assert isinstance(crowd.errors.pop("b"), LedgerUnwritable)
    assert not crowd.errors
    # it came too late for the transaction that failed
    assert crowd.stored == {"c"}
    assert not any(crowd.has(name) for name in ("first", "b"))


def test_a_writer_that_overlooks_the_end_of_its_transaction_fails(crowd: Crowd) -> None:
    with pytest.raises(LedgerError, match="ended a transaction by itself"), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        session.flush()
        session.connection().exec_driver_sql("ROLLBACK")
    assert not crowd.has("first")
    crowd.write("next")
    assert crowd.stored == {"next"}


def test_a_crash_before_the_shared_commit_loses_all_of_it(crowd: Crowd, file: Path, tmp_path: Path) -> None:
    copies: list[Path] = []

    def crash(session: Session) -> None:
        session.flush()
        assert not crowd.stored
        # the files as SIGKILL would leave them
        for part in file.parent.glob("syncd.db*"):
            copies.append(Path(shutil.copy(part, tmp_path / f"crashed{part.name.removeprefix('syncd')}")))

    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("b")
        crowd.come("c", crash)
    crowd.go()
    assert crowd.stored == {"b", "c"}
    assert tmp_path / "crashed.db-wal" in copies
    with closing(sqlite3.connect(tmp_path / "crashed.db")) as crashed:
        assert crashed.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = {name for (name,) in crashed.execute("SELECT name FROM key_value")}
    assert names.isdisjoint({"first", "b", "c"})


def test_a_writing_transaction_inside_another_is_refused_at_once(crowd: Crowd) -> None:
    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        with pytest.raises(LedgerError, match="begins another"), crowd.ledger.write():
            pass
    assert crowd.has("first")


def test_the_log_is_emptied_between_two_commits(crowd: Crowd) -> None:
    emptied: list[bool] = []
    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        checkpoint = Thread(target=lambda: emptied.append(crowd.ledger.empty_log()), daemon=True)
        checkpoint.start()
        assert crowd.queue.came.acquire(timeout=30)
        crowd.come("b")
    crowd.threads.append(checkpoint)
    crowd.go()
    assert emptied == [True]
    assert crowd.stored == {"b"}
    assert crowd.commits == 2


def test_what_follows_a_write_outside_the_ledger_waits_for_the_commit(crowd: Crowd) -> None:
    done: list[tuple[str, bool]] = []

    def tell(name: str) -> Body:
        return lambda session: after_commit(session, lambda: done.append((name, crowd.has("first"))))

    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        tell("first")(session)
        crowd.come("b", lambda session: (tell("b")(session), fail(session))[0])
        crowd.come("c", tell("c"))
    crowd.go()
    assert sorted(done) == [("c", True), ("first", True)]


def test_a_reader_of_the_header_that_is_late_takes_no_other_writer_for_an_older_content(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers read the header at once; the later one finds more commits and notes them first."""
    watch = FileWatch(file)
    watch.begin(create_engine("sqlite://"))
    counts = iter([7, 8])

    def late(_descriptor: int) -> int:
        count = next(counts)
        if count == 7:
            other = Thread(target=watch.after_commit, daemon=True)
            other.start()
            other.join(30)
        return count

    monkeypatch.setattr("syncd.ledger.database.sqlite.watch.commits_in", late)
    watch.after_commit()
    assert watch._commits == 8
    watch.close()


def test_fifty_is_the_most() -> None:
    assert group_commit.MOST == 50
