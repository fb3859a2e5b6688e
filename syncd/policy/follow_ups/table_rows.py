"""Make issues of the rows in the postmortem's follow-up table; from then on the issue counts, not the row.

QRPay runbook, "Incident Tracking": the template has follow-up tasks. A row becomes an issue if it has text
and an owner, once nobody has edited the description for a while or the postmortem is completed. The row's
mark is its normalised text, so that the row becomes only one issue. If a person changes or removes the row
later, syncd comments and does not change the issue. A new row whose text resembles a missing row's text is
that row after an edit, so syncd makes no second issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from hashlib import sha256

from syncd.domain.base import Value
from syncd.domain.operation import CommentOnPostmortem, CreateActionItem, Operation
from syncd.domain.operation.keys import action_item_key, comment_key
from syncd.policy.case import Case, Decision, ItemState, PostmortemState, Rulebook
from syncd.policy.postmortem.fulfilment import stands_completed

ALIKE = 0.6
"""From this similarity (0 to 1) on, two texts are the same row before and after an edit."""
COMPARED_ROWS, COMPARED_LETTERS = 50, 300
"""The rows, and the letters of each, that syncd compares with a row that is gone: the comparison is slow."""
NOBODY = frozenset({"", "-", "--", "?", "tbd", "tba", "n/a", "na", "none", "nobody", "owner", "@owner"})
"""Words that people type into the owner's cell while there is no owner."""

_MARKUP = re.compile(r"[*_+{}\[\]|~^-]")
_SPACE = re.compile(r"\s+")


class Row(Value):
    """A row as people typed it."""

    text: str
    owner: str = ""
    due: str = ""

    @property
    def mark(self) -> str:
        """Return a hash that identifies the row within its incident; markup, case and spaces do not count."""
        return sha256(normalised(self.text).encode()).hexdigest()[:16]

    @property
    def cells(self) -> str:
        """Return a fingerprint of owner and date."""
        return sha256(f"{self.owner}\n{self.due}".encode()).hexdigest()[:16]

    @property
    def owned(self) -> bool:
        """Return True if the row names an owner."""
        return normalised(self.owner) not in NOBODY and self.owner.strip().casefold() not in NOBODY


def normalised(text: str) -> str:
    """Return a row's text without markup and needless spaces, in lower case."""
    return _SPACE.sub(" ", _MARKUP.sub(" ", text)).strip().casefold().rstrip(".")


def row_key(incident_id: str, mark: str) -> str:
    """Return the key of the operation that creates a row's issue."""
    return action_item_key(incident_id, mark)


def rows_of(postmortem: PostmortemState) -> list[Row]:
    """Return the rows of the table as syncd last read it, each text once."""
    rows = [Row(**{name: str(value or "") for name, value in row.items()}) for row in postmortem.follow_ups]
    return list({row.mark: row for row in reversed(rows)}.values())[::-1]


def rested_at(postmortem: PostmortemState, book: Rulebook) -> datetime | None:
    """Return the moment (UTC) from which the description counts as finished, None if it has no rows yet."""
    edits = [change.at for change in postmortem.changes if change.field == "description"]
    # Without an edit in the changelog, count from the read that first showed these rows.
    since = max(edits, default=postmortem.follow_ups_since)
    if since is None:
        return None
    return since + timedelta(minutes=book.mapping.follow_ups.rest_minutes)


def decide_rows(case: Case, book: Rulebook) -> Decision:
    """Return the issues and comments that the postmortem's table still needs."""
    postmortem, now = case.postmortem, case.now
    if book.mapping.follow_ups.rows == "off" or postmortem is None or now is None or case.restricted:
        return Decision()
    operations = [*_comment_on_keys(case)]
    rested = rested_at(postmortem, book)
    # Nobody has written rows yet, but comments on earlier rows may be due.
    if rested is None:
        return Decision(operations=tuple(operations))
    # A person may still be typing, so the row may get another text or owner.
    if now < rested and not stands_completed(postmortem, book):
        return Decision(operations=tuple(operations), again=(rested - now).total_seconds())
    rows = rows_of(postmortem)
    edited = edits_of(rows, made_of_rows(case))
    operations += _comment_on_edits(case, rows, edited)
    replaced = {row.mark for _item, row in edited if row is not None}
    for row in rows:
        if row.owned and row.mark not in replaced and row_key(case.incident.id, row.mark) not in case.once:
            operations.append(_create(case, row))
    return Decision(operations=tuple(operations))


