"""A trail that was cut and made to fit is shorter than what else the ledger shows; damage is named."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from ledger_cast import (
    NOW,
    behind_its_back,
    claim,
    create,
    forge,
    incident,
    later,
    move,
    put,
    record,
    save_incident,
    ticket,
)

from syncd.domain.duty import Duty, DutyKind
from syncd.domain.operation import OperationState, SendMail
from syncd.domain.operation.mail import NoticeMail
from syncd.domain.trail.account import Account
from syncd.domain.trail.chain import TrailRow, canonical, spelled
from syncd.ledger.database.triggers import TRIGGERS
from syncd.ledger.errors import LedgerUnreadable, LedgerUnsafe
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store import audit, operation_states
from syncd.ledger.store.postmortems import save_duties
from syncd.ledger.views import audit_trail

ALL = (
    OperationState.DONE,
    OperationState.DROPPED,
    OperationState.SUPERSEDED,
    OperationState.PARKED,
    OperationState.UNKNOWN,
    OperationState.IN_FLIGHT,
    OperationState.HELD,
    OperationState.PENDING,
)


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """Return a ledger with an incident, its ticket, a duty, and an operation in every state."""
    with ledger.write() as session:
        save_incident(session, incident(), 1, NOW, "Payments")
        put(session, create(), OperationState.DONE)
        session.add(ticket())
        audit.append(session, NOW, "ticket.made", incident="P1", issue="10005")
        duty = Duty(kind=DutyKind.SCHEDULED, subject="P1", started_at=NOW, due_at=later(3600))
        save_duties(session, "P1", [duty], NOW)
        for number, state in enumerate(ALL):
            put(session, move(incident=f"P{number + 2}"), state)
    return ledger


def rewrite(file: Path, *without: str) -> None:
    """Delete the events of these conditions, number and chain the rest anew, and set the head to it."""
    from datetime import UTC, datetime

    with behind_its_back(file) as connection:
        rows = connection.execute(
            "SELECT at, kind, incident_id, issue_id, operation_id, text FROM audit_event"  # noqa: S608 - ours
            f" WHERE NOT ({' OR '.join(without)}) ORDER BY seq"
        ).fetchall()
    forge(file, "DELETE FROM audit_event")
    previous = "0" * 64
    with behind_its_back(file) as connection:
        for seq, (at, *rest) in enumerate(rows, start=1):
            moment = datetime.fromisoformat(at).replace(tzinfo=UTC).isoformat()
            previous = sha256((previous + canonical(seq, moment, *rest)).encode()).hexdigest()
            connection.execute(
                "INSERT INTO audit_event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (seq, at, *rest, previous)
            )
        connection.execute("UPDATE audit_head SET seq = ?, hash = ?", (len(rows), previous))


def why(ledger: Ledger) -> str:
    broken = audit_trail.verify(ledger)
    return "" if broken is None else str(broken)


def test_a_whole_ledger_agrees_with_its_trail(full: Ledger) -> None:
    assert why(full) == ""


def test_a_breach_that_was_taken_back_is_void_by_its_own_row() -> None:
    account, place = Account(), {"duty": "scheduled", "subject": "P1", "clock": 1}
    for seq, kind in enumerate(("duty.breached", "duty.corrected"), start=1):
        account.add(TrailRow(seq, "2026-11-22T09:00:00+00:00", kind, "P1", None, None, json.dumps(place), ""))
    void = {"kind": "scheduled", "subject": "P1", "clock": 1, "state": "void"}
    assert account.untold_duty("P1", void) is None
    assert "it is void" in str(account.untold_duty("P1", {**void, "state": "breached"}))


def test_a_trail_of_which_all_rows_and_the_head_are_gone_misses_its_first_row(
    full: Ledger, file: Path
) -> None:
    forge(file, "DELETE FROM audit_event", "DELETE FROM audit_head")
    assert why(full).startswith("the audit trail is broken at row 1: row 1 is missing")
    forge(file, f"INSERT INTO audit_head VALUES (1, 0, '{'0' * 64}')")  # noqa: S608 - our own statement
    assert why(full).startswith("the audit trail is broken at row 1: row 1 is missing")


def test_a_trail_that_begins_with_another_row_than_its_birth_misses_that_row(
    full: Ledger, file: Path
) -> None:
    rewrite(file, "kind = 'ledger.born'")
    assert why(full).startswith("the audit trail is broken at row 1: row 1 is missing")


def test_a_trail_of_another_ledger_is_told_from_this_ones(full: Ledger, file: Path) -> None:
    with behind_its_back(file) as connection:
        connection.execute("UPDATE meta SET value = 'ffffffff' WHERE key = 'instance'")
    assert "the ledger ffffffff was born, but no row tells of it" in why(full)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("seq > 6", "operation"),
        ("operation_id IS 1", "operation 1 (create_ticket) is done, but no row tells of it"),
        (
            "operation_id IS 1 AND kind = 'operation.done'",
            "operation 1 (create_ticket) is done, but the rows tell that it is pending",
        ),
        (
            "operation_id IS 6 AND kind = 'operation.leaves'",
            "operation 6 (move_ticket) left 1 time, but the rows tell of 0",
        ),
        ("kind LIKE 'duty.%'", "the duty scheduled (clock 1) of P1 is pending, but no row tells of it"),
        ("kind = 'ticket.made'", "OPS-5 is a ticket, but no row tells of it"),
    ],
)
def test_rows_that_were_removed_and_closed_up_are_missed_by_what_the_ledger_shows(
    full: Ledger, file: Path, gone: str, words: str
) -> None:
    rewrite(file, gone)
    assert audit_trail.head(full)[0] > 1
    assert words in why(full)
    assert f"row {audit_trail.head(full)[0] + 1} is missing" in why(full)


MAIL = SendMail(
    key="mail/notice/P1/ana",
    incident="P1",
    to="ana@qrpay.example",
    why="the mapping names you",
    content=NoticeMail(severity="SEV0", since=NOW),
    reason="it reached SEV0",
)


@pytest.mark.parametrize(
    ("keeper", "words"),
    [
        ("mail", "the mail of operation 10 names row"),
        ("export", "an export names row"),
        ("note", "the file syncd.db.head beside the ledger names row"),
    ],
)
def test_a_row_whose_hash_left_is_missed_in_a_trail_that_was_cut(
    full: Ledger, file: Path, keeper: str, words: str
) -> None:
    with full.write() as session:
        seq, digest = audit.head(session)
        audit.append(session, NOW, "tested")
        if keeper == "mail":
            (row,) = record(session, MAIL)
            claim(session, row, anchor=spelled(audit.head(session)))
            operation_states.finish(session, row, OperationState.DONE, NOW)
    if keeper == "export":
        audit_trail.note_export(full, {}, "root", NOW)
    if keeper == "note":
        full.note_head()
    noted = audit_trail.noted_head(full)
    assert audit_trail.verify(full, noted=noted) is None
    forge(
        file,
        f"DELETE FROM audit_event WHERE seq > {seq}",  # noqa: S608 - our own statement
        f"UPDATE audit_head SET seq = {seq}, hash = '{digest}'",  # noqa: S608 - our own statement
    )
    broken = audit_trail.verify(full, noted=noted)
    assert broken is not None
    assert broken.seq == seq + 1
    assert words in broken.why


def test_a_damaged_anchor_is_a_break_and_named(full: Ledger, file: Path) -> None:
    with full.write() as session:
        (row,) = record(session, MAIL)
        claim(session, row, anchor="7:abc")
    assert "the mail of operation 10 names row 0" in why(full)
    forge(file, "UPDATE operation SET rendered = '{' WHERE id = 10")
    assert "the mail of operation 10 names row 0" in why(full)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_head SET hash = 'x'", "with another hash"),
        ("UPDATE audit_head SET seq = seq - 1", "the head row names row"),
        ("DELETE FROM audit_head", "the head row is missing"),
    ],
)
def test_a_changed_head_is_a_break(full: Ledger, file: Path, statement: str, words: str) -> None:
    forge(file, statement)
    assert words in why(full)


@pytest.mark.parametrize("name", sorted(TRIGGERS))
def test_a_missing_or_changed_trigger_is_a_break_and_named(full: Ledger, file: Path, name: str) -> None:
    with behind_its_back(file) as connection:
        connection.execute(f"DROP TRIGGER {name}")
    assert why(full) == f"the audit trail is not protected: the trigger {name} is missing"
    with behind_its_back(file) as connection:
        connection.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON audit_event BEGIN SELECT 1; END")
    assert why(full) == f"the audit trail is not protected: the trigger {name} is changed"


@pytest.mark.parametrize("table", ["duty", "audit_event", "audit_head"])
def test_a_foreign_trigger_is_a_break_and_nothing_starts_with_one_on_the_trail(
    full: Ledger, file: Path, url: str, table: str
) -> None:
    with behind_its_back(file) as connection:
        connection.execute(f"CREATE TRIGGER helper AFTER INSERT ON {table} BEGIN SELECT 1; END")
    assert why(full) == "the audit trail is not protected: the trigger helper is none of syncd's"
    full.close()
    if table != "duty":
        with pytest.raises(LedgerUnsafe, match="helper"):
            open_for_work(url, "the test", NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("text = CAST(x'ff7b7d' AS TEXT)", "cannot read it"),
        ("text = x'7b7d'", "its text is bytes"),
        ("at = 'yesterday'", "its at is empty"),
        ("operation_id = 'one'", "its operation is str"),
        ("hash = x'00'", "its hash is bytes"),
    ],
)
def test_a_damaged_row_is_named(full: Ledger, file: Path, change: str, words: str) -> None:
    forge(file, f"UPDATE audit_event SET {change} WHERE seq = 3")  # noqa: S608 - our own statement
    assert why(full).startswith("the audit trail is broken at row 3: ")
    assert words in why(full)


@pytest.mark.parametrize("text", ["not JSON", "[]", ""])
def test_a_row_whose_text_is_no_json_object_is_named_also_where_its_hash_fits(
    full: Ledger, file: Path, text: str
) -> None:
    forge(file, f"UPDATE audit_event SET text = '{text}' WHERE seq = 3")  # noqa: S608 - our own statement
    with pytest.raises(LedgerUnreadable, match="row 3 of the audit trail is damaged"):
        audit_trail.events_since(full, 0)
    rewrite(file, "0")
    assert why(full).startswith(
        "the audit trail is broken at row 3: it is damaged: its text is no JSON object"
    )


def test_a_table_that_lost_a_column_is_named(full: Ledger, file: Path) -> None:
    forge(file, "ALTER TABLE audit_event DROP COLUMN issue_id")
    assert "no such column: issue_id" in why(full)
