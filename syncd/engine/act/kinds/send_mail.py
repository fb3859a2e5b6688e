"""Send one mail to one person: syncd renders it when it first leaves, and keeps the bytes until it is
confirmed.

The ledger stores bytes, Message-ID and Date before the first sending, so that a second sending is the same
message. Nobody can look up a mail. If the outcome is unknown, notices, breaches, the weekly report and mails
to the operator leave once more, never a third time; reminders and digests do not leave again.
"""

from __future__ import annotations

from loguru import logger

from syncd.config.templates.templates import TemplateError
from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import AT_MOST_ONCE
from syncd.domain.operation import OperationState, SendMail, op_of
from syncd.domain.operation.mail import CorrectionMail, UnacknowledgedMail, WeeklyReportMail
from syncd.domain.operation.rendered import RenderedMail
from syncd.domain.role import RoleFacts
from syncd.domain.trail.chain import spelled
from syncd.engine.act.kind import BaseKind, Outcome
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain
from syncd.engine.notify.bundle import told_with
from syncd.engine.notify.compose import bundle_letter, letter_of, reply_to_of, told_notice
from syncd.engine.notify.report_mail import report_body
from syncd.engine.observe.accounts import our_users
from syncd.engine.observe.incident import read_incident
from syncd.engine.observe.issues import read_log
from syncd.engine.runtime.mailer import Mailer
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.leaving import Basis, Leaving
from syncd.ledger.store.lookups import find_incident
from syncd.ledger.views.audit_trail import head as chain_head
from syncd.report.mail.letters import ToldNotice, without_template
from syncd.report.mail.letters import rendered as body_of
from syncd.report.mail.message import Body, Envelope, is_reserved, message, message_id
from syncd.report.state_page import link_to

NO_MAILER = "this daemon was started without a way to send mail"


class SendMailKind(BaseKind[RenderedMail]):
    """One message to one recipient."""

    findable = False

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> RenderedMail:
        """Return the whole message; raise `CannotRender` for an example address."""
        mail, mailer = operation.typed(SendMail), context.mailer
        if mailer is None:
            raise CannotRender(NO_MAILER)
        # the shipped mappings hold example people; the demo on loopback may mail them
        if is_reserved(mail.to) and not mailer.loopback:
            raise CannotRender(
                f"{mail.to} is an example address: write the right one into the mapping, then drop this mail"
                " (syncd outbox drop ID --reason …)"
            )
        if isinstance(mail.content, UnacknowledgedMail):
            _read_again(context, operation)
        answers = mail.content.notice if isinstance(mail.content, CorrectionMail) else None
        others = [
            (other.id, notice)
            for other in told_with(context, operation)
            if (notice := told_notice(context, other)) is not None
        ]
        notices, head = [notice for _, notice in others], spelled(chain_head(context.ledger))
        envelope = Envelope(
            sender=mailer.sender,
            recipient=mail.to,
            message_id=message_id(operation.op, mailer.sender),
            date=context.clock.now(),
            reply_to=reply_to_of(context, operation),
            answers=message_id(op_of(answers), mailer.sender) if answers else None,
        )
        try:
            content = message(envelope, _body(context, operation, mailer, notices, head))
        except ValueError as error:
            raise CannotRender(f"syncd cannot write the mail: {error}") from error
        return RenderedMail(
            to=mail.to,
            message_id=envelope.message_id,
            date=envelope.date.isoformat(),
            body=content.decode("ascii"),
            anchor=head,
            **({"tells": {str(number): notice.restricted for number, notice in others}} if others else {}),
        )

    def told_with(self, operation: OperationRecord, rendered: RenderedMail) -> list[Leaving]:
        """Return the other notices in the mail; a mail that leaves a second time claimed them before."""
        if operation.typed(SendMail).unsure:
            return []
        told = RenderedMail(to=rendered.to, message_id=rendered.message_id, told_by=operation.key)
        private = told.model_copy(update={"restricted": True})
        return [
            Leaving(int(number), private if restricted else told)
            for number, restricted in rendered.tells.items()
        ]

    def send(self, context: EngineContext, operation: OperationRecord, rendered: RenderedMail) -> Outcome:
        """Hand the mail to the mail server."""
        if context.mailer is None:
            raise CannotRender(NO_MAILER)
        context.mailer.client.send(context.mailer.address, rendered.to, rendered.body.encode("ascii"))
        return Outcome(rendered.message_id)

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Drop the mail's body from the ledger: nothing needs it after the sending."""
        content, report = operation.typed(SendMail).content, None
        if isinstance(content, WeeklyReportMail):
            report = (content.team, content.week)
        return Confirmation(report=report, rendered=_without_body(operation))

    def after_unknown(self, context: EngineContext, operation: OperationRecord) -> bool:
        """Return True if a mail that may have arrived leaves once more; else end it with the reason."""
        now, mail = context.clock.now(), operation.typed(SendMail)
        unsure = mail.model_copy(update={"unsure": True})
        if mail.content.mail not in AT_MOST_ONCE and not mail.unsure:
            why = "it is not known whether the mail arrived, so it is sent a second time"
            leaving.put_back(context.ledger, [operation], now, why, changed=unsure)
            return True
        why = "it is not known whether the mail arrived, and it is not sent again"
        rendered = _without_body(operation)
        leaving.end(
            context.ledger, operation, OperationState.DROPPED, now, why, changed=unsure, rendered=rendered
        )
        return False


def _read_again(context: EngineContext, operation: OperationRecord) -> None:
    """Read the incident and its log; raise `DecideAgain` where somebody has acknowledged or ended it.

    A false alarm takes people away from other work. Raise `RemoteError` where PagerDuty cannot tell.
    """
    record = read_incident(context, operation.incident_id)
    if record is not None:
        read_log(context, operation.incident_id, record.team)
        record = find_incident(context.ledger, operation.incident_id).incident
    # PagerDuty does not show the incident: the ledger has no better answer than before
    if record is None:
        return
    acknowledged = RoleFacts.model_validate(record.roles).without(our_users(context)).acknowledged
    if record.status != IncidentStatus.TRIGGERED or acknowledged is not None:
        raise DecideAgain


def _without_body(operation: OperationRecord) -> RenderedMail:
    rendered = operation.rendered_as(RenderedMail)
    return RenderedMail(**rendered.model_dump(include=rendered.model_fields_set - {"body"}))


def _body(
    context: EngineContext, operation: OperationRecord, mailer: Mailer, others: list[ToldNotice], head: str
) -> Body:
    """Return what the mail tells, with the end of the audit trail; a failing template holds no mail back."""
    mail = operation.typed(SendMail)
    if isinstance(mail.content, WeeklyReportMail):
        return report_body(context, mail.content, mail.why, mailer, head)
    letter = bundle_letter(context, operation, others) if others else letter_of(context, operation)
    page = link_to(mailer.page, context.mappings, str(letter.context["team"]))
    try:
        return body_of(letter, mailer.templates, head, page)
    except TemplateError as error:
        logger.error("mail to {}: its template fails, so it leaves as plain text: {}", mail.to, error)
        return without_template(letter, str(error), head)
