"""Decide to which class an operation belongs, if it tells a verdict, and the ranks of incidents.

Polls and sweeps set their class themselves (`syncd.remote.http.lanes`).
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.domain.incident import IncidentStatus
from syncd.domain.mail import OF_DUTIES, MailKind, concerns_no_incident
from syncd.domain.operation import Kind, PostChat, Target
from syncd.domain.operation.chat import BreachPost
from syncd.domain.operation.rendered import RenderedComment, RenderedCreate, RenderedNote, rendered_as
from syncd.engine.context import EngineContext
from syncd.engine.rules import Rank
from syncd.ledger.records import IncidentRecord, OperationRecord
from syncd.ledger.store.mails import mail_kind
from syncd.ledger.views.daemon_state import Standing, standings
from syncd.policy.restricted import ASPECT
from syncd.remote.http.lanes import Lane

_CREATES = rendered_as(RenderedCreate)
_TEXTS = rendered_as(RenderedComment, RenderedNote)
_JUDGED = frozenset(
    {
        Kind.EDIT_POSTMORTEM,
        Kind.EDIT_ACTION_ITEM,
        Kind.COMMENT_ON_POSTMORTEM,
        Kind.COMMENT_ON_ACTION_ITEM,
    }
)
"""Kinds of writes that follow from the verdict on a duty; so do the mails about duties."""


def lane_of(context: EngineContext, operation: OperationRecord, incident: IncidentRecord | None) -> Lane:
    """Return the class of an operation; `incident` None: it is about none, or syncd does not know it."""
    # people wait for a notice, and no text of a restricted incident leaves before its security level
    if operation.target in (Target.MAIL, Target.CHAT) or operation.aspect == ASPECT:
        return Lane.FIRST
    if operation.kind == Kind.CREATE_TICKET and incident is not None and is_urgent(context, incident):
        return Lane.FIRST
    if operation.kind in _CREATES:
        return Lane.CREATE
    return Lane.TEXT if operation.kind in _TEXTS else Lane.UPDATE


def tells_a_verdict(operation: OperationRecord) -> bool:
    """Return True if an operation follows from the verdict on a duty."""
    decided = operation.operation
    if isinstance(decided, PostChat):
        return isinstance(decided.content, BreachPost)
    return operation.kind in _JUDGED or mail_kind(operation) in OF_DUTIES | {MailKind.DIGEST}


def ranks_of(context: EngineContext, idents: Sequence[str]) -> dict[str, int]:
    """Return how soon each of these gets a worker (`Rank`), without incidents that are not on record."""
    mails = {ident: int(Rank.MAILS) for ident in idents if concerns_no_incident(ident)}
    return mails | {standing.id: _rank(context, standing) for standing in standings(context.ledger, idents)}


def _rank(context: EngineContext, standing: Standing) -> int:
    if standing.lacks_level:
        return Rank.LEVEL
    rules, rank = context.rules.current, int(Rank.OVER)
    if standing.incident.open:
        # the severity on record is that of the last decision, and the title of a restricted one is gone
        shown = rules.rank_of(standing.incident, standing.team)
        rank = min(shown, rules.rank_at(standing.team, standing.severity))
    return min(rank, Rank.NOTICE) if standing.mail_waits else rank


def is_urgent(context: EngineContext, incident: IncidentRecord) -> bool:
    """Return True if the incident is open and among the gravest of its team."""
    return incident.status != IncidentStatus.RESOLVED and context.rules.current.is_grave(
        incident.team, incident.severity
    )
