"""Who owns an incident's postmortem: the first of those concerned who can be assigned in Jira.

The commander on the mapping's schedule at the resolve; else whoever has the ticket, which is the incident's
last responder or whom a person chose; else the service's owner; else the mapping's fallback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from loguru import logger

from syncd.domain.incident import Responder
from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of
from syncd.policy.case import Case, Rulebook
from syncd.remote.errors import NotDone


def commanders_at(context: EngineContext, book: Rulebook, moment: datetime) -> tuple[Responder, ...]:
    """Who was on the service's commander schedule at a moment (UTC); nobody where there is no schedule.

    What PagerDuty does not show to us counts as nobody. Raises `RemoteError` where it cannot be asked.
    """
    wanted = book.section.commander
    if wanted is None:
        return ()
    try:
        known = context.services.pagerduty.schedules()
        found = next((one for one in known if wanted in (one.id, one.name)), None)
        if found is None:
            logger.warning("{}: PagerDuty shows no schedule {} to us", book.mapping.team, wanted)
            return ()
        return context.services.pagerduty.on_call(found.id, moment)
    except NotDone as error:
        if not error.not_for_us:
            raise
        logger.warning("{}: the schedule {} cannot be read: {}", book.mapping.team, wanted, error.describe())
        return ()


def owner_of(
    context: EngineContext,
    case: Case,
    book: Rulebook,
    commanders: Collection[Responder],
    turned_down: Collection[str] = (),
) -> Account | None:
    """Given who commanded, return the owner, None where nobody can be assigned.

    `turned_down` are accounts that Jira refused. Raises `RemoteError` where Jira cannot be asked.
    """
    for account in _candidates(context, case, book, commanders):
        if account is not None and account.active and account.human and account.id not in turned_down:
            return account
    return None


def _candidates(
    context: EngineContext, case: Case, book: Rulebook, commanders: Collection[Responder]
) -> Iterator[Account | None]:
    for person in (*commanders, *case.incident.assignees):
        if person.email:
            yield account_of(context, person.email, book)
    wanted = book.mapping.people.fallback
    fallback = account_of(context, wanted, book) if wanted else None
    issue = case.ticket.issue if case.ticket else None
    holder = issue.assignee if issue else None
    # the fallback has the ticket where no responder could: the service's owner goes before
    if holder is not None and (fallback is None or holder.id != fallback.id):
        yield holder
    if book.section.owner:
        yield account_of(context, book.section.owner, book)
    yield fallback
