"""Measure how long Jira takes to show a new issue in its search and in its bulk reads.

syncd measures each create at the polls' pace: a figure means "at most this long", and no rule uses it. After
a restore a search without a hit proves nothing until the settle time has passed: Jira's index may not show
yet what the lost ledger created.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from syncd.domain.clock import Clock
from syncd.ledger.open import Ledger
from syncd.ledger.store.restored import hold_left

MOST_AWAITED = 1_000
LONGEST_AWAITED = 86_400.0
"""Seconds after which syncd forgets an issue that no read has shown."""
INDEX, BULK = "index", "bulk"


class ReadLags:
    """Delays between a create's answer and the first read that shows the issue, by kind of read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._awaited: dict[str, dict[str, float]] = {INDEX: {}, BULK: {}}
        self._delays: dict[str, list[float]] = {INDEX: [], BULK: []}

    def made(self, issue_id: str) -> None:
        """Note that Jira answered our create."""
        now = self._clock.boottime()
        with self._lock:
            for awaited in self._awaited.values():
                awaited[issue_id] = now
                first = next(iter(awaited))
                if len(awaited) > MOST_AWAITED or now - awaited[first] > LONGEST_AWAITED:
                    del awaited[first]

    def seen(self, way: str, issue_ids: Iterable[str]) -> None:
        """Note that a read of Jira shows these issues."""
        now = self._clock.boottime()
        with self._lock:
            awaited, delays = self._awaited[way], self._delays[way]
            if awaited:
                delays += [now - awaited.pop(issue_id) for issue_id in issue_ids if issue_id in awaited]

    def take(self, way: str) -> list[float]:
        """Return the delays since the last call, in seconds."""
        with self._lock:
            delays, self._delays[way] = self._delays[way], []
        return delays


class SearchIndexWait:
    """The wait for Jira's search index after a restore; creates wait as long."""

    def __init__(self, ledger: Ledger, clock: Clock, settle_seconds: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._awaited = False

    @property
    def awaited(self) -> bool:
        """True if syncd still waits for the index, as of the last `check`."""
        return self._awaited

    def check(self) -> bool:
        """Look at the clock and the ledger; return True if the wait has just ended."""
        clock, before = self._clock, self._awaited
        left = hold_left(self._ledger, clock.boot_id(), clock.boottime(), self._settle_seconds)
        self._awaited = left > 0
        return before and not self._awaited
