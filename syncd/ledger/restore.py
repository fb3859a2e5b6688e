"""Put a copy of the ledger in the place of a lost one.

The lost ledger made writes after the copy was made, and the copy does not know them. So no decision of the
copy leaves as it is. Once-operations that never left are deleted and decided again with the same key and
mark, by which syncd finds an issue that exists already. Creates wait for the settle time on the boot-time
clock and for the search. Mails and chat posts from before the restore cannot be looked up: they are listed
and not sent.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import update
from sqlmodel import Session, col, select

from syncd.domain.base import JsonValue
from syncd.domain.clock import in_utc
from syncd.domain.operation import UNSURE_STATES, OperationClass, OperationState
from syncd.ledger.database.connection import after_commit
from syncd.ledger.database.room import room_for
from syncd.ledger.database.sqlite.backend import head_file
from syncd.ledger.database.sqlite.backup import check_copy, settle_file, sync_folder
from syncd.ledger.database.sqlite.lock import FileLock
from syncd.ledger.database.sqlite.migrate import backup_file, size_of
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import audit, operation_states, outbox, unseen_writes
from syncd.ledger.store.change_queue import notice_changes_in, still_open_in, unfinished_in
from syncd.ledger.store.identity import get_meta, set_meta
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.operation_states import GivenUp
from syncd.ledger.store.restored import APART, KEY, PUT_BACK, UNSENT, WHY, is_open_notice
from syncd.ledger.store.tables import AuditEventRow, IncidentRow, OperationRow, RequestRow, TicketRow


@dataclass(frozen=True)
class Restored:
    """The result of a restore.

    `last_event` is when the copy's latest event was recorded (UTC). `set_aside` is the file that stood in the
    ledger's place. `unsent` lists the mails and
    chat posts that are not sent.
    """

    last_event: datetime | None
    set_aside: Path | None
    unsent: tuple[str, ...]


def restore(copy: Path, file: Path, now: datetime, stamp: GivenUp) -> Restored:
    """Put a copy in the place of the ledger `file`; `stamp` is now on the boot-time clock.

    The file that stood there is renamed and stays beside it. Raise `LedgerBusy` while a daemon is running,
    `NoRoom` for a full disk, `LedgerUnsafe` for a damaged copy, `LedgerFromTheFuture` for a newer one; the
    ledger is unchanged then.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(file) as lock:
        lock.acquire("syncd restore")
        check_copy(copy)
        # the copy is prepared beside the ledger and takes its place by one rename
        fresh = file.with_name(file.name + ".restoring")
        _remove(fresh)
        try:
            with room_for("the restored ledger", file.parent, size_of(copy)):
                os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                backup_file(copy, fresh)
                ledger = open_for_work(f"sqlite:///{fresh}", "syncd restore", now)
                try:
                    anew = begin_anew(ledger, now, stamp)
                finally:
                    ledger.close()
                _into_one_file(fresh)
                settle_file(fresh)
            aside = _set_aside(file, now)
            # what was noted of the former ledger says nothing about the copy
            head_file(file).unlink(missing_ok=True)
            fresh.replace(file)
            sync_folder(file.parent)
        finally:
            _remove(fresh)
    return Restored(anew.last_event, aside, anew.unsent)


