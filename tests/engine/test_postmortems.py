"""A postmortem is made once, half an hour after the resolve, linked, owned, and under cover where needed."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig, mapping

from engine.test_lifecycle import nothing_more_is_written
from syncd.config.templates.templates import Templates
from syncd.domain.operation import CommentOnPostmortem, EditPostmortem, Kind
from syncd.domain.operation.keys import comment_key
from syncd.engine.act.executor import Executor
from syncd.engine.rules import TicketRenderer
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import outbox
from syncd.ledger.store.loading import record_of
from syncd.ledger.store.lookups import open_operations_in
from syncd.ledger.store.tables import IncidentRow, PostmortemRow
from syncd.sandbox import dump, faults, presets
from syncd.sandbox.cast import BOT_EMAIL

ME = "Amara Osei"
ALIPAY, BLUBANK = "Alipay Integration", "BluBank Integration"
COMMANDERS = "QRPay incident commanders"
HALF_AN_HOUR = 1830.0

SERVICES = {
    ALIPAY: {"component": ALIPAY, "owner": "mei.tanaka@qrpay.example"},
    BLUBANK: {"component": BLUBANK, "owner": "tomasz.wojcik@qrpay.example"},
    "Core QRPay Web": {},
}


def team(**changes: Any) -> Any:
    """QRPay's mapping with postmortems switched on."""
    postmortem = {"mode": "enforce", "template": "qrpay/postmortem.j2", **changes.pop("postmortem", {})}
    return (mapping(**{"services": SERVICES, "postmortem": postmortem, **changes}),)


def on(make_rig: Any, preset: Any = None, **changes: Any) -> Rig:
    """A rig with the shipped templates, after its first quiet cycle."""
    options = {"preset": preset, "sender": BOT_EMAIL} if preset else {"sender": BOT_EMAIL}
    rig: Rig = make_rig(mappings=team(**changes), renderer=TicketRenderer(Templates()), **options)
    rig.cycle()
    return rig


def postmortems(rig: Rig) -> list[dict[str, Any]]:
    issues = dump.whole(rig.world)["jira"]["issues"]
    return [issue for issue in issues if issue["fields"]["summary"].startswith("Postmortem")]


def postmortem(rig: Rig) -> dict[str, Any]:
    (found,) = postmortems(rig)
    return found


def text(rig: Rig) -> str:
    return str(postmortem(rig)["fields"]["description"])


def live(rig: Rig, service: str = ALIPAY, priority: str = "P2", **more: Any) -> Any:
    """An incident that was acknowledged, talked about and resolved just now."""
    people = rig.world.pagerduty
    made = people.trigger(service, more.pop("title", "Latency above 2 s"), priority=priority, **more)
    rig.cycle()
    people.acknowledge(made.id, ME)
    people.note(made.id, "Traffic goes to the backup provider.", ME)
    rig.settle(2)
    people.resolve(made.id, ME)
    rig.settle(2)
    return made


def later(rig: Rig, seconds: float = HALF_AN_HOUR) -> None:
    rig.cycle(seconds)
    rig.settle(2)


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


