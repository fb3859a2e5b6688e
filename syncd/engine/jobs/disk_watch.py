"""A ledger whose disk takes no write: said once, nothing leaves meanwhile, and it is tried until it is well.

Nothing leaves by itself then, because every request that writes is committed before it leaves. What is
kept here is that people hear of it, that the services are not asked in vain, and that the daemon goes on
by itself afterwards.
"""

from __future__ import annotations

from loguru import logger

from syncd.engine.jobs import requests
from syncd.ledger.errors import LedgerUnwritable
from syncd.ledger.open import Ledger

ROOM = 65536
"""Bytes that must find room before the ledger counts as well: a few bytes fit on any full disk."""


class LedgerWatch:
    """The state of one ledger's disk, as the engine last saw it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._said = False

    def say(self) -> None:
        """Tell people, once, that the ledger takes no write."""
        if self._ledger.trouble is not None and not self._said:
            self._said = True
            logger.error(
                "the ledger {} cannot be written ({}): nothing leaves until it can; make room on its disk",
                self._ledger.file,
                self._ledger.trouble,
            )

    def usable(self) -> bool:
        """Whether the ledger takes writes; one that did not is tried."""
        if self._ledger.trouble is None:
            return True
        self.say()
        try:
            self._ledger.prove_room(ROOM)
            requests.requeue_jobs(self._ledger)
        except LedgerUnwritable:
            return False
        self._ledger.end_trouble()
        self._said = False
        logger.info("the ledger can be written again")
        return True
