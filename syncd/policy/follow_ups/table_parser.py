"""The rows of a postmortem's table of follow-ups, out of its description in wiki markup.

The table is the first one whose header names an owner. A row counts with any text; who owns it and by when
it is due stand there as people typed them. A cell may hold line breaks: its row ends with the line that ends
in a bar. Jira's editor escapes what is no markup, which is undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from syncd.domain.base import JsonValue
from syncd.domain.text import one_line

_SPLIT = re.compile(r"(?<!\\)\|(?![^\[\]]*\])")
_ESCAPED = re.compile(r"\\([^\w\s\\])")
_TEXT = ("task", "action", "follow", "what", "item", "description", "summary")
_OWNER = ("owner", "assignee", "who")
_DUE = ("due", "date", "by when", "until", "deadline")
LONGEST_ROW = 20
"""Lines that one row may take."""


def follow_ups_in(description: str) -> list[dict[str, JsonValue]]:
    """Given a description, return its rows: `text`, `owner` and `due`, each one line, maybe empty."""
    rows: list[dict[str, JsonValue]] = []
    places: dict[str, int] | None = None
    for line in _rows(description):
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


def _rows(description: str) -> Iterator[str]:
    """The lines, those of one row of a table as one."""
    begun: list[str] = []
    for raw in description.splitlines():
        line = raw.strip()
        if begun and (line.startswith("|") or len(begun) == LONGEST_ROW):
            yield " ".join(begun)
            begun = []
        if begun or (line.startswith("|") and not line.startswith("||")):
            begun.append(line)
            if line.endswith("|") and line != "|":
                yield " ".join(begun)
                begun = []
        else:
            yield line
    if begun:
        yield " ".join(begun)


def _cells(line: str) -> list[str]:
    cells = _SPLIT.split(line.strip()[1:].removesuffix("|"))
    return [_ESCAPED.sub(r"\1", one_line(cell.replace("\\\\", " "))).strip() for cell in cells]


def _places(header: list[str]) -> dict[str, int] | None:
    """Where text, owner and date stand; None: this table has no owners, so it is another one."""
    names = [name.strip(" *_").casefold() for name in header]
    owner = _first(names, _OWNER, set())
    if owner is None:
        return None
    places = {"owner": owner}
    due = _first(names, _DUE, set(places.values()))
    if due is not None:
        places["due"] = due
    text = _first(names, _TEXT, set(places.values()))
    if text is not None:
        places["text"] = text
    return places


def _first(names: list[str], words: tuple[str, ...], taken: set[int]) -> int | None:
    return next(
        (at for at, name in enumerate(names) if at not in taken and any(word in name for word in words)), None
    )


def _row(cells: list[str], places: dict[str, int]) -> dict[str, JsonValue]:
    """Where the header does not say which column is the text, it is the first that is no bare number."""
    others = (cell for at, cell in enumerate(cells) if at not in places.values())
    found = {name: cells[at] for name, at in places.items() if at < len(cells)}
    text = found.get("text") if "text" in places else next((one for one in others if not one.isdigit()), "")
    return {"text": text or "", "owner": found.get("owner", ""), "due": found.get("due", "")}