def made_of_rows(case: Case) -> list[tuple[ItemState, Row]]:
    """Return the action items that syncd made from rows, each with its row as it was then."""
    made = []
    for item in case.items:
        row = item.facts.get("row")
        if isinstance(row, dict):
            made.append((item, Row(**{name: str(row.get(name, "")) for name in ("text", "owner", "due")})))
    return made


def rows_to_come(case: Case, postmortem: PostmortemState, book: Rulebook) -> bool:
    """Return True if a row of the table is still to become an action item."""
    if book.mapping.follow_ups.rows == "off" or case.restricted:
        return False
    made = {row.mark for _item, row in made_of_rows(case)}
    return any(row.owned and row.mark not in made for row in rows_of(postmortem))


def edits_of(
    rows: Sequence[Row], made: Sequence[tuple[ItemState, Row]]
) -> list[tuple[ItemState, Row | None]]:
    """Return the items whose row is missing, each with the row after the edit, None if it was removed."""
    present = {row.mark for row in rows}
    free = [row for row in rows if row.mark not in {row.mark for _item, row in made}]
    edits: list[tuple[ItemState, Row | None]] = []
    for item, before in made:
        if before.mark in present:
            continue
        # Of the rows without an issue, take the most similar: each row belongs to one item at most.
        best = max(free[:COMPARED_ROWS], key=lambda row: _alike(before, row), default=None)
        if best is not None and _alike(before, best) >= ALIKE:
            free.remove(best)
            edits.append((item, best))
        else:
            edits.append((item, None))
    return edits


def _alike(row: Row, other: Row) -> float:
    before, after = (normalised(each.text)[:COMPARED_LETTERS] for each in (row, other))
    return SequenceMatcher(None, before, after).ratio()


def _create(case: Case, row: Row) -> CreateActionItem:
    return CreateActionItem(
        key=row_key(case.incident.id, row.mark),
        incident=case.incident.id,
        text=row.text,
        owner=row.owner,
        due=row.due,
        row=row.mark,
        reason="a row of the postmortem's follow-up table has text and an owner",
    )


def _comment_on_keys(case: Case) -> Iterator[Operation]:
    """Yield a comment on the postmortem for each row, with the key of its issue."""
    for item, row in made_of_rows(case):
        yield comment_on_postmortem(
            case,
            f"row/{row.mark}",
            f"a row of the table is now the issue {item.key}. From now on the issue counts, not the row:",
            row.text,
        )


def _comment_on_edits(
    case: Case, rows: Sequence[Row], edited: Sequence[tuple[ItemState, Row | None]]
) -> Iterator[Operation]:
    """Yield comments on changed rows; syncd changes no issue because of them."""
    for item, after in edited:
        if after is None:
            text = (
                f"the row of {item.key} was removed from the table; {item.key} stays until somebody closes it"
            )
            yield comment_on_postmortem(case, f"row-gone/{item.issue_id}", text, "")
        else:
            text = f"the row of {item.key} was changed; syncd does not change {item.key}. The row now says:"
            yield comment_on_postmortem(case, f"row-changed/{item.issue_id}/{after.mark}", text, after.text)
    rows_by_mark = {row.mark: row for row in rows}
    for item, before in made_of_rows(case):
        now = rows_by_mark.get(before.mark)
        if now is not None and now.cells != before.cells:
            text = (
                f"owner or date in the row of {item.key} was changed; syncd does not change {item.key}."
                " The row now says:"
            )
            value = ", ".join(cell for cell in (now.owner, now.due) if cell)
            yield comment_on_postmortem(case, f"row-changed/{item.issue_id}/{now.cells}", text, value)


def comment_on_postmortem(case: Case, identity: str, text: str, value: str) -> CommentOnPostmortem:
    """Return a comment on the postmortem, once per `identity`; `value` is text that people typed."""
    postmortem = case.postmortem
    return CommentOnPostmortem(
        key=comment_key(case.incident.id, "follow-up", identity),
        incident=case.incident.id,
        issue=postmortem.issue_id if postmortem else "",
        subject="follow-up",
        text=text,
        value=value,
        reason="so that people see what happened to the follow-ups of the postmortem",
    )
