"""Prepared statements: the values, the errors and the transactions of SQLAlchemy's own execution."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_cast import NOW
from sqlalchemy import Engine, bindparam, cast, delete, event, insert, null, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col

from syncd.ledger.database.connection import one_view
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.errors import LedgerError
from syncd.ledger.open import Ledger
from syncd.ledger.store.tables import PersonRow, UnseenWriteRow

PERSON = {"email": "ana@example.com", "project": "OPS", "why": "50 % \"?\" ':x'", "checked_at": NOW}
ACCOUNT = {"id": "a1", "name": "Ana Ünal", "active": True, "groups": [1, None]}
ADD = Prepared(insert(PersonRow))
ONE_PERSON = select(
    col(PersonRow.email), col(PersonRow.account), col(PersonRow.why), col(PersonRow.checked_at)
).where(col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == "OPS")
FIND = Prepared(ONE_PERSON)
TABLES = SQLModel.metadata.tables.values()
CHANGE = Prepared(update(PersonRow).where(col(PersonRow.email) == bindparam("whose")))


@pytest.mark.parametrize("account", [ACCOUNT, None, {}], ids=["full", "none", "empty"])
def test_rows_hold_the_values_of_sqlalchemys_execution(ledger: Ledger, account: Any) -> None:
    with ledger.write() as session:
        ADD.change(session, **PERSON, account=account)
    with ledger.read() as session:
        row = FIND.first(session, email=PERSON["email"])
        assert row == tuple(session.connection().execute(ONE_PERSON, {"email": PERSON["email"]}).one())
        assert row is not None
        assert row[1:3] == (account, PERSON["why"])
        assert FIND.all(session, email=PERSON["email"]) == [row]
        assert FIND.scalars(session, email=PERSON["email"]) == [PERSON["email"]]
        assert FIND.first(session, email="nobody") is FIND.scalar(session, email="nobody") is None


def test_null_is_none_for_every_type_of_a_column(ledger: Ledger) -> None:
    kinds = {repr(column.type): column.type for table in TABLES for column in table.columns}
    nulls = select(*(cast(null(), kind) for kind in kinds.values()))
    with ledger.read() as session:
        assert set(session.connection().execute(nulls).one()) == {None}
        assert set(Prepared(nulls).all(session)[0]) == {None}


def test_a_change_sets_only_the_columns_that_it_gets(ledger: Ledger) -> None:
    with ledger.write() as session:
        ADD.change(session, **PERSON, account=ACCOUNT)
        assert CHANGE.change(session, whose=PERSON["email"], account={}) == 1
        assert CHANGE.change(session, whose=PERSON["email"], why="moved") == 1
        assert CHANGE.change(session, whose="nobody", why="moved") == 0
        row = FIND.first(session, email=PERSON["email"])
    assert row is not None
    assert row[1:3] == ({}, "moved")


def test_an_error_is_sqlalchemys_and_undoes_the_transaction(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError), ledger.write() as session:
        ADD.change(session, **PERSON, account=None)
        ADD.change(session, **PERSON, account=None)
    with ledger.read() as session:
        assert FIND.all(session, email=PERSON["email"]) == []


def test_listeners_are_told_of_each_statement(ledger: Ledger) -> None:
    told: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        told.append(statement.split()[0])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with ledger.write() as session:
            ADD.change(session, **PERSON, account=None)
            FIND.first(session, email=PERSON["email"])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert told[-2:] == ["INSERT", "SELECT"]


def test_a_statement_with_a_list_of_any_length_is_refused(ledger: Ledger) -> None:
    expanding = bindparam("places", expanding=True)
    listed = Prepared(delete(UnseenWriteRow).where(col(UnseenWriteRow.place).in_(expanding)))
    with pytest.raises(TypeError), ledger.write() as session:
        listed.change(session, places=["status"])


def test_objects_and_prepared_statements_of_a_read_see_the_same_state(ledger: Ledger) -> None:
    with ledger.read() as session:
        assert FIND.first(session, email=PERSON["email"]) is None
        with ledger.write() as other:
            ADD.change(other, **PERSON, account=None)
        assert session.get(PersonRow, (PERSON["email"], PERSON["project"])) is None
    with ledger.read() as session:
        assert session.get(PersonRow, (PERSON["email"], PERSON["project"])) is not None
        assert FIND.first(session, email=PERSON["email"]) is not None


def test_a_view_for_one_statement_opens_no_transaction_and_serves_no_second_one(ledger: Ledger) -> None:
    with ledger.write() as session:
        ADD.change(session, **PERSON, account=None)
    connections: list[Any] = []

    def note(connection: Any, *_: object) -> None:
        connections.append(connection.connection.driver_connection)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with ledger.read_one() as session:
            assert FIND.first(session, email=PERSON["email"]) is not None
            assert [ledger.backend.is_open(connection) for connection in connections] == [False]
            with pytest.raises(LedgerError):
                FIND.first(session, email=PERSON["email"])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    with ledger.write() as session:
        CHANGE.change(session, whose=PERSON["email"], why="moved")
    with ledger.read_one() as session:
        row = FIND.first(session, email=PERSON["email"])
    assert row is not None
    assert row[2] == "moved"


def test_a_view_for_one_statement_within_one_view_sees_its_state(ledger: Ledger) -> None:
    with one_view(ledger) as view:
        with view.read_one() as session:
            assert FIND.first(session, email=PERSON["email"]) is None
        with ledger.write() as other:
            ADD.change(other, **PERSON, account=None)
        with view.read_one() as session:
            assert FIND.first(session, email=PERSON["email"]) is None
