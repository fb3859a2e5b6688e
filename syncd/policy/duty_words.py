"""The words for the state of a duty, its owner or its issue, which all outputs share.

`syncd show`, comments, mails and reports say each of these facts by the same function, so that a reader finds
the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.duty import DutyKind, Waiver
from syncd.domain.history import Leave
from syncd.domain.text import ordinal
from syncd.policy.time.time_words import at_words

NO_OWNER = "no owner"
OWNER_LEFT = "its owner has left"
NO_PERSON = "its owner is no person"
BY_RULE = "assigned by rule, not taken"
UNOWNED = (NO_OWNER, OWNER_LEFT, NO_PERSON, BY_RULE)
"""The troubles with the owner of an action item; at most one of them at a time."""
SEEN_AGAIN = "syncd could not see it at its deadline, and took the breach back when it saw it again"
"""The reason of a duty whose breach rested on an issue that syncd could not see."""
NOTHING_OWED = "no severity owes a postmortem, so syncd makes none and its deadlines never run"
"""The remark of commands on a mapping in which nothing asks for a postmortem."""
NOBODY_ASKED = "mode report: nobody is asked"
"""The remark of all outputs on a duty whose section of the mapping is in mode `report`."""
SUBJECTS = {
    DutyKind.SCHEDULED: "Postmortem scheduled",
    DutyKind.COMPLETED: "Postmortem completed",
    DutyKind.OWNED: "Action item has an owner",
    DutyKind.DONE: "Action item done",
    DutyKind.HELD: "Exercise or review held",
    DutyKind.FILED: "Regulatory filing made",
}
"""The demand of each kind of duty."""


def with_mode(words: str, asked: bool) -> str:
    """Return the words about a duty that still runs; unless people are asked for it, they say so."""
    return words if asked else f"{words} ({NOBODY_ASKED})"


def out_of_sight(key: str, deleted_by: str | None, moved_by: str | None = None) -> str:
    """Return the sentence about an issue that syncd cannot see.

    `deleted_by` and `moved_by` are who did that, empty if Jira's event does not tell, None without an event.
    """
    why = "was it moved, restricted or deleted?"
    if moved_by is not None:
        why = f"{moved_by or 'somebody'} moved it to another project."
    if deleted_by is not None:
        why = f"{deleted_by or 'somebody'} deleted it."
    return f"syncd cannot see {key}; {why}"


def left_words(leave: Leave, zone: str = "UTC") -> str:
    """Return when an owner left: Jira does not tell that, so it was between two looks of syncd."""
    by = at_words(leave.by, zone)
    if leave.after is None:
        return f"had left by {by}"
    return f"left between {at_words(leave.after, zone)} and {by}"


def owner_note(wrong: Iterable[str], leave: Leave | None, zone: str = "UTC") -> str | None:
    """Return what is wrong with an owner: left, assigned by rule, none at all; None if nothing is.

    `wrong` is what is wrong with the action item, `leave` when its owner left.
    """
    if leave is not None and leave.back is None:
        return left_words(leave, zone)
    return next((words for words in wrong if words in UNOWNED), None)


def owner_words(name: str | None, note: str | None) -> str:
    """Return an owner with what is wrong, as in `Farid Rahimi (assigned by rule, not taken)`."""
    if not name or note == NO_OWNER:
        return "nobody"
    return f"{name} ({note})" if note else name


def waived(waiver: Waiver, which: int = 1, zone: str = "UTC") -> str:
    """Return a waiver; `which` counts the waivers of the same duty from 1."""
    words = (
        f"Waived until {at_words(waiver.end, zone)} by {waiver.by}, for the {ordinal(which)} time,"
        f" given {at_words(waiver.at, zone)}: {waiver.reason}"
    )
    if waiver.ended_at is not None:
        words = f"{words} (ended early by {waiver.ended_by or 'somebody'})"
    return f"{words} (rebuilt from syncd's comment: an earlier ledger was lost)" if waiver.rebuilt else words


def taken_back(
    reason: str,
    by: str | None,
    at: datetime | None,
    claimed_met_at: datetime | None = None,
    zone: str = "UTC",
) -> str:
    """Return a correction: when and by whom a breach was taken back, why, and what is owed since.

    `claimed_met_at` is when the duty was met by the approver's word, None if it is owed anew.
    """
    when = f" {at_words(at, zone)}" if at else ""
    who = f" by {by}" if by else ""
    then = "it is owed anew, with a new deadline"
    if claimed_met_at is not None:
        then = f"by their word it was met {at_words(claimed_met_at, zone)}, and nothing more is owed"
    return f"Breach taken back{when}{who}: {reason}; {then}"


def overridden(by: str, at: datetime, missing: str, zone: str = "UTC") -> str:
    """Return an override of the close gate: who closed the ticket again, when, and what was missing."""
    return f"Close gate overridden by {by} {at_words(at, zone)}: closed again; still missing: {missing}"


def nth_of(waiver: Waiver, waivers: Iterable[Waiver]) -> int:
    """Return which waiver of its duty a waiver is, counted from 1; `waivers` are all of its incident."""
    same = (
        other
        for other in waivers
        if other.subject == waiver.subject
        and (waiver.duty is None or other.duty in (None, waiver.duty))
        and other.at < waiver.at
    )
    return 1 + len(list(same))
