"""Find the Jira account of a PagerDuty responder by address: exactly one active, assignable person.

The ledger keeps an answer for a day. If an address matches no account, several accounts or an inactive one,
the mapping's fallback gets the ticket, and syncd creates the ticket all the same. Without the right "Browse
users" Jira answers a user search with an empty list, and it never returns hidden addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from syncd.domain.base import texts_by_name
from syncd.domain.incident import Incident, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.jira_knowledge.cache import Cache
from syncd.engine.runtime.troubles import LOOK_UP_PEOPLE, LOOK_UP_PERSON, READ_USERS
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.key_values import (
    account_known,
    addresses_of,
    forget_account,
    get_value,
    remember_account,
    set_value,
)
from syncd.policy.case import Rulebook
from syncd.remote.errors import Cause, RemoteError

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient

KEPT = timedelta(days=1)
_OURS = "jira.own_accounts"
_OUR_USERS = "pagerduty.own_users"
_ON_RECORD = "pagerduty.own_users on record"


def pick(
    email: str, matches: Collection[Account], nobodies: Container[str] = frozenset()
) -> tuple[Account | None, str]:
    """Return the one account that an address means beyond doubt, or None and why there is none.

    Where a person and an account of `nobodies` match alike, the person is meant.
    """
    candidates = [account for account in matches if account.active and account.human]
    people = [account for account in candidates if not account.is_among(nobodies)] or candidates
    exact = [account for account in people if (account.email or "").casefold() == email.casefold()]
    if len(exact) == 1:
        return exact[0], ""
    # a hidden address is no contradiction: Jira matched it and does not show it
    if not exact and len(people) == 1 and not people[0].email:
        return people[0], ""
    return None, "several people match" if people else "nobody assignable matches"


def person_key(email: str, book: Rulebook) -> tuple[str, str]:
    """Return the address and the project under which the ledger keeps a person's account."""
    return book.mapping.people.aliases.get(email, email).casefold(), book.project.key


def account_of(context: EngineContext, email: str, book: Rulebook) -> Account | None:
    """Given an address, return the person's account that can be assigned in the team's project, or None.

    A robot of the team and syncd itself are given no work. Raises `RemoteError` where Jira has to be asked
    and cannot.
    """
    account = look_up(context, email, book)
    return account if account is not None and account.id not in nobodies_of(context, book.mapping) else None


def look_up(context: EngineContext, email: str, book: Rulebook) -> Account | None:
    """As `account_of`, but a robot's account too."""
    email, project = key = person_key(email, book)
    at_hand = context.accounts.get(key)
    if at_hand is not None:
        return at_hand[0]
    with context.accounts.asking(key) as answered:
        if answered is not None:
            return answered[0]
        stored = account_known(context.ledger, email, project)
        if stored is not None and timedelta() <= context.clock.now() - stored[1] < KEPT:
            return context.accounts.keep(key, stored[0])
        return _ask(context, email, book)


def user_meant(jira: JiraClient, words: str) -> Account | None:
    """Return the one active user whom an address, an account id, a user name or a name means, or None.

    Other than an assignee, the user need not be assignable, and may be a robot. Raises `RemoteError`.
    """
    users = [user for user in jira.accounts_named(words) if user.active]
    folded = words.casefold()
    exact = [
        user
        for user in users
        if folded in {(user.email or "").casefold(), user.name.casefold(), user.id.casefold()}
    ]
    if len(exact) == 1:
        return exact[0]
    # Jira matched a hidden address and does not show it
    hidden = not exact and len(users) == 1 and "@" in words and not users[0].email
    return users[0] if hidden else None


