"""The audit trail records once that an issue went out of sight, and once that it came back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from ledger_cast import NOW, incident, issue, later, save_incident, ticket
from sqlmodel import col, select

from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Issue
from syncd.ledger.open import Ledger
from syncd.ledger.store.action_items import Page, store_beside, store_with_changes
from syncd.ledger.store.change_queue import change_notices_of_in, drop_notices_in, incidents_with_notices
from syncd.ledger.store.pages import store_papers, store_ticket, store_tickets
from syncd.ledger.store.tables import ActionItemRow, AuditEventRow, PostmortemRow

TICKET, POSTMORTEM, ITEM = "10005", "10009", "10010"


class KeepAll:
    """Rules that withhold and restrict nothing."""

    def issue(self, read: Issue, _team: str | None) -> Issue:
        return read

    def restricted_by_person(self, _read: Issue, _team: str | None) -> None:
        return None

    def membership(self, _team: str | None) -> None:
        return None

    def stopped(self, _team: str | None, _service: object = None) -> bool:
        return False


RULES: Any = KeepAll()
Read = Callable[[Ledger, str, Iterable[Issue], Iterable[str], int], object]
"""Store a read: the issues that Jira showed and the ids that it did not show."""


def as_poll_of_tickets(
    ledger: Ledger, _id: str, shown: Iterable[Issue], gone: Iterable[str], seq: int
) -> object:
    return store_tickets(ledger, RULES, [*shown], seq, later(seq), None, missing=[*gone])


def as_resync(ledger: Ledger, _id: str, shown: Iterable[Issue], gone: Iterable[str], seq: int) -> object:
    return store_tickets(ledger, RULES, [*shown], seq, later(seq), None, missing=[*gone], relink=True)


def as_one_ticket(ledger: Ledger, _id: str, shown: Iterable[Issue], gone: Iterable[str], seq: int) -> object:
    read = next(iter(shown), None)
    return store_ticket(ledger, RULES, "P1", read, seq, later(seq), None, gone=bool([*gone]))


def as_poll_of_duty_issues(
    ledger: Ledger, _id: str, shown: Iterable[Issue], gone: Iterable[str], seq: int
) -> object:
    return store_papers(ledger, RULES, [*shown], seq, later(seq), "it changed", missing=[*gone])


def as_read_for_a_decision(
    ledger: Ledger, _id: str, shown: Iterable[Issue], gone: Iterable[str], seq: int
) -> object:
    page = Page(shown={read.id: read for read in shown}, changelogs={}, missing=[*gone], began=later(seq))
    return store_with_changes(ledger, RULES, page, (), seq, later(seq))


WAYS = [
    ("ticket", TICKET, as_poll_of_tickets),
    ("ticket", TICKET, as_resync),
    ("ticket", TICKET, as_one_ticket),
    ("postmortem", POSTMORTEM, as_poll_of_duty_issues),
    ("postmortem", POSTMORTEM, as_read_for_a_decision),
    ("item", ITEM, as_poll_of_duty_issues),
    ("item", ITEM, as_read_for_a_decision),
]


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """Store an incident with a ticket, a postmortem and an action item."""
    with ledger.write() as session:
        save_incident(session, incident(), 1, NOW, "QRPay")
        session.add(ticket())
        born = {"incident_id": "P1", "project": "OPS"}
        session.add(
            PostmortemRow(**born, issue_id=POSTMORTEM, key="OPS-9", origin="operation", created_at=NOW)
        )
        session.add(ActionItemRow(**born, issue_id=ITEM, key="OPS-10", source="sub-task", first_seen_at=NOW))
    return ledger


def event_kinds(ledger: Ledger, issue_id: str) -> list[str]:
    """Return the kinds of the audit events about an issue."""
    with ledger.read() as session:
        query = select(AuditEventRow.kind).where(AuditEventRow.issue_id == issue_id)
        return list(session.exec(query.order_by(col(AuditEventRow.seq))).all())


@pytest.mark.parametrize(("noun", "issue_id", "read"), WAYS)
def test_going_out_of_sight_and_coming_back_is_on_record_once_each(
    lived: Ledger, noun: str, issue_id: str, read: Read
) -> None:
    shown = issue().model_copy(update={"id": issue_id, "key": "OPS-1"})
    read(lived, issue_id, [], [issue_id], 10)
    read(lived, issue_id, [], [issue_id], 20)
    assert event_kinds(lived, issue_id) == [f"{noun}.out_of_sight"]
    read(lived, issue_id, [shown], [], 30)
    read(lived, issue_id, [shown], [], 40)
    assert event_kinds(lived, issue_id) == [f"{noun}.out_of_sight", f"{noun}.in_sight"]


@pytest.mark.parametrize("read", [as_poll_of_tickets, as_resync])
def test_a_ticket_that_changed_leaves_a_change_notice_however_it_was_read(lived: Ledger, read: Read) -> None:
    read(lived, TICKET, [issue()], [], 10)
    assert incidents_with_notices(lived) == ["P1"]
    with lived.write() as session:
        drop_notices_in(session, change_notices_of_in(session, "P1"))
    read(lived, TICKET, [issue()], [], 20)
    assert incidents_with_notices(lived) == []


def test_an_item_that_jira_names_and_does_not_show_is_out_of_sight_from_the_start(lived: Ledger) -> None:
    end = issue().model_copy(update={"id": POSTMORTEM, "subtasks": ("10011",)})
    store_beside(lived, RULES, FollowUps(), "P1", [], ["10011"], [(end, True)], 10, NOW)
    assert event_kinds(lived, "10011") == ["item.found", "item.out_of_sight"]


COLUMN = "out_of_sight_since"


def test_only_the_verb_of_sight_sets_the_column() -> None:
    setters = {
        path.name
        for path in Path("syncd").rglob("*.py")
        if COLUMN in (source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr == COLUMN and isinstance(node.ctx, ast.Store)
    }
    assert setters == {"snapshots.py"}
