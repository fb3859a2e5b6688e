"""A snapshot is stored only if the ledger has no younger one, whenever the answer arrives."""

from __future__ import annotations

import pytest
from ledger_cast import NOW, incident, issue, later, save_incident, ticket

from syncd.domain.incident import IncidentStatus, LogEntry, Note
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Issue, Status
from syncd.ledger.open import Ledger
from syncd.ledger.store.cases import merged_sources_in
from syncd.ledger.store.change_queue import (
    change_notices_of_in,
    incidents_with_notices,
    notice_changes_in,
    unfinished_in,
)
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in
from syncd.ledger.store.membership import entries_of, known_state_changes, member_of
from syncd.ledger.store.postmortems import log_of, save_log
from syncd.ledger.store.snapshots import (
    save_issue,
    save_notes,
    tickets_by_issue_in,
)
from syncd.ledger.store.tables import IncidentRow, TicketRow

ACKNOWLEDGED = IncidentStatus.ACKNOWLEDGED
RESOLVED = IncidentStatus.RESOLVED


def stored(ledger: Ledger) -> IncidentRow:
    with ledger.read() as session:
        row = session.get(IncidentRow, "P1")
        assert row is not None
        return row


def stored_ticket(ledger: Ledger) -> TicketRow:
    with ledger.read() as session:
        row = session.get(TicketRow, "P1")
        assert row is not None
        return row


@pytest.fixture
def with_ticket(ledger: Ledger) -> Ledger:
    """Store an incident read at moment 10, with a ticket read at moment 20 and written at 30."""
    with ledger.write() as session:
        assert save_incident(session, incident(), 10, NOW, "QRPay")
        row = ticket(written_seq=30)
        session.add(row)
        session.flush()
        row.snapshot, row.read_seq = issue().model_dump(mode="json"), 20
    return ledger


# Incidents


def test_an_incident_seen_for_the_first_time_is_news(ledger: Ledger) -> None:
    with ledger.write() as session:
        assert save_incident(session, incident(), 7, NOW, "QRPay") is not None
    row = stored(ledger)
    assert (row.number, row.service_id, row.team, row.status) == (17, "S1", "QRPay", "triggered")
    assert (row.read_seq, row.first_seen_at, row.created_at) == (7, NOW, NOW)


@pytest.mark.parametrize("read_seq", [9, 10])
def test_an_answer_that_began_no_later_than_the_stored_one_is_not_stored(
    ledger: Ledger, read_seq: int
) -> None:
    with ledger.write() as session:
        save_incident(session, incident(ACKNOWLEDGED), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(), read_seq, later(9), "QRPay") is None
    assert (stored(ledger).status, stored(ledger).read_seq) == ("acknowledged", 10)


@pytest.mark.parametrize(("read_seq", "status"), [(30, "triggered"), (31, "acknowledged")])
def test_an_answer_that_began_before_our_last_write_to_the_incident_is_not_stored(
    ledger: Ledger, read_seq: int, status: str
) -> None:
    with ledger.write() as session:
        row = save_incident(session, incident(), 10, NOW, "QRPay")
        assert row is not None
        row.written_seq = 30
    with ledger.write() as session:
        save_incident(session, incident(ACKNOWLEDGED), read_seq, later(9), "QRPay")
    assert stored(ledger).status == status


def test_the_same_answer_again_is_no_news_but_fresher(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(), 11, later(9), "QRPay") is None
    assert (stored(ledger).read_seq, stored(ledger).first_seen_at) == (11, NOW)


def test_another_team_is_news(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(), 11, later(9), "Ramen") is not None
    assert stored(ledger).team == "Ramen"


def test_news_of_a_finished_incident_takes_it_up_again(ledger: Ledger) -> None:
    with ledger.write() as session:
        row = save_incident(session, incident(RESOLVED, resolved_at=NOW), 10, NOW, "QRPay")
        assert row is not None
        row.finished = True
    with ledger.write() as session:
        save_incident(session, incident(RESOLVED, resolved_at=NOW), 11, NOW, "QRPay")
    assert stored(ledger).finished
    with ledger.write() as session:
        save_incident(session, incident(), 12, NOW, "QRPay")
    row = stored(ledger)
    assert (row.finished, row.status, row.resolved_at) == (False, "triggered", None)


def test_custom_fields_are_kept_when_an_answer_does_not_carry_them(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(custom_fields={"impact": "high"}), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(), 11, NOW, "QRPay") is None
        assert save_incident(session, incident(ACKNOWLEDGED), 12, NOW, "QRPay") is not None
    assert stored(ledger).snapshot["custom_fields"] == {"impact": "high"}
    assert stored(ledger).status == "acknowledged"


def test_custom_fields_that_were_emptied_are_emptied(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(custom_fields={"impact": "high"}), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(custom_fields={}), 11, NOW, "QRPay") is not None
    assert stored(ledger).snapshot["custom_fields"] == {}


