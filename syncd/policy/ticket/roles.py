"""Tell on the ticket when another person has a role than its description or the last comment says.

The description names who fills each role at the create; what people change later is one comment about all
roles. A role that the mapping does not name is not told. Nor is what the mapping alone changed, and nothing
once the incident is over: the ticket's row follows without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256

from syncd.domain.base import JsonValue
from syncd.domain.mail import address_print
from syncd.domain.operation import CommentOnTicket
from syncd.domain.operation.keys import comment_key
from syncd.domain.role import FilledBy, Role, RoleHolder
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.restricted import is_stub
from syncd.policy.roles import ROLES, people_spoke_at, role_holders, told_by, told_ids

TIME_TO_FINISH = timedelta(minutes=2)
"""The time after the newest line or acknowledgement in which people name the next: it is one comment."""
_PEOPLES = (FilledBy.LINE, FilledBy.ACKNOWLEDGED)


def agreed_roles(holders: Mapping[Role, RoleHolder], book: Rulebook) -> JsonValue:
    """Return the form of the holders that the ticket's row keeps: ids and hashes, by role of the mapping.

    A role that nobody has is None, so that the row tells which roles the mapping named.
    """
    known = book.mapping.roles_of(book.section)
    return {str(role): _told(holders[role]) if role in holders else None for role in known}


def decide_roles(case: Case, book: Rulebook) -> Decision:
    """Return one comment about all roles whose holder people changed, or when to look again."""
    ticket, roles = case.ticket, book.mapping.roles_of(book.section)
    if ticket is None or not ticket.in_sight or not roles or case.before_enforcement or is_stub(case):
        return Decision()
    holders, told = role_holders(case, book), ticket.agreed.get(ROLES)
    now = agreed_roles(holders, book)
    # A ticket that syncd did not write, or filled later, tells what it tells.
    if not isinstance(told, dict) or not isinstance(now, dict):
        return Decision(agreed={ROLES: now}) if case.incident.open else Decision()
    if now == told:
        return Decision()
    changed = [role for role in roles if role in told and _people_changed(told[role], now[role])]
    # A comment on a restricted ticket names nobody: it would say nothing.
    if not changed or not case.incident.open or case.restricted:
        return Decision(agreed={ROLES: now})
    spoke = people_spoke_at(case, book)
    if spoke is not None and case.now is not None and case.now < spoke + TIME_TO_FINISH:
        return Decision(again=(spoke + TIME_TO_FINISH - case.now).total_seconds())
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
        subject="roles changed",
        text="",
        value=". ".join(words) + ".",
        reason=f"another person has a role: {', '.join(role.words for role in changed)}",
    )
    return Decision(operations=(comment,), agreed={ROLES: now})


def _words(holder: RoleHolder | None) -> str:
    if holder is None:
        return "nobody"
    return f"{holder.name} ({'; '.join(filter(None, (holder.how, holder.unclear)))})"


def _people_changed(told: JsonValue, now: JsonValue) -> bool:
    """Return True if another person has the role, by a line, its withdrawal, or the acknowledgement."""
    same = told == now or not set(told_ids(told)).isdisjoint(told_ids(now))
    return not same and (told_by(now) in _PEOPLES or told_by(told) == FilledBy.LINE)


def _told(holder: RoleHolder) -> JsonValue:
    return {"by": str(holder.by), "ids": _ids(holder)}


def _ids(holder: RoleHolder) -> list[JsonValue]:
    if holder.unclear:
        return [f"text:{address_print(holder.name)}"]
    ids = [f"user:{holder.user}"] if holder.user else []
    ids += [f"account:{holder.account}"] if holder.account else []
    ids += [f"address:{address_print(holder.address)}"] if holder.address else []
    return [*ids]
