"""Load the facts for a decision on one incident, as values, in one transaction.

The engine builds the case for policy from these facts. No rule is judged here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BindParameter, bindparam, literal
from sqlalchemy import select as columns
from sqlmodel import Session, col

from syncd.domain.base import JsonValue
from syncd.domain.duty import Duty, Waiver
from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import KEYS
from syncd.domain.operation import EditTicket, Kind, OperationClass
from syncd.domain.operation.base import object_of_ticket
from syncd.domain.operation.keys import POSTS
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import ChangeNotice
from syncd.ledger.store.key_values import hears_status_updates_in
from syncd.ledger.store.loaded_rules import changed_rules
from syncd.ledger.store.loading import get, load, record_of, select_records
from syncd.ledger.store.lookups import (
    IncidentOnRecord,
    Tables,
    incident_on_record_in,
    items_in,
    open_operations_in,
)
from syncd.ledger.store.mails import mail_kind
from syncd.ledger.store.membership import on_record_among
from syncd.ledger.store.operation_states import is_spent
from syncd.ledger.store.postmortems import (
    duties_of,
    earlier_duties_of,
    merged_source_rows,
    waivers_of,
)
from syncd.ledger.store.tables import (
    ActionItemRow,
    DutyRow,
    IncidentRow,
    MirrorLinkRow,
    OperationRow,
    PersonRow,
    PostmortemRow,
    TicketRow,
    UnseenWriteRow,
    WaiverRow,
)
from syncd.ledger.store.unseen_writes import unseen_in
from syncd.policy.case import IssueState, ItemState, MergeTarget, MirrorPair, PostmortemState, TicketState
from syncd.policy.communications.texts import ready_texts
from syncd.policy.postmortem.waiver_labels import LABEL
from syncd.policy.ticket.fields import shown_values
from syncd.policy.ticket.unseen_writes import unseen_of

Person = tuple[str, str]
"""An address and the project in which its account was looked up."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The facts that a team's rules need beyond the incident itself.

    `two_way`: syncd also takes changes over from Jira, so writes of unknown outcome always matter. `hears`:
    the team has a chat channel, so it matters if the webhook tells of status updates.
    """

    team: str
    two_way: bool
    approvers: tuple[Person, ...] = ()
    customer_approvers: tuple[Person, ...] = ()
    owner: Person | None = None
    hears: bool = False


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """The facts of one incident when a decision is made.

    `operations` are the open ones, `once` the keys of all once-operations. `mails` are the operations that
    sent or send mails or posts, also those of merged incidents. `near` are the issues on record that the
    ticket and the postmortem name. `approvers` is None if syncd has not looked up one of them. `unseen`: see
    `Case`. `changed_rules` are the changes of the team's rules, if it was ever resolved.
    `earlier_duties`: see `Case`. `unclaimed_targets` are the incidents into which it was merged and that no
    mapping claims.
    """

    incident: IncidentRecord
    ticket: TicketState | None
    notices: tuple[ChangeNotice, ...]
    operations: tuple[OperationRecord, ...]
    once: frozenset[str]
    pairs: tuple[MirrorPair, ...]
    merged_from: tuple[str, ...]
    merged_into: MergeTarget | None
    attempted: dict[str, JsonValue]
    postmortem: PostmortemState | None
    items: tuple[ItemState, ...]
    duties: tuple[Duty, ...]
    waivers: tuple[Waiver, ...]
    merged_sources: tuple[IncidentRecord, ...]
    earlier_duties: tuple[Duty, ...]
    unclaimed_targets: frozenset[str]
    mails: tuple[OperationRecord, ...]
    near: frozenset[str]
    approvers: frozenset[str] | None
    customer_approvers: dict[str, dict[str, Any] | None]
    owner_known: bool
    owner: dict[str, Any] | None
    unseen: dict[str, bool]
    changed_rules: dict[str, object]
    hears_status_updates: bool


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """The facts of an incident for its notices alone; `once` are the keys of all its operations."""

    incident: IncidentRecord
    ticket: TicketState | None
    operations: tuple[OperationRecord, ...]
    once: frozenset[str]
    merged_from: tuple[str, ...]
    merged_sources: tuple[IncidentRecord, ...]
    mails: tuple[OperationRecord, ...]


def load_case(
    ledger: Transactions, incident_id: str, wanted: Wanted, at_hand: IncidentOnRecord | None = None
) -> CaseFacts | None:
    """Return the facts for a decision on an incident, None if the incident is not on record.

    `at_hand` is what the caller has just read of it: it is not read again.
    """
    with ledger.read() as session:
        # the caller has read it in one transaction just now
        on_record = at_hand or incident_on_record_in(session, incident_id)
        if on_record.incident is None:
            return None
        return _facts(session, on_record.incident, on_record, wanted)


def load_notices(ledger: Transactions, incident_id: str, open_mails: Collection[str]) -> NoticeFacts | None:
    """Return the facts for an incident's notices, None if the incident is not on record.

    Of the open operations only mails of the kinds `open_mails` are returned.
    """
    with ledger.read() as session:
        on_record = incident_on_record_in(session, incident_id)
        incident, tables = on_record.incident, on_record.tables
        if incident is None:
            return None
        keys = _keys(session, incident_id, tables)
        all_sources = merged_sources_in(session, incident_id) if IncidentRow in tables else ()
        return NoticeFacts(
            incident=incident,
            ticket=on_record.ticket,
            operations=tuple(
                operation
                for operation in _open_operations(session, incident_id, tables)
                if mail_kind(operation) in open_mails
            ),
            once=keys,
            merged_from=_merged_from(session, incident_id, tables),
            merged_sources=all_sources,
            mails=_mails(session, incident_id, keys, all_sources),
        )


def _facts(
    session: Session, incident: IncidentRecord, on_record: IncidentOnRecord, wanted: Wanted
) -> CaseFacts:
    ident = incident.id
    # most incidents have rows in few tables: the others are not read
    ticket, tables, whose = on_record.ticket, on_record.tables, {"incident": ident}
    if ticket is None:
        # another thread may have stored the ticket since the caller read the incident
        ticket = get(session, TicketState, ident)
    once = _keys(session, ident, tables, once=True)
    all_sources = merged_sources_in(session, ident) if IncidentRow in tables else ()
    postmortem = get(session, PostmortemState, ident) if PostmortemRow in tables else None
    # only an action item without an owner goes to the service's
    owner = _account(session, wanted.owner) if ActionItemRow in tables else None
    items = items_in(session, ident) if ActionItemRow in tables else ()
    return CaseFacts(
        incident=incident,
        ticket=ticket,
        notices=on_record.notices,
        operations=_open_operations(session, ident, tables),
        once=once,
        pairs=tuple(load(session, MirrorPair, _PAIRS, whose)) if MirrorLinkRow in tables else (),
        merged_from=_merged_from(session, ident, tables),
        merged_into=_merge_target(session, incident.merged_into),
        attempted=_attempted(session, ticket, wanted.two_way) if ticket else {},
        postmortem=postmortem,
        items=items,
        duties=duties_of(session, ident) if DutyRow in tables else (),
        waivers=waivers_of(session, ident) if WaiverRow in tables or all_sources else (),
        merged_sources=all_sources,
        earlier_duties=earlier_duties_of(session, ident, items) if all_sources else (),
        unclaimed_targets=unclaimed_targets(session, incident),
        mails=_mails(session, ident, once, all_sources),
        near=_near(session, (ticket, postmortem)),
        approvers=_approvers(session, wanted.approvers, (postmortem, *items)),
        customer_approvers=_customer_approvers(session, wanted.customer_approvers, ticket),
        owner_known=owner is not None,
        owner=owner[0] if owner is not None else None,
        unseen=unseen_of(unseen_in(session, ident)) if UnseenWriteRow in tables else {},
        hears_status_updates=wanted.hears and hears_status_updates_in(session),
        changed_rules=changed_rules(session, wanted.team) if _was_over(incident) else {},
    )


def _was_over(incident: IncidentRecord) -> bool:
    resolved = incident.status == IncidentStatus.RESOLVED
    return resolved or any(entry["kind"] == "resolve" for entry in incident.log or ())


def _keys(session: Session, incident_id: str, tables: Tables, *, once: bool = False) -> frozenset[str]:
    if OperationRow not in tables:
        return frozenset()
    return frozenset((_ONCE if once else _KEYS).scalars(session, incident=incident_id))


def _open_operations(session: Session, incident_id: str, tables: Tables) -> tuple[OperationRecord, ...]:
    return tuple(open_operations_in(session, incident_id)) if OperationRow in tables else ()


def _merged_from(session: Session, incident_id: str, tables: Tables) -> tuple[str, ...]:
    if IncidentRow not in tables:
        return ()
    return tuple(_SOURCES.scalars(session, incident=incident_id))


def merged_sources_in(session: Session, incident_id: str) -> tuple[IncidentRecord, ...]:
    """Return the incidents that were merged into an incident, then those merged into them, and so on.

    An incident that was opened again since is among them.
    """
    rows = merged_source_rows(session, incident_id, once=True)
    return tuple(record_of(IncidentRecord, row) for row in rows)


def _mails(
    session: Session, incident_id: str, keys: Iterable[str], sources: tuple[IncidentRecord, ...]
) -> tuple[OperationRecord, ...]:
    # most incidents have no mail or post: the keys tell that without another query
    if not sources and not any(key.startswith((KEYS, POSTS)) for key in keys):
        return ()
    return tuple(
        load(
            session, OperationRecord, _MAILS, {"incidents": [incident_id, *(source.id for source in sources)]}
        )
    )


def unclaimed_targets(session: Session, incident: IncidentRecord) -> frozenset[str]:
    """Return the targets of an incident's merges that no mapping claims."""
    targets = {entry["merged_into"] for entry in incident.log or () if entry.get("merged_into")}
    if not targets:
        return frozenset()
    query = columns(col(IncidentRow.id)).where(
        col(IncidentRow.id).in_(targets), col(IncidentRow.team).is_(None)
    )
    return frozenset(session.connection().scalars(query))


