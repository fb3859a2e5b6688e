"""Read the parts that a decision has to see first (`Decision.look`)."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of
from syncd.engine.observe.action_items import discover
from syncd.engine.observe.earlier_ledger.rebuild_duties import rebuild_duties, seek_postmortem
from syncd.engine.observe.issues import read_duty_issues, read_log, read_ticket_changes
from syncd.ledger.store.action_items import hand_over_items
from syncd.ledger.store.lookups import Followers, load_followers
from syncd.policy.case import DutyIssueState, ItemState, Rulebook
from syncd.remote.errors import RemoteError

LOOKS = {
    "approvers": "look up the approvers",
    "customer_approvers": "look up who approves texts for customers",
    "log": "read its log",
    "ticket": "read who moved and labelled its ticket",
    "owner": "look up the owner of its service",
    "postmortem": "read its postmortem",
    "items": "read its action items",
    "hand_over": "hand its action items over to the target of its merge",
}
"""The troubles of the parts; each completes "syncd cannot"."""


def look_at(context: EngineContext, incident_id: str, book: Rulebook, look: Set[str]) -> None:
    """Read the parts that a decision has to see first, as far as syncd can read them.

    Raise `RemoteError` at the end while one failed and the whole service may be down.
    """
    failed: RemoteError | None = None
    for part in LOOKS:
        if part not in look:
            continue
        try:
            context.troubles.ask(
                incident_id,
                LOOKS[part],
                partial(_read_part, context, incident_id, book, part),
                patient=True,
            )
        except RemoteError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _read_part(context: EngineContext, incident_id: str, book: Rulebook, part: str) -> None:
    mapping = book.mapping
    people = {"approvers": mapping.people.may_approve, "customer_approvers": mapping.customer_approvers}
    for email in people.get(part, ()):
        account_of(context, email, book)
    if part == "log":
        read_log(context, incident_id, book.mapping.team)
    elif part == "ticket":
        read_ticket_changes(context, incident_id, book)
    elif part == "owner" and book.section.owner is not None:
        account_of(context, book.section.owner, book)
    elif part == "postmortem":
        seek_postmortem(context, incident_id, book)
        _read_followers(context, incident_id, book, frozenset({part}))
    elif part == "items":
        discover(context, incident_id, book)
        _read_followers(context, incident_id, book, frozenset({part}))
    elif part == "hand_over":
        hand_over_items(context.ledger, incident_id, context.clock.now())


def _read_followers(context: EngineContext, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read the postmortem and the action items, and the facts in our comments on them."""
    followers = load_followers(context.ledger, incident_id)
    if followers is None:
        return
    duty_issues: list[DutyIssueState] = []
    if "postmortem" in look and followers.postmortem is not None:
        duty_issues.append(followers.postmortem)
    if "items" in look:
        duty_issues += _to_read(followers)
    if duty_issues:
        read_duty_issues(context, duty_issues, book)
    rebuild_duties(context, incident_id, book, look)


def _to_read(followers: Followers) -> list[ItemState]:
    """Return the action items in sight; of those that have ended, only the ones whose end is not known."""
    return [
        item
        for item in followers.items
        if item.in_sight and (item.ended_at is None or "ended_by" not in item.facts)
    ]
