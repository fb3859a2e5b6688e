"""The operation that sends a mail, and what each kind of mail is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syncd.domain.base import JsonValue, Value
from syncd.domain.mail import MailKind
from syncd.domain.operation.base import IsoTime, Kind, ObjectKind, OperationBase, OperationClass, Target


class NoticeMail(Value):
    """The incident reached a severity."""

    mail: Literal[MailKind.NOTICE] = MailKind.NOTICE
    severity: str
    since: IsoTime


class CorrectionMail(Value):
    """The incident was lowered from the severity `before`; `notice` is the key of the mail before."""

    mail: Literal[MailKind.CORRECTION] = MailKind.CORRECTION
    severity: str
    before: str
    since: IsoTime
    notice: str


class _DutyMail(Value):
    """A duty: its kind, what it is about (an incident's or issue's id), and its clock's number."""

    duty: str
    subject: str
    clock: str


class ReminderMail(_DutyMail):
    """A duty is due soon."""

    mail: Literal[MailKind.REMINDER] = MailKind.REMINDER


class BreachMail(_DutyMail):
    """A duty is overdue."""

    mail: Literal[MailKind.BREACH] = MailKind.BREACH


class PostponedMail(Value):
    """An action item (its issue id) was put off again and again."""

    mail: Literal[MailKind.POSTPONED] = MailKind.POSTPONED
    issue: str


class DigestMail(Value):
    """Somebody's duties, at the moment of the digest."""

    mail: Literal[MailKind.DIGEST] = MailKind.DIGEST
    at: IsoTime


class WeeklyReportMail(Value):
    """The report of a week (`2026-W47`), of a team or over all (None); with people's names or without."""

    mail: Literal[MailKind.WEEKLY_REPORT] = MailKind.WEEKLY_REPORT
    team: str | None
    week: str
    names: bool


class OperatorMail(Value):
    """What is the matter with the daemon itself, since when.

    `service` is the one that refuses or is not read, `tickets` how many writes are held, `alarm` and `text`
    name and words of an alarm.
    """

    mail: Literal[MailKind.OPERATOR] = MailKind.OPERATOR
    topic: Literal["mass", "first_load", "alarm", "start", "credentials", "stalled"]
    since: IsoTime
    service: str | None = None
    tickets: int | None = None
    alarm: str | None = None
    text: str | None = None


class LeadMail(Value):
    """What a restricted ticket lacks, for the security lead."""

    mail: Literal[MailKind.LEAD] = MailKind.LEAD
    reason: str


MailContent = (
    NoticeMail
    | CorrectionMail
    | ReminderMail
    | BreachMail
    | PostponedMail
    | DigestMail
    | WeeklyReportMail
    | OperatorMail
    | LeadMail
)


class SendMail(OperationBase):
    """Send one mail to one person; `why` tells them why they get it.

    `moment` is when the rule asked for it: what lies before a restore of the ledger is not sent. `skip` is
    the reason of a mail that is recorded as not sent. `unsure`: it left once without an answer. `bundled`: it
    leaves in one mail with other notices to the same person.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.MAIL
    about: ClassVar = (ObjectKind.MAIL, "incident")
    kind: Literal[Kind.SEND_MAIL] = Kind.SEND_MAIL

    key: str
    to: str
    why: str
    content: Annotated[MailContent, Field(discriminator="mail")]
    moment: IsoTime | None = None
    skip: str | None = None
    unsure: bool = False
    bundled: bool = False

    @property
    def meaning(self) -> dict[str, JsonValue]:
        """As of every operation; what the mail is about stands beside the rest."""
        stored, mail = super().meaning, str(self.content.mail)
        stored.pop("content")
        return {"mail": mail, **stored, **self.content.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def fields_of(cls, meaning: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """As of every operation."""
        own = cls.model_fields.keys() - OperationBase.model_fields.keys()
        shared = {name: value for name, value in meaning.items() if name in own}
        return {**shared, "content": {name: one for name, one in meaning.items() if name not in shared}}
