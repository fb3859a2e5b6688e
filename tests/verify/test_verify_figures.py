"""The figures of merge groups, counted by the report and a second time from what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import pytest

from syncd.domain.duty import Duty
from syncd.ledger.views.report_facts import DutyFact, IncidentFact
from syncd.report.weekly.counting import Sight, duty_row, incident_row
from syncd.report.weekly.facts import Facts
from syncd.report.weekly.figures import figures
from syncd.report.weekly.week import Week
from syncd.verify.facts import Merge
from syncd.verify.judge import judge
from syncd.verify.times import times_of
from verify.first_judge import incident_as_read, looked
from verify.histories import History, history
from verify.verify_cast import at, incident, members

Group = list[History]


def groups() -> Iterator[Group]:
    """Yield the incidents of the first histories with a merge."""
    for seed in range(1, 13):
        played = history(seed)
        # an approver takes back only what is on record, which another test tells apart
        played.corrections = ()
        if played.facts.merges or played.members:
            yield [played, *members(played)]


def as_counted(group: Group, week: Week, now: datetime) -> dict[str, Any]:
    """Return the report's figures of a group as it stood at a moment, with its duties of a week."""
    rules = group[0].rules
    since, until = week.bounds(rules.zone)
    rows = [incident_row(_incident(each, now), week.name) for each in group]
    for each in group:
        for duty in looked(each, [now])[0]:
            if since <= duty.due_at < until:
                rows.append(duty_row(_duty(each, duty), week.name, now, Sight(), rules.zone))
    return figures(Facts(week=week, zone=rules.zone, now=now), rows, [rules])


def _incident(each: History, now: datetime) -> IncidentFact:
    read = incident_as_read(each, now)
    acknowledged = [state.at for state in each.facts.states if state.kind == "acknowledged"]
    claimed = all(merge.claimed for merge in each.facts.merges if merge.at <= now)
    return IncidentFact(
        id=each.facts.id,
        number=1,
        team=each.rules.team,
        service="Checkout",
        severity="SEV1",
        assumed=False,
        status=read.status,
        created_at=read.created_at,
        acknowledged_at=min((moment for moment in acknowledged if moment <= now), default=None),
        resolved_at=read.resolved_at,
        merged_into=read.merged_into if claimed else None,
        noise_rule=None,
        restricted=False,
        ticket="OPS-700",
    )


def _duty(each: History, duty: Duty) -> DutyFact:
    known = {"incident": each.facts.id, "number": 1, "team": each.rules.team, "severity": "SEV1"}
    known |= {"restricted": False, "in_sight": True} | dict(duty)
    names = [field.name for field in fields(DutyFact)]
    return DutyFact(**{name: known.get(name) for name in names})


def counted_again(group: Group, week: Week, now: datetime) -> tuple[Any, ...]:
    """Return number, MTTA, MTTR and "n of m", derived from what happened alone."""
    since, until = week.bounds(group[0].rules.zone)
    times = [times_of(each.facts, now) for each in group]
    acknowledged = [each.to_acknowledge for each in times if each.to_acknowledge is not None]
    resolved = [each.to_resolve for each in times if each.to_resolve is not None]
    verdicts = [
        str(duty.verdict)
        for each in group
        for duty in judge(each.facts, each.people, each.decisions, now)
        if since <= duty.due_at < until
    ]
    counted = [word for word in verdicts if word in ("met", "met_late", "breached")]
    return (
        len(group),
        fmean(acknowledged) if acknowledged else None,
        fmean(resolved) if resolved else None,
        counted.count("met"),
        len(counted),
    )


def mean_of(lines: list[dict[str, Any]]) -> float | None:
    (line,) = lines or [{"mean": None}]
    mean: float | None = line["mean"]
    return mean


def test_the_figures_of_a_merge_group_are_those_of_its_history_before_and_after_the_merge() -> None:
    seen = 0
    for group in groups():
        merges = sorted(merge.at for each in group for merge in each.facts.merges)
        for now in (merges[0] - timedelta(minutes=10), merges[-1] + timedelta(days=9), group[0].end):
            week = Week.of(now, group[0].rules.zone)
            report = as_counted(group, week, now)
            counted = (
                report["incidents"]["count"],
                mean_of(report["acknowledge"]),
                mean_of(report["resolve"]),
                report["met"],
                report["of"],
            )
            assert counted == pytest.approx(counted_again(group, week, now)), (group[0].facts.id, now)
            seen += 1
    assert seen >= 15


@pytest.mark.parametrize(
    ("states", "merges", "expected"),
    [
        ("acknowledged -1, resolved 0", (), (60, 120)),
        # the target's times count, the source's do not
        ("acknowledged -1, resolved 0", (Merge(at=at(0)),), (None, None)),
        ("acknowledged -1, resolved 0", (Merge(at=at(0), claimed=False),), (60, 120)),
        # a source that is opened again counts until its last resolve
        ("acknowledged -1, resolved 0, reopened 5, resolved 7", (Merge(at=at(0)),), (60, 540)),
        ("acknowledged -1, resolved 0, reopened 5", (Merge(at=at(0)),), (60, None)),
        # the merge of what is over ends nothing
        ("acknowledged -1, resolved 0, resolved 4", (Merge(at=at(4), claimed=False),), (60, 120)),
    ],
)
def test_an_incident_has_its_times_unless_another_one_counts_in_its_place(
    states: str, merges: tuple[Merge, ...], expected: tuple[float | None, float | None]
) -> None:
    assert times_of(incident(states, merges=merges), at(50)) == expected
