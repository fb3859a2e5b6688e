"""The outbox under random orders of events, with crashes and stale readers."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger_cast import CHANGES, GAVE_UP, NOW, create, edit, mirror, move
from sqlmodel import Session, col, select

from syncd.domain.operation import OPEN_STATES, Operation, OperationClass, OperationState
from syncd.ledger.errors import OperationMoved
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store import audit, operation_states, outbox
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import AuditEventRow, OperationRow

UNDER_WAY = (OperationState.IN_FLIGHT, OperationState.UNKNOWN)
INCIDENTS = ("P1", "P2")
MEANT = {
    "operation.leaves": {"in_flight"},
    "operation.decided": {"pending", "held"},
    "operation.not_done": {"pending"},
    "operation.retried": {"pending", "unknown"},
    "operation.parked": {"parked"},
    "operation.unknown": {"unknown"},
    "operation.done": {"done"},
    "operation.superseded": {"superseded"},
    "operation.dropped": {"dropped"},
}
"""The states that each event of the trail may lead to."""


def possible(incident: str) -> list[Operation]:
    return [
        create(incident),
        mirror(f"N-{incident}", incident, f"ticket/{incident}"),
        move("acknowledged", incident),
        move("resolved", incident),
        edit(incident, summary="one"),
        edit(incident, summary="two"),
    ]


decisions = st.sampled_from(INCIDENTS).flatmap(
    lambda incident: st.tuples(
        st.just(incident), st.lists(st.sampled_from(possible(incident)), unique_by=lambda op: op.key)
    )
)
which = st.integers(0, 30)


@pytest.fixture(autouse=True, scope="module")
def _every_example_begins_with_a_copy(newborn: Path) -> None:
    OutboxMachine.newborn = newborn


class OutboxMachine(RuleBasedStateMachine):
    """In every order of events there is no double, no silent change and no broken chain."""

    newborn: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        file = Path(self.folder.name) / "syncd.db"
        shutil.copy(self.newborn, file)
        self.url = f"sqlite:///{file}"
        self.ledger: Ledger = open_for_work(self.url, "the machine", NOW)
        self.rows: list[OperationRow] = []
        self.seen: dict[int, str] = {}
        self.stale: list[OperationRow] = []

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @initialize(incident=st.sampled_from(INCIDENTS))
    def begin(self, incident: str) -> None:
        with self.ledger.write() as session:
            outbox.record(
                session, possible(incident)[:4], NOW, "v1", waiting=open_operations_in(session, incident)
            )

    @rule(decision=decisions, hold=st.sampled_from([False, False, False, True]))
    def record(self, decision: tuple[str, list[Operation]], hold: bool) -> None:
        incident, operations = decision
        held = frozenset(op.key for op in operations if hold)
        with self.ledger.write() as session:
            outbox.record(
                session, operations, NOW, "v1", waiting=open_operations_in(session, incident), hold=held
            )
            under_way = outbox.listing(session, UNDER_WAY)
            assert {row.id for row in under_way} == {row.id for row in self.rows if row.state in UNDER_WAY}

    @precondition(lambda self: self.seen and not self.stale)
    @rule()
    def somebody_reads_and_takes_their_time(self) -> None:
        self.stale = list(self.rows)

    @precondition(lambda self: self.seen)
    @rule(number=which, any_=st.booleans())
    def claim(self, number: int, any_: bool) -> None:
        rows = [row for row in self.rows if any_ or row.state == "pending"] or self.rows
        row = rows[number % len(rows)]
        with self.ledger.write() as session:
            run, request = self.ledger.run_name, {"try": row.attempts}
            claimed = operation_states.claim_in(session, row.id or 0, run, NOW, request, 7)
        assert (claimed is not None) == (row.state == "pending")
        if claimed is not None:
            assert claimed.attempts == row.attempts + 1
            assert claimed.rendered == (row.rendered or {"try": row.attempts})

    @precondition(lambda self: self.seen)
    @rule(number=which, name=st.sampled_from(sorted(CHANGES)))
    def change(self, number: int, name: str) -> None:
        self.attempt(self.rows[number % len(self.rows)], name)

    @precondition(lambda self: self.stale)
    @rule(number=which, name=st.sampled_from(sorted(CHANGES)))
    def change_what_was_read_long_ago(self, number: int, name: str) -> None:
        self.attempt(self.stale.pop(number % len(self.stale)), name)

    def attempt(self, row: OperationRow, name: str) -> None:
        """Change a row, which must work if the row is open and still as it was read, and must fail else."""
        state = row.state
        may = state in OPEN_STATES and self.seen[row.id or 0] == state
        try:
            with self.ledger.write() as session:
                CHANGES[name](session, row)
        except OperationMoved:
            assert not may
        else:
            assert may

    @precondition(lambda self: "parked" in self.seen.values())
    @rule()
    def retry(self) -> None:
        with self.ledger.write() as session:
            parked = outbox.listing(session, [OperationState.PARKED])
            for row in parked:
                operation_states.retry(session, row, NOW, GAVE_UP, "ana")

    @precondition(lambda self: "in_flight" in self.seen.values())
    @rule()
    def recover(self) -> None:
        assert operation_states.recover(self.ledger, self.ledger.run_name, NOW, GAVE_UP) == []

    @precondition(lambda self: "in_flight" in self.seen.values())
    @rule()
    def crash_and_start_again(self) -> None:
        self.ledger.close()
        self.ledger = open_for_work(self.url, "the machine", NOW)
        flying = {row.incident_id for row in self.rows if row.state == "in_flight"}
        assert operation_states.recover(self.ledger, self.ledger.run_name, NOW, GAVE_UP) == sorted(flying)
        with self.ledger.read() as session:
            assert outbox.listing(session, [OperationState.IN_FLIGHT]) == []

    @invariant()
    def holds(self) -> None:
        with self.ledger.read() as session:
            rows = list(session.exec(select(OperationRow).order_by(col(OperationRow.id))).all())
            assert audit.verify(session) is None
            self.all_is_on_record(session, rows)
        self.no_doubles(rows)
        self.rows, self.seen = rows, {row.id or 0: row.state for row in rows}

    @staticmethod
    def no_doubles(rows: list[OperationRow]) -> None:
        once = [row.key for row in rows if row.op_class == OperationClass.ONCE]
        assert len(once) == len(set(once))
        places = [
            (row.object, row.aspect)
            for row in rows
            if row.op_class == OperationClass.STATE and row.state in OPEN_STATES
        ]
        assert len(places) == len(set(places))

    def all_is_on_record(self, session: Session, rows: list[OperationRow]) -> None:
        told: dict[int, list[str]] = {}
        for event in session.exec(select(AuditEventRow).order_by(col(AuditEventRow.seq))).all():
            if event.operation_id is not None:
                told.setdefault(event.operation_id, []).append(event.kind)
        assert set(told) == {row.id for row in rows}
        for row in rows:
            story = told[row.id or 0]
            assert row.state in MEANT[story[-1]]
            assert story.count("operation.leaves") == row.attempts
            before = self.seen.get(row.id or 0)
            assert before is None or before == row.state or before in OPEN_STATES


# each step commits to disk, so shrinking a failure would take longer than a test may
OutboxMachine.TestCase.settings = settings(
    phases=[Phase.generate],
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOutbox = OutboxMachine.TestCase
