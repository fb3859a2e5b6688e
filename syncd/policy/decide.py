"""All rules, one after the other, on one case: the whole of what an incident needs now.

Level-triggered: the answer depends on what is, never on what happened, so that deciding twice is
deciding once and what was missed is caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from syncd.domain.duty import Duty
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.follow_ups.judge import decide_follow_ups
from syncd.policy.follow_ups.operations import act_on_follow_ups
from syncd.policy.notify.duty_comments import comment_on_duties
from syncd.policy.notify.notices import decide_notices
from syncd.policy.notify.reminders import decide_reminders
from syncd.policy.postmortem.create import decide_postmortem
from syncd.policy.postmortem.duties import decide_duties
from syncd.policy.postmortem.waiver_comments import comment_on_waivers
from syncd.policy.restricted import decide_level
from syncd.policy.rules_in_force import rules_in_force
from syncd.policy.ticket.auto_close import decide_closing
from syncd.policy.ticket.close_gate import decide_gate
from syncd.policy.ticket.create import decide_ticket
from syncd.policy.ticket.fields import decide_arrived, decide_fields
from syncd.policy.ticket.merge import decide_merge
from syncd.policy.ticket.status import decide_status
from syncd.policy.two_way.conflicts import decide_conflicts, with_agreed
from syncd.policy.two_way.copy_texts import decide_mirror
from syncd.policy.two_way.ticket_to_incident import decide_two_way
from syncd.policy.two_way.update_copies import decide_mirror_changes

RULES: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    decide_ticket,
    decide_level,
    decide_merge,
    decide_status,
    decide_fields,
    decide_mirror,
    decide_mirror_changes,
    decide_postmortem,
)

JUDGING: tuple[Callable[[Case, Rulebook], Decision], ...] = (decide_duties, decide_follow_ups)
"""Rules that say how the duties stand, one after the other; each sees what those before it said."""
ACTING: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    comment_on_duties,
    comment_on_waivers,
    act_on_follow_ups,
    decide_gate,
    decide_closing,
    decide_notices,
    decide_reminders,
)
"""Rules that act on how the duties stand."""


def decide(case: Case, book: Rulebook) -> Decision:
    """Given a case and its rulebook, return all operations that it needs, with their reasons.

    What a noise rule keeps back needs nothing else. While something has to be read first (`look`), nobody
    is told anything that rests on it.
    """
    book = rules_in_force(case, book)
    case, decision = _by_rules(case, book)
    if decision.noise_rule:
        return decision
    for rule in JUDGING:
        judged = rule(case, book)
        decision = decision.plus(judged)
        case = with_duties(case, judged.duties)
    if decision.look:
        return decision
    for rule in ACTING:
        decision = decision.plus(rule(case, book))
    return decision


def decide_unseen(case: Case, book: Rulebook) -> Decision:
    """Given a case of which something cannot be read now, return what the ticket needs all the same.

    No duty is judged and nobody is told anything; what rests on the look is not among the operations.
    """
    return _by_rules(case, rules_in_force(case, book))[1]


def _by_rules(case: Case, book: Rulebook) -> tuple[Case, Decision]:
    decision = decide_arrived(case)
    case = with_agreed(case, decision.agreed)
    decision = decision.plus(decide_conflicts(case, book))
    case = with_agreed(case, decision.agreed)
    for rule in RULES:
        decision = decision.plus(rule(case, book))
        if decision.noise_rule:
            return case, decision
    return case, decision.plus(decide_two_way(case, book, decision))


def with_duties(case: Case, duties: Iterable[Duty]) -> Case:
    """The case with its duties as they are judged to stand."""
    after = {one.place: one for one in (*case.duties, *duties)}
    return case.model_copy(update={"duties": tuple(after.values())})
