"""What the reading commands are told: the shapes that scripts rely on."""

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
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import outbox_data, status_data


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """P1 with a ticket and a note on its way, P2 of no team, P3 resolved and finished."""
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
    told = status_data(lived)
    with lived.read() as session:
        seq, digest = audit.head(session)
    (only,) = told["incidents"]
    promised = "id number title severity status ticket ticket_status postmortem due_at"
    assert set(promised.split()) <= set(only)
    assert (only["id"], only["number"], only["ticket"], only["ticket_status"]) == ("P1", 17, "OPS-5", "To Do")
    assert told["outbox"] == {str(state): 0 for state in OperationState} | {"done": 1, "pending": 1}
    assert told["cycles"] == {"pagerduty": None, "jira": NOW.isoformat()}
    assert told["audit_head"] == f"{seq}:{digest}"


def test_a_resolved_incident_is_listed_while_something_is_still_to_be_sent(lived: Ledger) -> None:
    with lived.write() as session:
        record(session, create("P3"), incident="P3")
    assert [one["id"] for one in status_data(lived)["incidents"]] == ["P3", "P1"]


@pytest.mark.parametrize("wanted", ["P1", "17", "#17", "OPS-5", "ops-5"])
def test_an_incident_is_found_by_its_id_its_number_and_its_ticket(lived: Ledger, wanted: str) -> None:
    found = incident_named(lived, wanted)
    assert found is not None
    assert found.id == "P1"


@pytest.mark.parametrize("wanted", ["", "#", "P9", "99", "²", "9" * 40, "OPS-6", "10005"])
def test_what_names_no_incident_finds_none(lived: Ledger, wanted: str) -> None:
    assert incident_named(lived, wanted) is None


def test_show_tells_everything_done_with_its_reasons(lived: Ledger) -> None:
    incident = incident_named(lived, "P1")
    assert incident is not None
    told = show_data(lived, incident, NOW)
    assert {"incident", "ticket", "postmortem", "action_items", "operations", "events"} <= set(told)
    assert [(one["kind"], one["state"], one["reason"]) for one in told["operations"]] == [
        ("create_ticket", "done", "it has no ticket"),
        ("mirror_note", "pending", "somebody wrote a note"),
    ]
    assert [(event["kind"], event["data"]["kind"]) for event in told["events"]] == [
        ("operation.decided", "create_ticket"),
        ("operation.decided", "mirror_note"),
        ("operation.done", "create_ticket"),
    ]
    assert json.loads(json.dumps(told)) == told


def test_the_outbox_is_told_with_what_each_operation_waits_for(lived: Ledger) -> None:
    told = outbox_data(lived)
    (waiting,) = told["operations"]
    assert (waiting["incident"], waiting["needs"], waiting["error"]) == (
        "P1",
        ["ticket/P1", "ticket/P2"],
        None,
    )
    assert told["counts"]["pending"] == 1
