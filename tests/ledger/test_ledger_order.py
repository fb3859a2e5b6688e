"""A statement whose rows are looped over names their order, so that no query plan decides it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from sqlalchemy import CompoundSelect, Select

import syncd.ledger

ORDERLESS = frozenset({"set", "frozenset", "min", "any"})
"""Functions of all rows to which the order does not matter."""
ONE_ROW = frozenset({"scalar", "first", "one"})
"""Methods for a statement with one row."""


def _modules() -> Iterator[ModuleType]:
    for module in pkgutil.walk_packages(syncd.ledger.__path__, "syncd.ledger."):
        if "migrations" not in module.name:
            yield importlib.import_module(module.name)


def _without_order(module: ModuleType) -> set[str]:
    statements = {
        name: value for name, value in vars(module).items() if isinstance(value, Select | CompoundSelect)
    }
    return {name for name, statement in statements.items() if not statement._order_by_clauses}


def _looped(tree: ast.AST, names: set[str], safe: bool = False) -> Iterator[str]:
    """Yield the statements whose rows are used one after the other."""
    if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Load) and tree.id in names and not safe:
        yield tree.id
    if isinstance(tree, ast.Call):
        called = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
        safe = safe or called in (ONE_ROW if isinstance(tree.func, ast.Attribute) else ORDERLESS)
    safe = safe or isinstance(tree, ast.DictComp | ast.SetComp)
    for child in ast.iter_child_nodes(tree):
        yield from _looped(child, names, safe)


def test_every_statement_whose_rows_are_looped_over_names_their_order() -> None:
    orderless = {}
    for module in _modules():
        tree = ast.parse(inspect.getsource(module))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        names = _without_order(module)
        orderless[module.__name__] = {name for function in functions for name in _looped(function, names)}
    assert {name: statements for name, statements in orderless.items() if statements} == {}
