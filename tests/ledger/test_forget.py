"""Forgetting a person empties the ledger of them, keeps the chain whole, and makes nothing happen twice."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from engine.cast import issue_of, nothing_more_is_written
from rig import Rig
from sqlmodel import SQLModel, select

from syncd.engine.runtime.brakes import print_of
from syncd.ledger.requests import answers
from syncd.ledger.requests.relocation import relocate
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.tables import (
    AuditEventRow,
    DutyRow,
    IncidentRow,
    OperationRow,
    PersonRow,
    ReportRunRow,
    RequestRow,
    TicketRow,
    WaiverRow,
)
from syncd.policy.communications.texts import MadeText, ReadyTexts, with_ready_texts

ADDRESS, NAME = "amara.osei@qrpay.example", "Amara Osei"
HERS = ("restarted the workers", "called the bank", "the bank is closed")
TRACES = (ADDRESS, NAME, *HERS)


def dump(rig: Rig, *without: str) -> str:
    """Return all rows of all tables but these, as one text."""
    with rig.ledger.read() as session:
        return "\n".join(
            repr((table.name, *row))
            for table in SQLModel.metadata.sorted_tables
            if table.name not in without
            for row in session.connection().execute(table.select()).all()
        )


def traces(rig: Rig) -> list[str]:
    text = dump(rig).casefold()
    return [trace for trace in TRACES if trace.casefold() in text]


def forget(rig: Rig, *names: str) -> dict[str, Any]:
    """Store the request as the command does, answer it as the daemon does, and return the answer."""
    arguments = {"address": ADDRESS, "names": list(names)}
    number = answers.ask(rig.ledger, "forget", arguments, "operator")
    answers.serve(rig.ledger, rig.clock, print_of)
    return answers.answer_of(rig.ledger, number)


def events(rig: Rig) -> list[dict[str, Any]]:
    with rig.ledger.read() as session:
        query = select(AuditEventRow).where(AuditEventRow.kind == "person.forgotten")
        return [json.loads(row.text) for row in session.exec(query).all()]


def wait_until_over(rig: Rig) -> None:
    """Let two days pass: for a while after the resolve a reopening would still count."""
    rig.settle()
    rig.cycle(2 * 86400)
    rig.settle(3)


def whole(rig: Rig) -> bool:
    with rig.ledger.read() as session:
        return audit.verify(session) is None


@pytest.fixture
def talk(house: Rig) -> tuple[Rig, Any]:
    """Play an incident with a note and a comment by Amara and a comment by Ines, all mirrored."""
    people = house.world.pagerduty
    made = people.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    people.acknowledge(made.id, NAME)
    people.note(made.id, "restarted the workers", NAME)
    house.world.jira.comment("OPS-1", "called the bank", by=NAME)
    house.world.jira.comment("OPS-1", "the vendor answered", by="Ines Carvalho")
    house.settle(3)
    return house, made


@pytest.fixture
def over(talk: Any) -> tuple[Rig, Any]:
    """Resolve the incident of `talk`, and store a waiver, a duty, a report and a request that name Amara."""
    rig, made = talk
    rig.world.pagerduty.resolve(made.id, NAME)
    wait_until_over(rig)
    now = rig.clock.now()
    with rig.ledger.write() as session:
        session.add(
            WaiverRow(incident_id=made.id, until=now, reason="the bank is closed", by=ADDRESS, at=now)
        )
        session.add(
            DutyRow(
                incident_id=made.id,
                kind="done",
                subject="1",
                state="met",
                started_at=now,
                due_at=now + timedelta(days=1),
                met_by=NAME,
            )
        )
        rows = [{"owner": NAME, "incident": made.id}]
        session.add(ReportRunRow(team="", week="2026-W46", begins=now, ends=now, made_at=now, rows=rows))
        asked = {"by": ADDRESS, "of": "OPS-1"}
        session.add(RequestRow(kind="waive", arguments=asked, asked_by=NAME, state="done"))
        words = {"text": HERS[0], "mitigation": HERS[1], "body": f"We know that {HERS[2]}."}
        text = MadeText(name="page", number=1, at=now, author=NAME, approved_by=NAME, **words)
        ticket = session.get_one(TicketRow, made.id)
        ticket.agreed = with_ready_texts(ticket.agreed, ReadyTexts(made=(text,)))
        incident = session.get_one(IncidentRow, made.id)
        assert incident.finished
    assert traces(rig) == list(TRACES)
    return rig, made


def test_no_name_address_or_text_of_the_person_is_left(over: Any) -> None:
    rig, _ = over
    answer = forget(rig)
    assert not answer["failed"], answer
    assert traces(rig) == []
    assert "the vendor answered" in dump(rig)
    assert whole(rig)
    (event,) = events(rig)
    assert len(event["who"]) == 32
    assert (event["rows"] > 5, event["texts"] > 4, event["left"]) == (True, True, 0)


def test_a_second_run_writes_nothing(over: Any) -> None:
    rig, _ = over
    forget(rig)
    # each run stores its own request
    asking = ("request", "audit_event", "audit_head")
    before = dump(rig, *asking)
    assert forget(rig)["lines"] == ["nothing was emptied"]
    assert dump(rig, *asking) == before
    assert len(events(rig)) == 1


def test_keys_marks_hashes_and_states_stay(over: Any) -> None:
    rig, _ = over
    names = ("id", "key", "op", "object", "aspect", "needs", "state", "remote_id", "kind")

    def kept() -> list[Any]:
        with closing(sqlite3.connect(rig.folder / rig.name)) as connection:
            links = connection.execute("SELECT * FROM mirror_link").fetchall()
        return [[getattr(row, name) for name in names] for row in rig.operations()] + links

    before = kept()
    forget(rig)
    assert kept() == before


def look_once_more(rig: Rig, incident: str) -> None:
    """Have the incident decided on again, with its notes and comments as the ledger has them."""
    with rig.ledger.write() as session:
        row = session.get_one(IncidentRow, incident)
        row.finished = False
        session.add(row)
        notice_changes_in(
            session, [incident], rig.clock.now(), rig.ledger.logical_clock.next(), "a test wants it"
        )
    rig.settle(3)


def test_a_later_cycle_neither_rewrites_nor_doubles_a_copy(over: Any) -> None:
    rig, made = over
    forget(rig)
    before = rig.writes()
    look_once_more(rig, made.id)
    nothing_more_is_written(rig)
    assert rig.writes() == before


def test_a_text_that_is_read_again_is_not_mirrored_twice(over: Any) -> None:
    rig, made = over
    forget(rig)
    before = rig.writes()
    rig.world.pagerduty.note(made.id, "all quiet since", "Priya Raman")
    rig.settle(3)
    rig.loop.slow()
    rig.settle(3)
    copies = [operation for operation in rig.operations() if operation.kind == "mirror_note"]
    assert [copy.state for copy in copies] == ["done", "done"]
    assert rig.writes() - before == 1
    bodies = [comment["body"] for comment in issue_of(rig)["comments"]]
    assert len(bodies) == len(set(bodies)) == 4
    nothing_more_is_written(rig)


def test_an_incident_that_is_not_over_stays_whole_and_is_reported(talk: Any) -> None:
    rig, made = talk
    before = rig.writes()
    answer = forget(rig)
    assert answer["failed"]
    assert any(f" #{made.number} OPS-" in line for line in answer["lines"])
    with rig.ledger.read() as session:
        row = session.get_one(IncidentRow, made.id)
        assert row.snapshot["assignees"][0]["name"] == NAME
        assert session.exec(select(PersonRow).where(PersonRow.email == ADDRESS)).first() is not None
    rig.settle(3)
    assert rig.writes() == before
    rig.world.pagerduty.resolve(made.id, NAME)
    wait_until_over(rig)
    assert not forget(rig)["failed"]
    assert traces(rig) == []
    assert whole(rig)


def test_an_open_operation_stays_whole_and_is_reported(over: Any) -> None:
    rig, made = over
    with rig.ledger.write() as session:
        row = session.exec(select(OperationRow).where(OperationRow.kind == "mirror_note")).first()
        assert row is not None
        row.state = "parked"
        session.add(row)
        number = row.id
    answer = forget(rig)
    assert answer["failed"]
    assert f"open operations that name them: {number}" in answer["lines"]
    assert any(f" #{made.number} OPS-" in line for line in answer["lines"])
    kept = next(iter(rig.operations("parked")))
    assert kept.meaning["text"] == "restarted the workers"


def test_a_longer_name_that_begins_with_the_persons_name_stays(over: Any) -> None:
    rig, _ = over
    with rig.ledger.write() as session:
        now = rig.clock.now()
        rows = [{"owner": "Amara Oseiwa"}, {"owner": "x.amara.osei@qrpay.example"}]
        session.add(ReportRunRow(team="", week="2026-W45", begins=now, ends=now, made_at=now, rows=rows))
    forget(rig)
    text = dump(rig)
    assert "Amara Oseiwa" in text
    assert "x.amara.osei@qrpay.example" in text


def bytes_of(rig: Rig) -> bytes:
    """Return the database file with its free pages, and the write-ahead log."""
    files = [rig.folder / f"{rig.name}{ending}" for ending in ("", "-wal")]
    return b"".join(file.read_bytes() for file in files if file.exists())


def type_a_reason_into_each_command(rig: Rig, incident: str) -> list[str]:
    """Serve each request that takes a reason, typed by Amara or naming her; return the answers' lines."""
    now, other = rig.clock.now(), "ines.carvalho@qrpay.example"
    with rig.ledger.write() as session:
        owed = {"incident_id": incident, "subject": incident, "started_at": now, "due_at": now}
        session.add(DutyRow(kind="scheduled", state="pending", **owed))
        session.add(DutyRow(kind="completed", state="breached", breached_at=now, **owed))
        parked = session.exec(select(OperationRow).where(OperationRow.kind == "mirror_note")).first()
        assert parked is not None
        parked.state = "parked"
        session.add(parked)
    until = (now + timedelta(days=9)).isoformat()
    asked: list[tuple[str, dict[str, Any]]] = [
        ("pause", {"targets": ["chat"], "reason": f"ask {ADDRESS} first"}),
        ("pause", {"targets": ["mail"], "reason": f"{NAME} moves the server"}),
        ("resume", {"targets": ["mail"]}),
        ("waive", {"of": incident, "duty": "scheduled", "until": until, "by": ADDRESS, "reason": HERS[2]}),
        ("waive", {"of": incident, "duty": "scheduled", "until": until, "by": other, "reason": f"as {NAME}"}),
        ("unwaive", {"of": incident, "by": ADDRESS, "reason": HERS[1]}),
        ("correct", {"of": incident, "duty": "completed", "by": other, "reason": f"{ADDRESS} did it"}),
        ("outbox.drop", {"ids": [parked.id], "reason": f"{NAME} wrote it herself"}),
        ("outbox.retry", {"ids": [9999]}),
        ("outbox.release", {}),
        ("accept", {}),
    ]
    numbers = [answers.ask(rig.ledger, kind, arguments, NAME) for kind, arguments in asked]
    answers.serve(rig.ledger, rig.clock, print_of)
    relocate(rig.ledger, now, "jira", "https://jira.example", ["10001"], by=NAME)
    return [line for number in numbers for line in answers.answer_of(rig.ledger, number)["lines"]]


def test_no_typed_reason_is_left_in_the_file_and_the_trail_never_held_one(over: Any) -> None:
    rig, made = over
    lines = type_a_reason_into_each_command(rig, made.id)
    assert [line for line in lines if "no such" in line or "no breach" in line or "must be" in line] == []
    assert "dropped: 1 operation" in lines
    with rig.ledger.read() as session:
        trail = "\n".join(session.exec(select(AuditEventRow.text)).all()).casefold()
    assert [trace for trace in TRACES if trace.casefold() in trail] == []
    assert f"ask {ADDRESS} first".encode() in bytes_of(rig)
    assert not forget(rig)["failed"]
    left = bytes_of(rig).lower()
    assert [trace for trace in TRACES if trace.lower().encode() in left] == []
    assert whole(rig)
    rig.settle()
    assert whole(rig)
