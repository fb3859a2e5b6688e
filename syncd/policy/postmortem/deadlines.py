"""Find when a duty is due: after waivers, after a correction, and from when it is due soon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from syncd.domain.duty import AFTER_A_WAIVER, Duty, Waiver
from syncd.policy.case import Rulebook


def moved_deadline(
    due: datetime, waivers: Iterable[Waiver], fulfilled_at: Callable[[datetime], bool]
) -> datetime:
    """Return the deadline as waivers move it, oldest first.

    A duty that is unfulfilled at its deadline is due 24 hours after the waiver's end at the earliest. A duty
    that is fulfilled at its deadline keeps it.
    """
    for waiver in waivers:
        # A waiver that came after the deadline leaves a missed duty in the week in which it was missed.
        if waiver.at > due or fulfilled_at(due):
            break
        due = max(due, waiver.end + AFTER_A_WAIVER)
    return due


def due_after_correction(at: datetime, waivers: Iterable[Waiver]) -> datetime:
    """Return when a duty whose breach was taken back is due: 24 hours later, or at a running waiver's end."""
    return max([at + AFTER_A_WAIVER, *(waiver.end for waiver in waivers if waiver.runs(at))])


def soon_at(duty: Duty, book: Rulebook) -> datetime | None:
    """Return the moment at which the duty becomes due soon, None if the mapping has no reminders."""
    hours = max(book.mapping.postmortem.remind_hours, default=None)
    return None if hours is None else duty.due_at - timedelta(hours=hours)
