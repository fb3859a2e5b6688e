"""The long runs are no part of `make test`: what they import, how they count, what README quotes of them."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.__main__ import ROWS
from bench.figure import Figure, percentile
from bench.first_load import SINGLE, grave_singles
from bench.standins import Line
from bench.storm import created
from bench.webhooks import answering

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


def test_a_ratio_is_the_share_of_the_goal_and_absent_without_one() -> None:
    assert Figure("storm", 4.5, "s", goal=3.0, limit=1.1).ratio == 1.5
    assert Figure("storm", 4.5, "s").ratio is None


def test_a_percentile_is_a_value_that_was_measured_and_the_share_does_not_exceed() -> None:
    assert percentile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([float(number) for number in range(20)], 0.99) == 19.0
    with pytest.raises(ValueError, match="no value"):
        percentile([], 0.5)


def _line(began: float, ended: float, *incidents: str, status: int = 201) -> Line:
    return Line(
        "jira POST /rest/api/2/issue/bulk", "/rest/api/2/issue/bulk", status, began, ended, [*incidents]
    )


def test_time_in_which_two_services_answer_at_once_is_subtracted_once() -> None:
    lines = [_line(1.0, 3.0), _line(2.0, 4.0), _line(6.0, 9.0), _line(0.0, 0.5)]
    assert answering(lines, 0.0, 8.0) == 0.5 + 3.0 + 2.0


def test_a_batch_counts_for_each_incident_in_it_and_a_refused_one_for_none() -> None:
    batch = _line(1.0, 2.0, "Q1", "Q2")
    assert created([batch, _line(1.0, 2.0, "Q3", status=400)]) == {"Q1": batch, "Q2": batch}


def test_single_creates_of_open_grave_incidents_are_counted_apart() -> None:
    def single(*incidents: str, name: str = SINGLE) -> Line:
        return Line(name, "/rest/api/2/issue", 201, 1.0, 2.0, [*incidents])

    lines = [single("Q1"), single("Q2"), single("Q3"), single("Q4"), _line(1.0, 2.0, "Q1", "Q5")]
    # Q3 is light, Q4 is over
    assert grave_singles(lines, {"Q1": "P1", "Q2": "P2", "Q3": "P3", "Q5": "P1"}) == 2


def test_readme_quotes_only_rows_that_the_bench_measures() -> None:
    section = (TESTS.parent / "README.md").read_text().partition("## How fast")[2].partition("\n## ")[0]
    quoted = re.findall(r"^\| .* \| `([\w ,-]+)` \|$", section, re.MULTILINE)
    assert {name for cell in quoted for name in re.split(r"[ ,]+", cell)} <= set(ROWS)
    assert len(quoted) >= 7
