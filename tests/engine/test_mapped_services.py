"""Services that are renamed, gone or new, and accounts with more open incidents than one list shows."""

from __future__ import annotations

from typing import Any

import pytest
from loguru import logger
from rig import SERVICES, Rig, mapping

from engine.cast import nothing_more_is_written, ours, status
from engine.mail_rig import subjects
from engine.test_wrong_clocks import has_one_ticket, passes_between_two_polls
from syncd.domain.incident import Incident as Read
from syncd.ledger.store.lookups import find_incident
from syncd.ledger.views.status import status_data
from syncd.sandbox import faults
from syncd.sandbox.pagerduty import asking
from syncd.sandbox.pagerduty.records import Incident

ALIPAY = "Alipay Integration"


def notes(rig: Rig) -> list[str]:
    """Return what `syncd status` remarks."""
    return [str(note) for note in status_data(rig.ledger)["notes"]]


def tickets_of(rig: Rig, incident: Incident) -> int:
    return sum(issue["properties"]["syncd"]["incident"] == incident.id for issue in ours(rig))


def trigger(rig: Rig, service: str, title: str = "Latency") -> Incident:
    return rig.world.pagerduty.trigger(service, title, priority="P4")


def asked_for_services(rig: Rig) -> int:
    return len(rig.world.journal.lines("pagerduty", "GET", "/services"))


@pytest.fixture
def log() -> Any:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}", level="WARNING")
    yield lines
    logger.remove(sink)


def test_a_renamed_service_stays_mapped_and_people_are_told_to_change_the_mapping(
    house: Rig, log: list[str]
) -> None:
    made = trigger(house, ALIPAY)
    house.settle(3)
    service = house.world.pagerduty.rename_service(ALIPAY, "Alipay v2")
    other = passes_between_two_polls(house, service=service.id)
    house.settle(3)
    has_one_ticket(house, other)
    words = (
        f"QRPay: the service mapped as {ALIPAY} is now called Alipay v2 ({service.id}): change the mapping"
    )
    assert words in notes(house)
    assert sum(words in line for line in log) == 1
    house.restart()
    house.settle(3)
    third = passes_between_two_polls(house, "After the restart", service.id)
    house.settle(3)
    has_one_ticket(house, third)
    assert sum(words in line for line in log) == 1
    row = find_incident(house.ledger, third.id).incident
    assert row is not None
    book = house.context.book_of(Read.model_validate(row.snapshot), row.team)
    assert book is not None
    assert book.section.component == ALIPAY
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    services = {("Alipay v2" if name == ALIPAY else name): section for name, section in SERVICES.items()}
    house.swap_rules(mapping(services=services, version="changed"))
    house.loop.rules_changed()
    house.settle(3)
    assert words not in notes(house)
    assert status(house, 1) == "Done"
    nothing_more_is_written(house)


def test_a_service_renamed_while_the_daemon_was_down_stays_mapped_from_the_first_decision(house: Rig) -> None:
    made = trigger(house, ALIPAY)
    house.settle(3)
    house.stop()
    house.world.pagerduty.rename_service(ALIPAY, "Alipay v2")
    missed = passes_between_two_polls(house, service="Alipay v2")
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.world.advance(600)
    house.start()
    house.world.faults.add(faults.error(500), service="pagerduty", path=r"/services$", times=1)
    house.settle(3)
    has_one_ticket(house, missed)
    assert status(house, 1) == "In Progress"
    house.world.advance(600)
    house.settle(2)
    assert any("is now called Alipay v2" in note for note in notes(house))
    nothing_more_is_written(house)


def test_a_new_service_with_the_old_name_gets_no_tickets_and_is_named(house: Rig) -> None:
    house.settle(2)
    house.world.pagerduty.rename_service(ALIPAY, "Alipay v2")
    new = house.world.pagerduty.add_service(ALIPAY, like="Alipay v2")
    theirs = trigger(house, new.id)
    mine = trigger(house, "Alipay v2")
    house.settle(3)
    assert (tickets_of(house, mine), tickets_of(house, theirs)) == (1, 0)
    assert any(f"another service is called {ALIPAY} now ({new.id})" in note for note in notes(house))
    assert status_data(house.ledger)["unmapped_services"] == {new.id: ALIPAY}
    nothing_more_is_written(house)


def test_a_mapped_service_that_is_gone_is_told_and_the_others_go_on(house: Rig, log: list[str]) -> None:
    house.settle(2)
    service = house.world.pagerduty.hide_service(ALIPAY)
    house.world.advance(86400)
    house.settle(2)
    made = trigger(house, "BluBank Integration")
    house.settle(3)
    assert tickets_of(house, made) == 1
    words = f"PagerDuty no longer shows the service {ALIPAY} ({service.id})"
    assert any(words in note for note in notes(house))
    assert sum(words in line for line in log) == 1
    house.world.pagerduty.hide_service(service.id, hidden=False)
    back = passes_between_two_polls(house)
    house.world.advance(86400)
    house.settle(3)
    has_one_ticket(house, back)
    assert not any(words in note for note in notes(house))


