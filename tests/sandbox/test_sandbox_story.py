from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.sandbox.cast import START, default_world
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.story.story import Scene, Step, Story, morning, opens, pagerduty


def test_the_morning_is_played_in_sandbox_time(world: Any) -> None:
    story = morning(world)
    story.play_until(7200)
    assert world.clock() == START + timedelta(hours=2)
    assert story.next_at is None
    incidents = list(world.pagerduty.account.incidents.values())
    assert [incident.status for incident in incidents] == ["resolved"] * 6
    alipay, blubank = incidents[:2]
    assert (alipay.resolved_at, alipay.priority_id) == (START + timedelta(seconds=2400), "PPRIO01")
    assert blubank.title == "BluBank settlement runs 40 minutes late"
    assert story.scene.incidents["alipay"] == alipay.id
    assert [incident.merged_into for incident in incidents].count(incidents[2].id) == 1


def test_steps_about_missing_tickets_are_passed_over(world: Any) -> None:
    story = morning(world)
    story.play_until(700)
    incident = story.scene.incidents["alipay"]
    ticket = world.jira.create("Priya Raman", "Alipay", type="Incident", labels=["syncd", f"pd-{incident}"])
    story.play_until(7200)
    assert [comment.body for comment in ticket.comments] == ["Merchant support counts 14 calls so far."]
    assert [step.at for step in story.passed_over] == [1200]


def test_a_story_goes_on_where_it_stopped(world: Any) -> None:
    story = morning(world)
    assert [step.at for step in story.play_until(300)] == [0, 150, 300]
    assert story.play_until(300) == []
    assert story.next_at == 600


def test_over_a_running_clock_only_what_is_due_is_played() -> None:
    now = [datetime(2026, 11, 16, 9, tzinfo=UTC)]
    world = default_world(lambda: now[0])
    steps = [
        Step(10, "it breaks", opens("a", "Payments", "x")),
        Step(20, "it ends", pagerduty("resolve", "a")),
    ]
    story = Story(world, steps)
    assert story.play_due() == []
    now[0] += timedelta(seconds=15)
    assert [step.says for step in story.play_due()] == ["it breaks"]
    with pytest.raises(TypeError):
        story.play_until(20)
    with pytest.raises(TypeError):
        world.advance(5)


def test_a_scene_knows_no_ticket_that_is_deleted(world: Any) -> None:
    scene = Scene(world, {"a": "Q1"})
    made = world.jira.create("Priya Raman", "x", labels=["pd-q1"])
    assert scene.ticket("a") == made.key
    world.jira.delete(made.key)
    with pytest.raises(LookupError):
        scene.ticket("a")


def test_a_sandbox_clock_only_goes_ahead() -> None:
    still = SandboxClock(START)
    assert (still(), still.running) == (START, False)
    assert still.advance(1.5) == START + timedelta(seconds=1.5)
    assert still.set(START + timedelta(hours=1)) == still.now()
    naive = START.replace(tzinfo=None)
    for wrong in (lambda: still.advance(-1), lambda: still.set(START), lambda: SandboxClock(naive)):
        with pytest.raises(ValueError, match=r"never moves back|a time with a time zone"):
            wrong()
    moments = iter([START, START + timedelta(seconds=1), START + timedelta(seconds=2)])
    running = SandboxClock(lambda: next(moments))
    running.advance(60)
    assert (running.running, running.now()) == (True, START + timedelta(seconds=61))
