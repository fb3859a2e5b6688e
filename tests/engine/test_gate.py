"""The close gate and closing by itself: what a person's close meets while something is owed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from rig import Rig, mapping
from sqlmodel import select

from engine.cast import issue_of, nothing_more_is_written, status
from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.store.tables import AuditEventRow, IncidentRow
from syncd.ledger.views.show import show_data
from syncd.policy import decide as rules
from syncd.policy.case import Case, Decision, Rulebook

INES = "Ines Carvalho"
HOUR = 3600.0


@dataclass
class Judge:
    """Says how the duties of every incident stand, as the rules for them would."""

    states: dict[DutyKind, DutyState] = field(default_factory=dict)
    late: float = 0.0

    def __call__(self, case: Case, book: Rulebook) -> Decision:
        resolved = case.incident.resolved_at
        if resolved is None:
            return Decision()
        start = resolved + timedelta(seconds=self.late)
        return Decision(
            duties=tuple(
                Duty(
                    kind=kind,
                    subject=case.incident.id,
                    state=state,
                    started_at=start,
                    due_at=start + timedelta(hours=48),
                )
                for kind, state in self.states.items()
            )
        )


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    made = Judge({DutyKind.SCHEDULED: DutyState.PENDING, DutyKind.COMPLETED: DutyState.PENDING})
    monkeypatch.setattr(rules, "JUDGING", (made,))
    return made


def after_a_resolve(make_rig: Any, gate: str = "reopen", **changes: Any) -> Rig:
    """A rig with one incident, resolved ten minutes ago, whose ticket stands in review."""
    enforced = {"postmortem": {"mode": "enforce", "after_minutes": 1440}, **changes}
    house: Rig = make_rig(mappings=(mapping(close_gate={"mode": gate}, **enforced),))
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P1")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12, 60.0)
    assert status(house) == "In Review"
    return house


def closes(house: Rig) -> None:
    house.world.jira.transition("OPS-1", "Done", INES)
    house.settle(4)


def said(house: Rig) -> list[str]:
    return [comment["body"] for comment in issue_of(house)["comments"] if "Close gate" in comment["body"]]


def changelogs_read(house: Rig) -> int:
    return sum("/changelog" in line.path for line in house.world.journal.lines())


def overrides(house: Rig) -> list[str]:
    with house.ledger.read() as session:
        rows = session.exec(select(AuditEventRow).where(AuditEventRow.kind == "left")).all()
    return [row.text for row in rows if "gate.overridden" in row.text]


def test_a_ticket_closed_too_early_comes_back_with_the_list_of_what_is_missing(
    make_rig: Any, judge: Judge
) -> None:
    house = after_a_resolve(make_rig)
    closes(house)
    assert status(house) == "In Review"
    assert issue_of(house)["fields"]["resolution"] is None
    (comment,) = said(house)
    assert "not scheduled" in comment
    assert "not completed" in comment
    assert "syncd waive 1 --duty scheduled" in comment
    nothing_more_is_written(house)


def test_closed_again_with_the_same_duties_missing_it_stays_closed_and_the_override_is_on_record(
    make_rig: Any, judge: Judge
) -> None:
    house = after_a_resolve(make_rig)
    closes(house)
    assert overrides(house) == []
    closes(house)
    assert status(house) == "Done"
    assert len(said(house)) == 1
    (override,) = overrides(house)
    assert '"by"' in override
    assert INES not in override
    incident = incident_named(house.ledger, "1")
    assert incident is not None
    words = show_data(house.ledger, incident, house.clock.now())["ticket"]["overrides"][0]["words"]
    assert words.startswith(f"Close gate overridden by {INES} ")
    assert "still missing: postmortem not scheduled (due " in words
    nothing_more_is_written(house)
    assert len(overrides(house)) == 1


def test_with_a_new_duty_missing_the_gate_judges_anew(make_rig: Any, judge: Judge) -> None:
    judge.states[DutyKind.COMPLETED] = DutyState.WAIVED
    house = after_a_resolve(make_rig)
    closes(house)
    judge.states[DutyKind.COMPLETED] = DutyState.PENDING
    closes(house)
    assert status(house) == "In Review"
    first, second = said(house)
    assert "not completed" not in first
    assert "not completed" in second
    nothing_more_is_written(house)


def test_what_is_owed_anew_after_a_reopening_is_asked_for_again(make_rig: Any) -> None:
    house = after_a_resolve(make_rig)
    closes(house)
    assert (status(house), len(said(house))) == ("In Review", 1)
    incident = incident_named(house.ledger, "1")
    assert incident is not None
    house.world.pagerduty.reopen(incident.id, "Amara Osei")
    house.world.pagerduty.acknowledge(incident.id, "Tomasz Wójcik")
    house.settle(2, HOUR)
    house.world.pagerduty.resolve(incident.id, "Amara Osei")
    house.settle(12, 60.0)
    closes(house)
    assert (status(house), len(said(house)), overrides(house)) == ("In Review", 2, [])
    closes(house)
    assert (status(house), len(said(house)), len(overrides(house))) == ("Done", 2, 1)
    nothing_more_is_written(house)


def test_with_less_missing_than_before_a_close_stands(make_rig: Any, judge: Judge) -> None:
    house = after_a_resolve(make_rig)
    closes(house)
    judge.states[DutyKind.SCHEDULED] = DutyState.MET
    closes(house)
    assert status(house) == "Done"
    assert len(said(house)) == 1
    assert len(overrides(house)) == 1
    nothing_more_is_written(house)


@pytest.mark.parametrize(("hours", "stands"), [(0.9, "In Review"), (1.1, "Done")])
def test_a_close_that_is_seen_more_than_an_hour_later_gets_the_comment_only(
    make_rig: Any, judge: Judge, hours: float, stands: str
) -> None:
    house = after_a_resolve(make_rig)
    house.world.jira.transition("OPS-1", "Done", INES)
    house.world.advance(hours * HOUR)
    house.settle(4)
    assert status(house) == stands
    assert len(said(house)) == 1
    nothing_more_is_written(house)


def test_in_mode_comment_the_ticket_stays_closed(make_rig: Any, judge: Judge) -> None:
    house = after_a_resolve(make_rig, gate="comment")
    closes(house)
    assert status(house) == "Done"
    (comment,) = said(house)
    assert "goes back" not in comment
    nothing_more_is_written(house)


def test_another_tool_s_ticket_stays_where_it_was_put_and_says_what_is_missing(
    make_rig: Any, judge: Judge
) -> None:
    enforced = {"mode": "enforce", "after_minutes": 1440}
    house = make_rig(mappings=(mapping(coexist="adopt", close_gate={"mode": "reopen"}, postmortem=enforced),))
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P1")
    ticket = house.world.jira.create("Priya Raman", "Made by the app", type="Incident")
    house.world.pagerduty.note(made.id, f"Jira issue {ticket.key} was created", "Mei Tanaka")
    house.settle(3)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(12, 60.0)
    closes(house)
    assert (status(house), len(said(house))) == ("Done", 1)
    judge.states = dict.fromkeys(judge.states, DutyState.MET)
    house.world.jira.transition("OPS-1", "In Review", INES)
    house.settle(4, 6 * HOUR)
    house.settle(4, 6 * HOUR)
    assert status(house) == "In Review"


def test_a_gate_on_duties_in_report_only_shows_what_it_would_do(make_rig: Any, judge: Judge) -> None:
    house = after_a_resolve(make_rig, postmortem={"mode": "report"})
    closes(house)
    assert status(house) == "Done"
    assert said(house) == []
    with house.ledger.read() as session:
        (row,) = session.exec(select(IncidentRow)).all()
    assert any("reopen the ticket and list what is missing" in note for note in row.dry_run_notes)
    nothing_more_is_written(house)


def test_in_mode_off_nobody_looks(make_rig: Any, judge: Judge) -> None:
    house = after_a_resolve(make_rig, gate="off")
    closes(house)
    assert (status(house), said(house)) == ("Done", [])


@pytest.mark.parametrize("state", [DutyState.MET, DutyState.MET_LATE, DutyState.WAIVED, DutyState.CANCELLED])
def test_a_close_with_nothing_owed_is_left_alone_whatever_arises_later(
    make_rig: Any, judge: Judge, state: DutyState
) -> None:
    judge.states = {DutyKind.SCHEDULED: state, DutyKind.COMPLETED: state}
    house = after_a_resolve(make_rig)
    closes(house)
    judge.states = {DutyKind.SCHEDULED: DutyState.PENDING}
    house.world.jira.comment("OPS-1", "one more thing", INES)
    house.settle(4)
    assert (status(house), said(house)) == ("Done", [])


def test_a_duty_that_arose_after_the_close_does_not_reopen_the_ticket(make_rig: Any, judge: Judge) -> None:
    judge.late = 2 * HOUR
    house = after_a_resolve(make_rig)
    closes(house)
    house.world.advance(3 * HOUR)
    house.settle(3)
    assert (status(house), said(house)) == ("Done", [])


def test_a_ticket_that_the_daemon_closed_is_not_judged(make_rig: Any, judge: Judge) -> None:
    judge.states = {}
    house: Rig = make_rig(mappings=(mapping(close_gate={"mode": "reopen"}),))
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert status(house) == "Done"
    judge.states = {DutyKind.SCHEDULED: DutyState.PENDING}
    house.world.jira.comment("OPS-1", "one more thing", INES)
    house.settle(4)
    assert (status(house), said(house)) == ("Done", [])


@pytest.mark.parametrize("looks", [0, 4])
def test_a_ticket_that_the_daemon_closed_and_a_person_opened_and_closed_again_is_judged(
    make_rig: Any, judge: Judge, looks: int
) -> None:
    judge.states = {}
    house: Rig = make_rig(
        mappings=(
            mapping(close_gate={"mode": "reopen"}, postmortem={"mode": "enforce", "after_minutes": 1440}),
        )
    )
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert status(house) == "Done"
    # its severity was raised after the resolve
    judge.states = {DutyKind.SCHEDULED: DutyState.PENDING}
    house.world.jira.comment("OPS-1", "one more thing", INES)
    house.settle(4)
    assert said(house) == []
    house.world.jira.transition("OPS-1", "In Progress", INES)
    # syncd sees that it was open, or only that it is closed again
    house.settle(looks, 150)
    closes(house)
    (comment,) = said(house)
    assert "not scheduled" in comment
    assert status(house) == "In Progress"
    closes(house)
    assert (status(house), len(overrides(house))) == ("Done", 1)
    nothing_more_is_written(house)


def test_a_reopen_leaves_a_ticket_that_a_person_opened_and_closed_after_syncd_had_closed_it(
    make_rig: Any, judge: Judge
) -> None:
    judge.states = {}
    house: Rig = make_rig()
    house.cycle()
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(14)
    assert status(house) == "Done"
    house.world.jira.transition("OPS-1", "In Progress", INES)
    house.settle(4, 150)
    closes(house)
    before = changelogs_read(house)
    house.world.pagerduty.reopen(made.id, "Amara Osei")
    house.settle(4)
    assert status(house) == "Done"
    assert changelogs_read(house) - before <= 1
    nothing_more_is_written(house)


def test_a_ticket_closes_by_itself_a_day_after_the_resolve_when_nothing_is_owed(
    make_rig: Any, judge: Judge
) -> None:
    judge.states = {DutyKind.SCHEDULED: DutyState.MET, DutyKind.COMPLETED: DutyState.PENDING}
    house = after_a_resolve(make_rig)
    house.world.advance(25 * HOUR)
    house.settle(2)
    assert status(house) == "In Review"
    judge.states[DutyKind.COMPLETED] = DutyState.CANCELLED
    house.world.jira.comment("OPS-1", "lowered", INES)
    house.settle(4)
    assert status(house) == "Done"
    nothing_more_is_written(house)


def test_it_does_not_close_by_itself_before_the_day_is_over(make_rig: Any, judge: Judge) -> None:
    judge.states = {DutyKind.SCHEDULED: DutyState.MET, DutyKind.COMPLETED: DutyState.CANCELLED}
    house = after_a_resolve(make_rig)
    house.world.advance(23 * HOUR)
    house.loop.tick()
    house.settle(3)
    assert status(house) == "In Review"
    house.world.advance(HOUR)
    house.loop.tick()
    house.settle(3)
    assert status(house) == "Done"


def test_it_does_not_close_by_itself_from_where_a_person_put_it(make_rig: Any, judge: Judge) -> None:
    judge.states = {DutyKind.SCHEDULED: DutyState.MET, DutyKind.COMPLETED: DutyState.CANCELLED}
    house = after_a_resolve(make_rig)
    house.world.jira.transition("OPS-1", "In Progress", INES)
    house.world.advance(25 * HOUR)
    house.settle(4)
    assert status(house) == "In Progress"


def test_a_waived_duty_keeps_the_ticket_open(make_rig: Any, judge: Judge) -> None:
    judge.states = {DutyKind.SCHEDULED: DutyState.MET, DutyKind.COMPLETED: DutyState.WAIVED}
    house = after_a_resolve(make_rig)
    house.world.advance(25 * HOUR)
    house.settle(4)
    assert status(house) == "In Review"
