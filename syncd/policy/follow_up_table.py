"""The rows of a postmortem's table of follow-ups, out of its description in wiki markup.

The table is the first one whose header names an owner. A row counts with any text; who owns it and by when
it is due stand there as people typed them.
"""

from __future__ import annotations

import re

from syncd.domain.base import JsonValue
from syncd.domain.text import one_line

_SPLIT = re.compile(r"(?<!\\)\|(?![^\[\]]*\])")
_OWNER = ("owner", "assignee", "who")
_DUE = ("due", "date", "by when", "until")


def follow_ups_in(description: str) -> list[dict[str, JsonValue]]:
    """Given a description, return its rows: `text`, `owner` and `due`, each one line, maybe empty."""
    rows: list[dict[str, JsonValue]] = []
    places: tuple[int | None, int | None] | None = None
    for line in description.splitlines():
        line = line.strip()
        if line.startswith("||"):
            if places is not None:
                break
            places = _places([one.strip() for one in line.strip("|").split("||")])
        elif places is not None and line.startswith("|"):
            found = _row(_cells(line), places)
            if found["text"]:
                rows.append(found)
        elif places is not None and rows:
            break
    return rows


def _cells(line: str) -> list[str]:
    return [one_line(cell).strip() for cell in _SPLIT.split(line.strip()[1:].rstrip("|"))]


def _places(header: list[str]) -> tuple[int | None, int | None] | None:
    names = [name.strip(" *_").casefold() for name in header]
    owner = _first(names, _OWNER)
    return None if owner is None else (owner, _first(names, _DUE))


def _first(names: list[str], words: tuple[str, ...]) -> int | None:
    return next((at for at, name in enumerate(names) if any(word in name for word in words)), None)


def _row(cells: list[str], places: tuple[int | None, int | None]) -> dict[str, JsonValue]:
    owner, due = places
    text = next((cell for at, cell in enumerate(cells) if at not in places), "")
    return {
        "text": text,
        "owner": cells[owner] if owner is not None and owner < len(cells) else "",
        "due": cells[due] if due is not None and due < len(cells) else "",
    }
