"""What a start says when the ledger's file lacks rows that were there when syncd last ran."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from ledger_cast import NOW, create, record
from loguru import logger

from syncd.ledger.database.sqlite.backup import check_copy
from syncd.ledger.errors import LedgerReplaced, LedgerUnsafe
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.views import audit_trail


def opened(file: Path) -> Ledger:
    return open_for_work(f"sqlite:///{file}", "test", NOW)


def grow(ledger: Ledger, first: int, last: int) -> None:
    for number in range(first, last):
        with ledger.write() as session:
            record(session, create(incident=f"P{number}"))


def outgrown(file: Path) -> tuple[Ledger, bytes]:
    """Return a ledger with rows in its file and later ones in its log, and an older content of the file."""
    ledger = opened(file)
    grow(ledger, 0, 20)
    ledger.empty_log()
    older = file.read_bytes()
    grow(ledger, 20, 60)
    ledger.empty_log()
    grow(ledger, 60, 65)
    ledger.note_head()
    return ledger, older


def test_an_older_file_is_known_by_the_note_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "syncd.db"
    opened(file).close()
    shutil.copyfile(file, tmp_path / "older.db")
    ledger = opened(file)
    assert ledger.rows_missing is None
    with ledger.write() as session:
        record(session, create())
    ledger.note_head()
    ledger.close()
    again = opened(file)
    assert again.rows_missing is None
    again.close()
    shutil.copyfile(tmp_path / "older.db", file)
    older = opened(file)
    assert older.rows_missing is not None
    assert "its record ends at event" in older.rows_missing
    older.close()


def test_a_write_ahead_log_that_is_gone_is_named(tmp_path: Path) -> None:
    file, lines = tmp_path / "syncd.db", list[str]()
    opened(file).close()
    file.with_name("syncd.db-shm").touch()
    number = logger.add(lambda message: lines.append(message.record["message"]), level="ERROR")
    opened(file).close()
    logger.remove(number)
    assert any(f"{file}-wal is missing" in line for line in lines)


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_nothing_is_written_into_a_file_that_is_gone(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "syncd.db"
    ledger = opened(file)
    with ledger.write() as session:
        record(session, create())
    file.with_name(file.name + ending).unlink()
    with pytest.raises(LedgerReplaced, match="was deleted while syncd was running"), ledger.write():
        raise AssertionError("the transaction began")
    ledger.close()


def test_a_log_of_a_newer_file_is_set_aside_and_the_older_file_is_known_for_what_it_is(
    tmp_path: Path, file: Path
) -> None:
    ledger, older = outgrown(file)
    put_back = tmp_path / "put back" / file.name
    put_back.parent.mkdir()
    put_back.write_bytes(older)
    # as after a kill: the log stays
    for ending in ("-wal", ".head"):
        shutil.copyfile(f"{file}{ending}", f"{put_back}{ending}")
    ledger.close()
    again = opened(put_back)
    assert again.rows_missing is not None
    assert audit_trail.verify(again) is None
    again.close()
    check_copy(put_back)
    assert (put_back.parent / "syncd.db-wal.of-another-file").stat().st_size > 0


def test_a_ledger_that_was_overwritten_leaves_the_older_content_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen() -> None:
        raise LedgerReplaced(f"{file} was overwritten")

    ledger, older = outgrown(file)
    with file.open("r+b") as target:
        target.write(older)
        target.truncate()
    monkeypatch.setattr(ledger, "check_in_place", seen)
    ledger.close()
    assert file.read_bytes() == older
    again = opened(file)
    assert again.rows_missing is not None
    again.close()


def test_a_new_connection_does_not_apply_the_log_to_a_file_that_took_the_ledgers_place(file: Path) -> None:
    ledger, older = outgrown(file)
    fresh = file.with_name("fresh.db")
    fresh.write_bytes(older)
    with ExitStack() as readers, pytest.raises(LedgerReplaced, match="was replaced by another file"):
        while True:
            # each open view holds a connection, so the pool soon makes a new one
            readers.enter_context(ledger.read()).connection()
            if fresh.exists():
                fresh.replace(file)
    ledger.close()
    assert file.read_bytes() == older
    again = opened(file)
    assert audit_trail.verify(again) is None
    again.close()


def test_a_new_connection_makes_no_file_where_the_ledger_was_taken_away(file: Path) -> None:
    ledger, _ = outgrown(file)
    away = file.with_name("away.db")
    with pytest.raises(LedgerReplaced, match="was deleted while syncd was running"), ExitStack() as readers:
        while True:
            readers.enter_context(ledger.read()).connection()
            if file.exists():
                file.replace(away)
    assert not file.exists()
    ledger.close()
    away.replace(file)
    again = opened(file)
    assert again.rows_missing is None
    assert audit_trail.verify(again) is None
    again.close()


def test_a_read_that_fails_in_an_older_content_says_that_the_file_was_overwritten(file: Path) -> None:
    ledger, older = outgrown(file)
    # this connection keeps the log in place while those of the ledger are opened anew
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ledger.engine.dispose()
        header = 100
        with file.open("r+b") as target:
            target.write(older[:header] + b"x" * (len(older) - header))
            target.truncate()
        with pytest.raises(LedgerReplaced, match="was overwritten"):
            audit_trail.verify(ledger)
        ledger.close()


def test_a_damaged_file_that_was_put_back_is_not_opened(file: Path) -> None:
    ledger = opened(file)
    grow(ledger, 0, 20)
    ledger.note_head()
    ledger.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name LIKE 'ix_operation%'")
        connection.commit()
    with pytest.raises(LedgerUnsafe, match="is damaged"):
        opened(file)


def test_the_note_beside_the_ledger_is_written_only_when_its_end_has_changed(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "syncd.db")
    ledger.note_head()
    note = tmp_path / "syncd.db.head"
    os.utime(note, (0, 0))
    ledger.note_head()
    assert note.stat().st_mtime == 0
    grow(ledger, 0, 1)
    ledger.note_head()
    assert note.stat().st_mtime != 0
    ledger.close()
