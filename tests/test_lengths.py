"""A file is read in one sitting, a function without scrolling: one that has grown past that has two jobs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_OF_A_FILE, MOST_OF_A_FUNCTION = 400, 60


def _sources() -> Iterator[tuple[str, str]]:
    for folder in ("syncd", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def _may_have_a_long_one(source: str) -> bool:
    """Return True if so many lines lie between two definitions: to parse all files takes seconds."""
    lines = source.splitlines()
    begins = [number for number, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def "))]
    return any(end - begin > MOST_OF_A_FUNCTION for begin, end in pairwise([*begins, len(lines)]))


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    lines = {name: len(source.splitlines()) for name, source in _sources()}
    assert {name: count for name, count in lines.items() if count > MOST_OF_A_FILE} == {}


def test_no_function_is_too_long_for_a_screen() -> None:
    lengths = {
        f"{name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, source in _sources()
        if _may_have_a_long_one(source)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_OF_A_FUNCTION} == {}
