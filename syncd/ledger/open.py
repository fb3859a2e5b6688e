"""Open a ledger for work (under the lock, migrated, ours) or for reading.

At first contact the ledger stores its PagerDuty account and its Jira site, and refuses others from then on:
two accounts in one ledger would take each other's incidents for lost.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session

from syncd.domain.trail.chain import Anchor
from syncd.ledger.database.backend import backend_of
from syncd.ledger.database.connection import Database, LogicalClock, View, unusable
from syncd.ledger.database.lock import LedgerLock
from syncd.ledger.database.triggers import check_triggers
from syncd.ledger.errors import (
    CommitUnknown,
    LedgerMissing,
    LedgerNotOurs,
    LedgerReplaced,
    LedgerUnreadable,
)
from syncd.ledger.head_note import begun_anew_at, lost_end, noted_look, write_head_file
from syncd.ledger.store import audit
from syncd.ledger.store.audit import head
from syncd.ledger.store.epoch import begin_epoch, check_epoch
from syncd.ledger.store.identity import get_meta, run_name_in, set_meta
from syncd.ledger.store.key_values import drop_cursor_in, set_cursor_in
from syncd.ledger.store.moved import refuse_half_of_a_move
from syncd.ledger.store.restored import APART

_LINEAGE = "lineage"


class Ledger(Database):
    """A ledger that this process may write: it holds the lock until `close`.

    `instance` names this ledger for ever. `run` numbers this start of the executor. `born` is when the ledger
    was made or restored (UTC): incidents older than that may have tickets that it does not know. `leadership`
    is None where the lock ends only with this process.
    """

    def __init__(self, url: str, lock: LedgerLock, now: datetime, state_dir: Path | None = None) -> None:
        super().__init__(url, state_dir)
        self.lock = lock
        self.leadership = lock.leadership
        self._watch = self.backend.watch()
        self._commit_unknown: CommitUnknown | None = None
        self._end: Anchor | None = None
        self._noted: Anchor | None = None
        try:
            self.backend.migrate(now)
            self._watch.begin(self.engine)
            if not self.backend.shared:
                self._guard_views(self._local_view)
            with self.write(leading=False) as session:
                check_triggers(session)
                self.instance, self.run, self.born = _begin(session, now)
                if self.leadership is not None:
                    begin_epoch(session, self.leadership)
                self.begun_anew = begun_anew_at(session)
                self.rows_missing = lost_end(
                    session, self.backend.head_file, self.instance
                ) or self._other_server(session)
                """The proof that the ledger may lack rows that it had; None: it lacks none."""
        except BaseException:
            self._close()
            raise
        self.logical_clock = LogicalClock(self.run)
        with self.read() as session:
            self.run_name = run_name_in(session)
        """The name of this start of the executor, which operations in flight carry."""

    def prove_room(self, size: int) -> None:
        """Write `size` bytes and delete them; raise `LedgerUnwritable` if the disk has no room for them."""
        # two transactions: the first commit makes SQLite write the bytes
        with self.write() as session:
            # PostgreSQL compresses long texts: what repeats would need no room
            set_cursor_in(session, "room", probe=b64encode(secrets.token_bytes(size * 3 // 4)).decode())
        with self.write() as session:
            drop_cursor_in(session, "room")

    def note_trouble(self, words: str) -> None:
        """Remember the disk's words about a write that it rejected, and show them to other processes."""
        if self.trouble is None:
            self.lock.note(words)
        super().note_trouble(words)

    def end_trouble(self) -> None:
        """Note that the disk takes writes again."""
        self.trouble = None
        self.lock.note(None)

    @contextmanager
    def write(self, *, leading: bool = True) -> Iterator[Session]:
        """As `Database.write`; raise `LedgerReplaced` if the ledger is not the one that was opened.

        Raise `LeadershipLost` if another daemon leads by now, unless the write needs no leader.
        """
        self.check_in_place()
        try:
            with super().write() as session:
                if leading and self.leadership is not None:
                    check_epoch(session, self.leadership)
                yield session
        except CommitUnknown as error:
            self._commit_unknown = error
            raise
        self._watch.after_commit()
        end = session.info.get(audit.END)
        # another thread may have noted a later one
        if end is not None and (self._end is None or end > self._end):
            self._end = end

    @contextmanager
    def _local_view(self, views: View) -> Iterator[Session]:
        """Open a consistent view; raise `LedgerReplaced` if a read fails in another content."""
        try:
            with views() as session:
                yield session
        except DBAPIError as error:
            if unusable(error):
                self.check_in_place()
            raise

    def check_in_place(self) -> None:
        """Raise `LedgerReplaced` if the ledger was deleted, replaced or overwritten since it was opened."""
        if self._commit_unknown is not None:
            raise self._commit_unknown
        self._watch.check()

    def note_head(self) -> None:
        """Note beside the ledger how far its record goes, so that a start sees if rows are missing."""
        if self.rows_missing is not None:
            # until the ledger begins anew, the note is the only proof
            return
        with self.read_one() as session:
            end = head(session)
        self._note(end)

    def note_own_end(self) -> None:
        """Note the last event that this process stored; the ledger is not asked, as it may be away."""
        end = self._end
        if self.leadership is not None and self.rows_missing is None and end != self._noted:
            self._noted = end
            if end is not None:
                self._note(end)

    def _note(self, end: Anchor) -> None:
        write_head_file(self.backend.head_file, self.instance, end, self._watch.look(), self.begun_anew)

    def _other_server(self, session: Session) -> str | None:
        """Return the proof that another server holds the ledger now: it may lack the last commits."""
        now, before = self.backend.lineage(session), get_meta(session, _LINEAGE)
        if now is None or now == before:
            return None
        if before is None:
            set_meta(session, _LINEAGE, now)
            return None
        return f"its server was {before}, and is {now}"

    def began_anew(self) -> None:
        """Note that all was taken up that the ledger may lack."""
        self.rows_missing = None
        with self.write() as session:
            lineage = self.backend.lineage(session)
            if lineage is not None:
                set_meta(session, _LINEAGE, lineage)

    def close(self) -> None:
        """Close the connections, note how the ledger is left, and give the lock back."""
        end, note = None, self.backend.head_file
        # nothing can be said of a ledger that cannot be read
        with suppress(SQLAlchemyError):
            try:
                self.check_in_place()
                if self.rows_missing is None:
                    with self.read() as session:
                        end = head(session)
            except LedgerReplaced:
                self._watch.before_close()
        self._close()
        self.note_own_end()
        # a ledger that ran no cycle has no note
        if end is not None and note is not None and note.exists():
            self._note(end)
        self._watch.after_close()
        self.lock.release()

    def _close(self) -> None:
        super().close()
        self._watch.close()

    def claim(self, **identity: str) -> None:
        """Store whose ledger this is at first contact; raise `LedgerNotOurs` if it belongs to others.

        `identity`: `pagerduty` (the account's subdomain), `jira` (base URL), `edition`. A service that was
        renamed is refused, too: `syncd relocate` tells it from another one.
        """
        with self.write() as session:
            for name, value in identity.items():
                owner = get_meta(session, f"owner.{name}")
                # one transaction for all: a refused claim stores nothing
                if owner is None:
                    set_meta(session, f"owner.{name}", value)
                elif owner != value:
                    raise LedgerNotOurs(
                        f"{self.name} belongs to {name} {owner}, not to {value}",
                        _if_renamed(name, value) + "point SYNCD_STATE_DIR to a folder of its own",
                    )


