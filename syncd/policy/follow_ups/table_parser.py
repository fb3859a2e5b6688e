"""Read the rows of the follow-up table in a postmortem's description (wiki markup).

The table is the first one whose header names an owner. A row counts if it has a text; its owner and due date
are returned as people typed them. A cell may hold line breaks, so a row ends with the line that ends in a
bar. Jira's editor escapes characters that are no markup; the parser removes the escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from syncd.domain.base import JsonValue
from syncd.domain.text import one_line

_ESCAPED = re.compile(r"\\([^\w\s\\])")
_TEXT = ("task", "action", "follow", "what", "item", "description", "summary")
_OWNER = ("owner", "assignee", "who")
_DUE = ("due", "date", "by when", "until", "deadline")
LONGEST_ROW = 20
"""The number of lines after which a row ends, even without a bar."""


def follow_ups_in(description: str) -> list[dict[str, JsonValue]]:
    """Return the rows of a description: `text`, `owner` and `due`, each in one line and maybe empty."""
    rows: list[dict[str, JsonValue]] = []
    places: dict[str, int] | None = None
    for line in _rows(description):
        if line.startswith("||"):
            # The next table begins.
            if places is not None:
                break
            places = _places([cell.strip() for cell in line.strip("|").split("||")])
        elif places is not None and line.startswith("|"):
            row = _row(_cells(line), places)
            if row["text"]:
                rows.append(row)
        elif places is not None and rows:
            # The table has ended. Before its first row other lines may follow the header.
            break
    return rows


def _rows(description: str) -> Iterator[str]:
    """Yield the lines; the lines of one table row come as one line."""
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
    cells = _split(line.strip()[1:].removesuffix("|"))
    return [_ESCAPED.sub(r"\1", one_line(cell.replace("\\\\", " "))).strip() for cell in cells]


def _split(line: str) -> list[str]:
    """Split a line at its bars, but not at an escaped bar or within a link: `[words|address]`."""
    cells, end, in_link = [], len(line), False
    # from the right, because the bracket that follows a bar tells whether the bar belongs to a link
    for at in range(len(line) - 1, -1, -1):
        if line[at] in "[]":
            in_link = line[at] == "]"
        elif line[at] == "|" and not in_link and line[at - 1 : at] != "\\":
            cells.append(line[at + 1 : end])
            end = at
    return [line[:end], *reversed(cells)]


def _places(header: list[str]) -> dict[str, int] | None:
    """Return the columns of text, owner and date, None for a table without owners: another table."""
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
    """Return the row's text, owner and due date."""
    others = (cell for at, cell in enumerate(cells) if at not in places.values())
    values = {name: cells[at] for name, at in places.items() if at < len(cells)}
    # If the header names no column for the text, it is the first that is no row number.
    text = (
        values.get("text") if "text" in places else next((cell for cell in others if not cell.isdigit()), "")
    )
    return {"text": text or "", "owner": values.get("owner", ""), "due": values.get("due", "")}
