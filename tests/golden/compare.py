"""Compares two folders of traces; the older one is read through a table of renamings.

A line of the table is `old -> new`: where the old trace has the old word, the new trace must have the new
one. `old -> new | other` allows either. Blank lines and lines that begin with `#` do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from golden.trace import INDENT, as_json, unwrapped, wrapped


@dataclass(frozen=True)
class Rename:
    """A word of old traces, and the words that may stand in its place."""

    old: str
    new: tuple[str, ...]


def read_renames(text: str) -> list[Rename]:
    """Return the renamings of a table. Raise ValueError with the number of a line that is no renaming."""
    renames = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        old, arrow, new = line.partition("->")
        words = tuple(word.strip() for word in new.split("|") if word.strip())
        if not arrow or not old.strip() or not words:
            raise ValueError(f"line {number} is not `old -> new`: {line}")
        renames.append(Rename(old.strip(), words))
    return renames


def _replaced(text: str, words: tuple[str, ...], other: str) -> str:
    """Replace words, which may be phrases; parts of longer names stay."""
    either = "|".join(re.escape(word) for word in words)
    return re.sub(rf"(?<!\w)(?:{either})(?!\w)", lambda _: other, text)


def renamed(old: str, new: str, renames: list[Rename]) -> tuple[str, str]:
    """Return both traces with the renamings applied; of several new words, one name stands for all."""
    for rename in renames:
        # One new word replaces the old one; several need a common name on both sides.
        if len(rename.new) == 1:
            old = _replaced(old, (rename.old,), rename.new[0])
            continue
        either = "{" + "|".join(rename.new) + "}"
        old = _replaced(old, (rename.old,), either)
        new = _replaced(new, rename.new, either)
    return old, new


def _sorted(line: str) -> str:
    """Sort the keys in the JSON of a line, because renaming may have changed their order."""
    start = line.find("{")
    if start < 0 or not line.startswith((INDENT, "#")):
        return line
    try:
        return line[:start] + as_json(json.loads(line[start:]))
    except ValueError:
        return line


def _lines(text: str) -> list[str]:
    lines = (_sorted(line) for line in unwrapped(text).splitlines())
    return wrapped("\n".join(lines)).splitlines()


def difference(old: str, new: str, renames: list[Rename] | None = None) -> list[str]:
    """Return the difference of two traces as lines of a unified diff, none where they agree."""
    if renames:
        old, new = renamed(old, new, renames)
    if old == new:
        return []
    return list(unified_diff(_lines(old), _lines(new), "old", "new", lineterm="", n=2))


def compare(old: Path, new: Path, renames: list[Rename]) -> Iterator[tuple[str, list[str]]]:
    """Yield each trace that differs, with its difference; a missing trace is a difference."""
    names = sorted({path.name for folder in (old, new) for path in folder.glob("*.txt")})
    for name in names:
        missing = [str(folder) for folder in (old, new) if not (folder / name).exists()]
        if missing:
            yield name, [f"missing in {' and '.join(missing)}"]
            continue
        before, after = ((folder / name).read_text(encoding="utf-8") for folder in (old, new))
        if lines := difference(before, after, renames):
            yield name, lines
