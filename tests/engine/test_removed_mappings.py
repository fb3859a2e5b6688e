"""A team's mapping file is removed: the last one keeps the tickets and duties there are, and gets no more."""

from __future__ import annotations

from typing import Any

from ledger_reading import events
from rig import Rig, mapping

from engine.mail_rig import MakeRig, mailing, subjects
from engine.test_brakes import ask
from engine.test_pause import pause, resume
from engine.test_stopped_teams import RAMEN, nothing_more_is_written, tickets
from engine.test_two_teams import at, two_projects
from syncd.domain.mapping.mapping import UnusableMapping
from syncd.engine.jobs.reload import Reloader, ourselves
from syncd.engine.rules import Rules, completed_from
from syncd.ledger.store.former_rules import former_rules
from syncd.ledger.store.lookups import find_incident
from syncd.ledger.views.show import show_data
from syncd.ledger.views.status import status_data
from syncd.preflight.checks.ledger import former

WHO = "Samuel Adeyemi"
OWES = {
    "postmortem": {"mode": "enforce"},
    "closing": {"mode": "enforce"},
    "severities": {
        "Sev-1": {"pagerduty": "P1", "priority": "Highest", "postmortem": True},
        "Sev-3": {"pagerduty": ["P2", "P3", "P4"], "urgency": "low", "priority": "Low"},
    },
}


def two_teams(make_rig: MakeRig, **changes: Any) -> Rig:
    ramen = mapping(**{**RAMEN, **OWES, "file": "ramen.yaml", **changes})
    rig = make_rig(mappings=(mailing(file="qrpay.yaml"), ramen), preset=two_projects, mail=True)
    rig.settle(2)
    return rig


def remove_ramen(rig: Rig) -> None:
    """The file is removed while the daemon is down."""
    rig.mappings = rig.mappings[:1]
    rig.restart()


def shown(rig: Rig, incident_id: str) -> dict[str, Any]:
    record = find_incident(rig.ledger, incident_id).incident
    assert record is not None
    return show_data(rig.ledger, record, rig.clock.now())


def notes_of_status(rig: Rig) -> list[str]:
    return [note for note in status_data(rig.ledger)["notes"] if note.startswith("Ramen: ")]


