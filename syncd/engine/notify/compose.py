"""Compose mails: the operation that sends one, and its letter, from what the ledger knows when it leaves.

The weekly report is a mail of its own (`report_mail`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta

from syncd.config.masks import mask
from syncd.config.templates.texts import TextValues
from syncd.domain.duty import OWED, Duty, DutyState
from syncd.domain.mail import MailKind, concerns_no_incident, mail_key
from syncd.domain.mapping.communications import Audience
from syncd.domain.mapping.mapping import Mapping, mapping_of_recurring
from syncd.domain.operation import SendMail
from syncd.domain.operation.mail import (
    BreachMail,
    CorrectionMail,
    DecisionMail,
    DigestMail,
    FilingMail,
    ImpactMail,
    LeadMail,
    MailContent,
    MissingRolesMail,
    NoticeMail,
    OperatorMail,
    PostponedMail,
    ReminderMail,
    UnacknowledgedMail,
    WeeklyReportMail,
)
from syncd.domain.recurring import recurring_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.engine.notify.digests import lines_for
from syncd.engine.notify.duty_line import line_of, postponed_line, section_of, upcoming_review
from syncd.engine.notify.operator_letters import operator_letter
from syncd.engine.rulebook import projects_of
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.change_queue import team_of_incident
from syncd.ledger.views.postmortems import (
    MailSubject,
    OwingIncident,
    owing_incident_of,
    subject_of,
)
from syncd.policy.notify.notices import is_late
from syncd.policy.notify.recipients import hears_next
from syncd.policy.postmortem.fulfilment import review_field_of
from syncd.policy.severity import decide_severity
from syncd.policy.time.time_words import at_words, long_words
from syncd.report.mail import letters
from syncd.report.mail.calendar import invitation
from syncd.report.mail.letters import About, Letter, ToldNotice, format_time

OfIncident = (
    NoticeMail | CorrectionMail | UnacknowledgedMail | MissingRolesMail | ImpactMail | LeadMail | DecisionMail
)
"""The mails about one incident that need no duty."""


def mail_to(
    recipient: str,
    *,
    content: MailContent,
    about: str,
    moment: str,
    reason: str,
    why: str,
    asked_at: datetime | None = None,
) -> SendMail:
    """Return the operation that sends one mail to one person.

    `about` is an incident's id, `of_team(NAME)` or `OPERATOR`; `moment` tells it from others of its kind and
    comes from the rule alone (`2026-W47`). `asked_at` is when the rule asked for it: what lies before a
    restore of the ledger is not sent. Once it is in the outbox, submit `about` to the work queue.
    """
    return SendMail(
        key=mail_key(content.mail, about, moment, recipient),
        incident=about,
        to=recipient,
        why=why,
        content=content,
        moment=asked_at,
        reason=reason,
    )


def reply_to_of(context: EngineContext, operation: OperationRecord) -> str | None:
    """Return the address for answers that the team's mapping names, None for the sender's."""
    mapping = mapping_of_mail(context, operation)
    return mapping.mails.reply_to if mapping else None


def mapping_of_mail(context: EngineContext, operation: OperationRecord) -> Mapping | None:
    """Return the mapping of the team that a mail concerns, None where it is no single team's."""
    recurring = recurring_of(operation.incident_id)
    if recurring is not None:
        return mapping_of_recurring(context.loaded, recurring)
    if concerns_no_incident(operation.incident_id):
        team: str | None = operation.incident_id.partition("/")[2]
    else:
        team = team_of_incident(context.ledger, operation.incident_id)
    return context.rules.current.mapping_of(team)


def masked_recipient(context: EngineContext, operation: OperationRecord) -> str:
    """Return the address of a mail, masked as the mapping says."""
    mapping = mapping_of_mail(context, operation)
    return mask(operation.typed(SendMail).to, mapping.redact.patterns if mapping is not None else {})


def letter_of(context: EngineContext, operation: OperationRecord) -> Letter:
    """Return a mail's letter; raise `DecideAgain` where nothing is left to tell."""
    mail = operation.typed(SendMail)
    content = mail.content
    if isinstance(content, OperatorMail):
        return operator_letter(context.ledger, content)
    mapping = mapping_of_mail(context, operation)
    if mapping is None:
        raise DecideAgain
    if isinstance(content, DigestMail):
        return _digest(context, mail.to, content.at, mapping)
    if isinstance(content, OfIncident):
        return _of_incident(context, mail, content, mapping)
    owing_incident = owing_incident_of(context.ledger, operation.incident_id, context.clock.now())
    if owing_incident is None:
        raise DecideAgain
    if isinstance(content, FilingMail):
        return _of_filing(context, mail, content, owing_incident, mapping)
    # `report_mail` writes the weekly report
    if isinstance(content, WeeklyReportMail):
        raise DecideAgain
    letter, now = _of_duty(content, mail.why, owing_incident, mapping), context.clock.now()
    project = context.facts.at_hand(mapping)
    duty = None if isinstance(content, PostponedMail) else _duty(owing_incident, content)
    # the reminder is the owner's mail about the postmortem
    if project is None or duty is None or not isinstance(content, ReminderMail):
        return letter
    field = review_field_of(mapping, project)
    review = upcoming_review(owing_incident, mapping, duty, field, context.ledger.instance, now)
    if review is None:
        return letter
    return letter.model_copy(update={"attachments": (invitation(review, now),)})


