"""SQL that the databases spell differently: values in JSON, a text in a text, inserts that replace.

A path names the keys from the outside in. What is missing, and JSON's null, is NULL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, String, literal_column
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.dialects.sqlite.dml import OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.functions import FunctionElement


class _Spelled(FunctionElement[Any]):
    """A function in the text of each database: `{0}` and `{1}` are its arguments, `{keys}` a path's keys."""

    inherit_cache = True
    name = "spelled"
    in_file: str
    on_server: str
    keys = ""


class _AtPath(_Spelled):
    """A function of a JSON column and a path, which stands in the statement as SQLite spells it."""

    inherit_cache = True

    def __init__(self, column: Any, *path: str) -> None:
        self.keys = "'{" + ",".join(f'"{key}"' for key in path) + "}'"
        keys = "".join(f'."{key}"' if "." in key else f".{key}" for key in path)
        super().__init__(column, literal_column(f"'${keys}'", String))


class json_text(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """The text at a path of a JSON column; a list or an object is JSON."""

    type = String()
    inherit_cache = True
    in_file = "json_extract({0}, {1})"
    on_server = "({0} #>> {keys})"


class json_integer(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """The whole number at a path of a JSON column."""

    type = BigInteger()
    inherit_cache = True
    in_file = "json_extract({0}, {1})"
    on_server = "CAST(({0} #>> {keys}) AS BIGINT)"


class is_json_list(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """True if there is a list at a path of a JSON column, False if there is anything else or nothing."""

    type = Boolean()
    inherit_cache = True
    in_file = "(json_type({0}, {1}) IS 'array')"
    on_server = "(json_typeof({0} #> {keys}) IS NOT DISTINCT FROM 'array')"


class has_json_entries(_Spelled):  # noqa: N801 - spelled as SQL functions are
    """True if a JSON column holds a list with an entry."""

    type = Boolean()
    inherit_cache = True
    in_file = on_server = "(json_array_length({0}) > 0)"


class json_source(_Spelled):  # noqa: N801 - spelled as SQL functions are
    """A JSON column as the text that is stored."""

    type = String()
    inherit_cache = True
    in_file = "{0}"
    on_server = "CAST({0} AS TEXT)"


class position_in(_Spelled):  # noqa: N801 - spelled as SQL functions are
    """Where the second text stands in the first, counted from 1; 0 if it is not in it."""

    type = BigInteger()
    inherit_cache = True
    in_file = "instr({0}, {1})"
    on_server = "strpos({0}, {1})"


@compiles(_Spelled)
def _in_file(element: _Spelled, compiler: SQLCompiler, **options: Any) -> str:
    return element.in_file.format(*(compiler.process(clause, **options) for clause in element.clauses))


@compiles(_Spelled, "postgresql")
def _on_server(element: _Spelled, compiler: SQLCompiler, **options: Any) -> str:
    arguments = [compiler.process(clause, **options) for clause in element.clauses]
    return element.on_server.format(*arguments, keys=element.keys)


def upsert(table: Any, *, key: str) -> Insert:
    """Return an insert of a key and its `value` that replaces the value of a key that is there."""
    new = sqlite_insert(table)
    return new.on_conflict_do_update(index_elements=[key], set_={"value": new.excluded["value"]})


@compiles(OnConflictDoUpdate, "postgresql")
def _on_conflict(element: Any, compiler: Any, **options: Any) -> str:
    # the same clause in both databases; PostgreSQL's compiler looks for a constraint's name in it, too
    element.constraint_target = None
    return str(compiler.visit_on_conflict_do_update(element, **options))