def test_addresses_are_kept_when_an_answer_does_not_carry_them(ledger: Ledger) -> None:
    ana = {"id": "U1", "name": "Ana"}
    with ledger.write() as session:
        save_incident(session, incident(assignees=[ana | {"email": "ana@qrpay.example"}]), 10, NOW, "QRPay")
    with ledger.write() as session:
        assert save_incident(session, incident(assignees=[ana]), 11, NOW, "QRPay") is None
        assert save_incident(session, incident(assignees=[{"id": "U2"}, ana]), 12, NOW, "QRPay") is not None
    assignees = [(person["id"], person["email"]) for person in stored(ledger).snapshot["assignees"]]
    assert assignees == [("U2", None), ("U1", "ana@qrpay.example")]


def test_an_incident_knows_what_it_was_merged_into(ledger: Ledger) -> None:
    with ledger.write() as session:
        save_incident(session, incident(), 10, NOW, "QRPay")
        save_incident(session, incident(RESOLVED, resolved_at=NOW, merged_into="P2"), 11, NOW, "QRPay")
    assert stored(ledger).merged_into == "P2"


def test_the_log_keeps_the_merge_also_after_the_incident_is_open_again(ledger: Ledger) -> None:
    merge = LogEntry(id="R1", kind="resolve", at=NOW, incident_id="P1", merged_into="P2")
    with ledger.write() as session:
        save_incident(session, incident(), 10, NOW, "QRPay")
    save_log(ledger, "P1", [merge], 11)
    assert log_of(stored(ledger)) == (merge,)
    assert [entry.merged_into for entry in entries_of(stored(ledger))] == ["P2"]


def test_what_a_log_told_of_a_merge_stays_known_when_the_incident_changes_and_its_log_is_unread(
    ledger: Ledger,
) -> None:
    team = {"team": "QRPay", "enforce_from": "2026-11-01", "jira": {"project": "OPS"}}
    rules = Mapping.model_validate(team | {"services": {"Payments": {}}})
    entry = LogEntry(id="R1", kind="resolve", at=later(60), incident_id="P1", merged_into="P2")
    again = LogEntry(id="R2", kind="resolve", at=later(180), incident_id="P1")
    with ledger.write() as session:
        merged = incident(RESOLVED, resolved_at=later(60), merged_into="P2")
        save_incident(session, merged, 10, NOW, "QRPay")
    shown = incident(RESOLVED, resolved_at=later(180))
    for seq, log, title in ((20, [entry], "Late"), (40, [entry, again], "Very late")):
        save_log(ledger, "P1", log, seq - 5)
        with ledger.write() as session:
            assert save_incident(session, shown.model_copy(update={"title": title}), seq, NOW, "QRPay")
        with ledger.read() as session:
            (source,) = merged_sources_in(session, "P2")
        assert known_state_changes(source, source.as_read) is None
        member = member_of(source, source.as_read, rules, rules.services["Payments"])
        assert (member.merged_at, member.parted_at) == (later(60), later(180))


@pytest.mark.parametrize(
    ("status", "values", "waits"),
    [
        (RESOLVED, {"finished": False}, True),
        (RESOLVED, {"finished": True}, False),
        (ACKNOWLEDGED, {"finished": False}, False),
        (ACKNOWLEDGED, {"noise_rule": "weekly test"}, True),
        (RESOLVED, {"finished": True, "noise_rule": "weekly test"}, True),
        (RESOLVED, {"finished": False, "team": None}, False),
    ],
)
def test_an_unfinished_resolved_incident_is_taken_up_again(
    ledger: Ledger, status: IncidentStatus, values: dict[str, object], waits: bool
) -> None:
    with ledger.write() as session:
        row = save_incident(session, incident(status), 10, NOW, "QRPay")
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)
    with ledger.read() as session:
        assert unfinished_in(session) == (["P1"] if waits else [])


# Notes


def note(text: str) -> Note:
    return Note(id="N1", text=text, created_at=NOW)


@pytest.mark.parametrize(
    ("read_seq", "text"), [(20, "first"), (19, "first"), (21, "second")], ids=["same", "earlier", "later"]
)
def test_notes_that_were_listed_earlier_do_not_replace_later_ones(
    with_ticket: Ledger, read_seq: int, text: str
) -> None:
    row = stored(with_ticket)
    with with_ticket.write() as session:
        save_notes(session, row, [note("first")], 20)
    with with_ticket.write() as session:
        save_notes(session, row, [note("second")], read_seq)
    notes = stored(with_ticket).notes
    assert notes is not None
    assert [stored_note["text"] for stored_note in notes] == [text]


def test_notes_are_compared_with_the_stored_ones_not_with_those_the_reader_saw(
    with_ticket: Ledger,
) -> None:
    read_before_asking = stored(with_ticket)
    with with_ticket.write() as session:
        row = session.get(IncidentRow, "P1")
        assert row is not None
        save_notes(session, row, [note("younger")], 40)
    with with_ticket.write() as session:
        save_notes(session, read_before_asking, [note("older")], 35)
    notes = stored(with_ticket).notes
    assert notes is not None
    assert [stored_note["text"] for stored_note in notes] == ["younger"]


# Tickets


