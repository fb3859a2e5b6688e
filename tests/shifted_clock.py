"""A clock that begins at a chosen time and then runs with the machine, in one process or in several."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from syncd.engine.runtime.system_clock import SystemClock  # noqa: TID251 - its boot time, which all processes share


class ShiftedClock(SystemClock):
    """A clock that shows `start` at boot time `base` (default: now); real waits keep their length."""

    def __init__(self, start: datetime, base: float | None = None) -> None:
        super().__init__()
        self._start = start
        self._base = self.boottime() if base is None else base
        self.by_wall = False
        """Let processes that `script` starts follow the machine's wall clock, also when it is set."""

    def now(self) -> datetime:
        """Return the shifted wall time."""
        return self._start + timedelta(seconds=self.boottime() - self._base)

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass at once; a process that `script` started before keeps its time."""
        self._base -= seconds

    def script(self, before: str = "") -> str:
        """Return Python that runs the console script under this clock, after the statements `before`."""
        kind = WallShiftedClock.__name__ if self.by_wall else ShiftedClock.__name__
        return (
            f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\n"
            f"from datetime import datetime\nfrom shifted_clock import {kind}\n"
            f"from syncd.cli import main\n{before}\n"
            f"main({kind}(datetime.fromisoformat({self._start.isoformat()!r}), {self._base!r}))\n"
        )


class WallShiftedClock(ShiftedClock):
    """The same clock, which also moves when somebody sets the machine's wall clock."""

    def __init__(self, start: datetime, base: float | None = None) -> None:
        super().__init__(start, base)
        self._apart = SystemClock.now(self).timestamp() - self.boottime()

    def now(self) -> datetime:
        """Return the shifted wall time, set as often as the machine's."""
        set_by = SystemClock.now(self).timestamp() - self.boottime() - self._apart
        return super().now() + timedelta(seconds=set_by)
