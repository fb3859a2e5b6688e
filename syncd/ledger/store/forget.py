"""Forget a person: delete name, address and texts from the ledger, and leave the audit trail as it is.

Decisions and exactly-once need the services' ids, keys, marks, hashes and states, so these stay. An account's
id stays, too: agreements and changelogs are compared by it, and without a name it identifies nobody here.
An incident that is not over, or has open operations, stays whole and is reported: its assignee still matters,
and the next read would bring everything back. SQLite overwrites deleted text in the file (`secure_delete`);
after the commit syncd empties the write-ahead log (`Database.empty_log`).
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
    TroubleRow,
    WaiverRow,
)

SOMEBODY = "somebody"
"""The word that replaces a forgotten name or address."""

_PLACES: dict[type[SQLModel], tuple[str, ...]] = {
    IncidentRow: ("snapshot", "notes", "log", "roles", "dry_run_notes", "noise_rule", "exercise_by"),
    TicketRow: ("agreed", "snapshot", "closed", "changes", "deleted_by", "moved_by"),
    PostmortemRow: ("agreed", "snapshot", "changes", "follow_ups", "deleted_by", "moved_by"),
    ActionItemRow: ("facts", "snapshot", "changes", "deleted_by", "moved_by"),
    DutyRow: ("reason", "remedy", "met_by", "corrected", "corrected_by"),
    WaiverRow: ("by", "reason", "ended_by"),
    OperationRow: ("meaning", "reason", "rendered", "error"),
    ReportRunRow: ("figures", "rows"),
    RequestRow: ("arguments", "asked_by", "progress", "result"),
    KeyValueRow: ("value",),
    TroubleRow: ("why",),
}
"""The columns that may hold people and their texts, by table; all others hold ids, keys, states, times."""

PrintOf = Callable[[IncidentRecord], str]
"""Given an incident, return the fingerprint that tells whether the incident changed."""

_AUTHORS = ("author", "agent")
_TEXTS = ("text", "body", "summary", "note", "mitigation")
_RENDERED = ("text", "body")
_ANSWERED = "done"
"""The state of an answered request; a request in another state still needs its arguments."""


@dataclass
class Forgotten:
    """The number of emptied rows and texts, and the incidents and open operations that were left whole."""

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
    """Delete a person's name, address and texts; write nothing if the ledger holds none.

    `names` are further names of the person. `print_of` returns an incident's fingerprint, so that an emptied
    incident still counts as unchanged.
    """
    whom = _known_as(session, address, names)
    done = Forgotten()
    not_over, emptied = _not_over(session), set[str]()
    for table in _PLACES:
        for row in session.exec(select(table)).all():
            _empty_row(row, whom, not_over, emptied, done, print_of)
    _withdraw(session, emptied, not_over, done)
    done.incidents.sort()
    if not done.incidents and not done.operations:
        # while something is left, the next run needs this row to learn the person's name
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
    """A person as rows name them: by address, by account ids, by names."""

    def __init__(self, address: str, ids: set[str], names: set[str]) -> None:
        self.address, self.ids = address.casefold(), ids
        self._names = {name.casefold() for name in names}
        # longest first: a short name must not match inside a longer one
        words = sorted(names, key=len, reverse=True)
        called = "|".join(map(re.escape, words))
        # an underscore is markup, not a letter of a longer name
        # a longer address that contains this one is another person's
        pattern = rf"(?<![\w.+-]){re.escape(address)}(?![\w-])"
        if called:
            pattern += rf"|(?<![^\W_])(?:{called})(?![^\W_])"
        self._mention = re.compile(pattern, re.IGNORECASE)
        self.texts = 0

    def is_person(self, row: PersonRow) -> bool:
        """Return True if a stored look-up of an address is the person's."""
        return row.email.casefold() == self.address or (row.account or {}).get("id") in self.ids

    def wrote(self, author: object) -> bool:
        """Return True if an author, in any form in which a row holds one, is this person."""
        if isinstance(author, dict):
            return author.get("id") in self.ids or self.wrote(author.get("name"))
        return isinstance(author, str) and author.casefold() in (*self._names, self.address)

    def without(self, value: Any) -> Any:
        """Return the value without the person; a text by them, or one that names them, becomes empty.

        A shortened text would count as a new version, and syncd would rewrite its copy. An empty text without
        an author counts as forgotten (`syncd.policy.marks.was_forgotten`).
        """
        if isinstance(value, str):
            return self._mention.sub(SOMEBODY, value)
        if isinstance(value, list):
            return [self.without(part) for part in value]
        if not isinstance(value, dict):
            return value
        result = {self.without(name): self.without(part) for name, part in value.items()}
        if value.get("id") in self.ids and "name" in value:
            result["name"] = SOMEBODY
        self._empty_texts(value, result)
        # the word is no address: mail must not go to it
        if result.get("email") == SOMEBODY:
            result["email"] = None
        return result

    def _empty_texts(self, value: dict[str, Any], result: dict[str, Any]) -> None:
        # the reason of a pause, a waiver or a correction, with the name under which it was given
        if value.get("reason") and self.wrote(value.get("by")):
            result["reason"] = ""
            self.texts += 1
        authors = [value[name] for name in _AUTHORS if value.get(name)]
        wrote_it = any(map(self.wrote, authors))
        for name in _TEXTS if authors else ():
            if value.get(name) and (wrote_it or result[name] != value[name]):
                result[name] = ""
                self.texts += 1
                if isinstance(value.get("author"), dict):
                    result["author"] = None


