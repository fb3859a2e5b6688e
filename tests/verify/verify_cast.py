"""Incidents, postmortems and action items for the second judge, written as hours after a Monday 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from syncd.domain.duty import DutyKind, Waiver
from syncd.domain.history import Change, SeverityPeriod, StateChange
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account, Comment
from syncd.verify.facts import (
    Correction,
    Decisions,
    IncidentFacts,
    IssueFacts,
    ItemFacts,
    Judged,
    Leaving,
    People,
    RulesLoaded,
)
from syncd.verify.judge import judge

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DONE, OPEN = "done-id", "open-id"
DAY = 24.0
SYNCD, ROBOT, SECOND_ROBOT, APP = "syncd", "robot", "second robot", "app"
MACHINES = (ROBOT, SECOND_ROBOT, APP)
AUTOMATIC = frozenset({SYNCD, ROBOT, SECOND_ROBOT})
"""syncd's account and those that `people.robots` names; Jira itself tells that one is an app."""
Acts = list[tuple[float, str, str, str | None]]


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def day(days: int) -> str:
    """Return a day as Jira has it, counted from the Monday."""
    return f"{MONDAY + timedelta(days=days):%Y-%m-%d}"


def mapping(**changes: Any) -> Mapping:
    values: dict[str, Any] = {
        "team": "Team",
        "enforce_from": date(2026, 10, 1),
        "jira": {"project": "OPS"},
        "services": {"Checkout": {}},
        "severities": {
            "SEV0": {"pagerduty": "P1", "postmortem": True, "follow_up_days": 15},
            "SEV1": {"pagerduty": "P2", "postmortem": True, "follow_up_days": 30},
            "SEV3": {"pagerduty": "P4", "follow_up_days": 90},
        },
        "postmortem": {"mode": "enforce"},
        "follow_ups": {"mode": "enforce"},
    }
    return Mapping.model_validate(values | changes)


def account(name: str) -> Account:
    return Account(id=name, human=name not in (SYNCD, APP))


def issue(acts: Acts, created: float = 0.5, by: str = SYNCD, **more: Any) -> IssueFacts:
    """Return an issue after acts `(hours, who, field, value)`; the field `comment` is a comment."""
    now: dict[str, str | None] = {"assignee": more.pop("assignee", None), "status": OPEN}
    now |= {"duedate": more.pop("date", None), "labels": None, "resolution": None, "Link": None}
    changes, comments = [], []
    for hours, who, field, value in sorted(acts):
        if field == "comment":
            comments.append(
                Comment(id=f"{hours}", author=account(who), body=str(value), created_at=at(hours))
            )
            continue
        changes.append(
            Change(
                at=at(hours),
                author=account(who),
                field=field,
                before=now[field],
                after=value,
                before_words=now[field],
                after_words=value,
            )
        )
        now[field] = value
    return IssueFacts(
        **{"id": "900", "done_statuses": frozenset({DONE}), **more},
        created_at=at(created),
        creator=account(by),
        status=now["status"] or OPEN,
        assignee=now["assignee"],
        date=now["duedate"],
        labels=tuple((now["labels"] or "").split()),
        resolution=now["resolution"],
        changes=tuple(changes),
        comments=tuple(comments),
    )


def incident(states: str = "resolved 0", severity: str = "SEV1", **more: Any) -> IncidentFacts:
    """Return an incident with states such as `resolved 0, reopened 3`, created two hours before."""
    words = [part.split() for part in states.split(",")]
    changes: list[Any] = [StateChange(kind=kind, at=at(float(hours))) for kind, hours in words]
    return IncidentFacts(
        **{
            "id": "PINC",
            "created_at": at(-2),
            "states": tuple(changes),
            "severities": (SeverityPeriod(severity=severity, since=at(-2)),),
            **more,
        }
    )


def item(acts: Acts, created: float = 1.0, by: str = "ines", **more: Any) -> ItemFacts:
    of_item = {key: more.pop(key) for key in ("runbook", "named_by", "left_at", "stages") if key in more}
    became = more.pop("became", created)
    return ItemFacts(issue=issue(acts, created, by, **more), became_at=at(became), **of_item)


def waiver(given: float, until: float, duty: DutyKind | None = None, **more: Any) -> Waiver:
    return Waiver(duty=duty, until=at(until), reason="r", by="boss@x.example", at=at(given), **more)


def members(history: Any) -> list[Any]:
    """Return the incidents merged into a history's, and those merged into them."""
    return [each for member in history.members for each in (member, *members(member))]


def correction(given: float, kind: DutyKind, subject: str = "PINC", **more: Any) -> Correction:
    return Correction(kind=kind, subject=subject, at=at(given), **more)


def left(**times: float | tuple[float, float]) -> dict[str, Leaving]:
    """Return who left, by name: the hour at which syncd saw it, and that of the return if there was one."""
    leavers = {}
    for name, given in times.items():
        gone, back = given if isinstance(given, tuple) else (given, None)
        leavers[name] = Leaving(inactive_at=at(gone), back_at=at(back) if back is not None else None)
    return leavers


def judged(facts: IncidentFacts, now: float, **decisions: Any) -> list[Judged]:
    """Return the second judge's verdicts at `now` hours."""
    leavers = decisions.pop("leavers", {})
    rules = decisions.pop("rules", (RulesLoaded(at=at(-1000), mapping=decisions.pop("mapping", mapping())),))
    people = People(automatic=AUTOMATIC, leavers=leavers)
    return judge(facts, people, Decisions(rules=rules, **decisions), at(now))


def clocks(verdicts: list[Judged], kind: DutyKind) -> list[tuple[str, float, float | None]]:
    """Return verdict, deadline and time of the act (hours) of each clock of a kind."""
    return [
        (str(duty.verdict), hours(duty.due_at), hours(duty.met_at) if duty.met_at else None)
        for duty in verdicts
        if duty.kind is kind
    ]


def hours(moment: datetime) -> float:
    return round((moment - MONDAY).total_seconds() / 3600, 6)
