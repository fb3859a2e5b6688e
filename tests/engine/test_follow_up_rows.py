"""Rows of the postmortem's table become issues, and the follow-up on runbook and knowledge base is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import SERVICES, Rig, mapping
from sqlmodel import select

from engine.cast import issues
from syncd.config.templates.templates import Templates
from syncd.engine.rules import TicketRenderer
from syncd.ledger.store.tables import ActionItemRow, DutyRow
from syncd.sandbox import faults, presets
from syncd.sandbox.world import World

TABLE = """||Task||Owner||Due||
|Raise the *timeout* to 4 s|Ines Carvalho|2026-12-01|
|Test the failover|[~accountid:{mention}]|soon|
|Write an alert|elif.kaya@qrpay.example|5 Dec 2026|
|Somebody ought to look|TBD| |
|  |Ines Carvalho| |
"""


def team(postmortem: dict[str, Any] | None = None, **follow_ups: Any) -> Any:
    return (
        mapping(
            services={**SERVICES, "Alipay Integration": {"owner": "amara.osei@qrpay.example"}},
            postmortem={"mode": "enforce", **(postmortem or {})},
            follow_ups={"mode": "enforce", "knowledge_base": False, **follow_ups},
        ),
    )


def with_a_postmortem(make_rig: Any, preset: Any = None, **changes: Any) -> tuple[Rig, str]:
    """A rig with a resolved incident and its postmortem's key."""
    options = {"preset": preset} if preset else {}
    rig: Rig = make_rig(mappings=team(**changes), renderer=TicketRenderer(Templates()), **options)
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency above 2 s", priority="P2")
    rig.cycle()
    rig.world.pagerduty.acknowledge(made.id, "Amara Osei")
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(2, 400)
    rig.cycle(1500)
    rig.settle(2)
    (postmortem,) = [
        issue["key"] for issue in issues(rig) if issue["fields"]["summary"].startswith("Postmortem")
    ]
    return rig, str(postmortem)


def made_items(rig: Rig) -> dict[str, dict[str, Any]]:
    """The issues of action items, by summary."""
    return {
        issue["fields"]["summary"]: issue
        for issue in issues(rig)
        if "syncd-action-item" in (issue["fields"]["labels"] or ())
    }


def comments(rig: Rig, key: str) -> list[str]:
    (postmortem,) = [issue for issue in issues(rig) if issue["key"] == key]
    return [comment["body"] for comment in postmortem["fields"]["comment"]["comments"]]


def write(rig: Rig, key: str, table: str) -> None:
    mention = rig.world.jira.account_id("Priya Raman")
    text = f"h2. Follow-up tasks\n{table.replace('{mention}', mention)}\nThat is all."
    rig.world.jira.edit(key, by="Ines Carvalho", description=text)


def quiet(rig: Rig) -> None:
    rig.settle(2)
    before = rig.writes()
    rig.settle(3)
    assert rig.writes() == before


def test_rows_with_text_and_an_owner_become_issues_once_the_text_has_rested(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig)
    write(rig, postmortem, TABLE)
    rig.settle(2, 600)
    assert made_items(rig) == {}
    rig.settle(2, 400)
    items = made_items(rig)
    assert set(items) == {"Raise the timeout to 4 s", "Test the failover", "Write an alert"}
    by_name = {name: issue["fields"] for name, issue in items.items()}
    first, second, third = (by_name[name] for name in items)
    assert first["issuetype"]["name"] == "Sub-task"
    assert first["parent"]["key"] == postmortem
    assert (first["assignee"]["displayName"], first["duedate"]) == ("Ines Carvalho", "2026-12-01")
    assert (second["assignee"]["displayName"], second["duedate"]) == ("Priya Raman", None)
    assert "Due, as it was typed: soon" in second["description"]
    assert (third["assignee"]["displayName"], third["duedate"]) == ("Elif Kaya", "2026-12-05")
    texts = comments(rig, postmortem)
    assert sorted(item["key"] for item in items.values()) == sorted(
        key
        for key in (item["key"] for item in items.values())
        if any(f"is now the issue {key}. From now on" in text for text in texts)
    )
    assert len(texts) == 3
    with rig.ledger.read() as session:
        assert {
            row.kind: row.state for row in session.exec(select(DutyRow)).all() if row.kind == "owned"
        } == {"owned": "met"}
    quiet(rig)


