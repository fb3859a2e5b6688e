"""The shipped units keep what they promise: by systemd's own tool where there is one, else by their text."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from syncd.cli import COMMANDS
from syncd.commands.shared.exit_codes import CONFIGURATION, REFUSED
from syncd.config.settings.settings import Settings, variable
from syncd.daemon import GRACE_SECONDS
from syncd.engine.runtime.watchdog import STUCK_AFTER

FOLDER = Path(__file__).parents[1] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
SERVICES = ("syncd.service", "syncd-backup.service", "syncd-failed@.service")
UNITS = (*SERVICES, "syncd-backup.timer")
WORST = 1.5
HARDENING = {
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "LimitCORE": "0",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "StateDirectoryMode": "0700",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "syncd",
}


def lines(name: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a unit."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield key, value


def values(name: str) -> dict[str, str]:
    return dict(lines(name))


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|min|h)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


@pytest.mark.parametrize("name", ["syncd.service", "syncd-backup.service"])
def test_a_service_is_hardened_as_it_says(name: str) -> None:
    settings = values(name)
    assert {key: settings.get(key) for key in HARDENING} == HARDENING
    assert [value for key, value in lines(name) if key == "SystemCallFilter"] == [
        "@system-service",
        "~@privileged @resources",
    ]


def test_the_daemon_is_told_and_watched_and_ended_as_it_expects() -> None:
    unit = values("syncd.service")
    assert unit["Type"] == "notify"
    assert seconds(unit["TimeoutStopSec"]) > GRACE_SECONDS
    assert seconds(unit["WatchdogSec"]) < STUCK_AFTER
    assert {int(code) for code in unit["RestartPreventExitStatus"].split()} == {2, REFUSED, CONFIGURATION}
    assert unit["Restart"] == "on-failure"
    assert unit["OnFailure"] == "syncd-failed@%n.service"
    loaded = [value.partition(":") for key, value in lines("syncd.service") if key == "LoadCredential"]
    assert {name for name, _, _ in loaded} == {"syncd_pagerduty_token", "syncd_jira_token"}
    assert all(path == f"/etc/syncd/credentials/{name}" for name, _, path in loaded)
    assert not any(key == "Environment" for key, _ in lines("syncd.service"))


def test_what_is_started_exists_as_a_command() -> None:
    started = re.findall(r"/usr/local/bin/syncd (\w+)", "".join((FOLDER / n).read_text() for n in UNITS))
    started += re.findall(r"/usr/local/bin/syncd (\w+)", (FOLDER / "syncd.cron").read_text())
    assert set(started) == {"run", "reload", "backup"}
    assert set(started) <= set(COMMANDS)


def test_the_example_of_settings_names_settings_that_exist_and_no_secret() -> None:
    text = (FOLDER / "syncd.env").read_text().replace("#SYNCD_", "SYNCD_")
    names = dotenv_values(stream=StringIO(text))
    settings = {variable(field) for field in Settings.model_fields}
    assert set(names) <= settings
    assert not any(name.endswith(("_TOKEN", "_PASSWORD", "_SECRET", "_SECRETS")) for name in names)


def test_every_hardening_line_stands_under_its_reason() -> None:
    for name in ("syncd.service", "syncd-backup.service"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        reason = False
        for line in text[text.index("# Hardening") :].splitlines():
            if line.startswith("["):
                break
            reason = reason or line.startswith("#")
            assert not line or reason, f"{name}: {line}"


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_finds_the_units_whole_and_safe(name: str, tmp_path: Path) -> None:
    """Verify the units with systemd's tool; where it is missing, check the settings that it judges by."""
    for unit in UNITS:
        text = (FOLDER / unit).read_text(encoding="utf-8").replace("/usr/local/bin/syncd", "/bin/true")
        (tmp_path / unit).write_text(text, encoding="utf-8")
    if ANALYZE is None:
        common = {"NoNewPrivileges", "CapabilityBoundingSet", "PrivateUsers", "SystemCallFilter", "UMask"}
        assert common <= values(name).keys()
        return
    verified = subprocess.run(
        [ANALYZE, "verify", "--man=no", *UNITS], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    judged = subprocess.run(
        [ANALYZE, "security", "--offline=true", "--threshold=15", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure is not None, judged.stderr
    assert float(exposure.group(1)) <= WORST
    assert judged.returncode == 0
