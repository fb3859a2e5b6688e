"""A resync: compare ledger, PagerDuty and Jira afresh for a window of time or for some incidents.

syncd reads everything and decides anew on each incident. Lists only name incidents: syncd decides on a read
of each incident and of each ticket by its id, because a list and a bulk read may lag behind, and a repair of
what they show would undo what is right. It repairs what the rules want on fresh facts, so a second run does
nothing. It also decides again on a link of ours that is gone. It lists changes that people made since both
sides agreed, and leaves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from syncd.domain.incident import Incident
from syncd.domain.operation import OperationState
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import build_case
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.observe.earlier_ledger.adopt_tickets import search_for
from syncd.engine.observe.incident import note_unread
from syncd.engine.observe.incident_windows import pagerduty_now, read_created
from syncd.engine.observe.issues import PAGE, read_page
from syncd.engine.observe.masking import storage_rules
from syncd.engine.rulebook import book_for
from syncd.engine.work_queue import WorkQueue
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import holds, jobs
from syncd.ledger.store.change_queue import RESYNC, notice_changes
from syncd.ledger.store.first_load import FirstLoad
from syncd.ledger.store.jobs import Compared
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.pages import store_tickets
from syncd.policy.case import Rulebook, TicketState
from syncd.policy.ticket.before_enforcement import left_in_peace
from syncd.policy.ticket.status import wanted_word
from syncd.remote.errors import RemoteError

AT_ONCE = 50
"""Incidents that are searched for together; one search names the labels of as many."""


class What(StrEnum):
    """The choice of a resync for one incident: repair it, follow a person's change, or leave it."""

    REPAIR = "repair"
    FOLLOW = "follow"
    LEFT = "left"


@dataclass(frozen=True)
class Found:
    """One line of a resync's report."""

    what: What
    incident: str
    ticket: str | None
    reason: str

    def data(self) -> dict[str, Any]:
        """Return the line as plain data."""
        return {
            "what": str(self.what),
            "incident": self.incident,
            "ticket": self.ticket,
            "reason": self.reason,
        }


@dataclass
class ResyncReport:
    """The result of a resync.

    `looked_at` counts the incidents, `in_peace` those that were resolved before `enforce_from`, `unclaimed`
    those of services that no mapping names. `unknown` are the named ones that neither the ledger nor
    PagerDuty shows.
    """

    looked_at: int = 0
    in_peace: int = 0
    unclaimed: int = 0
    unknown: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """Return the report as plain data, for a request's answer."""
        return {
            "looked_at": self.looked_at,
            "in_peace": self.in_peace,
            "unclaimed": self.unclaimed,
            "unknown": self.unknown,
            "found": [line.data() for line in self.found],
        }


@dataclass(frozen=True)
class Scope:
    """The incidents to compare: those created since a time (UTC), or these (id, number or ticket key)."""

    since: datetime | None = None
    incidents: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: dict[str, Any]) -> Scope:
        """Return the scope that a request's arguments name."""
        since = arguments.get("since")
        return cls(
            datetime.fromisoformat(str(since)) if since else None, tuple(arguments.get("incidents", ()))
        )


