"""The operation that sends a mail, with one model for the content of each kind of mail."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syncd.domain.base import Value
from syncd.domain.mail import MailKind
from syncd.domain.operation.base import IsoTime, Kind, ObjectKind, OperationClass, Target, WithContent
from syncd.domain.role import Role


class _AtOnceMail(Value):
    """A mail while people work on an incident; `exercise` marks one that is or may be an exercise."""

    exercise: str = ""


class NoticeMail(_AtOnceMail):
    """The incident reached a severity."""

    mail: Literal[MailKind.NOTICE] = MailKind.NOTICE
    severity: str
    since: IsoTime


class CorrectionMail(_AtOnceMail):
    """The severity was lowered from `before`; `notice` is the key of the notice that the person got."""

    mail: Literal[MailKind.CORRECTION] = MailKind.CORRECTION
    severity: str
    before: str
    since: IsoTime
    notice: str


class UnacknowledgedMail(_AtOnceMail):
    """Nobody acknowledged the incident, which is triggered since `triggered`, until `since`."""

    mail: Literal[MailKind.UNACKNOWLEDGED] = MailKind.UNACKNOWLEDGED
    severity: str
    triggered: IsoTime
    since: IsoTime


class MissingRolesMail(_AtOnceMail):
    """Nobody has these roles, which the severity requires."""

    mail: Literal[MailKind.MISSING_ROLES] = MailKind.MISSING_ROLES
    severity: str
    roles: tuple[Role, ...]


class _DutyMail(Value):
    """A duty: its kind, its subject (the id of an incident or issue), and the number of its clock."""

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
    """A person postponed an action item (its issue id) for the third time."""

    mail: Literal[MailKind.POSTPONED] = MailKind.POSTPONED
    issue: str


class FilingMail(_DutyMail):
    """A filing with a regulator is due soon or overdue; `last`: it goes to the deputy, too."""

    mail: Literal[MailKind.FILING] = MailKind.FILING
    last: bool = False


class DigestMail(Value):
    """A person's duties at the time of the digest."""

    mail: Literal[MailKind.DIGEST] = MailKind.DIGEST
    at: IsoTime


class WeeklyReportMail(Value):
    """The report of a week (`2026-W47`); `team` is None for all teams, `names` True with people's names."""

    mail: Literal[MailKind.WEEKLY_REPORT] = MailKind.WEEKLY_REPORT
    team: str | None
    week: str
    names: bool


class OperatorMail(Value):
    """A trouble of syncd itself, and the time since when it lasts.

    `service` is the service that refuses syncd or that syncd cannot read, `tickets` the number of tickets
    whose writes are held, `alarm` and `text` the name and the words of an alarm. Of refused
    credentials `text` says what to do about a captcha, of a ledger that was put back it is the proof.
    """

    mail: Literal[MailKind.OPERATOR] = MailKind.OPERATOR
    topic: Literal["mass", "first_load", "alarm", "start", "credentials", "stalled", "put_back"]
    since: IsoTime
    service: str | None = None
    tickets: int | None = None
    alarm: str | None = None
    text: str | None = None


class LeadMail(Value):
    """A restricted ticket lacks its security level; `reason` tells the security lead why."""

    mail: Literal[MailKind.LEAD] = MailKind.LEAD
    reason: str


class DecisionMail(Value):
    """A waiver or a correction was given in the recipient's name by a command; `text` says which and why.

    `ends` is the command that ends it, None if no command does.
    """

    mail: Literal[MailKind.DECISION] = MailKind.DECISION
    text: str
    ends: str | None = None


class ImpactMail(_AtOnceMail):
    """Customers have been impacted since a time, and nobody wrote that the status page (its name) tells it.

    `text_stands` is True if the ticket has a comment with a text for the page.
    """

    mail: Literal[MailKind.IMPACT] = MailKind.IMPACT
    since: IsoTime
    page: str
    text_stands: bool = False


MailContent = (
    NoticeMail
    | CorrectionMail
    | UnacknowledgedMail
    | MissingRolesMail
    | ReminderMail
    | BreachMail
    | PostponedMail
    | DigestMail
    | WeeklyReportMail
    | OperatorMail
    | LeadMail
    | DecisionMail
    | ImpactMail
    | FilingMail
)


class SendMail(WithContent):
    """Send one mail to one person; `why` tells them why they get it.

    `moment` is the time at which the rule asked for it; syncd does not send a mail from before a restore of
    the ledger. `skip` is the reason why the ledger records the mail as not sent. `unsure` is True after a
    first send without an answer. `bundled` is True where it leaves in one mail with other notices to the
    person.
    """

    op_class: ClassVar = OperationClass.ONCE
    target: ClassVar = Target.MAIL
    about: ClassVar = (ObjectKind.MAIL, "incident")
    content_named: ClassVar = "mail"
    kind: Literal[Kind.SEND_MAIL] = Kind.SEND_MAIL

    key: str
    to: str
    why: str
    content: Annotated[MailContent, Field(discriminator="mail")]
    moment: IsoTime | None = None
    skip: str | None = None
    unsure: bool = False
    bundled: bool = False
