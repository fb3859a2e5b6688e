"""What the rules' tests are played by: two teams' rulebooks, one incident, its ticket, its people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident, Note, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind, Operation
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Account, Comment, Issue, Mark, Status
from syncd.policy.case import Case, Decision, Rulebook, TicketState

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

TO_DO = Status(id="10", name="To Do", category="new")
IN_PROGRESS = Status(id="3", name="In Progress", category="indeterminate")
IN_REVIEW = Status(id="4", name="In Review", category="indeterminate")
DONE = Status(id="5", name="Done", category="done")
WAITING = Status(id="77", name="Waiting for the bank", category="indeterminate")
WONT_DO = Status(id="78", name="Won't do", category="done")

ANA = Responder(id="U1", name="Ana", email="ana@qrpay.example")
BEN = Responder(id="U2", name="Ben", email="ben@qrpay.example")
CYD = Responder(id="U3", name="Cyd", email="cyd@qrpay.example")
PEOPLE = {
    "U1": Account(id="acc-ana", name="Ana"),
    "U2": Account(id="acc-ben", name="Ben"),
    "U3": None,
}
FALLBACK = Account(id="acc-fallback", name="Priya")
SOMEBODY = Account(id="acc-somebody", name="Somebody else")
SEVERITY_FIELD = "customfield_10050"

QRPAY: dict[str, Any] = {
    "team": "QRPay",
    "enforce_from": date(2026, 11, 1),
    "jira": {"project": "OPS", "fields": {"Severity": {"severity": True}}},
    "services": {
        "Alipay": {"component": "Alipay"},
        "BluBank": {"component": "BluBank"},
        "Web": {"severity": "SEV1"},
    },
    "severities": {
        "SEV0": {"pagerduty": "P1", "words": ["S0"], "priority": "Highest", "postmortem": True},
        "SEV1": {"pagerduty": "P2", "words": ["S1"], "priority": "High", "postmortem": True},
        "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
        "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
    },
    "severity_field": "impact",
    "closing": {"mode": "enforce"},
}
RAMEN: dict[str, Any] = {
    "team": "Ramen",
    "enforce_from": date(2026, 11, 1),
    "jira": {"project": "OPS"},
    "services": {"Payments": {}},
    "severities": {
        "Sev-1": {"pagerduty": "P1", "priority": "Highest", "postmortem": True},
        "Sev-2": {"pagerduty": "P2", "urgency": "high", "priority": "High"},
        "Sev-3": {"pagerduty": "P3", "urgency": "low", "priority": "Low"},
    },
}


def mapping(team: dict[str, Any] = QRPAY, **changes: Any) -> Mapping:
    """A team's mapping with some of its sections replaced."""
    return Mapping.model_validate(team | changes)


@cache
def project(edition: str = "cloud") -> ResolvedProject:
    """The project OPS in ids."""
    return ResolvedProject.model_validate(
        {
            "id": "1",
            "key": "OPS",
            "edition": edition,
            "incident_type": Reference(id="100", name="Incident"),
            "statuses": {
                "triggered": TO_DO,
                "acknowledged": IN_PROGRESS,
                "resolved": IN_REVIEW,
                "closed": DONE,
            },
            "priorities": {
                f"SEV{number}": Reference(id=str(number + 1), name=name)
                for number, name in enumerate(["Highest", "High", "Medium", "Low"])
            },
            "components": {
                "Alipay": Reference(id="71", name="Alipay"),
                "BluBank": Reference(id="72", name="BluBank"),
            },
            "fields": {"Severity": FieldFacts(id=SEVERITY_FIELD, name="Severity", type="option")},
        }
    )


def book(service: str = "Alipay", edition: str = "cloud", **changes: Any) -> Rulebook:
    """QRPay's rulebook for one of its services."""
    made = mapping(**changes)
    return Rulebook(mapping=made, section=made.services[service], project=project(edition))


def owned(owner: str, *names: str, service: str = "Alipay") -> Rulebook:
    """QRPay's rulebook where the named fields belong to `owner`."""
    jira = {**QRPAY["jira"], "owners": dict.fromkeys(names, owner)}
    return book(service, jira=jira)


