"""All rules, one after the other, on one case: the whole of what an incident needs now.

Level-triggered: the answer depends on what is, never on what happened, so that deciding twice is
deciding once and what was missed is caught up.
"""

from __future__ import annotations

from collections.abc import Callable

from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.fields import decide_fields
from syncd.policy.merge import decide_merge
from syncd.policy.mirror import decide_mirror
from syncd.policy.restricted import decide_level
from syncd.policy.status import decide_status
from syncd.policy.ticket import decide_ticket

RULES: tuple[Callable[[Case, Rulebook], Decision], ...] = (
    decide_ticket,
    decide_level,
    decide_merge,
    decide_status,
    decide_fields,
    decide_mirror,
)


def decide(case: Case, book: Rulebook) -> Decision:
    """Given a case and its rulebook, return all operations that it needs, with their reasons.

    What a noise rule keeps back needs nothing else.
    """
    decision = Decision()
    for rule in RULES:
        decision = decision.plus(rule(case, book))
        if decision.silence:
            return decision
    return decision
