"""Open a ledger for work (under the lock, migrated, ours) or for reading.

At first contact the ledger stores its PagerDuty account and its Jira site, and refuses others from then on:
two accounts in one ledger would take each other's incidents for lost.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from syncd.ledger.database.connection import Database, LogicalClock, ledger_file
from syncd.ledger.database.lock import LedgerLock
from syncd.ledger.database.migrate import check_revision, migrate
from syncd.ledger.database.triggers import check_triggers
from syncd.ledger.errors import LedgerMissing, LedgerNotOurs
from syncd.ledger.store import audit
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
        try:
            migrate(self.file, now)
            with self.write() as session:
                check_triggers(session)
                self.instance, self.run, self.born = _begin(session, now)
        except BaseException:
            super().close()
            raise
        self.rows_missing: str | None = None
        """The proof that rows are missing, if the file lacks what this folder has recorded of it."""
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

    def close(self) -> None:
        """Close the connections and give the lock back."""
        super().close()
        self.lock.release()

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
    _keep_private(file)
    try:
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
        raise LedgerMissing(f"there is no ledger at {file} yet", "start it: syncd run")
    if not check_revision(file):
        raise LedgerMissing(f"{file} needs a migration first", "start the daemon once: syncd run --once")
    return Database(url)