def closing(mode: str) -> Rulebook:
    """QRPay's rulebook with closing in this mode."""
    return book(closing={"mode": mode})


def incident(**more: Any) -> Incident:
    """An incident of Alipay, SEV2 by its priority, assigned to Ana."""
    data: dict[str, Any] = {
        "id": "P1",
        "number": 17,
        "title": "Payments are late",
        "status": "triggered",
        "priority": Reference(id="PRIO3", name="P3"),
        "service": Reference(id="S1", name="Alipay"),
        "assignees": (ANA,),
        "created_at": NOW,
    }
    if more.get("status") == "resolved":
        data |= {"resolved_at": NOW, "assignees": ()}
    return Incident.model_validate(data | more)


def issue(**more: Any) -> Issue:
    """The ticket of `incident()` as the create made it and nobody touched it since."""
    data: dict[str, Any] = {
        "id": "10005",
        "key": "OPS-5",
        "project": "OPS",
        "type_id": "100",
        "status": TO_DO,
        "summary": "Payments are late",
        "priority": Reference(id="3", name="Medium"),
        "assignee": PEOPLE["U1"],
        "components": (Reference(id="71", name="Alipay"),),
        "fields": {SEVERITY_FIELD: {"value": "SEV2"}},
        "comments": (),
    }
    return Issue.model_validate(data | more)


AGREED: dict[str, Any] = {
    "state": "triggered",
    "summary": "Payments are late",
    "priority": "3",
    "component": "71",
    f"field:{SEVERITY_FIELD}": "SEV2",
    "assignee": "acc-ana",
}
"""What both sides agree on when `incident()` and `issue()` stand side by side."""


def ticket(shown: Issue | None = None, **more: Any) -> TicketState:
    """The ticket as the ledger knows it: everything agreed, standing where the daemon put it."""
    data: dict[str, Any] = {
        "issue_id": "10005",
        "key": "OPS-5",
        "agreed": AGREED,
        "placed_status": TO_DO.id,
        "issue": shown or issue(),
    }
    return TicketState.model_validate(data | more)


def case(happened: Incident | None = None, had: TicketState | None = None, **more: Any) -> Case:
    """All that is known: by default an incident and its ticket in full agreement, with its link note."""
    data: dict[str, Any] = {
        "incident": happened or incident(),
        "ticket": had or ticket(),
        "people": PEOPLE,
        "fallback": FALLBACK,
        "notes": (),
        "once": {"ticket/P1", "link-note/P1"},
    }
    return Case.model_validate(data | more)


def untracked(happened: Incident | None = None, **more: Any) -> Case:
    """An incident that was just seen for the first time."""
    return case(happened, **{"once": frozenset(), **more}).model_copy(update={"ticket": None})


def note(text: str, number: int = 1) -> Note:
    """A person's note."""
    return Note(id=f"N{number}", author=ANA, text=text, created_at=NOW)


def comment(body: str, number: int = 1, mark: Mark | None = None) -> Comment:
    """A person's comment, or one of a syncd's where it bears a mark."""
    return Comment(id=f"C{number}", author=SOMEBODY, body=body, created_at=NOW, mark=mark)


def of_kind(decision: Decision, *kinds: Kind) -> list[Operation]:
    """The operations of these kinds in a decision."""
    return [op for op in decision.operations if op.kind in kinds]


def edits(decision: Decision) -> dict[str, Any]:
    """The fields that a decision writes; nothing where it edits nothing."""
    written = [op.meaning["fields"] for op in of_kind(decision, Kind.EDIT_TICKET)]
    return {name: value for fields in written if isinstance(fields, dict) for name, value in fields.items()}


def said(decision: Decision) -> list[str]:
    """What a decision tells people on the ticket."""
    return [
        f"{op.meaning['subject']}: {op.meaning['text']} {op.meaning['value']}"
        for op in of_kind(decision, Kind.COMMENT_ON_TICKET)
    ]


def left(decision: Decision) -> list[tuple[str, str]]:
    """What a decision saw and left, with the reason."""
    return [(remark.rule, remark.reason) for remark in decision.remarks]
