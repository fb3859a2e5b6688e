"""What is looked up is looked up once, believed for a while, and asked again when a write contradicts it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from rig import Rig
from sqlmodel import select

from engine.test_bulk import each_has_one_ticket, storm
from syncd.domain.incident import Incident
from syncd.domain.ticket import Account
from syncd.engine.observe.accounts import look_up
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.loading import read
from syncd.ledger.store.tables import ChangeNoticeRow
from syncd.sandbox import faults

ABOUT_THE_PROJECT = (
    "/rest/api/2/project/{project}",
    "/rest/api/2/project/{project}/statuses",
    "/rest/api/2/issue/createmeta/{project}/issuetypes/{type}",
    "/rest/api/2/resolution/search",
)
WHO = "/rest/api/2/user/assignable/search"
HOUR, DAY = 3600.0, 86400.0


def asked(rig: Rig, service: str, pattern: str) -> int:
    return len(rig.world.journal.lines(service=service, method="GET", pattern=pattern))


def look_ups(rig: Rig) -> Counter[str]:
    """How often each of the project's pages was asked for; each create screen is a page of its own."""
    lines = [
        line
        for pattern in ABOUT_THE_PROJECT
        for line in rig.world.journal.lines(service="jira", method="GET", pattern=pattern)
    ]
    return Counter(line.path.split("?")[0] for line in lines)


def once_more(known: Counter[str]) -> Counter[str]:
    return known + Counter(known.keys())


def test_fields_types_and_people_are_looked_up_once_for_many_incidents(house: Rig) -> None:
    storm(house, 30, priority="P3")
    house.settle(2)
    storm(house, 3, priority="P2")
    house.settle(2)
    # the project, its statuses, the screens of tickets and of postmortems, the resolutions
    assert sorted(look_ups(house).values()) == [1, 1, 1, 1, 1]
    assert asked(house, "jira", WHO) == 1


def test_workers_that_look_up_one_person_at_once_ask_jira_once(house: Rig) -> None:
    (incident,) = storm(house, 1)
    house.settle(2)
    row = read(house.ledger, IncidentRecord, incident)
    assert row is not None
    book = house.context.book_of(Incident.model_validate(row.snapshot))
    assert book is not None
    before, together = asked(house, "jira", WHO), Barrier(6)

    def look(_: int) -> Account | None:
        together.wait(10)
        return look_up(house.context, "mei.tanaka@qrpay.example", book)

    with ThreadPoolExecutor(6) as pool:
        accounts = set(pool.map(look, range(6)))
    assert [account.name for account in accounts if account is not None] == ["Mei Tanaka"]
    assert asked(house, "jira", WHO) == before + 1


def test_what_was_learned_of_a_project_is_believed_for_an_hour(house: Rig) -> None:
    storm(house, 1)
    house.settle(2)
    known = look_ups(house)
    house.world.advance(HOUR)
    storm(house, 1)
    house.settle(2)
    assert look_ups(house) == once_more(known)


def over_with_mei(rig: Rig) -> None:
    (incident,) = storm(rig, 1, assignees=["Mei Tanaka"])
    rig.settle(2)
    rig.world.pagerduty.resolve(incident, "Mei Tanaka")
    rig.settle(2)


def test_who_somebody_is_is_believed_for_a_day(house: Rig) -> None:
    over_with_mei(house)
    known = asked(house, "jira", WHO)
    house.world.advance(DAY / 2)
    over_with_mei(house)
    assert asked(house, "jira", WHO) == known
    house.world.advance(DAY / 2)
    over_with_mei(house)
    assert asked(house, "jira", WHO) == 2 * known


def test_a_refused_create_has_the_project_read_again(house: Rig) -> None:
    storm(house, 1)
    house.settle(2)
    known = look_ups(house)
    refusal = faults.error(400, body={"errorMessages": ["The issue type is not valid."], "errors": {}})
    house.world.faults.add(refusal, service="jira", method="POST", path=r"/issue$", times=1)
    storm(house, 1)
    house.settle(2)
    assert look_ups(house) == once_more(known)


def test_nothing_is_fetched_that_a_page_already_carried(house: Rig) -> None:
    incidents = storm(house, 30, priority="P3")
    house.settle(3)
    for incident in incidents:
        house.world.pagerduty.acknowledge(incident, "Amara Osei")
    house.settle(3)
    assert asked(house, "pagerduty", "/incidents/{id}") == 0
    assert asked(house, "jira", "/rest/api/2/issue/{issue}") == 0


def test_an_incident_that_the_log_names_three_times_is_looked_at_once(house: Rig) -> None:
    incidents = storm(house, 12, priority="P3")
    house.loop.pagerduty.poll()
    with house.ledger.read() as session:
        looks = session.exec(select(ChangeNoticeRow.incident_id)).all()
    assert sorted(looks) == sorted(incidents)


@pytest.mark.parametrize("code", [403, 404])
def test_a_search_for_people_that_is_refused_holds_up_no_ticket(house: Rig, code: int) -> None:
    refused = faults.error(code, body={"errorMessages": ["You may not browse users."]})
    house.world.faults.add(refused, service="jira", path=r"/user/assignable", times=None)
    incidents = storm(house, 2, priority="P2")
    house.settle(6)
    each_has_one_ticket(house, incidents)
