"""Tell when an update is owed, remind of it in the team's channel, and measure the gaps between updates.

QRPay runbook, "Incident Lifecycle", 5: updates every 15 minutes. Ramen runbook, "Comms templates": within 15
minutes, then hourly. An owed update is no duty. Any person's note, comment or status update counts, by the
service's time, so the measured gaps are the same whenever syncd looks. PagerDuty lists status updates
nowhere: before its webhook has told of one, syncd cannot know of them and reminds nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from syncd.domain.base import UtcTime, Value
from syncd.domain.mapping.communications import Communications
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation.chat import OwedUpdatePost
from syncd.domain.role import Role
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.lines import texts_of_people
from syncd.policy.notify.chat import LATER_STEP, owed_update_post, post_all
from syncd.policy.postmortem.owed import severity_periods_of
from syncd.policy.postmortem.timeline import windows_of
from syncd.policy.roles import role_holders
from syncd.policy.severity import decide_severity
from syncd.policy.time.working_time import seconds_until

REMINDERS = 2
"""Reminders in a row; then only a person's update begins them anew."""
UNHEARD = (
    "a reminder of an owed update waits for PagerDuty's webhook: it must send"
    " incident.status_update_published, and syncd has not received one yet"
)
_AWAKE = ("unacknowledged", "acknowledged", "triggered", "resolved")
"""The changes that end a snooze: it ran out, or somebody went on with the incident."""


class Cadence(Value):
    """The updates of an incident as recorded.

    `longest` is the longest gap in seconds. `of` counts the gaps in which an update was owed or came,
    `on_time` those that ended in time. `next_at` is when the next update is owed, None while none is.
    """

    last_at: UtcTime | None = None
    next_at: UtcTime | None = None
    longest: int = 0
    on_time: int = 0
    of: int = 0


class _Stretch(Value):
    """A time in which updates were owed; `until` is None if it lasts."""

    since: UtcTime
    until: UtcTime | None = None


def cadence_of(case: Case, book: Rulebook) -> Cadence | None:
    """Return the updates of an incident, None where its severity owes none or its times are not known."""
    owed, stretches = _owed(case, book), _stretches(case, book)
    if owed is None or not stretches or case.restricted:
        return None
    updates = _updates(case)
    longest, on_time, of = 0.0, 0, 0
    for stretch in stretches:
        inside = [at for at in updates if _within(stretch, at)]
        for number, (before, after) in enumerate(pairwise((stretch.since, *inside))):
            gap = (after - before).total_seconds()
            longest, of = max(longest, gap), of + 1
            on_time += gap <= _allowed(owed, first=number == 0)
        if stretch.until is not None:
            # the end of the incident ends the last gap; it counts only where an update was owed in it
            gap = (stretch.until - (inside or [stretch.since])[-1]).total_seconds()
            longest, of = max(longest, gap), of + (gap > _allowed(owed, first=not inside))
    last = stretches[-1]
    inside = [at for at in updates if _within(last, at)]
    base = inside[-1] if inside else last.since
    next_at = base + timedelta(seconds=_allowed(owed, first=not inside)) if last.until is None else None
    return Cadence(
        last_at=updates[-1] if updates else None,
        next_at=next_at,
        longest=int(longest),
        on_time=on_time,
        of=of,
    )


def decide_owed_updates(case: Case, book: Rulebook) -> Decision:
    """Return the reminder of an update that is owed now, and when to look again."""
    # the gaps of a resolved incident are measured by its log, once
    if not case.incident.open and case.state_changes is None and _is_measured(case, book):
        return Decision(look=frozenset({"log"}))
    # without a channel nobody is reminded, so nothing is waited for either
    if book.mapping.chat.mode is Mode.OFF or not book.mapping.chat.channel:
        return Decision()
    owed, now, cadence = _owed(case, book), case.now, cadence_of(case, book)
    if owed is None or now is None or cadence is None or cadence.next_at is None or case.before_enforcement:
        return Decision()
    every = timedelta(minutes=owed.every_minutes)
    moments = [cadence.next_at + every * number for number in range(REMINDERS)]
    due = [moment for moment in moments if moment <= now]
    again = seconds_until(moments, now)
    if not due:
        return Decision(again=again)
    # the log tells if somebody snoozed it, before anybody is reminded; nothing else waits for that
    if case.state_changes is None:
        return Decision(again=60.0) if "log" in case.refused_looks else Decision(look=frozenset({"log"}))
    since, who = max(cadence.last_at or _begun(case), _begun(case)), _who(case, book)
    posts = [owed_update_post(case, book, OwedUpdatePost(since=since, who=who), at) for at in due]
    later = {post.key for post in posts[:-1]} - case.sent.keys()
    posts = [post.model_copy(update={"skip": LATER_STEP}) if post.key in later else post for post in posts]
    decision = post_all(case, book, posts)
    if decision.operations and not case.hears_status_updates:
        decision = Decision(dry_run_notes=(UNHEARD,))
    return decision.plus(Decision(again=again))


def _is_measured(case: Case, book: Rulebook) -> bool:
    left = case.restricted or case.before_enforcement or "log" in case.refused_looks
    return _owed(case, book) is not None and not left


def _who(case: Case, book: Rulebook) -> str:
    holders = role_holders(case, book)
    holder = holders.get(Role.COMMUNICATIONS_LEAD) or holders.get(Role.COMMANDER)
    return holder.name if holder is not None else ""


def _owed(case: Case, book: Rulebook) -> Communications | None:
    if case.incident.merged_into is not None:
        return None
    return decide_severity(case.incident, book.mapping, book.section).section.communications


def _allowed(owed: Communications, *, first: bool) -> float:
    return 60 * (owed.first_minutes if first else owed.every_minutes)


def _updates(case: Case) -> Sequence[datetime]:
    return sorted({*(text.at for text in texts_of_people(case)), *case.status_updates})


def _begun(case: Case) -> datetime:
    opened = [change.at for change in case.state_changes or () if change.kind == "reopened"]
    return max(opened, default=case.incident.created_at)


def _within(stretch: _Stretch, at: datetime) -> bool:
    return stretch.since < at and (stretch.until is None or at <= stretch.until)


def _stretches(case: Case, book: Rulebook) -> list[_Stretch]:
    """Return the times in which updates were owed, oldest first: open, not snoozed, under the rules."""
    if case.state_changes is None and not case.incident.open:
        return []
    begins = max(book.mapping.enforced_since, _reached(case, book))
    stretches = []
    for window in windows_of(case.state_changes or (), case.incident):
        for since, until in _awake(case, window.since, window.until):
            since = max(since, begins)
            if until is None or since < until:
                stretches.append(_Stretch(since=since, until=until))
    return stretches


def _reached(case: Case, book: Rulebook) -> datetime:
    """Return when the incident first had a severity that owes updates."""
    severities = book.mapping.severities
    periods = [
        period.since
        for period in severity_periods_of(case, book)
        if severities[period.severity].communications is not None
    ]
    return min(periods, default=case.incident.created_at)


def _awake(case: Case, since: datetime, until: datetime | None) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield the parts of an open time in which nobody had snoozed the incident."""
    asleep = False
    for change in case.state_changes or ():
        if change.at < since or (until is not None and change.at >= until):
            continue
        if change.kind == "snoozed" and not asleep:
            yield since, change.at
            asleep = True
        elif asleep and change.kind in _AWAKE:
            since, asleep = change.at, False
    if not asleep:
        yield since, until
