"""The data of the reading commands, in the shapes on which scripts rely."""

from __future__ import annotations

import json

import pytest
from ledger_cast import NOW, create, incident, issue, mirror, record, save_incident, ticket

from syncd.domain.incident import IncidentStatus
from syncd.domain.operation import OperationState, ticket_key
from syncd.ledger.open import Ledger
from syncd.ledger.store import audit, operation_states
from syncd.ledger.store.key_values import set_cursor_in
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.tables import TicketRow
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import outbox_data, status_data


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """Store P1 with a ticket and a waiting note, P2 of no team, P3 resolved and finished."""
    with ledger.write() as session:
        save_incident(session, incident(), 1, NOW, "QRPay")
        save_incident(session, incident(id="P2", number=18), 1, NOW, None)
        over = incident(IncidentStatus.RESOLVED, id="P3", number=19, resolved_at=NOW)
        row = save_incident(session, over, 1, NOW, "QRPay")
        assert row is not None
        row.finished = True
        made, _waiting = record(session, create(), mirror("N1", "P1", ticket_key("P1"), "ticket/P2"))
        operation_states.finish(session, made, OperationState.DONE, NOW, remote_id="10005")
        session.flush()
        session.add(ticket(snapshot=issue().model_dump(mode="json")))
        set_cursor_in(session, "cycle.jira", at=NOW.isoformat())
    return ledger


def test_status_lists_what_is_open_or_unfinished(lived: Ledger) -> None:
    data = status_data(lived)
    with lived.read() as session:
        seq, digest = audit.head(session)
    (only,) = data["incidents"]
    promised = "id number title severity status ticket ticket_status postmortem due_at"
    assert set(promised.split()) <= set(only)
    assert (only["id"], only["number"], only["ticket"], only["ticket_status"]) == ("P1", 17, "OPS-5", "To Do")
    assert data["outbox"] == {str(state): 0 for state in OperationState} | {"done": 1, "pending": 1}
    assert data["cycles"] == {"pagerduty": None, "jira": NOW.isoformat()}
    assert data["audit_head"] == f"{seq}:{digest}"


def test_a_resolved_incident_is_listed_while_something_is_still_to_be_sent(lived: Ledger) -> None:
    with lived.write() as session:
        record(session, create("P3"), incident="P3")
    assert [incident["id"] for incident in status_data(lived)["incidents"]] == ["P3", "P1"]


@pytest.mark.parametrize("name", ["P1", "17", "#17", "OPS-5", "ops-5"])
def test_an_incident_is_found_by_its_id_its_number_and_its_ticket(lived: Ledger, name: str) -> None:
    record = incident_named(lived, name)
    assert record is not None
    assert record.id == "P1"


@pytest.mark.parametrize("name", ["", "#", "P9", "99", "²", "9" * 40, "OPS-6", "10005"])
def test_another_name_finds_no_incident(lived: Ledger, name: str) -> None:
    assert incident_named(lived, name) is None


def test_show_has_all_operations_with_their_reasons(lived: Ledger) -> None:
    incident = incident_named(lived, "P1")
    assert incident is not None
    data = show_data(lived, incident, NOW)
    assert {"incident", "ticket", "postmortem", "action_items", "operations", "events"} <= set(data)
    assert [(row["kind"], row["state"], row["reason"]) for row in data["operations"]] == [
        ("create_ticket", "done", "it has no ticket"),
        ("mirror_note", "pending", "somebody wrote a note"),
    ]
    assert [(event["kind"], event["data"]["kind"]) for event in data["events"]] == [
        ("operation.decided", "create_ticket"),
        ("operation.decided", "mirror_note"),
        ("operation.done", "create_ticket"),
    ]
    assert json.loads(json.dumps(data)) == data


def test_the_outbox_names_the_needs_of_each_operation(lived: Ledger) -> None:
    data = outbox_data(lived)
    (waiting,) = data["operations"]
    assert (waiting["incident"], waiting["needs"], waiting["error"]) == (
        "P1",
        ["ticket/P1", "ticket/P2"],
        None,
    )
    assert data["counts"]["pending"] == 1


def test_two_rows_share_no_default() -> None:
    ticket, other = TicketRow(incident_id="P1"), TicketRow(incident_id="P2")
    ticket.changes.append({})
    ticket.agreed["status"] = "Done"
    assert (other.changes, other.agreed) == ([], {})
