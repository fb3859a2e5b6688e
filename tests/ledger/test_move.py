"""`syncd ledger copy`: a ledger moves whole; no daemon starts on half of a move or on the former ledger."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import fork_server
import pytest
from ledger_cast import NOW, behind_its_back, create, record
from postgresql import Cluster
from released_ledgers import RELEASED
from sqlmodel import Session, select
from waiting import wait_for

from syncd.ledger import move as module
from syncd.ledger.database import migrate as migrations
from syncd.ledger.database import rows as copying
from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.connection import Database
from syncd.ledger.database.rows import copy_rows, digest_of, tables
from syncd.ledger.errors import LedgerBusy, LedgerError, LedgerMissing, LedgerMoved, LedgerUnsafe
from syncd.ledger.move import move
from syncd.ledger.open import open_for_work
from syncd.ledger.store.identity import get_meta
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.moved import MOVED_TO
from syncd.ledger.store.tables import AuditEventRow, OperationRow
from syncd.ledger.views.audit_trail import verify

DATABASES = ("postgresql",)


def told(_table: str, _rows: int) -> None:
    """Show no progress."""


@pytest.fixture
def old(newborn: Path, tmp_path: Path) -> str:
    """Return the URL of a ledger in a file, with two operations and a value."""
    url = f"sqlite:///{shutil.copy(newborn, tmp_path / 'old.db')}"
    ledger = open_for_work(url, "the test", NOW)
    with ledger.write() as session:
        record(session, create("P1"), incident="P1")
        record(session, create("P2"), incident="P2")
    set_value(ledger, "a", text="ünïcode ☃ 🜁 \\u0000", empty=None, list=[1, 1.5, True])
    ledger.close()
    return url


@pytest.fixture
def new(cluster: Cluster) -> str:
    """Return the URL of an empty database."""
    return cluster.url(cluster.new())


def digests(session: Session) -> dict[str, tuple[int, str]]:
    return {table.name: digest_of(session, table) for table in tables()}


def test_a_full_ledger_goes_to_the_server_and_back_without_a_change(tmp_path: Path, cluster: Cluster) -> None:
    first, last = (f"sqlite:///{tmp_path / name}" for name in ("first.db", "last.db"))
    urls = (first, cluster.url(cluster.new()), last)
    for url in urls:
        backend_of(url).migrate(NOW)
    with behind_its_back(first) as connection:
        connection.execute("DELETE FROM audit_head")
        for table, row in RELEASED[migrations.HEAD].items():
            statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
            connection.execute(statement, list(row.values()))
    seen = []
    for source, target in pairwise(urls):
        with closing(Database(source)) as here, closing(Database(target)) as there:
            with here.read() as read, there.write() as write:
                seen.append(digests(read))
                assert set(copy_rows(read, write, told).values()) == {1}
            with there.read() as read:
                seen.append(digests(read))
    assert all(shown == seen[0] for shown in seen)
    # what is empty stays empty: JSON's null is another value
    with behind_its_back(first) as former, behind_its_back(last) as other:
        for table in RELEASED[migrations.HEAD]:
            query = f"SELECT * FROM {table}"  # noqa: S608 - a name of ours
            assert former.execute(query).fetchall() == other.execute(query).fetchall()


def test_a_ledger_moves_with_its_trail_and_goes_on_there(old: str, new: str) -> None:
    moved = move(old, new, NOW, None, told)
    assert moved.rows["operation"] == 2
    with pytest.raises(LedgerMoved, match="was moved to postgresql://") as caught:
        open_for_work(old, "the test", NOW)
    assert "set SYNCD_LEDGER_URL" in caught.value.hint
    ledger = open_for_work(new, "the test", NOW)
    assert verify(ledger) is None
    assert get_value(ledger, "a") == {"text": "ünïcode ☃ 🜁 \\u0000", "empty": None, "list": [1, 1.5, True]}
    with ledger.write() as session:
        (row,) = record(session, create("P3"), incident="P3")
        # new ids follow the copied ones
        assert row.id == 3
    with ledger.read() as session:
        assert [row.incident_id for row in session.exec(select(OperationRow)).all()] == ["P1", "P2", "P3"]
        kinds = [event.kind for event in session.exec(select(AuditEventRow)).all()]
        assert get_meta(session, "moved_to") is get_meta(session, "copy_of") is None
    assert kinds.count("ledger.moved") == 1
    ledger.close()
    with pytest.raises(LedgerMoved, match="already"):
        move(old, new, NOW, None, told)


def test_it_moves_back_into_a_new_file(old: str, new: str, tmp_path: Path) -> None:
    move(old, new, NOW, None, told)
    file = f"sqlite:///{tmp_path / 'back.db'}"
    move(new, file, NOW, None, told)
    with pytest.raises(LedgerMoved):
        open_for_work(new, "the test", NOW)
    ledger = open_for_work(file, "the test", NOW)
    assert verify(ledger) is None
    ledger.close()


class Crash(Exception):
    """The end of the process at a point of the move."""


def crash_at(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def crash(*_arguments: object, **_options: object) -> None:
        raise Crash

    monkeypatch.setattr(*((copying, "digest_of") if place == "copy" else (module, place)), crash)


@pytest.mark.parametrize("place", ["_copy", "copy", "verify", "mark_moved", "drop_meta"])
def test_a_move_that_was_interrupted_anywhere_is_finished_by_the_same_command(
    old: str, new: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as now:
        crash_at(now, place)
        with pytest.raises(Crash):
            move(old, new, NOW, None, told)
    # no daemon starts on half of a copy, and none on the former ledger once it is marked
    for url in (new, old) if place == "drop_meta" else (new,):
        with pytest.raises(LedgerMoved):
            open_for_work(url, "the test", NOW)
    move(old, new, NOW, None, told)
    ledger = open_for_work(new, "the test", NOW)
    assert verify(ledger) is None
    ledger.close()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from syncd.ledger.move import move
points = 0
def count(frame, event, called):
    global points
    name = called.__name__ if event == "c_call" else frame.f_code.co_name if event == "call" else ""
    if name in ("execute", "executemany", "copy", "commit", "unlink", "close"):
        points += 1
        if points == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
move(sys.argv[1], sys.argv[2], datetime(2026, 11, 22, tzinfo=UTC), None, lambda *_: None)
sys.setprofile(None)
print(points)
"""
"""Moves a ledger, kills itself at the given call that can change a database, and prints their number."""
POINTS = 1200
"""The latest of these calls at which a move is killed: about as many as it makes."""


