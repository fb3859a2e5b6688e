"""Judges the letters: nobody gets one twice or wrongly, who has to hear of an incident does, all is said.

A letter may come twice after a sending without an answer, never three times. Whether an incident that is over
or changed its severity had to be told of depends on when the daemon looked: only letters that no severity of
it explains are judged there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from ledger_reading import OperationRecord, operations

from simulation.ending import Ending
from simulation.letterbox import SENDER, Letter
from simulation.plan import FOREIGN
from simulation.teams import NOTICES, OPERATOR
from syncd.ledger.database.connection import Transactions
from syncd.ledger.views.status import status_data
from syncd.report.mail.message import message_id
from syncd.sandbox.pagerduty.records import Incident

PATIENCE = 4
"""Requests that an endpoint refuses, after which the refusal has to be said."""


def mail_complaints(ledger: Transactions, ending: Ending) -> Iterator[str]:
    """Yield the complaints about letters."""
    by_number: dict[str, list[Letter]] = defaultdict(list)
    for letter in ending.letters:
        by_number[letter.number].append(letter)
    mails = {message_id(row.op, SENDER): row for row in operations(ledger) if row.kind == "send_mail"}
    for number, letters in by_number.items():
        first, times = letters[0], len(letters)
        # a run that ended may not have stored the answer
        known = times > 1 and first.answered and first.run == letters[1].run
        if times > 2 or known:
            yield f"duplicate: {first.subject!r} went {times} times to {first.recipient}"
        if number not in mails:
            yield f"{first.subject!r} to {first.recipient} is the mail of no operation"
        else:
            yield from _wrong(ending, mails[number], first)
    told = Counter((letters[0].recipient, letters[0].subject) for letters in by_number.values())
    for (recipient, subject), times in told.items():
        # where people set the clock to another day, an alarm of the next day is right
        if times > 1 and not ending.plan.steps:
            yield f"duplicate: {times} letters {subject!r} to {recipient}"
    yield from _untold(ending, [mails[number] for number in by_number if number in mails])


def _wrong(ending: Ending, mail: OperationRecord, letter: Letter) -> Iterator[str]:
    """Yield a complaint about a letter that its incident does not explain."""
    # the letters about the incidents of `channel.Channel` have a judge of their own
    if letter.recipient == OPERATOR or mail.incident_id not in ending.people.services:
        return
    incident = ending.world.pagerduty.account.incidents[mail.incident_id]
    content = mail.meaning.get("mail")
    if content not in ("notice", "correction"):
        # nothing is due within a day
        if not ending.plan.steps:
            yield f"{letter.subject!r} to {letter.recipient} about {incident.id}: nothing is due yet"
        return
    people = ending.people
    settled = incident.id not in people.priority_changed and not people.merged_sources.get(incident.id)
    if settled and letter.recipient not in NOTICES.get(_priority(ending, incident), ()):
        yield f"{letter.subject!r} to {letter.recipient}, who gets no notice of {incident.id}"
    if all(service == FOREIGN for service in people.services[incident.id]):
        yield f"{letter.subject!r} to {letter.recipient} about {incident.id} of an unclaimed service"


def _priority(ending: Ending, incident: Incident) -> str:
    priority = ending.world.pagerduty.account.priorities.get(incident.priority_id or "")
    return priority.name if priority else ""


def _untold(ending: Ending, sent: list[OperationRecord]) -> Iterator[str]:
    """Yield the people who never heard of an incident that stayed open at one severity."""
    heard = {(row.incident_id, row.meaning["to"]) for row in sent if row.meaning.get("mail") == "notice"}
    people = ending.people
    for incident in people.incidents():
        changed = incident.id in people.priority_changed | people.reopened or incident.merged_into
        if changed or not incident.is_open or people.merged_sources.get(incident.id):
            continue
        if FOREIGN in people.services[incident.id]:
            continue
        for recipient in NOTICES.get(_priority(ending, incident), ()):
            if (incident.id, recipient) not in heard:
                yield f"loss: {recipient} got no notice of {incident.id}"


def silence_complaints(ledger: Transactions, ending: Ending) -> Iterator[str]:
    """Yield what was refused and never said, and what is still said although it is over."""
    for window in ending.plan.windows:
        if not window.refuses:
            continue
        struck = ending.struck.get(window, 0)
        lines = [line for at, line in ending.lines if window.begin <= at <= window.end + ending.plan.poll]
        if struck >= PATIENCE and not lines:
            yield f"never said: {window.service} refused {window.path} {struck} times"
    # while the daemon is down, or by a clock that was set, nothing has a new word
    if not ending.plan.steps and not ending.plan.crashes:
        yield from (f"waits without a word: {operation}" for operation in ending.mute)
    data = status_data(ledger)
    for refusal in data["refused"]:
        yield f"still said: {refusal['what']}: {refusal['why']}"
    for trouble in data["troubles"]:
        # syncd may ask for a deleted ticket for ever
        if trouble["whose"] in ending.people.deleted:
            continue
        yield f"still said: #{trouble['number']} {trouble['whose']}: cannot {trouble['what']}"