def _known_as(session: Session, address: str, names: Iterable[str]) -> _Whom:
    names_by_id: dict[str, set[str]] = defaultdict(set)
    ids: set[str] = set()
    for account in _accounts(session):
        ident = str(account["id"])
        names_by_id[ident].add(str(account.get("name") or ""))
        if str(account.get("email") or "").casefold() == address.casefold():
            ids.add(ident)
    for person in session.exec(select(PersonRow)).all():
        if person.account and person.email.casefold() == address.casefold():
            ids.add(str(person.account["id"]))
            names_by_id[str(person.account["id"])].add(str(person.account.get("name") or ""))
    names_on_record = {name for ident in ids for name in names_by_id[ident]}
    # an earlier run may have left the replacement where a name stood
    all_names = {name for name in (*names_on_record, *names) if name.strip() and name != SOMEBODY}
    return _Whom(address, ids, all_names)


def _accounts(session: Session) -> Iterator[dict[str, Any]]:
    """Yield each value with an id and a name, from all rows."""
    for table, columns in _PLACES.items():
        for row in session.exec(select(table)).all():
            for column in columns:
                yield from _within(getattr(row, column))


def _within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        # the shape of an account or a person in every snapshot
        if "id" in value and "name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _within(part)


def _not_over(session: Session) -> set[str]:
    """Return the incidents that may still bring writes: unfinished ones, and those with open operations."""
    unfinished = select(IncidentRow.id).where(
        col(IncidentRow.team).is_not(None), col(IncidentRow.finished).is_(False)
    )
    waiting = select(OperationRow.incident_id).where(col(OperationRow.state).in_(OPEN_STATES))
    incidents = {*session.exec(unfinished).all(), *session.exec(waiting).all()}
    return {incident_id for incident_id in incidents if not concerns_no_incident(incident_id)}


def _empty_row(
    row: SQLModel,
    whom: _Whom,
    not_over: set[str],
    emptied: set[str],
    done: Forgotten,
    print_of: PrintOf,
) -> None:
    """Delete the person from one row, unless its incident is not over."""
    if isinstance(row, RequestRow) and row.state != _ANSWERED:
        return
    before = whom.texts
    changes = _changes(row, whom)
    if not changes:
        return
    incident = row.id if isinstance(row, IncidentRow) else getattr(row, "incident_id", None)
    if _left(row, incident, not_over, done):
        return
    # an incident at rest must look at rest afterwards, or syncd would take it up again
    rested = isinstance(row, IncidentRow) and (row.settled_fingerprint or {}).get("print") == print_of(
        record_of(IncidentRecord, row)
    )
    for column, value in changes.items():
        setattr(row, column, value)
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
    """Return the columns that name the person or hold their texts, with the values without the person."""
    values = {column: getattr(row, column) for column in _PLACES[type(row)]}
    emptied = {column: whom.without(value) for column, value in values.items()}
    if isinstance(row, WaiverRow) and row.reason and whom.wrote(row.by):
        emptied["reason"] = ""
        whom.texts += 1
    if isinstance(row, RequestRow) and emptied["arguments"].get("reason") and whom.wrote(row.asked_by):
        emptied["arguments"]["reason"] = ""
        whom.texts += 1
    return {column: value for column, value in emptied.items() if value != values[column]}


def _left(row: SQLModel, incident: str | None, not_over: set[str], done: Forgotten) -> bool:
    """Return True if a row that names the person has to stay, and add it to the report."""
    # an open operation stays whole: its request must be the same when it is repeated
    waits = isinstance(row, OperationRow) and row.state in OPEN_STATES
    if isinstance(row, OperationRow) and row.id is not None and waits:
        done.operations.append(row.id)
    if not waits and incident not in not_over:
        return False
    if incident in not_over and incident not in done.incidents:
        done.incidents.append(incident)
    return True


def _withdraw(session: Session, emptied: set[str], not_over: set[str], done: Forgotten) -> None:
    """Empty the rendered texts of finished operations of these incidents.

    A rendered text may quote the person's text in any markup, so that no search finds it.
    """
    for row in session.exec(select(OperationRow)).all():
        if row.incident_id not in emptied or row.incident_id in not_over or not row.rendered:
            continue
        kept: dict[str, Any] = {
            name: "" if name in _RENDERED else value for name, value in row.rendered.items()
        }
        if isinstance(kept.get("fields"), dict):
            kept["fields"] = {name: value for name, value in kept["fields"].items() if name != "description"}
        if kept != row.rendered:
            row.rendered = kept
            done.rows += 1
