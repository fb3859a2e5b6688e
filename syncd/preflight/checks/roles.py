"""Checks for roles: their schedules in PagerDuty, who is on them for the next four weeks, and the gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.domain.directory import Schedule, Shift
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.role import Role
from syncd.preflight.checks.finding import Finding, ok, wrong
from syncd.preflight.checks.sight import Sight

AHEAD = timedelta(weeks=4)
SHORTEST_GAP = timedelta(minutes=1)
"""PagerDuty's times are cut to seconds."""
SHOWN = 8
"""So many shifts and gaps of a schedule are shown at most."""


def role_schedules(sight: Sight) -> Iterator[Finding]:
    """Check that PagerDuty has the schedules of the mappings' roles, and tell who is on each."""
    for mapping in sight.mappings:
        for name, roles in _schedules(mapping).items():
            where = f"{mapping.team}, schedule {name}"
            schedule = _named(sight, name)
            if schedule is None:
                message = "PagerDuty shows our token no schedule with this name or id"
                hint = "name an existing schedule; without it, a role's `address` or nobody has the role"
                yield wrong("PD09", where, message, hint)
                continue
            shifts = sight.shifts(schedule.id, AHEAD)
            words = " and ".join(role.words for role in roles)
            hint = f"whom it names is {words}; change it in PagerDuty, if that is wrong"
            yield ok("PD09", where, f"for four weeks: {_told(shifts, mapping.zone)}", hint)
            gaps = _gaps(shifts, sight.now, sight.now + AHEAD)
            if gaps:
                hint = "add somebody in PagerDuty, or give the role an `address` in the mapping"
                yield ok("PD09", where, f"nobody is on it {_told(gaps, mapping.zone)}", hint)


def _named(sight: Sight, name: str) -> Schedule | None:
    schedules = sight.schedules.values()
    return next((schedule for schedule in schedules if name in (schedule.id, schedule.name)), None)


def _schedules(mapping: Mapping) -> dict[str, list[Role]]:
    """Return the schedules of a mapping's roles, each with its roles."""
    schedules: dict[str, list[Role]] = {}
    for service in mapping.services.values():
        for role, section in mapping.roles_of(service).items():
            if section.schedule and role not in schedules.setdefault(section.schedule, []):
                schedules[section.schedule].append(role)
    return schedules


def _gaps(shifts: Sequence[Shift], since: datetime, until: datetime) -> list[Shift]:
    """Return the times in which nobody is on a schedule, as shifts of no person."""
    gaps = []
    for shift in sorted(shifts, key=lambda shift: shift.start):
        gaps.append(Shift(start=since, end=shift.start, person=""))
        since = max(since, shift.end)
    gaps.append(Shift(start=since, end=until, person=""))
    return [gap for gap in gaps if gap.end - gap.start >= SHORTEST_GAP]


def _told(shifts: Sequence[Shift], zone: str) -> str:
    def at(moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo(zone)):%d %b %H:%M}"

    told = [f"{shift.person} from {at(shift.start)} to {at(shift.end)}".strip() for shift in shifts[:SHOWN]]
    more = len(shifts) - SHOWN
    return ", ".join([*told, *([f"and {more} more"] if more > 0 else [])]) or "nobody"
