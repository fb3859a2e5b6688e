"""When an incident was resolved and reopened, by a log that never says so itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from duty_cast import DAY, DUE, HOUR, RESOLVED, Life
from policy_cast import incident

from syncd.domain.duty import DutyKind
from syncd.policy.time.state_changes import Entry, state_changes_of

CHANGES = ("field_value_change", "priority_change", "urgency_change", "custom_field_value_change")
"""Entries of a changed priority, title, service, urgency or field."""


def entries(*given: tuple[str, datetime]) -> list[Entry]:
    return [Entry(kind="trigger", at=RESOLVED - 2 * HOUR), *(Entry(kind=kind, at=at) for kind, at in given)]


def over(resolved: datetime, *given: tuple[str, datetime]) -> list[tuple[str, datetime]]:
    """The states of a resolved incident with this log."""
    shown = incident(status="resolved", created_at=RESOLVED - 2 * HOUR, resolved_at=resolved)
    states = [change for change in state_changes_of(entries(*given), shown) if change.kind != "worked_on"]
    return [(operation.kind, operation.at) for operation in states][1:]


@pytest.mark.parametrize("kind", [*CHANGES, "annotate", "notify"])
def test_a_field_that_changed_after_the_resolve_is_no_reopening(kind: str) -> None:
    log = (("resolve", RESOLVED), (kind, RESOLVED + HOUR))
    assert over(RESOLVED, *log) == [("resolved", RESOLVED)]


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("proof", ["assign", "acknowledge", "trigger", "escalate"])
def test_a_reopening_is_dated_by_what_only_an_open_incident_has(kind: str, proof: str) -> None:
    reopened, again = RESOLVED + 60 * HOUR, RESOLVED + 70 * HOUR
    log = (("resolve", RESOLVED), (kind, RESOLVED + HOUR), (proof, reopened), ("resolve", again))
    assert over(again, *log) == [("resolved", RESOLVED), ("reopened", reopened), ("resolved", again)]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_duty_that_was_missed_before_the_reopening_stays_missed_whatever_was_renamed(kind: str) -> None:
    again = DUE + 2 * DAY
    log = entries(
        ("resolve", RESOLVED), (kind, RESOLVED + HOUR), ("acknowledge", DUE + DAY), ("resolve", again)
    )
    shown = incident(status="resolved", created_at=RESOLVED - 2 * HOUR, resolved_at=again)
    life = Life()
    life.state_changes = [*state_changes_of(log, shown)]
    life.decide(again + HOUR)
    assert life.all() == [(1, "breached"), (2, "pending")]
    assert life.duties[0].breached_at == DUE


@pytest.mark.parametrize("kind", CHANGES)
def test_a_short_reopening_stays_short_whatever_was_renamed_before(kind: str) -> None:
    reopened = RESOLVED + 20 * HOUR
    again = reopened + timedelta(minutes=20)
    log = entries(("resolve", RESOLVED), (kind, RESOLVED + HOUR), ("assign", reopened), ("resolve", again))
    shown = incident(status="resolved", created_at=RESOLVED - 2 * HOUR, resolved_at=again)
    life = Life()
    life.state_changes = [*state_changes_of(log, shown)]
    life.review(RESOLVED + 2 * HOUR)
    life.decide(again + HOUR)
    assert life.all() == [(1, "met")]


def test_an_open_incident_is_reopened_since_its_status_changed_not_since_it_was_renamed() -> None:
    reopened = RESOLVED + 5 * HOUR
    shown = incident(status="triggered", created_at=RESOLVED - 2 * HOUR, status_changed_at=reopened)
    log = entries(("resolve", RESOLVED), ("field_value_change", RESOLVED + HOUR))
    states = state_changes_of(log, shown)
    assert [(operation.kind, operation.at) for operation in states][1:] == [
        ("resolved", RESOLVED),
        ("reopened", reopened),
    ]


@pytest.mark.parametrize(
    ("changed_at", "between", "reopened"),
    [
        (RESOLVED - HOUR, (), None),
        (RESOLVED - HOUR, (("field_value_change", RESOLVED + HOUR),), None),
        (RESOLVED - HOUR, (("assign", RESOLVED + HOUR),), RESOLVED + HOUR),
        (RESOLVED, (), RESOLVED),
        (None, (), RESOLVED),
    ],
)
def test_an_open_incident_that_was_read_before_the_resolve_of_its_log_shows_no_reopening(
    changed_at: datetime | None, between: tuple[tuple[str, datetime], ...], reopened: datetime | None
) -> None:
    shown = incident(status="acknowledged", created_at=RESOLVED - 2 * HOUR, status_changed_at=changed_at)
    log = entries(("acknowledge", RESOLVED - HOUR), ("resolve", RESOLVED), *between)
    states = [(change.kind, change.at) for change in state_changes_of(log, shown)]
    assert states[2:] == [("resolved", RESOLVED), *([("reopened", reopened)] if reopened else [])]


@pytest.mark.parametrize(
    ("between", "moves"),
    [
        (Entry(kind="trigger", at=RESOLVED + 30 * HOUR), True),
        (Entry(kind="acknowledge", at=RESOLVED + 30 * HOUR, person=True), True),
        (Entry(kind="annotate", at=RESOLVED + 30 * HOUR, person=True), True),
        (Entry(kind="annotate", at=RESOLVED + 30 * HOUR), False),
        (Entry(kind="annotate", at=RESOLVED + 30 * HOUR, person=True, ours=True), False),
        (Entry(kind="acknowledge", at=RESOLVED + 30 * HOUR, person=True, ours=True), False),
        (Entry(kind="trigger", at=RESOLVED + 30 * HOUR, person=True), False),
        (Entry(kind="escalate", at=RESOLVED + 30 * HOUR, person=True), False),
        (Entry(kind="annotate", at=RESOLVED + HOUR, person=True), False),
    ],
)
@pytest.mark.parametrize("looks", [True, False])
def test_reopened_and_resolved_without_an_alert_an_acknowledgement_or_a_note_the_deadline_stays(
    between: Entry, moves: bool, looks: bool
) -> None:
    reopened, again = Entry(kind="assign", at=RESOLVED + 20 * HOUR), RESOLVED + 40 * HOUR
    log = sorted([*entries(("resolve", RESOLVED)), reopened, between], key=lambda entry: entry.at)
    life = Life()
    for now, entry in ((RESOLVED + 39 * HOUR, None), (again, Entry(kind="resolve", at=again))):
        log += [entry] if entry else []
        shown = {"status": "triggered"} if entry is None else {"status": "resolved", "resolved_at": again}
        life.state_changes = [*state_changes_of(log, incident(created_at=RESOLVED - 2 * HOUR, **shown))]
        if looks or entry is not None:
            life.decide(now)
    last = life.duty(again + HOUR)
    assert last is not None
    assert last.due_at == (again + 2 * DAY if moves else DUE)
    life.decide(again + 3 * DAY)
    breached = [duty.breached_at for duty in life.duties if duty.kind is DutyKind.SCHEDULED]
    assert breached[-1] == last.due_at
