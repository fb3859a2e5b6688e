"""Share reads among incidents: a project's new keys among lost creates, a page of tickets among decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import RLock

from syncd.domain.clock import Clock
from syncd.domain.ticket import Issue

SHARED_SECONDS = 15.0
"""Seconds for which a read serves later looks, too; a look comes every 30 seconds."""


@dataclass(frozen=True)
class _Sweep:
    base: int
    began: float
    marks: Mapping[str, Issue]


class SharedReads:
    """The last read of each project's keys above a number: its issues by the operation in their mark.

    `keys` and `tickets` are held during a read of these, so that the threads that wait for its result do not
    read themselves.
    """

    def __init__(self, clock: Clock) -> None:
        self.keys, self.tickets = RLock(), RLock()
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
