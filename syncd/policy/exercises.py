"""Decide which incidents are exercises: people decide it, and no exercise hides a grave incident.

QRPay runbook, "GameDay Exercises". An incident is an exercise if a person set the label `game-day` on its
ticket, or if its title carries the marker of a GameDay in whose time it was triggered
(`recurring.exercise`). An exercise owes no postmortem and counts in no figure. Until a person has set the
label, notices go out with a mark; those of the gravest severity always do. Once somebody has removed the
label, the incident is a real one, and owes what a real one owes, from its resolve.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import is_person
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.restricted import LABEL as RESTRICTED

GAME_DAY = "game-day"
"""The label by which a person says that an incident was an exercise."""
MAYBE, CERTAIN = "[EXERCISE?]", "[EXERCISE]"
"""The marks of notices and posts, before and after a person set the label."""


class ExerciseFacts(Value):
    """Why an incident is an exercise, since when, and the name of the person who set the label."""

    why: str
    since: UtcTime
    by: str | None = None


def exercise_of(case: Case) -> ExerciseFacts | None:
    """Return why an incident is an exercise, None if it is real."""
    acts = [*acts_on(case, GAME_DAY)]
    was_set, change = acts[-1] if acts else (False, None)
    author = change.author if change is not None else None
    if change is not None and author is not None and is_person(author):
        # A person who removed the label says that it was none.
        if not (was_set and _labelled(case)):
            return None
        by = author.name or author.id
        return ExerciseFacts(why=f"a person set the label {GAME_DAY}", since=change.at, by=by)
    if case.game_day is None:
        return None
    why = f"its title carries the marker of {case.game_day}, and nobody set the label {GAME_DAY}"
    return ExerciseFacts(why=why, since=case.incident.created_at)


def mark_of(case: Case) -> str:
    """Return the mark of an incident's notices and posts, empty for a real one."""
    exercise = exercise_of(case)
    if exercise is not None and exercise.by is not None:
        return CERTAIN
    # Who set the label is not read yet, or a robot set it.
    return MAYBE if exercise is not None or _labelled(case) else ""


def silences(case: Case, mapping: Mapping, severity: str) -> bool:
    """Return True if a person said that it is an exercise, and the severity is not the gravest."""
    gravest = severity == next(iter(mapping.severities))
    return not gravest and mark_of(case) == CERTAIN


def is_undecided(case: Case, mapping: Mapping) -> bool:
    """Return True if the changelog must be read to tell whether an incident is an exercise."""
    return _labelled(case) and labels_unread(case, mapping)


def look_at_labels(case: Case, book: Rulebook) -> Decision:
    """Return a look at the ticket's changelog while it does not tell who set a label that matters.

    Nothing waits for a look that Jira refuses: meanwhile the incident is a possible exercise.
    """
    return read_ticket_first(case) if labels_unread(case, book.mapping) else Decision()


def read_ticket_first(case: Case) -> Decision:
    """Return a look at the ticket's changelog, or when to decide again while Jira refuses it."""
    refused = "ticket" in case.refused_looks
    return Decision(again=60.0) if refused else Decision(look=frozenset({"ticket"}))


def labels_unread(case: Case, mapping: Mapping) -> bool:
    """Return True if a label that matters was set or removed since the changelog was read."""
    ticket = case.ticket
    if ticket is None or ticket.issue is None or not ticket.in_sight:
        return False
    clocks = mapping.restricted.clocks.values() if case.restricted else ()
    watched = {GAME_DAY, *(clock.label for clock in clocks), *([RESTRICTED] if clocks else [])}
    return watched & {*ticket.issue.labels} != watched & {*(ticket.labels_read or ())}


def acts_on(case: Case, label: str) -> Iterator[tuple[bool, Change]]:
    """Yield the changes that set (True) or removed (False) a label of the ticket, oldest first."""
    for change in sorted(case.ticket.changes if case.ticket else (), key=lambda change: change.at):
        after = label in (change.after_words or "").split()
        if after is not (label in (change.before_words or "").split()):
            yield after, change


def _labelled(case: Case) -> bool:
    issue = case.ticket.issue if case.ticket else None
    return issue is not None and GAME_DAY in issue.labels
