"""A team with rules for restricted incidents, and what tests of them ask a rig."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger_reading import AuditEventRow, rows
from rig import SERVICES, Rig, mapping

from engine.cast import issue_of
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.sandbox.jira.model import Project

CANARY = "KANARIENVOGEL"


RULES: dict[str, Any] = {
    "level": "Security incident",
    "titles": [r"\bPII\b"],
    "incident_types": ["security_incident"],
    "services": ["Yoomonea Service"],
    "lead": "elif.kaya@qrpay.example",
}


SEVERITIES: dict[str, Any] = {
    "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True, "restricted": True},
    "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True},
    "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
    "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
}


def project(rig: Rig, key: str = "OPS") -> Project:
    site_project = rig.world.jira.site.project(key)
    assert site_project is not None
    return site_project


def secured(rig: Rig, number: int = 1) -> str | None:
    level = issue_of(rig, number)["fields"]["security"]
    return level["name"] if level else None


def events(rig: Rig, kind: str) -> list[str]:
    return [row.text for row in rows(rig.ledger, AuditEventRow) if row.kind == kind]


def left(rig: Rig) -> list[int | None]:
    """The operations in the order in which they left."""
    return [row.operation_id for row in rows(rig.ledger, AuditEventRow) if row.kind == "operation.leaves"]


def careful_rigs(make_rig: Any) -> Callable[..., Rig]:
    """Rigs with rules for restricted incidents, after a first quiet cycle."""

    def make(preset: Callable[[Any], None] = lambda _world: None, **rules: Any) -> Rig:
        team = mapping(restricted={**RULES, **rules}, severities=SEVERITIES, services=SERVICES)
        rig: Rig = make_rig(mappings=(team,), preset=preset, renderer=TicketRenderer(Templates()))
        rig.cycle()
        return rig

    return make


def hidden(rig: Rig) -> None:
    """The canary stands in no byte of the ledger, and in nothing that commands read there."""
    assert CANARY.encode() not in ledger_bytes(rig)


def with_level(rig: Rig) -> None:
    """Our account may set the level from now on, and an hour has passed since it was looked up."""
    rig.world.jira.site.project("OPS").denied.discard("SET_ISSUE_SECURITY")
    rig.settle(2)
    rig.world.advance(3700)
    rig.loop.slow()
    rig.settle(6)


def without_level(world: Any) -> None:
    """Our account may set no level."""
    world.jira.site.project("OPS").denied.add("SET_ISSUE_SECURITY")


def ledger_bytes(rig: Rig) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(rig.folder.glob(f"{rig.name}*")) if path.is_file())
