"""Stop a PostgreSQL cluster and remove its folder when its last user has ended, however that ended.

Runs as a process of its own, before the cluster starts. Each user holds the writing end of a pipe, which its
standard input reads; the kernel closes the end of a killed user. Imports nothing but Python's own modules.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path


def wait_for_the_last(lock: Path) -> int:
    """Return the open file of the lock, held, once nobody has the pipe open any more."""
    held = os.open(lock, os.O_WRONLY | os.O_CREAT, 0o600)
    os.set_blocking(0, False)
    while True:
        select.select([0], [], [])
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            if not os.read(0, 1):
                return held
        except BlockingIOError:
            # another user came before the lock was ours
            pass
        fcntl.flock(held, fcntl.LOCK_UN)


def main() -> None:
    """Take the lock's file, the cluster's folder, the stopping command and its user as arguments."""
    if os.fork():
        # the caller waits for us alone
        return
    lock, folder, command, options = sys.argv[1:]
    wait_for_the_last(Path(lock))
    # fails where the cluster never started
    subprocess.run(json.loads(command), check=False, cwd="/", **json.loads(options))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
