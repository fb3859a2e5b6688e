"""What every kind of write has in common, as the executor sees it.

`render` turns what is meant into the request's data, once, when the operation leaves for the first
time. `send` sends exactly one request. `confirmation` says what the ledger stores in the transaction that
ends the operation. `find_outcome` asks the service whether the operation was carried out; only
once-operations have it, since a state operation whose outcome is unknown is decided anew from a fresh read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import OperationBase
from syncd.domain.operation.rendered import Rendered
from syncd.domain.ticket import Mark
from syncd.engine.context import EngineContext
from syncd.engine.errors import DecideAgain
from syncd.engine.rulebook import book_for
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import snapshots
from syncd.ledger.store.audit import last_event
from syncd.ledger.store.confirmation import Change, Confirmation, Event
from syncd.ledger.store.confirming import duty_issue_of
from syncd.ledger.store.leaving import Basis, Leaving, basis_of
from syncd.ledger.store.loading import read
from syncd.policy.case import DutyIssueState, ItemState, PostmortemState, Rulebook, TicketState
from syncd.remote.errors import NotDone, RemoteError

R = TypeVar("R", bound=Rendered)
Failure = TypeVar("Failure", bound=RemoteError)


@dataclass(frozen=True)
class Outcome:
    """What the service named: an id, and what the confirmation wants to keep.

    `key` is the issue's, `text_hash` that of the text as it stands. `public`: customers see the comment,
    None where that does not matter. `left` is why nothing was written. `facts` are kept of an action item
    that an earlier ledger made.
    """

    remote_id: str
    key: str = ""
    text_hash: str | None = None
    public: bool | None = None
    left: str | None = None
    facts: dict[str, JsonValue] | None = None


class OperationKind(Protocol[R]):
    """One kind of operation: how it is rendered, sent, confirmed and found again."""

    needs_probe_from: bool
    """Whether a claim must carry `probe_from`."""
    findable: bool
    """Whether what was carried out can be looked up afterwards."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> R:
        """The request's data, from what was known just now.

        Raises `CannotRender`, `DecideAgain`, `NotYet` or `RemoteError`.
        """
        ...

    def complete(self, context: EngineContext, operation: OperationRecord, rendered: R) -> R:
        """What is sent: the rendered data with what must not be kept in the ledger; raises as `render`."""
        ...

    def told_with(self, operation: OperationRecord, rendered: R) -> list[Leaving]:
        """Return the operations that the same request carries out; they end as this one does."""
        ...

    def send(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome:
        """Send one request; raises `NotDone` or `Unknown`."""
        ...

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """What the ledger stores in the transaction that ends the operation; no I/O."""
        ...

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Keep in memory what its success tells, before it is confirmed."""
        ...

    def changed_by(self, operation: OperationRecord, error: NotDone) -> OperationBase | None:
        """Return the operation after a refusal: its next attempt may do otherwise; None: the same."""
        ...

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """What was carried out of an operation with unknown outcome; None: nothing can be seen.

        Raises `RemoteError` where this look tells nothing.
        """
        ...

    def done_before(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome | None:
        """What an earlier ledger carried out of it, which has the same mark; None: nothing can be seen.

        Asked of once-operations that never left, for incidents older than this ledger; raises `RemoteError`.
        """
        ...

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Which refused fields the request can do without; they are left out of the next rendering."""
        ...


class BaseKind(Generic[R]):
    """Defaults: nothing to probe, nothing optional, no look."""

    needs_probe_from = False
    findable = True

    def complete(self, context: EngineContext, operation: OperationRecord, rendered: R) -> R:
        """Nothing is held back."""
        return rendered

    def told_with(self, operation: OperationRecord, rendered: R) -> list[Leaving]:
        """It is alone."""
        return []

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Nothing but the operation's end."""
        return Confirmation()

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Nothing."""

    def changed_by(self, operation: OperationRecord, error: NotDone) -> OperationBase | None:
        """The same."""
        return None

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """State operations are decided anew instead of being looked up."""
        raise DecideAgain

    def done_before(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome | None:
        """A look tells, but not a create's, which needs to know where it began."""
        return self.find_outcome(context, operation) if self.findable and not self.needs_probe_from else None

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Every field of the request is needed."""
        return []


def mark_of(context: EngineContext, operation: OperationRecord) -> Mark:
    """The mark that what this operation makes will bear."""
    return Mark(
        op=operation.op, kind=operation.kind, incident=operation.incident_id, instance=context.ledger.instance
    )


def is_restricted(context: EngineContext, operation: OperationRecord) -> bool:
    """Return True if the operation's incident is restricted by now."""
    return snapshots.is_restricted(context.ledger, operation.incident_id)


def shown(context: EngineContext, operation: OperationRecord, error: Failure) -> Failure:
    """A failure as it may be kept and logged: of a restricted incident, without the service's words."""
    return error.without_words() if is_restricted(context, operation) else error


def ticket_of(context: EngineContext, operation: OperationRecord) -> TicketState:
    """Return the ticket of the operation's incident; raise `DecideAgain` where there is none yet."""
    return there(read(context.ledger, TicketState, operation.incident_id))


def there(ticket: TicketState | None) -> TicketState:
    """Return a ticket that is on record; raise `DecideAgain` where there is none yet."""
    if ticket is None:
        raise DecideAgain
    return ticket


def incident_and_book(context: EngineContext, operation: OperationRecord) -> tuple[Incident, Rulebook]:
    """The operation's incident as it stands in the ledger now, and the rulebook of its team.

    Raises `DecideAgain` where no mapping claims it any more, and what `book_for` raises.
    """
    return book_of_basis(context, basis_of(context.ledger, operation.incident_id))


def book_of_basis(context: EngineContext, basis: Basis, *, home: bool = False) -> tuple[Incident, Rulebook]:
    """The incident as it was read, and the rulebook of its team; `home`: see `book_for`.

    Raises `DecideAgain` where no mapping claims it any more, and what `book_for` raises.
    """
    if basis.incident is None:
        raise DecideAgain
    book = book_for(context, basis.incident, home=home)
    if book is None:
        raise DecideAgain
    return Incident.model_validate(basis.incident.snapshot), book


def retried_at(context: EngineContext, operation: OperationRecord) -> datetime | None:
    """When somebody last sent the parked operation on its way again (UTC), None if nobody did."""
    return last_event(context.ledger, "operation.retried", operation.id)


def duty_issue_for(context: EngineContext, operation: OperationRecord) -> DutyIssueState:
    """Return the postmortem or action item that an operation is about.

    Raises `DecideAgain` where it is not on record yet.
    """
    issue = duty_issue_of(context.ledger, operation)
    if issue is None:
        raise DecideAgain
    return issue


def agreed_on(duty_issue: DutyIssueState, agreed: dict[str, JsonValue]) -> dict[str, Any]:
    """What is kept of what was agreed on by a write of ours: on an action item it stands among its facts."""
    if not agreed:
        return {}
    if isinstance(duty_issue, ItemState):
        return {"facts": {**duty_issue.facts, **agreed}}
    return {"agreed": {**duty_issue.agreed, **agreed}}


def written(
    duty_issue: DutyIssueState, seq: int, what: str, data: dict[str, JsonValue], **values: Any
) -> Change:
    """Return what is stored of a confirmed write of ours: reads count only after `seq`."""
    whose = "postmortem" if isinstance(duty_issue, PostmortemState) else "item"
    return Change({**values, "written_seq": seq}, Event(f"{whose}.{what}", data))
