"""State duties in comments, so that syncd can rebuild a lost ledger from the issues.

A breach, a correction, a waiver and its end have one comment each on the postmortem or action item. The
comment's mark holds the same as `facts`, and the operation that the mark names is derived from the facts: if
somebody changes the facts, they no longer fit the operation. Jira guards the last line of the text, which
names the operation, too: an edit changes the comment's time. So syncd believes a statement if its own account
wrote the comment, nobody edited it, and facts, mark and last line name the same operation. A person's comment
with the same words states nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from syncd.domain.base import JsonValue, UtcTime, Value
from syncd.domain.duty import LONGEST_WAIVER, Duty, DutyKind, DutyState, Waiver
from syncd.domain.operation import op_of
from syncd.domain.operation.keys import comment_key
from syncd.domain.ticket import Comment
from syncd.policy.marks import mark_in

POSTMORTEM = "postmortem"
"""The place of a statement on the postmortem; on an action item it is the issue's id."""
CORRECTED = "corrected"
SAID = "said"
"""The key of people's words beside the facts; the operation is not derived from them."""
WITHHELD = "see the comment"
"""The reason of a decision whose words may not be kept (a restricted incident), or stand nowhere."""


class DutyStated(Value):
    """A duty became overdue, or (step `corrected`) an approver took the breach back."""

    what: Literal["duty"] = "duty"
    step: Literal["breached", "corrected"]
    kind: DutyKind
    clock: int
    started_at: UtcTime
    due_at: UtcTime
    was_due_at: UtcTime | None = None
    breached_at: UtcTime
    corrected_at: UtcTime | None = None
    corrected_by: str | None = None
    claimed_met_at: UtcTime | None = None
    rule: str = ""


class WaiverStated(Value):
    """A person waived duties until a moment."""

    what: Literal["waiver"] = "waiver"
    duty: DutyKind | None = None
    until: UtcTime
    by: str
    at: UtcTime
    source: str


class WaiverEnded(Value):
    """A person ended the waiver that was given at `at` before its time."""

    what: Literal["waiver ended"] = "waiver ended"
    duty: DutyKind | None = None
    at: UtcTime
    ended_at: UtcTime
    by: str | None = None


Stated = DutyStated | WaiverStated | WaiverEnded
_STATED: TypeAdapter[Stated] = TypeAdapter(Stated)


class CommentFact(Value):
    """A statement that syncd believes: its comment, the key of its operation, and people's words."""

    comment: Comment
    key: str
    stated: Stated = Field(discriminator="what")
    said: str = ""


def duty_stated(duty: Duty) -> DutyStated:
    """Return the facts of the comment on a breach, or on its correction."""
    return DutyStated(
        step="breached" if duty.corrected is None else CORRECTED,
        kind=duty.kind,
        clock=duty.clock,
        started_at=duty.started_at,
        due_at=duty.due_at,
        was_due_at=duty.was_due_at,
        breached_at=duty.breached_at or duty.due_at,
        corrected_at=duty.corrected_at,
        corrected_by=duty.corrected_by,
        claimed_met_at=duty.claimed_met_at,
        rule=duty.rule,
    )


def step_key(incident: str, place: str, duty: Duty, step: str) -> str:
    """Return the key of the comment on one step of a duty: due soon, overdue, corrected."""
    return _step_key(incident, place, duty.kind, duty.clock, step, duty.due_at)


def _step_key(incident: str, place: str, kind: str, clock: int, step: str, due_at: UtcTime) -> str:
    return comment_key(incident, place, kind, clock, step, int(due_at.timestamp()))


def waiver_stated(waiver: Waiver) -> WaiverStated:
    """Return the facts of the comment on a waiver."""
    return WaiverStated(
        duty=waiver.duty, until=waiver.until, by=waiver.by, at=waiver.at, source=waiver.source
    )


def end_stated(waiver: Waiver) -> WaiverEnded | None:
    """Return the facts of the comment on a waiver's end, None for a waiver that ran to its end."""
    if waiver.ended_at is None:
        return None
    return WaiverEnded(duty=waiver.duty, at=waiver.at, ended_at=waiver.ended_at, by=waiver.ended_by)


