"""Which issues are action items of an incident, and which no more."""

from __future__ import annotations

from pathlib import Path

from rig import rig

from engine.cast import events
from engine.test_follow_ups import HOUR, after_an_incident, duty, items, quiet, team
from syncd.ledger.store.tables import IncidentRow


def test_a_sub_task_of_the_postmortem_is_an_action_item(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, _ticket, postmortem):
        made.world.jira.sub_task(postmortem.id, "Alert earlier", by="Priya Raman")
        made.settle(2)
        (item,) = items(made).values()
        assert (item.incident_id, item.source) == (incident, "sub-task of the postmortem")
        assert item.facts["violations"] == ["no owner"]
        assert duty(made, incident, "owned").state == "pending"
        quiet(made)


def test_a_linked_issue_needs_the_label_in_either_order(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, ticket, postmortem):
        people = made.world.jira
        first = people.create("Priya Raman", "Raise the timeout")
        second = people.create("Priya Raman", "Test the failover")
        people.link(first.id, ticket.id, by="Priya Raman")
        people.add_label(second.id, "action-item", by="Priya Raman")
        people.link(postmortem.id, second.id, by="Priya Raman")
        made.settle(2)
        assert {key: item.source for key, item in items(made).items()} == {
            second.key: "linked to the postmortem"
        }
        people.add_label(first.id, "action-item", by="Priya Raman")
        made.settle(2)
        assert items(made)[first.key].source == "linked to the ticket"
        began = duty(made, incident, "owned")
        assert began is not None
        quiet(made)


def test_a_sub_task_of_the_ticket_counts_if_it_was_made_after_the_resolve(tmp_path: Path) -> None:
    with rig(tmp_path, mappings=(team(),)) as made:
        made.cycle()
        incident = made.world.pagerduty.trigger("Alipay Integration", "Payments are late", priority="P3")
        made.cycle()
        before = made.world.jira.sub_task("OPS-1", "Look at the logs", by="Priya Raman")
        made.settle(2)
        made.world.pagerduty.resolve(incident.id, "Amara Osei")
        made.settle(2)
        after = made.world.jira.sub_task("OPS-1", "Alert earlier", by="Priya Raman")
        made.settle(3, 150)
        assert set(items(made)) == {after.key}
        with made.ledger.read() as session:
            row = session.get(IncidentRow, incident.id)
            assert row is not None
            assert row.non_items == [str(before.id)]
        quiet(made)


def test_what_we_linked_ourselves_and_clones_are_never_action_items(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, _incident, ticket, postmortem):
        people = made.world.jira
        people.link(ticket.id, postmortem.id, by="Priya Raman")
        people.add_label(postmortem.id, "action-item", by="Priya Raman")
        clone = people.clone(ticket.id, by="Priya Raman")
        people.add_label(clone.id, "action-item", by="Priya Raman")
        other = made.world.pagerduty.trigger("Alipay Integration", "Late again", priority="P3")
        made.settle(2)
        twin = people.find(f"OPS-{clone.now.key.rpartition('-')[2]}")
        second = next(
            issue for issue in people.site.issues.values() if f"pd-{other.id}" in issue.now.values["labels"]
        )
        people.link(ticket.id, second.id, by="Priya Raman")
        people.add_label(second.id, "action-item", by="Priya Raman")
        made.settle(2)
        assert twin.id == clone.id
        assert items(made) == {}


def test_an_item_that_was_unlinked_stays_on_record_with_who_and_when(tmp_path: Path) -> None:
    with after_an_incident(tmp_path) as (made, incident, ticket, _postmortem):
        people = made.world.jira
        item = people.create("Ines Carvalho", "Raise the timeout", labels=["action-item"])
        people.link(ticket.id, item.id, by="Ines Carvalho")
        made.settle(2)
        made.world.advance(HOUR)
        people.unlink(ticket.id, item.id, by="Mei Tanaka")
        at = made.clock.now()
        made.settle(2)
        row = items(made)[item.key]
        assert row.ended_at is not None
        assert abs((row.ended_at - at).total_seconds()) < 1
        assert row.facts["ended_by"] == "Mei Tanaka"
        assert duty(made, incident, "owned").state == "cancelled"
        assert len(events(made, "item.ended")) == 1
        quiet(made)
