"""What cannot be read or done about one object holds up nothing else, is said once, and heals by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from loguru import logger
from rig import SERVICES, Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, standing, status
from engine.mail_rig import mailing, recipients
from engine.postmortem_rig import HALF_AN_HOUR, live, on, owner, postmortem, postmortems
from engine.postmortem_rig import SERVICES as OWNED
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.sandbox import faults

ME = "Amara Osei"
ALIPAY, BLUBANK = "Alipay Integration", "BluBank Integration"
OF_PAGERDUTY = {"error": {"message": "Access Denied", "code": 2010}}
OF_JIRA = {"errorMessages": ["No, and never."], "errors": {}}
PAGE = b"<html>not here</html>"


def ways(words: Any) -> dict[str, faults.Strike]:
    """Every way in which a service, or what stands before it, fails at a request."""
    return {
        "400": faults.error(400, body=words),
        "403": faults.error(403, body=words),
        "404": faults.error(404, body=words),
        "500": faults.error(500, body=words),
        "403-bare": faults.error(403),
        "404-page": faults.error(404, {"Content-Type": "text/html"}, PAGE),
        "404-null": faults.error(404, body=b"null"),
        "200-page": faults.html(200),
        "502-page": faults.html(),
    }


PAGERDUTY, JIRA = ways(OF_PAGERDUTY), ways(OF_JIRA)


@contextmanager
def log() -> Iterator[list[str]]:
    """Yield the lines of the log from warnings on."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level="WARNING", format="{message}")
    try:
        yield lines
    finally:
        logger.remove(sink)


def whats(rig: Rig) -> list[tuple[str, str]]:
    """Return the troubles in `status`: about whom, and what syncd cannot do."""
    return [
        (f"#{trouble['number']}" if trouble["number"] else trouble["whose"], trouble["what"])
        for trouble in standing(rig)["troubles"]
    ]


def shown(rig: Rig, number: int = 1) -> list[str]:
    """Return what `show` says that syncd cannot do."""
    record = incident_named(rig.ledger, str(number))
    assert record is not None
    return [trouble["what"] for trouble in show_data(rig.ledger, record, rig.clock.now())["troubles"]]


def in_a_quarter(rig: Rig) -> None:
    """Let a quarter of an hour pass, after which everything is asked for again."""
    rig.cycle(900)
    rig.loop.slow()
    rig.settle(3)


def spoken(rig: Rig, text: str, number: int = 1) -> int:
    """Return how many comments on a ticket hold a text."""
    return sum(text in comment["body"] for comment in issue_of(rig, number)["comments"])


@pytest.mark.parametrize("way", ["400", "403", "500", "403-bare", "404-null", "200-page"])
def test_notes_of_one_incident_hold_up_neither_its_ticket_nor_another_one(house: Rig, way: str) -> None:
    people = house.world.pagerduty
    first = people.trigger(ALIPAY, "Latency", priority="P4")
    second = people.trigger(BLUBANK, "Other", priority="P4")
    house.settle(2)
    where = {"service": "pagerduty", "method": "GET", "path": rf"/incidents/{first.id}/notes$"}
    with log() as lines:
        house.world.faults.add(PAGERDUTY[way], times=None, **where)
        for made in (first, second):
            people.note(made.id, "called the bank", ME)
            people.acknowledge(made.id, ME)
        house.settle(6)
        assert (status(house, 1), status(house, 2)) == ("In Progress", "In Progress")
        assert (spoken(house, "called"), spoken(house, "called", 2)) == (0, 1)
        people.resolve(first.id, ME)
        house.settle(2)
        assert status(house) == "Done"
        assert whats(house) == [("#1", "read its notes")]
        assert shown(house) == ["read its notes"]
        assert not house.context.health.down()
    (line,) = [line for line in lines if "cannot" in line]
    assert line.startswith("#1 OPS-1: syncd cannot read its notes")
    house.world.faults.clear()
    in_a_quarter(house)
    assert spoken(house, "called") == 1
    assert whats(house) == []
    nothing_more_is_written(house)


@pytest.mark.parametrize("way", ["400", "404", "500", "404-page"])
def test_an_incident_that_fails_by_its_id_keeps_its_ticket_and_holds_up_no_other(
    house: Rig, way: str
) -> None:
    people = house.world.pagerduty
    first, second = people.trigger(ALIPAY, "Latency"), people.trigger(BLUBANK, "Other")
    house.settle(2)
    where = {"service": "pagerduty", "method": "GET", "path": rf"/incidents/{first.id}$"}
    house.world.faults.add(PAGERDUTY[way], times=None, **where)
    people.resolve(first.id, ME)
    people.acknowledge(second.id, ME)
    house.settle(8)
    assert (status(house, 1), status(house, 2)) == ("In Review", "In Progress")
    assert not house.context.health.down()
    house.world.faults.clear()
    in_a_quarter(house)
    assert whats(house) == []
    nothing_more_is_written(house)


