"""The teams of a simulation: their mappings, and the workflow of the second team's project."""

from __future__ import annotations

from typing import Any

from rig import SERVICES, mapping

from simulation.plan import LEAK, SECOND_TEAM, Plan
from syncd.domain.mapping.mapping import Mapping
from syncd.sandbox.cast import CHANNEL, START
from syncd.sandbox.jira.workflow import Status

HEADS = ("tomasz.wojcik@qrpay.example", "elif.kaya@qrpay.example")
DIRECTOR = "karin.holt@qrpay.example"
LEAD = "amara.osei@qrpay.example"
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

EVERY = 120.0
"""Seconds from one update of people until the next one is owed, where there is a chat channel."""
_GAME_DAY = {
    "kind": "game_day",
    "mode": "enforce",
    "every": "quarter",
    "lead_days": 60,
    "owner": DIRECTOR,
}
"""A GameDay whose issue is due to be made from the first day on."""
FILE_WITHIN = 360.0
"""Seconds within which a restricted incident must be filed with a regulator."""
FILED = "filed-gdpr"
ENFORCED_FROM = START.date()
"""The first day of the rules where there is a chat channel."""


def _with_chat(plan: Plan) -> dict[str, Any]:
    """Return the keys of a mapping with a chat channel, a GameDay and a regulatory clock."""
    cadence = {"communications": {"first_minutes": EVERY / 60, "every_minutes": EVERY / 60}}
    return {
        "chat": {"mode": plan.chat, "channel": CHANNEL},
        "texts": {"chat": {"on": "update", "to": "chat", "template": "chat.txt.j2"}},
        "restricted": {
            "titles": [f"^{LEAK}"],
            "level": "Security incident",
            "lead": LEAD,
            "deputy": DIRECTOR,
            "clocks": {"gdpr": {"hours": FILE_WITHIN / 3600, "label": FILED}},
        },
        "recurring": {"Drill": _GAME_DAY},
        # the simulation plays on a Monday: as a holiday it stands for a weekend
        "holidays": [ENFORCED_FROM],
        "severities": {name: {**section, **cadence} for name, section in _SEVERITIES.items()},
        "enforce_from": ENFORCED_FROM,
    }


def mappings_of(plan: Plan) -> tuple[Mapping, ...]:
    """Return the mapping of each team of a plan."""
    keys: dict[str, Any] = {"severities": _SEVERITIES, "mails": {"mode": "enforce"}}
    if plan.papers:
        keys |= _PAPERS
    if plan.chat != "off":
        keys |= _with_chat(plan)
    if not plan.two_teams:
        return (mapping(**keys),)
    first = {name: section for name, section in SERVICES.items() if name not in SECOND_TEAM}
    second: dict[str, Any] = {name: {} for name in SECOND_TEAM}
    return (
        mapping(**keys, services=first),
        mapping(**keys, team="Web", jira={"project": "ENG"}, services=second),
    )
