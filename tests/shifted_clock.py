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

    def now(self) -> datetime:
        """Return the shifted wall time."""
        return self._start + timedelta(seconds=self.boottime() - self._base)

    def script(self, before: str = "") -> str:
        """Return Python that runs the console script under this clock, after the statements `before`."""
        return (
            f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\n"
            "from datetime import datetime\nfrom shifted_clock import ShiftedClock\n"
            f"from syncd.cli import main\n{before}\n"
            f"main(ShiftedClock(datetime.fromisoformat({self._start.isoformat()!r}), {self._base!r}))\n"
        )
