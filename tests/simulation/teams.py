"""The teams of a simulation: their mappings, and the workflow of the second team's project."""

from __future__ import annotations

from typing import Any

from rig import SERVICES, mapping

from simulation.plan import SECOND_TEAM, Plan
from syncd.domain.mapping.mapping import Mapping
from syncd.sandbox.jira.workflow import Status

HEADS = ("tomasz.wojcik@qrpay.example", "elif.kaya@qrpay.example")
DIRECTOR = "karin.holt@qrpay.example"
OPERATOR = "ops@qrpay.example"
NOTICES = {"P1": HEADS, "P2": (DIRECTOR,)}
"""By priority, who gets a notice."""
OWN_STATUSES = (
    Status("20001", "To Do", "new"),
    Status("20002", "In Progress", "indeterminate"),
    Status("20003", "In Review", "indeterminate"),
    Status("20004", "Done", "done"),
)
"""The statuses of the second team's project: the same names as elsewhere, and other ids."""
_SEVERITIES: dict[str, Any] = {
    "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True, "notify": list(HEADS)},
    "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True, "notify": [DIRECTOR]},
    "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
    "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
}
_PAPERS: dict[str, Any] = {
    "postmortem": {"mode": "enforce", "after_minutes": 5},
    "follow_ups": {"mode": "enforce"},
}
"""Keys that a mapping switches on if a plan has postmortems."""


def mappings_of(plan: Plan) -> tuple[Mapping, ...]:
    """Return the mapping of each team of a plan."""
    keys: dict[str, Any] = {"severities": _SEVERITIES, "mails": {"mode": "enforce"}}
    if plan.papers:
        keys |= _PAPERS
    if not plan.two_teams:
        return (mapping(**keys),)
    first = {name: section for name, section in SERVICES.items() if name not in SECOND_TEAM}
    second: dict[str, Any] = {name: {} for name in SECOND_TEAM}
    return (
        mapping(**keys, services=first),
        mapping(**keys, team="Web", jira={"project": "ENG"}, services=second),
    )
