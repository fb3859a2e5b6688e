"""The long runs are no part of `make test`, so what they import inside functions is checked here."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONG_RUNS = sorted(
    path for folder in ("bench", "crash", "simulation", "soak") for path in (TESTS / folder).rglob("*.py")
)


def _is_there(module: str, name: str) -> bool:
    imported = import_module(module)
    # only a package has modules of its own
    return hasattr(imported, name) or (
        hasattr(imported, "__path__") and find_spec(f"{module}.{name}") is not None
    )


@pytest.mark.parametrize("path", LONG_RUNS, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_long_run_imports_only_what_the_product_has(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    missing = [
        f"{node.module}.{alias.name}"
        for node in imports
        if (node.module or "").partition(".")[0] == "syncd"
        for alias in node.names
        if not _is_there(node.module or "", alias.name)
    ]
    assert missing == []
