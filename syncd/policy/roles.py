"""Tell who fills the roles of an incident.

QRPay runbook, "Roles"; Ramen runbook, "On-call rotation". In order: whom a person's line names, for the
commander who acknowledged first, who was on the role's schedule at the trigger, the mapping's address.
"""

from __future__ import annotations

from syncd.domain.incident import Responder
from syncd.domain.mapping.services import RoleSection
from syncd.domain.role import FilledBy, Role, RoleHolder
from syncd.policy.case import Case, Rulebook


def role_holders(case: Case, book: Rulebook) -> dict[Role, RoleHolder]:
    """Return who fills each role, in the order of the mapping; a role that nobody fills is missing.

    The commander is told, too, where the mapping does not name the role: somebody may have acknowledged.
    """
    sections = book.mapping.roles_of(book.section)
    roles = dict.fromkeys((*sections, Role.COMMANDER))
    holders = {role: _holder(case, role, sections.get(role, RoleSection())) for role in roles}
    return {role: holder for role, holder in holders.items() if holder is not None}


def _holder(case: Case, role: Role, section: RoleSection) -> RoleHolder | None:
    acknowledged = case.roles.acknowledged
    if role is Role.COMMANDER and acknowledged is not None:
        return _responder(acknowledged, FilledBy.ACKNOWLEDGED, "acknowledged first")
    on_call = case.roles.on_call.get(section.schedule or "")
    if on_call:
        return _responder(on_call[0], FilledBy.SCHEDULE, f"on {section.schedule} at the trigger")
    if section.address is None:
        return None
    address = section.address
    return RoleHolder(name=address, by=FilledBy.MAPPING, how="by the mapping", address=address)


def _responder(person: Responder, by: FilledBy, how: str) -> RoleHolder:
    name = person.name or person.email or person.id
    return RoleHolder(name=name, by=by, how=how, user=person.id, address=person.email)
