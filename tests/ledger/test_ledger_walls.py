"""Code outside the ledger sees no session, row or statement: it reads values and calls verbs.

Tests of the engine that still read tables are in a list that only shrinks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "syncd" / "ledger"
SQL = ("sqlalchemy", "sqlmodel")
TABLES = "syncd.ledger.store.tables"

TESTS_OF_THE_INSIDE = ("tests/ledger/", "tests/ledger_reading.py")
INSTRUMENTS = frozenset(
    {
        "tests/crash/worker.py",
        "tests/engine/test_quiet.py",
        "tests/postgresql.py",
        "tests/simulation/house.py",
        "tests/simulation/mutations.py",
        "tests/simulation/watched.py",
        "tests/simulation/wire.py",
        "tests/standby/database.py",
        "tests/standby/simulated.py",
        "tests/web/test_listener.py",
    }
)
"""Test tools that watch the ledger's database, or replace it by a dying or broken one."""
TESTS_YET_TO_FOLLOW = frozenset(
    {
        "tests/engine/mail_rig.py",
        "tests/engine/test_alarms.py",
        "tests/engine/test_border.py",
        "tests/engine/test_changed_rules.py",
        "tests/engine/test_coexist.py",
        "tests/engine/test_conflicts.py",
        "tests/engine/test_disk.py",
        "tests/engine/test_duties.py",
        "tests/engine/test_every_jira_project.py",
        "tests/engine/test_every_jira_workflow.py",
        "tests/engine/test_faults.py",
        "tests/engine/test_follow_up_membership.py",
        "tests/engine/test_follow_up_rows.py",
        "tests/engine/test_follow_ups.py",
        "tests/engine/test_gate.py",
        "tests/engine/test_look_ups.py",
        "tests/engine/test_mail_leaving.py",
        "tests/engine/test_notices.py",
        "tests/engine/test_observing.py",
        "tests/engine/test_postmortems.py",
        "tests/engine/test_postmortems_comments.py",
        "tests/engine/test_rebuilt.py",
        "tests/engine/test_reminders.py",
        "tests/engine/test_restore.py",
        "tests/engine/test_restricted_texts.py",
        "tests/engine/test_resync.py",
        "tests/engine/test_rivals.py",
        "tests/engine/test_sweep.py",
        "tests/engine/test_time_and_loss.py",
        "tests/engine/test_two_teams.py",
        "tests/engine/test_weekly_reports.py",
    }
)
"""Tests of the engine that still read tables; the list only shrinks."""


def _modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if INSIDE not in path.parents:
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return []


def _is_ledger(node: ast.expr) -> bool:
    """Return True if an expression is a ledger, by its last name: `context.ledger`, `db`."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.lstrip("_") in ("db", "ledger", "view")


def _breaches(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.partition(".")[0] in SQL:
                yield f"line {getattr(node, 'lineno', 0)}: imports {module}"
            if module == TABLES or module.startswith(f"{TABLES}."):
                yield f"line {getattr(node, 'lineno', 0)}: imports {module}"
        if isinstance(node, ast.Attribute) and node.attr in ("read", "write") and _is_ledger(node.value):
            yield f"line {node.lineno}: opens a transaction ({ast.unparse(node)})"


def _breaking(folder: str) -> dict[str, list[str]]:
    breaches = {name: list(_breaches(tree)) for name, tree in _modules(folder)}
    return {name: lines for name, lines in breaches.items() if lines}


def test_no_session_row_or_statement_leaves_the_ledger() -> None:
    assert _breaking("syncd") == {}


def test_tests_read_the_ledger_through_its_views_and_one_helper() -> None:
    breaking = {name for name in _breaking("tests") if not name.startswith(TESTS_OF_THE_INSIDE)}
    breaking -= INSTRUMENTS
    assert breaking - TESTS_YET_TO_FOLLOW == set()
    assert TESTS_YET_TO_FOLLOW - breaking == set(), "these are done: take them out of the list"


@pytest.mark.parametrize(
    "source",
    [
        "from sqlmodel import select",
        "import sqlalchemy.exc",
        "from syncd.ledger.store.tables import TicketRow",
        "from syncd.ledger.store import tables",
        "with desk.ledger.read() as session: pass",
        "with self._ledger.write() as session: pass",
        "with db.write(): pass",
    ],
)
def test_every_breach_is_seen(source: str) -> None:
    assert list(_breaches(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "from syncd.ledger.store.outbox import counts",
        "with one_view(db) as view: counts(view)",
        "text = path.read()",
        "stream.write(text)",
    ],
)
def test_a_call_of_a_verb_is_no_breach(source: str) -> None:
    assert list(_breaches(ast.parse(source))) == []
