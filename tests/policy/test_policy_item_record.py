"""An item's verdict depends on the record alone: looked at often, or looked at once a month later."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from duty_cast import DAY, HOUR, OLA, PIA, RESOLVED
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cast import DONE, IN_PROGRESS, book, incident, ticket

from syncd.domain.duty import RUNNING, Duty, DutyKind, DutyState
from syncd.domain.history import Change, StateChange, StateChangeKind
from syncd.domain.ticket import Account, Issue
from syncd.policy.case import Case, ItemState, MergeTarget
from syncd.policy.decide import with_duties
from syncd.policy.follow_ups.judge import decide_follow_ups

BOOK = book(follow_ups={"mode": "enforce"}, postmortem={"mode": "off"})
MADE = RESOLVED + HOUR
MINUTE = timedelta(minutes=1)
END = RESOLVED + 150 * DAY


class World:
    """An action item and its incident as the record has them; `at` judges as a daemon that looks then."""

    def __init__(self) -> None:
        self.state_changes = [_turn("triggered", RESOLVED - 2 * HOUR), _turn("resolved", RESOLVED)]
        self.changes: list[Change] = []
        self.duties: tuple[Duty, ...] = ()
        self.unlinked_at: datetime | None = None
        self.handed_over = False

    def merge(self, at: datetime) -> None:
        """Somebody merges the incident into P9, which resolves it."""
        self.state_changes.append(StateChange(kind="resolved", at=at, merged_into="P9"))

    def unlink(self, at: datetime) -> None:
        """Somebody removes the item's link to the ticket."""
        self.unlinked_at = at
        self.changes.append(Change(at=at, author=PIA, field="issuelinks", before="OPS-5", after=None))

    def turn(self, kind: StateChangeKind, at: datetime) -> None:
        self.state_changes.append(_turn(kind, at))
        if kind == "reopened":
            self.state_changes.append(_turn("worked_on", at))

    def change(self, field: str, at: datetime, after: str | None, by: Account = OLA, words: str = "") -> None:
        before = self._value(field, at)
        self.changes.append(
            Change(at=at, author=by, field=field, before=before, after=after, after_words=words or None)
        )

    def _value(self, field: str, at: datetime) -> str | None:
        values = [change.after for change in self.changes if change.field == field and change.at <= at]
        return values[-1] if values else (IN_PROGRESS.id if field == "status" else None)

    def look(self, now: datetime) -> World:
        turns = tuple(turn for turn in self.state_changes if turn.at <= now)
        over = turns[-1].at if turns[-1].kind == "resolved" else None
        owner = self._value("assignee", now)
        issue = Issue(
            id="900",
            key="OPS-9",
            project="OPS",
            type_id="100",
            status=DONE if self._value("status", now) == DONE.id else IN_PROGRESS,
            assignee=Account(id=owner) if owner else None,
            due_date=self._value("duedate", now),
            created_at=MADE,
        )
        item = ItemState(
            issue_id="900",
            key="OPS-9",
            source="linked to the ticket" if self.unlinked_at else "sub-task of the postmortem",
            issue=issue,
            changes=tuple(change for change in self.changes if change.at <= now),
            changes_until=now,
            first_seen_at=MADE,
            facts={"ended_by": "Pia"} if self.unlinked_at and self.unlinked_at <= now else {},
            # syncd sees it only when it looks.
            ended_at=now if self.unlinked_at and self.unlinked_at <= now else None,
        )
        target = turns[-1].merged_into if over else None
        happened = incident(
            status="resolved" if over else "triggered",
            resolved_at=over,
            created_at=turns[0].at,
            merged_into=target,
        )
        case = Case(
            incident=happened,
            now=now,
            ticket=ticket(),
            items=() if self.handed_over else (item,),
            duties=self.duties,
            state_changes=turns,
            merged_into=MergeTarget(id=target, number=99) if target else None,
        )
        # The engine decides again until nothing is left to record or to hand over.
        for _ in range(4):
            decision = decide_follow_ups(case, BOOK)
            case = with_duties(case, decision.duties)
            if "hand_over" in decision.look:
                self.handed_over = True
                case = case.model_copy(update={"items": ()})
        self.duties = case.duties
        return self

    def verdicts(self) -> list[tuple[object, ...]]:
        return sorted(
            (
                str(duty.kind),
                duty.clock,
                str(duty.state),
                duty.due_at,
                duty.breached_at or "",
                duty.met_at or "",
            )
            for duty in self.duties
        )


def _turn(kind: StateChangeKind, at: datetime) -> StateChange:
    return StateChange(kind=kind, at=at)


