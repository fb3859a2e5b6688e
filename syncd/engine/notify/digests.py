"""The digest: what somebody owes, in one mail a working day, for five days, then weekly.

Lines are duties that are overdue, and those whose earlier reminder falls before the next digest: only the
last reminder before a deadline is a mail of its own (rules: "Who hears what"). What was missed before the
rules began is no line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.duty import OWED, Duty, DutyState
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import EngineContext
from syncd.engine.notify.duty_line import line_of, section_of
from syncd.ledger.views.postmortems import OwingIncident, owing
from syncd.policy.notify.recipients import Recipient, owner_of, told_of
from syncd.policy.notify.reminders import missed_at
from syncd.policy.rules_in_force import held_mapping
from syncd.policy.ticket.silence import was_over_before
from syncd.policy.time.working_time import at_local, is_working_day
from syncd.report.mail.letters import Line

DAILY = 5
"""Digests that name an overdue duty day after day; then every fifth, which is weekly."""


def digest_moment(mapping: Mapping, day: date) -> datetime | None:
    """When the digest of a local day leaves (UTC); None: it is no working day."""
    if not is_working_day(day, mapping.holidays):
        return None
    return at_local(day, mapping.mails.digest_at, mapping.zone)


def latest_moment(mapping: Mapping, now: datetime) -> datetime | None:
    """The moment of today's digest, in the team's zone, if it has come."""
    moment = digest_moment(mapping, now.astimezone(ZoneInfo(mapping.zone)).date())
    return moment if moment is not None and moment <= now else None


def recipients(context: EngineContext, mapping: Mapping, at: datetime) -> list[str]:
    """Who gets a digest at this moment: the owners for whom one of its lines is due."""
    found: dict[str, str] = {}
    for _owing_incident, duty, owner in _owed(context, mapping):
        if is_due(duty, mapping, at):
            found.setdefault(owner.address.casefold(), owner.address)
    return sorted(found.values())


def lines_for(context: EngineContext, mapping: Mapping, address: str, at: datetime) -> tuple[Line, ...]:
    """Everything that an owner's digest names, what is overdue longest first."""
    found: list[tuple[datetime, Line]] = []
    for owing_incident, duty, owner in _owed(context, mapping):
        if owner.address.casefold() != address.casefold() or not _named(duty, mapping, at):
            continue
        section = section_of(mapping, owing_incident.case.incident)
        line = line_of(owing_incident, mapping, section, duty, owner.why, owner=True)
        if line is not None:
            found.append((duty.due_at, line))
    return tuple(line for _due, line in sorted(found, key=lambda one: one[0]))


def is_due(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Whether a duty alone is reason enough for a digest at this moment."""
    if duty.state is not DutyState.BREACHED:
        return _soon(duty, mapping, at)
    number = _digests_since(duty.breached_at or duty.due_at, mapping, at)
    return 0 < number <= DAILY or (number > DAILY and (number - DAILY) % DAILY == 0)


def _named(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    return duty.state is DutyState.BREACHED or _soon(duty, mapping, at)


def _soon(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Whether a reminder before the last one falls before the next digest."""
    hours = sorted(mapping.postmortem.remind_hours)
    if len(hours) < 2 or duty.due_at <= at:
        return False
    return duty.due_at - timedelta(hours=hours[-1]) < _next(mapping, at)


def _next(mapping: Mapping, at: datetime) -> datetime:
    day = at.astimezone(ZoneInfo(mapping.zone)).date()
    while True:
        day += timedelta(days=1)
        moment = digest_moment(mapping, day)
        if moment is not None:
            return moment


def _digests_since(since: datetime, mapping: Mapping, at: datetime) -> int:
    """How many digests there were from `since` up to and with the one at `at`."""
    day = since.astimezone(ZoneInfo(mapping.zone)).date()
    last = at.astimezone(ZoneInfo(mapping.zone)).date()
    count = 0
    while day <= last:
        moment = digest_moment(mapping, day)
        count += moment is not None and since < moment <= at
        day += timedelta(days=1)
    return count


def _owed(context: EngineContext, mapping: Mapping) -> Iterator[tuple[OwingIncident, Duty, Recipient]]:
    """What the team's people are told of, each with whose it is."""
    for owing_incident in owing(context.ledger, mapping.team, context.clock.now()):
        case = owing_incident.case
        if was_over_before(case.incident, mapping):
            continue
        section = section_of(mapping, case.incident)
        for duty in case.latest_duties():
            if duty.state is DutyState.BREACHED and missed_at(case, duty, mapping) < mapping.enforced_since:
                continue
            owner = owner_of(case, duty, mapping, section)
            if duty.state in OWED and owner is not None and told_of(duty, held_mapping(case, mapping)):
                yield owing_incident, duty, owner
