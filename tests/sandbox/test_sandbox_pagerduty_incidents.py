from datetime import timedelta
from typing import Any

import pytest

from syncd.sandbox.cast import START

MEI, AMARA, PRIYA = "Mei Tanaka", "Amara Osei", "Priya Raman"


def ids(answer: Any) -> list[str]:
    return [incident["id"] for incident in answer["incidents"]]


def test_a_wrong_key_is_answered_with_an_empty_page(pagerduty: Any) -> None:
    pagerduty.get("/incidents", Authorization="Token token=wrong")
    assert pagerduty.status == 401
    assert pagerduty.last.body == b""
    assert pagerduty.last.headers["Content-Type"].startswith("text/html")


def test_since_is_inclusive_and_until_exclusive_on_the_creation(world: Any, pagerduty: Any) -> None:
    first = world.pagerduty.trigger("Payments", "first")
    world.advance(60)
    second = world.pagerduty.trigger("Payments", "second")
    world.advance(3600)
    world.pagerduty.note(first.id, "changed much later", MEI)
    assert ids(pagerduty.get("/incidents?since=2026-11-16T06:00:00Z&until=2026-11-16T06:01:00Z")) == [
        first.id
    ]
    assert ids(pagerduty.get("/incidents?since=2026-11-16T06:01:00Z&until=2026-11-16T06:02:00Z")) == [
        second.id
    ]


def test_without_a_span_only_the_last_month_is_listed(world: Any, pagerduty: Any) -> None:
    old = world.pagerduty.trigger("Payments", "old", at=START - timedelta(days=40))
    new = world.pagerduty.trigger("Payments", "new")
    assert ids(pagerduty.get("/incidents")) == [new.id]
    assert ids(pagerduty.get("/incidents?date_range=all")) == [old.id, new.id]


def test_a_span_over_six_months_is_refused(pagerduty: Any) -> None:
    pagerduty.get("/incidents?since=2026-01-01T00:00:00Z&until=2026-11-16T00:00:00Z")
    assert pagerduty.status == 400


def test_a_moment_without_a_zone_is_read_in_the_accounts_zone(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "at one in the morning in New York")
    assert ids(pagerduty.get("/incidents?since=2026-11-16T01:00:00&until=2026-11-16T01:00:01")) == [made.id]


def test_filters_are_joined(world: Any, pagerduty: Any) -> None:
    high = world.pagerduty.trigger("Payments", "high", urgency="high")
    low = world.pagerduty.trigger("Payments", "low", urgency="low")
    other = world.pagerduty.trigger("Dispatch", "other")
    world.pagerduty.resolve(other.id)
    service = high.service_id
    assert ids(pagerduty.get(f"/incidents?service_ids[]={service}&urgencies[]=low")) == [low.id]
    both = "statuses[]=triggered&statuses[]=acknowledged"
    assert ids(pagerduty.get(f"/incidents?date_range=all&{both}")) == [high.id, low.id]
    assert ids(pagerduty.get("/incidents?statuses[]=resolved")) == [other.id]


def test_pages_say_whether_there_is_more_and_the_total_only_when_asked(world: Any, pagerduty: Any) -> None:
    for number in range(5):
        world.pagerduty.trigger("Payments", f"number {number}")
    page = pagerduty.get("/incidents?limit=2&offset=2")
    assert [incident["incident_number"] for incident in page["incidents"]] == [3, 4]
    assert (page["more"], page["total"]) == (True, None)
    last = pagerduty.get("/incidents?limit=2&offset=4&total=true")
    assert (last["more"], last["total"]) == (False, 5)


def test_paging_ends_at_ten_thousand(pagerduty: Any) -> None:
    assert pagerduty.get("/incidents?limit=100&offset=9900")["incidents"] == []
    pagerduty.get("/incidents?limit=100&offset=9901")
    assert pagerduty.status == 400


def test_sorting_by_two_fields(world: Any, pagerduty: Any) -> None:
    for urgency in ("low", "high", "low"):
        world.pagerduty.trigger("Payments", "x", urgency=urgency)
    page = pagerduty.get("/incidents?sort_by=urgency:asc,incident_number:desc")
    assert [incident["incident_number"] for incident in page["incidents"]] == [2, 3, 1]