def _merge_target(session: Session, target: str | None) -> MergeTarget | None:
    """Return the incident into which this one was merged; one that was never read counts as claimed."""
    if target is None:
        return None
    row = _TARGET.first(session, incident=target)
    if row is None:
        return MergeTarget(id=target)
    number, team, issue_id = row
    return MergeTarget(id=target, number=number, claimed=team is not None, has_ticket=issue_id is not None)


def _attempted(session: Session, ticket: TicketState, two_way: bool) -> dict[str, JsonValue]:
    """Return the values that our latest writes of unknown outcome meant to give the ticket.

    They matter only if the ticket is not in the status in which syncd placed it last, or shows a value that
    was not agreed on: that value may come from such a write, and then no person chose it.
    """
    place = object_of_ticket(ticket.incident_id)
    astray = ticket.issue is not None and ticket.issue.status.id != ticket.placed_status
    # read only if needed, since these are two queries for each decision
    edit = outbox.perhaps_done(session, place, "fields") if two_way or _shows_otherwise(ticket) else None
    move = outbox.perhaps_done(session, place, "status") if two_way or astray else None
    to = (move.rendered or {}).get("to") if move else None
    status: dict[str, JsonValue] = {"status": to["id"]} if isinstance(to, dict) else {}
    meant = edit.typed(EditTicket).agree if edit else {}
    return {**meant, **status}


