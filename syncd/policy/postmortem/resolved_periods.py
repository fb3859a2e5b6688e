"""When the clocks of a postmortem run: since when an incident owes one, and how long it was over at a time.

A clock starts at the later of the resolve and the moment when the incident first qualified. Reopened and
resolved again within 30 minutes, an incident was over all the while (rules: "The postmortem", the table).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Spell, Turn
from syncd.policy.case import Case, Rulebook
from syncd.policy.postmortem.owed import spells_of

FLEETING = timedelta(minutes=10)
"""A severity held for less counts only if it was held at a resolve (rules: "Severity")."""
BRIEFLY = timedelta(minutes=30)
"""For so long an incident may be open again without its deadline moving."""
LONG_OPEN = timedelta(days=7)
"""What is open for longer stands in the report: its clock has not begun."""


class Rest(Value):
    """A time in which an incident was over; `reopened_at` None: it still is.

    `doubtful_until` is set while it is open again, but may yet be resolved soon enough for that not to
    count.
    """

    resolved_at: UtcTime
    reopened_at: UtcTime | None = None
    doubtful_until: UtcTime | None = None


class Qualified(Value):
    """Since when an incident owes a postmortem (None: it owes none), and what makes it.

    `settles_at` is when a severity that is held now will have been held long enough to count.
    """

    since: UtcTime | None = None
    why: str = ""
    settles_at: UtcTime | None = None


def rests_of(turns: Iterable[Turn], now: datetime) -> tuple[Rest, ...]:
    """Given an incident's turns, return when it was over, oldest first."""
    rests: list[Rest] = []
    for turn in turns:
        last = rests[-1] if rests else None
        if turn.kind == "resolved":
            if last is not None and last.reopened_at is None:
                continue
            if last is not None and last.reopened_at and turn.at - last.reopened_at <= BRIEFLY:
                rests[-1] = last.model_copy(update={"reopened_at": None})
            else:
                rests.append(Rest(resolved_at=turn.at))
        elif turn.kind == "reopened" and last is not None and last.reopened_at is None:
            rests[-1] = last.model_copy(update={"reopened_at": turn.at})
    if rests and rests[-1].reopened_at is not None and now - rests[-1].reopened_at <= BRIEFLY:
        until = rests[-1].reopened_at + BRIEFLY
        rests[-1] = rests[-1].model_copy(update={"doubtful_until": until})
    return tuple(rests)


def enforced(rests: Iterable[Rest], book: Rulebook) -> tuple[Rest, ...]:
    """Those that began since the mapping's rules hold."""
    begins = datetime.combine(book.mapping.enforce_from, time(), UTC)
    return tuple(rest for rest in rests if rest.resolved_at >= begins)


def qualified(case: Case, book: Rulebook, rests: Sequence[Rest], now: datetime) -> Qualified:
    """Since when the incident owes a postmortem, by the mapping's `basis`.

    What was merged into it counts from the merge, so that the target owes what the worst of them owed.
    """
    if book.mapping.postmortem.basis == "final":
        own = _at_the_end(case, book)
    else:
        own = _at_the_peak(case, book, rests, now)
    merged = min((one for one in case.absorbed if one.owes), key=lambda one: one.merged_at, default=None)
    if merged is None or (own.since is not None and own.since <= merged.merged_at):
        return own
    why = f"incident #{merged.number}, {merged.severity}, was merged into it"
    return Qualified(since=merged.merged_at, why=why)


def _owing(case: Case, book: Rulebook) -> list[tuple[Spell, datetime | None]]:
    """The stretches in which its severity owed a postmortem, with their ends; None: it still does."""
    found: list[tuple[Spell, datetime | None]] = []
    for spell in spells_of(case, book):
        known = spell.severity in book.mapping.severities
        owes = known and book.mapping.owes_postmortem(spell.severity, book.section)
        going_on = bool(found) and found[-1][1] is None
        if owes and not going_on:
            found.append((spell, None))
        elif not owes and going_on:
            found[-1] = (found[-1][0], spell.since)
    return found


def might_owe(case: Case, book: Rulebook) -> bool:
    """Whether anything ever asked for a postmortem, held long enough or not."""
    return bool(_owing(case, book)) or any(one.owes for one in case.absorbed)


def _at_the_end(case: Case, book: Rulebook) -> Qualified:
    last = next(iter(_owing(case, book)[-1:]), None)
    if last is None or last[1] is not None:
        return Qualified()
    return Qualified(since=last[0].since, why=_why(last[0], book))


def _at_the_peak(case: Case, book: Rulebook, rests: Sequence[Rest], now: datetime) -> Qualified:
    for spell, end in _owing(case, book):
        held_until = end or now
        at_a_resolve = any(
            spell.since <= rest.resolved_at and (end is None or rest.resolved_at < end) for rest in rests
        )
        if held_until - spell.since >= FLEETING or at_a_resolve:
            return Qualified(since=spell.since, why=_why(spell, book))
        if end is None:
            return Qualified(settles_at=spell.since + FLEETING)
    return Qualified()


def _why(spell: Spell, book: Rulebook) -> str:
    if book.mapping.severities[spell.severity].postmortem:
        return f"{spell.severity} owes a postmortem"
    return "every incident of this service owes a postmortem"


def open_too_long(case: Case, book: Rulebook) -> timedelta | None:
    """How long an incident that would owe a postmortem has been open, where that is over a week.

    Its clock has not begun, and the report says so (rules: "The postmortem", the table).
    """
    if not case.incident.open or case.now is None or case.silent:
        return None
    opened = max(
        (turn.at for turn in case.turns or () if turn.kind == "reopened"), default=case.incident.created_at
    )
    lasts = case.now - opened
    owes = qualified(case, book, (), case.now).since is not None
    return lasts if owes and lasts > LONG_OPEN else None