def test_one_that_fails_for_ever_is_asked_for_ever_less_often(house: Rig) -> None:
    made = house.world.pagerduty.trigger(ALIPAY, "Latency")
    house.settle(2)
    where = {"service": "pagerduty", "method": "GET", "path": r"/notes$"}
    rule = house.world.faults.add(PAGERDUTY["500"], times=None, **where)
    house.world.pagerduty.note(made.id, "on it", ME)
    house.settle(20)
    early = rule.struck
    house.settle(20)
    assert 4 <= early <= 7
    assert rule.struck - early <= 2


def edition_of(name: str) -> dict[str, Any]:
    return {"data_center_edition": name == "datacenter"}


@pytest.mark.parametrize(
    ("edition", "way"), [("cloud", "400"), ("datacenter", "403"), ("datacenter", "502-page")]
)
def test_people_who_cannot_be_looked_up_hold_up_no_ticket_and_get_it_later(
    make_rig: Any, edition: str, way: str
) -> None:
    rig = make_rig(**edition_of(edition))
    rig.cycle()
    where = {"service": "jira", "method": "GET", "path": r"/user/assignable/search$"}
    with log() as lines:
        rig.world.faults.add(JIRA[way], times=None, **where)
        made = rig.world.pagerduty.trigger(ALIPAY, "Latency")
        rig.settle(4)
        assert issue_of(rig)["properties"]["syncd"]["incident"] == made.id
        rig.world.pagerduty.acknowledge(made.id, ME)
        rig.settle(2)
        assert status(rig) == "In Progress"
        assert issue_of(rig)["fields"]["assignee"] is None
        assert all("people" in what or "person" in what for _, what in whats(rig))
    assert whats(rig)
    assert sum("cannot look up" in line for line in lines) <= 2
    rig.world.faults.clear()
    in_a_quarter(rig)
    assert issue_of(rig)["fields"]["assignee"]["displayName"] == ME
    # of those whom nobody looks up any more nothing is said for long
    in_a_quarter(rig)
    assert whats(rig) == []
    nothing_more_is_written(rig)


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
@pytest.mark.parametrize("way", ["400", "404-page"])
def test_a_permission_that_cannot_be_looked_up_holds_nothing_and_is_said(
    make_rig: Any, edition: str, way: str
) -> None:
    rig = make_rig(**edition_of(edition))
    rig.cycle()
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency", priority="P4")
    rig.settle(2)
    rig.world.jira.site.project("OPS").denied.add("TRANSITION_ISSUES")
    rig.world.faults.add(JIRA[way], times=None, service="jira", path=r"/mypermissions$")
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(4)
    (move,) = rig.operations("parked")
    assert "does not tell whether our account may move issues of OPS" in (move.error or "")
    rig.world.pagerduty.set_priority(made.id, "P3", ME)
    rig.settle(2)
    assert "SEV2" in issue_of(rig)["fields"]["labels"]
    assert not rig.context.health.down()


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_a_ticket_at_which_jira_fails_is_tried_ever_less_often_and_holds_up_no_other(
    make_rig: Any, edition: str
) -> None:
    rig = make_rig(**edition_of(edition))
    rig.cycle()
    people = rig.world.pagerduty
    first, second = people.trigger(ALIPAY, "Latency"), people.trigger(BLUBANK, "Other")
    rig.settle(2)
    number = issue_of(rig)["id"]
    with log() as lines:
        rule = rig.world.faults.add(
            JIRA["500"], times=None, service="jira", method="POST", path=rf"/issue/{number}/transitions$"
        )
        people.acknowledge(first.id, ME)
        people.acknowledge(second.id, ME)
        rig.settle(20)
        assert status(rig, 2) == "In Progress"
        assert rig.operations("parked") == []
        assert whats(rig) == [("#1", "carry out: move ticket (status)")]
        assert 4 <= rule.struck <= 8
        assert not rig.context.health.down()
    assert [line for line in lines if "down" in line] == []
    assert sum("cannot carry out" in line for line in lines) == 1
    rig.world.faults.clear()
    in_a_quarter(rig)
    assert status(rig) == "In Progress"
    assert whats(rig) == []
    nothing_more_is_written(rig)


@pytest.mark.parametrize(("edition", "way"), [("cloud", "403"), ("datacenter", "500")])
def test_an_issue_that_jira_refuses_by_its_id_holds_up_no_other_of_its_page(
    make_rig: Any, edition: str, way: str
) -> None:
    rig = make_rig(**edition_of(edition))
    rig.cycle()
    for title in ("First", "Second"):
        rig.world.pagerduty.trigger(ALIPAY, title)
    rig.settle(2)
    number = issue_of(rig)["id"]
    rig.world.faults.add(JIRA[way], times=None, service="jira", method="GET", path=rf"/issue/{number}$")
    if edition == "cloud":
        # the whole page fails because of one issue
        body = rf'"{number}"'
        rig.world.faults.add(JIRA["500"], times=None, service="jira", path=r"/bulkfetch$", body=body)
    for key in ("OPS-1", "OPS-2"):
        rig.world.jira.comment(key, "called the bank", by="Ines Carvalho")
    rig.settle(4)
    assert any("called" in note.content for note in rig.world.pagerduty.find(2).notes)
    assert whats(rig) == [("OPS-1", "read the issue")]
    assert shown(rig) == ["read the issue"]
    rig.world.faults.clear()
    in_a_quarter(rig)
    assert any("called" in note.content for note in rig.world.pagerduty.find(1).notes)
    assert whats(rig) == []
    nothing_more_is_written(rig)


