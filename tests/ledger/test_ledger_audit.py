"""The audit trail: a change shows, and the database refuses to make one."""

from __future__ import annotations

import sqlite3
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from ledger_cast import NOW, behind_its_back, forge, later
from sqlmodel import Session, select

from syncd.domain.trail.chain import GENESIS, Broken
from syncd.ledger.database.triggers import TRIGGERS
from syncd.ledger.errors import LedgerUnsafe
from syncd.ledger.open import Ledger, open_for_work
from syncd.ledger.store import audit
from syncd.ledger.store.tables import AuditEventRow

Anchor = tuple[int, str]


@pytest.fixture
def anchors(ledger: Ledger) -> list[Anchor]:
    """Append ten events; return the anchor before the first and after each of them."""
    seen = [(0, GENESIS)]
    with ledger.write() as session:
        while (seq := audit.head(session)[0]) < 10:
            seen += [audit.head(session)] if seq else []
            audit.append(session, later(seq), "tested", incident="P1", data={"number": seq})
        seen.append(audit.head(session))
    return seen


def verify(ledger: Ledger, anchor: Anchor | None = None) -> Broken | None:
    with ledger.read() as session:
        return audit.verify(session, [anchor] if anchor else [])


def test_an_untouched_trail_holds_and_passes_through_every_anchor(
    ledger: Ledger, anchors: list[Anchor]
) -> None:
    assert len(anchors) == 11
    assert [verify(ledger, anchor) for anchor in (None, *anchors)] == [None] * 12


def test_the_first_event_is_the_birth_of_the_ledger(ledger: Ledger) -> None:
    with ledger.read() as session:
        first = session.exec(select(AuditEventRow)).one()
    assert (first.seq, first.kind) == (1, "ledger.born")


@pytest.mark.parametrize(
    "change",
    [
        """text = '{"number":99}'""",
        "at = '2026-11-22 09:00:05.123457'",
        "kind = 'tasted'",
        "incident_id = 'P2'",
        "issue_id = '10005'",
        "operation_id = 1",
        "hash = replace(hash, substr(hash, 1, 1), 'x')",
    ],
)
def test_a_row_that_was_changed_is_the_first_that_does_not_hold(
    ledger: Ledger, anchors: list[Anchor], url: str, change: str
) -> None:
    forge(url, f"UPDATE audit_event SET {change} WHERE seq = 5")  # noqa: S608 - our own statement
    broken = verify(ledger)
    assert broken is not None
    assert broken.seq == 5


def test_a_row_that_was_removed_is_named(ledger: Ledger, anchors: list[Anchor], url: str) -> None:
    forge(url, "DELETE FROM audit_event WHERE seq = 5")
    assert verify(ledger) == Broken(5, "row 5 is missing")


def test_a_gap_that_was_closed_up_does_not_hold(ledger: Ledger, anchors: list[Anchor], url: str) -> None:
    forge(
        url,
        "DELETE FROM audit_event WHERE seq = 5",
        "UPDATE audit_event SET seq = -seq WHERE seq > 5",
        "UPDATE audit_event SET seq = -seq - 1 WHERE seq < 0",
        "UPDATE audit_head SET seq = 9",
    )
    broken = verify(ledger)
    assert broken is not None
    assert broken.seq == 5


def test_rows_that_were_swapped_do_not_hold(ledger: Ledger, anchors: list[Anchor], url: str) -> None:
    forge(
        url,
        "UPDATE audit_event SET seq = -4 WHERE seq = 4",
        "UPDATE audit_event SET seq = 4 WHERE seq = 6",
        "UPDATE audit_event SET seq = 6 WHERE seq = -4",
    )
    broken = verify(ledger)
    assert broken is not None
    assert broken.seq == 4


def test_a_tail_that_was_cut_off_is_missed_by_the_head(
    ledger: Ledger, anchors: list[Anchor], url: str
) -> None:
    forge(url, "DELETE FROM audit_event WHERE seq > 7")
    assert verify(ledger) == Broken(8, "row 8 is missing: the head row names row 10 as the last")


def test_a_tail_that_was_cut_off_with_its_head_is_missed_by_a_later_anchor(
    ledger: Ledger, anchors: list[Anchor], url: str
) -> None:
    forge(
        url,
        "DELETE FROM audit_event WHERE seq > 7",
        f"UPDATE audit_head SET seq = 7, hash = '{anchors[7][1]}'",  # noqa: S608 - our own statement
    )
    assert verify(ledger) is None
    assert verify(ledger, anchors[7]) is None
    assert verify(ledger, anchors[9]) == Broken(8, "row 8 is missing: the anchor names row 9")


