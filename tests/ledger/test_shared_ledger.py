"""A ledger that several machines share: who leads it, how a leader sees that it leads no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from ledger_cast import NOW, behind_its_back
from waiting import wait_for

from syncd.ledger.database.postgresql import lock
from syncd.ledger.errors import LeadershipLost, LedgerUnwritable
from syncd.ledger.open import Ledger, open_for_reading, open_for_work
from syncd.ledger.store.change_queue import incidents_with_notices, notice_changes
from syncd.ledger.store.identity import get_meta, set_meta

DATABASES = ("postgresql",)
Lead = Callable[[], Ledger]
OURS = "application_name LIKE 'syncd %%: a leader, pid %%'"


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
