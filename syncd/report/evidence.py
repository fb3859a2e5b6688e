"""Evidence for auditors: one JSON and one CSV for each incident of a period, and what proves them.

All data comes from the ledger. The export holds the rows of the audit trail from its incidents' first event
on, and a manifest over all files; the manifest's hash stands in the trail. So `syncd audit verify --export`
can prove the files with the ledger, and most of them without it (`syncd.report.export_check`). Restricted
incidents are only counted.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from syncd.domain.base import SERVICE_NAMES
from syncd.domain.text import BYTE_ORDER_MARK, csv_cell
from syncd.domain.trail.chain import Anchor, TrailRow, spelled
from syncd.ledger.database.connection import OneView
from syncd.ledger.views import audit_trail
from syncd.ledger.views.evidence import evidence_of, first_event, incidents_of
from syncd.ledger.views.report_state import last_reads

Data = dict[str, Any]

MANIFEST = "manifest.json"
TRAIL = "trail.jsonl"
POPULATION = "population.json"
COLUMNS = ("at", "what", "detail", "state", "reason", "seq", "hash")


@dataclass(frozen=True)
class Export:
    """The files of an export but the manifest, and what the manifest says about them.

    `ids` are its incidents. `read_until` is up to when (UTC) syncd had read both services for them.
    """

    files: dict[str, bytes]
    about: Data
    ids: tuple[str, ...]
    read_until: datetime

    def manifest(self) -> bytes:
        """Return the list of all files with their hashes, and what describes the export."""
        listed = [
            {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in sorted(self.files.items())
        ]
        return as_json({**self.about, "files": listed})


def build(
    view: OneView,
    since: datetime,
    until: datetime,
    population: Data,
    at: int | None = None,
    *,
    now: datetime | None = None,
) -> Export:
    """Return the evidence of the incidents created in [since, until).

    `population` is what the services count. `at` is the row of the trail with which the export ends (None:
    the last one): a later ledger builds an earlier export anew with it.
    """
    head = audit_trail.head(view)
    end: Anchor = head if at is None else (at, audit_trail.hash_at(view, at))
    incidents = incidents_of(view, since, until)
    # restricted incidents are only counted: an export leaves the machine
    exported = [incident for incident in incidents if not incident.restricted]
    files: dict[str, bytes] = {}
    for incident in exported:
        data = evidence_of(view, incident, end[0])
        files[f"incidents/{incident.number}.json"] = as_json(data)
        files[f"incidents/{incident.number}.csv"] = as_csv(data)
    first = first_event(view, (incident.id for incident in exported)) or end[0] + 1
    before: Anchor = (first - 1, audit_trail.hash_at(view, first - 1))
    files[TRAIL] = as_lines(audit_trail.rows_between(view, before[0], end[0]))
    files[POPULATION] = as_json({**population, "in_ledger": len(incidents)})
    about = {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "begins": spelled(before),
        "anchor": spelled(end),
        "incidents": len(exported),
        "restricted": len(incidents) - len(exported),
    }
    reads = last_reads(view, SERVICE_NAMES)
    read_until = min(reads.values(), default=now or until)
    return Export(files, about, tuple(incident.id for incident in exported), read_until)


def as_json(data: Data) -> bytes:
    """Return a file's bytes; the same data always gives the same bytes."""
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def as_lines(rows: Iterable[TrailRow]) -> bytes:
    """Return rows of the trail, one JSON object a line."""
    # ASCII: a line separator inside a text must not end the line
    return "".join(json.dumps(row._asdict(), ensure_ascii=True) + "\n" for row in rows).encode()


def as_csv(data: Mapping[str, Any]) -> bytes:
    """Return an incident's events as CSV, in the order of the audit trail."""
    operations = {operation["id"]: operation for operation in data["operations"]}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for event in data["events"]:
        operation = operations.get(event["operation"], {})
        details = event["data"]
        detail = details.get("kind") or details.get("duty") or details.get("rule") or ""
        reason = details.get("reason") or details.get("why") or operation.get("reason") or ""
        cells = (event["at"], event["kind"], detail, operation.get("state", ""), reason)
        # a spreadsheet must not read a title such as "=HYPERLINK(…)" as a formula
        writer.writerow([*(csv_cell(str(cell)) for cell in cells), event["seq"], event["hash"]])
    return f"{BYTE_ORDER_MARK}{out.getvalue()}".encode()
