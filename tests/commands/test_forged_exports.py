"""A forged export does not pass, with the ledger or without it; damage is named with file and place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from commandline import House, Said

from syncd.ledger.database import room
from syncd.sandbox.cast import START

DAYS = ("--from", f"{START - timedelta(days=1):%Y-%m-%d}", "--to", f"{START:%Y-%m-%d}")
Forgery = Callable[["Exported"], None]


@dataclass
class Exported:
    """A house with an export of three incidents, one of them resolved with duties and one restricted."""

    house: House
    folder: Path

    def verify(self, *more: str) -> Said:
        return self.house.syncd("audit", "verify", "--export", self.folder.name, *more)

    def without_ledger(self, *more: str) -> Said:
        """Verify where there is no ledger, as an auditor does."""
        self.house.set("SYNCD_STATE_DIR", str(self.house.folder / "elsewhere"))
        try:
            return self.verify(*more)
        finally:
            self.house.unset("SYNCD_STATE_DIR")

    def change(self, name: str, change: Callable[[Any], None]) -> None:
        """Change a JSON file, and its CSV with it."""
        from syncd.report.evidence import as_csv

        file = self.folder / name
        data = json.loads(file.read_text())
        change(data)
        file.write_text(json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        if name.startswith("incidents/"):
            file.with_suffix(".csv").write_bytes(as_csv(data))

    def fit(self, **about: Any) -> None:
        """Make the manifest fit the files as they are."""
        file = self.folder / "manifest.json"
        data = json.loads(file.read_text())
        paths = [path for path in self.folder.rglob("*") if path.is_file() and path != file]
        data["files"] = [
            {
                "name": str(path.relative_to(self.folder)),
                "bytes": path.stat().st_size,
                "sha256": sha256(path.read_bytes()).hexdigest(),
            }
            for path in sorted(paths)
        ]
        file.write_text(json.dumps(data | about))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that keeps the ledger and the export, which take longer to make than to test."""
    return tmp_path_factory.mktemp("exported")


@pytest.fixture
def exported(house: House, kept: Path) -> Exported:
    if not any(kept.iterdir()):
        _live(house)
        shutil.copytree(house.folder, kept, dirs_exist_ok=True)
    else:
        shutil.copytree(kept, house.folder, dirs_exist_ok=True)
    return Exported(house, house.folder / "out")


def _live(house: House) -> None:
    first = house.trigger("Callbacks time out", priority="P3")
    house.trigger("Second one", priority="P4")
    house.trigger("Customer data leak", priority="P1")
    assert house.syncd("run", "--once").code == 0
    house.world.pagerduty.resolve(first, "Amara Osei")
    assert house.syncd("run", "--once").code == 0
    assert export(house, "out").code == 0


def export(house: House, into: str) -> Said:
    return house.syncd("audit", "export", *DAYS, "--output", into, "--offline")


def title(exported: Exported) -> None:
    exported.change("incidents/1.json", lambda data: data["incident"].update(title="All was well"))


def severity(exported: Exported) -> None:
    exported.change("incidents/1.json", lambda data: data["incident"].update(severity="SEV3"))


def duty(exported: Exported) -> None:
    exported.change("incidents/1.json", lambda data: data["duties"][0].update(state="met"))


def deadline(exported: Exported) -> None:
    exported.change(
        "incidents/1.json", lambda data: data["duties"][0].update(due_at="2027-01-01T00:00:00+00:00")
    )


def half_of_the_events(exported: Exported) -> None:
    exported.change("incidents/1.json", lambda data: data.update(events=data["events"][::2]))


def an_operation(exported: Exported) -> None:
    exported.change("incidents/1.json", lambda data: data["operations"].pop())


def an_incident(exported: Exported) -> None:
    for ending in ("json", "csv"):
        (exported.folder / f"incidents/2.{ending}").unlink()
    exported.change("population.json", lambda data: data.update(in_ledger=2))
    exported.fit(incidents=1)


def a_row(exported: Exported) -> None:
    trail = exported.folder / "trail.jsonl"
    lines = trail.read_text().splitlines(keepends=True)
    trail.write_text("".join(lines[:3] + lines[4:]))


def the_end(exported: Exported) -> None:
    trail = exported.folder / "trail.jsonl"
    trail.write_text("".join(trail.read_text().splitlines(keepends=True)[:-5]))


FORGERIES: dict[Forgery, str] = {
    severity: "severity is 'SEV3', but the rows tell",
    duty: "is met, but the rows tell that it is",
    deadline: "due_at of the duty",
    half_of_the_events: "the event of row",
    an_operation: "is missing",
    an_incident: "incident #2 of the period has no file",
    a_row: "is missing",
    the_end: "is missing",
}


def test_an_export_is_proven_by_the_row_that_holds_its_manifest(exported: Exported) -> None:
    verdict = exported.verify()
    assert (verdict.code, verdict.err) == (0, "")
    assert "every file is as syncd wrote it; row " in verdict.out