def _remove(file: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal", ".lock"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _into_one_file(file: Path) -> None:
    # the rename moves one file, so nothing may be left in the write-ahead log
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _set_aside(file: Path, now: datetime) -> Path | None:
    """Rename the ledger with its write-ahead log, which may hold its latest rows."""
    if not file.exists():
        return None
    aside = file.with_name(f"{file.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    # the ledger itself last: until then the file under its name is whole
    for ending in ("-wal", "-shm", ""):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


@dataclass(frozen=True)
class BegunAnew:
    """The changes of a beginning anew; the fields are those of `Restored`."""

    last_event: datetime | None
    unsent: tuple[str, ...]


_TICKETED = (
    update(IncidentRow)
    .where(col(IncidentRow.id).in_(select(TicketRow.incident_id)), col(IncidentRow.searched).is_(False))
    .values(searched=True)
)


def begin_anew(ledger: Ledger, now: datetime, stamp: GivenUp, *, proof: str = "") -> BegunAnew:
    """Treat a ledger as older than what it made; `stamp` is now on the boot-time clock.

    `proof` shows that somebody put its file back by hand while syncd was stopped. Nobody was asked, so
    notices of open incidents are decided again, and may be repetitions.
    """
    by_hand = bool(proof)
    with ledger.write() as session:
        last = session.exec(select(AuditEventRow.at).order_by(col(AuditEventRow.seq).desc()).limit(1)).first()
        set_meta(session, "restored", now.isoformat())
        begun = {"at": now.isoformat(), "boot_id": stamp.boot_id, "boottime": stamp.boottime}
        set_cursor_in(session, KEY, **begun, **({"proof": proof} if by_hand else {}))
        unseen_writes.forget_all(session)
        unsent, forgotten = _empty_outbox(session, now, by_hand=by_hand)
        # what has a ticket is known: it must not be asked for in each cycle from now on
        session.connection().execute(_TICKETED)
        for row in session.exec(
            select(IncidentRow).where(col(IncidentRow.id).not_in(select(TicketRow.incident_id)))
        ).all():
            # the lost ledger may have made its ticket
            row.searched = False
            session.add(row)
        for request in session.exec(select(RequestRow).where(RequestRow.state != "done")).all():
            # an old request must not act on the restored ledger
            request.state = "done"
            request.result = {
                "lines": ["the ledger was restored: ask again"],
                "incidents": [],
                "failed": True,
            }
            session.add(request)
        concerned = {*still_open_in(session), *unfinished_in(session)}
        read_seq = ledger.logical_clock.next()
        # read the incident and its ticket again
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
                "by_hand": by_hand,
            },
        )
    ledger.begun_anew = now.isoformat()
    # a service's clock may run behind ours
    ledger.born = max(ledger.born, now + APART)
    return BegunAnew(last, unsent)


def set_beginning_right(ledger: Ledger, theirs: datetime, now: datetime, stamp: GivenUp) -> None:
    """Store when this ledger was made or restored by PagerDuty's clock, if ours was wrong at that moment.

    What is older than the beginning may have left before, and incidents have PagerDuty's times. `theirs` is
    the present time by PagerDuty's clock and `now` by ours (UTC), `stamp` is now on the boot-time clock.
    """
    with ledger.write() as session:
        born = datetime.fromisoformat(get_meta(session, "born") or "")
        if ledger.run == 1 and get_meta(session, "born_by_service") is None:
            born = born + (theirs - now) if abs(theirs - now) > APART else born
            after_commit(session, partial(setattr, ledger, "born", born))
            set_meta(session, "born", born.isoformat())
            set_meta(session, "born_by_service", theirs.isoformat())
        entry = get_cursor_in(session, KEY)
        if not entry or entry.get("by_service"):
            return
        at = datetime.fromisoformat(str(entry["at"]))
        if entry.get("boot_id") == stamp.boot_id and not entry.get("rebooted"):
            known = theirs - timedelta(seconds=stamp.boottime - float(str(entry["boottime"])))
            earliest = latest = at if abs(known - at) <= APART else known
        else:
            # the boot-time clock began anew: nothing tells how long ago it was
            earliest, latest = min(at, theirs), max(at, theirs)
        # no notice is taken for sent that may not be; each text is looked for that may be there
        set_cursor_in(session, KEY, **{**entry, "at": earliest.isoformat(), "by_service": True})
        set_meta(session, "restored", latest.isoformat())
        after_commit(session, partial(setattr, ledger, "born", max(born, latest + APART)))


def _empty_outbox(session: Session, now: datetime, *, by_hand: bool) -> tuple[tuple[str, ...], int]:
    """End or delete all open operations but those under way, which are looked up as after any crash."""
    unsent, forgotten = [], 0
    for row in outbox.listing(session):
        if row.target in UNSENT and not (by_hand and _is_open_notice(session, row)):
            why = PUT_BACK if by_hand else WHY
            operation_states.finish(session, row, OperationState.DROPPED, now, why=why)
            unsent.append(f"{row.kind}: {row.reason} (decided {in_utc(row.decided_at)})")
        elif row.state in UNSURE_STATES:
            continue
        elif row.op_class == OperationClass.STATE:
            operation_states.finish(
                session, row, OperationState.SUPERSEDED, now, why="the ledger was restored"
            )
        else:
            # a once-operation's key is unique: it must be free before the operation can be decided again
            data: dict[str, JsonValue] = {"kind": row.kind, "op": row.op}
            audit.append(session, now, "operation.forgotten", incident=row.incident_id, data=data)
            session.delete(row)
            forgotten += 1
    session.flush()
    return tuple(unsent), forgotten


def _is_open_notice(session: Session, row: OperationRow) -> bool:
    incident = session.get(IncidentRow, row.incident_id)
    op = record_of(OperationRecord, row).operation
    return is_open_notice(op, incident.status if incident is not None else None)
