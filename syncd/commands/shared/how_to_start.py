"""How the daemon of this machine is started: a hint must not make a second daemon beside a service."""

from __future__ import annotations

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
    from syncd.config.settings.access import ENV_FILE
    from syncd.config.settings.installed import SettingsOutOfReach, find_installed

    try:
        installed = find_installed(ENV_FILE) is not None
    except SettingsOutOfReach:
        installed = True
    if installed and any(unit.exists() for unit in UNITS):
        return f"sudo systemctl {'restart' if again else 'start'} syncd"
    if installed and CRON.exists():
        return f"sudo syncd run --once (cron does it: {CRON})"
    return "sudo syncd run" if installed else "syncd run"