def copy_until(source: str, target: str, point: int) -> int:
    """Kill a move at a point, and return 0; if it ends before, return how many points it passed."""
    process = fork_server.start(KILLED, (source, target, str(point)), 2, Path.cwd())
    printed, _ = process.communicate()
    assert process.returncode == (0 if printed else -signal.SIGKILL)
    for url in (source, target):
        # the server notices the end of a process a moment later
        wait_for(lambda url=url: backend_of(url).lock().holder() is None)
    return int(printed or 0)


def starts(url: str) -> bool:
    """Start on a ledger and end; return False if it is half of a move. An empty place is left empty."""
    if not backend_of(url).tables():
        return False
    try:
        open_for_work(url, "the test", NOW).close()
    except LedgerMoved as refused:
        assert "syncd ledger copy" in refused.hint or "set SYNCD_LEDGER_URL to" in refused.hint
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", [("file", "server"), ("server", "file"), ("file", "file")])
def test_a_move_that_is_killed_twice_is_finished_by_the_same_command(
    old: str, new: str, way: tuple[str, str], seed: int, tmp_path: Path, cluster: Cluster
) -> None:
    source, target = old, f"sqlite:///{tmp_path / 'target.db'}"
    if way[0] == "server":
        source = new
        move(old, source, NOW, None, told)
    elif way[1] == "server":
        target = new
    random = Random(f"{way} {seed}")
    for point in (random.randint(1, POINTS), random.randint(1, POINTS)):
        if starts(target):
            break
        copy_until(source, target, point)
        at_source, at_target = starts(source), starts(target)
        assert not (at_source and at_target)
        with closing(Database(source)) as former, former.read() as session:
            # once the former ledger is marked, the copy is whole
            assert at_source == (get_meta(session, MOVED_TO) is None)
    with suppress(LedgerMoved):
        move(source, target, NOW, None, told)
    assert not starts(source)
    ledger = open_for_work(target, "the test", NOW)
    assert verify(ledger) is None
    with ledger.read() as session:
        assert [row.incident_id for row in session.exec(select(OperationRow)).all()] == ["P1", "P2"]
    ledger.close()


def test_a_target_that_holds_anything_is_refused_and_left_alone(old: str, url: str, cluster: Cluster) -> None:
    with pytest.raises(LedgerError, match="is not empty: it holds the ledger "):
        move(old, url, NOW, None, told)
    database = cluster.new()
    with cluster.connect(database) as connection:
        connection.execute("CREATE TABLE holidays (day date)")
    with pytest.raises(LedgerError, match="it holds the tables holidays"):
        move(old, cluster.url(database), NOW, None, told)
    with pytest.raises(LedgerError, match="the same ledger twice"):
        move(old, old, NOW, None, told)
    open_for_work(old, "the test", NOW).close()


def test_nothing_moves_while_a_daemon_runs_on_either(old: str, new: str, url: str) -> None:
    for daemon, ways in ((old, (old, new)), (url, (old, url))):
        running = open_for_work(daemon, "syncd run", NOW)
        with pytest.raises(LedgerBusy):
            move(*ways, NOW, None, told)
        running.close()
    open_for_work(old, "the test", NOW).close()


def test_a_source_that_is_none_is_refused(new: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing):
        move(f"sqlite:///{tmp_path / 'none.db'}", new, NOW, None, told)


def test_a_trail_that_is_broken_does_not_move(old: str, new: str) -> None:
    with behind_its_back(old) as connection:
        connection.execute("UPDATE audit_head SET seq = 99")
    with pytest.raises(LedgerUnsafe, match="the audit trail of the copy is broken"):
        move(old, new, NOW, None, told)
    with pytest.raises(LedgerMoved, match="unfinished copy"):
        open_for_work(new, "the test", NOW)


def test_a_copy_that_differs_is_not_kept(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[..., tuple[int, str]] = copying.digest_of
    monkeypatch.setattr(copying, "digest_of", lambda *given: (right(*given)[0], "f" * 64))
    with pytest.raises(LedgerUnsafe, match=r"the copy of the table .* differs"):
        move(old, new, NOW, None, told)
    monkeypatch.undo()
    move(old, new, NOW, None, told)
