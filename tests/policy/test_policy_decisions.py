"""Approvers hear at once what a command gave in their names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from duty_cast import DAY, DUE, HOUR, RESOLVED, Life, rules

from syncd.domain.duty import DutyKind, DutyState
from syncd.domain.operation import SendMail
from syncd.domain.operation.mail import DecisionMail
from syncd.policy.notify.decisions import decide_decisions

BOSS, OTHER = "boss@qrpay.example", "other@qrpay.example"


def enforced(**more: Any) -> Life:
    return Life(rules(mails={"mode": "enforce"}), **more).resolve()


def texts(life: Life, at: Any) -> list[str]:
    operations = decide_decisions(life.case(at), life.book).operations
    contents = [op.content for op in operations if isinstance(op, SendMail)]
    return [content.text for content in contents if isinstance(content, DecisionMail)]


def test_each_approver_of_a_waiver_is_mailed_what_was_given_in_their_name() -> None:
    life = enforced().waive(RESOLVED + HOUR, DUE, DutyKind.SCHEDULED)
    life.waivers[0] = life.waivers[0].model_copy(update={"by": f"{BOSS} and {OTHER}"})
    decision = decide_decisions(life.case(RESOLVED + 2 * HOUR), life.book)
    assert [op.to for op in decision.operations if isinstance(op, SendMail)] == [BOSS, OTHER]
    assert set(texts(life, RESOLVED + 2 * HOUR)) == {
        "syncd waive: the duty scheduled of the postmortem is waived until 2026-11-25 09:00 UTC."
    }
    ways_out = [op.content.ends for op in decision.operations if isinstance(op.content, DecisionMail)]
    number = life.case(RESOLVED).incident.number
    assert ways_out == [
        f'syncd unwaive {number} --duty scheduled --reason "…" --by {who}' for who in (BOSS, OTHER)
    ]


def test_an_approver_who_set_the_label_in_jira_needs_no_mail() -> None:
    life = enforced().waive(RESOLVED + HOUR, DUE)
    life.waivers[0] = life.waivers[0].model_copy(update={"by": BOSS, "source": "jira"})
    assert texts(life, RESOLVED + 2 * HOUR) == []


def test_who_takes_a_breach_back_is_mailed_once_for_that_clock() -> None:
    life = enforced()
    at = DUE + 2 * HOUR
    life.decide(at)
    more = {"corrected": "by telephone", "corrected_at": at, "corrected_by": BOSS}
    life.duties = (life.duties[0].model_copy(update={"state": DutyState.VOID, **more}), *life.duties[1:])
    life.decide(at + HOUR)
    decision = decide_decisions(life.case(at + HOUR), life.book)
    assert [op.to for op in decision.operations if isinstance(op, SendMail)] == [BOSS]
    assert "by telephone" not in texts(life, at + HOUR)[0]


def test_a_deputy_hears_of_a_decision_while_it_is_news_and_not_of_one_before_a_later_leave() -> None:
    leave = {"away": {BOSS: {"until": DUE.date() + 30 * DAY, "deputy": OTHER}}}
    life = Life(rules(mails={"mode": "enforce"}, people=leave)).resolve().waive(RESOLVED + HOUR, DUE)
    life.waivers[0] = life.waivers[0].model_copy(update={"by": BOSS})

    def told(at: datetime) -> list[str]:
        operations = decide_decisions(life.case(at), life.book).operations
        return [op.to for op in operations if isinstance(op, SendMail)]

    assert told(RESOLVED + 2 * HOUR) == [BOSS, OTHER]
    # BOSS's mail stays asked for, so that one which waits for the mail server is not dropped
    assert told(RESOLVED + 8 * DAY) == [BOSS]
