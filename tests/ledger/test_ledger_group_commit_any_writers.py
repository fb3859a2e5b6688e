"""Writers that share a commit in any order, fail or are interrupted: each is stored or raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session
from writers_cast import Body, Crowd, fail

from syncd.ledger.errors import LedgerError
from syncd.ledger.open import Ledger
from syncd.ledger.store.key_values import set_cursor_in


def end_by_itself(session: Session) -> None:
    """Let the database end the transaction, as it does when the disk is full."""
    session.connection().exec_driver_sql("ROLLBACK")
    raise ValueError("the disk is full")


class Interrupted:
    """The wait of a writer that is interrupted, at once or just when its turn comes."""

    def __init__(self, *, late: bool) -> None:
        self._late = late
        self._set = Event()

    def set(self) -> None:
        """Let its turn come."""
        self._set.set()

    def wait(self) -> None:
        """Raise as Ctrl-C does."""
        if self._late:
            self._set.wait(30)
        raise KeyboardInterrupt


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("first_fails", [False, True])
def test_a_writer_that_is_interrupted_while_it_waits_holds_nobody_up(
    crowd: Crowd, late: bool, first_fails: bool
) -> None:
    def interrupt(turn: Any) -> None:
        turn.comes = Interrupted(late=late)

    with suppressed(first_fails), crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.queue.on_arrival = interrupt
        crowd.come("b")
        crowd.queue.on_arrival = lambda _turn: None
        if not late:
            crowd.go()
        crowd.come("c")
        if first_fails:
            fail(session)
    crowd.go()
    assert isinstance(crowd.errors["b"], KeyboardInterrupt)
    assert crowd.stored == {"c"}
    assert crowd.has("first") is not first_fails
    assert not crowd.has("b")


@contextmanager
def suppressed(fails: bool) -> Iterator[None]:
    if not fails:
        yield
        return
    with pytest.raises(ValueError, match="no"):
        yield


BODIES: dict[str, Body] = {"works": lambda _session: None, "fails": fail, "ends": end_by_itself}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([*BODIES, "works"]), min_size=1, max_size=6),
    st.integers(2, 4),
)
def test_each_writer_is_stored_or_raises(ledger: Ledger, file: Path, writers: list[str], most: int) -> None:
    crowd = Crowd(ledger)
    ledger._writers._most = most
    stored, group, size = set(), set[str](), 0
    for number, does in enumerate(["works", *writers]):
        name = f"w{number}"
        size += 1
        if does == "works":
            group.add(name)
        # a transaction that ends takes those along that wrote before; a first writer that fails has none
        if does == "ends" or (does == "fails" and size == 1):
            group, size = set(), 0
        elif size == most:
            stored, group, size = stored | group, set(), 0
    stored |= group
    with ledger.write() as session:
        session.connection().exec_driver_sql("DELETE FROM key_value WHERE name LIKE 'w_'")
    first_ends = "w0" not in stored
    with outcome(first_ends), ledger.write() as session:
        set_cursor_in(session, "w0", by="w0")
        for number, does in enumerate(writers):
            crowd.come(f"w{number + 1}", BODIES[does])
    crowd.go()
    names = {f"w{number}" for number in range(len(writers) + 1)}
    assert {name for name in names if crowd.has(name)} == stored
    assert crowd.stored == stored - {"w0"}
    assert crowd.errors.keys() == names - stored - {"w0"}


@contextmanager
def outcome(fails: bool) -> Iterator[None]:
    if not fails:
        yield
        return
    with pytest.raises(LedgerError, match="was given up"):
        yield
