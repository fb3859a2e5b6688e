"""An older ledger takes the place of a lost one, and knows that it is older.

What the lost one did since the copy was made is not on record, but happened. So nothing that was decided
in the copy leaves as it stands: once-operations that never left are forgotten and decided anew under the
same key and mark, which finds what stands there already; creates wait until the settle time has passed on
the boot-time clock and the search has been asked; what cannot be looked up (mail, chat) and lies before
the restore is listed and not sent.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, col, select

from syncd.domain.clock import in_utc
from syncd.domain.operation import OperationClass, OperationState
from syncd.ledger.database.backup import check_copy, settle_file, sync_folder
from syncd.ledger.database.lock import LedgerLock
from syncd.ledger.database.migrate import backup_file
from syncd.ledger.open import Ledger, open_for_work, set_meta
from syncd.ledger.store import audit, operation_states, outbox
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.key_values import set_cursor_in
from syncd.ledger.store.operation_states import GivenUp
from syncd.ledger.store.restored import KEY, UNSENT, WHY
from syncd.ledger.store.snapshots import still_open_in, unfinished_in
from syncd.ledger.store.tables import AuditEventRow, IncidentRow, RequestRow, TicketRow


@dataclass(frozen=True)
class Restored:
    """What came of a restore: the last event of the copy, what was set aside, what is not sent."""

    last_event: datetime | None
    set_aside: Path | None
    forgotten: int
    unsent: tuple[str, ...]


def restore(copy: Path, file: Path, now: datetime, stamp: GivenUp) -> Restored:
    """Put a copy in the place of the ledger `file`; `stamp` is now on the boot-time clock.

    What stood there is set aside beside it. Raises `LedgerBusy` while an executor lives, `LedgerUnsafe`
    for a damaged copy, `LedgerFromTheFuture`; the ledger is untouched then.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with LedgerLock(file) as lock:
        lock.acquire("syncd restore")
        check_copy(copy)
        fresh = file.with_name(file.name + ".restoring")
        _remove(fresh)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            backup_file(copy, fresh)
            ledger = open_for_work(f"sqlite:///{fresh}", "syncd restore", now)
            try:
                last, forgotten, unsent = _begin_anew(ledger, now, stamp)
            finally:
                ledger.close()
            _into_one_file(fresh)
            settle_file(fresh)
            aside = _set_aside(file, now)
            fresh.replace(file)
            sync_folder(file.parent)
        finally:
            _remove(fresh)
    return Restored(last, aside, forgotten, unsent)


def _remove(file: Path) -> None:
    for ending in ("", "-wal", "-shm", ".lock"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _into_one_file(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _set_aside(file: Path, now: datetime) -> Path | None:
    """Rename what stands there, with its write-ahead log, which may hold its latest rows."""
    if not file.exists():
        return None
    aside = file.with_name(f"{file.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    for ending in ("-wal", "-shm", ""):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


def _begin_anew(
    ledger: Ledger, now: datetime, stamp: GivenUp
) -> tuple[datetime | None, int, tuple[str, ...]]:
    with ledger.write() as session:
        last = session.exec(select(AuditEventRow.at).order_by(col(AuditEventRow.seq).desc()).limit(1)).first()
        set_meta(session, "restored", now.isoformat())
        set_cursor_in(session, KEY, at=now.isoformat(), boot_id=stamp.boot_id, boottime=stamp.boottime)
        unsent, forgotten = _empty_outbox(session, now)
        for row in session.exec(
            select(IncidentRow).where(col(IncidentRow.id).not_in(select(TicketRow.incident_id)))
        ).all():
            row.searched = False
            session.add(row)
        for request in session.exec(select(RequestRow).where(RequestRow.state != "done")).all():
            request.state, request.finished_at = "done", now
            request.result = {
                "lines": ["the ledger was restored: ask again"],
                "incidents": [],
                "failed": True,
            }
            session.add(request)
        concerned = {*still_open_in(session), *unfinished_in(session)}
        read_seq = ledger.logical_clock.next()
        for ticket in (False, True):
            notice_changes_in(session, concerned, now, read_seq, "the ledger was restored", ticket=ticket)
        audit.append(
            session,
            now,
            "ledger.restored",
            data={
                "last_event": last.isoformat() if last else None,
                "forgotten": forgotten,
                "unsent": len(unsent),
            },
        )
    return last, forgotten, unsent


def _empty_outbox(session: Session, now: datetime) -> tuple[tuple[str, ...], int]:
    """Nothing that was only decided leaves as it is; what was under way is looked up as ever."""
    unsent, forgotten = [], 0
    for row in outbox.listing(session):
        if row.target in UNSENT:
            operation_states.finish(session, row, OperationState.DROPPED, now, why=WHY)
            unsent.append(f"{row.kind}: {row.reason} (decided {in_utc(row.decided_at)})")
        elif row.state in (OperationState.IN_FLIGHT, OperationState.UNKNOWN):
            continue
        elif row.op_class == OperationClass.STATE:
            operation_states.finish(
                session, row, OperationState.SUPERSEDED, now, why="the ledger was restored"
            )
        else:
            # its key must be free, so that it can be decided again
            said = {"kind": row.kind, "op": row.op}
            audit.append(session, now, "operation.forgotten", incident=row.incident_id, data={**said})
            session.delete(row)
            forgotten += 1
    session.flush()
    return tuple(unsent), forgotten
