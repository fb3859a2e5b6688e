"""Make the postmortem of an incident that owes one: half an hour after the resolve, linked to the ticket.

QRPay runbook, "Post-Incident". syncd makes it once: if a person deletes the postmortem, it stays deleted. If
the incident is reopened within the half hour, syncd waits for the next resolve. The postmortem of a
restricted incident gets its security level before syncd writes anything else to it. The duties and their
clocks are decided in `duties` and `judge`.
"""

from __future__ import annotations

from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import CreatePostmortem, EditPostmortem, LinkPostmortem
from syncd.domain.operation.keys import postmortem_key, ticket_key
from syncd.policy.case import Case, Decision, PostmortemState, Rulebook
from syncd.policy.exercises import is_undecided, read_ticket_first
from syncd.policy.postmortem.owed import counts_for_another, owed_postmortem, qualifies
from syncd.policy.postmortem.resolved_periods import counts_from_before_the_rules
from syncd.policy.restricted import ASPECT, STUB, level_of

LINK = "link"
"""The aspect of the link between ticket and postmortem; in the agreed values: the link was made."""


def decide_postmortem(case: Case, book: Rulebook) -> Decision:
    """Return the create of the postmortem, or the level and link that an existing postmortem lacks."""
    if case.postmortem is not None:
        return _level(case, case.postmortem, book).plus(_link(case, case.postmortem, book))
    if case.before_enforcement or book.mapping.postmortem.mode is Mode.OFF:
        return Decision()
    return _make(case, book)


def seconds_left(case: Case, book: Rulebook) -> float | None:
    """Return the seconds until syncd may make the postmortem, None if the incident is open or owes none."""
    over, owed = case.incident.over_since, owed_postmortem(case, book)
    if over is None or owed is None:
        return None
    rest = 60.0 * book.mapping.postmortem.after_minutes
    # If PagerDuty's clock is ahead of ours, the resolve lies in the future: syncd waits no longer than usual.
    return 0.0 if case.now is None else max(0.0, min(rest, rest - (case.now - over).total_seconds()))


def _make(case: Case, book: Rulebook) -> Decision:
    left, owed = seconds_left(case, book), owed_postmortem(case, book)
    if left is None or owed is None:
        # A severity that is not held long enough yet may still need a postmortem: decide again then.
        _owed, settles_at = qualifies(case, book)
        if case.incident.open or counts_for_another(case) or settles_at is None or case.now is None:
            return Decision()
        return Decision(again=(settles_at - case.now).total_seconds())
    # No clock runs for it: it was over before the rules began, and a short reopening changes no clock.
    if counts_from_before_the_rules(case, book):
        return Decision()
    if is_undecided(case, book.mapping):
        return read_ticket_first(case)
    if left > 0:
        return Decision(again=left)
    if book.mapping.postmortem.mode is Mode.REPORT:
        return Decision(dry_run_notes=(f"make the postmortem: {owed.reason} (postmortem.mode: report)",))
    incident = case.incident
    key = postmortem_key(incident.id)
    # syncd makes it once: a postmortem that a person deleted stays deleted.
    if key in case.once:
        return Decision()
    # The postmortem's timeline comes from the log.
    if case.state_changes is None:
        return Decision(look=frozenset({"log"}))
    return Decision(
        operations=(
            CreatePostmortem(
                incident=incident.id,
                needs=(ticket_key(incident.id),),
                restricted=case.restricted,
                reason=owed.reason,
            ),
        )
    )


def _link(case: Case, postmortem: PostmortemState, book: Rulebook) -> Decision:
    """Link the postmortem to its ticket, once: if a person removes the link, syncd does not set it again."""
    ticket, facts = case.ticket, book.project.postmortem
    if book.mapping.postmortem.mode is not Mode.ENFORCE or ticket is None or LINK in postmortem.agreed:
        return Decision()
    if facts is None or facts.link_type is None or not postmortem.in_sight:
        return Decision()
    if postmortem.issue is not None and any(
        link.other_id == ticket.issue_id for link in postmortem.issue.links
    ):
        return Decision()
    return Decision(
        operations=(
            LinkPostmortem(
                incident=case.incident.id,
                aspect=LINK,
                issue=postmortem.issue_id,
                other=ticket.issue_id,
                types=(facts.link_type,),
                purpose=LINK,
                reason="so that people find the postmortem from the ticket",
            ),
        )
    )


def _level(case: Case, postmortem: PostmortemState, book: Rulebook) -> Decision:
    """Set the security level on the postmortem of a restricted incident, if it has none."""
    if not case.restricted or case.provisional or ASPECT in postmortem.agreed or postmortem.agreed.get(STUB):
        return Decision()
    issue = postmortem.issue
    # The restricted project guards its issues by itself, and syncd never lowers a level.
    apart = issue is not None and issue.project == book.mapping.restricted.project
    if apart or (issue is not None and issue.security_level is not None):
        return Decision()
    level = level_of(book.mapping, book.project)
    if level is None:
        return Decision()
    return Decision(
        operations=(
            EditPostmortem(
                incident=case.incident.id,
                aspect=ASPECT,
                issue=postmortem.issue_id,
                fields={"security": {"id": level.id}},
                update={},
                agree={ASPECT: level.id},
                reason="the incident is restricted",
            ),
        )
    )