def test_a_trail_that_was_written_anew_does_not_pass_through_an_old_anchor(
    ledger: Ledger, anchors: list[Anchor], url: str
) -> None:
    forge(
        url,
        "DELETE FROM audit_event WHERE seq > 4",
        f"UPDATE audit_head SET seq = 4, hash = '{anchors[4][1]}'",  # noqa: S608 - our own statement
    )
    with ledger.write() as session:
        for number in range(4, 10):
            audit.append(session, later(number), "tested", incident="P1", data={"number": -number})
    assert verify(ledger) is None
    assert verify(ledger, anchors[4]) is None
    assert verify(ledger, anchors[7]) == Broken(7, "its hash differs from the anchor")


def test_an_anchor_that_never_was_is_told_from_a_trail_that_holds(
    ledger: Ledger, anchors: list[Anchor]
) -> None:
    for false in ((0, "f" * 64), (11, anchors[10][1]), (-1, GENESIS)):
        assert verify(ledger, false) is not None


def test_a_head_that_was_removed_is_missed_and_nothing_is_written_without_it(
    ledger: Ledger, anchors: list[Anchor], url: str
) -> None:
    forge(url, "DELETE FROM audit_head")
    assert verify(ledger) is not None
    with pytest.raises(LedgerUnsafe, match="no head row"), ledger.write() as session:
        audit.append(session, NOW, "tested")


def test_an_event_of_another_time_zone_holds_after_it_was_read_back(ledger: Ledger) -> None:
    with ledger.write() as session:
        audit.append(session, NOW.astimezone(timezone(timedelta(hours=-4))), "tested")
    assert verify(ledger) is None


@pytest.mark.parametrize("text", ["ünïcode ☃ 🜁", "\x00\n\r\u2028", '","seq":1', "\ud83d"], ids=ascii)
def test_an_event_holds_whatever_its_data_is_made_of(ledger: Ledger, text: str) -> None:
    with ledger.write() as session:
        audit.append(session, NOW, "tested", data={"text": text, text: [None, 1.5, True]})
    assert verify(ledger) is None


def test_an_event_of_a_transaction_that_failed_leaves_no_gap(ledger: Ledger) -> None:
    def fails() -> None:
        with ledger.write() as session:
            audit.append(session, NOW, "tested")
            raise RuntimeError("no")

    with ledger.write() as session:
        before = audit.append(session, NOW, "tested")
    with pytest.raises(RuntimeError, match="no"):
        fails()
    with ledger.write() as session:
        assert audit.append(session, NOW, "tested") == before + 1
    assert verify(ledger) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET kind = 'tasted' WHERE seq = 1",
        "UPDATE audit_event SET kind = kind",
        "DELETE FROM audit_event WHERE seq = 1",
        "DELETE FROM audit_event",
        "INSERT OR REPLACE INTO audit_event SELECT * FROM audit_event WHERE seq = 1",
        "REPLACE INTO audit_event SELECT seq, at, 'tasted', NULL, NULL, NULL, text, hash FROM audit_event",
    ],
)
def test_the_trail_refuses_to_be_changed(ledger: Ledger, file: Path, statement: str) -> None:
    with (
        behind_its_back(file) as connection,
        pytest.raises(sqlite3.IntegrityError, match="audit_event is append-only"),
    ):
        connection.execute(statement)
    assert verify(ledger) is None


@pytest.mark.parametrize("name", sorted(TRIGGERS))
@pytest.mark.parametrize("how", ["removed", "emptied", "elsewhere"])
def test_nothing_starts_without_what_protects_the_trail(
    ledger: Ledger, url: str, file: Path, name: str, how: str
) -> None:
    ledger.close()
    empty = f"CREATE TRIGGER {name} BEFORE UPDATE ON {{}} BEGIN SELECT 1; END"
    with behind_its_back(file) as connection:
        connection.execute(f"DROP TRIGGER {name}")
        if how != "removed":
            connection.execute(empty.format("audit_event" if how == "emptied" else "meta"))
        runs = connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchall()
    for _ in range(2):
        with pytest.raises(LedgerUnsafe, match=name):
            open_for_work(url, "the test", NOW)
    with behind_its_back(file) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchall() == runs


def test_a_hash_that_stands_for_a_text_depends_on_the_ledgers_salt(ledger: Ledger, tmp_path: Path) -> None:
    def salted(session: Session) -> str:
        return audit.salted(session, "Ana called the bank")

    other = open_for_work(f"sqlite:///{tmp_path / 'other.db'}", "the test", NOW)
    with ledger.read() as here, other.read() as there:
        assert salted(here) == salted(here) != salted(there)
        assert "Ana" not in salted(here)
    other.close()
