"""Read the owner from a cell of the follow-up table: a mention, an address or a name.

syncd takes only a cell that can mean one person; any other cell stays text.
"""

from __future__ import annotations

import re

from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.observe.accounts import account_of, nobodies_of
from syncd.policy.case import Rulebook

# each of them reads a character at most twice, also in a text that was written to be slow
_MENTION = re.compile(r"\[~(?:accountid:)?([^\[\]|]+)\]")
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(r"\[([^\[\]|~^#]+)\|[^\[\]]+\]")
_EMPHASIS = re.compile(r"(?<!\w)([*_+])(\S(?:[^*_+]*\S)?)\1(?!\w)")
_MARKUP = re.compile(r"[*_{}\[\]|]|^@")


def plain(cell: str) -> str:
    """Return a cell without wiki markup: no emphasis, links as their words."""
    words = _LINK.sub(lambda match: match.group(1), cell)
    return " ".join(_EMPHASIS.sub(lambda match: match.group(2), words).split())


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
    # Jira's user search matches prefixes: a single letter would match anybody
    if len(name) < 2:
        return None
    people = [
        account
        for account in context.services.jira.assignable(name, book.project.key)
        if account.active and account.human and not account.is_among(nobodies)
    ]
    chosen = [account for account in people if account.name.casefold() == name.casefold()] or people
    return chosen[0] if len(chosen) == 1 else None
