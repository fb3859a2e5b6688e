"""One team's trouble in Jira stops that team alone: the others run, and all is caught up when it is over."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from ledger_reading import IncidentRow, TicketRow, rows
from rig import Rig, mapping

from engine.cast import logged, standing
from engine.mail_rig import MakeRig, mailing, subjects
from engine.test_alarms import alarms_on_record
from engine.test_two_teams import OWN, two_projects
from syncd.domain.mapping.mapping import UnusableMapping
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.jobs.reload import Reloader, ourselves, record_rules
from syncd.engine.rules import Rules
from syncd.sandbox import dump, faults, presets
from syncd.sandbox.jira.workflow import Status, any_to_any

WHO = "Amara Osei"
RAMEN: dict[str, Any] = {
    "team": "Ramen",
    "jira": {"project": "ENG"},
    "services": {"Ordering API": {"component": "Ordering"}, "Dispatch": {}},
    "severities": {"Sev-1": {"pagerduty": ["P1", "P2", "P3", "P4"], "urgency": "low"}},
    "people": {"fallback": "samuel.adeyemi@ramen.example"},
}
Way = Callable[[Rig], Callable[[], None]]


def project(rig: Rig, key: str = "ENG") -> Any:
    return next(
        each_project for each_project in rig.world.jira.site.projects.values() if each_project.key == key
    )


def hide(rig: Rig) -> Callable[[], None]:
    """An admin archives the project, or takes Browse Projects away: Jira answers both alike."""
    denied = project(rig).denied
    denied.add("BROWSE_PROJECTS")
    return lambda: denied.discard("BROWSE_PROJECTS")


def rename(rig: Rig) -> Callable[[], None]:
    renamed = project(rig)
    renamed.key = "ENX"

    def back() -> None:
        renamed.key = "ENG"

    return back


def refuse(rig: Rig) -> Callable[[], None]:
    """Jira shows the project, and refuses to search it: an archived project of Data Center does so."""
    words = {"errorMessages": ["The value 'ENG' does not exist for the field 'project'."]}
    rule = rig.world.faults.add(
        faults.error(400, body=words), service="jira", path="/search", body="ENG", times=None
    )
    return lambda: rig.world.faults.remove(rule.id)


WAYS = pytest.mark.parametrize("way", [hide, rename, refuse])
EDITIONS = pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])


def two_teams(make_rig: MakeRig, *, data_center: bool = False, first_cycle: bool = True) -> Rig:
    rig = make_rig(
        mappings=(mailing(), mapping(**RAMEN)),
        preset=two_projects,
        mail=True,
        data_center_edition=data_center,
    )
    if first_cycle:
        rig.settle(2)
        rig.world.advance(60)
    return rig


def tickets(rig: Rig) -> list[str]:
    return sorted(issue["key"] for issue in dump.whole(rig.world)["jira"]["issues"])


def notes(rig: Rig, incident_id: str) -> list[str]:
    return [note.content for note in rig.world.pagerduty.account.incidents[incident_id].notes]


def heard(rig: Rig, incident_id: str, words: str) -> bool:
    """True if a person's comment reached PagerDuty as a note."""
    return any(words in text for text in notes(rig, incident_id))


def stopped(rig: Rig) -> list[list[str]]:
    return [refusal["teams"] for refusal in standing(rig)["refused"]]


def jira_reads(rig: Rig) -> int:
    rig.world.journal.clear()
    rig.cycle()
    return rig.world.journal.total("jira")


def nothing_more_is_written(rig: Rig) -> None:
    rig.settle(2)
    before = rig.writes()
    rig.settle(3)
    assert rig.writes() == before
    assert rig.operations("parked", "pending", "unknown") == []


@WAYS
@EDITIONS
def test_a_project_that_jira_does_not_show_stops_its_team_alone_and_is_caught_up(
    make_rig: MakeRig, data_center: bool, way: Way
) -> None:
    rig = two_teams(make_rig, data_center=data_center)
    pagerduty, jira = rig.world.pagerduty, rig.world.jira
    alipay = pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    dispatch = pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    rig.settle(2)
    with logged() as lines:
        mend = way(rig)
        rig.settle(2)
        jira.comment("OPS-1", "we look at the pool", WHO)
        if way is not rename:
            jira.comment("ENG-1", "a person writes meanwhile", WHO)
        later = pagerduty.trigger("Dispatch", "Couriers are lost", priority="P3")
        rig.settle(10)
        assert heard(rig, alipay.id, "we look at the pool")
        assert tickets(rig)[-1] == "OPS-1" and len(tickets(rig)) == 2
        assert stopped(rig) == [["Ramen"]]
        assert sum(line.startswith("Ramen stopped") for line in lines) == 1
        for _ in range(4):
            rig.cycle(1800)
        assert sum(line.startswith("Ramen stopped") for line in lines) == 1
        assert subjects(rig).count("syncd: syncd stopped Ramen") == 1
        if way is rename:
            jira.comment("ENX-1" if rig.world.jira.site.find("ENX-1") else "ENG-1", "meanwhile", WHO)
        mend()
        rig.settle(3, 1300)
        rig.settle(3)
    assert sum("Ramen: running again" in line for line in lines) == 1
    assert stopped(rig) == []
    assert heard(rig, dispatch.id, "meanwhile")
    assert tickets(rig) == ["ENG-1", "ENG-2", "OPS-1"]
    assert len([text for text in notes(rig, later.id) if "ENG-2" in text]) == 1
    assert subjects(rig) == ["syncd: syncd stopped Ramen"]
    assert alarms_on_record(rig) == ["stopped"]
    nothing_more_is_written(rig)