def test_a_merged_incident_s_postmortem_is_the_target_s_at_the_higher_severity(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    source = people.trigger(ALIPAY, "Symptom", priority="P1")
    target = people.trigger(BLUBANK, "Cause", priority="P4")
    rig.settle(2)
    people.merge(target.id, [source.id], ME)
    rig.settle(3)
    people.resolve(target.id, ME)
    later(rig)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Cause"
    assert "* Severity: SEV0" in text(rig)
    nothing_more_is_written(rig)


def test_a_merge_of_a_merge_brings_its_postmortem_along(make_rig: Any) -> None:
    rig = on(make_rig)
    people = rig.world.pagerduty
    first = people.trigger(ALIPAY, "Symptom", priority="P1")
    second, target = (
        people.trigger(ALIPAY, "More", priority="P4"),
        people.trigger(BLUBANK, "Cause", priority="P4"),
    )
    rig.settle(2)
    people.merge(second.id, [first.id], ME)
    rig.settle(2)
    people.merge(target.id, [second.id], ME)
    rig.settle(3)
    people.resolve(target.id, ME)
    later(rig)
    assert postmortem(rig)["fields"]["summary"] == "Postmortem: Cause"
    assert "* Severity: SEV0" in text(rig)
    nothing_more_is_written(rig)


def owner(rig: Rig) -> Any:
    assignee = postmortem(rig)["fields"]["assignee"]
    return assignee and assignee["displayName"]


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


@pytest.mark.parametrize(("missing", "taken"), [(("Postmortem",), "Task")])
def test_a_project_without_postmortems_gets_the_next_best_type(
    make_rig: Any, missing: tuple[str, ...], taken: str
) -> None:
    rig = on(make_rig, lambda world: presets.without_types(world.jira.site, "OPS", *missing))
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["issuetype"]["name"] == taken
    nothing_more_is_written(rig)


def test_a_project_without_any_such_type_parks_it_with_the_key_to_change(make_rig: Any) -> None:
    rig = on(
        make_rig,
        jira={"project": "OPS", "issue_types": {"postmortem": ["Retro"]}},
    )
    live(rig)
    later(rig)
    (parked,) = rig.operations("parked")
    assert "name one under jira.issue_types.postmortem" in str(parked.error)
    nothing_more_is_written(rig)


def test_a_team_managed_project_and_one_without_labels_get_theirs(make_rig: Any) -> None:
    def preset(world: Any) -> None:
        presets.team_managed(world.jira.site)
        presets.without_fields(world.jira.site, "OPS", "labels", "assignee")

    rig = on(make_rig, preset)
    live(rig)
    later(rig)
    assert not postmortem(rig)["fields"].get("labels")
    nothing_more_is_written(rig)


def test_a_site_without_the_link_types_has_the_ticket_s_address_in_the_text(make_rig: Any) -> None:
    rig = on(make_rig, postmortem={"link_types": ["Problem/Incident"]})
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["issuelinks"] == []
    assert "[Ticket OPS-1|" in text(rig)
    assert rig.operations("parked", "pending") == []
    nothing_more_is_written(rig)


def test_a_demanded_field_is_filled_from_the_mapping_or_parks_it_with_the_key(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.require(world.jira.site, "OPS", "customfield_10052"))
    rig.stop()
    rig.mappings = team(jira={"project": "OPS", "fields": {"Root cause": {"value": "not known yet"}}})
    rig.start()
    live(rig)
    later(rig)
    assert postmortem(rig)["fields"]["customfield_10052"] == "not known yet"
    nothing_more_is_written(rig)


def test_a_demanded_component_is_the_service_s(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.require(world.jira.site, "OPS", "components"))
    live(rig)
    later(rig)
    assert [component["name"] for component in postmortem(rig)["fields"]["components"]] == [ALIPAY]
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


SECRET = "Ana Reyes' card was leaked"
RESTRICTED = {"titles": ["leak"], "level": ["Security incident"], "lead": "elif.kaya@qrpay.example"}


def restricted_postmortem(rig: Rig) -> dict[str, Any]:
    issues: list[dict[str, Any]] = dump.whole(rig.world)["jira"]["issues"]
    (found,) = [issue for issue in issues if issue["fields"]["issuetype"]["name"] == "Postmortem"]
    return found


def everything(rig: Rig, issue: dict[str, Any]) -> str:
    database = b"".join(path.read_bytes() for path in rig.folder.glob("ledger.db*"))
    # beside a link Jira shows the other issue's summary, to those who may see that one
    fields = {name: value for name, value in issue["fields"].items() if name != "issuelinks"}
    return str(fields) + database.decode("latin-1")


def test_a_restricted_incident_s_postmortem_stands_under_the_level_and_holds_no_text(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, title=SECRET, priority="P1")
    later(rig)
    issue = restricted_postmortem(rig)
    assert issue["fields"]["security"]["name"] == "Security incident"
    assert issue["fields"]["summary"] == "Postmortem: Security incident #1"
    said = issue["fields"]["description"]
    assert "UTC, Amara Osei: Acknowledged" in said
    assert "its texts are only in its ticket and in PagerDuty" in said
    assert "Ana Reyes" not in everything(rig, issue)
    assert "backup provider" not in everything(rig, issue)
    nothing_more_is_written(rig)


def test_where_no_level_may_be_set_it_says_nothing(make_rig: Any) -> None:
    rig = on(make_rig, restricted={**RESTRICTED, "level": ["Board only"]})
    live(rig, title=SECRET, priority="P1")
    later(rig)
    fields = restricted_postmortem(rig)["fields"]
    assert fields["summary"] == "Postmortem: Security incident #1"
    assert fields["description"].startswith("[PagerDuty incident #1|")
    assert len(fields["description"].splitlines()) == 1
    nothing_more_is_written(rig)


def test_a_level_that_jira_refuses_leaves_it_saying_nothing(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, title=SECRET, priority="P1")
    words = "Field 'security' cannot be set. It is not on the appropriate screen, or unknown."
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"security": words}})
    rig.world.faults.add(refusal, service="jira", method="POST", path="/issue$", times=1)
    later(rig)
    fields = restricted_postmortem(rig)["fields"]
    assert "Timeline" not in fields["description"]
    assert fields.get("security") is None
    nothing_more_is_written(rig)


