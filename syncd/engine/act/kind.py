"""The interface that each kind of write implements for the executor.

`render` turns the decision into the request's data, once, when the operation leaves for the first time.
`send` sends exactly one request. `confirmation` returns what the ledger stores in the transaction that ends
the operation. `find_outcome` asks the service whether it carried the operation out. Only once-operations have
it: syncd decides a state operation with an unknown outcome anew from a fresh read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from syncd.domain.base import JsonValue
from syncd.domain.incident import Incident
from syncd.domain.operation import CreateRecurring, OperationBase, OperationClass, Target
from syncd.domain.operation.rendered import Rendered
from syncd.domain.ticket import Issue, Mark
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
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown

R = TypeVar("R", bound=Rendered)
Failure = TypeVar("Failure", bound=RemoteError)


@dataclass(frozen=True)
class Outcome:
    """The service's answer to a write: the object's id, and what the confirmation stores.

    `key` is the issue's key, `text_hash` the hash of the text as the service shows it. `public`: customers
    see the comment; None where that does not matter. `left` is the reason why syncd wrote nothing. `facts`
    are the stored facts of an action item that an earlier ledger created. `at` is when a note was written,
    by PagerDuty's clock (UTC).
    """

    remote_id: str
    key: str = ""
    text_hash: str | None = None
    public: bool | None = None
    left: str | None = None
    facts: dict[str, JsonValue] | None = None
    at: datetime | None = None


class OperationKind(Protocol[R]):
    """One kind of operation: how it is rendered, sent, confirmed and found again."""

    needs_probe_from: bool
    """True if a claim must carry `probe_from`, the issue number after which a lost create is searched."""
    findable: bool
    """True if syncd can look up afterwards whether the operation was carried out."""

    def render(self, context: EngineContext, operation: OperationRecord, basis: Basis) -> R:
        """Return the request's data, made from a fresh read of the ledger.

        Raise `CannotRender`, `DecideAgain`, `NotYet` or `RemoteError`.
        """
        ...

    def complete(self, context: EngineContext, operation: OperationRecord, rendered: R) -> R:
        """Return the request with the texts that the ledger must not keep; raise as `render`."""
        ...

    def told_with(self, operation: OperationRecord, rendered: R) -> list[Leaving]:
        """Return the operations that the same request carries out; they end as this one does."""
        ...

    def send(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome:
        """Send one request; raise `NotDone` or `Unknown`."""
        ...

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Return what the ledger stores in the transaction that ends the operation; do no I/O."""
        ...

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Keep in memory what the success teaches, before the confirmation."""
        ...

    def changed_by(self, operation: OperationRecord, error: NotDone) -> OperationBase | None:
        """Return the operation as its next attempt has to be after a refusal; None: unchanged."""
        ...

    def fill_demanded(
        self, context: EngineContext, operation: OperationRecord, error: NotDone
    ) -> OperationBase | None:
        """Return the operation as it has to be to fill the fields that a refusal demands; None: it cannot."""
        ...

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Return the outcome of an operation that nobody answered, None where the service shows nothing of
        it.

        Raise `RemoteError` where this look tells nothing.
        """
        ...

    def after_unknown(self, context: EngineContext, operation: OperationRecord) -> bool:
        """Return True if an operation that nobody can look up leaves once more; else end it."""
        ...

    def done_before(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome | None:
        """Return the outcome that an earlier ledger left with the same mark, None where the service shows
        none (proved by `believed`), or where nothing is looked up.

        Called for once-operations that did not leave in this run, of incidents older than this ledger; for
        texts, of incidents older than this start. Raise `RemoteError`.
        """
        ...

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Return the refused fields that the request can do without; the next rendering leaves them out."""
        ...


class BaseKind(Generic[R]):
    """The defaults: no `probe_from`, no optional fields, no look for the outcome."""

    needs_probe_from = False
    findable = True

    def complete(self, context: EngineContext, operation: OperationRecord, rendered: R) -> R:
        """Return the rendered request: it holds back no text."""
        return rendered

    def told_with(self, operation: OperationRecord, rendered: R) -> list[Leaving]:
        """Return nothing: the request carries out one operation."""
        return []

    def confirmation(
        self, context: EngineContext, operation: OperationRecord, outcome: Outcome
    ) -> Confirmation:
        """Return a confirmation that stores only the operation's end."""
        return Confirmation()

    def learn(self, context: EngineContext, operation: OperationRecord, outcome: Outcome) -> None:
        """Keep nothing."""

    def changed_by(self, operation: OperationRecord, error: NotDone) -> OperationBase | None:
        """Return None: the next attempt is the same."""
        return None

    def fill_demanded(
        self, context: EngineContext, operation: OperationRecord, error: NotDone
    ) -> OperationBase | None:
        """Return None: the request has no fields to fill."""
        return None

    def find_outcome(self, context: EngineContext, operation: OperationRecord) -> Outcome | None:
        """Raise `DecideAgain`: syncd decides a state operation anew instead of looking it up."""
        raise DecideAgain

    def after_unknown(self, context: EngineContext, operation: OperationRecord) -> bool:
        """Raise `LookupError`: syncd looks this operation up."""
        raise LookupError(operation.kind)

    def done_before(self, context: EngineContext, operation: OperationRecord, rendered: R) -> Outcome | None:
        """Return what `find_outcome` shows; None for a create, whose search needs its `probe_from`."""
        if not self.findable or self.needs_probe_from:
            return None
        return believed(context, operation, self.find_outcome(context, operation))

    def drop_refused(self, operation: OperationRecord, refused: dict[str, str]) -> list[str]:
        """Return nothing: the request needs each of its fields."""
        return []


def look_back(context: EngineContext, issue_id: str, arrived: Callable[[Issue], bool], what: str) -> None:
    """Read an issue by its id after a write that must have arrived before anything else leaves.

    Raise `NotDone` where the issue does not show it, and `Unknown` where the look tells nothing.
    """
    request = f"{what} of issue {issue_id}"
    try:
        issues = context.services.jira.fetch_by_id(issue_id).issues
    except RemoteError as error:
        raise Unknown("jira", request, error.cause, error.message, status=error.status) from error
    # a security level may have hidden the issue from us
    if not issues:
        raise Unknown("jira", request, Cause.MISSING, "Jira does not show the issue any more")
    if not arrived(issues[0]):
        raise NotDone("jira", request, Cause.NO_EFFECT)


def was_unknown(context: EngineContext, kind: OperationKind[Any], operation: OperationRecord) -> bool:
    """Return True if an earlier attempt may have been carried out although no look has shown it.

    The operation is looked up before each later attempt, also after it was parked and retried: a look may
    have missed what a lost right or a lagging index hid.
    """
    if operation.op_class != OperationClass.ONCE or not operation.attempts or not kind.findable:
        return False
    return last_event(context.ledger, "operation.unknown", operation.id) is not None


def look_up(context: EngineContext, kind: OperationKind[Any], operation: OperationRecord) -> Outcome | None:
    """Return what the service shows of an operation; None only where the look proved our login.

    Raise `RemoteError` where this look tells nothing.
    """
    return believed(context, operation, kind.find_outcome(context, operation))


def believed(context: EngineContext, operation: OperationRecord, outcome: Outcome | None) -> Outcome | None:
    """Return what a look showed; prove our login first if it showed nothing. Raise `RemoteError`."""
    if outcome is None and operation.target == Target.JIRA:
        context.services.jira.prove_login()
    return outcome


def done_by_an_earlier_ledger(
    context: EngineContext,
    kind: OperationKind[Any],
    operation: OperationRecord,
    rendered: Rendered,
    basis: Basis,
) -> Outcome | None:
    """Return the outcome that a lost ledger left at the service, None where our mark is not found.

    The same key derives the same mark in each ledger. Tickets and postmortems are adopted before syncd
    decides (`earlier_ledger.adopt_tickets`, `earlier_ledger.rebuild_duties`).
    """
    # after a first attempt this run looks up its own outcome (`unknown_outcomes`)
    if operation.op_class != OperationClass.ONCE or operation.instance == context.ledger.run_name:
        return None
    began = _began_at(operation, basis)
    if began is None:
        return None
    # an older file that lacks an issue is seen by the issue's number, one that lacks a text is not
    lacks_text = not kind.needs_probe_from and context.predates_start(began)
    if not lacks_text and not context.predates_ledger(began):
        return None
    return kind.done_before(context, operation, rendered)


def _began_at(operation: OperationRecord, basis: Basis) -> datetime | None:
    """Return when what an operation is about began (UTC), None where it is about no incident."""
    create = operation.operation
    if isinstance(create, CreateRecurring):
        return create.since
    return basis.incident.created_at if basis.incident is not None else None


def mark_of(context: EngineContext, operation: OperationRecord) -> Mark:
    """Return the mark for the issue, comment or note that this operation creates."""
    return Mark(
        op=operation.op, kind=operation.kind, incident=operation.incident_id, instance=context.ledger.instance
    )


def is_restricted(context: EngineContext, operation: OperationRecord) -> bool:
    """Return True if the operation's incident is restricted by now."""
    return snapshots.is_restricted(context.ledger, operation.incident_id)


def shown(context: EngineContext, operation: OperationRecord, error: Failure) -> Failure:
    """Return a failure as syncd may store and log it: of a restricted incident, without the service's words.

    A service may quote the incident's title in its error.
    """
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
    """Return the operation's incident as it stands in the ledger now, and the rulebook of its team.

    Raise `DecideAgain` where no mapping claims the incident any more, and what `book_for` raises.
    """
    return book_of_basis(context, basis_of(context.ledger, operation.incident_id))


def book_of_basis(context: EngineContext, basis: Basis, *, home: bool = False) -> tuple[Incident, Rulebook]:
    """Return the incident of a basis, and the rulebook of its team; `home`: see `book_for`.

    Raise `DecideAgain` where no mapping claims the incident any more, and what `book_for` raises.
    """
    if basis.incident is None:
        raise DecideAgain
    book = book_for(context, basis.incident, home=home)
    if book is None:
        raise DecideAgain
    return basis.incident.as_read, book


def retried_at(context: EngineContext, operation: OperationRecord) -> datetime | None:
    """Return when an operator last retried the parked operation (UTC), None if never."""
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
    """Return the columns that keep what a write agreed on: an action item keeps it among its facts."""
    if not agreed:
        return {}
    if isinstance(duty_issue, ItemState):
        return {"facts": {**duty_issue.facts, **agreed}}
    return {"agreed": {**duty_issue.agreed, **agreed}}


def written(
    duty_issue: DutyIssueState, seq: int, verb: str, data: dict[str, JsonValue], **values: Any
) -> Change:
    """Return what the ledger stores of a confirmed write: only reads that began after `seq` count."""
    whose = "postmortem" if isinstance(duty_issue, PostmortemState) else "item"
    return Change({**values, "written_seq": seq}, Event(f"{whose}.{verb}", data))
