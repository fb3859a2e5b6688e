"""`syncd report`: the weekly report by hand, printed or written, in four forms."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commandline import House
from moments import SUNDAY, YEARS_END

from syncd.report.weekly.week import Week


@pytest.fixture
def reported(house: House) -> House:
    house.trigger(priority="P3")
    assert house.syncd("run", "--once").code == 0
    return house


ZONE = "Asia/Singapore"
"""QRPay's zone; the report over all teams has it, too, where no other team is."""


def week(house: House, back: int = 0) -> str:
    return Week.of(house.clock.now(), ZONE).back(back).name


@pytest.mark.any_day
def test_without_a_week_it_is_the_last_full_one_over_all_teams(reported: House) -> None:
    result = reported.syncd("report")
    assert result.code == 0
    last = week(reported, 1)
    assert result.out.startswith(f"All teams, {last} ")
    assert "syncd audit verify --anchor" in result.out


@pytest.mark.parametrize(
    ("form", "begins"), [("html", "<!DOCTYPE html>"), ("json", "{"), ("csv", "table,week,")]
)
def test_each_form_is_printed(reported: House, form: str, begins: str) -> None:
    result = reported.syncd("report", "--week", week(reported), "--team", "QRPay", "--format", form)
    assert result.code == 0
    assert result.out.lstrip().startswith(begins)


def test_it_needs_the_mappings_and_no_account(reported: House) -> None:
    for name in ("PAGERDUTY_TOKEN", "PAGERDUTY_FROM", "JIRA_URL", "JIRA_EMAIL", "JIRA_TOKEN"):
        reported.unset(f"SYNCD_{name}")
    assert reported.syncd("report").code == 0


def test_json_is_asked_for_as_everywhere(reported: House) -> None:
    assert reported.syncd("report", "--json").json["rows"] == []
    assert reported.syncd("report", "--json", "--format", "json").code == 0


def test_with_a_folder_all_four_forms_are_written(reported: House) -> None:
    result = reported.syncd("report", "--week", week(reported), "--team", "QRPay", "--output", "out")
    assert result.code == 0
    name = f"syncd-qrpay-{week(reported)}"
    names = sorted(path.name for path in (reported.folder / "out").iterdir())
    assert names == sorted(f"{name}.{end}" for end in ("txt", "html", "json", "csv"))
    # Excel takes a file for UTF-8 only if it begins with this mark
    assert (reported.folder / "out" / f"{name}.csv").read_bytes().startswith(b"\xef\xbb\xbftable,week,")
    figures = json.loads((reported.folder / "out" / f"{name}.json").read_text())["figures"]
    assert figures["incidents"]["count"] == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--week", "47"), "write a week like 2026-W47"),
        (("--week", "2999-W01"), "has not begun yet"),
        (("--team", "Nobody"), "there are mappings for: QRPay"),
    ],
)
def test_what_cannot_be_is_a_usage_error(reported: House, args: tuple[str, ...], words: str) -> None:
    answer = reported.syncd("report", *args)
    assert answer.code == 2
    assert words in answer.err


def let_begin(house: House, born: str) -> None:
    """Let the house's ledger begin at another time (UTC), and its mapping's rules with it."""
    with closing(sqlite3.connect(house.folder / ".syncd/syncd.db")) as database, database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'born'", (born,))
    mapping = house.folder / "mappings/qrpay.yaml"
    mapping.write_text(re.sub(r"(?m)^enforce_from: \S+", f"enforce_from: {born[:10]}", mapping.read_text()))


@pytest.mark.any_day(SUNDAY, YEARS_END)
def test_by_hand_it_is_sent_once_and_the_answer_says_to_whom(reported: House) -> None:
    last = week(reported, 1)
    let_begin(reported, "2020-01-01T00:00:00+00:00")
    # the only team need not be named
    result = reported.syncd("report", "--send", "--week", last)
    address = "priya.raman@qrpay.example"
    # the house has no mail server
    assert result.code == 0
    why = "written to the state folder's `mail`, because SYNCD_SMTP_HOST is not set"
    assert result.out == f"{address} receives nothing: {why}\n"
    assert reported.syncd("report", "--send", "--team", "QRPay", "--week", last).code == 0
    files = (reported.folder / ".syncd" / "mail").glob("*.eml")
    assert sum(f"[QRPay] {last}" in file.read_text() for file in files) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--team", "QRPay", "--week", "2999-W01"), "is not over"),
        (("--team", "QRPay", "--format", "csv"), "leave out --format and --output"),
    ],
)
def test_what_cannot_be_sent_is_said(reported: House, args: tuple[str, ...], words: str) -> None:
    answer = reported.syncd("report", "--send", *args)
    assert answer.code in (1, 2)
    assert words in answer.err


def test_a_week_before_the_ledger_or_before_the_rules_is_not_sent_as_a_good_one(reported: House) -> None:
    last = week(reported, 1)
    answer = reported.syncd("report", "--send", "--week", last)
    assert answer.code == 1
    assert f"not sent: syncd knows nothing of {last}: its ledger begins " in answer.err
    let_begin(reported, "2020-01-01T00:00:00+00:00")
    mapping = reported.folder / "mappings/qrpay.yaml"
    mapping.write_text(mapping.read_text().replace("2020-01-01", "2999-01-01"))
    assert (
        f"not sent: {last} was over before the rules began ("
        in reported.syncd("report", "--send", "--week", last).err
    )


def test_without_a_team_of_several_the_report_over_all_is_sent(reported: House) -> None:
    assert reported.syncd("init", "more", "--example", "ramen").code == 0
    Path("more/ramen.yaml").rename("mappings/ramen.yaml")
    answer = reported.syncd("report", "--send")
    assert answer.code == 1
    assert "report.over_all names nobody" in answer.err


def test_a_report_that_was_made_is_verified_against_both_services(reported: House) -> None:
    last = week(reported, 1)
    answer = reported.syncd("report", "--verify", last, "--team", "QRPay")
    figures = f"{last} (no report was sent: the figures of now)"
    assert answer.out == f"{figures}: 0 rows, 0 the same, 0 DIFFERENT, 0 not verifiable\n"
    let_begin(reported, "2020-01-01T00:00:00+00:00")
    reported.syncd("report", "--send", "--team", "QRPay", "--week", last)
    answer = reported.syncd("report", "--verify", last, "--team", "QRPay")
    assert (answer.code, answer.out) == (
        0,
        f"{last}: 0 rows, 0 the same, 0 DIFFERENT, 0 not verifiable\n",
    )
    assert reported.syncd("report", "--verify", last, "--send").code == 2
    answer = reported.syncd("report", "--verify", last, "--team", "QRPay", "--json")
    assert (answer.json["week"], answer.json["sent"], answer.json["rows"]) == (last, True, [])
    assert answer.json["counts"] == {"same": 0, "different": 0, "not_verifiable": 0}