@EDITIONS
def test_a_refused_project_is_asked_ever_less_often_and_the_others_stay_one_request(
    make_rig: MakeRig, data_center: bool
) -> None:
    rig = two_teams(make_rig, data_center=data_center)
    assert jira_reads(rig) == 1
    mend = hide(rig)
    # the search of both is refused, then each is searched by itself
    assert jira_reads(rig) == 3
    reads = [jira_reads(rig) for _ in range(64)]
    assert set(reads) == {1, 2}
    asked = [number for number, count in enumerate(reads) if count == 2]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == [4, 8, 16, 32]
    mend()
    rig.settle(1, 3600)
    rig.cycle()
    assert (jira_reads(rig), stopped(rig)) == (1, [])


def test_the_stop_outlives_a_restart_and_is_told_once(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    hide(rig)
    rig.settle(2)
    (before,) = standing(rig)["refused"]
    rig.restart()
    rig.settle(2)
    (after,) = standing(rig)["refused"]
    assert (after["since"], after["teams"]) == (before["since"], ["Ramen"])
    rig.settle(1, 90_000)
    assert subjects(rig) == ["syncd: syncd stopped Ramen"]


@EDITIONS
def test_a_start_with_a_project_that_is_not_shown_runs_the_other_team(
    make_rig: MakeRig, data_center: bool
) -> None:
    rig = two_teams(make_rig, data_center=data_center, first_cycle=False)
    mend = hide(rig)
    pagerduty = rig.world.pagerduty
    pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    over = pagerduty.trigger("Dispatch", "Short", priority="P3")
    rig.loop.make_first_contact()
    rig.settle(3)
    pagerduty.resolve(over.id, "Samuel Adeyemi")
    rig.settle(3)
    assert tickets(rig) == ["OPS-1"]
    assert stopped(rig) == [["Ramen"]]
    mend()
    rig.settle(3, 1300)
    rig.settle(4)
    assert tickets(rig) == ["ENG-1", "ENG-2", "OPS-1"]
    assert subjects(rig) == ["syncd: syncd stopped Ramen"]
    nothing_more_is_written(rig)


@EDITIONS
def test_a_mapping_that_does_not_fit_stops_its_team_until_jira_is_mended(
    make_rig: MakeRig, data_center: bool
) -> None:
    ramen = mapping(**{**RAMEN, "jira": {"project": "ENG", "statuses": {"acknowledged": "Cooking"}}})
    rig = make_rig(
        mappings=(mailing(), ramen), preset=two_projects, mail=True, data_center_edition=data_center
    )
    rig.loop.make_first_contact()
    pagerduty = rig.world.pagerduty
    pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    dispatch = pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    with logged() as lines:
        rig.settle(6)
        assert tickets(rig) == ["OPS-1"]
        (refusal,) = standing(rig)["refused"]
        assert "Cooking" in refusal["why"] and refusal["teams"] == ["Ramen"]
        pagerduty.acknowledge(dispatch.id, "Samuel Adeyemi")
        cooking = (*OWN, Status("20005", "Cooking", "indeterminate"))
        presets.use_workflow(rig.world.jira.site, "ENG", any_to_any("ENG", cooking))
        rig.settle(3, 1300)
    assert sum("Ramen: running again" in line for line in lines) == 1
    # PagerDuty took the first acknowledgement back after half an hour
    pagerduty.acknowledge(dispatch.id, "Samuel Adeyemi")
    rig.settle(6)
    assert tickets(rig) == ["ENG-1", "OPS-1"]
    issue = next(
        each_issue for each_issue in dump.whole(rig.world)["jira"]["issues"] if each_issue["key"] == "ENG-1"
    )
    assert issue["fields"]["status"]["name"] == "Cooking"
    assert subjects(rig) == ["syncd: syncd stopped Ramen"]
    nothing_more_is_written(rig)


def test_where_no_team_can_run_the_start_fails_with_all_reasons(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig, first_cycle=False)
    for key in ("OPS", "ENG"):
        project(rig, key).denied.add("BROWSE_PROJECTS")
    with pytest.raises(MappingMismatch) as failed:
        rig.loop.make_first_contact()
    assert ["QRPay" in failed.value.problems[0], "Ramen" in failed.value.problems[1]] == [True, True]


def test_two_teams_of_one_project_are_stopped_by_one_refusal_and_told_by_one_mail(make_rig: MakeRig) -> None:
    ramen = mapping(**{**RAMEN, "jira": {"project": "OPS"}})
    rig = make_rig(mappings=(mailing(), ramen), mail=True)
    rig.settle(2)
    denied = project(rig, "OPS").denied
    denied.add("BROWSE_PROJECTS")
    rig.settle(40)
    assert stopped(rig) == [["QRPay", "Ramen"]]
    assert subjects(rig) == ["syncd: syncd stopped QRPay, Ramen"]
    denied.clear()
    rig.settle(2, 1300)
    assert stopped(rig) == []


@WAYS
@EDITIONS
def test_an_incident_that_comes_before_the_poll_sees_the_archive_is_not_parked(
    make_rig: MakeRig, data_center: bool, way: Way
) -> None:
    rig = two_teams(make_rig, data_center=data_center)
    rig.world.pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    rig.settle(2)
    rig.world.pagerduty.trigger("Dispatch", "Couriers are lost", priority="P3")
    rig.loop.cycle()
    mend = way(rig)
    if way is refuse:
        words = {"errorMessages": [], "errors": {"project": "valid project is required"}}
        rig.world.faults.add(
            faults.error(400, body=words), service="jira", method="POST", path="/issue$", times=1
        )
    rig.loop.work_queue.drain()
    create = next(row for row in rig.operations("pending") if row.kind == "create_ticket")
    assert "project" in str(create.error)
    rig.settle(4)
    assert rig.operations("parked") == []
    mend()
    rig.settle(3, 1300)
    assert tickets(rig) == ["ENG-1", "ENG-2"]
    nothing_more_is_written(rig)


def test_tickets_of_a_stopped_team_do_not_go_out_of_sight(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    rig.world.pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    rig.settle(2)
    hide(rig)
    rig.cycle()
    rig.loop.slow()
    rig.settle(2)
    (ticket,) = rows(rig.ledger, TicketRow)
    assert ticket.out_of_sight_since is None
    assert len(rows(rig.ledger, IncidentRow)) == 1


@EDITIONS
def test_a_reload_takes_up_the_team_of_a_mended_file_and_reads_the_time_without_its_rules(
    make_rig: MakeRig, data_center: bool
) -> None:
    ramen = mapping(**RAMEN, file="ramen.yaml", redact={"patterns": {"table": "table [0-9]+"}})
    both = (mailing(), ramen)
    rig = make_rig(mappings=both, preset=two_projects, mail=True, data_center_edition=data_center)
    rig.settle(2)
    pagerduty, jira = rig.world.pagerduty, rig.world.jira
    known = pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    rig.settle(2)
    broken = UnusableMapping(
        file="ramen.yaml",
        problems=("ramen.yaml:3:1: enforce_form: unknown key",),
        team="Ramen",
        services={"Dispatch": (), "Ordering API": ()},
    )
    rig.context.rules.swap(Rules((mailing(),), rig.renderer, (broken,)))
    record_rules(rig.context, ourselves("start"))
    with logged() as lines:
        pagerduty.acknowledge(known.id, "Samuel Adeyemi")
        jira.comment("ENG-1", "the guest at table 12 waits", WHO)
        short = pagerduty.trigger("Dispatch", "table 7 waits", priority="P3")
        pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
        rig.settle(4)
        pagerduty.resolve(short.id, "Samuel Adeyemi")
        rig.loop.slow()
        rig.settle(4)
        statuses = {row.number: row.status for row in rows(rig.ledger, IncidentRow)}
        assert statuses == {known.number: "triggered", 3: "triggered"}
        assert tickets(rig) == ["ENG-1", "OPS-1"]
        assert stopped(rig) == [["Ramen"]]
        assert sum("Ramen stopped" in line for line in lines) == 0
        assert sum("ramen.yaml names it and cannot be used" in line for line in lines) == 1
        assert subjects(rig) == ["syncd: syncd stopped Ramen"]
        reloader = Reloader(rig.context, lambda: Rules(both, rig.renderer), rig.loop.rules_changed)
        assert reloader.run(ourselves("a test"))["failed"] is False
        rig.settle(6)
    assert sum("Ramen: running again" in line for line in lines) == 1
    assert stopped(rig) == []
    assert tickets(rig) == ["ENG-1", "ENG-2", "OPS-1"]
    issue = next(
        each_issue for each_issue in dump.whole(rig.world)["jira"]["issues"] if each_issue["key"] == "ENG-1"
    )
    assert issue["fields"]["status"]["name"] == "In Progress"
    assert heard(rig, known.id, "the guest at")
    kept = [str(row.snapshot) for table in (IncidentRow, TicketRow) for row in rows(rig.ledger, table)]
    assert not [text for text in kept if "table 7" in text or "table 12" in text]
    nothing_more_is_written(rig)
