"""Who and when a cell of the follow-up table means: a mention, an address or a name, and a date.

Only what can mean one person or one day is taken; anything else stays text.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of, nobodies_of
from syncd.policy.case import Rulebook

_MENTION = re.compile(r"\[~(?:accountid:)?([^\]|]+)\]")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_LINK = re.compile(r"\[([^\]|~^#]+)\|[^\]]+\]")
_EMPHASIS = re.compile(r"(?<!\w)([*_+])(\S(?:[^*_+]*\S)?)\1(?!\w)")
_MARKUP = re.compile(r"[*_{}\[\]|]|^@")
_DAYS = ("%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d/%b/%Y")
"""Spellings of a day that mean one day everywhere; 12/05/2026 means two and is left."""
_ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th)\b", re.IGNORECASE)


def plain(cell: str) -> str:
    """A cell without what is markup in wiki text: emphasis, and links as their words."""
    words = _LINK.sub(lambda found: found.group(1), cell)
    return " ".join(_EMPHASIS.sub(lambda found: found.group(2), words).split())


def owner_in(context: EngineContext, cell: str, book: Rulebook) -> Account | None:
    """Given a cell, return the one assignable person whom it means; raises `RemoteError`."""
    nobodies = nobodies_of(context, book.mapping)
    mention = _MENTION.search(cell)
    if mention is not None:
        account_id = mention.group(1).strip()
        return Account(id=account_id) if account_id not in nobodies else None
    address = _ADDRESS.search(cell)
    if address is not None:
        return account_of(context, address.group(), book)
    name = " ".join(_MARKUP.sub(" ", cell).split())
    if len(name) < 2:
        return None
    people = [
        account
        for account in context.services.jira.assignable(name, book.project.key)
        if account.active and account.human and account.id not in nobodies
    ]
    chosen = [account for account in people if account.name.casefold() == name.casefold()] or people
    return chosen[0] if len(chosen) == 1 else None


def date_in(cell: str) -> date | None:
    """Given a cell, return the one day that it means."""
    iso = _ISO.findall(cell)
    if len(set(iso)) == 1:
        try:
            return date.fromisoformat(iso[0])
        except ValueError:
            return None
    text = " ".join(_ORDINAL.sub("", _MARKUP.sub(" ", cell)).replace(",", " ").split())
    for spelling in _DAYS:
        try:
            # a day has no zone
            return datetime.strptime(text, spelling).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None
