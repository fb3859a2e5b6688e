"""`status`, `show`, `outbox`, `plan`, `audit verify`: what scripts and people may rely on."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from getpass import getuser
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from commandline import CONTROLS, NO_DAEMON, House
from ledger_reading import OperationRow, opened, put
from rich.cells import cell_len

from syncd.commands.shared.status_lines import incident_lines, needs_person, no_daemon
from syncd.domain.mail import of_team
from syncd.sandbox import faults

LEDGER = Path(".syncd/syncd.db")


@pytest.mark.parametrize(
    "args", [("status",), ("show", "1"), ("outbox",), ("outbox", "retry"), ("audit", "verify")]
)
def test_without_a_ledger_they_say_so_and_what_makes_one(house: House, args: tuple[str, ...]) -> None:
    result = house.syncd(*args)
    assert result.code == 1
    assert "there is no ledger at" in result.err
    assert "syncd run" in result.err
    assert not LEDGER.exists()


def test_they_need_neither_mapping_nor_token(house: House) -> None:
    house.trigger()
    assert house.syncd("run", "--once").code == 0
    for name in ("SYNCD_MAPPINGS_DIR", "SYNCD_PAGERDUTY_TOKEN", "SYNCD_JIRA_TOKEN", "SYNCD_JIRA_URL"):
        house.monkeypatch.delenv(name)
    for args in (("status",), ("show", "1"), ("outbox",), ("audit", "verify")):
        assert house.syncd(*args).code == 0


def test_status_lists_incidents_with_their_tickets(house: House) -> None:
    incident = house.trigger(priority="P2")
    house.syncd("run", "--once")
    data = house.syncd("status", "--json").json
    assert {"incidents", "outbox", "cycles"} <= set(data)
    (shown,) = data["incidents"]
    wanted = {
        "id",
        "number",
        "title",
        "severity",
        "status",
        "ticket",
        "ticket_status",
        "postmortem",
        "due_at",
    }
    assert wanted <= set(shown)
    assert (shown["id"], shown["number"], shown["severity"], shown["ticket"]) == (
        incident,
        1,
        "SEV1",
        "OPS-1",
    )
    # the ticket, its note on the incident, and the notices to two directors
    assert (data["outbox"]["done"], data["outbox"]["pending"]) == (4, 0)
    assert set(data["cycles"]) == {"pagerduty", "jira"}
    assert all(data["cycles"].values())
    status = house.syncd("status").out
    assert "OPS-1" in status
    assert "Last good read: PagerDuty and Jira within 2 minutes" in status


def test_status_fits_eighty_columns_and_shows_first_what_needs_a_person() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def incident(number: int, **more: object) -> dict[str, object]:
        """Return an incident as the data of `status` has it."""
        duties = {
            kind: {
                "state": state,
                "owed": True,
                "asked": True,
                "due_at": (now + timedelta(hours=hours)).isoformat(),
            }
            for kind, state, hours in more.pop("duties", ())  # type: ignore[attr-defined]
        }
        due = min((str(duty["due_at"]) for duty in duties.values()), default=None)
        common = {"title": "支付宝 callbacks time out " * 4, "severity": "SEV0", "severity_assumed": True}
        facts = {"status": "acknowledged", "ticket": f"OPS-{number}", "ticket_status": None, "due_at": due}
        facts |= {"ticket_done": False, "ticket_made": True}
        counts = {"late_items": 0, "parked": 0, "postmortem": f"OPS-{number + 1}"}
        return common | facts | counts | {"number": number, "duties": duties, **more}

    lines = incident_lines(
        [
            incident(1024, duties=[("scheduled", "pending", 31), ("completed", "pending", 300)]),
            incident(1025, status="resolved", duties=[("completed", "due_soon", 5)]),
            incident(1026, status="resolved", duties=[("scheduled", "breached", -50)]),
            incident(1027, ticket=None, severity=None),
            incident(1028, parked=2),
            incident(1029, status="resolved", late_items=1),
            incident(1030, ticket_status="Done", ticket_done=True),
        ],
        now,
        80,
    )
    assert all(cell_len(line) <= 80 for line in lines)
    assert [line[:7] for line in lines[1:]] == [
        *("! #1026", "! #1030", "! #1029", "! #1028", "  #1025", "  #1024", "  #1027")
    ]
    for words, line in zip(
        (
            "schedule OPS-1027, 2 days late",
            "ticket is Done: resolve it?",
            "1 action item late",
            "2 parked: syncd outbox",
            "complete OPS-1026 in 5 hours",
            "schedule OPS-1025 in 31 hours",
            "no ticket yet",
        ),
        lines[1:],
        strict=True,
    ):
        assert words in line


def test_status_check_tells_scripts_whether_something_needs_a_person(house: House) -> None:
    house.trigger(priority="P4")
    house.syncd("run", "--once")
    quiet = house.syncd("status", "--check")
    assert (quiet.code, quiet.out) == (0, "")
    house.syncd("pause", "mail", "--reason", "moving")
    needs = house.syncd("status", "--check")
    assert needs.code == 1
    assert needs.out.startswith("Paused since")
    assert "syncd resume mail" in needs.out
    assert house.syncd("status", "--json").json["needs_person"] == [needs.out.strip()]


def test_status_of_a_team_shows_the_incidents_of_that_team_alone(house: House) -> None:
    house.trigger(priority="P4")
    house.syncd("run", "--once")
    assert len(house.syncd("status", "--team", "qrpay", "--json").json["incidents"]) == 1
    assert house.syncd("status", "--team", "Ramen", "--json").json["incidents"] == []
    assert "No incident of Ramen is open" in house.syncd("status", "--team", "Ramen").out


def test_status_of_a_team_counts_the_parked_operations_of_that_team_alone(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    now, mail = (
        house.clock.now(),
        {"kind": "send_mail", "op_class": "once", "target": "mail", "reason": "due"},
    )
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        for of in (incident, of_team("QRPay"), of_team("Ramen")):
            names = {"key": of, "op": of, "object": of, "incident_id": of}
            put(ledger, OperationRow(state="parked", decided_at=now, **names, **mail))
    assert house.syncd("status", "--check").out == "3 parked operations: syncd outbox\n"
    of_qrpay = house.syncd("status", "--team", "qrpay", "--check")
    assert (of_qrpay.code, of_qrpay.out) == (1, "2 parked operations: syncd outbox\n")
    assert house.syncd("status", "--team", "Ramen", "--json").json["outbox"]["parked"] == 1
    assert house.syncd("status", "--team", "Nobody", "--check").code == 0


def test_status_calls_a_read_late_only_when_polls_are_missing() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    healthy: dict[str, Any] = {"outbox": {}, "services": [], "refused": [], "held": None, "paused": {}}
    healthy |= {"rivals": [], "duplicates": {"left": []}, "first_load": {"state": "done"}, "running": False}
    healthy |= {"disk": {"state": "ok", "rejects_writes": None}, "incidents": [], "recurring": []}

    def lines(ago: timedelta | None, poll_seconds: float, *, running: bool = False) -> list[str]:
        cycles = {side: (now - ago).isoformat() if ago else None for side in ("pagerduty", "jira")}
        return needs_person(healthy | {"cycles": cycles, "running": running}, now, poll_seconds)

    # the ledger notes one read a minute: at a poll of 30 s its last one is up to 90 s old
    assert lines(timedelta(seconds=89), 30) == []
    assert lines(timedelta(minutes=20), 600) == []
    assert lines(timedelta(minutes=20), 30) == [
        "syncd has not read PagerDuty for 20 minutes. No daemon is running. Start it: syncd run",
        "syncd has not read Jira for 20 minutes",
    ]
    assert "The daemon is running: see its log" in lines(timedelta(minutes=20), 30, running=True)[0]
    assert "has not read PagerDuty yet" in lines(None, 30)[0]
    # cron starts a cycle every ten minutes
    healthy["run_every"] = 600.0
    assert lines(timedelta(minutes=20), 30) == []
    assert (
        "for 40 minutes. `syncd run --once` ran every 10 minutes until then"
        in lines(timedelta(minutes=40), 30)[0]
    )


def test_status_says_at_once_that_no_daemon_is_running() -> None:
    read, later = "2026-11-30T14:01:30+00:00", "2026-11-30T14:03:00+00:00"
    data: dict[str, Any] = {"running": False, "single_cycles": False, "operator_lines": []}
    data |= {"cycles": {"pagerduty": read, "jira": None}, "stopped": "2026-11-30T14:02:00+00:00"}
    assert no_daemon(data) == ["No daemon is running (stopped 2026-11-30 14:02 UTC). Start it: syncd run"]
    for change in (
        {"running": True},
        {"single_cycles": True},
        {"operator_lines": ["syncd has not read Jira yet. No daemon is running. Start it: syncd run"]},
    ):
        assert no_daemon(data | change) == []
    # a daemon that died after a start had no clean stop
    killed = data | {"cycles": {"pagerduty": later, "jira": later}}
    assert no_daemon(killed) == ["No daemon is running. Start it: syncd run"]


def test_status_names_services_that_are_down_and_those_without_a_mapping(house: House) -> None:
    house.trigger("Couriers are late", "Dispatch")
    house.world.advance(30)
    house.server.close_door("jira")
    house.syncd("run", "--once")
    data = house.syncd("status", "--json").json
    assert "jira" in data["services"][0]
    assert list(data["unmapped_services"].values()) == ["Dispatch"]
    status = house.syncd("status").out
    assert "Service in trouble: jira" in status
    assert "No mapping names 1 service with incidents: syncd status --verbose" in status
    assert "No mapping names the service Dispatch" in house.syncd("status", "--verbose").out


def test_status_is_about_what_is_open_and_all_about_everything(house: House) -> None:
    incident = house.trigger(priority="P4", urgency="low")
    house.syncd("run", "--once")
    house.world.pagerduty.resolve(incident)
    house.syncd("run", "--once")
    house.syncd("run", "--once")
    assert house.syncd("status", "--json").json["incidents"] == []
    (shown,) = house.syncd("status", "--all", "--json").json["incidents"]
    assert (shown["status"], shown["ticket"]) == ("resolved", "OPS-1")


def test_show_finds_an_incident_by_id_number_and_ticket(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    for word in (incident, "1", "#1", "OPS-1", "ops-1"):
        data = house.syncd("show", word, "--json").json
        assert data["incident"]["id"] == incident
    assert {"incident", "ticket", "postmortem", "action_items", "operations", "events"} <= set(data)
    assert data["no_postmortem"] == "SEV3 incidents need no postmortem"
    # the create of an incident that is older than the ledger waits for a search of its ticket
    assert sorted((op["kind"], op["state"]) for op in data["operations"]) == [
        ("create_ticket", "done"),
        ("link_note", "done"),
    ]
    assert all(op["reason"] for op in data["operations"])
    assert "operation.done" in [event["kind"] for event in data["events"]]


def test_show_tells_people_what_was_done_and_why(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    result = house.syncd("show", "1")
    assert result.code == 0
    assert "Ticket OPS-1 (made by syncd)" in result.out
    assert "incident of Alipay Integration had no ticket" in result.out
    assert "ticket.made" not in result.out
    assert "ticket.made" in house.syncd("show", "1", "--events").out


def test_show_and_the_outbox_say_what_a_move_back_waits_for_and_until_when(house: House) -> None:
    incident = house.trigger(priority="P4")
    house.syncd("run", "--once")
    house.world.pagerduty.resolve(incident)
    before = house.clock.now()
    house.syncd("run", "--once")
    after = house.clock.now()
    assert house.syncd("show", "1", "--json").json["waits"] == []
    house.world.pagerduty.reopen(incident, "Amara Osei")
    house.syncd("run", "--once")
    (wait,) = house.syncd("show", "1", "--json").json["waits"]
    left = datetime.fromisoformat(wait["until"]) - timedelta(minutes=5)
    assert before <= left <= after
    assert "Waits: the ticket is not moved yet" in house.syncd("show", "1").out
    (move,) = house.syncd("outbox", "--json").json["operations"]
    assert (move["kind"], move["not_before"]) == ("move_ticket", wait["until"])
    assert "left this status less than five minutes ago" in move["reason"]


def test_show_says_why_there_is_no_ticket(house: House) -> None:
    mapping = Path("mappings/qrpay.yaml")
    rules = "noise:\n  - name: flapping probes\n    title: probe\n    resolved_within_minutes: 10\n"
    mapping.write_text(mapping.read_text() + rules)
    house.trigger("A probe failed", urgency="low")
    house.syncd("run", "--once")
    (wait,) = house.syncd("show", "1", "--json").json["waits"]
    assert wait["why"] == "the noise rule flapping probes keeps its ticket back"
    assert wait["until"] is not None


def test_show_says_that_what_was_over_before_the_rules_gets_no_ticket(house: House) -> None:
    before = house.world.clock() - timedelta(days=3)
    incident = house.trigger(at=before)
    house.world.pagerduty.resolve(incident, at=before + timedelta(hours=1))
    house.syncd("run", "--once")
    (wait,) = house.syncd("show", incident, "--json").json["waits"]
    assert "`enforce_from`" in wait["why"]
    page = house.syncd("show", incident).out
    assert "No postmortem is owed: it was resolved before the rules began" in page


def test_show_of_what_is_not_there_names_the_list(house: House) -> None:
    house.syncd("run", "--once")
    result = house.syncd("show", "OPS-99")
    assert result.code == 1
    assert "syncd status --all" in result.err


def test_a_hostile_title_moves_no_cursor_and_is_no_markup(house: House) -> None:
    house.trigger("[red]all[/red]\x1b[2Jgone\r\nforged line")
    house.syncd("run", "--once")
    for args in (("status",), ("show", "1")):
        printed = house.syncd(*args).out
        assert not CONTROLS & set(printed)
        assert "[red]all[/red]" in printed
        assert not any(line.startswith("forged") for line in printed.splitlines())


def test_a_parked_operation_shows_with_jiras_words_and_can_be_tried_again(house: House) -> None:
    incident = house.trigger()
    words = {"errorMessages": ["The workflow is being edited."], "errors": {}}
    house.world.faults.add(faults.error(400, body=words), service="jira", method="POST", path="/issue$")
    assert house.syncd("run", "--once").code == 75
    data = house.syncd("outbox", "--json").json
    assert data["counts"]["parked"] == 1
    parked = next(op for op in data["operations"] if op["state"] == "parked")
    assert {"id", "incident", "kind", "target", "state", "reason", "error"} <= set(parked)
    assert "The workflow is being edited." in parked["error"]
    assert "The workflow is being edited." in house.syncd("outbox").out
    assert "syncd outbox" in house.syncd("status").out
    result = house.syncd("outbox", "retry", str(parked["id"]))
    assert (result.code, result.out) == (0, "tried again: 1 operation\n" + NO_DAEMON)
    assert house.syncd("run", "--once").code == 0
    assert len(house.tickets(incident)) == 1


def test_an_operation_can_be_given_up_with_a_reason_on_record(house: House) -> None:
    incident = house.trigger()
    house.world.faults.add(faults.error(400), service="jira", method="POST", path="/issue$", times=None)
    house.syncd("run", "--once")
    parked = house.syncd("outbox", "--json").json["operations"][0]
    assert house.syncd("outbox", "drop", str(parked["id"])).code == 2
    assert house.syncd("outbox", "drop", str(parked["id"]), "--reason", "not wanted").code == 0
    shown = house.syncd("show", incident, "--json").json
    given_up = next(operation for operation in shown["operations"] if operation["id"] == parked["id"])
    assert (given_up["state"], given_up["error"]) == ("dropped", f"dropped by {getuser()}: not wanted")
    with sqlite3.connect(LEDGER) as ledger:
        (salt,) = ledger.execute("SELECT value FROM meta WHERE key = 'salt'").fetchone()
    words = sha256((salt + given_up["error"]).encode()).hexdigest()[:32]
    dropped = next(event for event in shown["events"] if event["kind"] == "operation.dropped")
    assert dropped["data"]["why"] == f"dropped by a person: {words}"


def test_retrying_what_is_over_fails_and_says_which(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    result = house.syncd("outbox", "retry", "1", "99")
    assert result.code == 1
    assert "operation 1 is done: left as it is" in result.err
    assert "there is no operation 99" in result.err


def test_the_audit_trail_verifies_and_passes_through_an_anchor(house: House) -> None:
    house.syncd("run", "--once")
    anchor = house.syncd("audit", "verify", "--json").json["head"]
    house.trigger()
    house.syncd("run", "--once")
    data = house.syncd("audit", "verify", "--anchor", anchor, "--json").json
    assert (data["whole"], data["broken"]) == (True, None)
    seq, _, digest = anchor.partition(":")
    assert house.syncd("audit", "verify", "--anchor", f"{seq}:{digest[::-1]}").code == 1
    assert house.syncd("audit", "verify", "--anchor", "yesterday").code == 2


def test_a_changed_row_breaks_the_audit_trail_and_is_named(house: House) -> None:
    house.trigger()
    house.syncd("run", "--once")
    with sqlite3.connect(LEDGER) as connection:
        connection.execute("DROP TRIGGER audit_event_no_update")
        connection.execute("UPDATE audit_event SET text = '{}' WHERE seq = 3")
    connection.close()
    result = house.syncd("audit", "verify")
    assert result.code == 1
    assert "broken at row 3" in result.err
    assert house.syncd("audit", "verify", "--json").json["broken"]["seq"] == 3