ENRICHMENTS = {
    "alerts": r"/alerts$",
    "notes": r"/notes$",
    "schedules": r"/schedules$",
    "on call": r"/schedules/[^/]+/users$",
    "users": r"/users$",
}


@pytest.mark.parametrize(("what", "way"), list(zip(ENRICHMENTS, cycle(["404", "502-page"]), strict=False)))
def test_a_postmortem_is_made_without_what_cannot_be_read(make_rig: Any, what: str, way: str) -> None:
    roles = {"commander": {"schedule": "QRPay incident commanders"}}
    services = {**OWNED, ALIPAY: {**OWNED[ALIPAY], "roles": roles}}
    rig = on(make_rig, services=services)
    live(rig)
    where = {"service": "pagerduty", "method": "GET", "path": ENRICHMENTS[what]}
    rig.world.faults.add(PAGERDUTY[way], times=None, **where)
    rig.cycle(HALF_AN_HOUR)
    rig.settle(6)
    assert len(postmortems(rig)) == 1
    assert owner(rig)
    rig.world.faults.clear()
    in_a_quarter(rig)
    assert len(postmortems(rig)) == 1
    nothing_more_is_written(rig)


@pytest.mark.parametrize(("edition", "way"), [("cloud", "403"), ("datacenter", "500")])
def test_a_postmortem_whose_changelog_fails_is_judged_by_its_changelog_afterwards(
    make_rig: Any, edition: str, way: str
) -> None:
    rig = on(make_rig, people={"fallback": "priya.raman@qrpay.example"})
    made = live(rig)
    rig.cycle(HALF_AN_HOUR)
    rig.settle(2)
    number = postmortem(rig)["id"]
    where = {"service": "jira", "method": "GET", "path": rf"/issue/{number}(/changelog)?$"}
    rule = rig.world.faults.add(JIRA[way], times=None, **where)
    rig.world.jira.edit(number, by=ME, duedate=str((rig.clock.now() + timedelta(days=3)).date()))
    rig.world.pagerduty.note(made.id, "still called the bank", ME)
    rig.settle(6)
    assert rule.struck
    assert spoken(rig, "still called") == 1
    assert whats(rig)
    rig.world.faults.clear()
    in_a_quarter(rig)
    rig.settle(2)
    assert whats(rig) == []
    record = incident_named(rig.ledger, "1")
    assert record is not None
    assert show_data(rig.ledger, record, rig.clock.now())["postmortem"]["scheduled"]["state"] == "met"


@pytest.mark.parametrize("refused", ["notes", "create"])
def test_nobody_is_mailed_about_a_postmortem_that_syncd_has_not_made(make_rig: Any, refused: str) -> None:
    rules = mailing(
        services={**SERVICES, ALIPAY: {"owner": "amara.osei@qrpay.example"}},
        postmortem={"mode": "enforce"},
    )
    rig = make_rig(mappings=(rules,), mail=True)
    rig.cycle()
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency", priority="P3")
    rig.settle(2)
    where = {"service": "pagerduty", "method": "GET", "path": r"/notes$"}
    if refused == "create":
        where = {"service": "jira", "method": "POST", "path": r"/issue$"}
    rig.world.faults.add(faults.error(403, body=OF_JIRA), times=None, **where)
    rig.world.pagerduty.resolve(made.id, ME)
    rig.settle(2)
    for _ in range(20):
        rig.cycle(3 * 3600)
        rig.settle(1)
    made_one = refused == "notes"
    assert len(postmortems(rig)) == made_one
    told = [address for address in recipients(rig) if address != "ops@qrpay.example"]
    # a postmortem that exists is overdue by now, and its people may hear of it
    assert bool(told) == made_one


def test_a_cut_list_of_comments_that_cannot_be_read_holds_up_no_move(make_rig: Any) -> None:
    rig = make_rig(mappings=(mapping(),))
    rig.cycle()
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency")
    rig.settle(2)
    rig.world.faults.add(JIRA["403"], times=None, service="jira", method="GET", path=r"/comment$")
    for count in range(60):
        rig.world.jira.comment("OPS-1", f"line {count}", by="Ines Carvalho")
    rig.world.pagerduty.acknowledge(made.id, ME)
    rig.settle(3)
    assert status(rig) == "In Progress"
    rig.world.faults.clear()
    in_a_quarter(rig)
    assert whats(rig) == []
    assert incident_of(rig, made)["status"] == "acknowledged"