def test_a_restart_without_the_file_moves_its_tickets_and_judges_its_duties(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    pagerduty = rig.world.pagerduty
    slow = pagerduty.trigger("Ordering API", "Slow", priority="P1")
    rig.settle(2)
    pause(rig, "jira")
    waiting = pagerduty.trigger("Ordering API", "Slower", priority="P1")
    rig.settle(2)
    remove_ramen(rig)
    resume(rig, "jira")
    rig.settle(3)
    assert tickets(rig) == ["ENG-1", "ENG-2"]
    new = pagerduty.trigger("Ordering API", "Orders are lost", priority="P1")
    rig.settle(2)
    for incident in (slow, waiting, new):
        pagerduty.resolve(incident.id, WHO)
    rig.settle(6)
    assert (at(rig, "ENG-1"), at(rig, "ENG-2")) == ("In Review", "In Review")
    assert find_incident(rig.ledger, new.id).incident is None
    data = shown(rig, slow.id)
    assert data["rules_gone"] is not None
    assert data["rules_gone"].startswith("Ramen: no mapping of the team is loaded since 2026-")
    assert data["rules_gone"].endswith(
        "(it was ramen.yaml); its last one keeps the ticket and the duties, which run on"
    )
    (note,) = notes_of_status(rig)
    assert "its incidents (2 unfinished), and new ones get no ticket" in note
    for _ in range(16):
        rig.cycle(86_400)
    rig.settle(3)
    scheduled = shown(rig, slow.id)["postmortem"]["scheduled"]
    assert scheduled["state"] == "breached"
    assert not [row for row in rig.operations() if row.incident_id == new.id]
    nothing_more_is_written(rig)
    before = rig.writes()
    rig.restart()
    rig.settle(3)
    assert rig.writes() == before
    (finding,) = former(rig.ledger, {"QRPay"})
    assert (finding.code, finding.where) == ("C15", "Ramen")


def test_removing_the_file_mails_nobody_anything_that_keeping_it_would_not(make_rig: MakeRig) -> None:
    told = []
    for removed in (False, True):
        rig = two_teams(make_rig, mails={"mode": "enforce"})
        slow = rig.world.pagerduty.trigger("Ordering API", "Slow", priority="P1")
        rig.settle(3)
        if removed:
            remove_ramen(rig)
        rig.settle(2)
        rig.world.pagerduty.resolve(slow.id, WHO)
        rig.settle(3)
        for _ in range(10):
            rig.cycle(86_400)
        rig.settle(3)
        told.append(sorted(subject for subject in subjects(rig) if "week" not in subject.lower()))
    kept, gone = told
    assert gone == kept


def test_a_reload_without_the_file_says_what_becomes_of_it_and_one_with_it_that_it_is_back(
    make_rig: MakeRig,
) -> None:
    rig = two_teams(make_rig)
    slow = rig.world.pagerduty.trigger("Ordering API", "Slow", priority="P3")
    rig.settle(2)
    both, alone = rig.mappings, rig.mappings[:1]
    lines = reload(rig, *alone)
    assert lines == ["ramen.yaml: it is gone; the incidents of Ramen keep its rules, new ones get no ticket"]
    assert reload(rig, *alone) == ["nothing has changed"]
    rig.world.pagerduty.acknowledge(slow.id, WHO)
    rig.settle(3)
    assert at(rig, "ENG-1") == "In Progress"
    nothing_more_is_written(rig)
    assert reload(rig, *both) == ["ramen.yaml: it is back, with the same rules"]
    rig.settle(3)
    assert (notes_of_status(rig), shown(rig, slow.id)["rules_gone"]) == ([], None)
    rig.world.pagerduty.trigger("Dispatch", "Couriers are late", priority="P3")
    rig.settle(3)
    assert tickets(rig) == ["ENG-1", "ENG-2"]
    assert [data["file"] for _, data in events(rig.ledger, "rules.removed")] == ["ramen.yaml"]


def reload(rig: Rig, *mappings: Any) -> list[str]:
    reloader = Reloader(rig.context, lambda: Rules(mappings, rig.renderer), rig.loop.rules_changed)
    result = reloader.run(ourselves("a test"))
    assert result["failed"] is False
    return list(result["lines"])


def test_a_team_without_incidents_leaves_nothing_behind(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    assert reload(rig, rig.mappings[0]) == ["ramen.yaml: its rules are gone"]
    assert (former_rules(rig.ledger, {"QRPay"}), rig.context.rules.current.former) == ([], ())


def test_a_file_that_nobody_can_read_is_not_taken_for_a_removed_one(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    rig.world.pagerduty.trigger("Ordering API", "Slow", priority="P3")
    rig.settle(2)
    for team in ("Ramen", None):
        broken = UnusableMapping(file="ramen-2.yaml", problems=("line 1: not YAML",), team=team)
        rules = completed_from(rig.ledger, Rules(rig.mappings[:1], rig.renderer, (broken,)))
        assert rules.former == ()


def test_a_forgotten_person_is_taken_out_of_the_last_mapping(make_rig: MakeRig) -> None:
    rig = two_teams(make_rig)
    rig.world.pagerduty.trigger("Ordering API", "Slow", priority="P3")
    rig.settle(3)
    remove_ramen(rig)
    ask(rig, "forget", address="samuel.adeyemi@ramen.example", names=[])
    rig.settle(1)
    rig.restart()
    (last,) = rig.context.rules.current.former
    assert (last.team, last.file, last.people.fallback) == ("Ramen", "ramen.yaml", None)