def test_the_operator_is_mailed_once_about_a_service_that_is_gone(make_rig: Any) -> None:
    rig: Rig = make_rig(mail=True)
    rig.settle(2)
    rig.world.pagerduty.hide_service(ALIPAY)
    rig.world.advance(86400)
    rig.settle(2)
    rig.restart()
    rig.world.advance(3 * 86400)
    rig.settle(2)
    assert [subject.strip() for subject in subjects(rig)] == [
        f"syncd: QRPay: PagerDuty no longer shows the service {ALIPAY}"
    ]


def test_a_service_made_anew_after_it_was_deleted_is_the_mapped_one(house: Rig) -> None:
    house.settle(2)
    house.world.pagerduty.hide_service(ALIPAY)
    new = house.world.pagerduty.add_service("Alipay reborn", like="BluBank Integration")
    house.world.pagerduty.rename_service(new.id, ALIPAY)
    made = house.world.pagerduty.trigger(new.id, "Payments fail", priority="P1")
    house.world.pagerduty.resolve(made.id, "Amara Osei")
    house.settle(4)
    has_one_ticket(house, made)


def test_a_mapped_service_that_never_was_is_named_until_it_exists(make_rig: Any) -> None:
    rig: Rig = make_rig(mappings=(mapping(services={**SERVICES, "Wallet": {}}),))
    rig.settle(2)
    assert (
        "QRPay: PagerDuty shows no service Wallet, so it gets no tickets: check its name, or give its id"
        in (notes(rig))
    )
    rig.world.pagerduty.add_service("Wallet", like=ALIPAY)
    made = passes_between_two_polls(rig, service="Wallet")
    rig.settle(3)
    has_one_ticket(rig, made)
    assert not notes(rig)


def test_of_two_services_with_one_name_both_get_tickets_and_people_are_asked_for_ids(make_rig: Any) -> None:
    rig: Rig = make_rig(preset=lambda world: world.pagerduty.add_service(ALIPAY, like=ALIPAY))
    ids = [id_ for id_, service in rig.world.pagerduty.account.services.items() if service.name == ALIPAY]
    made = [trigger(rig, id_) for id_ in ids]
    rig.settle(3)
    assert [tickets_of(rig, incident) for incident in made] == [1, 1]
    assert any("several services are called" in note for note in notes(rig))
    nothing_more_is_written(rig)


def test_a_service_mapped_by_id_may_be_called_anything(make_rig: Any) -> None:
    first: Rig = make_rig()
    id_ = next(
        id_ for id_, service in first.world.pagerduty.account.services.items() if service.name == ALIPAY
    )
    rig: Rig = make_rig(mappings=(mapping(services={"Pay": {"id": id_, "component": ALIPAY}}),))
    made = trigger(rig, ALIPAY)
    rig.world.pagerduty.rename_service(ALIPAY, "Whatever")
    rig.settle(3)
    assert tickets_of(rig, made) == 1
    assert not notes(rig)


def test_a_rule_that_names_a_renamed_service_still_holds(make_rig: Any) -> None:
    noise = [{"name": "chatter", "services": [ALIPAY], "title": "chatter"}]
    rig: Rig = make_rig(mappings=(mapping(noise=noise, restricted={"services": ["BluBank Integration"]}),))
    rig.settle(2)
    rig.world.pagerduty.rename_service(ALIPAY, "Alipay v2")
    rig.world.pagerduty.rename_service("BluBank Integration", "BluBank v2")
    chatter = trigger(rig, "Alipay v2", "just chatter")
    secret = trigger(rig, "BluBank v2", "stolen cards")
    rig.settle(3)
    assert tickets_of(rig, chatter) == 0
    row = find_incident(rig.ledger, secret.id).incident
    assert row is not None
    assert row.restricted


def test_the_services_are_asked_for_once_a_day_and_not_for_each_incident_of_a_service_that_nobody_maps(
    house: Rig,
) -> None:
    house.settle(2)
    before = asked_for_services(house)
    for number in range(4):
        trigger(house, "Ordering API", f"Theirs {number}")
        house.settle(2)
    assert asked_for_services(house) == before
    assert list(status_data(house.ledger)["unmapped_services"].values()) == ["Ordering API"]
    house.world.advance(86400)
    house.settle(4)
    assert asked_for_services(house) == before + 1