def day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def test_a_date_that_was_missed_before_a_flap_stays_missed_whenever_syncd_looks() -> None:
    def world() -> World:
        made = World()
        made.change("duedate", MADE, day(RESOLVED))
        made.change("duedate", RESOLVED + 16 * HOUR, day(RESOLVED + 9 * DAY))
        made.turn("reopened", RESOLVED + 18 * HOUR)
        made.turn("resolved", RESOLVED + 18 * HOUR + 20 * MINUTE)
        return made

    often = world().look(RESOLVED + 15 * HOUR).look(RESOLVED + 17 * HOUR).look(END)
    once = world().look(END)
    assert often.verdicts() == once.verdicts()
    assert any(kind == "done" and breached for kind, _, _, _, breached, _ in once.verdicts())


def test_a_date_that_is_moved_after_the_item_was_done_moves_no_verdict() -> None:
    def world() -> World:
        made = World()
        made.change("duedate", MADE, day(RESOLVED + 9 * DAY))
        made.change("status", MADE + DAY, DONE.id, words=DONE.name)
        made.change("duedate", MADE + 2 * DAY, day(RESOLVED + 30 * DAY))
        return made

    often = world().look(MADE + HOUR).look(MADE + DAY + HOUR).look(END)
    assert often.verdicts() == world().look(END).verdicts()


def test_what_was_missed_before_a_long_reopening_stays_missed_and_what_was_not_gets_a_new_clock() -> None:
    def world(reopened: timedelta) -> World:
        made = World()
        made.turn("reopened", RESOLVED + reopened)
        made.turn("resolved", RESOLVED + reopened + 31 * MINUTE)
        made.change("assignee", RESOLVED + reopened + 20 * HOUR, PIA.id)
        return made

    for reopened, states in ((40 * HOUR, ["met_late", "met"]), (20 * HOUR, ["met"])):
        often = world(reopened)
        for hours in range(2, 90, 3):
            often.look(RESOLVED + hours * HOUR)
        often.look(END)
        once = world(reopened).look(END)
        assert often.verdicts() == once.verdicts()
        assert [verdict[2] for verdict in once.verdicts() if verdict[0] == DutyKind.OWNED] == states


def test_a_look_while_a_reopening_may_still_be_short_settles_nothing() -> None:
    def world(reopened: timedelta, assigned: timedelta | None = None) -> World:
        made = World()
        made.turn("reopened", MADE + reopened)
        if assigned is not None:
            made.change("assignee", MADE + assigned, OLA.id)
        made.turn("resolved", MADE + reopened + 31 * MINUTE)
        return made

    due = DAY
    cases = (
        # The duty is due soon when syncd looks, and the next resolve starts it anew.
        (due - 270 * MINUTE, None, due - 240 * MINUTE),
        # The old deadline passes while the reopening may be short.
        (due - 10 * MINUTE, None, due + 10 * MINUTE),
        # Somebody takes the item while the reopening may be short.
        (due - 10 * HOUR, due - 10 * HOUR + 10 * MINUTE, due - 10 * HOUR + 20 * MINUTE),
    )
    for reopened, assigned, look in cases:
        once = world(reopened, assigned).look(END)
        often = world(reopened, assigned).look(MADE + look).look(END)
        assert often.verdicts() == once.verdicts()
        (due_at,) = [verdict[3] for verdict in once.verdicts() if verdict[0] == DutyKind.OWNED]
        assert due_at == MADE + reopened + 31 * MINUTE + due


def test_the_owner_duty_of_an_item_that_was_done_before_a_long_reopening_keeps_its_clock() -> None:
    def world() -> World:
        made = World()
        made.change("status", MADE + 3 * HOUR, DONE.id, words=DONE.name)
        made.turn("reopened", MADE + 6 * HOUR)
        made.turn("resolved", MADE + 6 * HOUR + 31 * MINUTE)
        return made

    once = world().look(END)
    assert world().look(MADE + 5 * HOUR).look(END).verdicts() == once.verdicts()
    owner = [verdict[2:4] for verdict in once.verdicts() if verdict[0] == DutyKind.OWNED]
    assert owner == [("cancelled", MADE + DAY)]


def test_an_item_that_was_dropped_and_taken_again_between_two_looks_has_both_clocks() -> None:
    def world() -> World:
        made = World()
        made.change("assignee", MADE + HOUR, OLA.id)
        made.change("assignee", MADE + 2 * HOUR, None)
        made.change("assignee", MADE + 3 * HOUR, PIA.id)
        return made

    once = world().look(END)
    often = world()
    for minutes in range(0, 300, 20):
        often.look(MADE + minutes * MINUTE)
    assert often.look(END).verdicts() == once.verdicts()
    owner = [(clock, state, met) for kind, clock, state, _, _, met in once.verdicts() if kind == "owned"]
    assert owner == [(1, "met", MADE + HOUR), (2, "met", MADE + 3 * HOUR)]


