"""Evidence for auditors: one JSON and one CSV for each incident of a period, and a manifest over all files.

All data comes from the ledger (`syncd.ledger.views.evidence`), with the hash of every event, so that
`syncd audit verify` can compare each file with the chain. Restricted incidents are only counted.
"""

from __future__ import annotations

import csv
import io
import json
from hashlib import sha256
from typing import Any

from syncd.domain.text import csv_cell

Data = dict[str, Any]

MANIFEST = "manifest.json"
COLUMNS = ("at", "what", "detail", "state", "reason", "seq", "hash")


def as_json(data: Data) -> bytes:
    """Return a file's bytes; the same data always gives the same bytes."""
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def as_csv(data: Data) -> bytes:
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
    return out.getvalue().encode()


def manifest(files: dict[str, bytes], **about: Any) -> bytes:
    """Return the list of all files with their hashes; `about` describes the export."""
    listed = [
        {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    return as_json({**about, "files": listed})


def broken_files(manifest_text: bytes, read: Any) -> list[str]:
    """Return the files that differ from the manifest; `read` returns a file's bytes or None."""
    listed = json.loads(manifest_text)
    problems = []
    for file in listed["files"]:
        content = read(file["name"])
        if content is None:
            problems.append(f"{file['name']} is missing")
        elif sha256(content).hexdigest() != file["sha256"]:
            problems.append(f"{file['name']} was changed")
    return problems
