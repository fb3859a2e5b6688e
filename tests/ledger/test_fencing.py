"""A leader that was replaced changes nothing in its ledger but the outcome of what it had sent."""

from __future__ import annotations

import pytest
from ledger_cast import GAVE_UP, NOW, RUN, create, incident, later, record, save_incident
from test_leadership import Boot

from syncd.domain.operation import OperationState
from syncd.domain.operation.rendered import RenderedCreate
from syncd.ledger.database.leadership import Leadership
from syncd.ledger.errors import LeadershipLost, OperationMoved
from syncd.ledger.open import Ledger
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import change_queue, leaving, operation_states
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.confirming import confirm
from syncd.ledger.store.epoch import begin_epoch
from syncd.ledger.store.leaving import Leaving
from syncd.ledger.store.lookups import open_operations
from syncd.ledger.store.unseen_writes import Answered

ANSWERED = Answered("boot-1", 1234.5, NOW)
RENDERED = RenderedCreate(fields={"project": {"key": "OPS"}})


def lead(ledger: Ledger, epoch: str) -> Leadership:
    """Make this process the leader of a ledger, as a lock that can be lost does."""
    ledger.leadership = Leadership(Boot(), epoch)
    with ledger.write(leading=False) as session:
        begin_epoch(session, ledger.leadership)
    return ledger.leadership


def replaced(ledger: Ledger) -> None:
    """Let another daemon lead the ledger from now on."""
    with ledger.write(leading=False) as session:
        begin_epoch(session, Leadership(Boot(), "the next"))


def claimed(ledger: Ledger) -> OperationRecord:
    with ledger.write() as session:
        # an incident that began before the ledger waits for `syncd accept`
        save_incident(session, incident(created_at=later(60)), 1, NOW, "QRPay")
        (row,) = record(session, create())
    (operation,) = leaving.claim(ledger, [Leaving(row.id or 0, RENDERED)], "jira", RUN, NOW, 41) or []
    return operation


def test_a_leader_writes(ledger: Ledger) -> None:
    lead(ledger, "ours")
    assert claimed(ledger).state == OperationState.IN_FLIGHT


def test_a_leader_that_was_replaced_writes_nothing_and_knows_it_from_then_on(ledger: Ledger) -> None:
    leadership = lead(ledger, "ours")
    operation = claimed(ledger)
    replaced(ledger)
    with pytest.raises(LeadershipLost, match="another daemon leads it"):
        leaving.put_back(ledger, [operation], NOW, "not done")
    assert leadership.why_not_send(None) == "another daemon leads it"
    assert [sent.state for sent in open_operations(ledger, "P1")] == [OperationState.IN_FLIGHT]


def test_a_leader_that_lost_its_lock_writes_nothing_although_nobody_leads_yet(ledger: Ledger) -> None:
    lead(ledger, "ours").lose("its connection broke")
    with pytest.raises(LeadershipLost, match="its connection broke"):
        change_queue.notice_changes(ledger, ["P1"], NOW, 1, "why")
    assert change_queue.incidents_with_notices(ledger) == []


def test_a_replaced_leader_still_records_what_its_request_did(ledger: Ledger) -> None:
    lead(ledger, "ours")
    operation = claimed(ledger)
    replaced(ledger)
    confirm(ledger, operation, "10001", Confirmation(), NOW, ANSWERED)
    assert open_operations(ledger, "P1") == []


def test_an_outcome_of_an_earlier_attempt_does_not_end_the_attempt_of_the_next_leader(
    ledger: Ledger,
) -> None:
    first = claimed(ledger)
    operation_states.recover(ledger, "abcd/2", NOW, GAVE_UP)
    (unknown,) = open_operations(ledger, "P1")
    leaving.put_back(ledger, [unknown], later(600), "not found")
    (second,) = leaving.claim(ledger, [Leaving(first.id, RENDERED)], "jira", "abcd/2", later(600), 41) or []
    with pytest.raises(OperationMoved):
        confirm(ledger, first, "10001", Confirmation(), later(601), ANSWERED)
    assert [operation.attempts for operation in open_operations(ledger, "P1")] == [2]
    confirm(ledger, second, "10002", Confirmation(), later(602), ANSWERED)
    assert open_operations(ledger, "P1") == []
