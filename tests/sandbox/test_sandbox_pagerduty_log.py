from typing import Any

from syncd.sandbox.cast import default_world

MEI, AMARA, PRIYA = "Mei Tanaka", "Amara Osei", "Priya Raman"


def kinds(answer: Any) -> list[str]:
    return [entry["type"].removesuffix("_log_entry") for entry in answer["log_entries"]]


def test_the_log_tells_the_newest_first_with_agent_and_channel(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.advance(60)
    world.pagerduty.acknowledge(made.id, MEI)
    world.pagerduty.note(made.id, "The gateway is slow.", MEI)
    log = pagerduty.get("/log_entries")
    assert kinds(log) == ["annotate", "acknowledge", "notify", "assign", "trigger"]
    note, acknowledge, notify, assign, trigger = log["log_entries"]
    assert note["channel"] == {"type": "note", "summary": "The gateway is slow."}
    assert (acknowledge["agent"]["summary"], acknowledge["channel"]) == (MEI, {"type": "website"})
    assert "agent" not in notify
    assert assign["agent"]["type"] == "service_reference"
    assert trigger["agent"]["type"] == "events_api_v2_inbound_integration_reference"
    assert trigger["event_details"] == {"description": "x"}


def test_a_window_of_the_log_leaves_out_what_came_at_its_end(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.advance(60)
    world.pagerduty.acknowledge(made.id, MEI)
    before = pagerduty.get("/log_entries?since=2026-11-16T06:00:00Z&until=2026-11-16T06:01:00Z")
    after = pagerduty.get("/log_entries?since=2026-11-16T06:01:00Z&until=2026-11-16T06:02:00Z")
    assert (kinds(before), kinds(after)) == (["notify", "assign", "trigger"], ["acknowledge"])


def test_included_incidents_are_whole_and_as_they_are_now(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.advance(60)
    world.pagerduty.resolve(made.id)
    oldest = pagerduty.get("/log_entries?include[]=incidents")["log_entries"][-1]
    assert (oldest["type"], oldest["incident"]["status"]) == ("trigger_log_entry", "resolved")


def test_the_overview_drops_assignments_notifications_and_unacknowledgements(
    world: Any, pagerduty: Any
) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    world.pagerduty.acknowledge(made.id, MEI)
    world.advance(1800)
    path = f"/incidents/{made.id}/log_entries"
    assert kinds(pagerduty.get(path)) == ["unacknowledge", "acknowledge", "notify", "assign", "trigger"]
    assert kinds(pagerduty.get(path + "?is_overview=true")) == ["acknowledge", "trigger"]


def test_every_kind_of_change_leaves_its_entry(world: Any, pagerduty: Any) -> None:
    people = world.pagerduty
    made = people.trigger("Alipay Integration", "x")
    people.escalate(made.id, 2, AMARA)
    people.reassign(made.id, PRIYA, AMARA)
    people.delegate(made.id, "Ramen incidents", PRIYA)
    people.set_urgency(made.id, "low", PRIYA)
    people.set_custom(made.id, "data_affected", "none", PRIYA)
    people.set_priority(made.id, "P1", PRIYA)
    people.set_title(made.id, "y", PRIYA)
    people.acknowledge(made.id, PRIYA)
    people.snooze(made.id, 3600, PRIYA)
    people.alert(made.id, "another alert")
    people.resolve(made.id, PRIYA)
    people.reopen(made.id, PRIYA)
    entries = [
        kind for kind in reversed(kinds(pagerduty.get("/log_entries"))) if kind not in ("notify", "assign")
    ]
    assert entries == [
        "trigger", "escalate", "delegate", "urgency_change", "custom_field_value_change",
        "field_value_change", "field_value_change", "acknowledge", "snooze", "link", "resolve",
        "field_value_change",
    ]  # fmt: skip
    reassigned = [entry["summary"] for entry in pagerduty.get("/log_entries")["log_entries"]]
    assert f"Reassigned to {PRIYA} by {AMARA}" in reassigned


def test_what_leaves_no_entry_still_moves_the_incident(world: Any, pagerduty: Any) -> None:
    options = world.pagerduty.account.options
    options.priority_entry = options.title_entry = None
    made = world.pagerduty.trigger("Payments", "x")
    world.advance(60)
    world.pagerduty.set_priority(made.id, "P1", MEI)
    assert kinds(pagerduty.get("/log_entries?since=2026-11-16T06:00:30Z")) == []
    assert pagerduty.get(f"/incidents/{made.id}")["incident"]["updated_at"] == "2026-11-16T06:01:00Z"


def test_a_lagging_log_hides_what_the_incident_already_is(world: Any, pagerduty: Any) -> None:
    world.pagerduty.account.options.log_lag = 30
    made = world.pagerduty.trigger("Payments", "x")
    assert kinds(pagerduty.get("/log_entries")) == []
    assert pagerduty.get(f"/incidents/{made.id}")["incident"]["status"] == "triggered"
    world.advance(30)
    assert kinds(pagerduty.get("/log_entries")) == ["notify", "assign", "trigger"]


def test_an_acknowledgement_ends_when_its_time_is_up(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Alipay Integration", "x")
    world.pagerduty.acknowledge(made.id, AMARA)
    world.advance(1799)
    assert made.status == "acknowledged"
    world.advance(1)
    shown = pagerduty.get(f"/incidents/{made.id}")["incident"]
    assert (shown["status"], shown["acknowledgements"]) == ("triggered", [])
    assert shown["last_status_change_at"] == "2026-11-16T06:30:00Z"


def test_nobody_answering_climbs_the_policy_and_stops_at_its_end(world: Any) -> None:
    made = world.pagerduty.trigger("Alipay Integration", "x")
    called = []
    for _ in range(4):
        called.append(world.pagerduty.account.users[made.assignments[0][0]].name)
        world.advance(15 * 60)
    assert called[1:] == ["Priya Raman", "Tomasz Wójcik", "Tomasz Wójcik"]
    assert made.due == {}


def test_a_long_absence_leaves_the_same_log_as_waiting() -> None:
    logs = []
    for steps in ([7200.0], [60.0] * 120):
        world = default_world()
        made = world.pagerduty.trigger("Alipay Integration", "x")
        world.pagerduty.acknowledge(made.id, AMARA)
        for step in steps:
            world.advance(step)
        logs.append([(entry.type, entry.created_at) for entry in world.pagerduty.account.log])
    assert logs[0] == logs[1]


def test_notes_stand_in_the_accounts_zone_and_people_edit_and_delete_them(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    path = f"/incidents/{made.id}/notes"
    first = pagerduty.post(path, {"note": {"content": "first"}})["note"]
    assert (pagerduty.status, first["created_at"]) == (201, "2026-11-16T01:00:00-05:00")
    second = world.pagerduty.note(made.id, "second", MEI)
    world.advance(60)
    world.pagerduty.edit_note(made.id, second.id, "second, corrected")
    entries = len(pagerduty.get("/log_entries")["log_entries"])
    world.pagerduty.delete_note(made.id, first["id"])
    notes = pagerduty.get(path)["notes"]
    assert [(note["content"], note["updated_at"][:19]) for note in notes] == [
        ("second, corrected", "2026-11-16T01:01:00")
    ]
    assert len(pagerduty.get("/log_entries")["log_entries"]) == entries
    pagerduty.put(f"{path}/{first['id']}", {"note": {"content": "too late"}})
    assert pagerduty.status == 404


def test_a_note_of_our_own_is_edited_over_the_api(world: Any, pagerduty: Any) -> None:
    made = world.pagerduty.trigger("Payments", "x")
    note = pagerduty.post(f"/incidents/{made.id}/notes", {"note": {"content": "a"}})["note"]
    shown = pagerduty.put(f"/incidents/{made.id}/notes/{note['id']}", {"note": {"content": "b"}})["note"]
    assert shown["content"] == "b"


def test_the_directory_is_complete(pagerduty: Any) -> None:
    assert [priority["name"] for priority in pagerduty.get("/priorities")["priorities"]] == [
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
    ]
    assert len(pagerduty.get("/services?limit=100")["services"]) == 10
    assert [service["id"] for service in pagerduty.get("/services?query=alipay")["services"]] == ["PSVC001"]
    assert pagerduty.get("/users?query=amara")["users"][0]["email"] == "amara.osei@qrpay.example"
    assert pagerduty.get("/schedules")["schedules"][0]["users"][0]["summary"] == AMARA
    assert (
        pagerduty.get("/services/PSVC001?include[]=escalation_policies")["service"]["escalation_policy"][
            "num_loops"
        ]
        == 0
    )
    pagerduty.get("/users/me")
    assert pagerduty.status == 400


def test_who_is_on_call_changes_on_monday(world: Any, pagerduty: Any) -> None:
    path = "/oncalls?schedule_ids[]=PSCHED1"
    this_week = pagerduty.get(path)["oncalls"][0]
    assert this_week["start"] == "2026-11-16T00:00:00Z"
    world.advance(7 * 86_400)
    assert pagerduty.get(path)["oncalls"][0]["user"]["id"] != this_week["user"]["id"]


def test_other_tools_on_the_account_can_be_seen(world: Any, pagerduty: Any) -> None:
    assert pagerduty.get("/extensions")["extensions"] == []
    world.pagerduty.account.extensions.append({"id": "PEXT001", "type": "extension", "name": "Jira Cloud"})
    assert pagerduty.get("/extensions")["extensions"][0]["name"] == "Jira Cloud"
