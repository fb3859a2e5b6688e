"""Find the action items of incidents: issues linked to ticket or postmortem, and their sub-tasks, in any
project.

The snapshots of ticket and postmortem name links and sub-tasks, or the poll reads an issue that names them.
Only the issue itself, once read, tells if it is an action item.
"""

from __future__ import annotations

from syncd.domain.mapping.value_types import Mode
from syncd.domain.ticket import Issue
from syncd.engine.context import EngineContext
from syncd.engine.observe.issues import read_pages
from syncd.engine.observe.masking import storage_rules
from syncd.ledger.store.action_items import (
    is_no_item,
    neighbours_among,
    seek_items,
    store_beside,
    store_neighbour,
)
from syncd.policy.case import Rulebook


def discover(context: EngineContext, incident_id: str, book: Rulebook) -> None:
    """Read the unknown issues that are linked to an incident's ticket or postmortem; raise `RemoteError`."""
    non_items = seek_items(context.ledger, incident_id)
    for page in read_pages(context, non_items.unread):
        store_beside(
            context.ledger,
            storage_rules(context),
            book.mapping.follow_ups,
            incident_id,
            page.issues,
            page.absent,
            non_items.ends,
            page.read_seq,
            context.clock.now(),
        )


def notice(context: EngineContext, issues: list[Issue], read_seq: int) -> None:
    """Store those changed issues that are linked to a ticket or postmortem and are none of ours."""
    for neighbour in neighbours_among(context.ledger, issues):
        mapping = context.rules.current.mapping_of(neighbour.incident.team)
        if mapping is None or mapping.follow_ups.mode is Mode.OFF:
            continue
        if is_no_item(context.ledger, neighbour, mapping.follow_ups):
            continue
        rules, now = storage_rules(context), context.clock.now()
        store_neighbour(context.ledger, rules, mapping.follow_ups, neighbour, read_seq, now)
