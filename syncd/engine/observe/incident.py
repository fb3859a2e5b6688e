"""Read one incident afresh, as far as its change notices ask for it: the incident, its ticket, notes,
comments.

An incident that syncd cannot read holds up neither the others of its page nor the service: syncd records it
once and reads it again by its id, at once and then ever less often. Its stored snapshot counts meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.domain.incident import Incident, IncidentStatus
from syncd.domain.mapping.mapping import Coexist
from syncd.engine.context import EngineContext
from syncd.engine.observe.elsewhere import by_our_clock
from syncd.engine.observe.issues import PAGE, read_page
from syncd.engine.observe.masking import storage_rules
from syncd.engine.observe.notes_and_comments import read_comments, read_notes
from syncd.engine.observe.other_tools import take_other_tools_ticket
from syncd.engine.rulebook import book_at
from syncd.engine.runtime.troubles import READ_NOTES, READ_TICKET
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store import troubles
from syncd.ledger.store.change_queue import ChangeNotice
from syncd.ledger.store.decisions import drop_notices
from syncd.ledger.store.lookups import IncidentOnRecord, display_name, find_incident, find_ticket
from syncd.ledger.store.names import log_about
from syncd.ledger.store.outbox import in_doubt
from syncd.ledger.store.pages import restrict_for_now, store_incident, store_ticket, store_tickets
from syncd.ledger.store.troubles import INCIDENT
from syncd.ledger.store.unread_tickets import unread_tickets
from syncd.policy.case import Rulebook, TicketState
from syncd.policy.restricted import STUB, UNREAD, lacks_facts


@dataclass
class Seen:
    """One incident as syncd sees it now.

    `at_hand` is the ledger's data if no read has changed it since, else None. `just_made`: since the last
    decision nothing happened but that its ticket was made. `wake` are other incidents that need a decision
    because of it. `operations` are its open operations after the decision, None before.
    """

    incident: Incident
    book: Rulebook
    row: IncidentRecord
    at_hand: IncidentOnRecord | None
    just_made: bool = False
    wake: set[str] = field(default_factory=set)
    operations: Sequence[OperationRecord] | None = None


def observe(context: EngineContext, incident_id: str) -> Seen | None:
    """Read the parts that are not fresh enough; return the incident, None where no team claims it.

    Raise `RemoteError` where a service cannot answer.
    """
    stored = find_incident(context.ledger, incident_id)
    row, ticket = stored.incident, stored.ticket
    change_notices = [by_our_clock(context, notice) for notice in stored.notices]
    needed_seq = max((notice.read_seq for notice in change_notices if not notice.ticket), default=0)
    if row is not None:
        context.check_usable(row.as_read.service, row.team)
    # the stored snapshot is older than the change that the notice tells of
    if row is None or row.read_seq < needed_seq or context.troubles.is_due(incident_id, INCIDENT):
        row = read_incident(context, incident_id) or row
    stands_in = ticket.project if ticket is not None else None
    book = book_at(context, row, stands_in) if row is not None else None
    if row is None or book is None:
        if change_notices:
            drop_notices(context.ledger, change_notices)
        return None
    incident = row.as_read
    if _lacks_something(incident, book):
        row = read_incident(context, incident_id) or _withheld_for_now(context, row, incident, book)
        incident, book = row.as_read, book_at(context, row, stands_in) or book
    noted = context.troubles.is_due(incident_id, READ_NOTES) or any(
        notice.notes and notice.read_seq >= row.notes_read_seq for notice in change_notices
    )
    if noted and not row.restricted:
        read_notes(context, row)
    shared = ticket is None and book.mapping.coexist is Coexist.ADOPT
    # the other tool may have created the ticket by now
    if shared:
        take_other_tools_ticket(context, row)
        ticket = find_ticket(context.ledger, incident_id)
    wake = _know_merge_target(context, incident)
    needed_seq = max((notice.read_seq for notice in change_notices if notice.ticket), default=0)
    asked = ticket is not None and _read_ticket(context, incident, ticket, needed_seq)
    if ticket is not None:
        read_comments(context, ticket)
    fresh = row is stored.incident and not asked and not noted and not shared
    whole = ticket is None or ticket.issue is None or ticket.issue.comments is not None
    at_hand = stored if fresh and whole else None
    just_made = at_hand is not None and bool(change_notices) and all(map(_tells_of_create, change_notices))
    return Seen(incident, book, row, at_hand, just_made, wake)


def _tells_of_create(notice: ChangeNotice) -> bool:
    # every other notice about a ticket asks for a read
    return notice.ticket and not notice.read_seq


def read_incident(context: EngineContext, incident_id: str) -> IncidentRecord | None:
    """Read an incident by its id and store it; return None if PagerDuty does not show it or it cannot be
    read.

    Raise `RemoteError` where PagerDuty cannot answer.
    """
    read_seq = context.ledger.logical_clock.next()

    def ask() -> Incident | None:
        incident = context.services.pagerduty.incident(incident_id)
        context.health.succeeded("pagerduty")
        if incident is None:
            name = display_name(context.ledger, incident_id)
            log_about(context.ledger, incident_id).warning(
                "{}: PagerDuty does not show the incident to us; syncd changes nothing", name
            )
        return incident

    incident = context.troubles.ask(incident_id, INCIDENT, ask, patient=True)
    if incident is None:
        return None
    # this read shows all that there is: an incident without a type or fields has none
    shown = {"incident_type": incident.incident_type or "", "custom_fields": incident.custom_fields or {}}
    incident = incident.model_copy(update=shown)
    return store_incident(context.ledger, storage_rules(context), incident, read_seq, context.clock.now())


def note_unread(context: EngineContext, unread: Mapping[str, str]) -> None:
    """Record incidents of a list that could not be read, by id with the reason; read new ones by id."""
    fresh = {incident_id: why for incident_id, why in unread.items() if not _is_unread(context, incident_id)}
    if not fresh:
        return
    troubles.note_unread(context.ledger, fresh, context.clock.now(), context.ledger.logical_clock.next())
    for incident_id in fresh:
        context.troubles.recorded(incident_id, INCIDENT)


def _is_unread(context: EngineContext, incident_id: str) -> bool:
    return incident_id in context.troubles.whose(INCIDENT)


def note_readable(context: EngineContext, incidents: Iterable[Incident]) -> None:
    """End the trouble of incidents that a list shows as they should be."""
    unread = context.troubles.whose(INCIDENT)
    for incident in incidents:
        if incident.id in unread:
            context.troubles.over(incident.id, INCIDENT)


def _lacks_something(incident: Incident, book: Rulebook) -> bool:
    """Return True if a rule needs a fact that only a read by id shows."""
    fields = book.mapping.severity_field is not None and incident.custom_fields is None
    return fields or (bool(book.mapping.restricted.incident_types) and incident.incident_type is None)


def _withheld_for_now(
    context: EngineContext, row: IncidentRecord, incident: Incident, book: Rulebook
) -> IncidentRecord:
    """Return the incident, restricted for now if what could not be read may restrict it."""
    if row.restricted or not lacks_facts(incident, book.mapping):
        return row
    now = context.clock.now()
    return restrict_for_now(context.ledger, storage_rules(context), row.id, UNREAD, now) or row


def _know_merge_target(context: EngineContext, incident: Incident) -> set[str]:
    """Fetch the merge target if it is unknown; return it if it has no ticket, so that it gets one."""
    target = incident.merged_into
    if target is None:
        return set()
    stored = find_incident(context.ledger, target)
    if stored.incident is None:
        read_incident(context, target)
    return {target} if stored.ticket is None else set()


def _read_ticket(context: EngineContext, incident: Incident, ticket: TicketState, needed_seq: int) -> bool:
    """Read the ticket if a notice asks for it, or if it was never read and has to be moved or filled."""
    # only a read shows that a stub has its security level; then it gets its texts
    stub = ticket.issue is None and ticket.agreed.get(STUB) is True
    never = stub or (ticket.issue is None and incident.status is not IncidentStatus.TRIGGERED)
    due = context.troubles.is_due(incident.id, READ_TICKET)
    if not never and not due and ticket.read_seq >= needed_seq:
        return False
    # after a failed write only a read by id tells if the move was done: a bulk read may lag behind it
    doubted = stub or in_doubt(context.ledger, incident.id, context.clock.now())
    if not doubted and not due and _read_with_others(context, incident, ticket):
        return True
    page = context.troubles.ask(
        incident.id,
        READ_TICKET,
        lambda: read_page(context, [ticket.issue_id], by_id=doubted),
        patient=True,
    )
    if page is None:
        return False
    store_ticket(
        context.ledger,
        storage_rules(context),
        incident.id,
        next(iter(page.issues), None),
        page.read_seq,
        context.clock.now(),
        context.transport.date_of("jira"),
        gone=bool(page.absent),
        by_id=doubted,
    )
    return True


COMPANY = 3
"""Tickets that have to be read at once before one bulk fetch reads them together."""


def _read_with_others(context: EngineContext, incident: Incident, ticket: TicketState) -> bool:
    """Read a ticket in one request with others that wait to be read; return False if it has to go alone."""
    ledger = context.ledger
    if len(unread_tickets(ledger, context.clock.now(), COMPANY)) < COMPANY:
        return False
    with context.shared_reads.tickets:
        stands = find_ticket(ledger, incident.id)
        # another incident's read brought it meanwhile
        if stands is None or stands.read_seq > ticket.read_seq:
            return stands is not None
        ids = unread_tickets(ledger, context.clock.now(), PAGE)
        if ticket.issue_id not in ids:
            return False
        page = read_page(context, ids)
        now, jira_now = context.clock.now(), context.transport.date_of("jira")
        rules = storage_rules(context)
        store_tickets(ledger, rules, page.issues, page.read_seq, now, jira_now, missing=page.absent)
    stands = find_ticket(ledger, incident.id)
    # a lagging answer was not stored, and a ticket that could not be read has its own trouble
    return stands is not None and (stands.read_seq > ticket.read_seq or ticket.issue_id in page.absent)
