"""What the machine and people do to the ledger and the clock between the kills, and while a worker runs.

Copies are made at any step of a worker, so also with requests under way. Later one comes back: by `syncd
restore`, put back by hand while no worker runs, or into the ledger's place under a running worker. The wall
clock is set while a worker runs, too.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from wall_clock import file_in_force, move

from crash.worker import End, Happenings, SharedClock
from crash.world import Sandbox
from syncd.ledger.database.sqlite.backend import head_file
from syncd.ledger.database.sqlite.backup import back_up
from syncd.ledger.errors import LedgerUnsafe
from syncd.ledger.restore import restore
from syncd.ledger.store.operation_states import GivenUp

HOUR, DAY = 3600, 86400
CLOCK = (-3 * DAY, -HOUR, -7, 0, 0, 0, 7, HOUR, 3 * DAY)
"""By how many seconds the wall clock differs from the right time, after it is set."""
YOUNG = 4
"""How many of the latest copies may come back."""
DURING = {"backup": 0.2, "file copied": 0.2, "clock set": 0.15, "file replaced": 0.04}
"""How likely each of these happens while a worker runs."""
BETWEEN = {"restore": 0.06, "file put back": 0.06}
"""How likely each of these happens while no worker runs."""


@dataclass(frozen=True)
class Copy:
    """A copy of the ledger's file; one of the whole volume has its log and the note beside it, too."""

    file: Path
    log: Path | None = None
    note: Path | None = None


class Mishaps:
    """Mishaps at random moments; `counts` tells how many of each happened."""

    def __init__(self, sandbox: Sandbox, ledger: Path, random: Random) -> None:
        self._sandbox, self._ledger, self._random = sandbox, ledger, random
        self._folder = ledger.parent / "copies"
        self._folder.mkdir()
        self._numbers = count()
        self._backups: list[Copy] = []
        self._copies: list[Copy] = []
        self._wall = file_in_force()
        self._taken_away = False
        self.counts: Counter[str] = Counter()

    def between(self, boot: str) -> None:
        """Let happen what happens while no worker runs."""
        self._taken_away = False
        if self._happens(BETWEEN, "restore") and self._backups:
            self._restore(boot)
        elif self._happens(BETWEEN, "file put back") and self._copies:
            self._put_back()

    def during(self, steps: int) -> Happenings:
        """Return what will happen at which of the next worker's steps."""
        acts: dict[str, Callable[[], None]] = {
            "backup": self._back_up,
            "file copied": self._copy,
            "clock set": self._set_clock,
            "file replaced": self._replace,
        }
        return {self._random.randint(1, steps): acts[what] for what in DURING if self._happens(DURING, what)}

    def judge(self, end: End) -> None:
        """Raise RuntimeError if a worker stopped although nobody took its ledger away, or the reverse."""
        if end is End.STOPPED and not self._taken_away:
            raise RuntimeError("the worker stopped, but nobody took its ledger away")
        if end is End.DONE and self._taken_away:
            raise RuntimeError("the worker went on although somebody took its ledger away")
        if end is End.STOPPED:
            self.counts["stops"] += 1

    def peace(self) -> None:
        """Set the clock right."""
        if self._wall is not None:
            move(self._wall, 0)

    def _happens(self, chances: dict[str, float], what: str) -> bool:
        return self._random.random() < chances[what]

    def _back_up(self) -> None:
        now = SharedClock(self._sandbox, "").now()
        try:
            made = back_up(self._ledger, self._folder / f"backup-{next(self._numbers)}", now)
        except LedgerUnsafe:
            # another file beside the former one's log: nobody can read it, and the backup says so
            if not self._taken_away:
                raise
            self.counts["backups refused"] += 1
            return
        # a copy of such a pair that can be read is no copy of a ledger
        if not self._taken_away:
            self._backups.append(Copy(made.file))
        self.counts["backups"] += 1

    def _copy(self) -> None:
        folder = self._folder / f"copy-{next(self._numbers)}"
        folder.mkdir()
        parts = (self._ledger, self._log, head_file(self._ledger))
        copies = [shutil.copy2(part, folder / part.name) if part.exists() else None for part in parts]
        assert copies[0]
        # also somebody who forgets the log takes a copy: it ends where the log began
        log = copies[1] if self._random.random() < 0.7 else None
        self._copies.append(Copy(copies[0], log, copies[2]))
        self.counts["files copied"] += 1

    def _restore(self, boot: str) -> None:
        clock = SharedClock(self._sandbox, boot)
        copy = self._random.choice(self._backups[-YOUNG:])
        restore(copy.file, self._ledger, clock.now(), GivenUp(clock.boot_id(), clock.boottime()))
        self.counts["restores"] += 1

    def _put_back(self) -> None:
        copy = self._random.choice(self._copies[-YOUNG:])
        for part in (self._log, self._ledger.with_name(f"{self._ledger.name}-shm")):
            part.unlink(missing_ok=True)
        shutil.copyfile(copy.file, self._ledger)
        if copy.log is not None:
            shutil.copyfile(copy.log, self._log)
        note = self._random.choice(["present", "of the copy", "gone"])
        if note == "of the copy" and copy.note is not None:
            shutil.copyfile(copy.note, head_file(self._ledger))
        elif note == "gone":
            head_file(self._ledger).unlink(missing_ok=True)
        self.counts["files put back"] += 1

    def _set_clock(self) -> None:
        if self._wall is not None:
            move(self._wall, self._random.choice(CLOCK))
            self.counts["clock set"] += 1

    def _replace(self) -> None:
        """Let another file take the ledger's place under a running worker, as `mv` does."""
        if self._copies:
            fresh = self._ledger.with_name("fresh.db")
            shutil.copyfile(self._random.choice(self._copies[-YOUNG:]).file, fresh)
            fresh.replace(self._ledger)
            self._taken_away = True
            self.counts["files replaced"] += 1

    @property
    def _log(self) -> Path:
        return self._ledger.with_name(f"{self._ledger.name}-wal")
