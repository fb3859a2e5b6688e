"""On a machine with an installed service: whose settings count, and as whom a command works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from as_root import OTHER, ROUND
from cheap_ledgers import put_empty_ledger
from commandline import House

from syncd.cli import COMMANDS
from syncd.commands.shared import how_to_start
from syncd.commands.shared.owner import Typist, typist
from syncd.config.settings import installed
from syncd.config.settings.access import load_settings

WITHOUT_LEDGER = {"init", "schema", "demo", "sandbox"}
MORE = {
    "adopt": ("1", "OPS-1"),
    "show": ("1",),
    "pause": ("--reason", "x"),
    "waive": ("1", "--until", "2026-12-01", "--reason", "x", "--by", "a@b.example"),
    "unwaive": ("1", "--reason", "x", "--by", "a@b.example"),
    "correct": ("1", "--reason", "x", "--by", "a@b.example"),
    "audit": ("verify",),
    "forget": ("a@b.example", "--yes"),
    "ledger": ("copy", "--to", "sqlite:////nowhere/new.db", "--yes"),
    "relocate": ("https://jira.company.example",),
    "restore": ("--yes",),
    "resync": ("--dry-run",),
}
"""The words that a command needs to begin its work."""


@pytest.fixture
def service(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Move a house's settings into the files of an installed service; return the folder of its settings."""
    folder = house.folder / "etc"
    (folder / "credentials").mkdir(parents=True)
    lines = [f"SYNCD_STATE_DIR={house.folder}/.syncd", f"SYNCD_MAPPINGS_DIR={house.folder}/mappings"]
    for name in list(os.environ):
        if name.startswith("SYNCD_") and name != "SYNCD_MAPPINGS_DIR":
            value = os.environ[name]
            if name.endswith("_TOKEN"):
                (folder / "credentials" / name.lower()).write_text(f"{value}\n")
            else:
                lines.append(f"{name}={value}")
            house.unset(name)
    house.unset("SYNCD_MAPPINGS_DIR")
    (folder / "syncd.env").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(installed, "FOLDER", folder)
    monkeypatch.chdir("/")
    return folder


