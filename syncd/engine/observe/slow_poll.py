"""What the fast lane cannot see, read every 15 minutes from at most a tenth of the budget.

Resolved incidents that are not finished are read by windows of their creation (PagerDuty has no filter by
update), and for three days those that are: a severity raised after the close makes a postmortem due, and no
log entry need tell of it. Notes are listed where they may still be edited or deleted, which leaves no trace
in the log.
Tickets of open and unfinished incidents are read in bulk, because an index can miss an update; so are
postmortems, and action items that live in other projects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from syncd.engine.context import Desk
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.incident_windows import PAGE, read_created, windows_of
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.pages import store_listed, store_notes, store_papers, store_tickets
from syncd.ledger.store.unreadable import unreadable
from syncd.ledger.store.what_to_read import (
    resolved_and_watched,
    restricted_stubs,
    tickets_to_read,
    unfinished_issues,
    with_notes_to_list,
)
from syncd.remote.errors import Cause, RemoteError, Unreadable
from syncd.remote.http.budget import lane
from syncd.remote.ports import Fetched

EVERY_SECONDS = 900.0
READ_FOR = timedelta(days=3)
"""How long after the resolve an incident is still read and its notes are listed, whatever it waits for."""


class SlowLane:
    """The slow lane's reads; each raises `RemoteError` where its service cannot be read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def run(self) -> None:
        """All six, one after the other."""
        with lane("slow"):
            self._unreadable()
            self._stubs()
            self._resolved_incidents()
            self._notes()
            self._tickets()
            self._papers()

    def _unreadable(self) -> None:
        """What could not be read is asked for again by its id."""
        desk = self._desk
        unread = list(unreadable(desk.ledger))
        if unread:
            moment = desk.ledger.moments.next()
            look_again(desk.ledger, unread, desk.clock.now(), moment, "it could not be read")

    def _stubs(self) -> None:
        """A restricted incident's stub may be given its text once our account may set the level."""
        desk = self._desk
        stubs = restricted_stubs(desk.ledger)
        if stubs:
            look_again(desk.ledger, stubs, desk.clock.now(), 0, "its security level may be there by now")

    def _resolved_incidents(self) -> None:
        desk = self._desk
        created = resolved_and_watched(desk.ledger, desk.clock.now() - READ_FOR)
        for since, until in windows_of(created):
            for page, moment in read_created(desk, since, until):
                store_listed(
                    desk.ledger,
                    storage_rules(desk),
                    page.incidents,
                    moment,
                    desk.clock.now(),
                    "changed since it was resolved",
                    unread=page.unread,
                    unread_since=desk.ledger.moments.next() if page.unread else 0,
                )

    def _notes(self) -> None:
        desk = self._desk
        for incident in with_notes_to_list(desk.ledger, desk.clock.now() - READ_FOR):
            if desk.stop.is_set():
                return
            self._list_notes(incident)

    def _list_notes(self, incident: IncidentRecord) -> None:
        desk, rules = self._desk, storage_rules(self._desk)
        moment = desk.ledger.moments.next()
        try:
            notes = rules.notes(desk.clients.pagerduty.notes(incident.id), incident.team)
        except Unreadable:
            return  # the notes stay as they are known
        except RemoteError as error:
            if error.cause in (Cause.MISSING, Cause.FORBIDDEN):
                return
            raise
        if [note.model_dump(mode="json") for note in notes] != (incident.notes or []):
            now, why = desk.clock.now(), "its notes changed"
            store_notes(desk.ledger, rules, incident.id, notes, moment, now=now, why=why)

    def _tickets(self) -> None:
        desk = self._desk
        for part, fetched, moment in self._pages(tickets_to_read(desk.ledger)):
            store_tickets(
                desk.ledger,
                storage_rules(desk),
                fetched.issues,
                moment,
                desk.clock.now(),
                desk.date_of("jira"),
                missing=_not_shown(part, fetched),
            )

    def _papers(self) -> None:
        """Postmortems and action items of unfinished incidents.

        The poll reads no other projects, and that an owner has left changes nothing on their issues. With
        them, what was linked from there and was no action item when it was read: a label makes it one.
        """
        unfinished = unfinished_issues(self._desk.ledger)
        self._read_papers(unfinished.papers)
        self._read_beside(unfinished.beside)

    def _read_papers(self, papers: Sequence[str]) -> None:
        desk = self._desk
        for part, fetched, moment in self._pages(papers, description=True):
            store_papers(
                desk.ledger,
                storage_rules(desk),
                fetched.issues,
                moment,
                desk.clock.now(),
                "it changed elsewhere",
                missing=_not_shown(part, fetched),
            )

    def _read_beside(self, beside: Sequence[str]) -> None:
        for _part, fetched, moment in self._pages(beside):
            notice(self._desk, [issue for issue in fetched.issues if issue.id in beside], moment)

    def _pages(
        self, ids: Sequence[str], *, description: bool = False
    ) -> Iterator[tuple[Sequence[str], Fetched, int]]:
        desk = self._desk
        for start in range(0, len(ids), PAGE):
            if desk.stop.is_set():
                return
            part, moment = ids[start : start + PAGE], desk.ledger.moments.next()
            yield part, desk.fetch(part, description=description), moment


def _not_shown(asked: Sequence[str], fetched: Fetched) -> list[str]:
    """Return what was asked for and is neither in the answer nor named there as unread."""
    seen = {issue.id for issue in fetched.issues} | set(fetched.unread)
    return [issue_id for issue_id in asked if issue_id not in seen]
