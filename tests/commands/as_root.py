"""Commands that root types, each in a child process of its own: a change of the user cannot be undone.

The first round runs on root's own state folder and loads every module, because the interpreter may lie where
another user cannot read it. The second round runs on the folder of `OTHER`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from cheap_ledgers import share_statements
from loguru import logger
from shifted_clock import ShiftedClock

from syncd import cli
from syncd.commands.shared import owner
from syncd.config.settings import installed
from syncd.sandbox.cast import START

OTHER = 65534
ROUND = (
    ("pause", "mail", "--reason", "a test"),
    ("backup",),
    ("restore", "--yes"),
    ("outbox",),
    ("status",),
)
"""What root types, in this order."""
CHECK = ("check",)
"""What needs the secrets, which root alone may read: it asks both services."""


def typed(clock: ShiftedClock, *args: str, uid: int = 0) -> dict[str, Any]:
    """Run one command in a child as the user `uid`; return its exit code and all its output."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        output = io.StringIO()
        sys.argv = ["syncd", *args]
        code: object = 0
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                cli.main(clock)
            except SystemExit as ended:
                code = ended.code
        text = json.dumps({"args": args, "code": code, "text": output.getvalue(), "uid": os.getuid()})
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    done: dict[str, Any] = json.loads(text)
    return done


def owners(folder: Path) -> dict[str, int]:
    """Return the owner of each file and folder below a state folder."""
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in sorted(folder.rglob("*"))}


def main(home: Path) -> None:
    """Play both rounds in `home` (`etc`, `mappings`, `empty.db`), and print what happened as JSON."""
    installed.FOLDER = home / "etc"
    file, clock = installed.FOLDER / "syncd.env", ShiftedClock(START)
    settings = file.read_text()
    # the modules are loaded in the first round
    owner.NEEDED.pop("its Python")
    warm, state = home / "warm", home / "state"
    for folder in (warm, state):
        folder.mkdir(mode=0o700)
        shutil.copy(home / "empty.db", folder / "syncd.db")
    logger.remove()
    share_statements()
    file.write_text(f"{settings}SYNCD_STATE_DIR={warm}\n")
    for args in (*ROUND, CHECK):
        # in this process, so that the children have the modules
        sys.argv = ["syncd", *args]
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            cli.main(clock)
    file.write_text(f"{settings}SYNCD_STATE_DIR={state}\n")
    installed._READ.clear()
    # root types commands in its own home, and nobody else may enter that
    (home / "root").mkdir(mode=0o700)
    os.chdir(home / "root")
    for path in (state, state / "syncd.db"):
        os.chown(path, OTHER, OTHER)
    rounds = [typed(clock, *args) for args in ROUND]
    after, checked = owners(state), typed(clock, *CHECK)
    rounds.append(typed(clock, "status", uid=OTHER))
    # a file that somebody copied as root, and a mapping that root alone may read
    os.chown(state / "syncd.db", 0, 0)
    foreign = typed(clock, "status")
    (mapping,) = (home / "mappings").iterdir()
    mapping.chmod(0o600)
    unread = typed(clock, "check", "--offline")
    done = {"rounds": rounds, "owners": after, "foreign": foreign, "unread": unread, "checked": checked}
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