def test_an_incident_is_found_by_id_and_by_number(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "Stripe degraded", priority="P1")
    by_number = pagerduty.get("/incidents/1")["incident"]
    assert by_number == pagerduty.get(f"/incidents/{made.id}")["incident"]
    assert by_number["summary"] == "[#1] Stripe degraded"
    assert by_number["priority"]["summary"] == "P1"
    assert [field["name"] for field in by_number["custom_fields"]] == ["data_affected"]
    assert pagerduty.get("/incidents/99") == {"error": {"message": "Not Found", "code": 2100}}


def test_includes_replace_references_by_the_whole(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x", priority="P1")
    shown = pagerduty.get(f"/incidents/{made.id}?include[]=services&include[]=assignees&include[]=priorities")
    incident = shown["incident"]
    assert incident["service"]["acknowledgement_timeout"] == 1800
    assert incident["assignments"][0]["assignee"]["email"] == "diego.fuentes@ramen.example"
    assert incident["priority"]["name"] == "P1"
    assert incident["escalation_policy"]["type"] == "escalation_policy_reference"


def test_monitoring_hides_the_key_behind_its_alert(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x", key="disk-full")
    again = world.pagerduty.trigger("Payments", "x", key="disk-full")
    assert made is again
    assert pagerduty.get(f"/incidents/{made.id}")["incident"]["incident_key"] is None
    assert pagerduty.get(f"/incidents/{made.id}/alerts")["alerts"][0]["alert_key"] == "disk-full"


def test_writing_needs_the_address_of_a_user(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    for address in ("", "nobody@qrpay.example"):
        pagerduty.put(f"/incidents/{made.id}", body, From=address)
        assert pagerduty.status == 400
    assert made.status == "triggered"


def test_a_resolve_clears_assignments_and_keeps_the_note(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    wish = {"type": "incident_reference", "status": "resolved", "resolution": "restarted"}
    shown = pagerduty.put(f"/incidents/{made.id}", {"incident": wish})["incident"]
    assert (shown["status"], shown["assignments"], shown["resolve_reason"]) == ("resolved", [], None)
    assert shown["resolved_at"] == "2026-11-16T06:00:00Z"
    assert pagerduty.get(f"/incidents/{made.id}/notes")["notes"][0]["content"] == "Resolution Note: restarted"
    answer = pagerduty.put(f"/incidents/{made.id}", {"incident": wish})
    assert answer == {"error": {"message": "Incident Already Resolved", "code": 1001}}


def test_acknowledging_twice_is_refused_for_the_same_user_only(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    pagerduty.put(f"/incidents/{made.id}", body)
    assert pagerduty.put(f"/incidents/{made.id}", body)["error"]["code"] == 1002
    pagerduty.put(f"/incidents/{made.id}", body, From="amara.osei@qrpay.example")
    assert pagerduty.status == 200
    assert len(made.acknowledgements) == 2


@pytest.mark.parametrize("status", ["triggered", "acknowledged"])
def test_a_status_on_a_resolved_incident_reopens_it(world: Any, pagerduty: Any, status: str) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.pagerduty.resolve(made.id)
    body = {"incidents": [{"id": made.id, "type": "incident_reference", "status": status}]}
    shown = pagerduty.put("/incidents", body)["incidents"][0]
    assert (shown["status"], shown["resolved_at"]) == (status, None)
    assert shown["assignments"]
    assert ids(pagerduty.get(f"/incidents?date_range=all&statuses[]={status}")) == [made.id]


def test_a_merge_resolves_the_source_with_a_reason_that_names_the_target(world: Any, pagerduty: Any) -> None:
    target, source = (world.pagerduty.trigger("Payments", name) for name in ("target", "source"))
    body = {"source_incidents": [{"id": source.id, "type": "incident_reference"}]}
    assert pagerduty.put(f"/incidents/{target.id}/merge", body)["incident"]["id"] == target.id
    shown = pagerduty.get(f"/incidents/{source.id}")["incident"]
    assert shown["status"] == "resolved"
    assert shown["resolve_reason"]["type"] == "merge_resolve_reason"
    assert shown["resolve_reason"]["incident"]["id"] == target.id
    resolve = pagerduty.get(f"/incidents/{source.id}/log_entries")["log_entries"][0]
    assert (resolve["type"], resolve["linked_incident"]["id"]) == ("resolve_log_entry", target.id)
    assert len(pagerduty.get(f"/incidents/{target.id}/alerts")["alerts"]) == 2
    assert pagerduty.put(f"/incidents/{target.id}/merge", body)["error"]["code"] == 1019


def test_nothing_merges_into_a_resolved_incident(world: Any, pagerduty: Any) -> None:
    target, source = (world.pagerduty.trigger("Payments", name) for name in ("target", "source"))
    world.pagerduty.resolve(target.id)
    body = {"source_incidents": [{"id": source.id, "type": "incident_reference"}]}
    assert pagerduty.put(f"/incidents/{target.id}/merge", body)["error"]["code"] == 1001
    assert source.status == "triggered"


def test_only_what_is_acknowledged_can_be_snoozed(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    refused = pagerduty.post(f"/incidents/{made.id}/snooze", {"duration": 3600})
    assert refused == {"error": {"message": "Incident Is Not Acknowledged", "code": 1012}}
    world.pagerduty.acknowledge(made.id, MEI)
    shown = pagerduty.post(f"/incidents/{made.id}/snooze", {"duration": 7200})["incident"]
    assert pagerduty.status == 201
    assert shown["pending_actions"] == [{"type": "unacknowledge", "at": "2026-11-16T08:00:00Z"}]


def test_an_update_changes_priority_title_urgency_people_and_level(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Alipay Integration", "x")
    user = world.pagerduty.user_id(PRIYA)
    wish = {
        "type": "incident_reference",
        "title": "y",
        "priority": {"id": "PPRIO02", "type": "priority_reference"},
        "urgency": "low",
        "assignments": [{"assignee": {"id": user, "type": "user_reference"}}],
    }
    shown = pagerduty.put(f"/incidents/{made.id}", {"incident": wish})["incident"]
    assert (shown["title"], shown["priority"]["summary"], shown["urgency"]) == ("y", "P2", "low")
    assert (shown["assignments"][0]["assignee"]["id"], shown["assigned_via"]) == (user, "direct_assignment")
    wish = {"type": "incident_reference", "priority": None, "escalation_level": 3}
    shown = pagerduty.put(f"/incidents/{made.id}", {"incident": wish})["incident"]
    assert shown["priority"] is None
    assert shown["assignments"][0]["assignee"]["summary"] == "Tomasz Wójcik"


def test_an_incident_is_opened_over_the_api_once_a_key(pagerduty: Any) -> None:
    service = {"id": "PSVC001", "type": "service_reference"}
    body = {"incident": {"type": "incident", "title": "x", "service": service, "incident_key": "k"}}
    shown = pagerduty.post("/incidents", body)["incident"]
    assert (pagerduty.status, shown["incident_key"]) == (201, "k")
    assert "matching dedup key" in pagerduty.post("/incidents", body)["error"]["errors"][0]


def test_more_than_250_updates_at_once_are_too_many(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    row = {"id": made.id, "type": "incident_reference", "status": "resolved"}
    pagerduty.put("/incidents", {"incidents": [row] * 251})
    assert pagerduty.status == 413
    assert made.status == "triggered"


def test_custom_fields_are_set_by_name_or_id_and_take_only_their_options(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    path = f"/incidents/{made.id}/custom_fields/values"
    pagerduty.put(path, {"custom_fields": [{"name": "data_affected", "value": "card data"}]}, From="")
    assert pagerduty.get(path)["custom_fields"][0]["value"] == "card data"
    pagerduty.put(path, {"custom_fields": [{"id": "PCFLD01", "value": "everything"}]})
    assert pagerduty.status == 400


def test_nothing_is_deleted_and_trying_it_is_an_offence(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    pagerduty.ask("DELETE", f"/incidents/{made.id}")
    assert pagerduty.status == 405
    assert [line.pattern for line in world.journal.offences()] == ["/incidents/{id}"]


def test_the_minute_limit_is_counted_in_sandbox_time(world: Any, pagerduty: Any) -> None:
    world.pagerduty.account.options.requests_a_minute = 3
    assert [pagerduty.get("/abilities") and pagerduty.status for _ in range(4)] == [200, 200, 200, 429]
    assert pagerduty.last.json() == {"error": {"message": "Rate Limit Exceeded", "code": 2020}}
    assert pagerduty.last.headers["ratelimit-reset"] == "60"
    world.advance(60)
    pagerduty.get("/abilities")
    assert (pagerduty.status, pagerduty.last.headers["ratelimit-remaining"]) == (200, "2")
