"""Every open operation says what it waits for and since when; the log says each cause once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_reading import writes_to_operations
from rig import Rig

from engine.cast import nothing_more_is_written, pause, resume
from engine.mail_rig import MakeRig, mailing
from syncd.ledger.views.status import outbox_data, status_data
from syncd.sandbox import faults


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mappings=(mailing(),), mail=True)
    made.settle(4)
    return made


def waits(rig: Rig) -> dict[str, str]:
    """What each open operation waits for, by kind."""
    return {operation["kind"]: operation["waits_for"] for operation in outbox_data(rig.ledger)["operations"]}


def triggered(rig: Rig, count: int = 1) -> list[str]:
    return [
        rig.world.pagerduty.trigger("Alipay Integration", f"Slow {number}", priority="P3").id
        for number in range(count)
    ]


def decided_while_jira_is_down(rig: Rig, count: int) -> Callable[[], None]:
    """Operations that were decided before Jira went down; return what brings it back."""
    pause(rig, "jira")
    triggered(rig, count)
    rig.cycle()
    rule = rig.world.faults.add(faults.html(503), service="jira", times=None)
    resume(rig, "jira")
    return lambda: rig.world.faults.remove(rule.id)


def test_an_outage_is_said_with_each_operation_and_logged_once(post: Rig, log: list[str]) -> None:
    up = decided_while_jira_is_down(post, 4)
    post.settle(6)
    assert waits(post) == {"create_ticket": "Jira to answer", "link_note": "its ticket"}
    # one create had left before: only a look tells what became of it, which is another cause
    assert len([line for line in log if "waits for Jira to answer;" in line]) == 1
    (shown,) = [wait for wait in status_data(post.ledger)["waits"] if wait["why"] == "Jira to answer"]
    assert shown["operations"] == 4
    up()
    post.settle(25)
    assert waits(post) == {}
    assert status_data(post.ledger)["waits"] == []
    nothing_more_is_written(post)


def test_a_retry_for_the_same_reason_writes_nothing(post: Rig) -> None:
    up = decided_while_jira_is_down(post, 2)
    post.settle(6)
    since = [operation["waits_since"] for operation in outbox_data(post.ledger)["operations"]]
    with writes_to_operations(post.ledger) as statements:
        post.settle(4, 5.0)
    assert since and statements == []
    assert [operation["waits_since"] for operation in outbox_data(post.ledger)["operations"]] == since
    up()


def test_a_pause_names_the_command_that_ends_it(post: Rig) -> None:
    pause(post, "jira")
    triggered(post)
    post.settle(2)
    assert waits(post) == {"create_ticket": "`syncd resume jira`", "link_note": "its ticket"}
    resume(post, "jira")
    post.settle(2)
    assert waits(post) == {}


def test_an_unknown_outcome_waits_for_its_settle_time(post: Rig) -> None:
    post.world.jira.site.options.search_lag = 600
    post.world.faults.add(faults.reset_before(), service="jira", method="POST", path="/issue$", times=1)
    triggered(post)
    post.settle(2)
    assert waits(post)["create_ticket"].startswith("the end of the settle time")
    post.settle(30)
    assert waits(post) == {}


def test_a_damped_move_says_when_it_may_leave(post: Rig) -> None:
    (incident,) = triggered(post)
    post.settle(2)
    post.world.pagerduty.acknowledge(incident, "Amara Osei")
    post.cycle()
    post.world.pagerduty.resolve(incident, "Amara Osei")
    post.cycle()
    post.world.pagerduty.reopen(incident, "Amara Osei")
    post.cycle()
    post.cycle()
    move = waits(post).get("move_ticket", "")
    assert move.endswith("UTC: the ticket has just left that status")


def test_a_note_without_budget_says_so(post: Rig, log: list[str]) -> None:
    post.world.pagerduty.account.options.requests_a_minute = 16
    for _ in range(3):
        post.cycle(1.0)
    triggered(post, 2)
    post.cycle(1.0)
    assert waits(post) == {"link_note": "the rate budget of PagerDuty"}
    assert len([line for line in log if "waits for the rate budget of PagerDuty" in line]) == 1
    post.settle(4)
    assert waits(post) == {}
