"""Evidence for auditors: one JSON and one CSV for each incident of a period, and a manifest over all files.

What stands there comes from the ledger alone (`syncd.ledger.views.evidence`), with the hash of every event,
so that `syncd audit verify` can hold each file against the chain. Restricted incidents are a count.
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
    """The one spelling of a file, so that the same ledger gives the same bytes."""
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def as_csv(data: Data) -> bytes:
    """An incident's events as lines in the order of the record."""
    reasons = {one["id"]: one for one in data["operations"]}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for event in data["events"]:
        operation = reasons.get(event["operation"], {})
        said = event["data"]
        detail = said.get("kind") or said.get("duty") or said.get("rule") or ""
        reason = said.get("reason") or said.get("why") or operation.get("reason") or ""
        cells = (event["at"], event["kind"], detail, operation.get("state", ""), reason)
        writer.writerow([*(csv_cell(str(one)) for one in cells), event["seq"], event["hash"]])
    return out.getvalue().encode()


def manifest(files: dict[str, bytes], **about: Any) -> bytes:
    """The list of all files with their hashes, and what the export is about."""
    listed = [
        {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    return as_json({**about, "files": listed})


def broken_files(manifest_text: bytes, read: Any) -> list[str]:
    """What of an export is not as its manifest says; `read` returns a file's bytes, None where it is gone."""
    said = json.loads(manifest_text)
    problems = []
    for one in said["files"]:
        content = read(one["name"])
        if content is None:
            problems.append(f"{one['name']} is missing")
        elif sha256(content).hexdigest() != one["sha256"]:
            problems.append(f"{one['name']} was changed")
    return problems