def test_without_a_ledger_an_export_is_proven_as_far_as_its_events_carry(exported: Exported) -> None:
    verdict = exported.without_ledger()
    assert (verdict.code, verdict.err) == (0, "")
    assert "are an unbroken chain" in verdict.out
    assert "of 2 incidents are as these rows tell" in verdict.out
    assert "not proven without the ledger or a later export: titles" in verdict.out
    assert "not proven without an anchor" in verdict.out
    anchor = json.loads((exported.folder / "manifest.json").read_text())["anchor"]
    verdict = exported.without_ledger("--anchor", anchor)
    assert (verdict.code, "not proven without an anchor" in verdict.out) == (0, False)
    verdict = exported.without_ledger("--anchor", anchor[:-1] + ("0" if anchor[-1] != "0" else "1"))
    assert (verdict.code, "its hash differs from the anchor" in verdict.err) == (1, True)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_with_a_manifest_made_to_fit_is_found_and_named(exported: Exported, forge: Forgery) -> None:
    forge(exported)
    exported.fit()
    alone, beside = exported.without_ledger(), exported.verify()
    assert (alone.code, beside.code) == (1, 1)
    assert FORGERIES[forge] in alone.err
    assert FORGERIES[forge] in beside.err
    assert "fault in syncd" not in alone.err + beside.err


def test_a_changed_title_is_named_by_the_ledger_or_by_a_later_export(exported: Exported) -> None:
    assert export(exported.house, "later").code == 0
    confirmed = exported.without_ledger("--export", "later")
    assert confirmed.code == 0
    assert "of another export's trail holds the hash of this manifest" in confirmed.out
    title(exported)
    exported.fit()
    verdict = exported.verify()
    assert verdict.code == 1
    assert "no row of the audit trail holds the hash of this manifest" in verdict.err
    assert 'incident.title is "All was well" in the file, "Callbacks time out" in the ledger' in verdict.err
    unconfirmed = exported.without_ledger("--export", "later").out
    assert "out: not proven without the ledger or a later export: titles" in unconfirmed


def test_an_export_whose_row_is_lost_is_built_anew_from_the_ledger(exported: Exported) -> None:
    house = exported.house
    assert house.syncd("backup").code == 0
    assert export(house, "again").code == 0
    assert house.syncd("restore", "--yes").code == 0
    result = house.syncd("audit", "verify", "--export", "again")
    assert (result.code, "built anew from the ledger, every file is the same" in result.out) == (0, True), (
        result
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", b"{", "manifest.json is damaged: no JSON at line 1"),
        ("manifest.json", b"\xff", "manifest.json is damaged: it is not UTF-8 at byte 0"),
        ("manifest.json", b"[]", "manifest.json is damaged: it has no from"),
        ("manifest.json", None, "manifest.json is missing"),
        ("trail.jsonl", b"{}\n", "trail.jsonl is damaged at line 1"),
        ("trail.jsonl", None, "trail.jsonl is missing"),
        ("incidents/1.json", b'{"incident": {}}', "incidents/1.json is damaged: it has no duties"),
        ("incidents/1.json", b'{"inci', "incidents/1.json is damaged: no JSON at line 1"),
        ("population.json", b"null", "population.json is damaged"),
        ("extra.json", b"{}", "extra.json does not stand in the manifest"),
    ],
)
def test_damage_is_named_with_file_and_place(
    exported: Exported, name: str, content: bytes | None, words: str
) -> None:
    file = exported.folder / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    for verdict in (exported.verify(), exported.without_ledger()):
        assert (verdict.code, words in verdict.err) == (1, True), verdict.err
        assert "fault in syncd" not in verdict.err


def test_all_that_is_exported_is_ours_alone(exported: Exported) -> None:
    paths = list(exported.folder.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (exported.folder, *paths) if path.is_dir()} == {0o700}
    house = exported.house
    assert house.syncd("report", "--output", "reports").code == 0
    reports = house.folder / "reports"
    assert {path.stat().st_mode & 0o777 for path in reports.iterdir()} == {0o600}
    assert reports.stat().st_mode & 0o777 == 0o700


def test_on_a_full_disk_no_half_export_stays_and_the_trail_tells_of_none(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = exported.house
    before = house.syncd("audit", "verify", "--json").json["head"]
    usage = shutil.disk_usage(house.folder)
    with monkeypatch.context() as full:
        full.setattr(room.shutil, "disk_usage", lambda _path: usage._replace(free=10))
        done = export(house, "more")
    assert done.code == 1
    assert done.err.startswith("no space left on ")
    assert "for the export (needs 0." in done.err
    assert [path.name for path in house.folder.glob("more*")] == []
    assert house.syncd("audit", "verify", "--json").json["head"] == before
