"""`syncd demo`: what it shows, what it proves, and that its ledger can be looked into."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from commandline import CONTROLS, House, Said

from syncd.commands.demo.proof import rows
from syncd.commands.demo.stage import Stage
from syncd.config.mapping.load import load_mappings
from syncd.config.templates.templates import Templates

DEMO = [sys.executable, "-c", "from syncd.cli import main; main()", "demo", "--speed", "5000"]


pytestmark = pytest.mark.timeout(320)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, Path]:
    """One demo into a pipe, for all who look at it."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    done = subprocess.run(
        [*DEMO, "--keep", str(folder)], capture_output=True, text=True, timeout=300, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr), folder


def mails_of(folder: Path) -> list[str]:
    """Return the text of every mail."""
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in folder.glob("mail/*.eml")]
    return [str(body.get_content()) for mail in mails if (body := mail.get_body(("plain",)))]


def test_every_incident_has_exactly_one_ticket_and_the_states_agree(demo: tuple[Said, Path]) -> None:
    played, _ = demo
    assert played.code == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in played.out.splitlines() if line.startswith("#")]
    assert [row[0] for row in rows] == [f"#{number}" for number in range(1, 13)]
    assert len({row[3] for row in rows}) == 12
    assert all(re.fullmatch(r"OPS-\d+", row[3]) for row in rows)
    assert {row[2] for row in rows} == {"resolved"}
    assert {row[4] for row in rows} <= {"In Review", "Done"}
    assert {row[-1] for row in rows} == {"yes"}
    assert "12 incidents, 12 tickets: exactly one for each incident, and all states agree." in played.out


def test_a_pipe_gets_no_control_characters(demo: tuple[Said, Path]) -> None:
    played, _ = demo
    assert not CONTROLS & set(played.out)
    assert played.err == ""


def test_it_shows_what_people_did_and_what_syncd_did_with_its_reason(demo: tuple[Said, Path]) -> None:
    out = demo[0].out
    assert re.search(r"^06:0\d PagerDuty  Amara Osei acknowledged #1$", out, re.MULTILINE)
    assert re.search(
        r"^06:0\d syncd      moved OPS-1 to In Progress: the incident is acknowledged$", out, re.MULTILINE
    )
    assert re.search(r"^06:1\d Jira       Ines Carvalho commented on OPS-1: ", out, re.MULTILINE)
    assert "Skipped" not in out


@pytest.mark.parametrize(
    "told",
    [
        r'syncd      marked "schedule the postmortem" of #1 as done in time',
        r'syncd      marked "schedule the postmortem" of #3 as overdue',
        r'syncd      marked "schedule the postmortem" of #12 as waived',
        r"syncd      moved OPS-7 to In Review: it was closed while something is missing",
        r'"name an owner for an action item" of #1 as overdue: it needs an owner within 24 working hours',
        r'syncd      marked "name an owner for an action item" of #1 as .*: its owner left between ',
        r"syncd      created an action item for #1: a row of the postmortem's follow-up table",
        r"to (tomasz\.wojcik|elif\.kaya)@qrpay\.example: SEV0: ",
        r"left gate.overridden of OPS-7 as it is: closed again; still missing: postmortem not scheduled",
        r"^\d\d:\d\d syncd      mailed priya\.raman@qrpay\.example the report of 2026-W47 for QRPay$",
        r"^\d\d:\d\d syncd      mailed priya\.raman@qrpay\.example the report of 2026-W48 for QRPay$",
        r"to priya\.raman@qrpay\.example: \[QRPay\] 2026-W47: 4 of 7 duties met in time",
        r"^\| 4 of 7 duties met in time\.$",
        r"to priya\.raman@qrpay\.example: \[QRPay\] 2026-W48: the only duty was met in time",
        r"syncd      posted to #status-qrpay about #1: the severity changed from SEV1 to SEV0$",
        r"syncd      posted to #status-qrpay about #1: a person wrote a line `update:`$",
        r"syncd      wrote texts to copy on OPS-1: ",
        r"syncd      wrote a comment on OPS-1: another person has a role: communications lead$",
        r"a mail about #12: nobody acknowledged the incident within 5 minutes$",
        r"syncd      created the issue of Runbook review, after #1: incident #1 asks for a review$",
        r'syncd      marked "hold Runbook review, after #1" as done in time',
        r'syncd      marked "file with the regulator" of #5 as done in time',
    ],
)
def test_the_days_after_show_what_becomes_of_postmortems_and_follow_ups(
    demo: tuple[Said, Path], told: str
) -> None:
    assert re.search(told, demo[0].out, re.MULTILINE)


