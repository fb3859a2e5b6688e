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


class _AtPath(FunctionElement[Any]):
    """A function of a JSON column and a path, which stands in the statement as SQLite spells it."""

    inherit_cache = True
    name = "json_extract"

    def __init__(self, column: Any, *path: str) -> None:
        self.path = path
        keys = "".join(f'."{key}"' if "." in key else f".{key}" for key in path)
        super().__init__(column, literal_column(f"'${keys}'", String))


class json_text(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """The text at a path of a JSON column; a list or an object is JSON."""

    type = String()
    inherit_cache = True


class json_integer(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """The whole number at a path of a JSON column."""

    type = BigInteger()
    inherit_cache = True


class is_json_list(_AtPath):  # noqa: N801 - spelled as SQL functions are
    """True if there is a list at a path of a JSON column, False if there is anything else or nothing."""

    type = Boolean()
    inherit_cache = True


class has_json_entries(FunctionElement[bool]):  # noqa: N801 - spelled as SQL functions are
    """True if a JSON column holds a list with an entry."""

    type = Boolean()
    inherit_cache = True
    name = "json_array_length"


class json_source(FunctionElement[str]):  # noqa: N801 - spelled as SQL functions are
    """A JSON column as the text that is stored."""

    type = String()
    inherit_cache = True
    name = "json_source"


class position_in(FunctionElement[int]):  # noqa: N801 - spelled as SQL functions are
    """Where the second text stands in the first, counted from 1; 0 if it is not in it."""

    type = BigInteger()
    inherit_cache = True
    name = "instr"


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


@compiles(_AtPath)
def _json_extract(element: _AtPath, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({', '.join(_arguments(element, compiler, **options))})"


@compiles(_AtPath, "postgresql")
def _text_at_path(element: _AtPath, compiler: SQLCompiler, **options: Any) -> str:
    column = _arguments(element, compiler, **options)[0]
    return f"({column} #>> '{{{','.join(_quoted(key) for key in element.path)}}}')"


def _quoted(key: str) -> str:
    return f'"{key}"'


@compiles(json_integer, "postgresql")
def _integer_at_path(element: json_integer, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({_text_at_path(element, compiler, **options)} AS BIGINT)"


@compiles(is_json_list)
def _is_json_list(element: is_json_list, compiler: SQLCompiler, **options: Any) -> str:
    return f"(json_type({', '.join(_arguments(element, compiler, **options))}) IS 'array')"


@compiles(is_json_list, "postgresql")
def _is_json_list_at_path(element: is_json_list, compiler: SQLCompiler, **options: Any) -> str:
    column = _arguments(element, compiler, **options)[0]
    value = f"{column} #> '{{{','.join(_quoted(key) for key in element.path)}}}'"
    return f"(json_typeof({value}) IS NOT DISTINCT FROM 'array')"


@compiles(has_json_entries)
def _has_json_entries(element: has_json_entries, compiler: SQLCompiler, **options: Any) -> str:
    return f"(json_array_length({_arguments(element, compiler, **options)[0]}) > 0)"


@compiles(json_source)
def _json_source(element: json_source, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, **options)[0]


@compiles(json_source, "postgresql")
def _json_cast(element: json_source, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({_arguments(element, compiler, **options)[0]} AS TEXT)"


@compiles(position_in)
def _instr(element: position_in, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({', '.join(_arguments(element, compiler, **options))})"


@compiles(position_in, "postgresql")
def _strpos(element: position_in, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({', '.join(_arguments(element, compiler, **options))})"


def upsert(table: Any, *, key: str, value: str) -> Insert:
    """Return an insert of a key and a value that replaces the value of a key that is there."""
    new = sqlite_insert(table)
    return new.on_conflict_do_update(index_elements=[key], set_={value: new.excluded[value]})


@compiles(OnConflictDoUpdate, "postgresql")
def _on_conflict(element: Any, compiler: Any, **options: Any) -> str:
    # the same clause in both databases; PostgreSQL's compiler looks for a constraint's name in it, too
    element.constraint_target = None
    return str(compiler.visit_on_conflict_do_update(element, **options))
