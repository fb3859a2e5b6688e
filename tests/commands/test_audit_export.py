"""`syncd audit export`: the evidence of a period reconciles with both services, and shows every change."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commandline import House, Said

from syncd.sandbox.cast import START

TODAY = f"{START:%Y-%m-%d}"
YESTERDAY = f"{START - timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def exported(house: House) -> tuple[House, Said]:
    house.trigger("Callbacks time out")
    house.trigger("Second one", priority="P4")
    house.trigger("Customer data leak", priority="P1")
    assert house.syncd("run", "--once").code == 0
    return house, export(house)


def export(house: House, *more: str, into: str = "out") -> Said:
    return house.syncd("audit", "export", "--from", YESTERDAY, "--to", TODAY, "--output", into, *more)


def manifest(house: House, folder: str = "out") -> dict[str, Any]:
    read: dict[str, Any] = json.loads((house.folder / folder / "manifest.json").read_text())
    return read


def file(house: House, name: str) -> Path:
    return house.folder / "out" / name


def test_the_population_is_counted_by_all_sides_and_reconciles(exported: tuple[House, Said]) -> None:
    house, done = exported
    assert done.code == 0
    assert "3 incidents in PagerDuty, 3 in the ledger, 3 with a ticket, 1 restricted" in done.out
    assert "the counts agree" in done.out
    population = json.loads(file(house, "population.json").read_text())
    assert (population["reconciles"], population["foreign"]) == (True, [])


def test_a_trial_ticket_of_syncds_own_is_no_foreign_ticket_and_anybody_elses_is(
    exported: tuple[House, Said],
) -> None:
    house, _ = exported
    house.syncd("check", "--probe", "--yes")
    jira = house.world.jira
    (trial,) = [
        issue for issue in jira.site.issues.values() if issue.now.properties["syncd"]["kind"] == "probe"
    ]
    forged = jira.clone(trial.id, "Ines Carvalho")
    forged.now.properties.update(trial.now.properties)
    export(house, into="probed")
    population = json.loads((house.folder / "probed/population.json").read_text())
    assert population["foreign"] == [forged.key]


def test_each_incident_has_its_file_with_every_act_reason_and_hash(exported: tuple[House, Said]) -> None:
    house, _ = exported
    data = json.loads(file(house, "incidents/1.json").read_text())
    assert data["ticket"]["key"].startswith("OPS-")
    assert {"create_ticket", "link_note"} <= {operation["kind"] for operation in data["operations"]}
    assert all(operation["reason"] for operation in data["operations"])
    assert all(len(event["hash"]) == 64 for event in data["events"])
    assert "ticket.made" in file(house, "incidents/1.csv").read_text()
    listed = {each_file["name"] for each_file in manifest(house)["files"]}
    assert {"incidents/1.json", "incidents/1.csv", "incidents/2.json", "population.json"} <= listed


def test_restricted_incidents_are_a_count(exported: tuple[House, Said]) -> None:
    house, _ = exported
    assert manifest(house)["restricted"] == 1
    everything = "".join(path.read_text() for path in (house.folder / "out").rglob("*.*"))
    assert "Customer data leak" not in everything
    assert not file(house, "incidents/3.json").exists()


def test_an_export_is_verified_against_its_manifest_and_the_chain(exported: tuple[House, Said]) -> None:
    house, _ = exported
    whole = house.syncd("audit", "verify", "--export", "out")
    assert whole.code == 0
    assert whole.out.startswith("out: every file is as syncd wrote it; row ")
    sheet = file(house, "incidents/1.csv")
    sheet.write_text(sheet.read_text().replace("decided", "deluded"))
    result = house.syncd("audit", "verify", "--export", "out")
    assert (result.code, "incidents/1.csv was changed" in result.err) == (1, True)
    sheet.unlink()
    assert "incidents/1.csv is missing" in house.syncd("audit", "verify", "--export", "out").err


def test_a_forged_event_does_not_pass_even_with_a_forged_manifest(exported: tuple[House, Said]) -> None:
    from hashlib import sha256

    house, _ = exported
    incident_file, listed = file(house, "incidents/1.json"), manifest(house)
    data = json.loads(incident_file.read_text())
    data["events"][0]["hash"] = "0" * 64
    incident_file.write_text(json.dumps(data))
    for entry in listed["files"]:
        if entry["name"] == "incidents/1.json":
            entry["sha256"] = sha256(incident_file.read_bytes()).hexdigest()
    file(house, "manifest.json").write_text(json.dumps(listed))
    result = house.syncd("audit", "verify", "--export", "out")
    assert result.code == 1
    assert "incidents/1.json: the event of row" in result.err


def test_what_stands_on_one_side_only_is_named_and_the_export_says_by_how_much(house: House) -> None:
    house.trigger("Callbacks time out")
    assert house.syncd("run", "--once").code == 0
    house.trigger("Never read")
    house.world.jira.create("Ines Carvalho", "Made by hand", type="Incident")
    done = export(house)
    assert done.code == 1
    assert "#2 is not in the ledger" in done.out
    assert "is a ticket of no incident in the ledger" in done.out
    assert "the counts differ by 1" in done.out
    assert json.loads(file(house, "population.json").read_text())["reconciles"] is False


def test_its_figures_are_judged_again_without_a_ledger_and_without_a_service(house: House) -> None:
    first = house.trigger("Callbacks time out", priority="P3")
    assert house.syncd("run", "--once").code == 0
    house.world.pagerduty.resolve(first, "Amara Osei")
    assert house.syncd("run", "--once").code == 0
    assert export(house).code == 0
    assert export(house, "--offline", into="alone").code == 0
    house.set("SYNCD_STATE_DIR", str(house.folder / "elsewhere"))
    requests = house.world.journal.total()
    result = house.syncd("audit", "verify", "--export", "out", "--figures")
    assert (result.code, "0 DIFFERENT, 0 not verifiable" in result.out) == (0, True), result
    changed = json.loads(file(house, "incidents/1.json").read_text())
    assert changed["duties"]
    for duty in changed["duties"]:
        duty["due_at"] = "2027-01-01T00:00:00+00:00"
    file(house, "incidents/1.json").write_text(json.dumps(changed))
    result = house.syncd("audit", "verify", "--export", "out", "--figures")
    assert (result.code, "DIFFERENT: #1" in result.err) == (1, True), result
    result = house.syncd("audit", "verify", "--export", "alone", "--figures")
    assert (result.code, "it holds no facts: it was made with --offline" in result.err) == (1, True)
    assert house.world.journal.total() == requests


def test_offline_the_export_says_that_nobody_was_asked(exported: tuple[House, Said]) -> None:
    house, _ = exported
    done = export(house, "--offline", into="alone")
    assert done.code == 0
    assert "syncd asked no service (--offline), so incidents may be missing" in done.out


def test_a_folder_that_holds_something_and_a_turned_period_are_usage_errors(
    exported: tuple[House, Said],
) -> None:
    house, _ = exported
    assert export(house).code == 2
    result = house.syncd("audit", "export", "--from", TODAY, "--to", YESTERDAY, "--output", "other")
    assert (result.code, "--to is before --from" in result.err) == (2, True)
