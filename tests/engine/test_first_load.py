"""A new ledger holds what began before its first start; what begins afterwards gets everything at once."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import ask, issues, nothing_more_is_written, standing
from engine.mail_rig import COMPLIANCE, CTO, MakeRig, letters, mailing, recipients, subjects, text_of
from engine.test_verify_report import compared
from syncd.engine.observe.issues import read_log
from syncd.engine.once import once
from syncd.ledger.store import first_load
from syncd.ledger.store.lookups import load_followers
from syncd.ledger.store.verifications import verification
from syncd.sandbox import dump, faults
from syncd.verify.compare import NOT_READ_YET, Outcome

OPERATOR = "ops@qrpay.example"
AT_MOST, OLD = 10, 12
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the number of life, which `tests/ledger/test_ledger_holds.py` holds to."""
    monkeypatch.setattr(first_load, "FIRST_LOAD_AT_MOST", AT_MOST)


def old(rig: Rig, count: int = OLD, priority: str = "P4") -> set[str]:
    """So many open incidents that began before the ledger's first start."""
    trigger = rig.world.pagerduty.trigger
    return {
        trigger("Alipay Integration", f"Old {number}", priority=priority, at=rig.began - HOUR).id
        for number in range(count)
    }


def new(rig: Rig, priority: str = "P1") -> str:
    """An incident that begins now, of a service without old ones."""
    rig.world.advance(1)
    return rig.world.pagerduty.trigger("BluBank Integration", "New trouble", priority=priority).id


def loading(make_rig: MakeRig, **options: Any) -> Rig:
    """A rig with a new ledger that has not read anything."""
    return make_rig(mappings=(mailing(postmortem={"mode": "enforce"}),), mail=True, **options)


def ticketed(rig: Rig) -> set[str]:
    """The incidents that have a ticket."""
    return {issue["properties"]["syncd"]["incident"] for issue in issues(rig)}


def noted(rig: Rig) -> set[str]:
    """The incidents that have our note."""
    return {
        incident["id"] for incident in dump.whole(rig.world)["pagerduty"]["incidents"] if incident["notes"]
    }


@pytest.mark.parametrize("priority", ["P1", "P4"])
def test_a_new_incident_gets_ticket_note_and_moves_at_once_while_the_old_ones_are_held(
    make_rig: MakeRig, priority: str
) -> None:
    rig = loading(make_rig)
    old(rig)
    rig.settle(2)
    incident = new(rig, priority)
    rig.cycle()
    assert ticketed(rig) == noted(rig) == {incident}
    rig.world.pagerduty.acknowledge(incident, "Amara Osei")
    rig.cycle()
    (ticket,) = issues(rig)
    assert ticket["fields"]["status"]["name"] == "In Progress"
    nothing_more_is_written(rig)


def test_a_new_incident_s_notice_and_clocks_begin_at_once_while_the_old_ones_are_held(
    make_rig: MakeRig,
) -> None:
    rig = loading(make_rig)
    old(rig)
    rig.settle(2)
    incident = new(rig)
    rig.cycle()
    assert [recipient for recipient in recipients(rig) if recipient != OPERATOR] == sorted([CTO, COMPLIANCE])
    rig.world.pagerduty.resolve(incident, "Amara Osei")
    rig.settle(2)
    followers = load_followers(rig.ledger, incident)
    assert followers is not None
    assert {duty.kind for duty in followers.duties} == {"scheduled", "completed"}
    rig.cycle(50 * HOUR.total_seconds())
    rig.settle(3)
    assert any(subject.startswith("Overdue: Schedule the postmortem") for subject in subjects(rig))
    assert ticketed(rig) == {incident}


def test_it_is_shown_by_kind_and_told_to_the_operator_in_one_mail(make_rig: MakeRig) -> None:
    rig = loading(make_rig)
    old(rig)
    rig.cycle()
    told = standing(rig)["first_load"]
    assert (told["state"], told["counts"]) == ("held", {"create_ticket": OLD, "link_note": OLD})
    new(rig)
    rig.settle(4)
    rig.restart()
    rig.settle(4)
    assert standing(rig)["first_load"]["counts"] == told["counts"]
    assert subjects(rig, OPERATOR) == [f"syncd: A first load of {OLD} tickets is held"]
    (letter,) = [each_letter for each_letter in letters(rig) if OPERATOR in each_letter.recipients]
    assert "syncd accept" in text_of(letter)


