"""Open a ledger for work (under the lock, migrated, ours) or for reading.

At first contact the ledger stores its PagerDuty account and its Jira site, and refuses others from then on:
two accounts in one ledger would take each other's incidents for lost.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from syncd.domain.trail.chain import Anchor, anchor_of, spelled
from syncd.ledger.database.connection import Database, LogicalClock, commits_in, ledger_file
from syncd.ledger.database.lock import LedgerLock
from syncd.ledger.database.migrate import check_revision, migrate
from syncd.ledger.database.triggers import check_triggers
from syncd.ledger.errors import LedgerMissing, LedgerNotOurs, LedgerReplaced
from syncd.ledger.left_file import check_left_file, keep_from_mixing, look_of, set_log_aside
from syncd.ledger.store import audit
from syncd.ledger.store.audit import head
from syncd.ledger.store.identity import get_meta, run_name_in, set_meta
from syncd.ledger.store.key_values import drop_cursor_in, set_cursor_in
from syncd.ledger.store.restored import APART


class Ledger(Database):
    """A ledger that this process may write: it holds the lock until `close`.

    `instance` names this ledger for ever. `run` numbers this start of the executor. `born` is when the ledger
    was made or restored (UTC): incidents older than that may have tickets that it does not know.
    """

    def __init__(self, url: str, lock: LedgerLock, now: datetime) -> None:
        super().__init__(url)
        self.lock = lock
        self._wal = self.file.with_name(self.file.name + "-wal")
        self._files: dict[Path, tuple[int, int]] = {}
        self._header = -1
        try:
            migrate(self.file, now)
            # closed after the connections: a close in between would end SQLite's locks of this process
            self._header = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
            self._commits = commits_in(self._header)
            with self.write() as session:
                check_triggers(session)
                self.instance, self.run, self.born = _begin(session, now)
                self.rows_missing = self._rows_missing(session)
                """The proof that the file lacks rows that this folder knows of; None: it lacks none."""
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
            set_cursor_in(session, "room", probe="." * size)
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
    def write(self) -> Iterator[Session]:
        """As `Database.write`; raise `LedgerReplaced` if the file is not the one that was opened."""
        self.check_in_place()
        with super().write() as session:
            yield session
        # the commit may have moved the log into the file: an older content that comes next must be seen
        self._check_header()

    def check_in_place(self) -> None:
        """Raise `LedgerReplaced` if the file was deleted, replaced or overwritten since it was opened."""
        for file in (self.file, self._wal):
            try:
                at = file.stat()
            except FileNotFoundError:
                if file in self._files:
                    raise self._replaced(file, "was deleted") from None
                continue
            ident = (at.st_dev, at.st_ino)
            if self._files.setdefault(file, ident) != ident:
                raise self._replaced(file, "was replaced by another file")
        self._check_header()

    def _check_header(self) -> None:
        if self._header < 0:
            return
        commits = commits_in(self._header)
        # it only grows, but an older content that was copied into the file has a lower one
        if commits < self._commits:
            raise self._replaced(self.file, "was overwritten with an older content")
        self._commits = commits

    @staticmethod
    def _replaced(file: Path, what: str) -> LedgerReplaced:
        return LedgerReplaced(
            f"{file} {what} while syncd was running, so syncd stops: it would write into a file that is lost",
            "put the right file back, or a copy: syncd restore; then start syncd again, which proves what the"
            " file lacks before it writes",
        )

    def note_head(self) -> None:
        """Note beside the ledger how far its record goes, so that a start sees if rows are missing."""
        if self.rows_missing is not None:
            # until the ledger begins anew, the note is the only proof
            return
        with self.read() as session:
            end = head(session)
        self._note(end)

    def _note(self, end: Anchor) -> None:
        # a disk that is full shows by itself
        with suppress(OSError):
            words, note = f"{self.instance} {spelled(end)} {look_of(self.file)}", head_file(self.file)
            if not note.exists() or note.read_text("utf-8") != words:
                note.write_text(words, "utf-8")

    def _rows_missing(self, session: Session) -> str | None:
        instance, noted = read_head_file(self.file)
        end, _ = head(session)
        if instance != self.instance or noted is None or end >= noted[0]:
            return None
        return f"its record ends at event {end}, and it went up to event {noted[0]} already"

    def close(self) -> None:
        """Close the connections, note how the file is left, and give the lock back."""
        end, kept = None, None
        # nothing can be said of a ledger that cannot be read
        with suppress(SQLAlchemyError):
            try:
                self.check_in_place()
                if self.rows_missing is None:
                    with self.read() as session:
                        end = head(session)
            except LedgerReplaced:
                # SQLite would move the latest rows of the former content into the older one
                if self._is_overwritten():
                    kept = keep_from_mixing(self.file)
        self._close()
        # a ledger that ran no cycle has no note
        if end is not None and head_file(self.file).exists():
            self._note(end)
        if kept is not None:
            set_log_aside(self.file)
            kept.close()
        self.lock.release()

    def _is_overwritten(self) -> bool:
        """Return True if the files of a ledger that was taken away are those that were opened."""
        with suppress(FileNotFoundError):
            at = {file: file.stat() for file in self._files}
            return all((at[file].st_dev, at[file].st_ino) == ident for file, ident in self._files.items())
        return False

    def _close(self) -> None:
        super().close()
        if self._header >= 0:
            os.close(self._header)
            self._header = -1

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
                        f"{self.file} belongs to {name} {owner}, not to {value}",
                        _if_renamed(name, value) + "point SYNCD_STATE_DIR to a folder of its own",
                    )


def _if_renamed(name: str, value: str) -> str:
    """Return the line to type if a service only has a new address; an edition cannot be renamed."""
    addresses = {"jira": value, "pagerduty": f"https://{value}.pagerduty.com"}
    if name not in addresses:
        return ""
    return f"if it was only renamed: syncd relocate {addresses[name]}; if it is another one, "


def open_for_work(url: str, holder_name: str, now: datetime) -> Ledger:
    """Open the ledger of a URL for work: take the lock, migrate, check the triggers, count this start.

    Raise `LedgerBusy`, `LedgerFromTheFuture`, `LedgerUnreadable` or `LedgerUnsafe`; no lock is held then.
    """
    file = ledger_file(url)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = LedgerLock(file)
    lock.acquire(holder_name)
    _say_missing_log(file)
    _keep_private(file)
    try:
        check_left_file(file, _noted_look(file))
        return Ledger(url, lock, now)
    except BaseException:
        lock.release()
        raise


def _begin(session: Session, now: datetime) -> tuple[str, int, datetime]:
    """Count this start; return the ledger's name, the number of the start, and when it was born."""
    instance = get_meta(session, "instance")
    if instance is None:
        instance = secrets.token_hex(4)
        set_meta(session, "instance", instance)
        set_meta(session, "salt", secrets.token_hex(16))
        set_meta(session, "born", now.isoformat())
        audit.append(session, now, "ledger.born", data={"instance": instance})
    run = int(get_meta(session, "run") or 0) + 1
    set_meta(session, "run", str(run))
    born = datetime.fromisoformat(get_meta(session, "born") or now.isoformat())
    restored = get_meta(session, "restored")
    if restored is not None:
        # a service's clock may run behind ours: an incident from before the restore may look younger
        born = max(born, datetime.fromisoformat(restored) + APART)
    return instance, run, born


