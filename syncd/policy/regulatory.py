"""Judge the filings with regulators that a restricted incident owes, and mail the security lead about them.

Ramen runbook, "Runbooks", 7): notify per regulatory timelines. Each clock of `restricted.clocks` starts at
the trigger, or when the incident became restricted if that is later. It runs while the incident is open,
through nights and weekends. A person's label on the ticket, or their comment line with a reference, says that
it is filed. A reopening, a resolve and a merge change nothing: the clock stays the incident's own, because no
report to a regulator may be lost by a merge. No exercise ends it either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.domain.duty import RUNNING, TAKEN_BACK, Duty, DutyKind, DutyState, Waiver
from syncd.domain.mapping.mapping import Mapping, RegulatoryClock
from syncd.domain.operation import CommentOnTicket, Operation
from syncd.domain.operation.keys import comment_key
from syncd.domain.operation.mail import FilingMail
from syncd.domain.text.plain import counted
from syncd.domain.ticket import is_person
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.duty_words import SEEN_AGAIN
from syncd.policy.exercises import acts_on, read_ticket_first
from syncd.policy.lines import lines_of, reference_of
from syncd.policy.notify.notices import BEFORE, mail
from syncd.policy.notify.recipients import Recipient, with_deputies
from syncd.policy.notify.reminders import OLD_BREACH
from syncd.policy.postmortem.deadlines import due_after_correction, moved_deadline
from syncd.policy.postmortem.fulfilment import Span, held_at
from syncd.policy.postmortem.verdict import READ_AGAIN
from syncd.policy.restricted import LABEL
from syncd.policy.time.working_time import seconds_until

BEFORE_DUE = (timedelta(hours=24), timedelta(hours=4))
"""The reminders before the deadline; another one comes at half time."""
NO_CLOCK = "the mapping names this clock no more"
_LATER_STEP = "a later mail about the same filing says what is true now"


@dataclass
class _Judged:
    """The duties as judged, and what the verdicts wait for."""

    duties: list[Duty]
    moments: list[datetime]
    look: bool = False


def decide_filings(case: Case, book: Rulebook) -> Decision:
    """Return the filings that differ from the record, and the sources to read first."""
    now = case.now
    if case.before_enforcement or now is None or not case.restricted or case.provisional:
        return Decision()
    clocks, judged = book.mapping.restricted.clocks, _Judged([], [])
    recorded = [duty for duty in case.latest_duties() if duty.kind is DutyKind.FILED]
    for name, clock in clocks.items():
        record = next((duty for duty in recorded if duty.subject == name), None)
        duty = _begun(case, book, name, clock, record)
        if duty is not None:
            judged.duties.append(_judge(case, duty, record, clock, now, judged))
    for duty in recorded:
        if duty.subject not in clocks and duty.state in RUNNING:
            ended = {"state": DutyState.CANCELLED, "reason": NO_CLOCK, "remedy": ""}
            judged.duties.append(duty.model_copy(update=ended))
    first = read_ticket_first(case) if judged.look else Decision()
    if first.look:
        return first
    changed = tuple(duty for duty in judged.duties if duty not in case.duties)
    again = min(((at - now).total_seconds() for at in judged.moments if at > now), default=None)
    return Decision(duties=changed, again=again).plus(first)


def restricted_at(case: Case, mapping: Mapping) -> datetime:
    """Return when the incident became restricted (UTC), at the source as far as a source tells it."""
    created, seen = case.incident.created_at, case.restricted_since
    # syncd never saw it without its restriction, so it may have had it from the trigger on
    if seen is None:
        return created
    grave = (
        period.since
        for period in case.severity_periods
        if period.severity in mapping.severities and mapping.severities[period.severity].restricted
    )
    labelled = (span.since for span in _labelled(case, LABEL))
    return max(created, min([seen, *grave, *labelled]))


def _begun(case: Case, book: Rulebook, name: str, clock: RegulatoryClock, record: Duty | None) -> Duty | None:
    """Return the duty with its start and its first deadline; None: nothing (more) is owed."""
    number, why = 1, f"a restricted incident must be filed within {counted(clock.hours, 'hour')}"
    if record is not None and record.state is DutyState.VOID:
        at = record.corrected_at
        if at is None or record.claimed_met_at is not None:
            return None
        started, due, number, why = (
            at,
            due_after_correction(at, _waivers(case, name)),
            record.clock + 1,
            TAKEN_BACK,
        )
    elif record is not None:
        started, due, number = record.started_at, record.was_due_at or record.due_at, record.clock
        why = record.reason if record.reason.startswith(TAKEN_BACK) else why
    else:
        started = restricted_at(case, book.mapping)
        due = started + timedelta(hours=clock.hours)
    return Duty(
        kind=DutyKind.FILED,
        subject=name,
        clock=number,
        started_at=started,
        due_at=due,
        reason=why,
        remedy=f"set the label {clock.label} on the ticket, or comment there `{clock.label}: REFERENCE`",
        rule=record.rule if record is not None else book.mapping.version,
    )


def _judge(
    case: Case, duty: Duty, record: Duty | None, clock: RegulatoryClock, now: datetime, judged: _Judged
) -> Duty:
    record = record if record is not None and record.clock == duty.clock else None
    spans, waivers = _filed_spans(case, clock, record, now), _waivers(case, duty.subject)
    first, later = duty.due_at, [waiver for waiver in waivers if waiver.at > duty.started_at]
    due = moved_deadline(first, later, lambda at: held_at(spans, at) is not None)
    in_sight = case.ticket is not None and case.ticket.in_sight
    back = record is not None and record.unseen and in_sight
    missed = record is not None and record.breached_at is not None and not back
    if record is not None and missed:
        due = record.due_at
    duty = duty.model_copy(update={"due_at": due, "was_due_at": first if due != first else None})
    kept = held_at(spans, min(due, now))
    if not missed and kept is not None:
        seen_again = f"{duty.reason}; {SEEN_AGAIN}" if back else duty.reason
        return _met(duty, kept, DutyState.MET).model_copy(update={"reason": seen_again})
    breached = record.breached_at if record is not None and missed else None
    breached = breached or (due if _is_missed(case, due, now, judged) else None)
    if breached is None:
        return duty.model_copy(update={"state": _owed(duty, later, now, judged)})
    unseen = (
        not in_sight and case.ticket is not None and (not missed or (record is not None and record.unseen))
    )
    duty = duty.model_copy(update={"breached_at": breached, "unseen": unseen})
    done = next((span for span in spans if span.until is None), None)
    if done is not None:
        return _met(duty, done, DutyState.MET_LATE)
    running = any(waiver.runs(now) for waiver in later)
    judged.moments += [waiver.end for waiver in later]
    return duty.model_copy(update={"state": DutyState.WAIVED if running else DutyState.BREACHED})


def _met(duty: Duty, span: Span, state: DutyState) -> Duty:
    met = {"state": state, "met_at": max(span.since, duty.started_at), "met_by": span.by, "remedy": ""}
    return duty.model_copy(update=met)


def _owed(duty: Duty, waivers: list[Waiver], now: datetime, judged: _Judged) -> DutyState:
    running = next((waiver for waiver in waivers if waiver.runs(now)), None)
    if running is not None:
        judged.moments.append(running.end)
        return DutyState.WAIVED
    soon = duty.due_at - max(BEFORE_DUE)
    judged.moments += [soon, duty.due_at]
    return DutyState.DUE_SOON if now >= soon else DutyState.PENDING


def _is_missed(case: Case, due: datetime, now: datetime, judged: _Judged) -> bool:
    """Return True if the sources were read beyond the deadline and show no filing by then."""
    ripe, ticket = case.skew.judged_from(due), case.ticket
    if ripe > now:
        judged.moments.append(ripe)
        return False
    if not case.was_read(case.skew.passes_at(due)):
        judged.moments.append(now + READ_AGAIN)
        return False
    unread = ticket is not None and ticket.in_sight and (ticket.changes_until or due) < ripe
    judged.look = judged.look or unread
    return not unread


def _filed_spans(case: Case, clock: RegulatoryClock, record: Duty | None, now: datetime) -> tuple[Span, ...]:
    """Return the times for which a person says that it is filed, oldest first."""
    labelled = _labelled(case, clock.label)
    # An edit may have made a filing of an old comment, so an edited line counts from its last edit.
    lines = [
        Span(since=line.edited_at or line.at, by=line.author.id)
        for line in lines_of(case)
        if line.source == "comment" and line.keyword == clock.label and reference_of(line.rest)
    ]
    spans = [*labelled, *lines]
    if record is not None and _stands(record, labelled, spans, now):
        spans.append(Span(since=record.met_at or record.started_at, by=record.met_by))
    return tuple(sorted(spans, key=lambda span: span.since))


def _stands(record: Duty, labelled: Sequence[Span], spans: Sequence[Span], now: datetime) -> bool:
    """Return True if a filing in time that is on record still counts.

    Jira says nothing of a comment that was deleted or edited, so the record is the only proof of it. Only
    the removal of the label before the deadline, which the changelog shows, takes the proof back.
    """
    if record.state is not DutyState.MET:
        return False
    removed = any(
        span.until is not None
        and span.until <= record.due_at
        and max(span.since, record.started_at) == record.met_at
        for span in labelled
    )
    return not removed and (now >= record.due_at or any(span.until is None for span in spans))


def _labelled(case: Case, label: str) -> tuple[Span, ...]:
    """Return the times in which the ticket had a label that a person had set."""
    spans: list[Span] = []
    for was_set, change in acts_on(case, label):
        if was_set and is_person(change.author) and change.author is not None:
            spans.append(Span(since=change.at, by=change.author.id))
        elif not was_set and spans and spans[-1].until is None:
            spans[-1] = spans[-1].model_copy(update={"until": change.at})
    return tuple(spans)


def _waivers(case: Case, name: str) -> list[Waiver]:
    given = (waiver for waiver in case.waivers if waiver.covers(DutyKind.FILED, name))
    return sorted(given, key=lambda waiver: waiver.at)


def tell_filings(case: Case, book: Rulebook) -> Decision:
    """Return the mails about filings, in every mode of mails: naming a clock switches them on."""
    now = case.now
    if case.before_enforcement or now is None or not case.restricted:
        return Decision()
    mails: list[Operation] = []
    moments: list[datetime] = []
    for duty in case.latest_duties():
        if duty.kind is not DutyKind.FILED or duty.corrected is not None or not _is_told(duty):
            continue
        steps = [*_steps(duty), (duty.due_at, "breach", True)]
        # A missed filing is told when it is proven; until then its last reminder says what is true.
        late = duty.state is DutyState.BREACHED
        passed = [step for step in steps if case.skew.is_due(step[0], now) and (late or step[1] != "breach")]
        moments += [case.skew.due_at(at) for at, _name, _last in steps]
        for step in passed:
            mails += _mails(case, book.mapping, duty, step, skip=None if step is passed[-1] else _LATER_STEP)
    again = seconds_until(moments, now)
    return Decision(operations=(*mails, *_without_reference(case, book.mapping)), again=again)


def _without_reference(case: Case, mapping: Mapping) -> Iterator[CommentOnTicket]:
    """Yield one comment for each owed filing that a line without a reference claims; it repeats no word."""
    for name, clock in mapping.restricted.clocks.items():
        duty = case.duty(DutyKind.FILED, name)
        key = comment_key(case.incident.id, "filing", clock.label)
        if duty is None or duty.state not in RUNNING or duty.corrected is not None or key in case.once:
            continue
        if any(
            line.keyword == clock.label
            and not reference_of(line.rest)
            and line.source == "comment"
            and line.at >= mapping.enforced_since
            for line in lines_of(case)
        ):
            yield CommentOnTicket(
                key=key,
                incident=case.incident.id,
                subject=f"the line {clock.label}",
                text=f"it has no reference, so it does not count. Write `{clock.label}: NUMBER`.",
                value="",
                reason=f"a line {clock.label} has no reference",
            )


def _is_told(duty: Duty) -> bool:
    return duty.state in (DutyState.PENDING, DutyState.DUE_SOON, DutyState.BREACHED)


def _steps(duty: Duty) -> list[tuple[datetime, str, bool]]:
    """Return the reminders of a filing with their names, oldest first; True: it is the last one."""
    half = duty.started_at + (duty.due_at - duty.started_at) / 2
    at = {f"{before.total_seconds() / 3600:g}h": duty.due_at - before for before in BEFORE_DUE}
    named = sorted(
        (moment, name) for name, moment in {"half": half, **at}.items() if moment > duty.started_at
    )
    return [(moment, name, (moment, name) == named[-1]) for moment, name in named]


def _mails(
    case: Case, mapping: Mapping, duty: Duty, step: tuple[datetime, str, bool], skip: str | None
) -> Iterator[Operation]:
    at, name, last = step
    rules, now = mapping.restricted, case.now or at
    people = [Recipient(address=rules.lead, why="you are the security lead")] if rules.lead else []
    if rules.deputy and last:
        people.append(Recipient(address=rules.deputy, why="you are the security lead's deputy"))
    late = name == "breach"
    # The first day disturbs nobody.
    skip = BEFORE if at < mapping.enforced_since else skip
    if late and now - at > OLD_BREACH:
        skip = "the deadline passed more than a week ago; the weekly report lists it"
    content = FilingMail(duty=duty.kind, subject=duty.subject, clock=str(duty.clock), last=last)
    moment = f"{duty.subject}:{duty.clock}:{name}:{duty.due_at:%Y%m%dT%H%M}"
    reason = f"the regulatory filing {duty.subject} is {'overdue' if late else 'due soon'}"
    for recipient in with_deputies(people, mapping, now):
        op = mail(case, content, moment, recipient, reason, at, skip)
        # What was passed over is recorded once, and what left stays as it left.
        if skip is None or op.key not in case.once:
            yield op
