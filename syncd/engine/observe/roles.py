"""Look up the people of an incident's roles: who was on a schedule at the trigger, whom a line names.

Each answer is stored with the incident, so that it does not change later. A look-up that a service refuses
holds up nothing: the incident goes on without it, and syncd asks again ever less often.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from functools import partial

from loguru import logger

from syncd.domain.incident import Responder
from syncd.domain.role import FilledBy, RoleHolder
from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import our_users, our_users_on_record, user_meant, user_of
from syncd.ledger.store.postmortems import store_roles
from syncd.policy.case import Case, Rulebook
from syncd.policy.roles import names_to_look_up, schedules_to_read

LOOK_UP_NAME = "look up whom a line about a role names"
_MENTION = re.compile(r"\[~(?:accountid:)?([^\]]+)\]")


def with_roles(context: EngineContext, case: Case, book: Rulebook) -> Case:
    """Return the case with the people of its roles, as far as the services tell."""
    incident, team = case.incident, book.mapping.team
    if case.roles.acknowledged is not None and not our_users_on_record(context):
        # on a new ledger nothing else may have asked yet in whose name syncd acts
        ours = our_users(context, patient=False)
        case = case.model_copy(update={"roles": case.roles.without(ours)})
    on_call = {
        name: people
        for name in schedules_to_read(case, book)
        if (people := on_call_at(context, team, name, incident.created_at)) is not None
    }
    named = {
        words: holder
        for words in names_to_look_up(case, book)
        if (holder := _look_up(context, incident.id, words, book)) is not None
    }
    if not on_call and not named:
        return case
    store_roles(context.ledger, incident.id, on_call, named)
    roles = case.roles
    return case.model_copy(
        update={
            "roles": roles.model_copy(
                update={"on_call": {**roles.on_call, **on_call}, "named": {**roles.named, **named}}
            )
        }
    )


def on_call_at(
    context: EngineContext, team: str, name: str, moment: datetime, *, patient: bool = False
) -> tuple[Responder, ...] | None:
    """Return who was on a schedule at a moment (UTC); None where PagerDuty does not tell now.

    With `patient` raise `RemoteError` while PagerDuty as a whole may be down.
    """

    def ask() -> tuple[Responder, ...]:
        schedule = _schedule(context, name)
        if schedule is None:
            logger.warning("{}: PagerDuty does not show schedule {} to us", team, name)
            return ()
        # incidents of a storm began in the same few seconds
        at_hand = context.on_call.get((schedule, moment))
        if at_hand is not None:
            return at_hand[0]
        people = context.services.pagerduty.on_call(schedule, moment)
        return context.on_call.keep((schedule, moment), people)

    return context.troubles.ask(team, f"read schedule {name}", ask, patient=patient)


def _schedule(context: EngineContext, name: str) -> str | None:
    """Return the id of the schedule with this name or id, None where PagerDuty does not show it."""
    at_hand = context.schedules.get(name)
    if at_hand is not None:
        return at_hand[0]
    for schedule in context.services.pagerduty.schedules():
        if name in (schedule.id, schedule.name):
            return context.schedules.keep(name, schedule.id)
    return None


def _look_up(context: EngineContext, incident_id: str, words: str, book: Rulebook) -> RoleHolder | None:
    return context.troubles.ask(incident_id, LOOK_UP_NAME, partial(_holder, context, words, book))


def _holder(context: EngineContext, words: str, book: Rulebook) -> RoleHolder:
    """Return the one person whom words mean: a mention, an address, a name, or a part of a name."""
    mention = _MENTION.fullmatch(words)
    if mention is not None:
        account = user_meant(context.services.jira, mention[1])
        return _of_account(context, account, book) if account is not None else _unclear(words, 0)
    wanted = words.removeprefix("@").strip()
    matches = _meant(wanted, context.services.pagerduty.users(wanted)) if wanted else ()
    if len(matches) == 1:
        person = matches[0]
        return RoleHolder(
            name=person.name or person.id, by=FilledBy.LINE, how="", user=person.id, address=person.email
        )
    account = user_meant(context.services.jira, wanted) if wanted and not matches else None
    return _of_account(context, account, book) if account is not None else _unclear(words, len(matches))


def _meant(wanted: str, users: Collection[Responder]) -> tuple[Responder, ...]:
    """Return the users whom words mean most exactly; several where the words do not decide."""
    folded = wanted.casefold()
    forms = (
        lambda user: {(user.email or "").casefold(), user.name.casefold()},
        lambda user: {(user.email or "").casefold().partition("@")[0]},
        lambda user: set(user.name.casefold().split()),
    )
    for form in forms:
        matches = tuple(user for user in users if folded in form(user))
        if matches:
            return matches
    return ()


def _of_account(context: EngineContext, account: Account, book: Rulebook) -> RoleHolder:
    user = user_of(context, account, book)
    return RoleHolder(
        name=account.name or account.id,
        by=FilledBy.LINE,
        how="",
        account=account.id,
        user=user.id if user is not None else None,
        address=account.email or (user.email if user is not None else None),
    )


def _unclear(words: str, matches: int) -> RoleHolder:
    why = f"{matches} people have this name" if matches else "syncd knows nobody of this name"
    return RoleHolder(name=words, by=FilledBy.LINE, how="", unclear=why)