def head_file(file: Path) -> Path:
    """Return the file beside a ledger that tells how far the ledger's record went."""
    return file.with_name(file.name + ".head")


def read_head_file(file: Path) -> tuple[str, Anchor | None]:
    """Return whose record the file beside a ledger is about, and its end; None: there is no such file.

    A damaged file says nothing: Jira's answers prove the ledger's age as well.
    """
    try:
        instance, noted, *_ = head_file(file).read_text("utf-8").split(" ")
        return instance, anchor_of(noted)
    except (OSError, ValueError):
        return "", None


def _noted_look(file: Path) -> str | None:
    """Return how a ledger's file looked when the file beside it was written, None if nothing tells."""
    try:
        return head_file(file).read_text("utf-8").split(" ")[2]
    except (OSError, ValueError, IndexError):
        return None


def _say_missing_log(file: Path) -> None:
    """Log that the write-ahead log is gone, of which the file beside it tells."""
    wal, shm = (file.with_name(file.name + ending) for ending in ("-wal", "-shm"))
    if file.exists() and shm.exists() and not wal.exists():
        logger.error(
            "{} is missing, and with it the latest rows of the ledger: put it back if you have it. syncd asks"
            " Jira what the ledger made before it makes anything",
            wal,
        )


def _keep_private(file: Path) -> None:
    # SQLite gives the files that it puts beside the ledger the ledger's own mode
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    file.chmod(0o600)


def open_for_reading(url: str) -> Database:
    """Return the database of a ledger URL for reading; take no lock and change nothing.

    Raise `LedgerMissing` if there is no ledger yet or it needs a migration first.
    """
    file = ledger_file(url)
    if not Path(file).exists():
        raise LedgerMissing(f"there is no ledger at {file} yet")
    if not check_revision(file):
        raise LedgerMissing(f"{file} needs a migration first", old=True)
    return Database(url)
