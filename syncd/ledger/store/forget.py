"""A person is forgotten: name, address and texts leave the ledger, and the audit trail holds as it stood.

What decisions and exactly-once rest on stays: the services' ids, keys, marks, hashes, states. An account's
id is such an id: agreements and changelogs are compared by it, and without a name it says nothing here.
An incident that is not over, or has open operations, is left whole and named, because its assignee still
decides and the next read would bring everything back. Deleted text is overwritten in the file
(`secure_delete`), and the write-ahead log forgets it at its next checkpoint.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from syncd.domain.base import JsonValue
from syncd.domain.mail import concerns_no_incident
from syncd.domain.operation import OPEN_STATES
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store import audit
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    KeyValueRow,
    OperationRow,
    PersonRow,
    PostmortemRow,
    ReportRunRow,
    RequestRow,
    TicketRow,
    WaiverRow,
)

SOMEBODY = "somebody"
"""What stands for a name or an address that was forgotten."""

_PLACES: dict[type[SQLModel], tuple[str, ...]] = {
    IncidentRow: ("snapshot", "notes", "log", "dry_run_notes", "noise_rule"),
    TicketRow: ("agreed", "snapshot", "closed"),
    PostmortemRow: ("agreed", "snapshot", "changes", "follow_ups"),
    ActionItemRow: ("facts", "snapshot", "changes"),
    DutyRow: ("reason", "remedy", "met_by", "corrected"),
    WaiverRow: ("by", "reason", "ended_by"),
    OperationRow: ("meaning", "reason", "rendered", "error"),
    ReportRunRow: ("figures", "rows"),
    RequestRow: ("arguments", "asked_by", "progress", "result"),
    KeyValueRow: ("value",),
}
"""Where people and what they wrote stand, by table; every other column holds ids, keys, states and times."""

PrintOf = Callable[[IncidentRecord], str]
"""Given an incident, what it is compared by to tell whether it changed."""

_AUTHORS = ("author", "agent")
_TEXTS = ("text", "body", "summary", "note")
_RENDERED = ("text", "body")
_ANSWERED = "done"
"""A request in another state is still to be worked through, and keeps what was asked."""


@dataclass
class Forgotten:
    """What was emptied: rows and texts, counted; what was left because it is not over."""

    rows: int = 0
    texts: int = 0
    incidents: list[str] = field(default_factory=list)
    operations: list[int] = field(default_factory=list)


def forget(
    session: Session,
    address: str,
    names: Iterable[str],
    now: datetime,
    print_of: PrintOf,
) -> Forgotten:
    """Empty a person in one transaction; where nothing of theirs stands, nothing is written.

    `names` are further names of theirs. `print_of` says what an incident that is over is compared by, so
    that one which is emptied still counts as unchanged.
    """
    whom = _known_as(session, address, names)
    done = Forgotten()
    not_over, emptied = _not_over(session), set[str]()
    for table in _PLACES:
        for row in session.exec(select(table)).all():
            _one(row, whom, not_over, emptied, done, print_of)
    _withdraw(session, emptied, not_over, done)
    done.incidents.sort()
    if not done.incidents and not done.operations:
        # while something is left, this row is how the next run knows the name
        for person in session.exec(select(PersonRow)).all():
            if whom.is_person(person):
                session.delete(person)
                done.rows += 1
    if done.rows:
        session.flush()
        data: dict[str, JsonValue] = {"rows": done.rows, "texts": done.texts, "left": len(done.incidents)}
        data["who"] = audit.salted(session, address.casefold())
        audit.append(session, now, "person.forgotten", data=data)
    return done


class _Whom:
    """A person as rows know them: an address, the ids of their accounts, their names."""

    def __init__(self, address: str, ids: set[str], names: set[str]) -> None:
        self.address, self.ids = address.casefold(), ids
        self._names = {name.casefold() for name in names}
        words = sorted(names, key=len, reverse=True)
        called = "|".join(map(re.escape, words))
        # an underscore is markup, not a letter of a longer name
        said = rf"(?<![\w.+-]){re.escape(address)}(?![\w-])"
        if called:
            said += rf"|(?<![^\W_])(?:{called})(?![^\W_])"
        self._said = re.compile(said, re.IGNORECASE)
        self.texts = 0

    def is_person(self, row: PersonRow) -> bool:
        """Whether a look-up was theirs."""
        return row.email.casefold() == self.address or (row.account or {}).get("id") in self.ids

    def wrote(self, author: object) -> bool:
        """Whether an author, as a row has one, is this person."""
        if isinstance(author, dict):
            return author.get("id") in self.ids or self.wrote(author.get("name"))
        return isinstance(author, str) and author.casefold() in (*self._names, self.address)

    def without(self, value: Any) -> Any:
        """The value without the person; a text of theirs, or one that names them, is empty afterwards.

        Half a text would be another text, which its copy would be made to follow; an empty one
        by nobody is known to be no text that anybody wrote (`syncd.policy.marks.was_forgotten`).
        """
        if isinstance(value, str):
            return self._said.sub(SOMEBODY, value)
        if isinstance(value, list):
            return [self.without(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {self.without(name): self.without(one) for name, one in value.items()}
        if value.get("id") in self.ids and "name" in value:
            found["name"] = SOMEBODY
        authors = [value[name] for name in _AUTHORS if value.get(name)]
        if authors:
            theirs = any(map(self.wrote, authors))
            for name in _TEXTS:
                if value.get(name) and (theirs or found[name] != value[name]):
                    found[name] = ""
                    self.texts += 1
                    if isinstance(value.get("author"), dict):
                        found["author"] = None
        if found.get("email") == SOMEBODY:
            found["email"] = None
        return found


def _known_as(session: Session, address: str, names: Iterable[str]) -> _Whom:
    known: dict[str, set[str]] = defaultdict(set)
    ids: set[str] = set()
    for one in _accounts(session):
        ident = str(one["id"])
        known[ident].add(str(one.get("name") or ""))
        if str(one.get("email") or "").casefold() == address.casefold():
            ids.add(ident)
    for person in session.exec(select(PersonRow)).all():
        if person.account and person.email.casefold() == address.casefold():
            ids.add(str(person.account["id"]))
            known[str(person.account["id"])].add(str(person.account.get("name") or ""))
    found = {name for ident in ids for name in known[ident]}
    return _Whom(address, ids, {name for name in (*found, *names) if name.strip() and name != SOMEBODY})


def _accounts(session: Session) -> Iterator[dict[str, Any]]:
    """Whatever has an id and a name, in all rows."""
    for table, columns in _PLACES.items():
        for row in session.exec(select(table)).all():
            for column in columns:
                yield from _within(getattr(row, column))


def _within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "id" in value and "name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _within(one)


def _not_over(session: Session) -> set[str]:
    """Incidents that may still write: unfinished ones of a team, and those with an open operation."""
    unfinished = select(IncidentRow.id).where(
        col(IncidentRow.team).is_not(None), col(IncidentRow.finished).is_(False)
    )
    waiting = select(OperationRow.incident_id).where(col(OperationRow.state).in_(OPEN_STATES))
    found = {*session.exec(unfinished).all(), *session.exec(waiting).all()}
    return {one for one in found if not concerns_no_incident(one)}


def _one(
    row: SQLModel,
    whom: _Whom,
    not_over: set[str],
    emptied: set[str],
    done: Forgotten,
    print_of: PrintOf,
) -> None:
    """Empty one row, unless it belongs to what is not over."""
    if isinstance(row, RequestRow) and row.state != _ANSWERED:
        return
    before = whom.texts
    changes = _changes(row, whom)
    if not changes:
        return
    incident = row.id if isinstance(row, IncidentRow) else getattr(row, "incident_id", None)
    if _left(row, incident, not_over, done):
        return
    rested = isinstance(row, IncidentRow) and (row.settled_fingerprint or {}).get("print") == print_of(
        record_of(IncidentRecord, row)
    )
    for column, found in changes.items():
        setattr(row, column, found)
    if isinstance(row, IncidentRow) and rested:
        row.settled_fingerprint = {
            **(row.settled_fingerprint or {}),
            "print": print_of(record_of(IncidentRecord, row)),
        }
    done.rows += 1
    done.texts += whom.texts - before
    if incident is not None:
        emptied.add(incident)


def _changes(row: SQLModel, whom: _Whom) -> dict[str, Any]:
    """The columns that name the person or hold texts of theirs, as they are without."""
    values = {column: getattr(row, column) for column in _PLACES[type(row)]}
    found = {column: whom.without(value) for column, value in values.items()}
    if isinstance(row, WaiverRow) and row.reason and whom.wrote(row.by):
        found["reason"] = ""
        whom.texts += 1
    return {column: value for column, value in found.items() if value != values[column]}


def _left(row: SQLModel, incident: str | None, not_over: set[str], done: Forgotten) -> bool:
    """Whether a row that names the person stays, and note that it does."""
    waits = isinstance(row, OperationRow) and row.state in OPEN_STATES
    if isinstance(row, OperationRow) and row.id is not None and waits:
        done.operations.append(row.id)
    if not waits and incident not in not_over:
        return False
    if incident in not_over and incident not in done.incidents:
        done.incidents.append(incident)
    return True


def _withdraw(session: Session, emptied: set[str], not_over: set[str], done: Forgotten) -> None:
    """What finished operations said may quote a text in any markup: of these incidents none is kept."""
    for row in session.exec(select(OperationRow)).all():
        if row.incident_id not in emptied or row.incident_id in not_over or not row.rendered:
            continue
        kept: dict[str, Any] = {name: "" if name in _RENDERED else one for name, one in row.rendered.items()}
        if isinstance(kept.get("fields"), dict):
            kept["fields"] = {name: one for name, one in kept["fields"].items() if name != "description"}
        if kept != row.rendered:
            row.rendered = kept
            done.rows += 1
