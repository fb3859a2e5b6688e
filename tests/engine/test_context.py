"""The engine's context is frozen, and a reload puts other rules into force by swapping one reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from itertools import count
from typing import Any

import pytest
from ledger_reading import operations
from rig import PlainRenderer, Rig, mapping

from syncd.config.problems import ConfigError
from syncd.domain.incident import Incident
from syncd.engine import reconcile
from syncd.engine.context import EngineContext
from syncd.engine.decide.case_builder import build_case
from syncd.engine.jobs.reload import Reloader, ourselves
from syncd.engine.observe.incident import Seen, observe
from syncd.engine.rulebook import book_for
from syncd.engine.rules import Rules
from syncd.ledger.store.lookups import find_incident
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.decide import decide
from syncd.remote.errors import NotDone

MakeRig = Callable[..., Rig]


class WithVersion(PlainRenderer):
    """Texts that name the version of the mapping and the one of the templates."""

    def __init__(self, version: str) -> None:
        self.version = version

    def ticket(self, incident: Incident, book: Rulebook, roles: Any, *, restricted: bool) -> tuple[str, str]:
        return f"{book.mapping.version}/{self.version}", ""


def rules(version: str, **changes: Any) -> Rules:
    return Rules((mapping(version=version, **changes),), WithVersion(version))


def reloader(rig: Rig, new: Rules) -> Reloader:
    return Reloader(rig.context, lambda: new, rig.loop.rules_changed)


def claimed(rig: Rig) -> Incident:
    """An incident that a team claims, as PagerDuty shows it."""
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency")
    incident = rig.context.services.pagerduty.incident(made.id)
    assert incident is not None
    return incident


def test_nothing_is_assigned_to_the_context_once_it_is_made(house: Rig) -> None:
    for field in fields(house.context):
        with pytest.raises(FrozenInstanceError):
            setattr(house.context, field.name, None)
    for name in ("mappings", "renderer", "people", "anything"):
        with pytest.raises(FrozenInstanceError):
            setattr(house.context, name, None)


def test_rules_in_force_are_not_changed_but_replaced(house: Rig) -> None:
    for field in fields(Rules):
        with pytest.raises(FrozenInstanceError):
            setattr(house.context.rules.current, field.name, None)
    with pytest.raises(AttributeError):
        house.context.rules.current = rules("2")  # type: ignore[misc] # the point of the test


def test_a_run_of_the_engine_changes_no_part_of_its_context(house: Rig) -> None:
    before = {field.name: id(getattr(house.context, field.name)) for field in fields(house.context)}
    claimed(house)
    house.settle(3)
    reloader(house, rules("2")).run(ourselves("test"))
    house.settle(3)
    assert {field.name: id(getattr(house.context, field.name)) for field in fields(house.context)} == before


def test_a_reload_swaps_one_reference_and_leaves_a_decision_under_way_with_the_old_rules(house: Rig) -> None:
    context, incident = house.context, claimed(house)
    reference, old, book = context.rules, context.rules.current, context.book_of(incident)
    new = rules("2", services={"Yoomonea Service": {}})
    assert reloader(house, new).run(ourselves("test"))["code"] == 0
    assert context.rules is reference
    assert reference.current is not old
    assert ([mapping.version for mapping in context.mappings], context.renderer) == (["2"], new.renderer)
    # whoever took the old rules before, or a rulebook made of them, is not disturbed
    assert [mapping.version for mapping in old.mappings] == ["test"]
    assert old.claim_of(incident.service) is not None
    assert book is not None
    assert book.mapping is old.mappings[0]
    # and the next decision is made by the new ones, which do not claim the service
    assert context.book_of(incident) is None


def test_what_is_decided_after_a_reload_is_rendered_by_the_new_mapping_and_templates(house: Rig) -> None:
    reloader(house, rules("2")).run(ourselves("test"))
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    (create,) = [
        operation for operation in operations(house.ledger, "done") if operation.kind == "create_ticket"
    ]
    assert create.rendered is not None
    assert "2/2" in str(create.rendered)


def test_a_reload_in_the_middle_of_an_attempt_does_not_reach_it(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, book_of = count(2), EngineContext.book_of

    def then_reload(context: EngineContext, incident: Incident, team: str | None = None) -> Rulebook | None:
        book = book_of(context, incident, team)
        house.context.rules.swap(rules(str(next(numbers))))
        return book

    house.context.rules.swap(rules("1"))
    monkeypatch.setattr(EngineContext, "book_of", then_reload)
    house.world.pagerduty.trigger("Alipay Integration", "Latency")
    house.settle(3)
    (create,) = [
        operation for operation in operations(house.ledger, "done") if operation.kind == "create_ticket"
    ]
    assert create.rendered is not None
    fields = create.rendered["fields"]
    assert isinstance(fields, dict)
    of_mapping, of_templates = str(fields["summary"]).split("/")
    assert of_mapping == of_templates


def test_a_reload_in_the_middle_of_a_decision_does_not_reach_it(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = house.world.pagerduty
    source, target = (people.trigger("Alipay Integration", title) for title in ("Latency", "Errors"))
    house.settle(3)
    people.merge(target.id, [source.id], "Amara Osei")
    house.loop.pagerduty.poll()
    house.loop.work_on([source.id])
    other = rules("2", severities={"ANY": {"urgency": "high", "priority": "High"}})
    judged: list[tuple[str, list[str]]] = []

    def then_reload(context: EngineContext, incident_id: str) -> Seen | None:
        seen = observe(context, incident_id)
        house.context.rules.swap(other)
        return seen

    def watched(case: Case, book: Rulebook) -> Decision:
        if case.incident.id == target.id:
            judged.append((book.mapping.version, [source.severity for source in case.merged_sources]))
        return decide(case, book)

    monkeypatch.setattr(reconcile, "observe", then_reload)
    monkeypatch.setattr(reconcile, "decide", watched)
    house.loop.work_on([target.id])
    # the rules that judge the target judge what was merged into it, too
    assert judged == [("test", ["SEV2"])]
    house.loop.work_on([target.id])
    assert judged[-1] == ("2", ["ANY"])


def test_what_was_merged_from_a_service_that_no_mapping_names_any_more_still_counts(house: Rig) -> None:
    people = house.world.pagerduty
    source = people.trigger("Core QRPay Web", "Latency")
    target = people.trigger("Alipay Integration", "Errors")
    house.settle(3)
    people.merge(target.id, [source.id], "Amara Osei")
    house.settle(3)
    house.context.rules.swap(rules("2", services={"Alipay Integration": {}}))
    known = find_incident(house.ledger, target.id).incident
    assert known is not None
    book = book_for(house.context, known)
    assert book is not None
    case = build_case(house.context, known, book)
    assert [(merged.id, merged.owes) for merged in case.merged_sources] == [(source.id, True)]


def test_rules_that_are_refused_leave_the_reference_alone(house: Rig) -> None:
    before = house.context.rules.current

    def refuse() -> Rules:
        raise ConfigError([])

    result = Reloader(house.context, refuse, house.loop.rules_changed).run(ourselves("test"))
    assert result["failed"]
    assert house.context.rules.current is before


def test_a_service_that_is_down_is_asked_by_nobody(house: Rig) -> None:
    house.server.close_door("jira")
    house.settle(6)
    assert not house.context.health.may_ask("jira")
    with pytest.raises(NotDone):
        _ = house.context.services.jira
