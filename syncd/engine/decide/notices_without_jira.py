"""Decide on an incident's notices from its snapshot alone, whatever Jira does.

If syncd cannot decide on the whole incident, because Jira is down or a part cannot be read, it still decides
on the notices. They need only the incident's last snapshot and its team's mapping: a grave incident must not
go untold because Jira is slow.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import Incident
from syncd.domain.mail import MailKind
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.role import RoleFacts
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import game_day, merged_sources_of, sent_in
from syncd.engine.notify.mail_history import undecided, untrue
from syncd.engine.observe.accounts import nobodies_of, our_users_on_record
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.cases import NoticeFacts, load_notices
from syncd.ledger.store.decisions import Amendment, record_notices
from syncd.ledger.store.mails import mail_kind
from syncd.ledger.store.outbox import keys_on_record
from syncd.policy.case import Case, Rulebook
from syncd.policy.judged_people import judged_people
from syncd.policy.notify.notices import decide_notices
from syncd.policy.notify.unanswered import decide_unacknowledged
from syncd.policy.ticket.before_enforcement import was_over_before

_OURS = (MailKind.NOTICE, MailKind.CORRECTION, MailKind.UNACKNOWLEDGED)


def notify_without_jira(context: EngineContext, incident_id: str) -> None:
    """Decide on an incident's notices, and on nothing else, from the ledger's snapshot."""
    facts = load_notices(context.ledger, incident_id, _OURS)
    if facts is None:
        return
    incident = facts.incident.as_read
    claim = context.rules.current.claim_or_last(incident.service, facts.incident.team)
    if claim is None:
        return
    mapping, section = claim
    case = _case(context, facts, incident, mapping)
    before_enforcement = was_over_before(incident, mapping)
    case = case.model_copy(update={"before_enforcement": before_enforcement})
    book = Rulebook.without_project(mapping, section)
    decision = decide_notices(case, book).plus(decide_unacknowledged(case, book))
    news = [op for op in decision.operations if op.key not in case.once]
    recorded = keys_on_record(context.ledger, [op.key for op in news])
    news = [op for op in news if op.key not in recorded]
    if not news and not any(untrue(facts.operations, decision)):
        return

    def amendments(waiting: Sequence[OperationRecord]) -> list[Amendment]:
        mails = [mail for mail in waiting if mail_kind(mail) in _OURS]
        return [Amendment(mail, drop=why) for mail, why in untrue(mails, decision)]

    record_notices(context.ledger, incident_id, news, amendments, context.clock.now(), mapping.version)


def _case(context: EngineContext, facts: NoticeFacts, incident: Incident, mapping: Mapping) -> Case:
    case = Case(
        incident=incident,
        ticket=facts.ticket,
        once=facts.once - undecided(facts.operations).keys(),
        restricted=facts.incident.restricted,
        provisional=facts.incident.provisional,
        now=context.clock.now(),
        merged_from=facts.merged_from,
        merged_sources=merged_sources_of(context, incident.id, facts.merged_sources, context.clock.now()),
        severity_periods=tuple(
            SeverityPeriod.model_validate(severity_period)
            for severity_period in facts.incident.severity_periods
        ),
        sent=sent_in(facts.mails),
        roles=RoleFacts.model_validate(facts.incident.roles).without(our_users_on_record(context)),
        game_day=game_day(context, incident, mapping),
    )
    return judged_people(case, nobodies_of(context, mapping))