def told_notice(context: EngineContext, operation: OperationRecord) -> ToldNotice | None:
    """Return a notice as a mail tells it beside others; None where its incident or its team is gone."""
    mail = operation.typed(SendMail)
    mapping, subject = mapping_of_mail(context, operation), subject_of(context.ledger, operation.incident_id)
    if mapping is None or subject is None or not isinstance(mail.content, NoticeMail | CorrectionMail):
        return None
    content = mail.content
    return ToldNotice(
        about=about_of(subject, mapping, content.severity).model_copy(update={"exercise": content.exercise}),
        since=content.since,
        before=content.before if isinstance(content, CorrectionMail) else "",
        late=is_late(content.since, context.clock.now(), bundled=mail.bundled),
        repeated=_may_be_repeated(context, mail, mapping),
        why=mail.why,
        restricted=subject.incident.restricted,
    )


def bundle_letter(context: EngineContext, operation: OperationRecord, others: Sequence[ToldNotice]) -> Letter:
    """Return the mail that tells a notice together with others; raise `DecideAgain` as `letter_of` does."""
    notice = told_notice(context, operation)
    if notice is None:
        raise DecideAgain
    return letters.bundle((notice, *others))


def _digest(context: EngineContext, recipient: str, day: datetime, mapping: Mapping) -> Letter:
    lines = lines_for(context, mapping, recipient, day)
    if not lines:
        raise DecideAgain
    late = sum(line.state == "overdue" for line in lines)
    soon = len(lines) - late
    parts = [f"{late} overdue" if late else "", f"{soon} due soon" if soon else ""]
    counts = " and ".join(part for part in parts if part)
    return letters.owed(
        mapping.team,
        f"Your tasks after incidents: {counts}",
        "These are your open tasks, in at most one mail a working day. The mails end when all are done.",
        lines,
        "these tasks are yours",
        f"{mapping.team}: {counts}",
    )


def _of_incident(
    context: EngineContext,
    mail: SendMail,
    content: OfIncident,
    mapping: Mapping,
) -> Letter:
    name = recurring_of(mail.incident)
    if name is not None and isinstance(content, DecisionMail):
        return _given(mapping, name.words, content, name.ident, mail.why)
    subject = subject_of(context.ledger, mail.incident)
    if subject is None:
        raise DecideAgain
    named = None if isinstance(content, LeadMail | DecisionMail | ImpactMail) else content.severity
    about = about_of(subject, mapping, named)
    if isinstance(content, DecisionMail):
        letter = _given(mapping, f"incident #{about.number}", content, str(about.number), mail.why)
        return letters.with_links(letter, about)
    if isinstance(content, ImpactMail):
        makes = any(section.to is not Audience.CHAT for section in mapping.texts.values())
        letter = letters.impact(about, content, mail.why, makes_texts=makes)
        return letters.marked(letter, content.exercise)
    if isinstance(content, LeadMail):
        words = (
            f"The restricted incident #{about.number} is not protected as the mapping demands:"
            f" {content.reason}."
        )
        title = f"Restricted incident #{about.number}"
        return letters.with_links(letters.plain(mapping.team, title, (words,), (), mail.why), about)
    return letters.marked(_at_once(context, mail, content, about, mapping), content.exercise)


def _at_once(
    context: EngineContext,
    mail: SendMail,
    content: NoticeMail | CorrectionMail | UnacknowledgedMail | MissingRolesMail,
    about: About,
    mapping: Mapping,
) -> Letter:
    if isinstance(content, CorrectionMail):
        return letters.correction(about, content.before, content.since, mail.why)
    if isinstance(content, MissingRolesMail):
        return letters.missing_roles(about, [role.words for role in content.roles], mail.why)
    late = is_late(content.since, context.clock.now(), bundled=mail.bundled)
    repeated = _may_be_repeated(context, mail, mapping)
    if isinstance(content, UnacknowledgedMail):
        return letters.unacknowledged(about, content.triggered, late, mail.why, repeated=repeated)
    return letters.notice(about, content.since, late, mail.why, repeated=repeated)


def _given(mapping: Mapping, about: str, content: DecisionMail, shown: str, why: str) -> Letter:
    """Return the mail about what was given in the reader's name; `syncd show` takes `shown`."""
    ends = "end it with the first command, and " if content.ends else ""
    title = f"Given in your name for {about}"
    paragraph = f"If you did not decide this, {ends}tell the operator:"
    commands = (*([content.ends] if content.ends else []), f"syncd show {shlex.quote(shown)}")
    return letters.plain(mapping.team, title, (content.text, paragraph), commands, why)


