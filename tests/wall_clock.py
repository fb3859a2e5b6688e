"""The wall clock of the processes that a test starts: a preloaded library moves CLOCK_REALTIME alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shim.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")
_FILE = "CLOCK_SHIM"
"""The environment variable that names the file with the nanoseconds; the library reads it."""


class WallClock:
    """The wall clock of processes with this clock's environment; it moves while they run."""

    def __init__(self, folder: Path) -> None:
        """Build the library in `folder`, with a C compiler."""
        assert COMPILER
        self.file, library = folder / "moved", folder / "clock_shim.so"
        command = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), _FILE: str(self.file)}
        self.set_to(0)

    @property
    def seconds(self) -> int:
        """By how many seconds the clock is set forward; negative: it is set back."""
        return moved_by(self.file)

    def set_to(self, seconds: int) -> None:
        """Let the clock differ from the machine's by so many seconds."""
        move(self.file, seconds)

    def set_by(self, seconds: int) -> None:
        """Set the clock forward, or back by a negative number of seconds."""
        self.set_to(self.seconds + seconds)


def moved_by(file: Path) -> int:
    """Return by how many seconds the clock of this file is set forward."""
    return int.from_bytes(file.read_bytes(), "little", signed=True) // 10**9


def move(file: Path, seconds: int) -> None:
    """Let the clock of this file differ from the machine's by so many seconds."""
    # the processes have mapped the file, so it is written in place
    with file.open("r+b" if file.exists() else "wb") as target:
        target.write((seconds * 10**9).to_bytes(8, "little", signed=True))


def file_in_force() -> Path | None:
    """Return the file that moves the wall clock of this process, None if its clock is the machine's."""
    return Path(os.environ[_FILE]) if _FILE in os.environ else None