@pytest.mark.parametrize("read_seq", [5, 20, 25, 30])
def test_a_ticket_read_before_our_last_confirmed_write_is_not_stored(
    with_ticket: Ledger, read_seq: int
) -> None:
    row = stored_ticket(with_ticket)
    with with_ticket.write() as session:
        assert not save_issue(session, row, issue("an older story"), read_seq, NOW)
    kept = stored_ticket(with_ticket)
    assert kept.snapshot is not None
    assert (kept.snapshot["summary"], kept.read_seq) == ("Payments are late", 20)


def test_a_ticket_read_after_our_last_confirmed_write_is_stored(with_ticket: Ledger) -> None:
    row = stored_ticket(with_ticket)
    with with_ticket.write() as session:
        assert save_issue(session, row, issue("a newer story"), 31, NOW)
    kept = stored_ticket(with_ticket)
    assert kept.snapshot is not None
    assert (kept.snapshot["summary"], kept.read_seq) == ("a newer story", 31)


def test_a_write_that_was_confirmed_while_the_answer_travelled_is_not_undone(with_ticket: Ledger) -> None:
    read_before_asking = stored_ticket(with_ticket)
    with with_ticket.write() as session:
        row = session.get(TicketRow, "P1")
        assert row is not None
        row.snapshot = issue(status=Status(id="3", name="In Progress")).model_dump(mode="json")
        row.written_seq = 50
    with with_ticket.write() as session:
        assert not save_issue(session, read_before_asking, issue(), 40, NOW)
    kept = stored_ticket(with_ticket)
    assert kept.snapshot is not None
    assert (kept.snapshot["status"]["id"], kept.written_seq, kept.read_seq) == ("3", 50, 20)


def test_the_same_ticket_again_is_no_news_but_fresher(with_ticket: Ledger) -> None:
    with with_ticket.write() as session:
        assert not save_issue(session, stored_ticket(with_ticket), issue(), 31, NOW)
    assert stored_ticket(with_ticket).read_seq == 31


def test_the_same_ticket_back_in_sight_is_news(with_ticket: Ledger) -> None:
    with with_ticket.write() as session:
        row = session.get(TicketRow, "P1")
        assert row is not None
        row.out_of_sight_since = NOW
    with with_ticket.write() as session:
        assert save_issue(session, stored_ticket(with_ticket), issue(), 31, NOW)
    kept = stored_ticket(with_ticket)
    assert (kept.read_seq, kept.out_of_sight_since) == (31, None)


def test_a_ticket_that_was_moved_keeps_its_number_and_follows_its_key(with_ticket: Ledger) -> None:
    moved = issue(key="BANK-9", project="BANK")
    with with_ticket.write() as session:
        assert save_issue(session, stored_ticket(with_ticket), moved, 31, NOW)
    kept = stored_ticket(with_ticket)
    assert (kept.issue_id, kept.key, kept.project) == ("10005", "BANK-9", "BANK")


def test_a_ticket_comes_back_as_it_was_read(with_ticket: Ledger) -> None:
    read = issue("Zażółć ☃", fields={"customfield_1": {"value": "SEV1"}}, labels=("a", "b"))
    with with_ticket.write() as session:
        save_issue(session, stored_ticket(with_ticket), read, 31, NOW)
    assert Issue.model_validate(stored_ticket(with_ticket).snapshot) == read


def test_tickets_are_known_by_their_issues_numbers(with_ticket: Ledger) -> None:
    with with_ticket.read() as session:
        tickets = tickets_by_issue_in(session, ["10005", "10006", "OPS-5"])
    assert {number: row.incident_id for number, row in tickets.items()} == {"10005": "P1"}


# Change notices


def test_incidents_with_notices_come_the_oldest_notice_first(ledger: Ledger) -> None:
    with ledger.write() as session:
        notice_changes_in(session, ["P3", "P1"], NOW, 5, "logged")
        notice_changes_in(session, ["P2", "P3"], later(1), 6, "open")
    assert incidents_with_notices(ledger) == ["P3", "P1", "P2"]


def test_a_change_notice_says_why_and_since_when(ledger: Ledger) -> None:
    with ledger.write() as session:
        notice_changes_in(session, ["P1", "P1", "P2"], NOW, 5, "PagerDuty logged annotate", notes=True)
        notice_changes_in(session, ["P1"], later(1), 6, "its ticket changed", ticket=True)
    with ledger.read() as session:
        notices = [
            (notice.why, notice.read_seq, notice.notes, notice.ticket, notice.at)
            for notice in change_notices_of_in(session, "P1")
        ]
    assert notices == [
        ("PagerDuty logged annotate", 5, True, False, NOW),
        ("its ticket changed", 6, False, True, later(1)),
    ]


def test_a_key_keeps_its_last_value_and_is_empty_before(ledger: Ledger) -> None:
    with ledger.write() as session:
        assert get_cursor_in(session, "pagerduty.log") == {}
        set_cursor_in(session, "pagerduty.log", at="2026-11-22T09:00:00+00:00", page=3)
        set_cursor_in(session, "pagerduty.log", at="2026-11-22T09:05:00+00:00")
    with ledger.read() as session:
        assert get_cursor_in(session, "pagerduty.log") == {"at": "2026-11-22T09:05:00+00:00"}
        assert get_cursor_in(session, "jira.poll") == {}
