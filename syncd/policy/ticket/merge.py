"""Link the ticket of a merged incident to the ticket of its target, as a duplicate.

After a merge the target's ticket counts. A target without a ticket gets one. If no mapping claims the
target's service, it gets none, and syncd comments on the source's ticket instead.
"""

from __future__ import annotations

from syncd.domain.operation import CommentOnTicket, LinkTickets
from syncd.domain.operation.keys import comment_key, ticket_key
from syncd.policy.case import Case, Decision, Rulebook

ASPECT = "duplicate"


def decide_merge(case: Case, book: Rulebook) -> Decision:
    """Return the link to the target's ticket if it is missing."""
    target = case.merged_into
    if target is None or (case.before_enforcement and case.ticket is None):
        return Decision()
    # syncd set the link once. If a person removed it, it stays removed.
    if case.ticket is not None and case.ticket.agreed.get(ASPECT) == target.id:
        return Decision()
    if not target.claimed:
        if case.before_enforcement:
            return Decision()
        return _comment_on_foreign_merge(case, target.id, target.number)
    # The link waits until both tickets exist.
    needs = [] if case.ticket else [ticket_key(case.incident.id)]
    if not target.has_ticket:
        needs.append(ticket_key(target.id))
    link = LinkTickets(
        incident=case.incident.id,
        aspect=ASPECT,
        needs=tuple(needs),
        other_incident=target.id,
        purpose=ASPECT,
        reason=f"it was merged into incident {target.number or target.id}",
    )
    return Decision(operations=(link,))


def _comment_on_foreign_merge(case: Case, target: str, number: int | None) -> Decision:
    key = comment_key(case.incident.id, "merged", target)
    if key in case.once:
        return Decision()
    comment = CommentOnTicket(
        key=key,
        incident=case.incident.id,
        needs=() if case.ticket else (ticket_key(case.incident.id),),
        subject="merge",
        text="the incident was merged into an incident of a service that no mapping names:",
        value=f"incident {number or target}",
        reason="so that people see where the incident went",
    )
    return Decision(operations=(comment,))