ASKED = ("customfield_10052",)


def test_what_the_screen_of_sub_tasks_demands_is_filled_from_the_mapping(make_rig: Any) -> None:
    rig: Rig = make_rig(
        preset=lambda world: presets.require(world.jira.site, "OPS", *ASKED),
        renderer=TicketRenderer(Templates()),
    )
    rig.stop()
    jira = {"project": "OPS", "fields": {"Root cause": {"value": "not known yet"}}}
    (first,) = team(knowledge_base=True)
    rig.mappings = (first.model_copy(update={"jira": mapping(jira=jira).jira}),)
    rig.start()
    rig.cycle()
    made = rig.world.pagerduty.trigger("Alipay Integration", "Latency above 2 s", priority="P2")
    rig.cycle()
    rig.world.pagerduty.resolve(made.id, "Amara Osei")
    rig.settle(2, 400)
    rig.cycle(1500)
    rig.settle(3)
    (item,) = made_items(rig).values()
    assert item["fields"]["customfield_10052"] == "not known yet"
    assert rig.operations("parked") == []
    quiet(rig)


def test_what_nothing_fills_on_the_screen_of_sub_tasks_is_parked_with_the_key_to_add(make_rig: Any) -> None:
    def demanding(world: World) -> None:
        project = next(
            each_project for each_project in world.jira.site.projects.values() if each_project.key == "OPS"
        )
        for ident, setup in project.setups.items():
            if setup.type.subtask:
                project.setups[ident] = replace(setup, required=setup.required | set(ASKED))

    rig, _ = with_a_postmortem(make_rig, demanding, knowledge_base=True)
    rig.settle(3)
    (parked,) = rig.operations("parked")
    assert "add jira.fields.Root cause to the mapping" in (parked.error or "")


def test_a_changed_or_removed_row_is_told_and_never_carried_over(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig)
    write(rig, postmortem, TABLE)
    rig.settle(3, 700)
    before = made_items(rig)
    changed = TABLE.replace("Raise the *timeout* to 4 s|Ines", "Raise the timeout to 8 s|Ines")
    changed = changed.replace("|Write an alert|elif.kaya@qrpay.example|5 Dec 2026|\n", "")
    changed = changed.replace("|soon|", "|2026-12-24|")
    write(rig, postmortem, changed)
    rig.settle(3, 700)
    assert made_items(rig).keys() == before.keys()
    assert made_items(rig)["Test the failover"]["fields"]["duedate"] is None
    texts = comments(rig, postmortem)[3:]
    timeout, failover, alert = (before[name]["key"] for name in before)
    assert len(texts) == 3
    assert any(f"row of {timeout} was changed" in text and "8 s" in text for text in texts)
    assert any(f"row of {failover} was changed" in text for text in texts)
    assert any(f"row of {alert} was removed from the table" in text for text in texts)
    quiet(rig)


def test_a_completed_postmortem_does_not_wait_for_its_text_to_rest(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig)
    write(rig, postmortem, TABLE)
    rig.world.jira.transition(postmortem, "Done", by="Ines Carvalho")
    rig.settle(3)
    assert len(made_items(rig)) == 3
    quiet(rig)
    # nobody is asked where the follow-ups are that the same cycle makes of the rows
    texts = comments(rig, postmortem)
    assert len(texts) == 3
    assert all("is now the issue" in text for text in texts)


def test_none_must_be_said_on_a_completed_postmortem(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig)
    rig.world.jira.transition(postmortem, "Done", by="Ines Carvalho")
    rig.settle(3)
    (text,) = comments(rig, postmortem)
    assert "no-follow-ups" in text
    quiet(rig)