def _shows_otherwise(ticket: TicketState) -> bool:
    issue = ticket.issue
    if issue is None:
        return False
    return any(ticket.agreed.get(name) not in (None, value) for name, value in shown_values(issue).items())


def _near(session: Session, states: Iterable[IssueState | None]) -> frozenset[str]:
    """Return those issues that ticket and postmortem name which are on record."""
    near: set[str] = set()
    for state in states:
        if state is not None and state.issue is not None:
            near.update(state.issue.subtasks)
            near.update(link.other_id for link in state.issue.links)
    return frozenset(on_record_among(session, near)) if near else frozenset()


def _approvers(
    session: Session, people: tuple[Person, ...], waivable: Iterable[IssueState | None]
) -> frozenset[str] | None:
    """Return the approvers' account ids, None if no label asks for a waiver or one was not looked up yet."""
    issues = [state.issue for state in waivable if state is not None and state.issue is not None]
    # nobody set the label, so no account is needed
    if not people or LABEL not in {label.casefold() for issue in issues for label in issue.labels}:
        return None
    accounts = [_account(session, person) for person in people]
    if any(account is None for account in accounts):
        return None
    return frozenset(str(account[0]["id"]) for account in accounts if account and account[0])


def _customer_approvers(
    session: Session, people: tuple[Person, ...], ticket: TicketState | None
) -> dict[str, dict[str, Any] | None]:
    """Return the accounts of those who approve texts, by address; empty before all were looked up."""
    # without a text nobody has to approve one, so no account is needed
    if ticket is None or not ready_texts(ticket.agreed).made:
        return {}
    accounts = {person[0]: _account(session, person) for person in people}
    if any(account is None for account in accounts.values()):
        return {}
    return {address: account[0] for address, account in accounts.items() if account}


def _account(session: Session, person: Person | None) -> tuple[dict[str, Any] | None] | None:
    """Return a person's account in a tuple of one, None if syncd never looked it up."""
    if person is None:
        return None
    # a tuple, because the account itself may be None: Jira knows nobody
    return cast(
        tuple[dict[str, Any] | None] | None, _ACCOUNT.first(session, email=person[0], project=person[1])
    )


_WHOSE: BindParameter[str] = bindparam("incident")
_OF_WHOM = col(OperationRow.incident_id) == _WHOSE
_KEYS_OF = columns(col(OperationRow.key)).where(_OF_WHOM)
_KEYS = Prepared(_KEYS_OF)
_ONCE = Prepared(_KEYS_OF.where(col(OperationRow.op_class) == OperationClass.ONCE, is_spent()))
_MAILS = (
    select_records(OperationRecord)
    .where(
        col(OperationRow.incident_id).in_(bindparam("incidents", expanding=True)),
        col(OperationRow.kind).in_([literal(str(kind)) for kind in (Kind.SEND_MAIL, Kind.POST_CHAT)]),
    )
    .order_by(col(OperationRow.id))
)
_PAIRS = Prepared(
    select_records(MirrorPair).where(col(MirrorLinkRow.incident_id) == _WHOSE).order_by(col(MirrorLinkRow.id))
)
_SOURCES = Prepared(
    columns(col(IncidentRow.id))
    .where(col(IncidentRow.merged_into) == _WHOSE)
    .order_by(col(IncidentRow.number))
)
_TARGET = Prepared(
    columns(col(IncidentRow.number), col(IncidentRow.team), col(TicketRow.issue_id))
    .select_from(IncidentRow)
    .join(TicketRow, col(TicketRow.incident_id) == col(IncidentRow.id), isouter=True)
    .where(col(IncidentRow.id) == _WHOSE)
)
_ACCOUNT = Prepared(
    columns(col(PersonRow.account)).where(
        col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == bindparam("project")
    )
)
