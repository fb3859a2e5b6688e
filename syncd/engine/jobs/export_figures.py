"""The figures in an export for auditors: the reports' rows, and the facts on which the second judge decides.

`facts/NUMBER.json` has the facts of an incident as both services told them at the export, with accounts as
hashes under a salt that nobody keeps, and without names and texts. `figures/WEEK-TEAM.json` has the rows of a
report that was sent. So `syncd audit verify --export DIR --figures` judges again without a service and
without a ledger. Restricted incidents have no facts.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from syncd.domain.duty import OF_POSTMORTEM
from syncd.engine.jobs.verify_facts import Reader
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.snapshots import is_restricted
from syncd.ledger.store.weekly_reports import ReportRun, report_runs
from syncd.ledger.views.report_facts import DutyMark
from syncd.remote.http.lanes import slow_lane
from syncd.report.evidence import as_json
from syncd.report.weekly.counting import met_of, verdict
from syncd.report.weekly.formats import file_slug
from syncd.verify.compare import Line, Material, Outcome, compare, restricted, unverifiable
from syncd.verify.without_names import without_names

Data = dict[str, Any]

FACTS, FIGURES = "facts/", "figures/"
_OF_A_ROW = ("team", "incident", "number", "duty", "clock", "key", "verdict", "due_at", "why_not_judged")
"""The columns of a report's row that the second judge needs; none of them names a person."""


def files_of(
    ledger: Transactions,
    reader: Reader,
    exported: Iterable[str],
    period: tuple[datetime, datetime],
    read_until: datetime,
) -> dict[str, bytes]:
    """Return the reports of a period (UTC), and the facts of their incidents and of the `exported` ones.

    `read_until` is up to when syncd had read both services when the incidents' files were made: what happened
    later is not on record there. Raise `RemoteError` where a service cannot answer.
    """
    salt = secrets.token_hex(32)
    files: dict[str, bytes] = {}
    named: set[str] = set()
    for run in report_runs(ledger, *period):
        rows = [_row(ledger, row) for row in run.rows if row["table"] == "duty"]
        named |= {row["incident"] for row in rows if row.get("incident")}
        files[f"{FIGURES}{run.week}-{file_slug(run.team)}.json"] = as_json(_report(run, rows))
    with slow_lane():
        for incident in sorted({*exported, *named}):
            material = reader.material(incident)
            data: Data = {"incident": incident, "at": read_until.isoformat()}
            if isinstance(material, str):
                data["unreadable"] = "syncd could not read it"
            else:
                shown = without_names(material, salt)
                data["material"] = shown.model_dump(mode="json", exclude_defaults=True)
            files[f"{FACTS}{incident}.json"] = as_json(data)
    return files


def _row(ledger: Transactions, row: Data) -> Data:
    """Return a row without people; of an incident that is restricted by now, without the incident."""
    incident = row.get("incident")
    if not incident or is_restricted(ledger, incident):
        return {name: row[name] for name in ("team", "duty", "verdict")}
    return {name: row.get(name) for name in _OF_A_ROW}


def _report(run: ReportRun, rows: list[Data]) -> Data:
    return {
        "team": run.team,
        "week": run.week,
        "begins": run.begins.isoformat(),
        "ends": run.ends.isoformat(),
        "made_at": run.made_at.isoformat(),
        "met": run.figures["met"],
        "of": run.figures["of"],
        "rows": rows,
    }


