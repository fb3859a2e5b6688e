"""Read the parts that a decision has to see first (`Decision.look`)."""

from __future__ import annotations

from datetime import datetime

from syncd.domain.duty import RUNNING
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of
from syncd.engine.observe.action_items import discover
from syncd.engine.observe.earlier_ledger.rebuild_duties import rebuild_duties, seek_postmortem
from syncd.engine.observe.issues import read_close, read_duty_issues, read_log
from syncd.ledger.store.lookups import Followers, load_followers
from syncd.policy.case import DutyIssueState, ItemState, Rulebook


def look_at(context: EngineContext, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read the parts that a decision has to see first; raise `RemoteError`."""
    if "approvers" in look:
        for email in book.mapping.people.approvers:
            account_of(context, email, book)
    if "log" in look:
        read_log(context, incident_id, book.mapping.team)
    if "ticket" in look:
        read_close(context, incident_id, book)
    if "owner" in look and book.section.owner is not None:
        account_of(context, book.section.owner, book)
    if "postmortem" in look:
        seek_postmortem(context, incident_id, book)
    if "items" in look:
        discover(context, incident_id, book)
    if not look.isdisjoint(("postmortem", "items")):
        _read_followers(context, incident_id, book, look)


def _read_followers(context: EngineContext, incident_id: str, book: Rulebook, look: frozenset[str]) -> None:
    """Read the postmortem and the action items, and the facts in our comments on them."""
    followers = load_followers(context.ledger, incident_id)
    if followers is None:
        return
    duty_issues: list[DutyIssueState] = []
    if "postmortem" in look and followers.postmortem is not None:
        duty_issues.append(followers.postmortem)
    if "items" in look:
        duty_issues += _to_read(followers, context.clock.now())
    if duty_issues:
        read_duty_issues(context, duty_issues, book)
    rebuild_duties(context, incident_id, book, look)


def _to_read(followers: Followers, now: datetime) -> list[ItemState]:
    """Return the action items whose changelog has to be read before syncd judges them."""
    due: dict[str, datetime] = {}
    for duty in followers.duties:
        if duty.state in RUNNING and duty.due_at <= now:
            due[duty.subject] = max(duty.due_at, due.get(duty.subject, duty.due_at))
    items = []
    for item in followers.items:
        if not item.in_sight:
            continue
        if item.ended_at is not None:
            unread = "ended_by" not in item.facts
        else:
            until = item.changes_until
            unread = until is None or item.issue is None or until < due.get(item.issue_id, until)
        if unread:
            items.append(item)
    return items