def remember_ours(context: EngineContext, account: Account) -> None:
    """Store our own account beside those that syncd had before: the bot account may change.

    The former accounts are those on record, and those that the settings name. Raise `RemoteError`.
    """
    stored = get_value(context.ledger, _OURS)
    names = texts_by_name(stored.get("names"))
    before = our_accounts(context)
    if before and account.id not in before:
        others = ", ".join(names.get(account_id) or account_id for account_id in sorted(before))
        logger.warning("syncd's account in Jira has changed to {}; former: {}", account.name, others)
    accounts = [account, *(former_account(context, entry) for entry in context.former_accounts)]
    ours = {each.id: each.name for each in accounts}
    # a former account's writes must never count as a person's
    if not ours.keys() <= before or stored.get("present") != account.id:
        ids = sorted(before | ours.keys())
        set_value(context.ledger, _OURS, ids=ids, names={**names, **ours}, present=account.id)
        context.nobodies.clear()


def former_account(context: EngineContext, entry: str) -> Account:
    """Return the account that an entry of `SYNCD_FORMER_ACCOUNTS` means.

    If Jira knows no such account, the entry itself is its id: Jira forgets who had a closed account. Raise
    `RemoteError`.
    """
    known_by = texts_by_name(get_value(context.ledger, _OURS).get("names"))
    if entry in known_by:
        return Account(id=entry, name=known_by[entry])
    try:
        account = pick_former(entry, context.services.jira.accounts_named(entry))
    except RemoteError as error:
        # our account may not look people up
        if not error.not_for_us:
            raise
        account = None
    if account is None:
        logger.warning(
            "SYNCD_FORMER_ACCOUNTS: Jira names no single account for {}: give the account id"
            " (Data Center: the user name)",
            entry,
        )
    return account or Account(id=entry)


def pick_former(entry: str, matches: Collection[Account]) -> Account | None:
    """Return the one account that an entry means, open or closed, None where that is in doubt."""
    wanted = entry.casefold()
    exact = [
        account
        for account in matches
        if wanted in (account.id.casefold(), (account.email or "").casefold(), account.name.casefold())
    ]
    chosen = exact or list(matches)
    return chosen[0] if len(chosen) == 1 else None


def accounts_on_record(ledger: Transactions) -> dict[str, str]:
    """Return the names of the Jira accounts that syncd has and had, by account id."""
    stored = get_value(ledger, _OURS)
    ids, names = stored.get("ids"), texts_by_name(stored.get("names"))
    return {str(each): names.get(str(each), "") for each in ids} if isinstance(ids, list) else {}


def our_accounts(context: EngineContext) -> frozenset[str]:
    """Return the ids of the Jira accounts that syncd itself has and had."""
    at_hand = context.nobodies.get(_OURS)
    if at_hand is not None:
        return at_hand[0]
    return context.nobodies.keep(_OURS, frozenset(accounts_on_record(context.ledger)))


def our_users(context: EngineContext, *, patient: bool = True) -> frozenset[str]:
    """Return the ids of the PagerDuty users in whose names syncd writes and wrote.

    With `patient` raise `RemoteError` while PagerDuty as a whole may be down.
    """
    at_hand = context.nobodies.get(_OUR_USERS)
    if at_hand is not None:
        return at_hand[0]
    before = our_users_on_record(context)
    # a token that may not list users writes notes all the same
    sender = context.troubles.ask("PagerDuty", READ_USERS, context.services.pagerduty.sender, patient=patient)
    ours = before if sender is None else before | {sender.id}
    if ours != before:
        set_value(context.ledger, _OUR_USERS, ids=sorted(ours))
    return context.nobodies.keep(_OUR_USERS, ours)


class OnRecord(Protocol):
    """A ledger, and what was read from it a moment ago."""

    @property
    def ledger(self) -> Transactions:
        """The ledger."""
        ...

    @property
    def nobodies(self) -> Cache[str, frozenset[str]]:
        """The accounts that belong to no person."""
        ...


def our_users_on_record(context: OnRecord) -> frozenset[str]:
    """Return the same as `our_users` without a request, as far as the ledger has them."""
    at_hand = context.nobodies.get(_OUR_USERS) or context.nobodies.get(_ON_RECORD)
    if at_hand is not None:
        return at_hand[0]
    ids = get_value(context.ledger, _OUR_USERS).get("ids")
    return context.nobodies.keep(_ON_RECORD, frozenset(map(str, ids if isinstance(ids, list) else ())))


