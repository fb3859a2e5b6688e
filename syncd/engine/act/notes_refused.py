"""Hold all notes together while PagerDuty refuses them for their author or our key.

A `From` address that is no user's, and a key that may only read, refuse every note alike. Parked one by one,
they would need a person for each; so they wait, one of them asks ever less often, and all leave once one is
taken. A refusal that names no author may concern one incident alone: it counts for all when a second incident
is refused, too, and no note was taken between. A note that is refused while others are taken is parked.
"""

from __future__ import annotations

import re

from syncd.domain.operation import Kind
from syncd.engine.context import EngineContext
from syncd.engine.runtime.refusals import Refusal
from syncd.ledger.records import OperationRecord
from syncd.ledger.store.lookups import display_name
from syncd.remote.errors import Cause, NotDone

NOTES = "PagerDuty notes"
"""The subject of the refusal of all notes; an incident's id after it names the refusal of its notes."""
KINDS = frozenset({Kind.LINK_NOTE, Kind.MIRROR_COMMENT, Kind.REWRITE_NOTE})
MAYBE_ALL, ALONE = "notes", "notes of this incident"
"""The question that was refused: perhaps all notes, or those of one incident while others are taken."""
LOOK_AGAIN = 60.0
"""Seconds after which a held note looks again if another one was taken."""
REMEDY = (
    "SYNCD_PAGERDUTY_TOKEN must be a key that may write, and SYNCD_PAGERDUTY_FROM the address of a user who"
    " may; notes wait until then. See: syncd check --probe"
)
_AUTHOR = re.compile(r"\bfrom header\b|\brequester\b", re.IGNORECASE)
"""PagerDuty's words about the address in `From`."""


def seconds_held(context: EngineContext, operation: OperationRecord) -> float:
    """Return for how long a note waits because PagerDuty refuses notes; 0: it may leave now."""
    if operation.kind not in KINDS:
        return 0.0
    refusals = (context.refusals.of(subject) for subject in (NOTES, _own(operation)))
    now = context.clock.boottime()
    return min(LOOK_AGAIN, max((refusal.next_try - now for refusal in refusals if refusal), default=0.0))


def is_held(context: EngineContext, operation: OperationRecord, error: NotDone) -> bool:
    """Return True if a refused note waits with all others; False: the refusal concerns this note alone."""
    author = error.cause is Cause.REJECTED and _AUTHOR.search(error.message) is not None
    if operation.kind not in KINDS or not (author or error.cause is Cause.FORBIDDEN):
        return False
    refusals, subject = context.refusals, _own(operation)
    own = refusals.of(subject)
    if own is not None and own.question == ALONE:
        refusals.answered(subject, ALONE)
        return False
    others = [refusal for refusal in _of_incidents(context) if refusal.subject != subject]
    if not author:
        what = f"notes on {display_name(context.ledger, operation.incident_id)} in PagerDuty"
        refusals.refused(subject, MAYBE_ALL, what, error.describe(), remedy=REMEDY)
    if author or any(refusal.question == MAYBE_ALL for refusal in others):
        what = "all notes in PagerDuty"
        refusals.refused(NOTES, MAYBE_ALL, what, error.describe(), remedy=REMEDY, tell=True)
    return True


def taken(context: EngineContext, operation: OperationRecord) -> None:
    """Note that PagerDuty took a note: what was refused for all leaves, other refusals stand alone."""
    if operation.kind not in KINDS:
        return
    refusals = context.refusals
    refusals.answered(NOTES, MAYBE_ALL)
    for refusal in _of_incidents(context):
        refusals.answered(refusal.subject, refusal.question)
        if refusal.subject != _own(operation):
            refusals.refused(refusal.subject, ALONE, refusal.what, refusal.why, remedy=refusal.remedy)


def _own(operation: OperationRecord) -> str:
    return f"{NOTES} {operation.incident_id}"


def _of_incidents(context: EngineContext) -> list[Refusal]:
    return [refusal for refusal in context.refusals.all() if refusal.subject.startswith(f"{NOTES} ")]
