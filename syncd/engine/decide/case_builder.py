"""Build the case of one incident from the ledger: the facts on which a decision may rest, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.role import RoleFacts
from syncd.domain.ticket import Account
from syncd.engine.context import EngineContext
from syncd.engine.notify.mail_history import may_have_left
from syncd.engine.observe.accounts import nobodies_of, our_users_on_record, person_key
from syncd.engine.observe.earlier_ledger.rebuild_duties import parts_to_rebuild
from syncd.engine.observe.issues import nameless
from syncd.engine.observe.looks import LOOKS
from syncd.engine.runtime.troubles import READ_CHANGELOG, READ_ISSUE
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.cases import CaseFacts, Wanted, load_case
from syncd.ledger.store.loaded_rules import modes_switched, values_before
from syncd.ledger.store.lookups import IncidentOnRecord, addresses_of
from syncd.ledger.store.membership import known_state_changes, member_of
from syncd.ledger.store.recurring import recurring_items
from syncd.policy.case import Case, MergedSource, Rulebook
from syncd.policy.judged_people import judged_people
from syncd.policy.notify.recipients import hidden_accounts
from syncd.policy.postmortem.merged_sources import merged_sources
from syncd.policy.postmortem.resolved_periods import judged_since, resolved_periods
from syncd.policy.recurring.exercise import bears_marker, game_day_of
from syncd.policy.ticket.before_enforcement import is_before_enforcement
from syncd.policy.two_way.ticket_to_incident import travels

People = tuple[dict[str, Account | None], Account | None]
"""The Jira accounts of an incident's assignees, and the fallback's."""


def build_case(context: EngineContext, row: IncidentRecord, book: Rulebook) -> Case:
    """Return the case of an incident that is on record, as of now; whom its ticket may have is left out."""
    facts = facts_of(context, row.id, book)
    if facts is None:
        raise LookupError(f"incident {row.id} is not in the ledger")
    return case_of(context, facts, book, ({}, None))


def facts_of(
    context: EngineContext, incident_id: str, book: Rulebook, at_hand: IncidentOnRecord | None = None
) -> CaseFacts | None:
    """Return what the ledger knows of an incident; `at_hand` is not read again."""
    owner = book.section.owner
    parts = Wanted(
        team=book.mapping.team,
        two_way=travels(book.mapping.two_way),
        approvers=tuple(person_key(email, book) for email in book.mapping.people.may_approve),
        customer_approvers=tuple(person_key(email, book) for email in book.mapping.customer_approvers),
        owner=person_key(owner, book) if owner is not None else None,
        hears=book.mapping.chat.channel is not None,
    )
    return load_case(context.ledger, incident_id, parts, at_hand)


def case_of(
    context: EngineContext,
    facts: CaseFacts,
    book: Rulebook,
    people: People,
    read_until: datetime | None = None,
) -> Case:
    """Return the case that these facts make; both services were read up to `read_until`."""
    case = _case(context, facts, book, people, read_until)
    nobodies = nobodies_of(context, book.mapping) | our_users_on_record(context)
    return with_addresses(context, judged_people(case, nobodies))


def _case(
    context: EngineContext, facts: CaseFacts, book: Rulebook, people: People, read_until: datetime | None
) -> Case:
    row = facts.incident
    incident = row.as_read
    now, skew = context.clock.now(), context.clock_skew()
    state_changes = _claimed(known_state_changes(row, incident), facts.unclaimed_targets)
    periods = resolved_periods(state_changes or (), skew.earliest(now))
    since = judged_since(incident, periods)
    return Case(
        incident=incident,
        notes=tuple(Note.model_validate(note) for note in row.notes) if row.notes is not None else None,
        ticket=facts.ticket,
        pairs=facts.pairs,
        people=people[0],
        fallback=people[1],
        once=facts.once,
        before_enforcement=is_before_enforcement(incident, book),
        restricted=row.restricted,
        provisional=row.provisional,
        restricted_since=_seen_restricted(row),
        game_day=game_day(context, incident, book.mapping),
        attempted=facts.attempted,
        unseen=facts.unseen,
        now=now,
        merged_into=facts.merged_into,
        merged_from=facts.merged_from,
        state_changes=state_changes,
        severity_periods=tuple(SeverityPeriod.model_validate(period) for period in row.severity_periods),
        postmortem=facts.postmortem,
        items=facts.items,
        duties=facts.duties,
        waivers=facts.waivers,
        skew=skew,
        merged_sources=merged_sources_of(context, row.id, facts.merged_sources, now),
        approvers=facts.approvers,
        customer_approvers=_customer_approvers(facts, book),
        sent=sent_in(facts.mails),
        channels=context.chat.channels if context.chat is not None else frozenset(),
        earlier_duties=facts.earlier_duties,
        earlier={} if since is None else values_before(facts.changed_rules, since),
        earlier_at={
            period.resolved_at: values_before(facts.changed_rules, period.resolved_at)
            for period in periods
            if facts.changed_rules
        },
        switched=modes_switched(facts.changed_rules),
        non_items=facts.near.union(row.non_items),
        service_owner=Account.model_validate(facts.owner) if facts.owner else None,
        owner_known=facts.owner_known,
        unread=_unread(context, facts),
        status_updates=tuple(datetime.fromisoformat(at) for at in row.status_updates),
        hears_status_updates=facts.hears_status_updates,
        refused_looks=_refused_looks(context, row.id),
        rebuild=parts_to_rebuild(context, row, facts.postmortem, facts.items, book),
        roles=RoleFacts.model_validate(row.roles),
        read_until=read_until,
    )


def _refused_looks(context: EngineContext, incident_id: str) -> frozenset[str]:
    return frozenset(part for part, words in LOOKS.items() if context.troubles.is_waiting(incident_id, words))


def _customer_approvers(facts: CaseFacts, book: Rulebook) -> dict[str, Account | None]:
    """Return the accounts by the addresses of the mapping."""
    return {
        email: Account.model_validate(account) if account else None
        for email in book.mapping.customer_approvers
        if (address := person_key(email, book)[0]) in facts.customer_approvers
        for account in (facts.customer_approvers[address],)
    }


def _claimed(
    changes: tuple[StateChange, ...] | None, foreign: frozenset[str]
) -> tuple[StateChange, ...] | None:
    """Return the state changes; a merge into an incident that no mapping claims is a resolve like others."""
    if not foreign or changes is None:
        return changes
    return tuple(
        change.model_copy(update={"merged_into": None}) if change.merged_into in foreign else change
        for change in changes
    )


def _seen_restricted(row: IncidentRecord) -> datetime | None:
    """Return when syncd saw that an incident is restricted (UTC), None if it was at the first look."""
    since = row.restricted_since
    return since if since is not None and since > row.first_seen_at else None


def game_day(context: EngineContext, incident: Incident, mapping: Mapping) -> str | None:
    """Return the GameDay of which an incident is an exercise by its title and its time, None without one."""
    if not bears_marker(incident, mapping):
        return None
    return game_day_of(recurring_items(context.ledger, mapping.team), mapping, incident)


def _unread(context: EngineContext, facts: CaseFacts) -> frozenset[str]:
    """Return the ids of the issues after the incident that syncd cannot read now."""
    troubles = context.troubles
    if not troubles.whose(READ_ISSUE) and not troubles.whose(READ_CHANGELOG):
        return frozenset()
    names = {item.issue_id: item.key for item in facts.items}
    if facts.postmortem is not None:
        names[facts.postmortem.issue_id] = facts.postmortem.key
    ends = [state.issue for state in (facts.ticket, facts.postmortem) if state is not None and state.issue]
    beside = {ident for end in ends for ident in (*end.subtasks, *(link.other_id for link in end.links))}
    names = {issue_id: nameless(issue_id) for issue_id in beside} | names
    return frozenset(
        issue_id
        for issue_id, name in names.items()
        if troubles.is_waiting(name, READ_ISSUE) or troubles.is_waiting(name, READ_CHANGELOG)
    )


def merged_sources_of(
    context: EngineContext, incident_id: str, sources: Iterable[IncidentRecord], now: datetime
) -> tuple[MergedSource, ...]:
    """Return the incidents merged into one, and into those, each judged by its own team's mapping."""
    members = []
    for source in sources:
        incident = source.as_read
        claim = context.rules.current.claim_or_last(incident.service, source.team)
        if claim is not None:
            members.append(member_of(source, incident, *claim))
    return merged_sources(incident_id, members, now)


def sent_in(mails: Iterable[OperationRecord]) -> dict[str, datetime]:
    """Return the keys of the mails and posts that left or may have left, with the time (UTC)."""
    return {
        mail.key: mail.claimed_at for mail in mails if mail.claimed_at is not None and may_have_left(mail)
    }


def with_addresses(context: EngineContext, case: Case) -> Case:
    """Return the case with known addresses of owing accounts whose address Jira hides."""
    hidden = hidden_accounts(case)
    if not hidden:
        return case
    return case.model_copy(update={"addresses": addresses_of(context.ledger, hidden)})
