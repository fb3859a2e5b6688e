"""A table of renamings explains the differences that it names, and no other."""

from __future__ import annotations

import pytest

from golden.compare import difference, read_renames

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