def nobodies_of(context: EngineContext, mapping: Mapping) -> frozenset[str]:
    """Return the accounts that belong to no person: ours, and the team's robots.

    They are ids, and addresses of robots whose account could not be looked up.
    """
    if not mapping.people.robots:
        return our_accounts(context)
    key = f"{mapping.team} {mapping.version}"
    at_hand = context.nobodies.get(key)
    if at_hand is not None:
        return at_hand[0]
    robots = [_robot(context, entry, mapping) for entry in mapping.people.robots]
    return context.nobodies.keep(key, our_accounts(context).union(robots))


def _robot(context: EngineContext, entry: str, mapping: Mapping) -> str:
    """Return the id of a robot's account, or its address while no account is known for it."""
    if "@" not in entry:
        return entry
    email = mapping.people.aliases.get(entry, entry).casefold()
    stored = account_known(context.ledger, email, mapping.jira.project)
    return stored[0].id if stored is not None and stored[0] is not None else email


def _ask(context: EngineContext, email: str, book: Rulebook) -> Account | None:
    project = book.project.key
    troubles = context.troubles
    # the ledger keeps no address here: `syncd forget` would not find it
    this_one = f"{LOOK_UP_PERSON} ({sha256(email.encode()).hexdigest()[:6]})"
    if troubles.is_waiting(project, LOOK_UP_PEOPLE) or troubles.is_waiting(project, this_one):
        return None
    try:
        people = context.services.jira.assignable(email, project)
    except RemoteError as error:
        # Jira may refuse this address alone; all else concerns every search
        if not troubles.failed(project, this_one if error.cause is Cause.REJECTED else LOOK_UP_PEOPLE, error):
            raise
        # syncd creates tickets all the same; the right may come any time
        return None
    troubles.over(project, LOOK_UP_PEOPLE)
    troubles.over(project, this_one)
    account, why = pick(email, people, nobodies_of(context, book.mapping))
    remember_account(context.ledger, email, project, account, why, context.clock.now())
    return context.accounts.keep((email, project), account)


def forget(context: EngineContext, account_id: str) -> None:
    """Forget an account that Jira refused as assignee, so that syncd looks it up again the next time."""
    context.accounts.clear()
    forget_account(context.ledger, account_id)


def people_of(
    context: EngineContext, incident: Incident, book: Rulebook
) -> tuple[dict[str, Account | None], Account | None]:
    """Return the Jira accounts of the incident's assignees, and the fallback if none of them has one."""
    people: dict[str, Account | None] = {}
    for person in incident.assignees:
        people[person.id] = account_of(context, person.email, book) if person.email else None
        if people[person.id] is not None:
            return people, None
    address = book.mapping.people.fallback
    return people, account_of(context, address, book) if address else None


def user_of(context: EngineContext, account: Account, book: Rulebook) -> Responder | None:
    """Return the PagerDuty user of a Jira account, None where syncd cannot tell.

    syncd searches by the address that Jira shows, by addresses that led to the account before, and by name.
    The user that it finds must lead back to the same account. Raise `RemoteError`.
    """
    stored = addresses_of(context.ledger, account.id)
    back = {jira_address.casefold(): address for address, jira_address in book.mapping.people.aliases.items()}
    for address in dict.fromkeys([*([account.email] if account.email else []), *stored]):
        user = context.services.pagerduty.find_user(back.get(address.casefold(), address))
        if user is not None and _leads_to(context, user, account, book):
            return user
    users = context.services.pagerduty.users()
    namesakes = [user for user in users if user.name.casefold() == account.name.casefold()]
    return next((user for user in namesakes if _leads_to(context, user, account, book)), None)


def _leads_to(context: EngineContext, user: Responder, account: Account, book: Rulebook) -> bool:
    other = account_of(context, user.email, book) if user.email else None
    return other is not None and other.id == account.id
