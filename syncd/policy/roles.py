"""Tell who fills the roles of an incident.

QRPay runbook, "Roles"; Ramen runbook, "On-call rotation". In order: whom a person's line names, for the
commander who acknowledged first, who was on the role's schedule at the trigger, the mapping's address.
"""

from __future__ import annotations

from datetime import datetime

from syncd.domain.base import JsonValue
from syncd.domain.incident import Responder
from syncd.domain.mapping.services import RoleSection
from syncd.domain.role import FilledBy, Role, RoleHolder
from syncd.policy.case import Case, Rulebook
from syncd.policy.lines import PersonLine, lines_of

ROLES = "roles"
"""The aspect of a ticket that tells who has which role: how they got it and their ids, by role."""
LONGEST_NAME = 100
"""Characters of a line that are looked up as a name."""
_KEYWORDS = {
    **{role.value.replace("_", " "): role for role in Role},
    **{role.words: role for role in Role},
    "ic": Role.COMMANDER,
    "comms lead": Role.COMMUNICATIONS_LEAD,
    "sme": Role.EXPERT,
}
"""The keywords of a line that names the holder of a role; a hyphen or an underscore counts as a space."""


def role_holders(case: Case, book: Rulebook) -> dict[Role, RoleHolder]:
    """Return who fills each role, in the order of the mapping; a role that nobody fills is missing.

    The commander is told, too, where the mapping does not name the role: somebody may have acknowledged.
    """
    sections, lines, holders = book.mapping.roles_of(book.section), _lines(case, book), {}
    for role in (*sections, *({Role.COMMANDER} - sections.keys())):
        if role in lines:
            holder: RoleHolder | None = _named(case, lines[role])
        else:
            holder = _unnamed(case, role, sections.get(role, RoleSection()))
        if holder is not None:
            holders[role] = holder
    return holders


def _lines(case: Case, book: Rulebook) -> dict[Role, PersonLine]:
    """Return the latest line about each role; one without a name takes the earlier ones back."""
    return {role: line for role, line in _latest_lines(case, book).items() if line.rest}


def people_spoke_at(case: Case, book: Rulebook) -> datetime | None:
    """Return when people last named holders of roles or first acknowledged (UTC); None: they never did."""
    moments = [line.at for line in _latest_lines(case, book).values()]
    acknowledged = case.roles.acknowledged_at
    return max([*moments, acknowledged] if acknowledged else moments, default=None)


def _latest_lines(case: Case, book: Rulebook) -> dict[Role, PersonLine]:
    known = {*book.mapping.roles_of(book.section), Role.COMMANDER}
    latest: dict[Role, PersonLine] = {}
    for line in lines_of(case):
        role = _KEYWORDS.get(" ".join(line.keyword.replace("_", " ").replace("-", " ").split()))
        # "escalation: we called the provider" names nobody where the mapping has no such role
        if role in known:
            latest[role] = line
    return latest


def names_to_look_up(case: Case, book: Rulebook) -> tuple[str, ...]:
    """Return the words that name holders of roles and that syncd has not looked up yet."""
    words = dict.fromkeys(_name(line) for line in _lines(case, book).values())
    return tuple(word for word in words if word not in case.roles.named)


def _name(line: PersonLine) -> str:
    return line.rest[:LONGEST_NAME]


def schedules_to_read(case: Case, book: Rulebook) -> tuple[str, ...]:
    """Return the schedules of roles of which syncd has not read who was on them at the trigger."""
    # A role matters while people work on the incident, and on the ticket's first description.
    if case.before_enforcement or (not case.incident.open and case.ticket is not None):
        return ()
    names = (section.schedule for section in book.mapping.roles_of(book.section).values())
    return tuple(name for name in dict.fromkeys(names) if name and name not in case.roles.on_call)


def _named(case: Case, line: PersonLine) -> RoleHolder:
    how = f"named by {line.author.name or line.author.id}"
    holder = case.roles.named.get(_name(line))
    if holder is None:
        unclear = "syncd has not found out yet whom that means"
        holder = RoleHolder(name=_name(line), by=FilledBy.LINE, how=how, unclear=unclear)
    return holder.model_copy(update={"how": how, "line": f"{line.source}:{line.id}"})


def _unnamed(case: Case, role: Role, section: RoleSection) -> RoleHolder | None:
    acknowledged = case.roles.acknowledged
    if role is Role.COMMANDER and acknowledged is not None:
        return _responder(_addressed(case, acknowledged), FilledBy.ACKNOWLEDGED, "acknowledged first")
    on_call = case.roles.on_call.get(section.schedule or "")
    if on_call:
        return _on_schedule(on_call[0], section.schedule or "")
    # A holder stays where the mapping names another schedule later, of which nobody is known.
    if section.schedule or not case.incident.open:
        for name, people in case.roles.on_call.items():
            if people and f"user:{people[0].id}" in _told_on_schedule(case, role):
                return _on_schedule(people[0], name)
    if section.address is None:
        return None
    address = section.address
    return RoleHolder(name=address, by=FilledBy.MAPPING, how="by the mapping", address=address)


def _told_on_schedule(case: Case, role: Role) -> tuple[str, ...]:
    """Return the ids of the role's holder if the ticket tells that a schedule gave them the role."""
    told = case.ticket.agreed.get(ROLES) if case.ticket else None
    holder: JsonValue = told.get(role) if isinstance(told, dict) else None
    return told_ids(holder) if told_by(holder) == FilledBy.SCHEDULE else ()


def told_by(holder: JsonValue) -> str | None:
    """Return how a holder whom the ticket tells got the role; None where it tells nobody."""
    by = holder.get("by") if isinstance(holder, dict) else None
    return by if isinstance(by, str) else None


def told_ids(holder: JsonValue) -> tuple[str, ...]:
    """Return the ids of a holder whom the ticket tells."""
    ids = holder.get("ids") if isinstance(holder, dict) else None
    return tuple(map(str, ids)) if isinstance(ids, list) else ()


def _on_schedule(person: Responder, schedule: str) -> RoleHolder:
    return _responder(person, FilledBy.SCHEDULE, f"on {schedule} at the trigger")


def _addressed(case: Case, person: Responder) -> Responder:
    """Return the person with their address, which PagerDuty's log does not tell."""
    on_call = (user for users in case.roles.on_call.values() for user in users)
    seen = (user for user in (*case.incident.assignees, *on_call) if user.id == person.id and user.email)
    return next(seen, person)


def _responder(person: Responder, by: FilledBy, how: str) -> RoleHolder:
    name = person.name or person.email or person.id
    return RoleHolder(name=name, by=by, how=how, user=person.id, address=person.email)
