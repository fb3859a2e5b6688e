"""The daemon does today what it did when the traces were recorded.

Where a change is meant, `python -m golden record DIR` and `accept DIR` write the traces anew (README.md), and
the difference of the files says what changed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from golden.compare import difference, read_renames
from golden.scenarios import SCENARIOS, TRACES, digest, read_digests, trace_of, trace_of_seed
from golden.trace import folded

SHOWN = 80
"""Lines of a difference that a failing test shows."""
PLAYED = (2, 7, 19, 31)
"""Seeds that every run of the tests plays; the recorder plays all of them."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_leaves_the_trace_that_is_committed(name: str, tmp_path: Path) -> None:
    now = folded(trace_of(SCENARIOS[name]))
    lines = difference((TRACES / f"{name}.txt").read_text(encoding="utf-8"), now)
    if lines:
        (tmp_path / f"{name}.txt").write_text(now, encoding="utf-8")
        shown = "\n".join(lines[:SHOWN])
        pytest.fail(f"{len(lines)} lines of difference; the trace is {tmp_path / name}.txt\n{shown}")


@pytest.mark.parametrize("seed", PLAYED)
def test_a_seed_leaves_the_trace_whose_digest_is_committed(seed: int, tmp_path: Path) -> None:
    now = trace_of_seed(seed)
    if digest(now) != read_digests()[seed]:
        file = tmp_path / f"seed-{seed:03d}.txt"
        file.write_text(now, encoding="utf-8")
        pytest.fail(f"seed {seed} differs; its trace is {file}: compare it with one of before the change")


OLD = (
    'o paper kind=edit_paper aspect=-\n    meaning {"a_word": 1, "old": "x edit_paper", "z": 2}\n'
    "# 11-16 06:00:00 paper.edited my_edit_paper\n"
)
NEW = (
    'o paper kind=edit_postmortem aspect=-\n    meaning {"a_word": 1, "z": 2, "zz": "x edit_action_item"}\n'
    "# 11-16 06:00:00 paper.edited my_edit_paper\n"
)


def test_renamings_explain_a_difference_whichever_of_several_words_stands_there() -> None:
    renames = read_renames("# words\n\nedit_paper -> edit_postmortem | edit_action_item\nold -> zz\n")
    assert difference(OLD, NEW, renames) == []
    assert difference(OLD, NEW)


def test_renamings_explain_nothing_else() -> None:
    renames = read_renames("edit_paper -> edit_postmortem\nold -> zz\n")
    assert [line for line in difference(OLD, NEW, renames) if line.startswith("+ ")]


def test_a_line_that_is_no_renaming_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_renames("a -> b\nedit_paper\n")
