"""Read by id what syncd wrote and no read has shown a minute later.

Usually the polls show a write soon, because it changed the object. Only what they do not show is read here:
twice, then with the changelog, which tells if somebody changed it meanwhile. If nobody did, the write had no
effect, and its incident is decided again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from syncd.domain.operation import Target
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_accounts, our_users
from syncd.engine.observe.incident import read_incident
from syncd.engine.observe.issues import read_page, store_by_id
from syncd.ledger.store.change_queue import notice_changes
from syncd.ledger.store.lookups import display_name
from syncd.ledger.store.names import log_about
from syncd.ledger.store.unseen_writes import LOOKS, SENDS, Awaited, NoEffect, due, looked, still_unseen
from syncd.policy.ticket.unseen_writes import field_of

MOST = 20
"""Objects that one cycle reads by id; the others wait for the next."""


def look_for_writes(context: EngineContext, target: Target) -> None:
    """Look at one service's objects whose last write no read has shown; raise `RemoteError`."""
    awaited = [place for place in due(context.ledger, context.answered(target, 0.0)) if _is_at(place, target)]
    objects = [list(places) for _, places in groupby(awaited, key=lambda place: place.object)]
    for places in objects[:MOST]:
        if context.stop.is_set():
            return
        _look(context, places)


def _is_at(place: Awaited, target: Target) -> bool:
    return (place.issue is None) is (target is Target.PAGERDUTY)


def _look(context: EngineContext, places: Sequence[Awaited]) -> None:
    issue_id, incident_id = places[0].issue, places[0].incident
    if issue_id is None:
        if read_incident(context, incident_id) is None:
            return
    else:
        page = read_page(context, [issue_id], by_id=True)
        store_by_id(context, page)
        # hidden, or unreadable this time: that tells nothing about the write
        if not page.issues:
            return
    unseen = still_unseen(context.ledger, places)
    if not unseen:
        return
    now = context.clock.now()
    result = looked(context.ledger, unseen, _changed_since(context, unseen), now)
    if result is None:
        return
    _warn(context, result)
    notice_changes(context.ledger, [incident_id], now, 0, "a write had no effect")


def _changed_since(context: EngineContext, places: Sequence[Awaited]) -> Mapping[str, bool]:
    """Return by place if somebody else changed it since our write, of places that were read often enough."""
    last = [place for place in places if place.looks + 1 >= LOOKS]
    if not last:
        return {}
    issue_id, since = last[0].issue, min(place.answered_at for place in last)
    if issue_id is None:
        ours = our_users(context)
        entries = context.services.pagerduty.incident_log(last[0].incident)
        touched = any(
            entry.at >= since and entry.agent is not None and entry.agent.id not in ours for entry in entries
        )
        return dict.fromkeys((place.place for place in last), touched)
    accounts = our_accounts(context)
    changes = context.services.jira.changelog(issue_id)
    theirs = {
        change.field.casefold()
        for change in changes
        if change.at >= since and (change.author is None or change.author.id not in accounts)
    }
    return {place.place: not theirs.isdisjoint(_names(place.place)) for place in last}


def _names(place: str) -> set[str]:
    """Return the names of a place's field in a changelog, in lower case."""
    field = field_of(place).casefold()
    # changes of links have no field id
    return {field, "link"} if field == "issuelinks" else {field}


def _warn(context: EngineContext, result: NoEffect) -> None:
    fields = ", ".join(result.fields)
    again = "syncd writes it once more" if result.sends < SENDS else "syncd parks the write"
    log_about(context.ledger, result.incident).bind(operation=result.operation).warning(
        "{}: the service took our change of {} and nothing changed; {}",
        display_name(context.ledger, result.incident),
        fields,
        again,
    )
