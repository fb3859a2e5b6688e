"""Restricted incidents: who makes one, where its ticket stands, and that its text stands nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written, row_of, status
from engine.restricted_cast import (
    CANARY,
    RULES,
    SEVERITIES,
    events,
    hidden,
    ledger_bytes,
    left,
    secured,
    without_level,
)
from syncd.ledger.requests.answers import ask
from syncd.sandbox import faults, presets
from syncd.sandbox.jira.model import SecurityLevel


def writes_to(rig: Rig, number: int = 1) -> list[tuple[str, str]]:
    """Method and what was written of every write to an issue, in order."""
    issue = issue_of(rig, number)["id"]
    writes = []
    for line in rig.world.journal.writes():
        if line.service == "jira" and f"/issue/{issue}" in line.path:
            writes.append((line.method, line.path.rpartition(f"/issue/{issue}")[2] or "fields"))
    return writes


@pytest.mark.parametrize(
    ("service", "title", "priority", "kind"),
    [
        ("Alipay Integration", f"PII in a log {CANARY}", None, "incident_default"),
        ("Yoomonea Service", f"Odd logins {CANARY}", None, "incident_default"),
        ("Alipay Integration", f"Everything is down {CANARY}", "P1", "incident_default"),
        ("Alipay Integration", f"[SEV0] Everything is down {CANARY}", None, "incident_default"),
        ("Alipay Integration", f"Somebody came in {CANARY}", None, "Security_Incident"),
    ],
    ids=["title", "service", "priority", "title prefix", "type"],
)
def test_each_rule_makes_a_ticket_that_is_born_under_the_level(
    careful: Any, service: str, title: str, priority: str | None, kind: str
) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger(service, title, priority=priority)
    made.type_name = kind
    rig.settle(3)
    issue = issue_of(rig)
    assert secured(rig) == "Security incident"
    assert issue["fields"]["summary"] == title
    assert CANARY in issue["fields"]["description"]
    # born with nothing but its number; the texts follow in one edit
    assert writes_to(rig).count(("PUT", "fields")) == 1
    assert row_of(rig, made).restricted and row_of(rig, made).restricted_since is not None
    hidden(rig)
    nothing_more_is_written(rig)


def test_a_level_that_jira_takes_in_the_create_and_does_not_set_leaves_a_stub(careful: Any) -> None:
    rig = careful()
    rig.world.faults.add(faults.ignore("security"), service="jira", method="POST", path=r"/issue$", times=1)
    rig.world.faults.add(
        faults.ignore("security"), service="jira", method="PUT", path=r"/issue/10001$", times=None
    )
    rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P1")
    rig.settle(6)
    assert issue_of(rig)["fields"]["summary"] == "Security incident #1"
    assert CANARY not in str(issue_of(rig))
    rig.world.faults.clear()
    (parked,) = rig.operations("parked")
    assert parked.aspect == "security"
    ask(rig.ledger, "outbox.retry", {"ids": []}, "operator")
    rig.settle(3)
    assert secured(rig) == "Security incident"
    assert issue_of(rig)["fields"]["summary"] == f"PII {CANARY}"
    nothing_more_is_written(rig)


def test_an_incident_that_no_rule_speaks_of_is_not_restricted(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(3)
    assert secured(rig) is None
    assert not row_of(rig, made).restricted


@pytest.mark.parametrize("who", ["label", "level"])
def test_a_person_who_sets_the_label_or_a_level_restricts_it_and_what_was_stored_is_gone(
    careful: Any, who: str
) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Odd {CANARY}", details={"x": CANARY})
    rig.world.pagerduty.note(made.id, f"look at {CANARY}", "Amara Osei")
    rig.settle(3)
    rig.world.jira.comment("OPS-1", f"I see {CANARY}", "Priya Raman")
    rig.settle(3)
    assert CANARY.encode() in ledger_bytes(rig)
    if who == "label":
        rig.world.jira.add_label("OPS-1", "restricted", "Priya Raman")
    else:
        rig.world.jira.set_security("OPS-1", "Security incident", "Priya Raman")
    rig.settle(3)
    assert secured(rig) == "Security incident"
    assert row_of(rig, made).restricted
    nothing_more_is_written(rig)
    rig.stop()  # the last connection empties the write-ahead log
    hidden(rig)
    rig.start()


def test_the_level_goes_before_everything_else(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Odd {CANARY}", priority="P3")
    rig.settle(3)
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.settle(3)
    aspects = {row.id: row.aspect for row in rig.operations() if row.aspect}
    assert [aspects[operation] for operation in left(rig) if operation in aspects] == [
        "security",
        "status",
        "fields",
    ]
    assert (secured(rig), status(rig)) == ("Security incident", "In Progress")
    nothing_more_is_written(rig)


def test_while_the_level_cannot_be_written_nothing_else_of_the_incident_is(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd", priority="P3")
    rig.settle(3)
    rig.world.faults.add(faults.error(503), service="jira", method="PUT", path=r"/issue/\d+$", times=None)
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.cycle()
    rig.settle(3)
    assert status(rig) == "To Do"
    rig.world.faults.clear()
    rig.settle(30)
    assert (secured(rig), status(rig)) == ("Security incident", "In Progress")


def test_a_level_that_jira_refuses_on_a_ticket_is_parked_and_holds_nothing_back_for_ever(
    careful: Any,
) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Odd {CANARY}", priority="P3")
    rig.settle(3)
    without_level(rig.world)
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.settle(6)
    (parked,) = rig.operations("parked")
    assert (parked.aspect, status(rig)) == ("security", "In Progress")
    assert CANARY not in str(parked.error)
    assert secured(rig) is None


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_a_level_that_jira_takes_and_does_not_set_is_seen_at_once_and_parked(
    careful: Any, edition: str
) -> None:
    rig = careful(presets.data_center if edition == "datacenter" else lambda _world: None)
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Odd {CANARY}", priority="P3")
    rig.settle(3)
    ignored = rig.world.faults.add(
        faults.ignore("security"), service="jira", method="PUT", body="security", times=None
    )
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.cycle(0)
    (parked,) = rig.operations("parked")
    assert (parked.aspect, secured(rig)) == ("security", None)
    assert "answered as done, and nothing changed" in str(parked.error)
    assert len([write for write in writes_to(rig) if write[0] == "PUT"]) >= 2
    rig.settle(4)
    nothing_more_is_written(rig)
    rig.world.faults.remove(ignored.id)
    ask(rig.ledger, "outbox.retry", {"ids": []}, "operator")
    rig.settle(3)
    assert secured(rig) == "Security incident"
    nothing_more_is_written(rig)


def test_a_ticket_whose_level_our_account_may_not_set_is_left_and_the_lead_has_to_hear_of_it(
    careful: Any,
) -> None:
    rig = careful(without_level)
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd", priority="P3")
    rig.settle(3)
    rig.world.pagerduty.set_priority(made.id, "P1", "Amara Osei")
    rig.settle(3)
    assert len(events(rig, "restricted.untold")) == 1
    assert row_of(rig, made).restricted
    nothing_more_is_written(rig)
    assert len(events(rig, "restricted.untold")) == 1


def test_what_once_was_restricted_stays_so_and_its_level_is_never_lowered(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}", priority="P1")
    rig.settle(3)
    since = row_of(rig, made).restricted_since
    rig.world.pagerduty.set_title(made.id, "Harmless after all", "Amara Osei")
    rig.world.pagerduty.set_priority(made.id, "P4", "Amara Osei")
    rig.settle(3)
    assert secured(rig) == "Security incident"
    assert (row_of(rig, made).restricted, row_of(rig, made).restricted_since) == (True, since)
    assert row_of(rig, made).severity == "SEV3"
    assert issue_of(rig)["fields"]["summary"] == f"PII {CANARY}"


def test_a_level_that_a_person_takes_off_stays_off_and_the_incident_stays_restricted(careful: Any) -> None:
    rig = careful()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.settle(3)
    rig.world.jira.set_security("OPS-1", None, "Priya Raman")
    rig.world.jira.comment("OPS-1", f"harmless {CANARY}", "Priya Raman")
    rig.settle(3)
    assert secured(rig) is None
    assert row_of(rig, made).restricted
    assert len(incident_of(rig, made)["notes"]) == 1
    hidden(rig)
    nothing_more_is_written(rig)


def test_an_ordinary_level_restricts_nothing(careful: Any) -> None:
    def ordinary(world: Any) -> None:
        ops = world.jira.site.project("OPS")
        members = frozenset(world.jira.site.people)
        ops.levels.append(SecurityLevel("10502", "Staff", members))

    rig = careful(ordinary, ordinary_levels=["Staff"])
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    rig.settle(3)
    rig.world.jira.set_security("OPS-1", "Staff", "Priya Raman")
    rig.settle(3)
    assert not row_of(rig, made).restricted
    rig.world.jira.add_label("OPS-1", "restricted", "Priya Raman")
    rig.settle(3)
    assert secured(rig) == "Security incident"


def test_an_adopted_ticket_is_put_under_the_level(make_rig: Any) -> None:
    team = mapping(restricted=RULES, severities=SEVERITIES, enforce_from="2026-11-01")
    rig = make_rig(mappings=(team,))
    rig.stop()
    made = rig.world.pagerduty.trigger("Alipay Integration", f"PII {CANARY}")
    rig.world.jira.create("Priya Raman", f"PII {CANARY}", type="Incident")
    rig.world.jira.add_label("OPS-1", f"pd-{made.id}", "Priya Raman")
    rig.world.advance(3600)
    rig.name = "second.db"
    rig.start()
    rig.settle(4)
    assert len(rig.world.jira.site.issues) == 1
    assert secured(rig) == "Security incident"
    hidden(rig)
    nothing_more_is_written(rig)
