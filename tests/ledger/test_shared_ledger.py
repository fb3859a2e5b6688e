"""A ledger that several machines share: who leads it, how a leader sees that it leads no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cast import GAVE_UP, NOW, behind_its_back, later
from waiting import wait_for

from syncd.ledger.database.postgresql import lock
from syncd.ledger.errors import LeadershipLost, LedgerUnwritable
from syncd.ledger.open import Ledger, open_for_reading, open_for_work
from syncd.ledger.restore import begin_anew
from syncd.ledger.standby import StandbyLedger
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import incidents_with_notices, notice_changes
from syncd.ledger.store.identity import get_meta, set_meta

DATABASES = ("postgresql",)
Lead = Callable[[], Ledger]
Machines = Callable[[str], Ledger]
OURS = "datname = current_database() AND application_name LIKE 'syncd %%: a leader, pid %%'"


@pytest.fixture
def lead(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lead]:
    """Open the ledger as a daemon does that can lose its lock."""
    monkeypatch.setattr(lock, "PROVED_EVERY", 0.01)
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(open_for_work(url, "a leader", NOW, boottime=lambda: 500.0))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def end_the_lock(url: str) -> None:
    with behind_its_back(url) as connection:
        ended = connection.execute(
            f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}"  # noqa: S608
        )
        assert ended.fetchone()[0] == 1


def test_a_leader_whose_lock_ends_knows_it_and_writes_nothing_more(lead: Lead, url: str) -> None:
    ledger = lead()
    leadership = ledger.leadership
    assert leadership is not None
    notice_changes(ledger, ["P1"], NOW, 1, "why")
    end_the_lock(url)
    wait_for(leadership.why_lost)
    assert "the connection that holds its lock broke" in str(leadership.why_lost())
    with pytest.raises(LeadershipLost):
        notice_changes(ledger, ["P2"], NOW, 1, "why")
    assert incidents_with_notices(ledger) == ["P1"]


def test_the_next_leader_keeps_the_former_one_from_writing_before_it_knows(lead: Lead, url: str) -> None:
    former = lead()
    leadership = former.leadership
    assert leadership is not None
    # its proofs stop, as in a process that is stopped
    former.lock._released.set()  # type: ignore[attr-defined]
    end_the_lock(url)
    lead()
    assert leadership.why_lost() is None
    with pytest.raises(LeadershipLost, match="another daemon leads it"):
        notice_changes(former, ["P1"], NOW, 1, "why")
    assert leadership.why_not_send(500.0) == "another daemon leads it"


def test_postgresql_ends_the_lock_of_a_silent_leader(lead: Lead) -> None:
    connection = lead().lock._connection  # type: ignore[attr-defined]
    in_force = connection.execute("SELECT current_setting('idle_session_timeout')").fetchone()[0]
    assert in_force == f"{lock.SILENT_SECONDS}s"


def test_another_timeline_counts_as_a_ledger_that_was_put_back(lead: Lead, url: str) -> None:
    ledger = lead()
    assert ledger.rows_missing is None
    with ledger.write() as session:
        now = get_meta(session, "lineage")
        set_meta(session, "lineage", "7000000000000000001, timeline 00000001")
    ledger.close()
    again = lead()
    assert again.rows_missing == f"its server was 7000000000000000001, timeline 00000001, and is {now}"
    again.close()
    # it stays so until all was taken up that may be missing
    third = lead()
    assert third.rows_missing is not None
    third.began_anew()
    third.close()
    assert lead().rows_missing is None


def test_a_view_of_a_server_that_ends_it_says_that_the_ledger_is_away(lead: Lead, url: str) -> None:
    ledger = lead()
    with pytest.raises(LedgerUnwritable, match="cannot be read"), ledger.read() as session:
        session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert ledger.trouble is not None
    ledger.prove_room(100)
    ledger.end_trouble()
    with closing(open_for_reading(url)) as other, other.read() as session:
        assert get_meta(session, "instance") == ledger.instance


def put_back(url: str, seq: int) -> None:
    """Take the last events from a ledger, as an older state of its server does."""
    with behind_its_back(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM audit_event WHERE seq > %s", (seq,))
        connection.execute(
            "UPDATE audit_head SET seq = event.seq, hash = event.hash FROM audit_event AS event"
            " WHERE event.seq = %s",
            (seq,),
        )


@pytest.fixture
def machines(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """Open the ledger on a machine, by its name; each has a state folder of its own."""
    monkeypatch.setattr(lock, "PROVED_EVERY", 0.01)
    opened: list[Ledger] = []

    def make(name: str) -> Ledger:
        opened.append(open_for_work(url, "a leader", NOW, tmp_path / name, lambda: 500.0))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def grow(ledger: Ledger) -> int:
    """Append an event and return its number."""
    with ledger.write() as session:
        return audit.append(session, NOW, "test.event")


def test_a_leader_notes_its_last_event_without_asking_a_server_that_is_away(
    machines: Machines, url: str
) -> None:
    ledger = machines("a")
    ledger.note_head()
    seq = grow(ledger)
    end_the_lock(url)
    ledger.note_own_end()
    ledger.close()
    put_back(url, seq - 1)
    missing = f"its record ends at event {seq - 1}, and it went up to event {seq} already"
    assert machines("a").rows_missing == missing


def test_a_standby_knows_what_the_leader_stored_and_an_older_server_lacks(
    machines: Machines, url: str, tmp_path: Path
) -> None:
    leader = machines("a")
    with closing(StandbyLedger(url, tmp_path / "b")) as standby:
        seq = grow(leader)
        standby.look(reachable=True)
        leader.close()
        put_back(url, seq - 1)
        # it does not forget what it knows
        standby.look(reachable=True)
    missing = f"its record ends at event {seq - 1}, and it went up to event {seq} already"
    assert machines("b").rows_missing == missing


def test_an_older_server_is_known_also_after_another_machine_worked_on_it(
    machines: Machines, url: str
) -> None:
    leader = machines("a")
    leader.note_head()
    seq = grow(leader)
    leader.close()
    put_back(url, seq - 1)
    other = machines("b")
    assert other.rows_missing is None
    for _ in range(3):
        with other.write() as session:
            audit.append(session, later(5), "test.another")
    other.close()
    assert machines("a").rows_missing == f"its event {seq} is not the one that it had"


def test_a_machine_believes_a_ledger_that_began_anew_meanwhile_on_another_one(
    machines: Machines, url: str
) -> None:
    leader = machines("a")
    leader.note_head()
    seq = grow(leader)
    leader.close()
    put_back(url, seq - 1)
    other = machines("b")
    begin_anew(other, later(10), GAVE_UP, proof="its server changed")
    other.close()
    again = machines("a")
    assert again.rows_missing is None
    again.note_head()
    seq = grow(again)
    again.close()
    # what is lost after that is seen as before
    put_back(url, seq - 1)
    assert machines("a").rows_missing is not None
