"""Rows of the postmortem's follow-up table become issues; from then on the issue is the truth.

A row counts when it has text and an owner and the description has rested, or the postmortem is completed.
Its mark is the incident and its normalised text, so that it becomes one issue however often it is read. A
row that was changed or removed afterwards is told in a comment and never carried over; one that resembles
the text of an issue whose row is gone is that row, changed, and no new one (rules, "Follow-ups").
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
"""How much two texts have in common, from 0 to 1, that are one row before and after an edit."""
NOBODY = frozenset({"", "-", "--", "?", "tbd", "tba", "n/a", "na", "none", "nobody", "owner", "@owner"})
"""What people type into a cell for an owner who is not known yet."""

_MARKUP = re.compile(r"[*_+{}\[\]|~^-]")
_SPACE = re.compile(r"\s+")


class Row(Value):
    """One row as people typed it."""

    text: str
    owner: str = ""
    due: str = ""

    @property
    def mark(self) -> str:
        """Identify the row among those of its incident, whatever its markup, case and spaces."""
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
    """A row's text without markup, case and needless spaces."""
    return _SPACE.sub(" ", _MARKUP.sub(" ", text)).strip().casefold().rstrip(".")


def row_key(incident_id: str, mark: str) -> str:
    """The key of the create of a row's issue."""
    return action_item_key(incident_id, mark)


def rows_of(postmortem: PostmortemState) -> list[Row]:
    """The rows of the table as it was last read, each text once."""
    rows = [Row(**{name: str(value or "") for name, value in one.items()}) for one in postmortem.follow_ups]
    return list({row.mark: row for row in reversed(rows)}.values())[::-1]


def rested_at(postmortem: PostmortemState, book: Rulebook) -> datetime | None:
    """Return the moment from which the description counts as at rest, None if nobody wrote into it yet.

    By Jira's clock where its changelog tells of the description, else since its rows were first seen so.
    """
    edits = [one.at for one in postmortem.changes if one.field == "description"]
    since = max(edits, default=postmortem.follow_ups_since)
    if since is None:
        return None
    return since + timedelta(minutes=book.mapping.follow_ups.rest_minutes)


def decide_rows(case: Case, book: Rulebook) -> Decision:
    """Given a case with a postmortem, return the issues and comments that its table still needs."""
    postmortem, now = case.postmortem, case.now
    if book.mapping.follow_ups.rows == "off" or postmortem is None or now is None or case.restricted:
        return Decision()
    operations = [*_comment_on_keys(case)]
    rest = rested_at(postmortem, book)
    if rest is None:
        return Decision(operations=tuple(operations))
    if now < rest and not stands_completed(postmortem, book):
        return Decision(operations=tuple(operations), again=(rest - now).total_seconds())
    rows = rows_of(postmortem)
    edited = edits_of(rows, made_of_rows(case))
    operations += _comment_on_edits(case, rows, edited)
    replaced = {row.mark for _item, row in edited if row is not None}
    for row in rows:
        if row.owned and row.mark not in replaced and row_key(case.incident.id, row.mark) not in case.once:
            operations.append(_create(case, row))
    return Decision(operations=tuple(operations))


def made_of_rows(case: Case) -> list[tuple[ItemState, Row]]:
    """The action items that were rows, with the row that each was made of."""
    found = []
    for item in case.items:
        kept = item.facts.get("row")
        if isinstance(kept, dict):
            found.append((item, Row(**{name: str(kept.get(name, "")) for name in ("text", "owner", "due")})))
    return found


def rows_to_come(case: Case, postmortem: PostmortemState, book: Rulebook) -> bool:
    """Return True if a row of the table is still to become an action item."""
    if book.mapping.follow_ups.rows == "off" or case.restricted:
        return False
    made = {row.mark for _item, row in made_of_rows(case)}
    return any(row.owned and row.mark not in made for row in rows_of(postmortem))


def edits_of(
    rows: Sequence[Row], made: Sequence[tuple[ItemState, Row]]
) -> list[tuple[ItemState, Row | None]]:
    """The items whose row is not there any more, with the row that it was changed into; None: removed."""
    present = {row.mark for row in rows}
    free = [row for row in rows if row.mark not in {row.mark for _item, row in made}]
    found: list[tuple[ItemState, Row | None]] = []
    for item, before in made:
        if before.mark in present:
            continue
        best = max(free, key=lambda row: _alike(before, row), default=None)
        if best is not None and _alike(before, best) >= ALIKE:
            free.remove(best)
            found.append((item, best))
        else:
            found.append((item, None))
    return found


def _alike(one: Row, other: Row) -> float:
    return SequenceMatcher(None, normalised(one.text), normalised(other.text)).ratio()


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
    """Each row's issue is named on the postmortem, once."""
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
    known = {row.mark: row for row in rows}
    for item, before in made_of_rows(case):
        now = known.get(before.mark)
        if now is not None and now.cells != before.cells:
            text = (
                f"owner or date in the row of {item.key} was changed; syncd does not change {item.key}."
                " The row now says:"
            )
            value = ", ".join(one for one in (now.owner, now.due) if one)
            yield comment_on_postmortem(case, f"row-changed/{item.issue_id}/{now.cells}", text, value)


def comment_on_postmortem(case: Case, identity: str, text: str, value: str) -> CommentOnPostmortem:
    """A comment of ours on the postmortem, once; `value` is hostile text."""
    postmortem = case.postmortem
    return CommentOnPostmortem(
        key=comment_key(case.incident.id, "follow-up", identity),
        incident=case.incident.id,
        issue=postmortem.issue_id if postmortem else "",
        subject="follow-up",
        text=text,
        value=value,
        reason="people see what happened to the follow-ups of the postmortem",
    )
