"""A report is derived again from both services: what agrees, what differs, what can no longer be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_reading import DutyRow, events, keep_report, put
from ledger_reading import rows as rows_of
from rig import Rig, mapping, rig

from syncd.engine.jobs.export_figures import CheckedFigures, FiguresCheck, files_of
from syncd.engine.jobs.verify_facts import Reader
from syncd.engine.jobs.verify_report import verify
from syncd.ledger.database.connection import one_view
from syncd.ledger.store.verifications import verification
from syncd.ledger.views.to_verify import on_record_of
from syncd.report.evidence import build
from syncd.report.weekly.report import make, run_of
from syncd.report.weekly.week import Week
from syncd.verify.compare import Line, Material, Outcome

INES, AMARA, LEAVER = "Ines Carvalho", "Amara Osei", "Mei Tanaka"
HOUR = 3600.0
DAY = 24 * HOUR
Rows = list[dict[str, Any]]
RULES = mapping(
    postmortem={"mode": "enforce", "complete_days": 90},
    follow_ups={"mode": "enforce"},
    close_gate={"mode": "off"},
)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two weeks after three incidents: one is scheduled in time, one late and with items, one never."""
    with rig(tmp_path_factory.mktemp("weeks"), mappings=(RULES,)) as house:
        play(house)
        yield house


def play(house: Rig) -> None:
    house.settle(2)
    jira = house.world.jira
    kept, late, missed = (resolved(house, title) for title in ("Latency", "Errors", "Backlog"))
    for key in (kept, late, missed):
        jira.assign(key, INES, INES)
    jira.edit(kept, INES, duedate=in_days(house, 5))
    owned, _unowned = (jira.sub_task(late, title, INES) for title in ("Alert", "Limit"))
    left = jira.sub_task(late, "Dashboard", INES)
    jira.assign(left.key, LEAVER, INES)
    pass_time(house, 5 * HOUR)
    jira.assign(owned.key, AMARA, INES)
    jira.deactivate(LEAVER)
    pass_time(house, 3 * DAY)
    jira.edit(late, INES, duedate=in_days(house, 5))
    jira.transition(owned.key, "Done", AMARA)
    pass_time(house, 4 * DAY)


def resolved(house: Rig, title: str) -> str:
    """Return the key of the postmortem of an incident that was resolved."""
    made = house.world.pagerduty.trigger("Alipay Integration", title, priority="P2")
    house.cycle()
    house.world.pagerduty.acknowledge(made.id, AMARA)
    house.cycle(400)
    house.world.pagerduty.resolve(made.id, AMARA)
    house.settle(3, 900)
    record = on_record_of(house.ledger, made.id)
    assert record is not None
    assert record.postmortem is not None
    return record.postmortem[1]


def in_days(house: Rig, days: int) -> str:
    return f"{house.clock.now() + timedelta(days=days):%Y-%m-%d}"


def pass_time(house: Rig, seconds: float) -> None:
    house.cycle(seconds)
    for _ in range(2):
        house.loop.tick()
        house.loop.work_queue.drain()
        house.cycle(900)


def compared(house: Rig, change: Callable[[Rows], Rows] = lambda rows: rows) -> list[Line]:
    """Make the reports of the last two weeks and return their comparison with both services."""
    now = house.clock.now()
    lines: list[Line] = []
    for back in range(2):
        run = run_of(make(house.ledger, Week.of(now, "UTC").back(back), "QRPay", house.mappings, now), now)
        rows, bounds = change(run.rows), (run.begins, run.ends)
        reader = Reader(house.ledger, house.context.services, house.mappings)
        lines += verify(house.ledger, reader, rows, bounds, "QRPay", now)
    return lines


def different(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.outcome is not Outcome.SAME]


def test_reports_agree_with_what_both_services_say(weeks: Rig) -> None:
    writes = weeks.writes()
    lines = compared(weeks)
    assert different(lines) == []
    times = {"time to acknowledge", "time to resolve"}
    assert {line.duty for line in lines} == {"scheduled", "owned"} | times
    assert {line.on_record.split(",")[0] for line in lines} >= {"met", "met_late", "breached"}
    assert weeks.writes() == writes
    # the ledger tells when an owner left: of both their clocks each can be verified
    assert len([line for line in lines if line.duty == "owned"]) == 4


