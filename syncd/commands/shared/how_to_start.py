"""How the daemon of this machine is started, stopped and told of new rules.

A hint must not make a second daemon beside a service.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

UNITS = tuple(
    Path(folder) / "syncd.service"
    for folder in ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
)
CRON = Path("/etc/cron.d/syncd")


def how_to_start(*, again: bool = False) -> str:
    """Return the line to type that starts the daemon, or with `again` the one that runs a new version of it.

    `syncd run` is right only where no service is installed, or where the settings name another ledger.
    """
    installed = _installed()
    if installed and _under_systemd():
        return f"sudo systemctl {'restart' if again else 'start'} syncd"
    if installed and CRON.exists():
        return f"sudo syncd run --once (cron does it: {CRON})"
    return "sudo syncd run" if installed else "syncd run"


def how_to_stop(holder: str) -> str:
    """Return the line to type that stops a daemon, by the holder that the lock names; empty for a command."""
    pid = re.fullmatch(r"syncd run, pid (\d+)", holder)
    if pid is None:
        return ""
    return "sudo systemctl stop syncd" if _installed() and _under_systemd() else f"kill {pid[1]}"


def next_step() -> str:
    """Return what follows once the rules are good: a running daemon reads them again, else it is started."""
    from syncd.config.settings.access import settings_as_far_as_usable
    from syncd.ledger.database.backend import backend_of
    from syncd.ledger.errors import LedgerError

    with suppress(LedgerError):
        if backend_of(settings_as_far_as_usable().ledger_url).lock().holder() is not None:
            return "syncd reload makes the running daemon read its mappings and templates again"
    return f"{how_to_start()} starts the daemon"


def _installed() -> bool:
    from syncd.config.settings.access import ENV_FILE
    from syncd.config.settings.installed import SettingsOutOfReach, find_installed

    try:
        return find_installed(ENV_FILE) is not None
    except SettingsOutOfReach:
        return True


def _under_systemd() -> bool:
    return any(unit.exists() for unit in UNITS)