class Resync:
    """One resync. `work` queues incidents and waits for the workers; `say` gets the progress in words."""

    def __init__(
        self,
        context: EngineContext,
        work_queue: WorkQueue,
        work: Callable[[Sequence[str]], None],
        say: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self._context = context
        self._work_queue = work_queue
        self._work = work
        self._progress = say
        self._report = ResyncReport()
        self._keys: dict[str, str] = {}

    def run(self, scope: Scope) -> ResyncReport:
        """Read all incidents in scope afresh, decide on them, and return the report.

        Raise `RemoteError` where a service cannot answer; the ledger keeps what was read until then.
        """
        ids = list(dict.fromkeys(self._incidents(scope)))
        self._report.looked_at = len(ids)
        tickets = jobs.tickets_of(self._context.ledger, ids)
        self._keys = {ticket.incident_id: ticket.key for ticket in tickets}
        self._read_tickets(tickets)
        self._search(ids)
        if self._context.stop.is_set():
            return self._report
        clock, ledger = self._context.clock, self._context.ledger
        # a list only named them: the workers read each by its id before they decide
        read_since = 0 if scope.incidents else ledger.logical_clock.next()
        notice_changes(ledger, ids, clock.now(), read_since, RESYNC)
        self._progress(f"deciding on {len(ids)} incidents")
        self._work(ids)
        self._report_all(ids)
        return self._report

    def _incidents(self, scope: Scope) -> Iterator[str]:
        if scope.incidents:
            for name in scope.incidents:
                yield from self._one_incident(name)
            return
        context = self._context
        now, apart = pagerduty_now(context)
        since = scope.since or now - timedelta(seconds=context.backfill_seconds) - apart
        count = 0
        for page, read_seq in read_created(context, since, now + apart + timedelta(seconds=1)):
            yield from self._keep(page.incidents, read_seq)
            self._leave_unread(page.unread)
            count += len(page.incidents)
            self._progress(f"{count} incidents read")

    def _leave_unread(self, unread: Mapping[str, str]) -> None:
        if unread:
            note_unread(self._context, unread)
        for incident_id, why in unread.items():
            self._report.found.append(Found(What.LEFT, incident_id, None, f"syncd cannot read it: {why}"))

    def _one_incident(self, name: str) -> Iterator[str]:
        context = self._context
        record = incident_named(context.ledger, name)
        read_seq = context.ledger.logical_clock.next()
        try:
            incident = context.services.pagerduty.incident(record.id if record else name.removeprefix("#"))
        except RemoteError as error:
            if not error.of_one_object:
                raise
            self._leave_unread({record.id if record else name: error.answer})
            return
        if incident is None:
            if record is None:
                self._report.unknown.append(name)
            why = "PagerDuty does not show it to syncd, so syncd changes nothing about it"
            self._report.found.append(Found(What.LEFT, name, None, why))
            return
        ids = list(self._keep([incident], read_seq))
        if not ids:
            self._report.found.append(Found(What.LEFT, name, None, "no mapping claims its service"))
        yield from ids

    def _keep(self, incidents: Iterable[Incident], read_seq: int) -> list[str]:
        """Store the incidents that were read; return those that a mapping claims."""
        context, read = self._context, list(incidents)
        claimed = jobs.store_read(context.ledger, storage_rules(context), read, read_seq, context.clock.now())
        self._report.unclaimed += len(read) - len(claimed)
        return claimed

    def _read_tickets(self, tickets: Sequence[TicketState]) -> None:
        """Read each ticket by its id; let syncd decide again on a link of ours that is gone."""
        context, rules = self._context, storage_rules(self._context)
        for read, ticket in enumerate(tickets, start=1):
            if context.stop.is_set():
                return
            page = read_page(context, [ticket.issue_id], by_id=True)
            if page.unread:
                why = "syncd cannot read its ticket this time"
                self._report.found.append(Found(What.LEFT, ticket.incident_id, ticket.key, why))
            store_tickets(
                context.ledger,
                rules,
                page.issues,
                page.read_seq,
                context.clock.now(),
                context.transport.date_of("jira"),
                missing=page.absent,
                relink=True,
                by_id=True,
            )
            if read % PAGE == 0 or read == len(tickets):
                self._progress(f"{read} of {len(tickets)} tickets read")

    def _search(self, ids: Sequence[str]) -> None:
        """Search for tickets that this ledger does not know, of incidents without a ticket."""
        context = self._context
        missing = jobs.without_ticket(context.ledger, ids)
        # a person asks what stands there now
        context.marked_issues.forget_search()
        for start in range(0, len(missing), AT_ONCE):
            if context.stop.is_set():
                return
            part = missing[start : start + AT_ONCE]
            # no worker may create a ticket between the search and the adoption of its result
            taken = set(self._work_queue.reserve(incident.id for incident in part))
            try:
                free = [incident.id for incident in part if incident.id in taken]
                search_for(context, jobs.without_ticket(context.ledger, free))
            finally:
                self._work_queue.release(taken)
            self._progress(
                f"{min(start + AT_ONCE, len(missing))} of {len(missing)} missing tickets searched for"
            )

    def _report_all(self, ids: Sequence[str]) -> None:
        for incident_id in ids:
            stands = jobs.compared(self._context.ledger, incident_id)
            if stands is None:
                continue
            try:
                book = book_for(self._context, stands.incident)
            except MappingMismatch as error:
                why = f"its team is stopped: {'; '.join(error.problems)}"
                key = stands.ticket.key if stands.ticket else None
                self._report.found.append(Found(What.LEFT, incident_id, key, why))
                continue
            if book is not None:
                self._report_incident(stands, book)

    def _report_incident(self, stands: Compared, book: Rulebook) -> None:
        incident, ticket = stands.incident, stands.ticket
        before = self._keys.get(incident.id)
        key = ticket.key if ticket else None
        say = self._report.found.append
        if ticket is not None and before is None and ticket.origin == "adopted":
            why = "found by its mark or label; syncd uses it as the ticket from now on"
            say(Found(What.FOLLOW, incident.id, key, why))
        if before is not None and key != before:
            say(Found(What.FOLLOW, incident.id, key, f"it was {before}, and was moved"))
        for operation in stands.operations:
            parked = operation.state == OperationState.PARKED
            reason = f"{operation.kind} is parked: {operation.error}" if parked else operation.reason
            say(Found(What.LEFT if parked else What.REPAIR, incident.id, key, reason))
        if ticket is None and left_in_peace(incident.as_read, book):
            self._report.in_peace += 1
        for why in _left(self._context, stands, book):
            say(Found(What.LEFT, incident.id, key, why))


def _left(context: EngineContext, stands: Compared, book: Rulebook) -> Iterator[str]:
    """Yield the differences from the rules that syncd leaves to people, with the reason."""
    incident, ticket = stands.incident, stands.ticket
    if ticket is None:
        if incident.noise_rule:
            yield f"the noise rule {incident.noise_rule} holds back its ticket"
        elif stands.create == OperationState.DROPPED:
            yield "an operator dropped the create of its ticket"
        return
    if not ticket.in_sight:
        yield "syncd cannot see its ticket (deleted, moved or restricted) and does not make it again"
        return
    issue = ticket.issue
    if issue is None:
        return
    case = build_case(context, incident, book)
    # the incident changed since both sides agreed: the move is on its way, and no person's doing
    if ticket.agreed.get("state") != case.incident.state:
        return
    # syncd put it there itself, and a rule may still move it on
    if issue.status.id == ticket.placed_status:
        return
    word = wanted_word(case, book)
    ids = {book.project.statuses[word].id, *(status.id for status in book.project.instead.get(word, ()))}
    if issue.status.id not in ids:
        agreed = f"since both sides agreed on {incident.status}"
        yield f"it is at {issue.status.name}, and syncd did not move it there {agreed}"


def state_in_words(ledger: Transactions) -> list[str]:
    """Return why a resync's repairs do not leave now, with the command that helps."""
    lines, brakes = [], holds.standing(ledger)
    if brakes.first_load is FirstLoad.HELD:
        lines.append("syncd holds the first load: run syncd accept")
    if brakes.mass_since:
        lines.append(
            "too many tickets of unchanged incidents at once, so syncd holds them: syncd outbox release"
        )
    for target, pause in brakes.pauses.items():
        lines.append(f"{target} is paused ({pause['reason']}): run syncd resume {target}")
    return lines