def test_a_row_that_was_changed_a_row_left_out_and_a_deadline_that_moved_differ(weeks: Rig) -> None:
    def kinder(rows: Rows) -> Rows:
        return [
            {**row, "verdict": "met"} if row.get("verdict") == "breached" else row
            for row in rows
            if row.get("verdict") != "met_late"
        ]

    lines = different(compared(weeks, kinder))
    assert {line.outcome for line in lines} == {Outcome.DIFFERENT}
    assert {(line.on_record.split(",")[0], line.derived.split(",")[0]) for line in lines} == {
        ("met", "breached"),
        ("not in the report", "met_late"),
    }


def test_a_difference_that_two_looks_show_is_an_alarm_and_stands_in_the_next_report(weeks: Rig) -> None:
    nightly, ledger = weeks.loop.jobs.nightly, weeks.ledger
    nightly()
    assert (verification(ledger).differences, verification(ledger).doubtful) == ((), ())
    (missed,) = [duty for duty in rows_of(ledger, DutyRow) if duty.kind == "scheduled" and not duty.met_at]
    missed.state, missed.breached_at = "met", None
    put(ledger, missed)
    weeks.world.advance(DAY)
    nightly()
    weeks.loop.mail_schedule.due(at_once=True)
    assert (len(verification(ledger).doubtful), alarms(weeks)) == (1, [])
    for _ in range(3):
        weeks.world.advance(900)
        nightly()
        weeks.loop.mail_schedule.due(at_once=True)
    assert len(events(ledger, "figures.differ")) == len(alarms(weeks)) == 1
    now = weeks.clock.now()
    (listed,) = make(ledger, Week.of(now, "UTC"), "QRPay", weeks.mappings, now).figures["differences"]
    assert listed["reason"].startswith("scheduled: met, due ")
    assert "; derived anew: breached, due " in listed["reason"]
    missed.state, missed.breached_at = "breached", missed.due_at
    put(ledger, missed)
    weeks.world.advance(DAY)
    nightly()
    assert (verification(ledger).differences, verification(ledger).doubtful) == ((), ())


def alarms(house: Rig) -> list[str]:
    """Return the alarms about the figures that are on record."""
    return [data["key"] for _, data in events(house.ledger, "alarm") if "verify/" in str(data)]


Files = dict[str, Any]


@pytest.fixture(scope="module")
def evidence(weeks: Rig) -> Files:
    """The files of an export over both weeks, with the report of the last one."""
    now, ledger = weeks.clock.now(), weeks.ledger
    week = Week.of(now, "UTC").back(1)
    keep_report(ledger, run_of(make(ledger, week, "QRPay", weeks.mappings, now), now))
    period = (week.bounds("UTC")[0], now)
    with one_view(ledger) as view:
        export = build(view, *period, {}, now=now)
    reader = Reader(ledger, weeks.context.services, weeks.mappings)
    files = {**export.files, **files_of(ledger, reader, export.ids, period, export.read_until)}
    return {name: json.loads(content) for name, content in files.items() if name.endswith(".json")}


def judged_again(files: Files) -> CheckedFigures:
    return FiguresCheck(lambda name: json.dumps(files[name]).encode(), files).run()


def changed(files: Files, name: str, change: Callable[[Any], object]) -> Files:
    copy = json.loads(json.dumps(files))
    change(copy[name])
    return dict(copy)


def named(files: Files, folder: str) -> list[str]:
    return sorted(name for name in files if name.startswith(folder))


def test_an_export_is_judged_again_from_its_own_facts_alone(evidence: Files) -> None:
    result = judged_again(evidence)
    assert (result.problems, different(result.lines)) == ([], [])
    assert {line.on_record.split(",")[0] for line in result.lines} >= {"met", "met_late", "breached"}
    assert len(named(evidence, "facts/")) == len(named(evidence, "incidents/")) == 3
    assert len(named(evidence, "figures/")) == 1


def test_facts_leave_without_names_accounts_and_texts(weeks: Rig, evidence: Files) -> None:
    facts = json.dumps(
        [evidence[name] for name in (*named(evidence, "facts/"), *named(evidence, "figures/"))]
    )
    accounts = weeks.world.jira.site.people
    for word in (*accounts, INES, AMARA, INES.split()[0], "Latency", "Backlog", "Alipay", "@"):
        assert word not in facts, word


