"""Evidence for auditors: one JSON and one CSV for each incident of a period, and a manifest over all files.

What stands there comes from the ledger alone, with the hash of every event, so that `syncd audit verify`
can hold each file against the chain. Restricted incidents are a count.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from syncd.domain.text import csv_cell
from syncd.ledger.store.tables import (
    ActionItemRow,
    AuditEventRow,
    DutyRow,
    IncidentRow,
    OperationRow,
    PostmortemRow,
    TicketRow,
    WaiverRow,
)

Data = dict[str, Any]

MANIFEST = "manifest.json"
COLUMNS = ("at", "what", "detail", "state", "reason", "seq", "hash")


def incidents_of(session: Session, since: datetime, until: datetime) -> tuple[list[IncidentRow], int]:
    """The incidents of mapped services created in [since, until), and how many of all are restricted."""
    query = select(IncidentRow).where(
        col(IncidentRow.created_at) >= since,
        col(IncidentRow.created_at) < until,
        col(IncidentRow.team).is_not(None),
    )
    rows = session.exec(query.order_by(col(IncidentRow.number))).all()
    return [row for row in rows if not row.restricted], sum(row.restricted for row in rows)


def evidence(session: Session, row: IncidentRow) -> Data:
    """Everything on record about one incident: what it was, what was owed, every automatic act and why."""
    ticket, postmortem = session.get(TicketRow, row.id), session.get(PostmortemRow, row.id)
    return {
        "incident": {
            "id": row.id,
            "number": row.number,
            "title": row.snapshot.get("title", ""),
            "team": row.team,
            "service": (row.snapshot.get("service") or {}).get("name"),
            "severity": row.severity,
            "severity_assumed": row.assumed,
            "severities": row.spells,
            "status": row.status,
            "created_at": _iso(row.created_at),
            "acknowledged_at": _iso(row.acknowledged_at),
            "resolved_at": _iso(row.resolved_at),
            "first_seen_at": _iso(row.first_seen_at),
            "merged_into": row.merged_into,
            "noise_rule": row.silence,
        },
        "ticket": _paper(ticket, "origin", "created_at") if ticket else None,
        "postmortem": _paper(postmortem, "origin", "created_at") if postmortem else None,
        "duties": [_plain(one, "id", "incident_id") for one in _all(session, DutyRow, row.id)],
        "waivers": [_plain(one, "id", "incident_id") for one in _all(session, WaiverRow, row.id)],
        "action_items": [
            {**_paper(one, "source", "first_seen_at", "ended_at", "facts"), **_owner(one)}
            for one in _all(session, ActionItemRow, row.id)
        ],
        "operations": [
            {
                name: _value(getattr(one, name))
                for name in (
                    *("id", "op", "kind", "target", "state", "reason", "mapping_version", "attempts"),
                    *("remote_id", "decided_at", "claimed_at", "finished_at"),
                )
            }
            for one in _all(session, OperationRow, row.id)
        ],
        "events": [
            {
                "seq": one.seq,
                "at": _iso(one.at),
                "kind": one.kind,
                "operation": one.operation_id,
                "data": json.loads(one.text),
                "hash": one.hash,
            }
            for one in _events(session, row.id)
        ],
    }


def _events(session: Session, incident: str) -> Iterator[AuditEventRow]:
    query = select(AuditEventRow).where(AuditEventRow.incident_id == incident)
    yield from session.exec(query.order_by(col(AuditEventRow.seq)))


def _all(session: Session, table: Any, incident: str) -> list[Any]:
    return list(session.exec(select(table).where(table.incident_id == incident)).all())


def _paper(row: Any, *names: str) -> Data:
    status = ((row.snapshot or {}).get("status") or {}).get("name")
    found: Data = {"key": row.key, "issue_id": row.issue_id, "status": status}
    return found | {name: _value(getattr(row, name)) for name in names}


def _owner(row: ActionItemRow) -> Data:
    snapshot = row.snapshot or {}
    return {
        "summary": snapshot.get("summary"),
        "owner": (snapshot.get("assignee") or {}).get("name"),
        "due": snapshot.get("due_date"),
    }


def _plain(row: SQLModel, *left_out: str) -> Data:
    names = [name for name in type(row).model_fields if name not in left_out]
    return {name: _value(getattr(row, name)) for name in names}


def _value(value: Any) -> Any:
    return _iso(value) if isinstance(value, datetime) else value


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


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


def foreign_events(session: Session, data: Data) -> list[int]:
    """The events of an incident's file that the ledger does not have so."""
    known = {one.seq: one.hash for one in _events(session, data["incident"]["id"])}
    return [event["seq"] for event in data["events"] if known.get(event["seq"]) != event["hash"]]
