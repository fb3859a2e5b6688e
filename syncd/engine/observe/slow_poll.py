"""The slow poll: read every 15 minutes what the fast poll cannot see, with at most a tenth of the budget.

syncd reads all incidents that were created within a day, known or not: the fast poll follows the log by one
watermark, and this is the net behind it. It reads resolved incidents that are unfinished, for three days the
finished ones, and once a day those of 30 days, by windows of their creation: PagerDuty has no filter by
update, and a severity raised after the resolve, which makes a postmortem due, may leave no log entry. It
lists notes that people may still edit or delete, because that leaves no trace in the log. It reads tickets of
open and unfinished incidents in bulk, because Jira's index can miss an update; also postmortems, and action
items in other projects. Once a day it reads the issues beside finished incidents that are no action items
yet: a person may add the label, and other projects are not polled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from syncd.domain.clock import is_due
from syncd.engine.context import EngineContext
from syncd.engine.observe.action_items import notice
from syncd.engine.observe.incident import note_readable, note_unread
from syncd.engine.observe.incident_windows import pagerduty_now, read_created, windows_of
from syncd.engine.observe.issues import read_pages
from syncd.engine.observe.mapped_services import services_to_ask
from syncd.engine.observe.masking import storage_rules
from syncd.engine.observe.notes_and_comments import read_notes
from syncd.engine.runtime.reads import Reads
from syncd.ledger.store.change_queue import notice_changes
from syncd.ledger.store.key_values import get_value, set_value
from syncd.ledger.store.lookups import on_record_among
from syncd.ledger.store.pages import store_listed, store_papers, store_tickets
from syncd.ledger.store.slow_poll_reads import (
    neighbours_of_finished,
    resolved_and_watched,
    restricted_stubs,
    tickets_to_read,
    unfinished_issues,
    with_notes_to_list,
)
from syncd.ledger.store.troubles import INCIDENT
from syncd.remote.http.lanes import slow_lane

EVERY_SECONDS = 900.0
NET = timedelta(days=1)
"""For how long after its creation each slow poll reads an incident that the fast poll may have missed."""
READ_FOR = timedelta(days=3)
"""How long after the resolve syncd still reads an incident and lists its notes."""
READ_DAILY_FOR = timedelta(days=30)
"""How long after the resolve syncd still reads an incident once a day."""
_DAILY, _DAILY_JIRA, _POLL = "pagerduty.daily", "jira.daily", "slow_poll"


def due(context: EngineContext) -> bool:
    """Return True if the last slow poll began 15 minutes ago or more."""
    return is_due(_last(context, _POLL), timedelta(seconds=EVERY_SECONDS), context.clock.now())


def note_begun(context: EngineContext) -> None:
    """Store that a slow poll begins now."""
    set_value(context.ledger, _POLL, at=context.clock.now().isoformat())


def read_pagerduty(context: EngineContext) -> None:
    """Read changes that PagerDuty's log may not show; raise `RemoteError` where PagerDuty cannot answer."""
    reads = Reads("pagerduty", context.refusals)
    with slow_lane():
        _ask_again(context)
        reads.read("PagerDuty's incidents of the last day", partial(_read_incidents, context))
        now, apart = pagerduty_now(context)
        for incident in with_notes_to_list(context.ledger, now - READ_FOR - apart):
            if context.stop.is_set():
                return
            read_notes(context, incident, news="its notes changed")
    reads.end()


def read_jira(context: EngineContext) -> None:
    """Read changes that Jira's search may not show; raise `RemoteError` where Jira cannot answer."""
    with slow_lane():
        _read_tickets(context)
        # the fast poll reads only mapped projects, and an owner who leaves changes no issue
        unfinished = unfinished_issues(context.ledger)
        _read_duty_issues(context, unfinished.duty_issues)
        # a linked issue that was no action item becomes one when a person adds the label
        _read_neighbours(context, unfinished.non_items)
        now = context.clock.now()
        if _daily_is_due(context, now, _DAILY_JIRA):
            _read_neighbours(context, neighbours_of_finished(context.ledger, now - READ_DAILY_FOR))
            if not context.stop.is_set():
                set_value(context.ledger, _DAILY_JIRA, at=now.isoformat())


def _read_neighbours(context: EngineContext, issue_ids: Sequence[str]) -> None:
    for page in read_pages(context, issue_ids, until_stop=True):
        notice(context, [issue for issue in page.issues if issue.id in issue_ids], page.read_seq)


def _ask_again(context: EngineContext) -> None:
    """Queue incidents with a trouble, and stubs whose security level may be there by now."""
    ledger, now = context.ledger, context.clock.now()
    unread = context.troubles.whose(INCIDENT)
    # the services may have mended the data since
    troubled = on_record_among(ledger, set(context.troubles.try_all()) - unread)
    if unread:
        notice_changes(ledger, sorted(unread), now, ledger.logical_clock.next(), "it could not be read")
    if troubled:
        notice_changes(ledger, troubled, now, 0, "a part of it could not be read")
    # a restricted incident's stub gets its text once our account may set the level
    stubs = restricted_stubs(ledger)
    if stubs:
        notice_changes(ledger, stubs, now, 0, "its security level may be there by now")


def _read_incidents(context: EngineContext) -> None:
    """Read the incidents of the last day, and the older ones that are resolved and still watched."""
    now, apart = pagerduty_now(context)
    net = now - NET - apart
    daily = _daily_is_due(context, now, _DAILY)
    watched = resolved_and_watched(context.ledger, now - (READ_DAILY_FOR if daily else READ_FOR) - apart)
    windows = [*windows_of([created_at for created_at, _ in watched if created_at < net]), (net, now + apart)]
    services = services_to_ask(context, *(service for _, service in watched))
    for since, until in windows:
        for page, read_seq in read_created(context, since, until, services):
            store_listed(
                context.ledger,
                storage_rules(context),
                page.incidents,
                read_seq,
                context.clock.now(),
                "read by the slow poll",
            )
            note_readable(context, page.incidents)
            note_unread(context, page.unread)
    if daily and not context.stop.is_set():
        set_value(context.ledger, _DAILY, at=now.isoformat())


def _daily_is_due(context: EngineContext, now: datetime, name: str) -> bool:
    return is_due(_last(context, name), timedelta(days=1), now)


def _last(context: EngineContext, name: str) -> datetime | None:
    at = get_value(context.ledger, name).get("at")
    return datetime.fromisoformat(str(at)) if at else None


def _read_tickets(context: EngineContext) -> None:
    for page in read_pages(context, tickets_to_read(context.ledger), until_stop=True):
        store_tickets(
            context.ledger,
            storage_rules(context),
            page.issues,
            page.read_seq,
            context.clock.now(),
            context.transport.date_of("jira"),
            missing=page.absent,
        )


def _read_duty_issues(context: EngineContext, duty_issues: Sequence[str]) -> None:
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
