"""A quarter at QRPay out of a seed: incidents, duties, action items as they would stand in a ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cheap_ledgers import put_empty_ledger
from ledger_reading import ActionItemRow, DutyRow, IncidentRow, PostmortemRow, TicketRow, put

from syncd.config.mapping.load import load_mappings
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping.mapping import Mapping
from syncd.ledger.open import Ledger, open_for_work

__all__ = ["put"]
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEMPLATES = Templates()
MAPPINGS: tuple[Mapping, ...] = tuple(
    mapping.model_copy(update={"zone": "UTC"}) for mapping in load_mappings(shipped("mappings"), TEMPLATES)
)
NAMES = ("Amara Osei", "Jonas Lindqvist", "Mei Tanaka", "Priya Raman")
SUMMARIES = ("Alert on the age of the queue", '=HYPERLINK("http://x.example")', "Retry <b>with</b> jitter")


@contextmanager
def ledger(folder: Path) -> Iterator[Ledger]:
    """An empty ledger of three months ago."""
    put_empty_ledger(folder / "syncd.db")
    made = open_for_work(f"sqlite:///{folder / 'syncd.db'}", "the test", NOW - timedelta(days=100))
    try:
        yield made
    finally:
        made.close()


def incident(number: int, **changes: Any) -> IncidentRow:
    """Return a resolved SEV2 of last Wednesday at QRPay; `service` names its service."""
    at = changes.pop("created_at", datetime(2026, 11, 18, 10, 0, tzinfo=UTC))
    service = changes.pop("service", "Alipay Integration")
    values: dict[str, Any] = {
        "id": f"P{number}",
        "number": number,
        "service_id": "S1",
        "team": "QRPay",
        "severity": "SEV2",
        "status": "resolved",
        "created_at": at,
        "acknowledged_at": at + timedelta(minutes=4),
        "resolved_at": at + timedelta(minutes=24),
        "first_seen_at": at,
        "read_seq": number,
    }
    row = IncidentRow(**(values | changes))
    row.snapshot = Incident(
        id=row.id,
        number=row.number,
        title="Latency",
        status=IncidentStatus(row.status),
        service=Reference(id="S1", name=service),
        created_at=row.created_at,
        resolved_at=row.resolved_at,
        merged_into=row.merged_into,
    ).model_dump(mode="json")
    return row


def duty(of: IncidentRow, kind: str, state: str, due_at: datetime, **changes: Any) -> DutyRow:
    """A duty of an incident, or of an action item by `subject`."""
    values: dict[str, Any] = {
        "incident_id": of.id,
        "kind": kind,
        "subject": of.id,
        "state": state,
        "started_at": of.resolved_at or of.created_at,
        "due_at": due_at,
        "reason": "resolved",
    }
    return DutyRow(**(values | changes))


def item(of: IncidentRow, ident: str, **changes: Any) -> ActionItemRow:
    """An action item of Amara's."""
    values: dict[str, Any] = {
        "issue_id": ident,
        "incident_id": of.id,
        "key": f"OPS-{ident}",
        "project": "OPS",
        "source": "subtask",
        "snapshot": {
            "summary": "Alert on the age of the queue",
            "status": {"name": "To Do"},
            "assignee": {"name": "Amara Osei", "active": True},
        },
        "first_seen_at": of.resolved_at or of.created_at,
    }
    return ActionItemRow(**(values | changes))


def postmortem(of: IncidentRow, ident: str, **changes: Any) -> PostmortemRow:
    """The postmortem of an incident."""
    values: dict[str, Any] = {
        "incident_id": of.id,
        "issue_id": ident,
        "key": f"OPS-{ident}",
        "project": "OPS",
        "origin": "made",
        "created_at": of.resolved_at or of.created_at,
    }
    return PostmortemRow(**(values | changes))


def quarter(made: Ledger, seed: int, count: int = 80) -> None:
    """Fill a ledger with thirteen weeks out of a seed."""
    rng = random.Random(seed)
    put(made, *(row for number in range(1, count + 1) for row in _life(rng, number)))


def _life(rng: random.Random, number: int) -> Iterator[Any]:
    at = NOW - timedelta(days=rng.uniform(0, 95))
    resolved = at + timedelta(minutes=rng.expovariate(1 / 40)) if rng.random() < 0.95 else None
    severity = rng.choice(["SEV0", "SEV1", "SEV2", "SEV2", "SEV3", "SEV3"])
    made = incident(
        number,
        created_at=at,
        severity=severity,
        assumed=rng.random() < 0.2,
        acknowledged_at=at + timedelta(minutes=rng.expovariate(1 / 4)) if rng.random() < 0.9 else None,
        resolved_at=resolved,
        status="resolved" if resolved else "triggered",
        restricted=rng.random() < 0.05,
        noise_rule="flapping" if rng.random() < 0.03 else None,
        merged_into="P1" if number > 1 and rng.random() < 0.05 else None,
    )
    yield made
    if made.noise_rule is None:
        yield TicketRow(
            incident_id=made.id,
            issue_id=str(number),
            key=f"OPS-{number}",
            project="OPS",
            origin="operation",
            created_at=at,
        )
    if severity == "SEV3" or resolved is None:
        return
    yield PostmortemRow(
        incident_id=made.id,
        issue_id=str(1000 + number),
        key=f"OPS-{1000 + number}",
        project="OPS",
        origin="operation",
        snapshot={"assignee": {"name": rng.choice(NAMES), "active": True}},
        created_at=resolved,
    )
    for kind, hours in (("scheduled", 48), ("completed", 336)):
        yield _fate(rng, made, kind, resolved + timedelta(hours=hours))
    for nth in range(rng.randint(0, 2)):
        ident = str(5000 + 3 * number + nth)
        left = rng.random() < 0.1
        owner = {"name": rng.choice(NAMES), "active": not left} if rng.random() < 0.85 else None
        snapshot = {
            "summary": rng.choice(SUMMARIES),
            "status": {"name": "In Progress"},
            "assignee": owner,
        }
        yield item(made, ident, snapshot=snapshot, facts={"postponed": rng.randint(0, 2)})
        yield _fate(rng, made, "owned", resolved + timedelta(days=1), subject=ident)
        yield _fate(rng, made, "done", resolved + timedelta(days=30), subject=ident)


def _fate(rng: random.Random, row: IncidentRow, kind: str, due: datetime, **more: Any) -> DutyRow:
    if due > NOW:
        return duty(row, kind, "pending", due, **more)
    state = rng.choices(
        ["met", "met_late", "breached", "waived", "cancelled", "pending"], [80, 8, 6, 2, 3, 1]
    )[0]
    met = {"met": due - timedelta(hours=3), "met_late": due + timedelta(hours=5)}.get(state)
    breached = due if state in ("met_late", "breached") else None
    corrected = "wrong clock" if state == "breached" and rng.random() < 0.2 else None
    return duty(row, kind, state, due, met_at=met, breached_at=breached, corrected=corrected, **more)
