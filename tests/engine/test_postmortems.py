"""A postmortem is made once, half an hour after the resolve, linked, owned, and under cover where needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ledger_reading import DutyRow, rows

from engine.cast import nothing_more_is_written
from engine.postmortem_rig import (
    ALIPAY,
    BLUBANK,
    COMMANDERS,
    ME,
    SERVICES,
    later,
    live,
    on,
    owner,
    postmortem,
    postmortems,
    team,
    text,
)
from syncd.ledger.store.tables import IncidentRow, PostmortemRow
from syncd.sandbox import dump, faults


def test_it_is_made_half_an_hour_after_the_resolve_with_all_that_belongs_to_it(make_rig: Any) -> None:
    rig = on(make_rig, postmortem={"labels": ["review"]})
    made = live(rig)
    later(rig, 1200.0)
    assert postmortems(rig) == []
    later(rig, 600.0)
    issue = postmortem(rig)
    fields = issue["fields"]
    assert fields["summary"] == "Postmortem: Latency above 2 s"
    assert fields["issuetype"]["name"] == "Postmortem"
    assert set(fields["labels"]) == {"syncd", "syncd-postmortem", f"pd-{made.id}", "review"}
    assert fields["duedate"] is None
    assert issue["properties"]["syncd"]["incident"] == made.id
    (link,) = fields["issuelinks"]
    assert (link["type"]["name"], (link.get("outwardIssue") or link.get("inwardIssue"))["key"]) == (
        "Relates",
        "OPS-1",
    )
    nothing_more_is_written(rig)
    assert len(postmortems(rig)) == 1


def test_the_text_tells_who_did_what_and_when_in_the_team_s_zone(make_rig: Any) -> None:
    rig = on(make_rig, zone="Europe/Berlin")
    people = rig.world.pagerduty
    made = people.trigger(ALIPAY, "Latency above 2 s", priority="P3")
    rig.cycle()
    people.acknowledge(made.id, ME)
    rig.world.advance(900)
    people.set_priority(made.id, "P1", ME)
    people.note(made.id, "Traffic goes to the backup provider.", ME)
    rig.settle(2)
    rig.world.jira.comment("OPS-1", "Partners were told.", "Ines Carvalho")
    rig.settle(2)
    people.resolve(made.id, ME)
    later(rig)
    said = text(rig)
    assert "All times are Europe/Berlin." in said
    assert "* 2026-11-16 07:00 CET, Events API V2: Triggered" in said
    assert "* 2026-11-16 07:01 CET: Acknowledged by Amara Osei" in said
    assert said.index(": Triggered") < said.index(": Assigned to Amara Osei")
    assert "CET, Amara Osei: Note: Traffic goes to the backup provider." in said
    assert said.count("Traffic goes to the backup provider.") == 1
    assert "CET, Ines Carvalho: Comment: Partners were told." in said
    assert "Severity raised from SEV2 to SEV0" in said
    assert "** SEV2 from 2026-11-16 07:00 CET" in said
    assert "Ticket OPS-1: http" not in said.partition("h2. Links")[0]
    assert "Notified" not in said
    assert "* Amara Osei: acknowledged, wrote notes, resolved" in said
    assert "[Ticket OPS-1|http://127.0.0.1" in said


def test_alerts_stand_there_with_summary_source_and_link_and_nothing_else(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    made = people.trigger(ALIPAY, "Latency", priority="P2", details={"card": "4111 1111 1111 1111"})
    people.alert(made.id, "p99 [high]")
    rig.cycle()
    people.resolve(made.id, ME)
    later(rig)
    lines = text(rig).partition("h2. Alerts\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) == 2
    assert "* [p99 (high)|" in lines[1] and "from monitoring" in lines[1]
    assert "4111" not in text(rig)


def test_the_details_of_alerts_stand_there_masked_where_the_mapping_wants_them(make_rig: Any) -> None:
    rig = on(make_rig, alerts="full")
    details = {"card": "4111 1111 1111 1111", "region": "eu-{html}", "deep": {"a": 1}}
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency", priority="P2", details=details)
    rig.cycle()
    rig.world.pagerduty.resolve(made.id, ME)
    later(rig)
    (line,) = text(rig).partition("h2. Alerts\n")[2].partition("\n\n")[0].splitlines()
    assert all(name in line for name in ("card: ", "region: eu", "deep: "))
    assert "4111" not in text(rig)
    assert "{html}" not in text(rig).replace("\\{", "")


def test_a_note_that_was_listed_for_the_postmortem_alone_is_copied_to_the_ticket(make_rig: Any) -> None:
    rig = on(make_rig)
    # without the log nothing tells of a note
    rig.world.faults.add(faults.error(403), service="pagerduty", path=r"^/log_entries$", times=9)
    made = rig.world.pagerduty.trigger(ALIPAY, "Latency", priority="P2")
    rig.cycle()
    rig.world.pagerduty.note(made.id, "the database is slow", ME)
    rig.world.pagerduty.resolve(made.id, ME)
    later(rig)
    assert "Note: the database is slow" in text(rig)
    (comment,) = rig.world.jira.site.issues[10001].comments
    assert "the database is slow" in comment.body
    nothing_more_is_written(rig)


def test_one_that_is_reopened_before_gets_none_until_half_an_hour_after_its_last_resolve(
    make_rig: Any,
) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig, 1200.0)
    rig.world.pagerduty.reopen(made.id, ME)
    later(rig, 3600.0)
    assert postmortems(rig) == []
    rig.world.pagerduty.resolve(made.id, ME)
    later(rig, 1200.0)
    assert postmortems(rig) == []
    later(rig, 700.0)
    assert "Reopened" in text(rig)
    assert text(rig).count(" to 2026-11-16") == 2
    nothing_more_is_written(rig)


def test_one_that_is_reopened_while_jira_is_away_waits_for_its_next_resolve(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    rule = rig.world.faults.add(faults.error(503), service="jira", method="POST", path="/issue$", times=None)
    later(rig)
    assert [operation.kind for operation in rig.operations("pending", "unknown")] == ["create_postmortem"]
    rig.world.pagerduty.reopen(made.id, ME)
    rig.settle(2)
    rig.world.faults.remove(rule.id)
    rig.settle(4, seconds=300)
    assert postmortems(rig) == []
    rig.world.pagerduty.note(made.id, "It came back.", ME)
    rig.world.pagerduty.resolve(made.id, ME)
    rig.settle(2)
    later(rig)
    rig.settle(4)
    assert "It came back." in text(rig)
    nothing_more_is_written(rig)


def test_what_owes_none_gets_none(make_rig: Any) -> None:
    rig = on(make_rig)
    live(rig, priority="P4")
    later(rig)
    assert postmortems(rig) == []
    nothing_more_is_written(rig)


def test_what_was_over_before_the_rules_began_gets_none(make_rig: Any) -> None:
    rig = make_rig(mappings=team(enforce_from="2026-11-18", backfill={"tickets": "all"}))
    made = rig.world.pagerduty.trigger(ALIPAY, "Old", priority="P1")
    rig.world.pagerduty.resolve(made.id, ME)
    rig.settle(3)
    later(rig)
    assert postmortems(rig) == []


def test_in_mode_report_nothing_is_written_and_it_stands_in_the_status(make_rig: Any) -> None:
    rig = on(make_rig, postmortem={"mode": "report"})
    made = live(rig)
    later(rig)
    assert postmortems(rig) == []
    with rig.ledger.read() as session:
        row = session.get(IncidentRow, made.id)
        assert row is not None
        assert "make the postmortem" in " ".join(row.dry_run_notes)


def test_the_commander_of_the_schedule_at_the_resolve_owns_it(make_rig: Any) -> None:
    services = {**SERVICES, ALIPAY: {"roles": {"commander": {"schedule": COMMANDERS}}}}
    rig = on(make_rig, services=services)
    live(rig, assignees=["Priya Raman"])
    later(rig)
    assert owner(rig) == ME
    assert "* Amara Osei: incident commander, acknowledged" in text(rig)
    assert text(rig).startswith("Owner: Amara Osei")


def test_else_whoever_has_the_ticket_owns_it(make_rig: Any) -> None:
    rig = on(make_rig)
    live(rig, assignees=["Tomasz Wójcik"])
    later(rig)
    assert owner(rig) == "Tomasz Wójcik"


def test_else_the_service_s_owner_and_else_the_fallback(make_rig: Any) -> None:
    services = {**SERVICES, "Core QRPay Web": {"roles": {"commander": {"schedule": "no such schedule"}}}}
    rig = on(make_rig, services=services)
    live(rig, BLUBANK, assignees=["Jonas Lindqvist"])
    later(rig)
    assert owner(rig) == "Tomasz Wójcik"
    live(rig, "Core QRPay Web", assignees=["Jonas Lindqvist"])
    later(rig)
    assert postmortems(rig)[1]["fields"]["assignee"]["displayName"] == "Priya Raman"


def test_an_owner_whom_jira_refuses_makes_room_for_the_next_one(make_rig: Any) -> None:
    rig = on(make_rig)
    live(rig, assignees=["Tomasz Wójcik"])
    site = rig.world.jira.site
    site.people[rig.world.jira.account_id("Tomasz Wójcik")].active = False
    later(rig)
    assert owner(rig) == "Mei Tanaka"
    nothing_more_is_written(rig)


@pytest.mark.parametrize("edition", ["cloud", "datacenter"])
def test_a_lost_answer_is_found_by_its_mark(make_rig: Any, edition: str) -> None:
    rig = make_rig(mappings=team(), data_center_edition=edition == "datacenter")
    rig.cycle()
    live(rig)
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/issue$", times=1)
    later(rig)
    rig.settle(3)
    assert owner(rig) == ME
    assert postmortem(rig)["fields"]["issuelinks"]
    nothing_more_is_written(rig)


def test_an_interrupted_create_is_looked_up_at_the_next_start(make_rig: Any) -> None:
    rig = on(make_rig)
    live(rig)
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/issue$", times=1)
    rig.world.faults.add(faults.error(503), service="jira", path="bulkfetch$", times=2)
    later(rig)
    rig.restart()
    rig.settle(6)
    assert len(postmortems(rig)) == 1
    assert rig.operations("unknown", "pending", "parked") == []


def test_a_new_ledger_finds_ticket_and_postmortem_and_takes_neither_for_the_other(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    before = rig.writes()
    rig.stop()
    rig.name = "another.db"
    rig.world.advance(60)
    rig.start()
    rig.settle(4)
    with rig.ledger.read() as session:
        row = session.get(PostmortemRow, made.id)
        assert row is not None
        assert (row.key, row.origin) == (postmortem(rig)["key"], "adopted")
    assert len(dump.whole(rig.world)["jira"]["issues"]) == 2
    assert rig.writes() == before


def test_a_postmortem_that_a_person_wrote_and_linked_is_taken_for_ours(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    people = rig.world.jira
    by_hand = {"project": "OPS", "type": "Postmortem", "description": "We know it already."}
    key = people.create("Ines Carvalho", "Postmortem by hand", **by_hand).key
    people.link("OPS-1", key, "Ines Carvalho")
    rig.settle(2)
    later(rig)
    assert text(rig) == "We know it already."
    with rig.ledger.read() as session:
        row = session.get(PostmortemRow, made.id)
        assert row is not None and row.key == key
    nothing_more_is_written(rig)


def test_a_link_that_a_person_takes_away_stays_away_and_text_of_people_s_is_theirs(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    key = postmortem(rig)["key"]
    rig.world.jira.edit(key, "Ines Carvalho", description="Rewritten by people.")
    site = rig.world.jira.site
    site.links.clear()
    rig.world.pagerduty.note(made.id, "One more thing.", ME)
    rig.settle(6)
    assert text(rig) == "Rewritten by people."
    assert postmortem(rig)["fields"]["issuelinks"] == []
    nothing_more_is_written(rig)


def test_a_long_and_hostile_incident_still_leaves_room_to_write(make_rig: Any) -> None:
    rig = on(make_rig, two_way={"notes": False})
    people = rig.world.pagerduty
    made = people.trigger(ALIPAY, "{html}\n|| x || [~bob] !http://evil.example/x.png!", priority="P2")
    rig.cycle()
    for number in range(120):
        people.note(made.id, f"{number}: {{code}} *!http://evil.example/{number}.png!* " + "x" * 400, ME)
    rig.settle(2)
    people.resolve(made.id, ME)
    rig.settle(2)
    later(rig)
    said = text(rig)
    assert len(said) <= 20_000
    assert "lines were left out here" in said
    assert "Note: 0: " in said and "Note: 119: " in said and "Note: 60: " not in said
    assert "{html}" not in said.replace("\\{html\\}", "")
    assert "h2. Follow-up tasks" in said and "||Task||Owner||Due||" in said


def test_moved_after_the_resolve_to_a_service_that_owes_a_postmortem_starts_the_clock_at_the_move(
    make_rig: Any,
) -> None:
    rig = on(make_rig, services={ALIPAY: {}, BLUBANK: {"postmortem": True}})
    made = live(rig, priority="P4")
    later(rig, 9 * 86400.0)
    assert (postmortems(rig), rows(rig.ledger, DutyRow)) == ([], [])
    rig.world.pagerduty.move(made.id, BLUBANK, ME)
    moved = rig.world.clock.now()
    later(rig)
    assert len(postmortems(rig)) == 1
    (scheduled,) = (row for row in rows(rig.ledger, DutyRow) if row.kind == "scheduled")
    assert (scheduled.state, scheduled.due_at) == ("pending", moved + timedelta(hours=48))
