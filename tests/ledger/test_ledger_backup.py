"""Copies of the ledger: whole, private, on disk, and not more than are wanted."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from syncd.ledger.database.sqlite import backup as module
from syncd.ledger.database.sqlite.backup import back_up, backups, check_copy
from syncd.ledger.errors import LedgerMissing, LedgerUnsafe
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store.key_values import set_cursor_in

NOW = datetime(2026, 11, 22, 2, 40, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "syncd.db"


@pytest.fixture
def opened(file: Path) -> Ledger:
    return open_for_work(f"sqlite:///{file}", "test", NOW)


def test_a_copy_is_made_while_others_write_and_is_whole(file: Path, opened: Ledger, tmp_path: Path) -> None:
    stop = Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with opened.write() as session:
                set_cursor_in(session, "one", number=number)
                set_cursor_in(session, "other", number=number)

    writer = Thread(target=write)
    writer.start()
    try:
        for second in range(5):
            made = back_up(file, tmp_path / "copies", NOW + timedelta(seconds=second))
            with sqlite3.connect(made.file) as copy:
                rows = copy.execute("SELECT value FROM key_value WHERE name IN ('one', 'other')").fetchall()
            copy.close()
            assert len(set(rows)) <= 1
    finally:
        stop.set()
        writer.join()
        opened.close()


def test_only_we_may_read_it(file: Path, opened: Ledger, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = back_up(file, tmp_path / "copies", NOW)
    finally:
        os.umask(before)
        opened.close()
    assert made.file.name == "syncd-20261122T024000Z.db"
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in made.file.parent.iterdir()] == [made.file.name]
    assert made.size == made.file.stat().st_size > 0


def test_the_latest_copies_stay_and_other_files_are_left(file: Path, opened: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "syncd-of-mine.db").touch()
    made = [back_up(file, folder, NOW + timedelta(days=day), keep=3).file for day in range(5)]
    opened.close()
    assert backups(folder) == made[:1:-1]
    assert (folder / "syncd-of-mine.db").exists()


def test_a_copy_that_is_not_whole_gets_no_name_and_removes_nothing(
    file: Path, opened: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copies"
    first = back_up(file, folder, NOW, keep=1).file

    def damaged(_ledger: Path, copy: Path) -> None:
        copy.write_bytes(first.read_bytes()[: 4096 * 3] + bytes(4096))

    monkeypatch.setattr(module, "backup_file", damaged)
    with pytest.raises(LedgerUnsafe):
        back_up(file, folder, NOW + timedelta(days=1), keep=1)
    opened.close()
    assert [path.name for path in folder.iterdir()] == [first.name]


def test_a_reference_that_leads_nowhere_is_found(file: Path, opened: Ledger, tmp_path: Path) -> None:
    made = back_up(file, tmp_path / "copies", NOW)
    opened.close()
    with sqlite3.connect(made.file) as copy:
        copy.execute(
            "INSERT INTO ticket (incident_id, issue_id, key, project, origin, agreed, changes, refused,"
            " read_seq, written_seq, created_at)"
            " VALUES ('PNONE', '1', 'A-1', 'A', 'x', '{}', '[]', '[]', 0, 0, '2026-01-01')"
        )
    copy.close()
    with pytest.raises(LedgerUnsafe, match="1 references lead nowhere"):
        check_copy(made.file)


def test_where_there_is_no_ledger_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing):
        back_up(tmp_path / "none.db", tmp_path / "copies", NOW)


def test_a_file_that_is_no_ledger_is_no_copy(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(LedgerUnsafe, match="no ledger"):
        check_copy(tmp_path / "other.db")