def test_an_item_that_was_done_opened_and_done_again_between_two_looks_has_both_clocks() -> None:
    def world() -> World:
        made = World()
        made.change("status", MADE + 2 * HOUR, DONE.id, words=DONE.name)
        made.change("status", MADE + 3 * HOUR, IN_PROGRESS.id, words=IN_PROGRESS.name)
        made.change("status", MADE + 5 * HOUR, DONE.id, words=DONE.name)
        return made

    once = world().look(END)
    often = world().look(MADE + HOUR).look(MADE + 150 * MINUTE).look(MADE + 4 * HOUR).look(END)
    assert often.verdicts() == once.verdicts()
    done = [(clock, state, met) for kind, clock, state, _, _, met in once.verdicts() if kind == "done"]
    assert done == [(1, "met", MADE + 2 * HOUR), (2, "met", MADE + 5 * HOUR)]


def test_opened_and_resolved_again_without_work_an_items_deadline_stays() -> None:
    made = World()
    made.state_changes += [_turn("reopened", MADE + 5 * HOUR), _turn("resolved", MADE + 9 * HOUR)]
    owner = [verdict[3] for verdict in made.look(END).verdicts() if verdict[0] == DutyKind.OWNED]
    assert owner == [MADE + DAY]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["flap", "reopen", "assign", "drop", "date", "done", "open"]),
        st.integers(1, 60 * 40),
        st.integers(0, 20),
    ),
    max_size=10,
)
LOOKS = st.lists(st.integers(1, 60 * 24 * 5), max_size=12)


def lived(steps: list[tuple[str, int, int]]) -> World:
    made, at = World(), MADE
    owner: str | None = None
    closed = False
    for step, minutes, number in steps:
        at += minutes * MINUTE
        if step in ("flap", "reopen"):
            made.turn("reopened", at)
            at += (20 if step == "flap" else 31 + 60 * number) * MINUTE
            made.turn("resolved", at)
        elif step == "date":
            made.change("duedate", at, day(at + (number - 3) * DAY))
        elif step == "done":
            if not closed:
                made.change("status", at, DONE.id, words=DONE.name)
            closed = True
        elif step == "open":
            if closed:
                made.change("status", at, IN_PROGRESS.id, words=IN_PROGRESS.name)
            closed = False
        else:
            then = None if step == "drop" else PIA.id if owner == OLA.id else OLA.id
            if then != owner:
                made.change("assignee", at, then)
            owner = then
    return made


@settings(max_examples=150, deadline=None)
@given(STEPS, LOOKS)
def test_who_looks_often_and_who_looks_once_find_the_same_verdicts(
    steps: list[tuple[str, int, int]], looks: list[int]
) -> None:
    often, now = lived(steps), MADE
    for minutes in looks:
        now += minutes * MINUTE
        often.look(now)
    assert often.look(END).verdicts() == lived(steps).look(END).verdicts()


@pytest.mark.parametrize("leaves", ["merge", "unlink"])
@pytest.mark.parametrize(
    ("left", "verdicts"),
    [
        (RESOLVED + 2 * DAY, {"owned": "breached", "done": "cancelled"}),
        (RESOLVED + 9 * DAY, {"owned": "breached", "done": "breached"}),
        (RESOLVED + 10 * HOUR, {"owned": "cancelled", "done": "cancelled"}),
    ],
)
def test_what_was_missed_before_an_item_left_is_missed_whenever_syncd_looks(
    leaves: str, left: datetime, verdicts: dict[str, str]
) -> None:
    def world() -> World:
        made = World()
        made.change("duedate", MADE, day(RESOLVED + 7 * DAY))
        if leaves == "merge":
            made.turn("reopened", left - 5 * HOUR)
            made.state_changes.pop()
        getattr(made, leaves)(left)
        return made

    often, once = world(), world().look(END)
    for hours in range(1, 15 * 24, 7):
        often.look(RESOLVED + hours * HOUR)
    for looked in (often.look(END), once):
        assert {str(duty.kind): str(duty.verdict) for duty in looked.duties} == verdicts
        assert not [duty for duty in looked.duties if duty.state in RUNNING]
        assert (looked.handed_over, {duty.state for duty in looked.duties}) == (
            leaves == "merge",
            {DutyState.CANCELLED},
        )
    assert [(duty.place, duty.due_at, duty.breached_at) for duty in often.duties] == [
        (duty.place, duty.due_at, duty.breached_at) for duty in once.duties
    ]


def test_what_was_done_before_an_item_left_stays_done() -> None:
    made = World()
    made.change("status", RESOLVED + 3 * HOUR, DONE.id)
    made.merge(RESOLVED + 5 * DAY)
    assert {str(duty.kind): str(duty.state) for duty in made.look(END).duties} == {
        "owned": "cancelled",
        "done": "met",
    }


def test_an_item_goes_to_the_target_only_when_what_it_missed_before_is_proven() -> None:
    made = World()
    made.merge(RESOLVED + DAY + HOUR + MINUTE)
    made.look(RESOLVED + DAY + HOUR + MINUTE)
    assert (made.handed_over, made.duties[-1].state) == (False, DutyState.DUE_SOON)
    made.look(RESOLVED + DAY + HOUR + 3 * MINUTE)
    assert (made.handed_over, made.duties[-1].verdict) == (True, DutyState.BREACHED)
