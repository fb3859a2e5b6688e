"""Post the steps of an incident to the team's chat channel: one message each, at most once.

QRPay runbook, "Roles": the Communications Lead posts updates to Slack. A post is news: after downtime only
the latest state leaves, a post that is older than an hour does not leave, and the ledger records both as not
sent. A restricted incident is never posted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from syncd.domain.clock import in_utc
from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import PostChat, PostContent
from syncd.domain.operation.chat import (
    BreachPost,
    OwedUpdatePost,
    ResolvedPost,
    SeverityPost,
    TicketPost,
    UpdatePost,
)
from syncd.domain.operation.keys import post_key, ticket_key
from syncd.domain.role import Role
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.exercises import mark_of
from syncd.policy.notify.recipients import can_be_acted_on, issue_of, told_of
from syncd.policy.notify.reminders import missed_at, place_of, words_of
from syncd.policy.roles import role_holders
from syncd.policy.rules_in_force import was_over_at_switch
from syncd.policy.severity import decide_severity

USEFUL_FOR = timedelta(hours=1)
"""A post that is older tells the channel nothing that helps."""
REMINDS_FOR = timedelta(minutes=10)
"""The same for a reminder of an owed update: the next one follows soon."""
TOO_OLD = "it is too old to help anybody in the channel"
LATER_STEP = "a later post says what is true now"
BEFORE = "it happened before enforce_from, so syncd lists it and posts nothing"
BEFORE_SWITCH = "it happened before the mode was switched, so syncd lists it and posts nothing"


def decide_posts(case: Case, book: Rulebook) -> Decision:
    """Return the posts about the incident; the case's duties are judged already."""
    steps = [*_latest_of(case, list(_states(case, book))), *_breaches(case, book)]
    return post_all(case, book, steps)


def post_all(case: Case, book: Rulebook, posts: Sequence[PostChat]) -> Decision:
    """Return the posts as the mapping's mode and the first law want them: sent, recorded as not sent, noted.

    Every rule that posts ends here.
    """
    chat = book.mapping.chat
    if chat.mode is Mode.OFF or not chat.channel or case.restricted:
        return Decision()
    if case.before_enforcement or case.now is None:
        return Decision()
    posts = [_unless_over(case, book, post) for post in posts]
    if chat.mode is Mode.REPORT:
        notes = tuple(f"post to #{chat.channel}: {post.reason}" for post in posts if post.skip is None)
        return Decision(dry_run_notes=notes)
    # without a URL nothing can be posted: `check` and `status` say so
    if chat.channel not in case.channels:
        return Decision()
    ends = [
        (post.moment + useful_for(post) - case.now).total_seconds()
        for post in posts
        if post.skip is None and post.key not in case.sent
    ]
    return Decision(operations=tuple(posts), again=min(ends, default=None))


def post(
    case: Case,
    book: Rulebook,
    content: PostContent,
    step: str,
    reason: str,
    at: datetime,
    *,
    skip: str | None = None,
    needs: tuple[str, ...] = (),
) -> PostChat:
    """Return a post about an incident; `step` identifies it, `at` is when the rule asked for it (UTC)."""
    return PostChat(
        key=post_key(case.incident.id, step),
        incident=case.incident.id,
        channel=book.mapping.chat.channel or "",
        content=content,
        moment=at,
        skip=skip,
        exercise=mark_of(case),
        needs=needs,
        reason=reason,
    )


def update_post(case: Case, book: Rulebook, content: UpdatePost, reason: str, at: datetime) -> PostChat:
    """Return the post of a person's update or mitigation: one for each note or comment."""
    return post(case, book, content, f"update:{content.source}", reason, at)


def owed_update_post(case: Case, book: Rulebook, content: OwedUpdatePost, at: datetime) -> PostChat:
    """Return the reminder of an owed update; `at` is when it was due (UTC)."""
    reason = f"nobody wrote an update since {in_utc(content.since)}"
    return post(case, book, content, f"owed:{at:%Y%m%dT%H%M%S}", reason, at)


