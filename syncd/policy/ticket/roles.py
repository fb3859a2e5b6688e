"""Tell on the ticket when another person has a role than its description or the last comment says.

The description names who fills each role at the create; a later change is one comment about all roles that
changed. A role that the mapping does not name is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from syncd.domain.base import JsonValue
from syncd.domain.mail import address_print
from syncd.domain.operation import CommentOnTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.role import Role, RoleHolder
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.restricted import is_stub
from syncd.policy.roles import role_holders

ROLES = "roles"
"""The aspect of a ticket that tells who has which role, and the subject of the comments about it."""


def agreed_roles(holders: Mapping[Role, RoleHolder], book: Rulebook) -> JsonValue:
    """Return the form of the holders that the ticket's row keeps: ids and hashes, by role of the mapping."""
    known = book.mapping.roles_of(book.section)
    return {str(role): _ids(holders[role]) for role in known if role in holders}


def decide_roles(case: Case, book: Rulebook) -> Decision:
    """Return one comment about all roles whose holder is another than the ticket tells."""
    ticket, roles = case.ticket, book.mapping.roles_of(book.section)
    if ticket is None or not ticket.in_sight or not roles or case.before_enforcement or is_stub(case):
        return Decision()
    holders, told = role_holders(case, book), ticket.agreed.get(ROLES)
    now = agreed_roles(holders, book)
    # A ticket that syncd did not write, or filled later, tells what it tells.
    if not isinstance(told, dict) or not isinstance(now, dict):
        return Decision(agreed={ROLES: now}) if case.incident.open else Decision()
    changed = [role for role in roles if not _same(told.get(role), now.get(role))]
    if not changed:
        return Decision()
    words = [
        f"{role.words.capitalize()}: {_words(holders.get(role))}"
        for role in roles
        if role in changed or role in holders
    ]
    prefix = comment_key(case.incident.id, ROLES)
    number = sum(key.startswith(f"{prefix}/") for key in case.once)
    print_ = sha256(repr(sorted(now.items())).encode()).hexdigest()[:12]
    comment = CommentOnTicket(
        key=f"{prefix}/{number}-{print_}",
        incident=case.incident.id,
        subject=ROLES,
        text="who has which role now.",
        value=". ".join(words) + ".",
        reason=f"another person has a role: {', '.join(role.words for role in changed)}",
    )
    return Decision(operations=(comment,), agreed={ROLES: now})


def _words(holder: RoleHolder | None) -> str:
    if holder is None:
        return "nobody"
    return f"{holder.name} ({'; '.join(filter(None, (holder.how, holder.unclear)))})"


def _same(told: JsonValue, now: JsonValue) -> bool:
    if not isinstance(told, list) or not isinstance(now, list):
        return told == now
    return not set(map(str, told)).isdisjoint(map(str, now))


def _ids(holder: RoleHolder) -> list[JsonValue]:
    if holder.unclear:
        return [f"text:{address_print(holder.name)}"]
    ids = [f"user:{holder.user}"] if holder.user else []
    ids += [f"account:{holder.account}"] if holder.account else []
    ids += [f"address:{address_print(holder.address)}"] if holder.address else []
    return [*ids]
