"""Judges regulatory filings and GameDays, by what people did and not by the rules of the daemon.

A filing is late if no person said in time that it is filed. A GameDay's issue is made once a period and team.
What a person calls an exercise still sends the notices of the gravest severity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ledger_reading import DutyRow, rows

from simulation.channel import EXERCISE
from simulation.ending import Ending
from simulation.plan import LEAK
from simulation.teams import DIRECTOR, FILE_WITHIN, HEADS, LEAD, OPERATOR, mappings_of
from syncd.ledger.database.connection import Transactions
from syncd.sandbox.cast import START

PERIOD = "2026-Q4"
"""The quarter of the simulation."""


def runbook_complaints(ledger: Transactions, ending: Ending) -> Iterator[str]:
    """Yield the complaints about filings and GameDays."""
    if ending.plan.chat == "off":
        return
    yield from _filings(ledger, ending)
    yield from _letters(ending)
    yield from _game_days(ending)
    yield from _exercises(ending)


def _filings(ledger: Transactions, ending: Ending) -> Iterator[str]:
    channel, incidents = ending.channel, ending.world.pagerduty.account.incidents
    filings = {row.incident_id: row for row in rows(ledger, DutyRow) if row.kind == "filed"}
    for ident in filings.keys() - channel.restricted:
        yield f"a filing is owed for {ident}, which is not restricted"
    for ident in channel.restricted:
        row, due = filings.get(ident), incidents[ident].created_at + timedelta(seconds=FILE_WITHIN)
        if row is None:
            yield f"loss: no filing is owed for the restricted incident {ident}"
            continue
        if abs(_utc(row.due_at) - due) > timedelta(seconds=1):
            yield f"the filing of {ident} is due at {row.due_at}, not at {due}, whatever day that is"
        at = START + timedelta(seconds=channel.filed[ident]) if ident in channel.filed else None
        in_time = at is not None and at <= due
        if (row.breached_at is None) is not in_time:
            yield f"the filing of {ident}, due {due}, filed {at}: its breach is recorded as {row.breached_at}"
        if (row.met_at is None) is not (at is None):
            yield f"the filing of {ident} by a person at {at} is recorded as met at {row.met_at}"


def _letters(ending: Ending) -> Iterator[str]:
    """Yield the letters with words of a restricted incident, or about a filing to anybody else."""
    for letter in ending.letters:
        parts = [part for part in letter.message.walk() if part.get_content_maintype() == "text"]
        if any(LEAK in str(text) for text in (letter.subject, *(part.get_content() for part in parts))):
            yield f"{letter.subject!r} to {letter.recipient} tells of a restricted incident"
        if "Regulatory filing" in letter.subject and letter.recipient not in (LEAD, DIRECTOR, OPERATOR):
            yield f"{letter.subject!r} went to {letter.recipient}"


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _game_days(ending: Ending) -> Iterator[str]:
    """Yield the periods of a GameDay whose issue was made twice or not at all."""
    marks = (issue.now.properties.get("syncd") or {} for issue in ending.world.jira.site.issues.values())
    made = Counter(str(mark["incident"]) for mark in marks if mark.get("kind") == "create_recurring_issue")
    wanted = {f"recurring:{mapping.team}/Drill/{PERIOD}" for mapping in mappings_of(ending.plan)}
    for ident, times in made.items():
        if times > 1:
            yield f"duplicate: {times} issues of {ident}"
    for ident in wanted ^ made.keys():
        yield f"{'loss: no issue' if ident in wanted else 'an issue'} of {ident}"


def _exercises(ending: Ending) -> Iterator[str]:
    """Yield who heard nothing of a labelled incident that reached the gravest severity."""
    told = {letter.recipient for letter in ending.letters if EXERCISE in letter.subject}
    for ident in ending.channel.exercises:
        for recipient in HEADS:
            if recipient not in told:
                yield f"loss: {recipient} got no notice of the exercise {ident} of the gravest severity"
