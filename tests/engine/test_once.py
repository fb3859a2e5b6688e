"""`syncd run --once` is a whole cycle: all that is due by the ledger runs, and nothing of it twice."""

from __future__ import annotations

from datetime import datetime

from rig import Rig

from engine.mail_rig import MakeRig, mailing, subjects
from engine.test_two_ways import comments, copy_of
from syncd.engine.loop import ControlLoop
from syncd.engine.once import once
from syncd.ledger.store.jobs import last_sweep
from syncd.ledger.store.verifications import verification
from syncd.ledger.views.status import status_data
from syncd.sandbox import faults


def whole(house: Rig, seconds: float) -> int:
    """Let time pass and run one cycle as a process of its own does; return its requests."""
    house.world.advance(seconds)
    house.restart()
    before = house.world.journal.total()
    once(ControlLoop(house.context), whole=True)
    return house.world.journal.total() - before


def test_slow_poll_and_work_of_the_night_run_when_the_ledger_says_so(house: Rig) -> None:
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    note = house.world.pagerduty.note(made.id, "restarted the workers", "Amara Osei")
    whole(house, 30)
    # a new ledger's figures are verified from its second day on
    (searched,) = of_the_night(house)
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    whole(house, 400)
    # an edit leaves no trace in the log, and a finished incident is not taken up at a start
    house.world.pagerduty.edit_note(made.id, note.id, "restarted the workers twice")
    early = whole(house, 60)
    assert "twice" not in copy_of(comments(house))
    due = whole(house, 900)
    assert "twice" in copy_of(comments(house))
    assert early < due
    assert of_the_night(house) == [searched]
    whole(house, 24 * 3600)
    assert [at > searched for at in of_the_night(house)] == [True, True]


def of_the_night(house: Rig) -> list[datetime]:
    """Return when the nightly jobs ran for the last time."""
    ran = (last_sweep(house.ledger), verification(house.ledger).whole_at)
    return [at for at in ran if at is not None]


def test_a_service_that_no_run_could_read_for_15_minutes_is_told(make_rig: MakeRig) -> None:
    house = make_rig(mappings=(mailing(),), mail=True)
    whole(house, 30)
    house.world.faults.add(faults.error(503), service="pagerduty", times=None)
    whole(house, 600)
    assert subjects(house) == []
    whole(house, 600)
    (subject,) = subjects(house)
    assert "PagerDuty" in subject


def test_the_operator_hears_of_a_jira_that_no_run_could_read(make_rig: MakeRig) -> None:
    house = make_rig(mappings=(mailing(),), mail=True)
    house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    whole(house, 30)
    house.world.faults.add(faults.error(503), service="jira", times=None)
    whole(house, 1200)
    (subject,) = subjects(house)
    assert subject == "syncd: Jira could not be read for 15 minutes"
    whole(house, 600)
    assert len(subjects(house)) == 1


def test_the_ledger_knows_how_often_cycles_run_until_a_daemon_reads(house: Rig) -> None:
    for seconds in (600, 600, 10, 600):
        whole(house, seconds)
    assert 600 <= status_data(house.ledger)["run_every"] < 700
    house.restart()
    house.cycle(60)
    assert status_data(house.ledger)["run_every"] == 0