def test_an_open_incident_that_moved_to_nobodys_service_costs_no_further_request(house: Rig) -> None:
    made = trigger(house, ALIPAY)
    house.settle(3)
    house.world.pagerduty.move(made.id, "Ordering API", "Amara Osei")
    house.settle(10)
    before = house.world.journal.total("pagerduty")
    house.settle(5, seconds=0)
    assert house.world.journal.total("pagerduty") == before + 10
    house.world.pagerduty.acknowledge(made.id, "Amara Osei")
    house.settle(2)
    assert status(house, 1) == "In Progress"


QUIET = mapping(noise=[{"name": "noise", "title": "^Noise"}])
"""A mapping under which a crowd of incidents costs no tickets."""


def crowd(rig: Rig, number: int, apart: float) -> list[Incident]:
    """Open incidents without tickets, and after them one that gets its ticket."""
    made = []
    for title in [*["Noise"] * number, "Latency"]:
        made.append(trigger(rig, ALIPAY, title))
        rig.world.advance(apart)
    return made


def on_record(rig: Rig, incidents: list[Incident]) -> list[str | None]:
    rows = [find_incident(rig.ledger, incident.id).incident for incident in incidents]
    return [row.status if row else None for row in rows]


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let PagerDuty's lists end after 16 objects in pages of four."""
    for module, name, value in (
        ("syncd.engine.observe.incident_windows", "PAGE", 4),
        ("syncd.engine.observe.incident_windows", "LAST_OFFSET", 12),
        ("syncd.engine.observe.pagerduty", "PAGE", 4),
        ("syncd.engine.observe.pagerduty", "LAST_OFFSET", 12),
        ("syncd.engine.observe.pagerduty", "CROWD", 16),
        ("syncd.remote.pagerduty.directory", "PAGE", 4),
        ("syncd.remote.pagerduty.directory", "LAST_POSITION", 16),
    ):
        monkeypatch.setattr(f"{module}.{name}", value)
    monkeypatch.setattr(asking, "REACH", 16)
    return 16


def test_any_number_of_open_incidents_in_other_services_matters_to_nobody(
    make_rig: Any, short_lists: int
) -> None:
    rig: Rig = make_rig(
        preset=lambda world: [
            world.pagerduty.trigger("Ordering API", f"Theirs {count}") for count in range(3 * short_lists)
        ]
    )
    made = rig.world.pagerduty.trigger(ALIPAY, "Payments fail", priority="P1")
    result = rig.cycle()
    assert result.good
    rig.settle(2)
    assert tickets_of(rig, made) == 1
    assert not notes(rig)


@pytest.mark.parametrize("apart", [60.0, 86400.0])
def test_more_open_incidents_than_one_list_shows_are_all_read_and_it_is_said(
    make_rig: Any, short_lists: int, apart: float
) -> None:
    rig: Rig = make_rig(mappings=(QUIET,))
    made = crowd(rig, short_lists + 3, apart)
    assert rig.cycle().good
    rig.cycle()
    assert on_record(rig, made) == ["triggered"] * len(made)
    assert tickets_of(rig, made[-1]) == 1
    assert any("incidents of the mapped services are open" in note for note in notes(rig))
    for incident in made:
        rig.world.pagerduty.resolve(incident.id, "Amara Osei")
    rig.settle(2, seconds=600)
    assert on_record(rig, made) == ["resolved"] * len(made)
    assert status(rig, 1) == "Done"
    assert not notes(rig)


def test_more_incidents_of_one_second_than_a_list_shows_end_no_cycle_and_resolve_nothing(
    make_rig: Any, short_lists: int
) -> None:
    rig: Rig = make_rig(mappings=(QUIET,))
    made = crowd(rig, short_lists + 3, 0.0)
    assert rig.cycle().good
    rig.cycle()
    assert on_record(rig, made[:short_lists]) == ["triggered"] * short_lists
    assert any("cannot see all of them" in note for note in notes(rig))
    for incident in made[:short_lists]:
        rig.world.pagerduty.resolve(incident.id, "Amara Osei")
        rig.world.advance(1)
    rig.settle(2, seconds=600)
    assert on_record(rig, made) == ["resolved"] * short_lists + ["triggered"] * 4
    assert tickets_of(rig, made[-1]) == 1
    assert not notes(rig)


def test_a_team_that_is_out_of_force_for_a_while_keeps_its_renamed_services(house: Rig) -> None:
    house.settle(2)
    service = house.world.pagerduty.rename_service(ALIPAY, "Alipay v2")
    house.swap_rules(mapping(services={"Yoomonea Service": {}}))
    house.settle(2)
    house.restart()
    house.settle(2)
    made = passes_between_two_polls(house, service=service.id)
    house.settle(3)
    has_one_ticket(house, made)
