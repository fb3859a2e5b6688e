import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.sandbox import faults
from syncd.sandbox.cast import BOT_EMAIL, JIRA_KEY, PAGERDUTY_KEY, default_world
from syncd.sandbox.wire import Call, Reply
from syncd.sandbox.world import Delivery, World

KEY = {"Authorization": f"Token token={PAGERDUTY_KEY}", "From": "syncd@qrpay.example"}


def never(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")


def read(world: World, path: str = "/abilities") -> Delivery:
    return world.answer("pagerduty", Call.to("GET", path, headers=KEY), never)


def write(world: World, incident: str, content: str = "a note") -> Delivery:
    call = Call.to("POST", f"/incidents/{incident}/notes", headers=KEY, body={"note": {"content": content}})
    return world.answer("pagerduty", call, never)


@pytest.fixture
def incident(world: Any) -> Any:
    return world.pagerduty.trigger("Payments", "x")


def test_a_request_reset_before_is_not_done(world: Any, incident: Any) -> None:
    world.faults.add(faults.reset_before(), method="POST")
    assert write(world, incident.id) == Delivery(None, "reset")
    assert incident.notes == []
    line = world.journal.lines()[-1]
    assert (line.status, line.fault, line.pattern) == (0, "reset_before", "/incidents/{id}/notes")


def test_a_lost_answer_is_done_all_the_same(world: Any, incident: Any) -> None:
    world.faults.add(faults.lose_answer(), path="/notes$")
    assert write(world, incident.id) == Delivery(None, "reset")
    assert [note.content for note in incident.notes] == ["a note"]
    line = world.journal.lines()[-1]
    assert (line.status, line.fault) == (201, "lose_answer")


@pytest.mark.parametrize(
    ("strike", "done", "status"),
    [
        (faults.error(500), False, 500),
        (faults.error(502, after=True), True, 502),
        (faults.html(), False, 502),
        (faults.html(504, after=True), True, 504),
        (faults.empty(), True, 200),
        (faults.empty(201), True, 201),
        (faults.bare_429(), False, 429),
    ],
)
def test_an_answer_replaced_says_nothing_of_what_was_done(
    world: Any, incident: Any, strike: faults.Strike, done: bool, status: int
) -> None:
    world.faults.add(strike)
    delivery = write(world, incident.id)
    assert delivery.reply is not None
    assert (delivery.reply.status, bool(incident.notes)) == (status, done)


def test_a_cut_answer_keeps_its_beginning(world: Any, incident: Any) -> None:
    world.faults.add(faults.cut(0.25))
    delivery = write(world, incident.id)
    assert (delivery.manner, delivery.keep, len(incident.notes)) == ("cut", 0.25, 1)


def test_a_delay_waits_and_answers_as_usual(world: Any) -> None:
    waited: list[float] = []
    world.faults.add(faults.delay(3))
    delivery = world.answer("pagerduty", Call.to("GET", "/abilities", headers=KEY), waited.append)
    assert delivery.reply is not None
    assert (delivery.reply.status, waited) == (200, [3])


def test_a_rule_skips_strikes_and_is_spent(world: Any) -> None:
    rule = world.faults.add(faults.error(500), skip=1, times=2)
    seen = [read(world).reply.status for _ in range(5)]
    assert (seen, rule.struck) == ([200, 500, 500, 200, 200], 2)


def test_a_rule_fits_by_service_method_path_and_body(world: Any, incident: Any) -> None:
    world.faults.add(faults.error(500), service="jira", times=None)
    world.faults.add(faults.error(501), method="PUT", times=None)
    world.faults.add(faults.error(502), path="^/services", times=None)
    rule = world.faults.add(faults.error(503), body='"content": "third"', times=None)
    assert read(world).reply.status == 200
    assert read(world, "/services").reply.status == 502
    seen = [write(world, incident.id, text).reply.status for text in ("first", "second", "third", "third")]
    assert seen == [201, 201, 503, 503]
    world.faults.remove(rule.id)
    assert write(world, incident.id, "third").reply.status == 201


def test_chance_is_seeded() -> None:
    runs = []
    for seed in (1, 1, 2):
        world = default_world(seed=seed)
        world.faults.add(faults.error(500), probability=0.5, times=None)
        runs.append([read(world).reply.status for _ in range(50)])
    assert runs[0] == runs[1] != runs[2]
    assert 10 < runs[0].count(500) < 40


def test_every_documented_429_can_be_said(world: Any) -> None:
    reset = datetime(2026, 11, 16, 6, 0, 30, tzinfo=UTC)
    for strike, headers in (
        (faults.pagerduty_429(20), {"ratelimit-reset": "20", "ratelimit-remaining": "0"}),
        (faults.jira_429(7), {"Retry-After": "7", "RateLimit-Reason": "jira-burst-based"}),
        (faults.jira_429(reset, "jira-per-issue-on-write"), {"Retry-After": "Mon, 16 Nov 2026 06:00:30 GMT"}),
        (faults.jira_429(None, reset=reset), {"X-RateLimit-Reset": "2026-11-16T06:00:30Z"}),
    ):
        world.faults.add(strike)
        reply = read(world).reply
        assert reply.status == 429
        assert headers.items() <= reply.headers.items()
    assert "Retry-After" not in reply.headers


def test_the_same_seed_and_acts_make_the_same_world() -> None:
    dumps = []
    for _ in range(2):
        world = default_world(seed=7)
        world.jira.others(20)
        made = world.pagerduty.trigger("Payments", "x")
        world.advance(3600)
        dumps.append(
            (made.id, [entry.id for entry in world.pagerduty.account.log], sorted(world.jira.site.issues))
        )
    assert dumps[0] == dumps[1]


def edit(world: World, issue: str, body: dict[str, Any]) -> Reply:
    login = base64.b64encode(f"{BOT_EMAIL}:{JIRA_KEY}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    call = Call.to("PUT", f"/rest/api/2/issue/{issue}", headers=headers, body=body)
    reply = world.answer("jira", call).reply
    assert reply is not None
    return reply


def test_a_service_may_ignore_fields_or_store_other_values_and_answer_as_usual(world: Any) -> None:
    issue = world.jira.create("Ines Carvalho", "Before")
    asked = {"fields": {"summary": " After ", "labels": ["a"]}}
    world.faults.add(faults.ignore("summary"))
    assert edit(world, issue.key, asked).status == 204
    assert (issue.now.values["summary"], issue.now.values["labels"]) == ("Before", ("a",))
    world.faults.add(faults.normalise(summary="After"))
    assert edit(world, issue.key, asked).status == 204
    assert issue.now.values["summary"] == "After"
    world.faults.add(faults.no_effect())
    assert edit(world, issue.key, {"fields": {"summary": "Later"}}).status == 204
    assert issue.now.values["summary"] == "After"
