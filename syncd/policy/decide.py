"""All rules, one after the other, on one case: the whole of what an incident needs now.

Level-triggered: the answer depends on what is, never on what happened, so that deciding twice is
deciding once and what was missed is caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from syncd.domain.duty import Duty
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.closing import decide_closing
from syncd.policy.conflict import decide_conflicts, with_agreed
from syncd.policy.duties import decide_duties
from syncd.policy.fields import decide_arrived, decide_fields
from syncd.policy.follow_up_acts import tell_follow_ups
from syncd.policy.follow_ups import decide_follow_ups
from syncd.policy.gate import decide_gate
from syncd.policy.held_rules import as_held
from syncd.policy.merge import decide_merge
from syncd.policy.mirror import decide_mirror
from syncd.policy.mirror_changes import decide_mirror_changes
from syncd.policy.notices import decide_notices
from syncd.policy.postmortem import decide_postmortem
from syncd.policy.reminders import decide_reminders
from syncd.policy.restricted import decide_level
from syncd.policy.status import decide_status
from syncd.policy.tell_duties import tell_duties
from syncd.policy.tell_waivers import tell_waivers
from syncd.policy.ticket import decide_ticket
from syncd.policy.two_way import decide_two_way

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
TELLING: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    tell_duties,
    tell_waivers,
    tell_follow_ups,
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
    book = as_held(case, book)
    case, decision = _by_rules(case, book)
    if decision.silence:
        return decision
    for rule in JUDGING:
        judged = rule(case, book)
        decision = decision.plus(judged)
        case = with_duties(case, judged.duties)
    if decision.look:
        return decision
    for rule in TELLING:
        decision = decision.plus(rule(case, book))
    return decision


def decide_unseen(case: Case, book: Rulebook) -> Decision:
    """Given a case of which something cannot be read now, return what the ticket needs all the same.

    No duty is judged and nobody is told anything; what rests on the look is not among the operations.
    """
    return _by_rules(case, as_held(case, book))[1]


def _by_rules(case: Case, book: Rulebook) -> tuple[Case, Decision]:
    decision = decide_arrived(case)
    case = with_agreed(case, decision.agreed)
    decision = decision.plus(decide_conflicts(case, book))
    case = with_agreed(case, decision.agreed)
    for rule in RULES:
        decision = decision.plus(rule(case, book))
        if decision.silence:
            return case, decision
    return case, decision.plus(decide_two_way(case, book, decision))


def with_duties(case: Case, duties: Iterable[Duty]) -> Case:
    """The case with its duties as they are judged to stand."""
    after = {one.place: one for one in (*case.duties, *duties)}
    return case.model_copy(update={"duties": tuple(after.values())})
