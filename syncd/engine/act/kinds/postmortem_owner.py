"""Choose the owner of an incident's postmortem: the first candidate whom Jira lets us assign.

Candidates in order: the commander on the mapping's schedule at the resolve, the incident's responders, the
ticket's assignee, the service's owner, the mapping's fallback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from syncd.domain.incident import Responder
from syncd.domain.role import Role
from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of
from syncd.engine.observe.roles import on_call_at
from syncd.policy.case import Case, Rulebook


def commanders_at(context: EngineContext, book: Rulebook, moment: datetime) -> tuple[Responder, ...]:
    """Return who was on the service's commander schedule at a moment (UTC), nobody where there is no
    schedule.

    A schedule that syncd cannot read holds up no postmortem: the next candidate owns it. Raise `RemoteError`
    while PagerDuty as a whole may be down.
    """
    commander = book.mapping.roles_of(book.section).get(Role.COMMANDER)
    name = commander.schedule if commander is not None else None
    if name is None:
        return ()
    return on_call_at(context, book.mapping.team, name, moment, patient=True) or ()


def owner_of(
    context: EngineContext,
    case: Case,
    book: Rulebook,
    commanders: Collection[Responder],
    turned_down: Collection[str] = (),
) -> Account | None:
    """Return the owner, None where Jira lets us assign nobody.

    `turned_down` are accounts that Jira refused. Raise `RemoteError` where Jira cannot answer.
    """
    for account in _candidates(context, case, book, commanders):
        # an inactive account or a robot cannot own a postmortem
        if account is not None and account.active and account.human and account.id not in turned_down:
            return account
    return None


def _candidates(
    context: EngineContext, case: Case, book: Rulebook, commanders: Collection[Responder]
) -> Iterator[Account | None]:
    for person in (*commanders, *case.incident.assignees):
        if person.email:
            yield account_of(context, person.email, book)
    address = book.mapping.people.fallback
    fallback = account_of(context, address, book) if address else None
    issue = case.ticket.issue if case.ticket else None
    holder = issue.assignee if issue else None
    # a ticket goes to the fallback where no responder could take it: the service's owner comes before
    if holder is not None and (fallback is None or holder.id != fallback.id):
        yield holder
    if book.section.owner:
        yield account_of(context, book.section.owner, book)
    yield fallback
