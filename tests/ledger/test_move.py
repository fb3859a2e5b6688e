"""`syncd ledger copy`: a ledger moves whole; no daemon starts on half of a move or on the former ledger."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from ledger_cast import NOW, behind_its_back, create, record
from postgresql import Cluster
from released_ledgers import RELEASED
from sqlmodel import Session, select

from syncd.ledger import move as module
from syncd.ledger.database import migrate as migrations
from syncd.ledger.database import rows as copying
from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.connection import Database
from syncd.ledger.database.rows import copy_rows, digest_of, tables
from syncd.ledger.errors import LedgerBusy, LedgerError, LedgerMissing, LedgerMoved, LedgerUnsafe
from syncd.ledger.move import move
from syncd.ledger.open import open_for_work
from syncd.ledger.store.identity import get_meta, set_meta
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
    assert all(found == seen[0] for found in seen)
    # what is empty stays empty: JSON's null is another value
    with behind_its_back(first) as one, behind_its_back(last) as other:
        for table in RELEASED[migrations.HEAD]:
            query = f"SELECT * FROM {table}"  # noqa: S608 - a name of ours
            assert one.execute(query).fetchall() == other.execute(query).fetchall()


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

    def crash_when_marking(session: Session, key: str, value: str) -> None:
        crash() if key == MOVED_TO else set_meta(session, key, value)

    if place == "mark":
        monkeypatch.setattr(module, "set_meta", crash_when_marking)
    else:
        monkeypatch.setattr(*((copying, "digest_of") if place == "copy" else (module, place)), crash)


@pytest.mark.parametrize("place", ["copy", "verify", "mark", "drop_meta"])
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
