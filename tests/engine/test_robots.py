"""What an automation account does changes what is so, and meets, closes, waives and says nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from ledger_reading import PostmortemRow, WaiverRow, events, rows
from rig import PlainRenderer, Rig, mapping

from engine.cast import issue_of, nothing_more_is_written, status
from engine.test_duties import duties, review_day, until
from syncd.domain.duty import DutyKind
from syncd.domain.incident import Incident
from syncd.domain.postmortem import Helper, Story
from syncd.policy.case import Rulebook
from syncd.sandbox import dump
from syncd.sandbox.jira.model import Person
from syncd.sandbox.world import World

ID, ADDRESS, USER_NAME = "712020:robot-000001", "robot@qrpay.example", "jira.automation"
AMARA, INES = "Amara Osei", "Ines Carvalho"
HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True)
class Site:
    """An edition of Jira, the account's type, and how the mapping names it."""

    account_type: str = "atlassian"
    data_center: bool = False
    robots: tuple[str, ...] = ()

    def preset(self, world: World) -> None:
        world.jira.site.people[ID] = Person(
            ID, "Jira Automation", ADDRESS, username=USER_NAME, account_type=self.account_type
        )


SITES = {
    "an app on Cloud": Site(account_type="app"),
    "listed by its id": Site(robots=(ID,)),
    "listed by its address": Site(robots=(ADDRESS,)),
    "listed on Data Center": Site(data_center=True, robots=(USER_NAME,)),
    "listed on Data Center by its address": Site(data_center=True, robots=(ADDRESS,)),
}


@pytest.fixture(params=[*SITES])
def start_rig(request: pytest.FixtureRequest, make_rig: Any) -> Callable[..., Rig]:
    """Start rigs on a site with an automation account, whose gate reopens."""
    site = SITES[request.param]

    def start(**changes: Any) -> Rig:
        people = {"robots": [*site.robots], **changes.pop("people", {})}
        sections: dict[str, Any] = {
            "postmortem": {"mode": "enforce"},
            "follow_ups": {"mode": "enforce", "knowledge_base": False},
            "close_gate": {"mode": "reopen"},
            **changes,
        }
        options: dict[str, Any] = {"mappings": (mapping(people=people, **sections),), "preset": site.preset}
        rig: Rig = make_rig(data_center_edition=site.data_center, **options)
        rig.loop.make_first_contact()
        rig.cycle()
        return rig

    return start


def resolved(rig: Rig) -> str:
    """The key of the postmortem of an incident that was resolved an hour ago."""
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.cycle()
    rig.world.pagerduty.resolve(incident.id, AMARA)
    rig.cycle(HOUR)
    rig.settle(3)
    (row,) = rows(rig.ledger, PostmortemRow)
    return row.key


def states(rig: Rig) -> dict[DutyKind, str]:
    (incident,) = rig.world.pagerduty.account.incidents
    return {duty.kind: str(duty.state) for duty in duties(rig, incident)}


def test_what_it_does_on_a_postmortem_meets_no_duty_and_waives_none(start_rig: Any) -> None:
    rig = start_rig(people={"approvers": [ADDRESS]})
    postmortem, jira = resolved(rig), rig.world.jira
    jira.edit(postmortem, ID, duedate=review_day(rig))
    jira.edit(postmortem, ID, labels=["waived", "no-follow-ups"])
    jira.comment(postmortem, "waived until the vendor answers", ID)
    jira.transition(postmortem, "Done", ID)
    rig.settle(3)
    assert states(rig) == {DutyKind.SCHEDULED: "pending", DutyKind.COMPLETED: "pending"}
    until(rig, rig.clock.now() + timedelta(days=20))
    assert states(rig) == {DutyKind.SCHEDULED: "breached", DutyKind.COMPLETED: "breached"}
    assert rows(rig.ledger, WaiverRow) == []


