"""What tests of the engine have people do, and what they ask of a rig."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ledger_reading
from ledger_reading import AuditEventRow, IncidentRow, rows
from loguru import logger
from rig import Rig, mapping

from syncd.ledger.requests import answers
from syncd.ledger.views.audit_trail import verify
from syncd.ledger.views.status import status_data
from syncd.sandbox import dump


def issue_of(rig: Rig, number: int = 1) -> dict[str, Any]:
    """The sandbox's own view of an issue."""
    return next(issue for issue in issues(rig) if issue["key"] == f"OPS-{number}")


def status(rig: Rig, number: int = 1) -> str:
    return str(issue_of(rig, number)["fields"]["status"]["name"])


def incident_of(rig: Rig, incident: Any) -> dict[str, Any]:
    """The sandbox's own view of an incident."""
    incidents = dump.whole(rig.world)["pagerduty"]["incidents"]
    return next(each for each in incidents if each["id"] == incident.id)


def nothing_more_is_written(rig: Rig) -> None:
    """Assert that neither further cycles nor a restart write anything."""
    rig.settle(2)
    before = rig.writes()
    rig.settle(3, seconds=1)
    assert rig.writes() == before
    rig.restart()
    rig.settle(2, seconds=1)
    assert rig.writes() == before


def issues(rig: Rig) -> list[dict[str, Any]]:
    return list(dump.whole(rig.world)["jira"]["issues"])


def ask(rig: Rig, kind: str, **arguments: Any) -> list[str]:
    """What a person asks for at the command line, answered by this engine."""
    number = answers.ask(rig.ledger, kind, arguments, "ana")
    rig.loop.serve_requests()
    rig.loop.work_queue.drain()
    lines: list[str] = answers.answer_of(rig.ledger, number)["lines"]
    return lines


def standing(rig: Rig) -> dict[str, Any]:
    return status_data(rig.ledger)


def kinds_of_events(rig: Rig) -> list[str]:
    assert verify(rig.ledger) is None
    return [event.kind for event in rows(rig.ledger, AuditEventRow)]


EVERYTHING = ["jira", "pagerduty", "mail", "chat"]


def pause(rig: Rig, *targets: str) -> None:
    ask(rig, "pause", targets=list(targets), reason="a move of servers")


def resume(rig: Rig, *targets: str) -> list[str]:
    return ask(rig, "resume", targets=list(targets or EVERYTHING))


def comments(rig: Rig) -> list[str]:
    return [comment["body"] for comment in issue_of(rig)["comments"]]


def ours(rig: Rig) -> list[dict[str, Any]]:
    """The issues with our mark."""
    return [issue for issue in issues(rig) if issue.get("properties", {}).get("syncd")]


def creates(rig: Rig) -> int:
    return len(rig.world.journal.lines(service="jira", method="POST", pattern="/rest/api/2/issue"))


@contextmanager
def logged() -> Iterator[list[str]]:
    """Yield the lines of the log from INFO on, as they come."""
    lines: list[str] = []
    handler = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    try:
        yield lines
    finally:
        logger.remove(handler)


def events(rig: Rig, kind: str) -> list[dict[str, Any]]:
    return [data for _, data in ledger_reading.events(rig.ledger, kind)]


def row_of(rig: Rig, incident: Any) -> IncidentRow:
    return next(row for row in rows(rig.ledger, IncidentRow) if row.id == incident.id)


def trigger(rig: Rig, **more: Any) -> Any:
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency", **{"priority": "P3", **more})
    rig.settle(3)
    return made


def jira(**changes: Any) -> Any:
    return (mapping(jira={"project": "OPS", **changes}),)


def parked_error(rig: Rig) -> str:
    """Why the one parked operation is parked."""
    (row,) = rig.operations("parked")
    return str(row.error)


def latency(rig: Rig, title: str = "Latency") -> Any:
    return rig.world.pagerduty.trigger("Alipay Integration", title, priority="P4")