def useful_for(op: PostChat) -> timedelta:
    """Return how long after its moment a post may leave."""
    return REMINDS_FOR if isinstance(op.content, OwedUpdatePost) else USEFUL_FOR


def no_url(channel: str) -> str:
    """Return what `status` and `check` say of a channel without a URL."""
    return f"SYNCD_CHAT_URLS has no URL for the channel {channel}, so nothing is posted"


def is_too_old(op: PostChat, now: datetime) -> bool:
    """Return True if a post helps nobody any more."""
    return now >= op.moment + useful_for(op)


def _unless_over(case: Case, book: Rulebook, op: PostChat) -> PostChat:
    if op.skip is not None or op.key in case.sent or case.now is None:
        return op
    if op.moment < book.mapping.enforced_since:
        return op.model_copy(update={"skip": BEFORE})
    if was_over_at_switch(case, ("chat",), op.moment):
        return op.model_copy(update={"skip": BEFORE_SWITCH})
    return op.model_copy(update={"skip": TOO_OLD}) if is_too_old(op, case.now) else op


def _states(case: Case, book: Rulebook) -> Iterator[PostChat]:
    """Yield the posts about the incident's states in the order of time: ticket, severities, resolve."""
    incident = case.incident
    severity = decide_severity(incident, book.mapping, book.section).name
    needs = (ticket_key(incident.id),)
    made = f"the ticket of a {severity} incident is made"
    commander = role_holders(case, book).get(Role.COMMANDER)
    content = TicketPost(severity=severity, commander=commander.name if commander is not None else "")
    yield post(case, book, content, "ticket", made, incident.created_at, needs=needs)
    yield from _severities(case, book, severity)
    over = incident.over_since
    if over is None or incident.merged_into is not None:
        return
    duty = case.duty(DutyKind.SCHEDULED)
    due = duty.due_at if duty is not None and duty.state in (DutyState.PENDING, DutyState.DUE_SOON) else None
    yield post(
        case, book, ResolvedPost(due=due), f"resolved:{over:%Y%m%dT%H%M%S}", "the incident is resolved", over
    )


def _severities(case: Case, book: Rulebook, severity: str) -> Iterator[PostChat]:
    periods = [(period.severity, period.since) for period in case.severity_periods]
    # the ledger records a period together with the decision, so the present one may not be on record yet
    if periods and periods[-1][0] != severity:
        periods.append((severity, case.incident.updated_at or case.now or case.incident.created_at))
    entries: dict[str, int] = {}
    for (before, _), (name, since) in pairwise(periods):
        entries[name] = entries.get(name, 0) + 1
        content = SeverityPost(severity=name, before=before)
        step = f"severity:{name}~{entries[name]}"
        yield post(case, book, content, step, f"the severity changed from {before} to {name}", since)


def _latest_of(case: Case, steps: list[PostChat]) -> list[PostChat]:
    """Return the steps, each passed over where a later one says what is true now.

    The post about the ticket tells the present severity when it leaves, so severities before it are passed
    over.
    """
    over, unsent = not case.incident.open, [op for op in steps if op.key not in case.sent]
    ticket = next((op for op in unsent if isinstance(op.content, TicketPost)), None)
    tells = ticket is not None and case.now is not None and not is_too_old(ticket, case.now) and not over
    last = ticket if tells else (unsent[-1] if unsent else None)
    return [
        op if op.key in case.sent or op is last else op.model_copy(update={"skip": LATER_STEP})
        for op in steps
    ]


def _breaches(case: Case, book: Rulebook) -> Iterator[PostChat]:
    for duty in case.latest_duties():
        breached = duty.state is DutyState.BREACHED and duty.corrected is None and not duty.unseen
        if not breached or not told_of(duty, book.mapping) or not can_be_acted_on(case, duty):
            continue
        what, at = _what(case, duty), missed_at(case, duty, book.mapping)
        content = BreachPost(what=what, due=duty.due_at)
        yield post(case, book, content, f"breach:{place_of(duty)}", f"{what} is overdue", at)


def _what(case: Case, duty: Duty) -> str:
    issue = issue_of(case, duty)
    return words_of(duty) if issue is None else f"{words_of(duty)} ({issue.key})"
