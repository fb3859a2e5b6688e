"""Run a command as the owner of the state folder, so that it leaves no file that the daemon cannot use.

Root changes to the owner for good, after it has read the settings and their secrets and before it reads a
mapping: what the service's user cannot read, a command of root shall not find right. Any other user is
refused, with the line to type.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import syncd

if TYPE_CHECKING:
    from syncd.config.settings.settings import Settings


@dataclass(frozen=True)
class Typist:
    """The system user who typed this command; `name` also tells who became root by sudo."""

    uid: int
    name: str


NEEDED = {"syncd": (syncd.__file__, sys.prefix), "its Python": (os.__file__, sys.base_prefix)}
"""The packages that the owner has to read to run a command: a file of each, and where it is installed."""
_BEFORE: list[Typist] = []
"""Who typed the command, once the process has changed its user: that cannot be undone, nor asked again."""


class NotTheOwner(Exception):
    """This user may not work on the state folder; `hint` is the line to type, or what to change."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


def become_owner(*, to_work: bool = True) -> None:
    """Continue as the owner of the state folder; raise `NotTheOwner` if this user may not work on it.

    Do nothing where there is no state folder yet.
    """
    from syncd.config.settings.access import settings_as_far_as_usable

    place = _place(settings_as_far_as_usable())
    if place is None:
        return
    (folder, ledger), uid = place, os.geteuid()
    owner = _owner_of(folder, ledger)
    if owner == uid:
        return
    if uid == 0:
        _change_to(owner, folder)
        return
    # a folder that an orchestrator mounts may belong to another, and the daemon writes by its group
    writable = os.access(folder, os.W_OK | os.X_OK)
    if to_work and (not writable or os.path.exists(ledger)):  # noqa: PTH110 - never raises
        raise NotTheOwner(
            f"{folder} belongs to {user_name(owner)}, and you are {user_name(uid)}", f"type: {with_sudo()}"
        )


def refuse_folder_of_root() -> None:
    """Raise `NotTheOwner` if root would make the state folder of an installed service, as its own."""
    from syncd.config.settings.access import ENV_FILE, settings_as_far_as_usable
    from syncd.config.settings.installed import find_installed

    settings = settings_as_far_as_usable()
    if os.geteuid() == 0 and find_installed(ENV_FILE) is not None and _place(settings) is None:
        raise NotTheOwner(
            f"there is no folder {settings.state_dir} yet, and root's files are of no use to the service",
            "make it for the service's user: systemd-tmpfiles --create syncd.conf,"
            f" or install -d -m 700 -o syncd -g syncd {shlex.quote(str(settings.state_dir))}",
        )


def typist() -> Typist:
    """Return the system user who typed this command, also after the command has changed its user."""
    return _BEFORE[0] if _BEFORE else _typist()


def with_sudo() -> str:
    """Return this command with sudo before it, as a line to type."""
    program = "syncd" if shutil.which("syncd") else sys.argv[0]
    return shlex.join(["sudo", program, *sys.argv[1:]])


def user_name(uid: int) -> str:
    """Return the name of a system user, its number where it has none."""
    from syncd.engine.jobs.reload import system_user

    return system_user(uid)


def who_runs_this() -> list[str]:
    """Return a line that tells as whom a command of root goes on; none if it did not change its user."""
    uid = os.geteuid()
    if typist().uid == uid:
        return []
    return [
        f"this command goes on as the user {user_name(uid)}, who owns the state folder:"
        " name a place that this user may enter"
    ]


def foreign_files() -> list[str]:
    """Return lines about files in the state folder that its owner does not own, and so cannot use."""
    from syncd.config.settings.access import settings_as_far_as_usable

    place = _place(settings_as_far_as_usable())
    if place is None:
        return []
    folder = place[0]
    owner = folder.stat().st_uid
    foreign = sorted(path.name for path in _in_reach(folder) if path.lstat().st_uid != owner)
    if not foreign:
        return []
    return [
        f"{folder} belongs to {user_name(owner)}, but not these files in it: {', '.join(foreign)}",
        f"type: {shlex.join(['sudo', 'chown', '-R', f'--reference={folder}', str(folder)])}",
    ]


def _in_reach(folder: Path) -> Iterator[Path]:
    for path in (folder, folder / "backups", folder / "mail"):
        if os.access(path, os.R_OK | os.X_OK):
            yield from path.iterdir()


def _place(settings: Settings) -> tuple[Path, Path] | None:
    """Return the state folder and the ledger's file; None where there is no folder yet."""
    from syncd.ledger.database.sqlite.connection import ledger_file
    from syncd.ledger.errors import LedgerError

    try:
        ledger = ledger_file(settings.ledger_url)
    except LedgerError:
        # a ledger on a server: the folder still holds backups and mail
        ledger = settings.state_dir / "syncd.db"
    for folder in (ledger.parent, settings.state_dir):
        if os.path.isdir(folder):  # noqa: PTH112 - never raises
            return folder, ledger
    return None


def _owner_of(folder: Path, ledger: Path) -> int:
    # root's folder with another's ledger: the daemon writes there by its group
    owner = folder.stat().st_uid
    try:
        return ledger.stat().st_uid if owner == 0 else owner
    except OSError:
        return owner


def _typist() -> Typist:
    uid = os.getuid()
    by = os.environ.get("SUDO_USER") if uid == 0 else None
    return Typist(uid, f"{by} (sudo)" if by and by != "root" else user_name(uid))


def _change_to(uid: int, folder: Path) -> None:
    """Give up root for good, and continue as the user `uid` with that user's groups."""
    _BEFORE[:] = [_typist()]
    try:
        user = pwd.getpwuid(uid)
        name, group, home = user.pw_name, user.pw_gid, user.pw_dir
        os.initgroups(name, group)
    except KeyError:
        name, group, home = str(uid), folder.stat().st_gid, "/"
        os.setgroups([group])
    os.setresgid(group, group, group)
    os.setresuid(uid, uid, uid)
    os.environ.update(HOME=home, USER=name, LOGNAME=name)
    # root types commands in its home, which the owner may not enter: no file of it may stop the command
    if not os.access(".", os.X_OK):
        os.chdir("/")
    for what, (file, place) in NEEDED.items():
        if not os.access(file, os.R_OK):
            raise NotTheOwner(
                f"{what} is installed in {place}, which {name}, the owner of {folder}, cannot read",
                "install syncd where every user can read it, with an interpreter that every user can read,"
                " for example: /usr/bin/python3 -m venv /opt/syncd",
            )
