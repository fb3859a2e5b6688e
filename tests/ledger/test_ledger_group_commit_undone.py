"""Group commit: what a writer undoes, or what is undone of it, is exactly its own."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy.exc import PendingRollbackError, SQLAlchemyError
from sqlmodel import Session
from test_ledger_group_commit import Crowd, fail

from syncd.ledger.open import Ledger
from syncd.ledger.store.key_values import set_cursor_in
from syncd.ledger.store.tables import KeyValueRow


@pytest.fixture
def crowd(ledger: Ledger) -> Crowd:
    return Crowd(ledger)


def go_on_after_a_failed_flush(session: Session) -> None:
    """Overlook a write that the database refuses, and write on."""
    for _ in range(2):
        session.add(KeyValueRow(name="twice", value={}))
    with suppress(SQLAlchemyError):
        session.flush()
    set_cursor_in(session, "afterwards", by="somebody")


@pytest.mark.parametrize("failing", ["first", "b", "c"])
def test_a_writer_that_goes_on_after_a_failed_flush_stores_nothing(crowd: Crowd, failing: str) -> None:
    def write(session: Session) -> None:
        for name in ("b", "c"):
            crowd.come(name, go_on_after_a_failed_flush if name == failing else lambda _session: None)
        if failing == "first":
            go_on_after_a_failed_flush(session)

    crowd.write("first", write)
    crowd.go()
    assert isinstance(crowd.errors.pop(failing), PendingRollbackError)
    assert not crowd.errors
    assert crowd.stored == {"first", "b", "c"} - {failing}
    assert not any(crowd.has(name) for name in (failing, "twice", "afterwards"))


@pytest.mark.parametrize("inner", [None, "kept", "undone"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_writer_with_a_savepoint_inside_undoes_all_of_its_own_and_nothing_else(
    crowd: Crowd, inner: str | None, fails: bool
) -> None:
    def nest(session: Session) -> None:
        set_cursor_in(session, "before", by="b")
        if inner is not None:
            with suppress(ValueError), session.connection().begin_nested():
                set_cursor_in(session, "inside", by="b")
                if inner == "undone":
                    fail(session)
        if fails:
            fail(session)

    with crowd.ledger.write() as session:
        set_cursor_in(session, "first", by="first")
        crowd.come("a", fail)
        crowd.come("b", nest)
        crowd.come("c")
    crowd.go()
    assert crowd.errors.keys() == ({"a", "b"} if fails else {"a"})
    assert crowd.has("first")
    assert crowd.stored == ({"c"} if fails else {"b", "c"})
    assert crowd.has("before") is not fails
    assert crowd.has("inside") is (inner == "kept" and not fails)