def _if_renamed(name: str, value: str) -> str:
    """Return the line to type if a service only has a new address; an edition cannot be renamed."""
    addresses = {"jira": value, "pagerduty": f"https://{value}.pagerduty.com"}
    if name not in addresses:
        return ""
    return f"if it was only renamed: syncd relocate {addresses[name]}; if it is another one, "


def open_for_work(
    url: str,
    holder_name: str,
    now: datetime,
    state_dir: Path | None = None,
    boottime: Callable[[], float] | None = None,
) -> Ledger:
    """Open the ledger of a URL for work: take the lock, migrate, check the triggers, count this start.

    `state_dir` is the folder for the note about a ledger that is no file. `boottime` returns the seconds on
    the boot-time clock; who sends requests for longer than a moment gives it. Raise `LedgerBusy`,
    `LedgerFromTheFuture`, `LedgerUnreadable` or `LedgerUnsafe`; no lock is held then.
    """
    backend = backend_of(url, state_dir)
    lock = backend.lock()
    lock.acquire(holder_name)
    try:
        if boottime is not None:
            lock.lead(boottime)
        backend.prepare(noted_look(backend.head_file), audit.verify)
        return Ledger(url, lock, now, state_dir)
    except BaseException:
        lock.release()
        raise


def _begin(session: Session, now: datetime) -> tuple[str, int, datetime]:
    """Count this start; return the ledger's name, the number of the start, and when it was born."""
    refuse_half_of_a_move(session)
    instance = get_meta(session, "instance")
    if instance is None:
        instance = secrets.token_hex(4)
        set_meta(session, "instance", instance)
        set_meta(session, "salt", secrets.token_hex(16))
        # PagerDuty tells whole seconds: an incident of this second counts as younger
        set_meta(session, "born", now.replace(microsecond=0).isoformat())
        audit.append(session, now, "ledger.born", data={"instance": instance})
    run = int(get_meta(session, "run") or 0) + 1
    set_meta(session, "run", str(run))
    born = datetime.fromisoformat(get_meta(session, "born") or now.isoformat())
    restored = get_meta(session, "restored")
    if restored is not None:
        # a service's clock may run behind ours: an incident from before the restore may look younger
        born = max(born, datetime.fromisoformat(restored) + APART)
    return instance, run, born


def look_before_start(url: str, state_dir: Path | None = None) -> tuple[str, str | None]:
    """Check a ledger as its next start does, without the lock, and leave nothing behind.

    Return what a start finds there, and what is in doubt. Raise `LedgerError` where it would refuse.
    """
    backend = backend_of(url, state_dir)
    doubt = backend.check_place()
    if not backend.tables():
        return f"{backend.name} holds no ledger yet: the daemon makes it", doubt
    if not backend.is_current():
        return f"{backend.name} needs a migration, which the daemon makes at its start", doubt
    database = Database(url, state_dir)
    try:
        with database.read() as session:
            refuse_half_of_a_move(session)
            check_triggers(session)
    except DBAPIError as error:
        raise LedgerUnreadable(f"{backend.name} cannot be read: {error.orig}", "restore a backup") from error
    finally:
        database.close()
    return f"{backend.name} can be used", doubt


def open_for_reading(url: str, state_dir: Path | None = None) -> Database:
    """Return the database of a ledger URL for reading; take no lock and change nothing.

    Raise `LedgerMissing` if there is no ledger yet or it needs a migration first.
    """
    backend = backend_of(url, state_dir)
    if not backend.exists():
        raise LedgerMissing(f"there is no ledger at {backend.name} yet")
    if not backend.is_current():
        raise LedgerMissing(f"{backend.name} needs a migration first", old=True)
    return Database(url, state_dir)
