"""Share reads among incidents: a project's new keys among lost creates, a page of tickets among decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock, RLock

from syncd.domain.clock import Clock
from syncd.domain.ticket import Issue

SHARED_SECONDS = 15.0
"""Seconds for which a read serves later looks, too; a look comes every 30 seconds."""
REMEMBERED = 20_000
"""Pairs of issue and update kept in memory; a forgotten pair costs one bulk read, nothing else."""


@dataclass(frozen=True)
class _Sweep:
    base: int
    began: float
    marks: Mapping[str, Issue]


class SeenUpdates:
    """The time of the update of each issue that the ledger holds as a read showed it, as Jira spells it.

    A search that names an issue with the same time tells nothing new of it.
    """

    def __init__(self) -> None:
        self._updates: dict[str, str] = {}
        self._lock = Lock()

    def of(self, issue_id: str) -> str | None:
        """Return the time of the update of an issue, None if no read showed it."""
        return self._updates.get(issue_id)

    def keeper(self) -> Callable[[Mapping[str, str]], None]:
        """Return a function that keeps what a read that begins now shows; after `forget` it keeps nothing."""
        return partial(self._keep, self._updates)

    def forget(self) -> None:
        """Forget all, so that the next read counts as news."""
        self._updates = {}

    def _keep(self, updates: dict[str, str], shown: Mapping[str, str]) -> None:
        with self._lock:
            updates.update(shown)
            while len(updates) > REMEMBERED:
                del updates[next(iter(updates))]


class SharedReads:
    """The last read of each project's keys above a number: its issues by the operation in their mark.

    `updates` are those of the issues that were read. `keys` and `tickets` are held during a read of these, so
    that the threads that wait for its result do not read themselves.
    """

    def __init__(self, clock: Clock) -> None:
        self.keys, self.tickets = RLock(), RLock()
        self.updates = SeenUpdates()
        self._clock = clock
        self._sweeps: dict[str, _Sweep] = {}

    def shown(self, project: str, base: int, since: float) -> Mapping[str, Issue] | None:
        """Return what a read of the keys above `base` showed that began at `since` or later; None: read them.

        `since` is a time on the boot-time clock.
        """
        sweep = self._sweeps.get(project)
        oldest = max(since, self._clock.boottime() - SHARED_SECONDS)
        return sweep.marks if sweep is not None and sweep.base <= base and sweep.began >= oldest else None

    def keep(self, project: str, base: int, began: float, marks: Mapping[str, Issue]) -> None:
        """Keep what a read showed that began at a time on the boot-time clock."""
        self._sweeps[project] = _Sweep(base, began, marks)

    def forget(self) -> None:
        """Forget all reads: syncd gave up on a create just now, and earlier reads tell nothing of it."""
        with self.keys:
            self._sweeps.clear()
