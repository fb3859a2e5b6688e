"""One executor per ledger: one process holds the lock, until it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.ledger.database.sqlite.lock import FileLock
from syncd.ledger.errors import LedgerBusy
from syncd.ledger.open import Ledger

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from syncd.ledger.database.sqlite.lock import FileLock

forked_before = os.fork()
if not forked_before:
    os.read(0, 1)
    os._exit(0)
FileLock(Path(sys.argv[1])).acquire("the first one")
# close_fds=False: only close-on-exec keeps the lock from the child
execed = subprocess.Popen(
    [sys.executable, "-S", "-c", "import os; os.write(1, b'x'); os.read(0, 1)"],
    close_fds=False, stdout=subprocess.PIPE,
)
execed.stdout.read(1)
print(forked_before, execed.pid, flush=True)
os.read(0, 1)
"""

SECOND = """
import sys
from datetime import UTC, datetime
from syncd.ledger.errors import LedgerBusy
from syncd.ledger.open import open_for_work
try:
    open_for_work(sys.argv[1], "the second one", datetime(2026, 11, 22, tzinfo=UTC))
except LedgerBusy as busy:
    print(busy.holder)
"""


@contextmanager
def holder(file: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a process that holds the lock, with a child forked before it and one executed after it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        children = [int(pid) for pid in process.stdout.readline().split()]
        try:
            yield process, children
        finally:
            process.kill()
            for pid in children:
                os.kill(pid, signal.SIGKILL)


def test_a_second_process_is_refused_and_reads_the_name_of_the_first(ledger: Ledger, url: str) -> None:
    output = subprocess.run(
        [sys.executable, "-c", SECOND, url], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == f"the test, pid {os.getpid()}"


def test_the_lock_ends_with_a_killed_process_whatever_its_children_do(tmp_path: Path) -> None:
    file = tmp_path / "syncd.db"
    with holder(file) as (process, children):
        with pytest.raises(LedgerBusy, match="the first one") as caught:
            FileLock(file).acquire("me")
        assert str(process.pid) in caught.value.holder
        process.send_signal(signal.SIGKILL)
        process.wait()
        with FileLock(file) as lock:
            lock.acquire("me")
            for pid in children:
                os.kill(pid, 0)


def test_a_lock_that_was_given_back_can_be_taken_again(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "syncd.db"), FileLock(tmp_path / "syncd.db")
    first.acquire("a process with a long name")
    with pytest.raises(LedgerBusy, match="a process with a long name"):
        second.acquire("b")
    first.release()
    first.release()
    second.acquire("b")
    with pytest.raises(LedgerBusy) as caught:
        first.acquire("a")
    assert caught.value.holder == f"b, pid {os.getpid()}"
    second.release()


def test_each_ledger_of_a_folder_has_its_own_lock(tmp_path: Path) -> None:
    with FileLock(tmp_path / "qrpay.db") as qrpay, FileLock(tmp_path / "ramen.db") as other:
        qrpay.acquire("one")
        other.acquire("other")
        assert sorted(file.name for file in tmp_path.iterdir()) == ["qrpay.db.lock", "ramen.db.lock"]
