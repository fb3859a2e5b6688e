"""Watch a ledger whose disk rejects writes: log it once, and try again until the ledger is writable.

syncd commits each write before its request leaves, so nothing leaves meanwhile. This module tells people,
stops reads that would be in vain, and lets the daemon go on by itself afterwards.
"""

from __future__ import annotations

from loguru import logger

from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.open import Ledger
from syncd.ledger.requests import answers

ROOM = 65536
"""Bytes that must fit before the ledger counts as writable: a few bytes fit on any full disk."""


class LedgerWatch:
    """The state of one ledger's disk, as the engine last saw it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._logged = False

    def log_trouble(self) -> None:
        """Log, once, that the ledger rejects writes."""
        if self._ledger.trouble is not None and not self._logged:
            self._logged = True
            logger.error(
                "syncd cannot write the ledger {} ({}) and sends nothing: {}",
                self._ledger.name,
                self._ledger.trouble,
                self._ledger.backend.hint_unwritable(),
            )

    def usable(self) -> bool:
        """Return True if the ledger accepts writes; try a ledger that rejected one.

        Raise `LedgerReplaced` if its file is not the one that syncd opened.
        """
        self._ledger.check_in_place()
        if self._ledger.trouble is None:
            if self._logged:
                # what was written since the trouble ended was taken, too
                self._logged = False
                logger.info("syncd can write the ledger again")
            self._ledger.note_head()
            return True
        self.log_trouble()
        try:
            self._ledger.prove_room(ROOM)
            # a job whose end could not be stored begins anew
            answers.requeue_jobs(self._ledger)
        except LedgerUnwritable:
            return False
        self._ledger.end_trouble()
        return True
