"""What the fast poll cannot see, read every 15 minutes from at most a tenth of the budget.

Resolved incidents that are not finished are read by windows of their creation (PagerDuty has no filter by
update), and for three days those that are: a severity raised after the close makes a postmortem due, and no
log entry need tell of it. Notes are listed where they may still be edited or deleted, which leaves no trace
in the log.
Tickets of open and unfinished incidents are read in bulk, because an index can miss an update; so are
postmortems, and action items that live in other projects.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from syncd.engine.context import EngineContext
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.incident_windows import read_created, windows_of
from syncd.engine.observe.issues import read_pages
from syncd.engine.observe.masking import storage_rules
from syncd.engine.observe.notes_and_comments import read_notes
from syncd.ledger.store.change_queue import notice_changes, unreadable
from syncd.ledger.store.lookups import (
    resolved_and_watched,
    restricted_stubs,
    tickets_to_read,
    unfinished_issues,
    with_notes_to_list,
)
from syncd.ledger.store.pages import store_listed, store_papers, store_tickets
from syncd.remote.http.budget import lane

EVERY_SECONDS = 900.0
READ_FOR = timedelta(days=3)
"""How long after the resolve an incident is still read and its notes are listed, whatever it waits for."""


class SlowPoll:
    """The slow poll: each of its reads raises `RemoteError` where its service cannot be read."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def run(self) -> None:
        """All six, one after the other."""
        with lane("slow"):
            self._unreadable()
            self._stubs()
            self._resolved_incidents()
            self._notes()
            self._tickets()
            self._postmortems_and_items()

    def _unreadable(self) -> None:
        """What could not be read is asked for again by its id."""
        context = self._context
        unread = list(unreadable(context.ledger))
        if unread:
            read_seq = context.ledger.logical_clock.next()
            notice_changes(context.ledger, unread, context.clock.now(), read_seq, "it could not be read")

    def _stubs(self) -> None:
        """A restricted incident's stub may be given its text once our account may set the level."""
        context = self._context
        stubs = restricted_stubs(context.ledger)
        if stubs:
            notice_changes(
                context.ledger, stubs, context.clock.now(), 0, "its security level may be there by now"
            )

    def _resolved_incidents(self) -> None:
        context = self._context
        created = resolved_and_watched(context.ledger, context.clock.now() - READ_FOR)
        for since, until in windows_of(created):
            for page, read_seq in read_created(context, since, until):
                store_listed(
                    context.ledger,
                    storage_rules(context),
                    page.incidents,
                    read_seq,
                    context.clock.now(),
                    "changed since it was resolved",
                    unread=page.unread,
                    unread_since=context.ledger.logical_clock.next() if page.unread else 0,
                )

    def _notes(self) -> None:
        context = self._context
        for incident in with_notes_to_list(context.ledger, context.clock.now() - READ_FOR):
            if context.stop.is_set():
                return
            read_notes(context, incident, news="its notes changed")

    def _tickets(self) -> None:
        context = self._context
        for page in read_pages(context, tickets_to_read(context.ledger), until_stop=True):
            store_tickets(
                context.ledger,
                storage_rules(context),
                page.issues,
                page.read_seq,
                context.clock.now(),
                context.date_of("jira"),
                missing=page.absent,
            )

    def _postmortems_and_items(self) -> None:
        """Postmortems and action items of unfinished incidents.

        The poll reads no other projects, and that an owner has left changes nothing on their issues. With
        them, what was linked from there and was no action item when it was read: a label makes it one.
        """
        unfinished = unfinished_issues(self._context.ledger)
        self._read_duty_issues(unfinished.duty_issues)
        self._read_non_items(unfinished.non_items)

    def _read_duty_issues(self, duty_issues: Sequence[str]) -> None:
        context = self._context
        for page in read_pages(context, duty_issues, description=True, until_stop=True):
            store_papers(
                context.ledger,
                storage_rules(context),
                page.issues,
                page.read_seq,
                context.clock.now(),
                "it changed elsewhere",
                missing=page.absent,
            )

    def _read_non_items(self, non_items: Sequence[str]) -> None:
        for page in read_pages(self._context, non_items, until_stop=True):
            notice(self._context, [issue for issue in page.issues if issue.id in non_items], page.read_seq)
