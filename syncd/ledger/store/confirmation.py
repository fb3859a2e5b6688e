"""What the ledger keeps of an operation that was carried out: plain values, made by the kind of operation.

What depends on how a row stands in the transaction that ends the operation is a pure function of that row's
record; it does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.operation import Operation
from syncd.domain.operation.rendered import Rendered
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.decisions import MailToLead
from syncd.policy.case import DutyIssueState, TicketState


@dataclass(frozen=True)
class NewTicket:
    """The ticket that was made, and what both sides agree on from its birth."""

    issue_id: str
    key: str
    agreed: dict[str, JsonValue]
    refused: list[str]
    written_seq: int


@dataclass(frozen=True)
class NewPostmortem:
    """The postmortem that was made, and what is agreed on from its birth."""

    issue_id: str
    key: str
    agreed: dict[str, JsonValue]
    written_seq: int


@dataclass(frozen=True)
class NewActionItem:
    """The action item that was made; a poll may have stored it before its answer came."""

    issue_id: str
    key: str
    source: str
    facts: dict[str, JsonValue]


@dataclass(frozen=True)
class NewPair:
    """A note and the comment that says the same, or one of our own, which has no other side."""

    origin: str
    note_id: str | None
    comment_id: str | None
    note_hash: str | None
    comment_hash: str | None


@dataclass(frozen=True)
class Rewritten:
    """Which version of the original a copy stands for from now on, and how the copy reads.

    `copied` None: the copy stays as it was. `left` is why it was not written.
    """

    version: str
    copied: str | None = None
    left: str | None = None


@dataclass(frozen=True)
class Event:
    """An audit event; without an `issue` it is about the one that is changed."""

    kind: str
    data: dict[str, JsonValue] = field(default_factory=dict)
    issue: str | None = None


@dataclass(frozen=True)
class NoticeChange:
    """A change notice for the operation's incident; `ticket`: it is the ticket that is to be read."""

    why: str
    read_seq: int = 0
    ticket: bool = False


@dataclass(frozen=True)
class Untold:
    """The security lead has to hear why a restricted issue has no level.

    `mail`: given the incident, the mail to its team's lead and the version of its mapping; None: no mail.
    """

    why: str
    mail: Callable[[IncidentRecord], MailToLead | None]


@dataclass(frozen=True)
class Change:
    """What changes in an issue that stands on record: the values of its row, and what is said about it.

    `add` is a once-operation to record; `incident_written` is the moment of a write to the incident.
    """

    values: dict[str, Any]
    event: Event | None = None
    look: NoticeChange | None = None
    add: Operation | None = None
    incident_written: int | None = None


New = NewTicket | NewPostmortem | NewActionItem | NewPair


@dataclass(frozen=True)
class Confirmation:
    """What the ledger stores in the transaction that ends an operation.

    `ticket` is applied to the incident's ticket, `both` to it with whether the incident is restricted,
    `duty_issue` to the postmortem or action item that the operation is about; each where it is on record.
    `public`: whether our comment is shown to customers, where that matters. `report` is the team and week
    of a report that left. `rendered` replaces what the operation was rendered to.
    """

    made: New | None = None
    look: NoticeChange | None = None
    untold: Untold | None = None
    ticket: Callable[[TicketState], Change] | None = None
    both: Callable[[TicketState, bool], Change] | None = None
    duty_issue: Callable[[DutyIssueState], Change] | None = None
    rewritten: Rewritten | None = None
    event: Event | None = None
    public: bool | None = None
    report: tuple[str | None, str] | None = None
    rendered: Rendered | None = None
