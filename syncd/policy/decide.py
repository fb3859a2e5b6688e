"""Apply all rules to one case and collect the operations that its incident needs now.

The rules look at the present state, never at events. So a second decision on the same state changes nothing,
and syncd catches up on everything that happened while it was down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from syncd.domain.duty import Duty
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.communications.cadence import decide_owed_updates
from syncd.policy.communications.impact import decide_impact
from syncd.policy.communications.texts import decide_texts
from syncd.policy.exercises import is_undecided, look_at_labels
from syncd.policy.follow_ups.judge import decide_follow_ups
from syncd.policy.follow_ups.operations import act_on_follow_ups
from syncd.policy.notify.chat import decide_posts
from syncd.policy.notify.decisions import decide_decisions
from syncd.policy.notify.duty_comments import comment_on_duties
from syncd.policy.notify.notices import decide_notices
from syncd.policy.notify.reminders import decide_reminders
from syncd.policy.notify.unanswered import decide_missing_roles, decide_unacknowledged
from syncd.policy.postmortem.create import decide_postmortem
from syncd.policy.postmortem.duties import decide_duties
from syncd.policy.postmortem.waiver_comments import comment_on_waivers
from syncd.policy.recurring.judge import decide_held
from syncd.policy.regulatory import decide_filings, tell_filings
from syncd.policy.restricted import decide_level
from syncd.policy.rules_in_force import rules_in_force
from syncd.policy.ticket.auto_close import decide_closing
from syncd.policy.ticket.close_gate import decide_gate
from syncd.policy.ticket.create import decide_mark, decide_ticket
from syncd.policy.ticket.fields import decide_arrived, decide_fields
from syncd.policy.ticket.merge import decide_merge
from syncd.policy.ticket.roles import decide_roles
from syncd.policy.ticket.status import decide_status
from syncd.policy.two_way.conflicts import decide_conflicts, with_agreed
from syncd.policy.two_way.copy_texts import decide_mirror
from syncd.policy.two_way.ticket_to_incident import decide_two_way
from syncd.policy.two_way.update_copies import decide_mirror_changes

RULES: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    decide_ticket,
    decide_mark,
    decide_level,
    decide_merge,
    decide_status,
    decide_fields,
    decide_roles,
    decide_mirror,
    decide_mirror_changes,
    decide_texts,
    decide_postmortem,
)

JUDGING: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    look_at_labels,
    decide_duties,
    decide_follow_ups,
    decide_filings,
)
"""Rules that judge the duties, in this order; each sees the verdicts of those before it."""
OF_REAL_INCIDENTS = (decide_duties, decide_follow_ups)
"""Rules that judge nothing while Jira refuses to tell if a person made the incident an exercise."""
ACTING: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    comment_on_duties,
    comment_on_waivers,
    act_on_follow_ups,
    decide_gate,
    decide_closing,
    decide_notices,
    decide_unacknowledged,
    decide_missing_roles,
    decide_reminders,
    tell_filings,
    decide_decisions,
    decide_posts,
    decide_owed_updates,
    decide_impact,
)
"""Rules that comment, mail or move the ticket because of the duties' states."""


def decide(case: Case, book: Rulebook) -> Decision:
    """Return all operations that a case needs, with their reasons.

    While a rule asks for a read first (`look`), the decision tells people nothing that depends on it.
    """
    book = rules_in_force(case, book)
    case, decision = _by_rules(case, book)
    # An incident without a ticket owes nothing, so no later rule looks at it.
    if decision.noise_rule:
        return decision
    case, judged = judge_duties(case, book)
    decision = decision.plus(judged)
    # The verdicts may rest on stale reads. The engine reads first and decides again.
    if decision.look:
        return decision
    for rule in ACTING:
        decision = decision.plus(rule(case, book))
    return decision


def decide_recurring(case: Case, book: Rulebook) -> Decision:
    """Return what the issue of a GameDay or review needs now; the case is about that issue alone."""
    judged = decide_held(case, book)
    if judged.look:
        return judged
    case = with_duties(case, judged.duties)
    return judged.plus(decide_reminders(case, book)).plus(decide_decisions(case, book))


def judge_duties(case: Case, book: Rulebook) -> tuple[Case, Decision]:
    """Return the case with its duties as judged now, and what of them differs from the record."""
    decision = Decision()
    undecided = "ticket" in case.refused_looks and is_undecided(case, book.mapping)
    for rule in JUDGING:
        # an exercise misses nothing; the sources tell later what a real incident did in time
        if undecided and rule in OF_REAL_INCIDENTS:
            continue
        judged = rule(case, book)
        decision = decision.plus(judged)
        case = with_duties(case, judged.duties)
    return case, decision


def decide_unseen(case: Case, book: Rulebook) -> Decision:
    """Return what the ticket needs although syncd cannot read a part of the case now.

    An outage of the postmortem's project, for example, must not delay the ticket. The decision judges no duty
    and tells people nothing.
    """
    return _by_rules(case, rules_in_force(case, book))[1]


def _by_rules(case: Case, book: Rulebook) -> tuple[Case, Decision]:
    # First agree on our own edit whose answer was lost: else the next rules take its value for a person's.
    decision = decide_arrived(case)
    case = with_agreed(case, decision.agreed)
    # Count reverts before any rule answers them, so that the third one already stops syncd.
    decision = decision.plus(decide_conflicts(case, book))
    case = with_agreed(case, decision.agreed)
    for rule in RULES:
        decision = decision.plus(rule(case, book))
        if decision.noise_rule:
            return case, decision
    # Last, because a change of the incident wins over a change of the ticket (`so_far`).
    return case, decision.plus(decide_two_way(case, book, decision))


def with_duties(case: Case, duties: Collection[Duty]) -> Case:
    """Return the case with its newly judged duties in the place of the old ones."""
    # most rules judge nothing, and a copy of a case costs as much as a rule
    if not duties:
        return case
    after = {duty.place: duty for duty in (*case.duties, *duties)}
    return case.model_copy(update={"duties": tuple(after.values())})
