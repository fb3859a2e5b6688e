"""The settings of the service that is installed on this machine: `/etc/syncd/syncd.env` and its secrets.

Every command reads them, so that `sudo syncd status` shows the service's ledger. They count whole or not at
all: where the environment or `.env` names a ledger or an account of its own (a sandbox, a second syncd),
syncd leaves them out, because it would otherwise write about one account into the ledger of another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

FOLDER = Path("/etc/syncd")
"""Where a service's settings are; its secrets are in the folder `credentials` below."""
STATE = "/var/lib/syncd"
"""The state folder of a service whose settings name none: the unit's `StateDirectory=`."""
OWN = (
    "SYNCD_STATE_DIR",
    "SYNCD_LEDGER_URL",
    "SYNCD_PAGERDUTY_URL",
    "SYNCD_PAGERDUTY_TOKEN",
    "SYNCD_JIRA_URL",
    "SYNCD_JIRA_TOKEN",
)
"""Each of these names a ledger or an account, in the environment or in `.env`."""


class SettingsOutOfReach(Exception):
    """A service is installed, this user may not read its settings, and nothing else names any."""

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(f"{file} cannot be read")


@dataclass(frozen=True)
class Installed:
    """The settings of the installed service, and the folder of its secrets."""

    file: Path
    values: Mapping[str, str]
    credentials: Path

    @property
    def closed(self) -> bool:
        """True if this process cannot read the secrets and has not read them before."""
        return self.credentials not in _READ and not _readable(self.credentials)


_READ: dict[Path, Mapping[str, str]] = {}
"""The files that this process has read.

A command of root reads the secrets, then runs as the service's user, which cannot read them a second time.
"""


def find_installed(env_file: Path | None) -> Installed | None:
    """Return the installed service's settings; None where there are none, or where they do not count.

    Raise `SettingsOutOfReach` if this user may not read them and no setting is given in another way.
    """
    given = {**_given(env_file), **os.environ}
    if any(given.get(name) for name in OWN):
        return None
    file = FOLDER / "syncd.env"
    try:
        values = _remember(file, _variables)
    except FileNotFoundError:
        return None
    except PermissionError:
        if any(name.startswith("SYNCD_") for name in given):
            return None
        raise SettingsOutOfReach(file) from None
    if not os.environ.get("STATE_DIRECTORY"):
        values = {"SYNCD_STATE_DIR": STATE, **values}
    return Installed(file, values, FOLDER / "credentials")


def env_file_that_counts(env_file: Path | None, installed: Installed | None) -> Path | None:
    """Return the `.env` file to read: none beside an installed service, none that others wrote for root."""
    return None if installed is not None or _is_anothers(env_file) else env_file


def credentials_folder(installed: Installed | None) -> Path | None:
    """Return the folder of the credentials; None if there is none."""
    named = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(named) if named else installed.credentials if installed is not None else None


def secrets_of(installed: Installed | None) -> Mapping[str, str]:
    """Return the credentials by variable, in lower case: of `$CREDENTIALS_DIRECTORY`, else of the service.

    Raise `OSError` or `UnicodeDecodeError` for a credential that cannot be read.
    """
    folder = credentials_folder(installed)
    if folder is None or (folder not in _READ and not _readable(folder)):
        return {}
    return _remember(folder, _files)


def _given(env_file: Path | None) -> Mapping[str, str]:
    if env_file is None or _is_anothers(env_file) or not os.path.isfile(env_file):  # noqa: PTH113 - never raises
        return {}
    # a file that cannot be read is told by whoever reads the settings
    try:
        return _variables(env_file)
    except (OSError, UnicodeDecodeError):
        return {}


def _is_anothers(env_file: Path | None) -> bool:
    """Return True if root would read a `.env` of another user, on a machine with an installed service.

    Root types commands in folders of anybody; a `.env` there must not decide about the service's secrets.
    """
    if env_file is None or os.geteuid() != 0 or not FOLDER.is_dir():
        return False
    try:
        return env_file.stat().st_uid != 0
    except OSError:
        return False


def _readable(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _remember(path: Path, read: Callable[[Path], Mapping[str, str]]) -> Mapping[str, str]:
    try:
        _READ[path] = read(path)
    except PermissionError:
        if path not in _READ:
            raise
    return _READ[path]


def _variables(file: Path) -> Mapping[str, str]:
    with file.open(encoding="utf-8") as stream:
        # systemd inserts no variable into another's value either
        values = dotenv_values(stream=stream, interpolate=False)
    return {name: value for name, value in values.items() if value}


def _files(folder: Path) -> Mapping[str, str]:
    named = (path for path in sorted(folder.iterdir()) if path.name.lower().startswith("syncd_"))
    return {path.name.lower(): path.read_text("utf-8").strip() for path in named if path.is_file()}