def _may_be_repeated(context: EngineContext, mail: SendMail, mapping: Mapping) -> bool:
    if mail.moment is None:
        return False
    return context.ledger_age.may_be_repeated(mail.moment, projects_of(context, mapping.team))


_UNSEEN = "syncd cannot see the issue; once it can, the issue's changelog decides"


def _of_duty(
    content: ReminderMail | BreachMail | PostponedMail,
    why: str,
    owing_incident: OwingIncident,
    mapping: Mapping,
) -> Letter:
    case = owing_incident.case
    section = section_of(mapping, case.incident)
    if isinstance(content, PostponedMail):
        line = postponed_line(owing_incident, mapping, section, content.issue, why)
        title = "Postponed for the third time"
    else:
        duty = _duty(owing_incident, content)
        if duty is None:
            raise DecideAgain
        line = line_of(owing_incident, mapping, section, duty, why, owner=isinstance(content, ReminderMail))
        title = "Due soon" if isinstance(content, ReminderMail) else line.state.capitalize() if line else ""
    if line is None:
        raise DecideAgain
    missed = _UNSEEN if line.state == "not visible" else "it is not done"
    lead = {
        MailKind.REMINDER: f"It is due {line.due}.",
        MailKind.BREACH: f"It was due {line.due}, and {missed}.",
    }.get(content.mail, "Its due date was moved to a later day for the third time.")
    return letters.owed(mapping.team, f"{title}: {line.what}", lead, (line,), why, f"{title}: {line.what}")


def _of_filing(
    context: EngineContext,
    mail: SendMail,
    content: FilingMail,
    owing_incident: OwingIncident,
    mapping: Mapping,
) -> Letter:
    """Return the mail about a filing with a regulator; it holds no text of its incident."""
    subject, duty = subject_of(context.ledger, mail.incident), _duty(owing_incident, content)
    if subject is None or duty is None or duty.state not in OWED:
        raise DecideAgain
    late, number = duty.state is DutyState.BREACHED, owing_incident.case.incident.number
    title = f"Regulatory filing {duty.subject} of restricted incident #{number}"
    left = long_words(duty.due_at - context.clock.now())
    due = format_time(duty.due_at, mapping.zone)
    stands = f"It was due {due}, and nobody has said on the ticket that it is made." if late else ""
    stands = stands or f"It is due {due}, in {left}."
    also = (
        "your deputy hears of it, too"
        if mail.to == mapping.restricted.lead
        else "the security lead hears of it"
    )
    hears = also if late or content.last else "the last reminder and the breach go to your deputy, too"
    paragraphs = (stands, f"To do: {duty.remedy}.", f"Who hears: {hears}.", "Another way out is a waiver:")
    waive = f"syncd waive {number} --duty filed:{duty.subject} --until DATE --reason WHY --by ADDRESS"
    letter = letters.plain(
        mapping.team, f"{title} {'is overdue' if late else 'is due'}", paragraphs, (waive,), mail.why
    )
    return letters.with_links(letter, about_of(subject, mapping))


def _duty(owing_incident: OwingIncident, content: ReminderMail | BreachMail | FilingMail) -> Duty | None:
    duty = owing_incident.case.duty(content.duty, content.subject)
    return duty if duty is not None and str(duty.clock) == content.clock else None


def about_of(subject: MailSubject, mapping: Mapping, severity: str | None = None) -> About:
    """Return the incident's facts for a mail; of a restricted incident the ledger holds only the number."""
    incident = subject.incident.as_read
    name = severity or decide_severity(incident, mapping, section_of(mapping, incident)).name
    section = mapping.severities.get(name)
    return About(
        team=mapping.team,
        zone=mapping.zone,
        number=incident.number,
        title=incident.title,
        service=incident.service.name or incident.service.id,
        severity=name,
        definition=section.definition if section else "",
        status=incident.status,
        created_at=incident.created_at,
        resolved_at=incident.resolved_at,
        url=incident.html_url,
        ticket=subject.ticket,
        ticket_url=subject.browse(subject.ticket),
        next=hears_next(mapping, section_of(mapping, incident)),
        responders=()
        if subject.incident.restricted
        else tuple(person.name for person in incident.assignees if person.name),
    )


def text_values(
    about: About, mapping: Mapping, update: str, mitigation: str, next_at: datetime | None
) -> TextValues:
    """Return the variables of a text for the chat or for customers; the words are people's, not escaped."""
    owed = mapping.severities[about.severity].communications if about.severity in mapping.severities else None
    return TextValues(
        team=about.team,
        number=str(about.number),
        link=about.ticket_url or about.url,
        service=about.service,
        severity=about.severity,
        update=update,
        mitigation=mitigation,
        next_update=at_words(next_at, about.zone) if next_at is not None else "",
        every=long_words(timedelta(minutes=owed.every_minutes)) if owed is not None else "",
    )
