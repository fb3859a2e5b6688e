"""`syncd init`, and that what it writes is what the other commands take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from commandline import House


@pytest.mark.parametrize("name", ["qrpay", "ramen"])
def test_a_shipped_example_is_copied_with_the_date_and_passes_the_check(bare: House, name: str) -> None:
    said = bare.syncd("init", "mappings", "--example", name, "--enforce-from", "2026-12-01")
    assert said.code == 0
    assert "enforce_from: 2026-12-01\n" in Path(f"mappings/{name}.yaml").read_text()
    bare.set("SYNCD_MAPPINGS_DIR", "mappings")
    assert bare.syncd("check", "--offline").code == 0


def test_it_names_the_next_commands(bare: House) -> None:
    out = bare.syncd("init", "mappings", "--example", "qrpay").out
    assert "export SYNCD_MAPPINGS_DIR=mappings" in out
    assert "syncd check" in out


def test_the_rules_of_a_first_mapping_hold_from_today(bare: House) -> None:
    before = datetime.now(UTC).date()
    bare.syncd("init", "m", "--team", "Web", "--service", "Core QRPay Web")
    text = Path("m/web.yaml").read_text()
    assert any(f"enforce_from: {day.isoformat()}" in text for day in (before, datetime.now(UTC).date()))


def test_a_first_mapping_has_its_services_and_reports_before_it_enforces(bare: House) -> None:
    said = bare.syncd(
        "init",
        "m",
        "--team",
        "Pay & Go",
        "--service",
        "Alipay Integration",
        "--service",
        "yes",
        "--project",
        "ENG",
    )
    assert said.code == 0
    text = Path("m/pay-go.yaml").read_text()
    assert "mode: report" in text
    assert "project: ENG" in text
    bare.set("SYNCD_MAPPINGS_DIR", "m")
    assert bare.syncd("check", "--offline").code == 0


def test_the_mode_of_an_example_can_be_chosen(bare: House) -> None:
    bare.syncd("init", "m", "--example", "qrpay", "--mode", "report")
    assert "\n  mode: report" in Path("m/qrpay.yaml").read_text()


def test_a_mapping_that_is_there_is_not_overwritten_unless_forced(bare: House) -> None:
    Path("m").mkdir()
    Path("m/qrpay.yaml").write_text("mine")
    said = bare.syncd("init", "m", "--example", "qrpay")
    assert said.code == 1
    assert "--force" in said.err
    assert Path("m/qrpay.yaml").read_text() == "mine"
    assert bare.syncd("init", "m", "--example", "qrpay", "--force").code == 0
    assert "team: QRPay" in Path("m/qrpay.yaml").read_text()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "--team NAME"),
        (("--team", "Web"), "--service NAME"),
        (("--team", "Web", "--service", "Web", "--project", "ops"), "no key of a Jira project"),
        (("--example", "qrpay", "--team", "Web"), "leave out the others"),
        (("--example", "qrpay", "--enforce-from", "tomorrow"), "2026-12-01"),
    ],
)
def test_what_is_missing_or_wrong_is_a_usage_error_and_writes_nothing(
    bare: House, args: tuple[str, ...], words: str
) -> None:
    said = bare.syncd("init", "m", *args)
    assert said.code == 2
    assert words in said.err
    assert not Path("m").exists()