def key_of(incident: str, place: str, stated: Stated) -> str:
    """Return the key of the comment that holds the statement."""
    if isinstance(stated, DutyStated):
        return _step_key(incident, place, stated.kind, stated.clock, stated.step, stated.due_at)
    plain = json.dumps(facts_of(stated), sort_keys=True, separators=(",", ":"))
    return comment_key(
        incident, place, stated.what.replace(" ", "-"), sha256(plain.encode()).hexdigest()[:16]
    )


def facts_of(stated: Stated) -> dict[str, JsonValue]:
    """Return a statement as a mark holds it."""
    return stated.model_dump(mode="json")


def facts_in_comments(
    comments: Iterable[Comment], ours: Collection[str], incident: str, place: str
) -> Iterator[CommentFact | Comment]:
    """Yield the statements in one issue's comments, in the order of the comments.

    Of a statement that syncd does not believe, yield the comment itself. `ours` are the ids of the accounts
    that syncd has and had.
    """
    for comment in comments:
        mark = comment.mark
        if mark is None or not mark.facts:
            continue
        # An action item may have counted for another incident before, so its comments may name that one.
        if place == POSTMORTEM and mark.incident != incident:
            yield comment
            continue
        words = mark.facts.get(SAID)
        stated = _read({name: value for name, value in mark.facts.items() if name != SAID})
        key = key_of(mark.incident, place, stated) if stated is not None else ""
        named = {op_of(key), mark.op, mark_in(comment.body)}
        if stated is None or len(named) > 1 or not _untouched(comment, ours):
            yield comment
        else:
            yield CommentFact(
                comment=comment, key=key, stated=stated, said=words if isinstance(words, str) else ""
            )


def _untouched(comment: Comment, ours: Collection[str]) -> bool:
    return comment.author is not None and comment.author.id in ours and not comment.edited


def _read(facts: dict[str, JsonValue]) -> Stated | None:
    try:
        stated = _STATED.validate_python(facts)
    except ValidationError:
        return None
    # No rule gives a waiver this long, and no duty is overdue before its start: the facts are forged.
    if isinstance(stated, WaiverStated) and stated.until - stated.at > LONGEST_WAIVER:
        return None
    if isinstance(stated, DutyStated) and stated.breached_at < stated.started_at:
        return None
    return stated


def rebuilt(
    statements: Iterable[CommentFact], incident: str, item: str | None
) -> tuple[list[Duty], list[Waiver]]:
    """Return the duties and waivers that the statements of one issue describe, oldest statement first.

    `item` is the issue id of an action item, None for the postmortem. Of several statements about one clock
    the latest counts.
    """
    duties: dict[tuple[str, str, int], Duty] = {}
    waivers: dict[tuple[DutyKind | None, UtcTime], Waiver] = {}
    for statement in statements:
        stated = statement.stated
        if isinstance(stated, DutyStated):
            duty = _duty(stated, item or incident, statement.said)
            duties[duty.place] = duty
        elif isinstance(stated, WaiverStated):
            waivers[stated.duty, stated.at] = Waiver(
                duty=stated.duty,
                subject=item,
                until=stated.until,
                reason=statement.said or WITHHELD,
                by=stated.by,
                at=stated.at,
                source=stated.source,
                rebuilt=True,
            )
        elif (stated.duty, stated.at) in waivers:
            end = {"ended_at": stated.ended_at, "ended_by": stated.by}
            waivers[stated.duty, stated.at] = waivers[stated.duty, stated.at].model_copy(update=end)
    return [*duties.values()], [*waivers.values()]


def _duty(stated: DutyStated, subject: str, words: str) -> Duty:
    """Return the duty as it was when syncd wrote the comment; the next decision judges it anew."""
    corrected = stated.step == CORRECTED
    return Duty(
        kind=stated.kind,
        subject=subject,
        clock=stated.clock,
        state=DutyState.VOID if corrected else DutyState.BREACHED,
        started_at=stated.started_at,
        due_at=stated.due_at,
        was_due_at=stated.was_due_at,
        rule=stated.rule,
        breached_at=stated.breached_at,
        corrected=words or WITHHELD if corrected else None,
        corrected_at=stated.corrected_at,
        corrected_by=stated.corrected_by,
        claimed_met_at=stated.claimed_met_at,
        rebuilt=True,
    )
