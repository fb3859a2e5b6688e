"""A deleted ledger where labels are missing: nothing is made twice, because creator and mark stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from loguru import logger
from rig import Rig

from engine.mail_rig import MakeRig, mailing
from engine.test_follow_up_rows import TABLE, write
from engine.test_lifecycle import nothing_more_is_written
from engine.test_rebuilt import RULES, deleted, duties, events, over, postmortem
from engine.test_restore import doubled, keys, said
from syncd.config.templates.templates import Templates
from syncd.daemon import TicketRenderer
from syncd.ledger.store.tables import ActionItemRow, PostmortemRow
from syncd.sandbox import presets
from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL
from syncd.sandbox.jira.model import Person

INES, AMARA = "Ines Carvalho", "Amara Osei"
SUCCESSOR = "712020:successor"
EDITIONS = pytest.mark.parametrize("edition", ["cloud", "data center"])
MISSING = pytest.mark.parametrize("missing", ["not on the screens", "removed by an automation"])


@pytest.fixture
def logged() -> list[str]:
    """The warnings of a test."""
    lines: list[str] = []
    logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    return lines


def without_labels(world: Any) -> None:
    presets.without_fields(world.jira.site, "OPS", "labels")


def remove_labels(rig: Rig) -> None:
    for issue in list(rig.world.jira.site.issues.values()):
        if issue.now.values.get("labels"):
            rig.world.jira.set_labels(issue.now.key, [], INES)


def change_account(rig: Rig) -> None:
    """From now on our token belongs to another account."""
    site = rig.world.jira.site
    site.people[SUCCESSOR] = Person(SUCCESSOR, "syncd 2", "syncd2@qrpay.example", username="syncd-two")
    site.tokens = dict.fromkeys(site.tokens, SUCCESSOR)


def former(edition: str) -> str:
    return BOT_ACCOUNT if edition == "cloud" else BOT_EMAIL.partition("@")[0]


@dataclass
class Stood:
    """What stood there before the ledger was lost."""

    tickets: dict[str, str]
    papers: dict[str, Any]
    said: dict[str, Any]
    duties: dict[str, Any]
    issues: int


def papers(rig: Rig) -> dict[str, Any]:
    from sqlmodel import select

    with rig.ledger.read() as session:
        return {
            "postmortems": {row.incident_id: row.key for row in session.exec(select(PostmortemRow)).all()},
            "items": sorted(row.key for row in session.exec(select(ActionItemRow)).all()),
        }


def stands(rig: Rig, *judged: str) -> Stood:
    return Stood(
        tickets=keys(rig),
        papers=papers(rig),
        said=said(rig),
        duties={incident: duties(rig, incident) for incident in judged},
        issues=len(rig.world.jira.site.issues),
    )


def lived_in(make_rig: MakeRig, edition: str, missing: str) -> tuple[Rig, str]:
    """A rig with tickets in all stages; the resolved incident has postmortem, items, notes and comments."""
    preset = without_labels if missing == "not on the screens" else lambda _world: None
    house = make_rig(
        mappings=(mailing(**RULES),),
        mail=True,
        preset=preset,
        data_center_edition=edition == "data center",
        renderer=TicketRenderer(Templates()),
    )
    house.cycle()
    closed = over(house, "Over")
    write(house, postmortem(house, closed).key, TABLE)
    house.settle(4, 600)
    house.world.pagerduty.trigger("Core QRPay Web", "Still open", priority="P2")
    quick = house.world.pagerduty.trigger("BluBank Integration", "Small", priority="P4")
    house.world.pagerduty.note(quick.id, "on it", AMARA)
    house.settle(3)
    house.world.pagerduty.resolve(quick.id, AMARA)
    house.settle(4, 13 * 3600)
    if missing != "not on the screens":
        remove_labels(house)
    house.settle(2)
    return house, closed


@EDITIONS
@MISSING
def test_a_deleted_ledger_doubles_nothing(make_rig: MakeRig, edition: str, missing: str) -> None:
    house, closed = lived_in(make_rig, edition, missing)
    before = stands(house, closed)
    assert len(before.tickets) == 3
    assert len(before.papers["postmortems"]) == 1
    assert len(before.papers["items"]) >= 4
    deleted(house)
    assert stands(house, closed) == before
    assert doubled(before.said) == []
    nothing_more_is_written(house)


@pytest.mark.parametrize(("edition", "named"), [("cloud", "by id"), ("data center", "by address")])
def test_nor_does_it_when_the_account_has_changed_and_the_former_one_is_named(
    make_rig: MakeRig, edition: str, named: str
) -> None:
    house, closed = lived_in(make_rig, edition, "not on the screens")
    before = stands(house, closed)
    house.stop()
    change_account(house)
    house.name = "another.db"
    house.world.advance(60)
    house.start(former_accounts=(former(edition) if named == "by id" else BOT_EMAIL,))
    house.settle(6)
    assert stands(house, closed) == before
    assert events(house, "comment.not_believed") == []


@EDITIONS
def test_marks_on_the_latest_tickets_betray_a_former_account_that_nobody_named(
    make_rig: MakeRig, edition: str, logged: list[str]
) -> None:
    house, closed = lived_in(make_rig, edition, "not on the screens")
    before = stands(house, closed)
    house.stop()
    change_account(house)
    house.name = "another.db"
    house.start()
    house.settle(6)
    after = stands(house, closed)
    assert (after.tickets, after.papers, after.issues) == (before.tickets, before.papers, before.issues)
    assert doubled(after.said) == []
    (line,) = [line for line in logged if "SYNCD_FORMER_ACCOUNTS" in line]
    assert former(edition) in line