@dataclass
class CheckedFigures:
    """The result of judging an export again: every row, and what is wrong with the export itself."""

    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True if nothing differs and nothing is missing."""
        return not self.problems and not any(line.outcome is Outcome.DIFFERENT for line in self.lines)


class FiguresCheck:
    """Judges an export's figures again; `read` returns a file's bytes, or None; `names` are its files."""

    def __init__(self, read: Callable[[str], bytes | None], names: Iterable[str]) -> None:
        self._read, self._names = read, sorted(names)
        self.result = CheckedFigures()
        self._facts: dict[str, tuple[Material | str, datetime]] = {}

    def run(self) -> CheckedFigures:
        """Return the comparison of all rows of the reports, and of all duties of the incidents."""
        result = self.result
        incidents = [name for name in self._names if _is_json(name, "incidents/")]
        for name in self._names:
            if _is_json(name, FACTS):
                self._checked(name, self._take)
        if not self._facts and incidents:
            result.problems.append("it holds no facts: it was made with --offline, or its facts were removed")
            return result
        for name in self._names:
            if _is_json(name, FIGURES):
                self._checked(name, self._report)
        for name in incidents:
            self._checked(name, self._incident)
        return result

    def _checked(self, name: str, check: Callable[[Data, str], None]) -> None:
        try:
            check(json.loads((self._read(name) or b"").decode()), name)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            self.result.problems.append(f"{name} is damaged: {type(error).__name__}")

    def _take(self, data: Data, name: str) -> None:
        at = datetime.fromisoformat(data["at"])
        if "unreadable" in data:
            self._facts[data["incident"]] = str(data["unreadable"]), at
            return
        material = Material.model_validate(data["material"])
        if material.incident != data["incident"] or name != f"{FACTS}{material.incident}.json":
            raise ValueError("of another incident")
        self._facts[material.incident] = material, at

    def _report(self, data: Data, name: str) -> None:
        rows: list[Data] = [{"table": "duty", **row} for row in data["rows"]]
        if met_of(rows) != (data["met"], data["of"]):
            met, of = met_of(rows)
            self.result.problems.append(
                f"{name} says {data['met']} of {data['of']}, but its rows count {met} of {of}"
            )
        bounds = datetime.fromisoformat(data["begins"]), datetime.fromisoformat(data["ends"])
        made_at = datetime.fromisoformat(data["made_at"])
        self.result.lines += [restricted(row) for row in rows if not row.get("incident")]
        beside = {
            incident
            for incident, (material, _) in self._facts.items()
            if isinstance(material, Material) and data["team"] in (None, material.team)
        }
        for incident in sorted({row["incident"] for row in rows if row.get("incident")} | beside):
            of_incident = [row for row in rows if row.get("incident") == incident]
            self._compare(incident, of_incident, bounds, made_at, name)

    def _incident(self, data: Data, name: str) -> None:
        ident = str(data["incident"]["id"])
        begins = datetime.fromisoformat(data["incident"]["created_at"])
        if ident not in self._facts:
            self.result.problems.append(f"{name}: the facts of {ident} are missing")
            return
        at = self._facts[ident][1]
        self._compare(ident, list(_rows_of(data, at)), (begins, at), at, name)

    def _compare(
        self,
        incident: str,
        rows: Sequence[Data],
        bounds: tuple[datetime, datetime],
        made_at: datetime,
        name: str,
    ) -> None:
        if incident not in self._facts:
            self.result.problems.append(f"{name}: the facts of {incident} are missing")
            return
        material, _ = self._facts[incident]
        if isinstance(material, str):
            self.result.lines += [unverifiable(row, material) for row in rows]
        else:
            self.result.lines += compare(material, rows, bounds, made_at)


def _is_json(name: str, folder: str) -> bool:
    return name.startswith(folder) and name.endswith(".json")


def _rows_of(data: Data, at: datetime) -> Iterator[Data]:
    """Yield the duties of an incident's file as a report has them."""
    incident, postmortem = data["incident"], data["postmortem"]
    keys = {item["issue_id"]: item["key"] for item in data["action_items"]}
    for duty in data["duties"]:
        of_postmortem = duty["kind"] in OF_POSTMORTEM
        mark = DutyMark(
            due_at=datetime.fromisoformat(duty["due_at"]),
            state=duty["state"],
            breached_at=datetime.fromisoformat(duty["breached_at"]) if duty["breached_at"] else None,
            restricted=False,
        )
        yield {
            "team": incident["team"],
            "incident": incident["id"],
            "number": incident["number"],
            "duty": duty["kind"],
            "clock": duty["clock"],
            "key": (postmortem or {}).get("key") if of_postmortem else keys.get(duty["subject"]),
            "due_at": duty["due_at"],
            "verdict": verdict(mark, at),
        }
