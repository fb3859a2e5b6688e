"""A pattern that takes too long on a title never decides alone: the texts are withheld until one decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rig import SERVICES, Rig, mapping

from engine.cast import issue_of, nothing_more_is_written, row_of, status
from engine.mail_rig import CTO, letters, recipients, subjects, text_of
from engine.restricted_cast import CANARY, events, hidden, secured, with_level, without_level
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.ledger.store.lookups import incident_named
from syncd.ledger.views.show import show_data
from syncd.preflight.checks.configured import patterns
from syncd.sandbox import faults, presets

LEAD = "elif.kaya@qrpay.example"
SLOW_TITLE = f"{CANARY} {'a' * 60}!"
"""On this title the first of the patterns below takes longer than the universe exists."""
SEVERITIES: dict[str, Any] = {
    "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True, "notify": [CTO]},
    "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True},
    "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
    "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
}
MakeSlow = Callable[..., Rig]


@pytest.fixture
def slow(make_rig: Any) -> MakeSlow:
    """Rigs of a team with a slow pattern and a good one, after a first quiet cycle."""

    def make(preset: Callable[[Any], None] = lambda _world: None, **rules: Any) -> Rig:
        restricted = {
            "titles": [r"(a|aa)+$", r"\bPII\b"],
            "level": "Security incident",
            "lead": LEAD,
            **rules,
        }
        team = mapping(
            restricted=restricted, severities=SEVERITIES, services=SERVICES, mails={"mode": "enforce"}
        )
        rig: Rig = make_rig(mappings=(team,), preset=preset, renderer=TicketRenderer(Templates()), mail=True)
        rig.cycle()
        return rig

    return make


def retitle(rig: Rig, incident: Any, title: str) -> None:
    rig.world.pagerduty.set_title(incident.id, title, "Amara Osei")
    rig.settle(4)


def summary(rig: Rig) -> str:
    return str(issue_of(rig)["fields"]["summary"])


def test_an_incident_whose_type_cannot_be_read_is_a_stub_until_it_can(slow: MakeSlow) -> None:
    rig = slow(titles=[], incident_types=["security_incident"])
    unreadable = faults.error(200, body={"incident": {"id": "broken"}})
    rule = rig.world.faults.add(unreadable, service="pagerduty", path=r"/incidents/[A-Z0-9]+$", times=None)
    made = rig.world.pagerduty.trigger("Alipay Integration", CANARY, priority="P2")
    # lists may leave it out
    rig.world.pagerduty.account.incidents[made.id].type_name = None
    rig.settle(3)
    assert (summary(rig), secured(rig)) == (f"Security incident #{made.number}", None)
    assert CANARY not in str(issue_of(rig))
    assert row_of(rig, made).provisional
    # what a list shows of it proves nothing
    rig.world.pagerduty.set_title(made.id, f"{CANARY} again", "Amara Osei")
    rig.settle(3)
    assert row_of(rig, made).provisional
    rig.world.faults.remove(rule.id)
    rig.settle(4, 600)
    assert not row_of(rig, made).restricted
    assert summary(rig) == f"{CANARY} again"
    nothing_more_is_written(rig)


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_the_ticket_is_a_stub_without_a_level_and_the_same_ticket_gets_its_texts_later(
    slow: MakeSlow, edition: str
) -> None:
    rig = slow(presets.data_center if edition == "datacenter" else lambda _world: None)
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P2")
    rig.world.pagerduty.note(made.id, f"look at {CANARY}", "Amara Osei")
    rig.settle(3)
    number = issue_of(rig)["id"]
    assert (summary(rig), secured(rig)) == (f"Security incident #{made.number}", None)
    assert CANARY not in str(issue_of(rig))
    assert row_of(rig, made).provisional
    hidden(rig)
    incident = incident_named(rig.ledger, made.id)
    assert incident is not None
    waits = show_data(rig.ledger, incident, rig.clock.now())["waits"]
    assert any("took too long" in wait["why"] for wait in waits)
    nothing_more_is_written(rig)

    retitle(rig, made, f"Callbacks time out {CANARY}")
    assert issue_of(rig)["id"] == number
    assert summary(rig) == f"Callbacks time out {CANARY}"
    assert CANARY in issue_of(rig)["fields"]["description"]
    assert not row_of(rig, made).restricted
    assert [CANARY in comment["body"] for comment in issue_of(rig)["comments"]] == [True]
    assert [json.loads(text)["provisional"] for text in events(rig, "incident.restricted")] == [True]
    assert len(events(rig, "incident.unrestricted")) == 1
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(3)
    assert status(rig) == "In Progress"
    nothing_more_is_written(rig)


def test_the_notice_leaves_at_once_without_text_and_the_lead_is_told_once(slow: MakeSlow) -> None:
    rig = slow()
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P1")
    rig.cycle()
    assert recipients(rig) == sorted([CTO, LEAD])
    assert subjects(rig, CTO) == [f"SEV0: Security incident #{made.number}"]
    assert all(CANARY not in letter.content.decode() for letter in letters(rig))
    (told,) = (letter for letter in letters(rig) if LEAD in letter.recipients)
    assert "restricted.titles took too long" in " ".join(text_of(told).split())
    rig.settle(4)
    rig.loop.slow()
    rig.settle(3)
    assert len(letters(rig)) == 2
    assert len(events(rig, "incident.restricted")) == 1
    nothing_more_is_written(rig)


def test_a_judgement_that_restricts_it_gives_the_stub_its_level_and_then_its_texts(slow: MakeSlow) -> None:
    rig = slow()
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P2")
    rig.settle(3)
    since = row_of(rig, made).restricted_since
    retitle(rig, made, f"PII in a log {CANARY}")
    row = row_of(rig, made)
    assert (row.restricted, row.provisional, row.restricted_since) == (True, False, since)
    assert (secured(rig), summary(rig)) == ("Security incident", f"PII in a log {CANARY}")
    hidden(rig)
    # from now on for ever
    retitle(rig, made, "Nothing of the kind")
    assert row_of(rig, made).restricted
    nothing_more_is_written(rig)


def test_another_rule_restricts_for_certain_whatever_a_slow_pattern_does(slow: MakeSlow) -> None:
    rig = slow(services=["Yoomonea Service"])
    made = rig.world.pagerduty.trigger("Yoomonea Service", SLOW_TITLE, priority="P2")
    rig.settle(3)
    assert (secured(rig), row_of(rig, made).provisional) == ("Security incident", False)
    hidden(rig)


def test_a_person_s_label_restricts_for_ever_what_was_provisional(slow: MakeSlow) -> None:
    rig = slow(without_level)
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P2")
    rig.settle(3)
    rig.world.jira.add_label("OPS-1", "restricted", "Priya Raman")
    rig.settle(3)
    assert not row_of(rig, made).provisional
    retitle(rig, made, f"Nothing of the kind {CANARY}")
    assert CANARY not in str(issue_of(rig))
    with_level(rig)
    assert (secured(rig), summary(rig)) == ("Security incident", f"Nothing of the kind {CANARY}")
    hidden(rig)


def test_a_title_that_becomes_slow_later_is_withheld_and_the_lead_is_told_once(slow: MakeSlow) -> None:
    rig = slow()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Callbacks time out", priority="P2")
    rig.settle(3)
    retitle(rig, made, SLOW_TITLE)
    rig.loop.slow()
    rig.settle(3)
    assert (summary(rig), secured(rig)) == ("Callbacks time out", None)
    assert recipients(rig) == [LEAD]
    hidden(rig)
    retitle(rig, made, f"Refunds time out {CANARY}")
    assert summary(rig) == f"Refunds time out {CANARY}"
    assert recipients(rig) == [LEAD]
    nothing_more_is_written(rig)


def test_what_a_person_wrote_on_the_stub_stays_when_the_incident_is_ordinary_again(slow: MakeSlow) -> None:
    rig = slow()
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P2")
    rig.settle(3)
    rig.world.jira.edit("OPS-1", "Priya Raman", summary="Mine")
    rig.settle(3)
    retitle(rig, made, "Callbacks time out")
    assert summary(rig) == "Mine"
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(3)
    assert (summary(rig), status(rig)) == ("Mine", "In Progress")
    nothing_more_is_written(rig)


def test_an_incident_that_is_over_waits_for_its_judgement_too(slow: MakeSlow) -> None:
    rig = slow()
    made = rig.world.pagerduty.trigger("Alipay Integration", SLOW_TITLE, priority="P4")
    rig.settle(3)
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(3)
    assert not row_of(rig, made).finished
    rig.world.pagerduty.set_title(made.id, "Callbacks time out", "Amara Osei")
    rig.loop.slow()
    rig.settle(4)
    assert (summary(rig), row_of(rig, made).restricted) == ("Callbacks time out", False)
    nothing_more_is_written(rig)


def test_a_pattern_sees_the_first_thousand_characters(slow: MakeSlow) -> None:
    rig = slow()
    rig.world.pagerduty.trigger("Alipay Integration", f"{'b ' * 499}PII", priority="P2")
    rig.world.pagerduty.trigger("Alipay Integration", f"{'b ' * 490}PII", priority="P2")
    rig.settle(3)
    assert (secured(rig, 1), secured(rig, 2)) == (None, "Security incident")


@pytest.mark.parametrize(
    ("changes", "slow"),
    [
        ({"restricted": {"titles": [r"\bPII\b", r"(a|aa)+$"], "lead": "a@b.example"}}, "restricted.titles"),
        ({"restricted": {"titles": [r"(\w+\s?)*!$"], "lead": "a@b.example"}}, "restricted.titles"),
        ({"redact": {"patterns": {"customer": r"(\d+)+z"}}}, "redact.patterns.customer"),
        ({"noise": [{"name": "tests", "title": r"(test|testtest)+x"}]}, "noise"),
        ({"restricted": {"titles": [r"\b(security|PII|data breach)\b"], "lead": "a@b.example"}}, None),
    ],
)
def test_check_names_a_pattern_that_takes_too_long_on_some_texts(
    changes: dict[str, Any], slow: str | None
) -> None:
    findings = [
        (pattern.level.value, pattern.message.partition(":")[0]) for pattern in patterns(mapping(**changes))
    ]
    expected = "are fast, also on texts that make bad patterns slow"
    assert findings == [("wrong", slow) if slow else ("ok", expected)]
