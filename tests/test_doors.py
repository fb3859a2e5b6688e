"""What gets in and out: hosts, certificates, files, and the words that the threats page rests on."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from ledger_reading import holding
from rig import Rig
from ruamel.yaml import YAML
from shifted_clock import ShiftedClock

from syncd.commands.shared.setup import Setup
from syncd.config.problems import ConfigError
from syncd.config.settings.access import load_settings
from syncd.config.settings.settings import Settings, variable
from syncd.daemon import make_context
from syncd.ledger.open import open_for_work
from syncd.preflight.checks import rights
from syncd.remote.http.transport import Transport
from syncd.sandbox.cast import START

ROOT = Path(__file__).parents[1]
PEM = ROOT / "tests" / "remote" / "loopback.pem"
GUIDE = (ROOT / "systemd" / "README.md").read_text(encoding="utf-8")


def test_nothing_is_ever_deleted_in_either_service(house: Rig) -> None:
    people, jira = house.world.pagerduty, house.world.jira
    made = people.trigger("Alipay Integration", "Latency", priority="P3")
    note = people.note(made.id, "on it", "Amara Osei")
    house.settle(3)
    people.edit_note(made.id, note.id, "really on it")
    house.settle(2)
    people.delete_note(made.id, note.id)
    jira.comment("OPS-1", "and here", by="Ines Carvalho")
    other = people.trigger("Alipay Integration", "The same", priority="P3")
    house.settle(2)
    people.merge(made.id, [other.id], "Amara Osei")
    people.resolve(made.id, "Amara Osei")
    house.settle(6)
    assert len(house.world.journal.writes()) >= 8
    assert house.world.journal.lines(method="DELETE") == []
    source = "".join(path.read_text() for path in (ROOT / "syncd" / "remote").rglob("*.py"))
    assert not re.search(r"[\"']DELETE[\"']|\.delete\(", source)


def test_the_ledger_and_all_that_lies_beside_it_is_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = open_for_work(f"sqlite:///{tmp_path}/state/syncd.db", "test", START)
        with holding(ledger):
            ledger.logical_clock.next()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
        ledger.close()
    finally:
        os.umask(before)
    assert modes.keys() >= {"syncd.db", "syncd.db-wal", "syncd.db.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path}/syncd.db", START
    open_for_work(url, "test", now).close()
    (tmp_path / "syncd.db").chmod(0o644)
    open_for_work(url, "test", now).close()
    assert stat.S_IMODE((tmp_path / "syncd.db").stat().st_mode) == 0o600


def test_your_own_authority_is_trusted_everywhere_by_one_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCD_CA_FILE", str(PEM))
    assert load_settings().trusted == str(PEM)
    monkeypatch.setenv("SYNCD_CA_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="SYNCD_CA_FILE: not a readable file"):
        load_settings()
    for path in (ROOT / "syncd").rglob("*.py"):
        if "sandbox" not in path.parts and path.name not in ("transport.py", "trial.py"):
            for call in re.findall(r"= Transport\((.*)\)", path.read_text(encoding="utf-8")):
                assert "ca_file=" in call, f"{path}: {call}"
    assert Setup.context
    assert make_context
    assert Transport(ShiftedClock(START), ca_file=str(PEM))


def test_every_file_that_the_guide_names_is_shipped() -> None:
    named = set(
        re.findall(r"(?<![\w/.])(syncd[\w-]*@?\.(?:service|timer|env|cron|sysusers|tmpfiles))\b", GUIDE)
    )
    named |= set(re.findall(r"\]\(([\w.@-]+)\)", GUIDE))
    assert len(named) > 7
    assert sorted(name for name in named if not (ROOT / "systemd" / name).exists()) == []


def test_the_guide_names_every_right_that_a_feature_needs() -> None:
    parts = {title.split(" (")[0] for title in rights.TITLES.values()}
    table = GUIDE[GUIDE.index("## What the two accounts may do") : GUIDE.index("## Threats")]
    words = set(re.findall(r"[A-Z]\w+", table)) | {"users", "groups", "and"}
    assert sorted(part for part in parts if not set(part.split()) <= words | {"Own"}) == []


def test_the_compose_file_gives_no_more_than_the_unit() -> None:
    compose = YAML(typ="safe").load((ROOT / "systemd" / "compose.yaml").read_text())
    # else the volume is named after the folder, with the version in it: an upgrade begins with an empty one
    assert compose["name"] == "syncd"
    service = compose["services"]["syncd"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    settings = {variable(field) for field in Settings.model_fields}
    assert service["build"]["dockerfile"] == "Containerfile"
    # on this machine alone: metrics and webhooks have no password
    assert service["ports"] == ["127.0.0.1:8585:8585"]
    given = {name for name in service["environment"] if name.startswith("SYNCD_")}
    assert given <= settings
    assert {name.upper() for name in service["secrets"]} <= settings
    assert not any("TOKEN" in name for name in service["environment"])
