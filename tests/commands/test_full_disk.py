"""A disk that is full: `status` says so without writing, and no half copy takes the place of a good one."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commandline import House

from syncd.ledger.database import room
from syncd.ledger.database.sqlite.lock import FileLock


@pytest.fixture
def worked(house: House) -> House:
    """Return a house whose ledger has an incident and a backup."""
    house.trigger()
    assert house.syncd("run", "--once").code == 0
    assert house.syncd("backup").code == 0
    return house


def disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the disk have so many free bytes."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _path: usage._replace(free=free))


def files(house: House) -> set[str]:
    """Return the names of all files of the ledger and its copies."""
    state = house.folder / ".syncd"
    return {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()} - {
        "syncd.db-wal",
        "syncd.db-shm",
    }


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a quota would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("how", ["full before", "full meanwhile"])
@pytest.mark.parametrize(("command", "what"), [("backup", "the copy"), ("restore", "the restored ledger")])
def test_a_copy_that_does_not_fit_is_named_and_leaves_all_as_it_was(
    worked: House, monkeypatch: pytest.MonkeyPatch, how: str, command: str, what: str
) -> None:
    before, head = files(worked), worked.syncd("audit", "verify", "--json").json["head"]
    args = (command, *(("--yes",) if command == "restore" else ("--keep", "1")))
    if how == "full before":
        with monkeypatch.context() as full:
            disk(full, 1000)
            result = worked.syncd(*args)
    else:
        with files_at_most(70_000):
            result = worked.syncd(*args)
    assert result.code == 1
    words = "no space left on / for" if how == "full before" else "/ rejects"
    mount = str(room.disk_of(worked.folder))
    assert result.err.startswith(f"{words.replace('/', mount, 1)} {what} (needs 0.")
    assert "damaged" not in result.err
    assert files(worked) == before
    assert worked.syncd("audit", "verify", "--json").json["head"] == head
    assert worked.syncd(*args).code == 0


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"f_bavail": 0}, "full", "is full: 0 MB left"),
        ({"f_favail": 0, "f_files": 10}, "full", "is full: "),
        ({"f_bavail": 50_000_000, "f_frsize": 1}, "low", "is nearly full: 50 MB left"),
        ({"f_flag": os.ST_RDONLY}, "read-only", "is read-only: "),
        ({"f_bavail": 10_000_000_000, "f_frsize": 1}, "ok", None),
    ],
)
def test_status_tells_of_a_disk_that_is_full_or_nearly_so(
    worked: House, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], state: str, words: str | None
) -> None:
    names = ("f_bavail", "f_frsize", "f_files", "f_favail", "f_flag")
    real = {name: getattr(os.statvfs("/"), name) for name in names} | {"f_favail": 10, "f_bavail": 10**9}
    numbers = type("Numbers", (), real | {"f_flag": 0} | change)
    monkeypatch.setattr(room.os, "statvfs", lambda _path: numbers)
    data = worked.syncd("status", "--json").json["disk"]
    assert (data["state"], data["rejects_writes"]) == (state, None)
    out = worked.syncd("status").out
    assert (words in out) if words is not None else ("The disk of the ledger" not in out)


def test_status_tells_that_the_running_daemon_cannot_write_the_ledger(worked: House) -> None:
    with FileLock(worked.folder / ".syncd/syncd.db") as lock:
        lock.acquire("syncd run")
        lock.note("database or disk is full")
        assert worked.syncd("status", "--json").json["disk"]["rejects_writes"] == "database or disk is full"
        result = worked.syncd("status")
        assert result.code == 0
        assert "The ledger rejects writes (database or disk is full), so syncd sends nothing" in result.out
        # whoever needs the lock still reads the holder's name alone
        assert (
            f"held by another process (syncd run, pid {os.getpid()})" in worked.syncd("restore", "--yes").err
        )
        lock.note(None)
        assert worked.syncd("status", "--json").json["disk"]["rejects_writes"] is None


def test_the_words_of_a_daemon_that_is_gone_count_no_more(worked: House) -> None:
    lock = Path(worked.folder / ".syncd/syncd.db.lock")
    lock.write_text("syncd run, pid 999999999\ndatabase or disk is full\n")
    assert worked.syncd("status", "--json").json["disk"]["rejects_writes"] is None
