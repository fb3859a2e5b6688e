"""Turn pydantic's errors about a mapping into problems with place, key, message and hint."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from syncd.config.mapping.keys import all_keys, known_keys
from syncd.config.mapping.yaml_reader import Document, Path_, dotted
from syncd.config.problems import Problem, did_you_mean, listing

_MOST_LISTED = 12


def structure_problems(error: ValidationError, document: Document) -> list[Problem]:
    """Return every structural problem of a document, in the order of the file."""
    located = [
        (_path(detail, document), detail) for detail in error.errors(include_url=False, include_context=True)
    ]
    located.sort(key=lambda pair: document.place(pair[0]))
    return list(dict.fromkeys(_problem(path, detail, document) for path, detail in located))


def _path(error: ErrorDetails, document: Document) -> Path_:
    """Return the part of pydantic's location that exists in the file, plus the key if it is missing."""
    location: Path_ = error["loc"]
    depth = 0
    while depth < len(location) and location[: depth + 1] in document.values:
        depth += 1
    return location[: depth + 1] if error["type"] in ("missing", "extra_forbidden") else location[:depth]


def _problem(path: Path_, error: ErrorDetails, document: Document) -> Problem:
    kind = error["type"]
    if kind == "missing":
        return document.problem(path, "missing", _purpose(path), document.place(path[:-1]))
    if kind == "extra_forbidden":
        return document.problem(path, "unknown key", _instead(path), document.place(path))
    return document.problem(path, *_sayings(kind, error))


def _purpose(path: Path_) -> str:
    """Return the hint for a missing key, with the key's description."""
    name = dotted(path)
    described = next((key.description for key in all_keys() if key.path == name), "")
    return f"add `{path[-1]}`" + (f": {described[0].lower()}{described[1:].rstrip('.')}" if described else "")


def _instead(path: Path_) -> str:
    keys = known_keys(path[:-1])
    suggestion = did_you_mean(str(path[-1]), keys)
    if suggestion or not keys:
        return suggestion or "remove it"
    more = len(keys) - _MOST_LISTED
    if more <= 0:
        return f"its section may have {listing(keys)}"
    listed = ", ".join(f"`{name}`" for name in keys[:_MOST_LISTED])
    return f"its section may have {listed} and {more} more: syncd schema"


def _sayings(kind: str, error: ErrorDetails) -> tuple[str, str]:
    if kind in ("literal_error", "enum"):
        options = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        given = error["input"]
        suggestion = did_you_mean(given, options) if isinstance(given, str) else ""
        return f"not one of {listing(options)}" if options else error["msg"], suggestion
    for kinds, message, hint in _SAYINGS:
        if kind in kinds:
            return message, hint(error) if callable(hint) else hint
    return error["msg"].removeprefix("Value error, "), ""


def _limit(error: ErrorDetails) -> str:
    return error["msg"].replace("Input should", "it should")


_SECTION = ("dict_type", "model_type", "model_attributes_type", "mapping_type")
_DATE = ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact")
_BOOL = ("bool_type", "bool_parsing")
_NUMBER = ("float_type", "float_parsing", "int_type", "int_parsing")
_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_SAYINGS: tuple[tuple[tuple[str, ...], str, str | Callable[[ErrorDetails], str]], ...] = (
    (("string_type",), "not a text", "write a text; in quotes where it looks like a number"),
    (("string_too_short", "too_short"), "empty", "write at least one"),
    (("string_pattern_mismatch",), "not the key of a Jira project", "write it in capitals, such as `OPS`"),
    (("tuple_type", "list_type"), "not a list", "write one entry a line, each after `- `"),
    (_SECTION, "not a section", "write `key: value` lines under it, indented"),
    (_DATE, "not a date", "write it as 2026-12-01"),
    (_BOOL, "neither true nor false", "write `true` or `false`"),
    (_NUMBER, "not a number", "write a plain number"),
    (_RANGE, "out of its range", _limit),
)
