"""The changes that an operation brings when it was carried out: plain values, made by its kind.

A change that depends on a row, as the row is in the transaction that ends the operation, is a pure function
of the row's record and does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.operation import Operation
from syncd.domain.operation.rendered import Rendered
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.decisions import MailToLead
from syncd.policy.case import DutyIssueState, TicketState


@dataclass(frozen=True)
class NewTicket:
    """A new ticket, and what syncd and Jira agree on from its birth."""

    issue_id: str
    key: str
    agreed: dict[str, JsonValue]
    refused: list[str]
    written_seq: int


@dataclass(frozen=True)
class NewPostmortem:
    """A new postmortem, and what syncd and Jira agree on from its birth."""

    issue_id: str
    key: str
    agreed: dict[str, JsonValue]
    written_seq: int


@dataclass(frozen=True)
class NewActionItem:
    """A new action item; a poll may have stored it before the answer to the create came.

    `team` is set for the issue of a recurring duty.
    """

    issue_id: str
    key: str
    source: str
    facts: dict[str, JsonValue]
    team: str | None = None


@dataclass(frozen=True)
class NewPair:
    """A note and its mirrored comment, or a note or comment of syncd itself, which is not mirrored."""

    origin: str
    note_id: str | None
    comment_id: str | None
    note_hash: str | None
    comment_hash: str | None


@dataclass(frozen=True)
class Rewritten:
    """The version of the original that a copy follows now, and the hash of the copy (`copied`).

    `copied` None: the copy stays as it was. `left` is why the copy was not written.
    """

    version: str
    copied: str | None = None
    left: str | None = None


@dataclass(frozen=True)
class Event:
    """An audit event; without an `issue` it is about the issue that is changed."""

    kind: str
    data: dict[str, JsonValue] = field(default_factory=dict)
    issue: str | None = None


@dataclass(frozen=True)
class NoticeChange:
    """A change notice for the operation's incident; `ticket`: read the ticket, not the incident."""

    why: str
    read_seq: int = 0
    ticket: bool = False


@dataclass(frozen=True)
class Untold:
    """A restricted issue without a security level, which the security lead must hear of.

    `mail`: given the incident, return the mail to its team's lead and the version of its mapping, None
    without a mail.
    """

    why: str
    mail: Callable[[IncidentRecord], MailToLead | None]


@dataclass(frozen=True)
class Change:
    """A change of an issue on record: the new values of its row, an audit event, a change notice.

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
    """All changes that the ledger stores in the transaction that ends an operation.

    `ticket` is applied to the incident's ticket. `both` is applied to the ticket, with True if the incident
    is restricted. `duty_issue` is applied to the postmortem or action item of the operation. Each is skipped
    if its row is not on record. `public`: True if customers can see our comment, None if it need not be
    hidden. `report` is the team and week of a report that left. `rendered` replaces the rendered request.
    `to_see`: a later read has to show what was written; False if nothing was. `noted_at` is when our note
    changed the incident, by PagerDuty's clock (UTC).
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
    to_see: bool = True
    noted_at: datetime | None = None