def test_an_owner_whom_it_chose_counts_from_their_own_act(start_rig: Any) -> None:
    rig = start_rig()
    postmortem, jira = resolved(rig), rig.world.jira
    jira.edit(postmortem, INES, assignee=None)
    jira.edit(postmortem, ID, assignee=person(rig, INES))
    jira.edit(postmortem, AMARA, duedate=review_day(rig))
    rig.settle(2)
    assert states(rig)[DutyKind.SCHEDULED] == "pending"
    jira.comment(postmortem, "I lead the review", INES)
    rig.settle(2)
    assert states(rig)[DutyKind.SCHEDULED] == "met"


def person(rig: Rig, name: str) -> dict[str, str]:
    site = rig.world.jira.site
    person = site.people[rig.world.jira.account_id(name)]
    return {"name": person.username} if site.edition == "server" else {"accountId": person.account_id}


def closes(rig: Rig, by: str) -> None:
    rig.world.jira.transition("OPS-1", "Done", by)
    rig.settle(4)


def overrides(rig: Rig) -> int:
    return sum("gate.overridden" in str(data) for _, data in events(rig.ledger, "left"))


def test_its_second_close_is_no_override_and_a_person_s_is(start_rig: Any) -> None:
    rig = start_rig()
    resolved(rig)
    for _attempt in range(2):
        closes(rig, ID)
        assert (status(rig), overrides(rig)) == ("In Review", 0)
    comments = [comment for comment in issue_of(rig)["comments"] if "Close gate" in comment["body"]]
    assert len(comments) == 1
    closes(rig, INES)
    assert (status(rig), overrides(rig)) == ("Done", 1)
    nothing_more_is_written(rig)


def test_a_robot_that_always_closes_is_left_alone_as_a_conflict(start_rig: Any) -> None:
    rig = start_rig()
    resolved(rig)
    for _attempt in range(6):
        if status(rig) != "Done":
            closes(rig, ID)
    assert (status(rig), overrides(rig)) == ("Done", 0)
    nothing_more_is_written(rig)


def test_what_it_writes_does_not_take_a_postmortem_out_of_a_merge(start_rig: Any) -> None:
    rig = start_rig()
    postmortem = resolved(rig)
    rig.world.jira.comment(postmortem, "The build of the fix has passed", ID)
    (source,) = rig.world.pagerduty.account.incidents
    target = rig.world.pagerduty.trigger("Alipay Integration", "Latency again", priority="P2")
    rig.settle(2)
    rig.world.pagerduty.reopen(source, AMARA)
    rig.settle(2)
    rig.world.pagerduty.merge(target.id, [source], AMARA)
    rig.settle(4)
    assert {str(duty.state) for duty in duties(rig, source)} == {"cancelled"}


def test_it_gets_no_ticket_and_no_postmortem(start_rig: Any) -> None:
    rig = start_rig(
        people={"fallback": ADDRESS, "aliases": {"amara.osei@qrpay.example": ADDRESS}},
        services={"Alipay Integration": {"owner": ADDRESS}},
    )
    postmortem = resolved(rig)
    shown = {issue["key"]: issue["fields"]["assignee"] for issue in dump.whole(rig.world)["jira"]["issues"]}
    assert (shown["OPS-1"], shown[postmortem]) == (None, None)


@dataclass
class Stories:
    """A renderer that keeps the last story."""

    plain: Any
    story: Story | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def postmortem(self, incident: Incident, story: Story, book: Rulebook) -> tuple[str, str]:
        self.story = story
        text: tuple[str, str] = self.plain.postmortem(incident, story, book)
        return text


def test_the_user_in_whose_name_syncd_writes_has_no_part_in_an_incident(make_rig: Any) -> None:
    stories = Stories(PlainRenderer())
    rig: Rig = make_rig(mappings=(mapping(postmortem={"mode": "enforce"}),), renderer=stories)
    rig.cycle()
    incident = rig.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P2")
    rig.world.pagerduty.acknowledge(incident.id, AMARA)
    rig.world.pagerduty.note(incident.id, "On it", AMARA)
    rig.world.pagerduty.resolve(incident.id, "Mei Tanaka")
    rig.cycle(HOUR)
    rig.settle(2)
    assert stories.story is not None
    assert stories.story.helpers == (Helper(name="Mei Tanaka", roles=("resolved",)),)