def test_the_first_nights_find_no_difference_in_what_was_over_and_is_held(make_rig: MakeRig) -> None:
    rig = loading(make_rig)
    pagerduty, began = rig.world.pagerduty, rig.began - 3 * HOUR
    for number in range(OLD):
        made = pagerduty.trigger(
            "Alipay Integration", f"Old {number}", priority=f"P{number % 4 + 1}", at=began
        )
        pagerduty.acknowledge(made.id, "Amara Osei", at=began + HOUR / 12)
        pagerduty.resolve(made.id, "Amara Osei", at=began + HOUR)
    rig.settle(2)
    assert standing(rig)["first_load"]["state"] == "held"
    for _ in range(2):
        rig.cycle(25 * HOUR.total_seconds())
        once(rig.loop, whole=True)
    nights = verification(rig.ledger)
    assert nights.whole_at is not None
    assert nights.differences == nights.doubtful == ()
    times = [line for line in compared(rig) if line.duty == "time to acknowledge"]
    unread = [line for line in times if line.sources == (NOT_READ_YET,)]
    assert unread
    assert {line.outcome for line in unread} == {Outcome.NOT_VERIFIABLE}
    # once syncd has read the logs, each of these times agrees
    for line in unread:
        read_log(rig.context, str(line.incident), "QRPay")
    times = [line for line in compared(rig) if line.duty == "time to acknowledge"]
    assert {line.outcome for line in times} == {Outcome.SAME}


@pytest.mark.parametrize("restarted", [False, True])
def test_an_acceptance_releases_the_old_ones_also_after_a_restart(make_rig: MakeRig, restarted: bool) -> None:
    rig = loading(make_rig)
    incidents = old(rig)
    rig.settle(2)
    if restarted:
        rig.restart()
        rig.settle(2)
    incident = new(rig)
    rig.settle(2)
    assert ticketed(rig) == {incident}
    if restarted:
        rig.restart()
        rig.settle(2)
    assert ask(rig, "accept") == [f"accepted: {OLD} create_ticket, {OLD} link_note"]
    rig.settle(6)
    assert ticketed(rig) == noted(rig) == {*incidents, incident}
    assert len(issues(rig)) == OLD + 1
    nothing_more_is_written(rig)


def test_the_notices_of_old_incidents_are_held_with_them(make_rig: MakeRig) -> None:
    rig = loading(make_rig)
    old(rig, AT_MOST + 1, priority="P1")
    rig.settle(2)
    assert recipients(rig) == [OPERATOR]
    assert standing(rig)["first_load"]["counts"]["send_mail"] == 2 * (AT_MOST + 1)
    ask(rig, "accept")
    rig.settle(4)
    assert set(recipients(rig)) == {OPERATOR, CTO, COMPLIANCE}


@pytest.mark.parametrize("count", [0, OLD])
def test_while_it_still_counts_a_new_incident_waits_for_nothing(make_rig: MakeRig, count: int) -> None:
    """Jira could not be read in the first cycle, so nobody knows yet how many tickets would be made."""
    rig = loading(make_rig)
    rule = rig.world.faults.add(faults.error(500), service="jira", path=r"/search/jql$", times=None)
    old(rig, count)
    incident = new(rig)
    rig.cycle()
    assert recipients(rig) == sorted([CTO, COMPLIANCE])
    rig.world.faults.remove(rule.id)
    # the ledger proves first that no issue of its own is unknown to it
    rig.settle(2)
    assert ticketed(rig) == noted(rig) == {incident}


def test_as_many_old_incidents_as_may_pass_and_any_number_of_new_ones_need_no_acceptance(
    make_rig: MakeRig,
) -> None:
    rig = loading(make_rig)
    incidents = old(rig, AT_MOST)
    incidents |= {new(rig, "P4") for _ in range(10)}
    rig.settle(6)
    assert standing(rig)["first_load"]["state"] == "passed"
    assert ticketed(rig) == incidents
    assert letters(rig) == []


def test_accepted_while_no_daemon_runs_it_leaves_in_batches_whatever_its_severities(
    make_rig: MakeRig,
) -> None:
    """The requests grow by the batches alone: the others are the same for any number of incidents."""
    rules = mapping(enforce_from=date(2027, 1, 1), backfill={"tickets": "all"})
    rig = make_rig(mappings=(rules,))
    incidents = old(rig, 9, priority="P1") | old(rig, 9, priority="P4")
    for incident in sorted(incidents):
        rig.world.pagerduty.resolve(incident, "Amara Osei", at=rig.began - HOUR / 2)
    once(rig.loop, whole=True)
    assert not issues(rig)
    rig.restart()
    ask(rig, "accept")
    rig.restart()
    before = Counter(line.pattern for line in rig.world.journal.lines())
    once(rig.loop, whole=True)
    assert ticketed(rig) == incidents
    assert {issue["fields"]["status"]["name"] for issue in issues(rig)} == {"Done"}
    asked = Counter(line.pattern for line in rig.world.journal.lines()) - before
    # one ticket shows where tickets begin: it is created, read and moved alone
    assert asked["/rest/api/2/issue"] == asked["/rest/api/2/issue/{issue}"] == 1
    assert asked["/rest/api/2/issue/{issue}/transitions"] == 2
    assert asked["/rest/api/2/issue/bulk"] == 2
    assert not {name for name in asked if name.startswith("/incidents/")}
    assert asked.total() <= 30