@pytest.mark.parametrize("option", [{"rows": "off"}, {"mode": "report"}])
def test_rows_off_or_report_makes_no_issue(make_rig: Any, option: dict[str, str]) -> None:
    rig, postmortem = with_a_postmortem(make_rig, **option)
    write(rig, postmortem, TABLE)
    rig.settle(3, 700)
    assert made_items(rig) == {}
    assert comments(rig, postmortem) == []


def test_a_create_whose_answer_was_lost_is_found_and_not_sent_again(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig)
    write(rig, postmortem, TABLE)
    rig.cycle(1000)
    rig.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=2)
    rig.settle(4, 900)
    assert len(made_items(rig)) == 3
    assert (
        len([issue for issue in issues(rig) if "syncd-action-item" in (issue["fields"]["labels"] or ())]) == 3
    )
    quiet(rig)


def no_sub_tasks(world: World) -> None:
    for project in world.jira.site.projects.values():
        for ident in [type_id for type_id, setup in project.setups.items() if setup.type.subtask]:
            del project.setups[ident]


def test_without_sub_tasks_it_is_a_linked_issue_with_the_label(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig, preset=no_sub_tasks)
    write(rig, postmortem, TABLE)
    rig.settle(4, 700)
    items = made_items(rig)
    assert len(items) == 3
    for item in items.values():
        assert "action-item" in item["fields"]["labels"]
        assert [link["type"]["name"] for link in item["fields"]["issuelinks"]] == ["Relates"]
    quiet(rig)


def test_the_follow_up_on_the_knowledge_base_is_made_once_and_closed_with_a_link(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig, knowledge_base=True)
    ((summary, issue),) = made_items(rig).items()
    assert summary == "Bring runbook and knowledge base up to date after incident #1"
    assert issue["fields"]["assignee"]["displayName"] == "Amara Osei"
    assert issue["fields"]["parent"]["key"] == postmortem
    with rig.ledger.read() as session:
        (row,) = session.exec(select(ActionItemRow)).all()
        assert row.facts["violations"] == []
    rig.world.jira.transition(issue["key"], "Done", by="Amara Osei")
    rig.settle(2)
    with rig.ledger.read() as session:
        (row,) = session.exec(select(ActionItemRow)).all()
        states = {each_row.kind: each_row.state for each_row in session.exec(select(DutyRow)).all()}
        assert row.facts["violations"] == [
            "closed, but no comment links the change and the label no-change-needed with a comment is missing"
        ]
        assert ("owned" in states, states["done"]) == (False, "pending")
    rig.world.jira.comment(issue["key"], "Written: https://wiki.qrpay.example/alipay", by="Amara Osei")
    rig.settle(2)
    with rig.ledger.read() as session:
        states = {each_row.kind: each_row.state for each_row in session.exec(select(DutyRow)).all()}
        assert states["done"] == "met"
    quiet(rig)


def test_the_services_owner_gets_what_nobody_took_and_takes_it_by_touching_it(make_rig: Any) -> None:
    rig, postmortem = with_a_postmortem(make_rig, unowned="assign")
    item = rig.world.jira.sub_task(postmortem, "Alert earlier", by="Priya Raman")
    rig.settle(2)
    rig.world.advance(26 * 3600)
    rig.settle(3)
    (assigned,) = [issue for issue in issues(rig) if issue["key"] == item.key]
    assert assigned["fields"]["assignee"]["displayName"] == "Amara Osei"
    with rig.ledger.read() as session:
        (row,) = session.exec(select(ActionItemRow)).all()
        assert row.facts["violations"] == ["assigned by rule, not taken"]
    quiet(rig)
    rig.world.jira.edit(item.key, by="Amara Osei", duedate="2026-12-01")
    rig.settle(2)
    with rig.ledger.read() as session:
        (row,) = session.exec(select(ActionItemRow)).all()
        owned = next(each_row for each_row in session.exec(select(DutyRow)).all() if each_row.kind == "owned")
        assert row.facts["violations"] == []
        assert owned.state == "met_late"
    quiet(rig)
