"""Whether a search of Jira that finds nothing proves anything.

After a restore it does not, until Jira's index has had the time to settle: an issue that the lost ledger
made may not be in it yet.
"""

from __future__ import annotations

from syncd.domain.clock import Clock
from syncd.ledger.open import Ledger
from syncd.ledger.store.restored import hold_left


class SearchIndexWait:
    """The wait for the search index after a restore; creates wait as long."""

    def __init__(self, ledger: Ledger, clock: Clock, settle_seconds: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._awaited = False

    @property
    def awaited(self) -> bool:
        """Whether the index is still awaited, as of the last `check`."""
        return self._awaited

    def check(self) -> bool:
        """Look at the clock and the ledger; return True if the wait has just ended."""
        clock, before = self._clock, self._awaited
        left = hold_left(self._ledger, clock.boot_id(), clock.boottime(), self._settle_seconds)
        self._awaited = left > 0
        return before and not self._awaited