@pytest.fixture
def stranger(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with a ledger, in which commands run as another user than its owner."""
    (house.folder / ".syncd").mkdir(mode=0o700)
    put_empty_ledger(house.folder / ".syncd/syncd.db")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    return house


def test_every_command_reads_the_settings_and_secrets_of_the_service(service: Path, house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    assert house.syncd("status").code == 0
    assert (house.folder / ".syncd/syncd.db").exists()


def test_settings_that_name_another_ledger_or_account_leave_the_service_out(
    service: Path, house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load_settings().jira_token is not None
    house.set("SYNCD_LOG_LEVEL", "DEBUG")
    assert load_settings().jira_token is not None
    house.set("SYNCD_JIRA_URL", "http://127.0.0.1:1")
    settings = load_settings()
    assert (settings.jira_token, settings.pagerduty_from) == (None, None)
    house.unset("SYNCD_JIRA_URL")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"SYNCD_STATE_DIR={tmp_path}/own\n")
    settings = load_settings()
    assert (settings.jira_token, settings.state_dir) == (None, tmp_path / "own")


def test_a_file_of_the_working_folder_changes_nothing_about_the_service(
    service: Path, house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SYNCD_HEARTBEAT_URL=https://elsewhere.example/x\n")
    settings = load_settings()
    assert settings.heartbeat_url is None
    assert settings.jira_token is not None


def test_who_may_not_read_the_settings_gets_the_line_to_type(
    house: House, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(file: Path) -> dict[str, str]:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(installed, "_variables", closed)
    monkeypatch.setattr(installed, "_READ", {})
    refused = house.syncd("status", "--all")
    assert refused.code == 1
    assert "type: sudo syncd status --all" in refused.err
    assert house.syncd("schema").code == 0


def test_who_may_not_read_the_secrets_is_told_to_use_sudo(
    house: House, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "_readable", lambda folder: False)
    monkeypatch.setattr(installed, "_READ", {})
    refused = house.syncd("run", "--once")
    assert refused.code == 78
    assert f"this user may not read {service}/credentials; run the command with sudo" in refused.err


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_LEDGER))
def test_another_user_than_the_owner_is_refused_with_the_line_to_type(name: str, stranger: House) -> None:
    refused = stranger.syncd(name, *MORE.get(name, ()))
    assert refused.code == 1
    assert f"{stranger.folder}/.syncd belongs to " in refused.err
    assert f"type: sudo syncd {name}" in refused.err
    assert [path.name for path in (stranger.folder / ".syncd").iterdir()] == ["syncd.db"]


def test_without_a_ledger_the_hint_starts_the_service_and_no_second_daemon(
    house: House, service: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unit, cron = tmp_path / "syncd.service", tmp_path / "cron"
    monkeypatch.setattr(how_to_start, "UNITS", (unit,))
    monkeypatch.setattr(how_to_start, "CRON", cron)
    assert "start it: sudo syncd run\n" in house.syncd("status").err
    cron.touch()
    assert f"start it: sudo syncd run --once (cron does it: {cron})" in house.syncd("status").err
    unit.touch()
    assert "start it: sudo systemctl start syncd" in house.syncd("status").err
    house.set("SYNCD_STATE_DIR", str(tmp_path / "own"))
    assert "start it: syncd run\n" in house.syncd("status").err


def test_root_makes_no_state_folder_for_an_installed_service(
    house: House, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    refused = house.syncd("restore", "--yes")
    assert refused.code == 1
    assert "systemd-tmpfiles --create" in refused.err
    assert not (house.folder / ".syncd").exists()


def test_the_record_names_who_became_root_by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "amara")
    assert typist() == Typist(0, "amara (sudo)")
    monkeypatch.delenv("SUDO_USER")
    assert typist() == Typist(0, "root")
    # a variable that anybody may set tells nothing about another user
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    monkeypatch.setenv("SUDO_USER", "amara")
    assert typist() == Typist(4242, "uid 4242")


def test_root_follows_no_env_file_of_another_user_on_a_machine_with_the_service(
    service: Path, house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SYNCD_JIRA_URL=https://elsewhere.example\n")
    assert load_settings().jira_url == "https://elsewhere.example"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "stat", _of_another(Path.stat))
    assert load_settings().jira_url == house.server.url("jira")


def _of_another(stat: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
    """Return a `stat` that shows every `.env` as another user's."""

    def shown(path: Path, **more: Any) -> os.stat_result:
        real = stat(path, **more)
        return os.stat_result((*real[:4], 4242, *real[5:])) if path.name == ".env" else real

    return shown


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="syncd-as-root-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _readable_by_all(file: Path) -> bool:
    return all(path.stat().st_mode & 0o005 for path in file.resolve().parents)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
@pytest.mark.skipif(
    not _readable_by_all(Path(installed.__file__)), reason="no other user can read this folder"
)
def test_commands_of_root_leave_only_files_of_the_services_user(
    service: Path, house: House, home: Path
) -> None:
    done = _play(service, house, home)
    for finding in done["rounds"]:
        assert (finding["code"], finding["uid"]) == (0, OTHER), finding
    texts = {turn["args"][0]: turn["text"] for turn in done["rounds"]}
    assert len(texts) == len(ROUND)
    assert "owner nobody" in texts["backup"]
    assert "its owner is nobody" in texts["restore"]
    assert done["owners"].keys() >= {"syncd.db", "syncd.db.lock", "backups"}
    assert set(done["owners"].values()) == {OTHER}
    assert "belongs to nobody, but not these files in it: syncd.db\n" in done["foreign"]["text"]
    assert f"type: sudo chown -R --reference={home}/state {home}/state" in done["foreign"]["text"]
    # both services accept the tokens that root read before it became the service's user
    assert done["checked"]["uid"] == OTHER
    assert "Jira has no assignable account" in done["checked"]["text"]
    assert not {"J01", "PD01"} & set(done["checked"]["text"].split())
    # a check of root is no better than what the daemon can read
    assert done["unread"]["code"] == 78
    assert f"{home}/mappings/qrpay.yaml: " in done["unread"]["text"]


def _play(service: Path, house: House, home: Path) -> dict[str, Any]:
    etc = home / "etc"
    # pytest's folder may be on another disk
    shutil.move(service, etc)
    shutil.move(house.folder / "mappings", home / "mappings")
    lines = (etc / "syncd.env").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("SYNCD_STATE_DIR", "SYNCD_MAPPINGS_DIR"))]
    (etc / "syncd.env").write_text("\n".join([*kept, f"SYNCD_MAPPINGS_DIR={home}/mappings", ""]))
    put_empty_ledger(home / "empty.db")
    os.chown(etc, 0, OTHER)
    etc.chmod(0o750)
    (etc / "syncd.env").chmod(0o644)
    (etc / "credentials").chmod(0o700)
    played = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as_root.py")), str(home)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        timeout=60,
    )
    assert played.returncode == 0, played.stderr
    result: dict[str, Any] = json.loads(played.stdout.splitlines()[-1])
    return result