def test_a_changed_fact_a_removed_incident_and_a_changed_verdict_are_named(evidence: Files) -> None:
    met = next(line for line in judged_again(evidence).lines if line.on_record.startswith("met,"))
    facts, report = f"facts/{met.incident}.json", named(evidence, "figures/")[0]

    def undo(data: Any) -> None:
        data["material"]["facts"]["postmortem"] |= {"changes": [], "date": None, "assignee": None}

    lines = different(judged_again(changed(evidence, facts, undo)).lines)
    assert {(line.number, line.outcome) for line in lines} == {(met.number, Outcome.DIFFERENT)}
    without = {name: data for name, data in evidence.items() if name != facts}
    assert f"{report}: the facts of {met.incident} are missing" in judged_again(without).problems

    def kinder(data: Any) -> None:
        for row in data["rows"]:
            row["verdict"] = "met"

    result = judged_again(changed(evidence, report, kinder))
    assert [problem for problem in result.problems if "but its rows count" in problem]
    assert {line.on_record.split(",")[0] for line in different(result.lines)} == {"met"}
    gone = judged_again(changed(evidence, report, lambda data: data["rows"].clear()))
    assert {line.on_record for line in different(gone.lines)} == {"not in the report"}


def test_an_issue_that_jira_does_not_show_any_more_is_not_verifiable(weeks: Rig) -> None:
    lines = compared(weeks)
    key = next(line.name.split()[1] for line in lines if line.duty == "scheduled")
    weeks.world.jira.delete(key)
    lines = different(compared(weeks))
    assert {line.outcome for line in lines} == {Outcome.NOT_VERIFIABLE}
    assert {line.sources for line in lines} == {(f"Jira does not show {key} any more",)}


def material(house: Rig, number: int) -> Material:
    ident = next(
        each.id for each in house.world.pagerduty.account.incidents.values() if each.number == number
    )
    read = Reader(house.ledger, house.context.services, house.mappings).material(ident)
    assert isinstance(read, Material)
    return read


def test_a_report_with_a_merge_agrees_with_what_both_services_say(tmp_path: Path) -> None:
    with rig(tmp_path, mappings=(RULES,)) as house:
        house.settle(2)
        pagerduty, jira = house.world.pagerduty, house.world.jira
        postmortem = resolved(house, "Latency")
        owned, unowned = (jira.sub_task(postmortem, title, INES) for title in ("Alert", "Limit"))
        pass_time(house, HOUR)
        jira.assign(owned.key, AMARA, INES)
        target = pagerduty.trigger("Alipay Integration", "Errors", priority="P4")
        pass_time(house, HOUR)
        source = next(each for each in pagerduty.account.incidents.values() if each.title == "Latency")
        pagerduty.reopen(source.id, AMARA)
        pass_time(house, HOUR)
        pagerduty.merge(target.id, [source.id], AMARA)
        pass_time(house, HOUR)
        pagerduty.resolve(target.id, AMARA)
        pass_time(house, 4 * DAY)
        jira.edit(unowned.key, INES, duedate=in_days(house, 3))
        lines = compared(house)
        assert [(line.number, line.duty, line.on_record, line.derived) for line in different(lines)] == []
        of_target = [line for line in lines if line.number == target.number]
        assert {line.duty for line in of_target} >= {"scheduled", "owned", "time to resolve"}
        assert [line.on_record for line in lines if line.number == source.number and "time" in line.duty] == [
            "none",
            "none",
        ]
        read = material(house, target.number)
        assert read.facts is not None
        assert [each.owes for each in read.facts.absorbed] == [True]
        stages = {stage.incident.id for each in read.facts.items for stage in each.stages}
        assert stages == {source.id, target.id}


def test_an_incident_that_was_resolved_between_two_reads_is_not_read_as_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(tmp_path, mappings=(RULES,)) as house:
        pagerduty = house.world.pagerduty
        made = pagerduty.trigger("Alipay Integration", "Latency", priority="P1")
        house.settle(2)
        pagerduty.acknowledge(made.id, AMARA)
        house.settle(2)
        services = house.context.services
        before = services.pagerduty.incident(made.id)
        house.settle(2)
        pagerduty.resolve(made.id, AMARA)
        house.settle(2)
        monkeypatch.setattr(services.pagerduty, "incident", lambda _ident: before)
        read = material(house, made.number)
    assert read.facts is not None
    states = [state.kind for state in read.facts.states]
    assert states == ["triggered", "acknowledged", "resolved"]
