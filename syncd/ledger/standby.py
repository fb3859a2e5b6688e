"""The ledger of a standby: another process leads it, and this one only stores change notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlmodel import Session

from syncd.ledger.database.connection import Database
from syncd.ledger.errors import LedgerError
from syncd.ledger.head_note import note_end_of
from syncd.ledger.store.change_queue import ELSEWHERE


class StandbyLedger(Database):
    """A ledger that another process leads; `stores` is False while its tables are not this version's."""

    def __init__(self, url: str, state_dir: Path) -> None:
        super().__init__(url, state_dir)
        self.stores = False
        self.logical_clock = _Elsewhere()

    def look(self, *, reachable: bool) -> None:
        """Look whether notices can be stored; `reachable` False: the database did not answer just now."""
        stores = False
        # the leader may be migrating, or a newer version may have migrated
        with suppress(LedgerError):
            stores = reachable and self.backend.is_current()
            if stores:
                self._note_head()
        self.stores = stores

    def _note_head(self) -> None:
        """Note on this machine how far the leader's record goes: it may be lost when this machine leads."""
        with self.read() as session:
            note_end_of(session, self.backend.head_file, lambda: "-")

    @contextmanager
    def write(self, *, leading: bool = True) -> Iterator[Session]:
        """As `Database.write`; raise `LedgerError` while nothing can be stored."""
        if not self.stores:
            raise LedgerError("a standby cannot store anything now", "the sender tries again")
        with super().write(leading=False) as session:
            yield session


class _Elsewhere:
    """The clock of a process whose moments are not the leader's."""

    def next(self) -> int:
        """Return the moment of a notice that only a later read of the leader answers."""
        return ELSEWHERE
