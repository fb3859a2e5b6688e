"""The digest: one mail each working day that lists an owner's duties, for five days, then weekly.

Its lines are overdue duties, and duties whose earlier reminder falls before the next digest: only the last
reminder before a deadline is a mail of its own. A duty that was missed before `enforce_from` is no line.
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
from syncd.policy.ticket.before_enforcement import was_over_before
from syncd.policy.time.working_time import at_local, is_working_day
from syncd.report.mail.letters import Line

DAILY = 5
"""The number of digests that name an overdue duty day after day; then each fifth does, which is weekly."""


def digest_moment(mapping: Mapping, day: date) -> datetime | None:
    """Return when the digest of a local day leaves (UTC), None for a day off."""
    if not is_working_day(day, mapping.holidays):
        return None
    return at_local(day, mapping.mails.digest_at, mapping.zone)


def latest_moment(mapping: Mapping, now: datetime) -> datetime | None:
    """Return the time of today's digest (UTC), None before it; today is a day in the team's zone."""
    moment = digest_moment(mapping, now.astimezone(ZoneInfo(mapping.zone)).date())
    return moment if moment is not None and moment <= now else None


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
        if owner.address.casefold() != address.casefold() or not _named(duty, mapping, at):
            continue
        section = section_of(mapping, owing_incident.case.incident)
        line = line_of(owing_incident, mapping, section, duty, owner.why, owner=True)
        if line is not None:
            lines.append((duty.due_at, line))
    return tuple(line for _due, line in sorted(lines, key=lambda dated: dated[0]))


def is_due(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Return True if a duty alone is a reason for a digest at this time."""
    if duty.state is not DutyState.BREACHED:
        return _soon(duty, mapping, at)
    number = _digests_since(duty.breached_at or duty.due_at, mapping, at)
    return 0 < number <= DAILY or (number > DAILY and (number - DAILY) % DAILY == 0)


def _named(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    return duty.state is DutyState.BREACHED or _soon(duty, mapping, at)


def _soon(duty: Duty, mapping: Mapping, at: datetime) -> bool:
    """Return True if a reminder other than the last one falls before the next digest."""
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
    """Return the number of digests after `since`, up to and with the one at `at`."""
    day = since.astimezone(ZoneInfo(mapping.zone)).date()
    last = at.astimezone(ZoneInfo(mapping.zone)).date()
    count = 0
    while day <= last:
        moment = digest_moment(mapping, day)
        count += moment is not None and since < moment <= at
        day += timedelta(days=1)
    return count


def _owed(context: EngineContext, mapping: Mapping) -> Iterator[tuple[OwingIncident, Duty, Recipient]]:
    """Yield the duties that the team's people are told of, each with its incident and owner."""
    for owing_incident in owing(context.ledger, mapping.team, context.clock.now()):
        case = owing_incident.case
        # the first day disturbs nobody
        if was_over_before(case.incident, mapping):
            continue
        section = section_of(mapping, case.incident)
        for duty in case.latest_duties():
            if duty.state is DutyState.BREACHED and missed_at(case, duty, mapping) < mapping.enforced_since:
                continue
            owner = owner_of(case, duty, mapping, section)
            if duty.state in OWED and owner is not None and told_of(duty, held_mapping(case, mapping)):
                yield owing_incident, duty, owner
