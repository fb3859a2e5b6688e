"""Which steps of an incident are posted, which are passed over, and what no post ever does."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from duty_cast import DUE, RESOLVED, Life
from policy_cast import NOW, book, incident

from syncd.domain.history import SeverityPeriod
from syncd.domain.operation import PostChat
from syncd.domain.operation.chat import ResolvedPost, TicketPost
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.notify.chat import BEFORE, BEFORE_SWITCH, LATER_STEP, TOO_OLD, decide_posts

MINUTE = timedelta(minutes=1)
ON = {"mode": "enforce", "channel": "status"}


def rules(**changes: Any) -> Rulebook:
    return book(**{"chat": ON, **changes})


def case(**more: Any) -> Case:
    given = {
        "incident": incident(created_at=NOW - 5 * MINUTE),
        "now": NOW,
        "channels": frozenset({"status"}),
        "severity_periods": (SeverityPeriod(severity="SEV2", since=NOW - 5 * MINUTE),),
    }
    return Case.model_validate({**given, **more})


def steps(decision: Decision) -> dict[str, str | None]:
    posts = [op for op in decision.operations if isinstance(op, PostChat)]
    return {post.key.rpartition("/")[2].partition(":")[0]: post.skip for post in posts}


def raised(at: datetime) -> tuple[SeverityPeriod, ...]:
    first = SeverityPeriod(severity="SEV3", since=NOW - 5 * MINUTE)
    return first, SeverityPeriod(severity="SEV2", since=at)


def test_a_new_incident_is_one_post_that_needs_its_ticket() -> None:
    (post,) = decide_posts(case(), rules()).operations
    assert isinstance(post, PostChat)
    assert (post.needs, post.channel) == (("ticket/P1",), "status")


def test_the_post_about_the_ticket_tells_the_severity_that_holds_when_it_leaves() -> None:
    decision = decide_posts(case(severity_periods=raised(NOW - MINUTE)), rules())
    assert steps(decision) == {"ticket": None, "severity": LATER_STEP}


def test_once_the_channel_knows_the_ticket_a_new_severity_is_a_post() -> None:
    sent = {"chat/P1/ticket": NOW - 4 * MINUTE}
    decision = decide_posts(case(severity_periods=raised(NOW - MINUTE), sent=sent), rules())
    assert steps(decision) == {"ticket": None, "severity": None}


def test_after_the_resolve_only_the_resolve_is_posted() -> None:
    over = incident(created_at=NOW - 5 * MINUTE, status="resolved", resolved_at=NOW - MINUTE)
    decision = decide_posts(case(incident=over, severity_periods=raised(NOW - 2 * MINUTE)), rules())
    assert steps(decision) == {"ticket": LATER_STEP, "severity": LATER_STEP, "resolved": None}


def test_a_merge_is_no_resolve() -> None:
    over = incident(
        created_at=NOW - 5 * MINUTE, status="resolved", resolved_at=NOW - MINUTE, merged_into="P9"
    )
    assert "resolved" not in steps(decide_posts(case(incident=over), rules()))


def test_a_post_that_waits_is_decided_again_when_it_is_too_old() -> None:
    decision = decide_posts(case(), rules())
    assert decision.again == (55 * MINUTE).total_seconds()
    late = decide_posts(case(now=NOW + 55 * MINUTE), rules())
    assert steps(late) == {"ticket": TOO_OLD}


def test_the_first_day_and_a_switch_of_the_mode_post_nothing_about_the_past() -> None:
    tomorrow = date(NOW.year, NOW.month, NOW.day) + timedelta(days=1)
    assert steps(decide_posts(case(), rules(enforce_from=tomorrow))) == {"ticket": BEFORE}
    switched = {"chat": NOW - MINUTE}
    assert steps(decide_posts(case(switched=switched), rules())) == {"ticket": BEFORE_SWITCH}


@pytest.mark.parametrize(
    ("more", "changes"),
    [
        ({"restricted": True}, {}),
        ({"before_enforcement": True}, {}),
        ({"channels": frozenset()}, {}),
        ({}, {"chat": {"mode": "off", "channel": "status"}}),
        ({}, {"chat": {"mode": "enforce"}}),
    ],
)
def test_nothing_is_said_where_nothing_may_be_posted(more: dict[str, Any], changes: dict[str, Any]) -> None:
    assert decide_posts(case(**more), rules(**changes)) == Decision()


def test_in_report_the_posts_are_notes_also_without_a_url() -> None:
    decision = decide_posts(case(channels=frozenset()), rules(chat={"channel": "status"}))
    assert decision.operations == ()
    assert decision.dry_run_notes == ("post to #status: the ticket of a SEV2 incident is made",)


def posts_at(life: Life, moment: datetime) -> list[PostChat]:
    """The posts that are due at a moment, after the duties were judged."""
    life.decide(moment)
    known = life.case(moment).model_copy(update={"channels": frozenset({"status"})})
    ops = decide_posts(known, life.book).operations
    return [op for op in ops if isinstance(op, PostChat) and op.skip is None]


def test_the_resolve_tells_the_deadline_and_a_breach_is_a_post_of_its_own() -> None:
    life = Life(book=rules(postmortem={"mode": "enforce"})).resolve()
    (post,) = posts_at(life, RESOLVED + MINUTE)
    assert post.content == ResolvedPost(due=DUE)
    breaches = [post.reason for post in posts_at(life, DUE + 10 * MINUTE)]
    assert breaches == ["scheduling the postmortem (OPS-9) is overdue"]


def test_the_post_about_the_ticket_names_the_incident_commander() -> None:
    roles = {"commander": {"address": "ana@qrpay.example"}}
    (post,) = decide_posts(case(), rules(roles=roles)).operations
    assert isinstance(post, PostChat)
    assert post.content == TicketPost(severity="SEV2", commander="ana@qrpay.example")