def test_a_day_without_lines_has_no_heading(demo: tuple[Said, Path]) -> None:
    lines = demo[0].out.splitlines()
    days = [number for number, line in enumerate(lines) if re.fullmatch(r"[A-Z][a-z]+day", line)]
    assert len(days) >= 8
    assert all(re.match(r"\d\d:\d\d ", lines[number + 1]) for number in days)


def test_its_commands_work_as_they_are_printed(demo: tuple[Said, Path], tmp_path: Path) -> None:
    played, folder = demo
    _, _, commands = played.out.partition("These commands work as they stand")
    typed = [line.strip() for line in commands.splitlines() if line.startswith("  ")]
    assert typed[0] == f"export SYNCD_STATE_DIR={folder}"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", "\n".join(typed[:2])],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Alipay callbacks time out" in done.stdout + done.stderr
    assert done.returncode == 0


def test_its_second_report_tells_the_waiver_the_leaver_and_the_correction(demo: tuple[Said, Path]) -> None:
    first, second = (
        next(text for text in mails_of(demo[1]) if f"QRPay, 2026-W{week} (" in text) for week in (47, 48)
    )
    waived = "Postmortem scheduled and completed, #12 SEV1 | Waived until 2026-11-25 "
    assert waived in first
    assert waived in second
    assert re.search(
        r"OPS-31 .* \| assigned by rule, not taken; before that, its owner left between .* \| Amara Osei",
        first,
    )
    assert "2026-W47 restated: 4 of 6 (the report said 4 of 7), because" in second
    assert "by priya.raman@qrpay.example: the review was agreed on Tuesday" in second


def test_it_says_what_it_cost_and_that_the_record_holds(demo: tuple[Said, Path]) -> None:
    out = demo[0].out
    assert re.search(
        r"^syncd sent \d+ requests to PagerDuty and \d+ to Jira; .* DELETE requests: none\.$",
        out,
        re.MULTILINE,
    )
    assert "A cycle in which nothing changed costs 2 requests to PagerDuty and 1 to Jira." in out
    assert "The audit trail is unbroken" in out


def test_its_proof_sees_a_missing_ticket_a_second_one_and_a_state_that_does_not_agree(house: House) -> None:
    templates = Templates()
    (mapping,) = load_mappings(Path("mappings"), templates)
    names = ("fine", "missing", "doubled", "behind")
    incidents = {name: house.trigger(name, priority="P4") for name in names}
    for name in ("fine", "doubled", "doubled", "behind"):
        labels = ["syncd", f"pd-{incidents[name]}"]
        house.world.jira.create("Priya Raman", name, type="Incident", labels=labels)
    house.world.pagerduty.acknowledge(incidents["behind"], "Amara Osei")
    proven = rows(cast(Stage, SimpleNamespace(world=house.world, mapping=mapping)))
    assert {row.title: row.agrees for row in proven} == {
        "fine": True,
        "missing": False,
        "doubled": False,
        "behind": False,
    }


def test_its_kept_ledger_can_be_looked_into(demo: tuple[Said, Path], house: House) -> None:
    played, folder = demo
    assert f"export SYNCD_STATE_DIR={folder}" in played.out
    house.set("SYNCD_STATE_DIR", str(folder))
    shown = house.syncd("show", "1", "--json").json
    assert shown["ticket"]["key"] == "OPS-1"
    notes = [note for item in shown["action_items"] for note in item["notes"]]
    assert any("Action item has an owner: owed again, its owner left between" in note for note in notes)
    assert len(house.syncd("status", "--all", "--json").json["incidents"]) == 12
    assert house.syncd("audit", "verify").code == 0


def test_it_does_not_play_on_a_ledger_that_is_there(demo: tuple[Said, Path], house: House) -> None:
    result = house.syncd("demo", "--keep", str(demo[1]))
    assert result.code == 1
    assert "not empty" in result.err


def test_ctrl_c_ends_it_cleanly_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen(
        [*DEMO, "--speed", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("opened #1" in line for line in process.stdout)
        assert list(tmp_path.glob("syncd-demo-*/syncd.db"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.strip() == "stopped"
    assert list(tmp_path.iterdir()) == []
