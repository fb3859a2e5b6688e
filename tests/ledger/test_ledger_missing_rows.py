"""What a start says when the ledger's file lacks rows that were there when syncd last ran."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ledger_cast import NOW, create, record
from loguru import logger

from syncd.ledger.errors import LedgerReplaced
from syncd.ledger.open import Ledger, open_for_work


def opened(file: Path) -> Ledger:
    return open_for_work(f"sqlite:///{file}", "test", NOW)


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
