"""One mail to one person: rendered when it leaves for the first time, then kept until it is confirmed.

Bytes, Message-ID and Date are stored before the first sending, so that a second one is the same message. A
mail cannot be looked up. Of what has an unknown outcome, notices, breaches, the weekly report and what the
operator hears leave once more, never a third time; reminders and digests do not leave again.
"""

from __future__ import annotations

from syncd.config.templates.templates import TemplateError
from syncd.domain.mail import AT_MOST_ONCE, MailKind
from syncd.domain.operation import OperationState, op_of
from syncd.engine.act.kind import BaseKind, Outcome, Rendered
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.notify.compose import letter_of, reply_to_of
from syncd.engine.notify.weekly_mail import report_body
from syncd.engine.runtime.mailer import Mailer
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.audit import chain_head
from syncd.ledger.store.confirmation import Confirmation
from syncd.ledger.store.leaving import Basis
from syncd.ledger.store.mails import UNSURE
from syncd.report.mail.letters import rendered as body_of
from syncd.report.mail.message import Body, Envelope, is_reserved, message, message_id

NO_POST = "this daemon was started without a way out for mail"


class SendMail(BaseKind):
    """One message to one recipient."""

    findable = False

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> Rendered:
        """The whole message; raises `CannotRender` for an address that no person can have."""
        mailer, recipient = context.mailer, str(operation.meaning["to"])
        if mailer is None:
            raise CannotRender(NO_POST)
        if is_reserved(recipient) and not mailer.loopback:
            raise CannotRender(
                f"{recipient} is an example address, which no person has: put the right one into the mapping"
                " and drop this one (syncd outbox drop ID --reason …)"
            )
        answers = operation.meaning.get("notice")
        envelope = Envelope(
            sender=mailer.sender,
            recipient=recipient,
            message_id=message_id(operation.op, mailer.sender),
            date=context.clock.now(),
            reply_to=reply_to_of(context, operation),
            answers=message_id(op_of(str(answers)), mailer.sender) if answers else None,
        )
        try:
            content = message(envelope, _body(context, operation, mailer))
        except (TemplateError, ValueError) as error:
            raise CannotRender(f"the mail cannot be written: {error}") from error
        return {
            "to": recipient,
            "message_id": envelope.message_id,
            "date": envelope.date.isoformat(),
            "body": content.decode("ascii"),
        }

    def send(self, context: EngineContext, operation: OperationRecord, rendered: Rendered) -> Outcome:
        """Hand it to the mail server."""
        if context.mailer is None:
            raise CannotRender(NO_POST)
        recipient, content = str(rendered["to"]), str(rendered["body"]).encode("ascii")
        context.mailer.client.send(context.mailer.address, recipient, content)
        return Outcome(str(rendered["message_id"]))

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """What it said is needed no more, and need not lie in the ledger."""
        meaning, report = operation.meaning, None
        if meaning["mail"] == MailKind.WEEKLY_REPORT:
            report = (meaning["team"], str(meaning["week"]))
        return Confirmation(report=report, rendered=_without_body(operation))


def _without_body(operation: OperationRecord) -> Rendered:
    return {name: value for name, value in (operation.rendered or {}).items() if name != "body"}


def _body(context: EngineContext, operation: OperationRecord, mailer: Mailer) -> Body:
    seq, digest = chain_head(context.ledger)
    if operation.meaning["mail"] == MailKind.WEEKLY_REPORT:
        return report_body(context, operation, mailer.templates, f"{seq}:{digest}")
    return body_of(letter_of(context, operation), mailer.templates, f"{seq}:{digest}")


def after_unknown(context: EngineContext, operation: OperationRecord) -> bool:
    """A mail that may have arrived: whether it leaves once more; else it is ended here, with the reason."""
    now, meaning = context.clock.now(), {**operation.meaning, UNSURE: True}
    if operation.meaning["mail"] not in AT_MOST_ONCE and not operation.meaning.get(UNSURE):
        why = "nobody knows whether it arrived: sent a second time"
        leaving.put_back(context.ledger, [operation], now, why, meaning=meaning)
        return True
    why = "nobody knows whether it arrived, and it is not sent again"
    rendered = _without_body(operation)
    leaving.end(
        context.ledger, operation, OperationState.DROPPED, now, why, meaning=meaning, rendered=rendered
    )
    return False
