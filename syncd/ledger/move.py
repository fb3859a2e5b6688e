"""Move a ledger to another database: copy it whole, compare, verify the trail, then mark the former ledger.

The order keeps a crash at any point harmless. The new tables appear with the mark of a copy, on which no
daemon starts, and all rows are stored in one transaction. Then the former ledger is marked as moved, on which
no daemon starts either. Last the copy loses its mark. Whoever is interrupted runs the same command again.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from syncd.ledger.database.backend import Backend, backend_of
from syncd.ledger.database.connection import Database
from syncd.ledger.database.rows import Progress, copy_rows
from syncd.ledger.errors import LedgerError, LedgerMissing, LedgerMoved, LedgerUnsafe
from syncd.ledger.store import audit
from syncd.ledger.store.identity import drop_meta, get_meta, set_meta
from syncd.ledger.store.moved import COPY_OF, MOVED_TO, mark_moved
from syncd.ledger.views.audit_trail import verify

HOLDER = "syncd ledger copy"
"""The name in both locks."""


@dataclass(frozen=True)
class Moved:
    """A ledger that was moved: the rows of each table, and the end of its audit trail before the move."""

    source: str
    target: str
    rows: dict[str, int]
    head: tuple[int, str]


def move(source_url: str, target_url: str, now: datetime, state_dir: Path | None, told: Progress) -> Moved:
    """Move the ledger of one URL to another; both locks are held meanwhile.

    Raise `LedgerBusy` while a daemon runs on one of them, `LedgerMissing` if there is no ledger of this
    version, `LedgerMoved` if it was moved elsewhere before, `LedgerUnsafe` if the copy or the trail is not
    whole, and `LedgerError` if the target holds anything else. The source stays as it was then.
    """
    source, target = backend_of(source_url, state_dir), backend_of(target_url, state_dir)
    if source.name == target.name:
        raise LedgerError(f"{source.name} is the same ledger twice", "name another one as the target")
    if not source.exists():
        raise LedgerMissing(f"there is no ledger at {source.name} yet")
    with ExitStack() as stack:
        for backend in (source, target):
            lock = backend.lock()
            lock.acquire(HOLDER)
            stack.callback(lock.release)
        # under the lock: a daemon may have migrated it meanwhile
        if not source.is_current():
            raise LedgerMissing(f"{source.name} needs a migration first", old=True)
        with closing(Database(source_url, state_dir)) as former:
            return _move(former, target, now, told)


def _move(former: Database, target: Backend, now: datetime, told: Progress) -> Moved:
    with former.read() as session:
        instance, moved_to = get_meta(session, "instance"), get_meta(session, MOVED_TO)
        head = audit.head(session)
    state = _state_of(target, instance)
    if moved_to is not None and (moved_to != target.name or state != "unfinished"):
        raise LedgerMoved(
            f"{former.name} was moved to {moved_to} already", f"set SYNCD_LEDGER_URL to the URL of {moved_to}"
        )
    if state == "finished":
        raise LedgerError(f"{target.name} holds this ledger already", "name an empty database")
    rows: dict[str, int] = {}
    if moved_to is None:
        if state == "unfinished":
            target.drop()
        target.prepare(None, audit.verify)
        # also empty tables are a copy: no daemon may make a ledger of its own of them
        target.migrate(now, partial(set_meta, key=COPY_OF, value=former.name))
        with closing(Database(target.url)) as fresh:
            rows = _copy(former, fresh, told)
        with former.write() as session:
            mark_moved(session, target.name, now)
    with closing(Database(target.url)) as fresh, fresh.write() as session:
        drop_meta(session, COPY_OF)
        audit.append(session, now, "ledger.moved", data={"from": former.name, "to": target.name})
    return Moved(former.name, target.name, rows, head)


def _state_of(target: Backend, instance: str | None) -> Literal["empty", "unfinished", "finished"]:
    """Return how far the target is a copy of this ledger; raise `LedgerError` if it holds anything else."""
    tables = target.tables()
    if not tables:
        return "empty"
    what = f"the tables {', '.join(tables[:3])}"
    if target.exists() and target.is_current():
        with closing(Database(target.url)) as database, database.read() as session:
            there, copy_of = get_meta(session, "instance"), get_meta(session, COPY_OF)
        # without a name: the tables of a copy that ended before its first row
        if there is None or (there == instance and copy_of is not None):
            return "unfinished"
        if there == instance:
            return "finished"
        what = f"the ledger {there}"
    raise LedgerError(f"{target.name} is not empty: it holds {what}", "name an empty database")


def _copy(former: Database, fresh: Database, told: Progress) -> dict[str, int]:
    """Copy all rows and verify the copy's trail; raise `LedgerUnsafe` if the trail does not hold."""
    with former.read() as read, fresh.write() as write:
        rows = copy_rows(read, write, told)
        set_meta(write, COPY_OF, former.name)
    broken = verify(fresh)
    if broken is not None:
        raise LedgerUnsafe(
            f"the audit trail of the copy is broken: {broken}",
            f"look at the trail of {former.name}: syncd audit verify; no daemon starts on the copy",
        )
    return rows
