"""Collect the recipients and the lines of a team's digest from the duties that the ledger knows.

A duty that was missed before `enforce_from` is no line. On which days a duty is a line and a reason for a
digest is a rule of `syncd.policy.notify.digests`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from syncd.domain.duty import OWED, Duty, DutyState
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.recurring import recurring_of
from syncd.engine.context import EngineContext
from syncd.engine.notify.duty_line import line_of, section_of
from syncd.ledger.views.postmortems import OwingIncident, owing
from syncd.policy.notify.digests import is_due, is_named
from syncd.policy.notify.recipients import Recipient, can_be_acted_on, owners_of, told_of
from syncd.policy.notify.reminders import missed_at
from syncd.policy.rules_in_force import held_mapping
from syncd.policy.ticket.before_enforcement import was_over_before
from syncd.report.mail.letters import Line


def recipients(context: EngineContext, mapping: Mapping, at: datetime) -> list[str]:
    """Return the addresses of the owners who get a digest at this time: one of their lines is due."""
    addresses: dict[str, str] = {}
    for _owing_incident, duty, owner in _owed(context, mapping):
        if is_due(duty, mapping, at):
            addresses.setdefault(owner.address.casefold(), owner.address)
    return sorted(addresses.values())


def lines_for(context: EngineContext, mapping: Mapping, address: str, at: datetime) -> tuple[Line, ...]:
    """Return the lines of an owner's digest, the longest overdue first."""
    lines: list[tuple[datetime, Line]] = []
    for owing_incident, duty, owner in _owed(context, mapping):
        if owner.address.casefold() != address.casefold() or not is_named(duty, mapping, at):
            continue
        section = section_of(mapping, owing_incident.case.incident)
        line = line_of(owing_incident, mapping, section, duty, owner.why, owner=True)
        if line is not None:
            lines.append((duty.due_at, line))
    return tuple(line for _due, line in sorted(lines, key=lambda dated: dated[0]))


def _owed(context: EngineContext, mapping: Mapping) -> Iterator[tuple[OwingIncident, Duty, Recipient]]:
    """Yield the duties that the team's people are told of, each with its incident and owner."""
    for owing_incident in owing(context.ledger, mapping.team, context.clock.now()):
        case = owing_incident.case
        # the first day disturbs nobody
        if was_over_before(case.incident, mapping):
            continue
        name = recurring_of(case.incident.id)
        entry = mapping.recurring.get(name.name) if name is not None else None
        if name is not None and (entry is None or entry.mode is not Mode.ENFORCE):
            continue
        section = section_of(mapping, case.incident)
        for duty in case.latest_duties():
            if duty.state is DutyState.BREACHED and missed_at(case, duty, mapping) < mapping.enforced_since:
                continue
            # nobody can act on an issue that syncd cannot see; its owner was asked by a mail
            if duty.unseen or not can_be_acted_on(case, duty):
                continue
            if duty.state not in OWED or not told_of(duty, held_mapping(case, mapping)):
                continue
            for owner in owners_of(case, duty, mapping, section):
                yield owing_incident, duty, owner