def test_one_that_becomes_restricted_later_is_put_under_the_level_before_all_else(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, priority="P1")
    later(rig)
    assert postmortem(rig)["fields"]["security"] is None
    rig.world.jira.edit("OPS-1", "Priya Raman", labels=["restricted"])
    rig.settle(3)
    assert postmortem(rig)["fields"]["security"]["name"] == "Security incident"
    nothing_more_is_written(rig)


def test_in_a_service_project_what_we_say_on_it_is_internal(make_rig: Any) -> None:
    rig = on(make_rig, lambda world: presets.service_desk(world.jira.site))
    made = live(rig)
    later(rig)
    say(rig, made.id)
    rig.settle(2)
    found = rig.world.jira.site.find(postmortem(rig)["key"])
    assert found is not None
    assert [comment.public for comment in found.comments] == [False]
    assert found.comments[0].body.startswith("Postmortem: due soon, see \\{html\\}")
    nothing_more_is_written(rig)


def say(rig: Rig, incident: str) -> None:
    """Record a comment on the postmortem, as the rules on duties do."""
    said = CommentOnPostmortem(
        key=comment_key(incident, "paper", 1),
        incident=incident,
        subject="postmortem",
        text="due soon, see",
        value="{html}",
        reason="test",
    )
    with rig.ledger.write() as session:
        outbox.add(session, [said], rig.clock.now())
    rig.loop.work_queue.submit([incident])


def test_a_comment_whose_answer_was_lost_is_found_by_its_mark(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/comment$", times=1)
    say(rig, made.id)
    rig.settle(4)
    assert len(postmortem(rig)["comments"]) == 1
    assert rig.operations("unknown", "pending") == []
    nothing_more_is_written(rig)


def test_labels_are_added_and_removed_beside_those_of_people(make_rig: Any) -> None:
    rig = on(make_rig)
    made = live(rig)
    later(rig)
    key = postmortem(rig)["key"]
    rig.world.jira.edit(key, "Ines Carvalho", labels=[*postmortem(rig)["fields"]["labels"], "theirs", "old"])
    rig.settle(2)
    labels = [{"add": "postmortem-overdue"}, {"remove": "old"}]
    edit = EditPostmortem(
        key="postmortem/edit",
        incident=made.id,
        aspect="labels",
        issue=postmortem(rig)["id"],
        fields={},
        update={"labels": [*labels]},
        agree={},
        reason="test",
    )
    with rig.ledger.write() as session:
        outbox.record(session, [edit], rig.clock.now(), "test", waiting=open_operations_in(session, made.id))
        row = next(
            operation
            for operation in open_operations_in(session, made.id)
            if operation.kind == Kind.EDIT_POSTMORTEM
        )
        edit_it = record_of(OperationRecord, row)
    Executor(rig.context).attempt(edit_it)
    shown = set(postmortem(rig)["fields"]["labels"])
    assert {"theirs", "postmortem-overdue", "syncd-postmortem"} <= shown
    assert "old" not in shown
    with rig.ledger.read() as session:
        kept = session.get(PostmortemRow, made.id)
        assert kept is not None and kept.snapshot is not None
        assert "postmortem-overdue" in kept.snapshot["labels"]


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
