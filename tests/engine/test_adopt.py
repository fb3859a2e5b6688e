"""`syncd adopt`: an issue that a person made becomes the ticket of an incident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ledger_reading import AuditEventRow, TicketRow, rows
from rig import Rig, mapping

from engine.cast import latency, nothing_more_is_written, status
from syncd.domain.operation import Kind, op_of, ticket_key
from syncd.ledger.requests import answers
from syncd.sandbox import dump

RESTRICTED = mapping(restricted={"titles": ["breach"], "level": "Security incident"})


def issues(rig: Rig) -> dict[str, dict[str, Any]]:
    return {issue["key"]: issue for issue in dump.whole(rig.world)["jira"]["issues"]}


def persons_issue(rig: Rig, title: str = "The bank is down", **more: Any) -> str:
    return str(rig.world.jira.create("Ines Carvalho", title, **{"type": "Incident", **more}).key)


def ask(rig: Rig, incident: str, issue: str, **more: Any) -> dict[str, Any]:
    arguments = {"incident": incident, "issue": issue, **more}
    number = answers.ask(rig.ledger, answers.ADOPT, arguments, "root")
    rig.loop.jobs.adoptions()
    return answers.answer_of(rig.ledger, number)


def pause(rig: Rig, kind: str) -> None:
    answers.ask(rig.ledger, kind, {"targets": ["jira"], "reason": "by hand"}, "root")
    rig.loop.serve_requests()


@pytest.fixture
def waiting(house: Rig) -> tuple[Rig, Any]:
    """An incident whose create waits, because an operator paused Jira."""
    house.cycle()
    pause(house, "pause")
    incident = latency(house)
    house.cycle()
    return house, incident


def test_it_becomes_the_one_ticket_with_mark_and_labels_and_keeps_its_words(waiting: tuple[Rig, Any]) -> None:
    rig, incident = waiting
    key = persons_issue(rig)
    answer = ask(rig, "#1", key.lower())
    assert (answer["failed"], answer["incidents"]) == (False, [incident.id])
    pause(rig, "resume")
    rig.settle(4)
    assert list(issues(rig)) == [key]
    issue = issues(rig)[key]
    assert issue["fields"]["summary"] == "The bank is down"
    assert {"syncd", f"pd-{incident.id}"} <= set(issue["fields"]["labels"])
    mark = issue["properties"]["syncd"]
    assert (mark["op"], mark["kind"]) == (op_of(ticket_key(incident.id)), Kind.CREATE_TICKET)
    rig.world.pagerduty.acknowledge(incident.id, "Amara Osei")
    rig.settle(2)
    assert status(rig) == "In Progress"
    nothing_more_is_written(rig)


def test_a_new_ledger_finds_the_ticket_by_its_mark(waiting: tuple[Rig, Any]) -> None:
    rig, incident = waiting
    key = persons_issue(rig)
    ask(rig, incident.id, key)
    pause(rig, "resume")
    rig.settle(2)
    rig.stop()
    rig.name = "new.db"
    rig.start()
    rig.settle(4)
    assert list(issues(rig)) == [key]
    assert [(row.incident_id, row.key) for row in rows(rig.ledger, TicketRow)] == [(incident.id, key)]


def test_the_trail_says_that_a_person_typed_it(waiting: tuple[Rig, Any]) -> None:
    rig, incident = waiting
    ask(rig, incident.id, persons_issue(rig))
    (event,) = [row for row in rows(rig.ledger, AuditEventRow) if row.kind == "ticket.adopted"]
    assert '"by":"command"' in event.text
    assert '"typed_by":' in event.text
    assert "root" not in event.text


def test_a_dry_run_only_says_what_it_would_do(waiting: tuple[Rig, Any]) -> None:
    rig, incident = waiting
    key = persons_issue(rig)
    answer = ask(rig, incident.id, key, dry_run=True)
    assert answer["lines"] == [f"syncd would adopt {key} as the ticket of incident #1; nothing changed"]
    assert rows(rig.ledger, TicketRow) == []


@pytest.mark.parametrize(
    ("incident", "made", "words"),
    [
        ("#77", {}, "#77 is no incident in this ledger"),
        ("#1", None, "Jira shows no issue OPS-99"),
        ("#1", {"type": "Task"}, "a ticket of QRPay is of the type Incident; change its type"),
        ("#1", {"project": "SEC"}, "the tickets of QRPay are in OPS; move it there"),
    ],
)
def test_what_cannot_be_its_ticket_is_refused_with_what_to_do(
    waiting: tuple[Rig, Any], incident: str, made: dict[str, Any] | None, words: str
) -> None:
    rig, _ = waiting
    site = rig.world.jira.site
    ops = site.project("OPS")
    assert ops is not None
    site.projects["10209"] = replace(ops, id="10209", key="SEC", name="Security")
    key = "OPS-99" if made is None else persons_issue(rig, **made)
    answer = ask(rig, incident, key)
    assert answer["failed"]
    assert words in answer["lines"][0]


def test_an_issue_is_the_ticket_of_one_incident_and_an_incident_has_one_ticket(
    waiting: tuple[Rig, Any],
) -> None:
    rig, incident = waiting
    key, second = persons_issue(rig), latency(rig, "Other")
    rig.cycle()
    ask(rig, incident.id, key)
    assert f"{key} is the ticket of incident #1 {key}" in ask(rig, second.id, key)["lines"][0]
    other = persons_issue(rig, "Another")
    assert f"#1 {key} has the ticket {key}, and an" in ask(rig, incident.id, other)["lines"][0]


def test_a_restricted_incident_is_refused_without_a_word_of_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(mappings=(RESTRICTED,))
    rig.cycle()
    pause(rig, "pause")
    incident = latency(rig, "Data breach")
    rig.cycle()
    answer = ask(rig, incident.id, persons_issue(rig))
    assert answer["failed"]
    assert "incident #1 is restricted" in answer["lines"][0]
    assert "breach" not in answer["lines"][0]
