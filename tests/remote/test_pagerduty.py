"""What is asked of PagerDuty, word by word, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from remote.conftest import PAGERDUTY as URL
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus, Responder
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.http import wire
from syncd.remote.http.wire import load
from syncd.remote.pagerduty.client import PagerDutyClient

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def incident(**more: Any) -> dict[str, Any]:
    return {
        "id": "PABC123",
        "type": "incident",
        "incident_number": 12,
        "title": "Payments are late",
        "status": "triggered",
        "urgency": "high",
        "created_at": "2026-11-22T11:00:00Z",
        "service": {"id": "PSVC001", "type": "service_reference", "summary": "Payments"},
        "html_url": "https://acme.pagerduty.com/incidents/PABC123",
        **more,
    }


def asked(mock: responses.RequestsMock, number: int = 0) -> tuple[str, list[tuple[str, str]]]:
    request = mock.calls[number].request
    parts = urlsplit(request.url or "")
    return f"{request.method} {parts.path}", parse_qsl(parts.query)


def test_open_incidents_are_asked_for_whatever_their_age(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/incidents", json={"incidents": [incident()], "more": True})
    page = pagerduty.open_incidents(["PSVC001"], 100)
    assert asked(mock) == (
        "GET /incidents",
        [
            ("date_range", "all"),
            ("include[]", "assignees"),
            ("sort_by", "created_at:asc"),
            ("limit", "100"),
            ("offset", "100"),
            ("statuses[]", "triggered"),
            ("statuses[]", "acknowledged"),
            ("service_ids[]", "PSVC001"),
        ],
    )
    assert page.more is True
    assert [each_incident.id for each_incident in page.incidents] == ["PABC123"]


def test_an_incident_is_read_whole(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    raw = incident(
        status="acknowledged",
        urgency="low",
        priority={"id": "PPRIO01", "type": "priority", "name": "P2", "summary": "P2"},
        escalation_policy={"id": "PESC001", "type": "escalation_policy_reference", "summary": "Default"},
        assignments=[
            {
                "at": "2026-11-22T11:00:00Z",
                "assignee": {"id": "PUSER01", "type": "user", "name": "Ada", "email": "ada@company.example"},
            },
            {"at": "2026-11-22T11:00:00Z", "assignee": {"id": "PUSER02", "summary": "Bob"}},
        ],
        teams=[{"id": "PTEAM01", "type": "team_reference", "summary": "Core"}],
        incident_key="key",
        incident_type={"name": "incident_default"},
        updated_at="2026-11-22T11:05:00Z",
        last_status_change_at="2026-11-22T06:04:00-05:00",
        last_status_change_by={"id": "PUSER01", "summary": "Ada"},
        custom_fields=[{"id": "F1", "name": "severity", "value": "SEV1"}, {"name": "other", "value": None}],
        resolve_reason=None,
        something_new={"from": "tomorrow"},
    )
    mock.get(f"{URL}/incidents/PABC123", json={"incident": raw})
    assert pagerduty.incident("PABC123") == Incident(
        id="PABC123",
        number=12,
        title="Payments are late",
        status=IncidentStatus.ACKNOWLEDGED,
        urgency="low",
        priority=Reference(id="PPRIO01", name="P2"),
        service=Reference(id="PSVC001", name="Payments"),
        escalation_policy=Reference(id="PESC001", name="Default"),
        assignees=(
            Responder(id="PUSER01", name="Ada", email="ada@company.example"),
            Responder(id="PUSER02", name="Bob"),
        ),
        incident_key="key",
        incident_type="incident_default",
        created_at=datetime(2026, 11, 22, 11, 0, tzinfo=UTC),
        updated_at=datetime(2026, 11, 22, 11, 5, tzinfo=UTC),
        status_changed_at=datetime(2026, 11, 22, 11, 4, tzinfo=UTC),
        html_url="https://acme.pagerduty.com/incidents/PABC123",
        custom_fields={"severity": "SEV1", "other": None},
    )
    assert asked(mock) == (
        "GET /incidents/PABC123",
        [("include[]", "assignees"), ("include[]", "custom_fields")],
    )


def test_nulls_everywhere_else_are_fine(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    nothing = dict.fromkeys(
        ("urgency", "priority", "escalation_policy", "assignments", "teams", "incident_key", "incident_type",
         "updated_at", "resolved_at", "last_status_change_at", "last_status_change_by", "resolve_reason",
         "pending_actions", "html_url", "custom_fields")
    )  # fmt: skip
    mock.get(f"{URL}/incidents/PABC123", json={"incident": incident(**nothing)})
    read = pagerduty.incident("PABC123")
    assert read is not None
    assert (read.urgency, read.assignees, read.custom_fields, read.html_url) == ("high", (), None, "")


def test_a_merged_incident_names_its_target(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    reason = {"type": "merge_resolve_reason", "incident": {"id": "PTARGET", "type": "incident_reference"}}
    mock.get(
        f"{URL}/incidents/PABC123", json={"incident": incident(status="resolved", resolve_reason=reason)}
    )
    read = pagerduty.incident("PABC123")
    assert read is not None
    assert read.merged_into == "PTARGET"


def test_incidents_are_asked_for_by_creation_in_utc(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/incidents", json={"incidents": [], "more": False})
    zone = timezone(timedelta(hours=3, minutes=30))
    since = datetime(2026, 11, 22, 12, 0, 0, 999999, tzinfo=zone)
    pagerduty.incidents(since, NOON, 0, [IncidentStatus.RESOLVED])
    assert asked(mock) == (
        "GET /incidents",
        [
            ("since", "2026-11-22T08:30:00Z"),
            ("until", "2026-11-22T12:00:00Z"),
            ("include[]", "assignees"),
            ("sort_by", "created_at:asc"),
            ("limit", "100"),
            ("offset", "0"),
            ("statuses[]", "resolved"),
        ],
    )


def test_a_naive_time_is_never_sent(pagerduty: PagerDutyClient) -> None:
    with pytest.raises(ValueError, match="zone"):
        pagerduty.incidents(datetime(2026, 11, 22), NOON, 0)  # noqa: DTZ001 - the mistake itself


def test_a_404_of_pagerdutys_means_that_there_is_none(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/incidents/P1", status=404, json={"error": {"message": "Not Found", "code": 2100}})
    assert pagerduty.incident("P1") is None


@pytest.mark.parametrize("body", ["", "<html>404</html>", "{}"])
def test_a_404_of_somebody_else_means_nothing(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, body: str
) -> None:
    mock.get(f"{URL}/incidents/P1", status=404, body=body)
    with pytest.raises(NotDone) as caught:
        pagerduty.incident("P1")
    assert caught.value.cause is Cause.MISSING


@pytest.mark.parametrize("hostile", ["../users", "P1/notes", "P1?x=1", "", "P 1", "P1\n", "..", "a" * 300])
def test_what_is_no_id_never_becomes_a_path(pagerduty: PagerDutyClient, hostile: str) -> None:
    with pytest.raises(NotDone) as caught:
        pagerduty.incident(hostile)
    assert caught.value.cause is Cause.REJECTED


def entry(**more: Any) -> dict[str, Any]:
    return {
        "id": "R1",
        "type": "acknowledge_log_entry",
        "summary": "Acknowledged by Ada",
        "created_at": "2026-11-22T11:30:00Z",
        "agent": {"id": "PUSER01", "type": "user_reference", "summary": "Ada"},
        "channel": {"type": "website"},
        "incident": incident(),
        **more,
    }


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"incidents": [incident(), incident(id="../users", status="?")], "more": False}, "incidents[1]: "),
        ({"incidents": [incident(id=7)], "more": False}, "incidents[0]: 'id': "),
        ({"incidents": [None], "more": False}, "incidents[0]: "),
        ({"incidents": None, "more": False}, "'incidents' is no list"),
        ({"incidents": []}, "'more' is missing"),
        ({"incidents": [], "more": "no"}, "'more' is neither true nor false"),
        ([], "'incidents' is no list"),
        ("text", "'incidents' is no list"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_understood_names_the_place(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, body: Any, place: str
) -> None:
    mock.get(f"{URL}/incidents", json=body)
    with pytest.raises(Unknown) as caught:
        pagerduty.open_incidents(["PSVC001"], 0)
    assert caught.value.cause is Cause.BROKEN
    assert caught.value.message.startswith(place)
    assert "unheard of" not in str(caught.value)


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (incident(id="P2", status="unheard of"), "incidents[1]: "),
        ({"id": "P2"}, "incidents[1]: 'incident_number' is missing"),
        (incident(id="P2", created_at="2026-11-22"), "incidents[1]: a time lacks its"),
        (incident(id="P2", service=None), "incidents[1]: "),
    ],
)
def test_one_incident_that_cannot_be_read_is_named_and_the_others_of_its_page_are_read(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, odd: Any, why: str
) -> None:
    mock.get(f"{URL}/incidents", json={"incidents": [incident(), odd, incident(id="P3")], "more": False})
    page = pagerduty.open_incidents(["PSVC001"], 0)
    assert [each_incident.id for each_incident in page.incidents] == ["PABC123", "P3"]
    assert list(page.unread) == ["P2"]
    assert page.unread["P2"].startswith(why)
    assert "unheard of" not in page.unread["P2"]


def test_an_open_incident_that_looks_as_before_is_not_read_again(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    told = [incident(), incident(id="P2"), {"id": "P3"}]
    mock.get(f"{URL}/incidents", json={"incidents": told, "more": False})
    first = pagerduty.open_incidents(["PSVC001"], 0, {})
    assert ([each_incident.id for each_incident in first.incidents], first.same) == (["PABC123", "P2"], {})
    # a part that syncd does not read may change, too
    told[1] = incident(id="P2", alert_counts={"all": 2})
    mock.upsert("GET", f"{URL}/incidents", json={"incidents": told, "more": False})
    again = pagerduty.open_incidents(["PSVC001"], 0, first.looks)
    assert ([each_incident.id for each_incident in again.incidents], [*again.unread]) == (["P2"], ["P3"])
    assert again.same == {"PABC123": first.incidents[0].created_at}
    assert not again.empty
    assert again.last_created() == max(each_incident.created_at for each_incident in first.incidents)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that grows with each answer that is parsed."""
    answers: list[bytes] = []

    def count(content: bytes) -> Any:
        answers.append(content)
        return load(content)

    monkeypatch.setattr(wire, "load", count)
    return answers


def test_a_page_of_log_entries_that_were_all_seen_is_not_parsed_again(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, parsed: list[bytes]
) -> None:
    told = [entry(id="R1"), entry(id="R2"), entry(id="R3", incident=None)]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": True})
    seen = {"R1": NOON, "R2": NOON}

    def read(minutes: int = 0) -> tuple[list[str], bool]:
        since = NOON + timedelta(minutes=minutes)
        page = pagerduty.log_entries(since, since + timedelta(hours=1), 0, seen)
        return [shown.id for shown in page.entries], page.more

    assert [read(), read(1), len(parsed)] == [([], True), ([], True), 1]
    # a reload makes syncd forget what it has seen
    del seen["R2"]
    assert [read(), len(parsed)] == [(["R2"], True), 2]
    seen["R2"] = NOON
    mock.upsert("GET", f"{URL}/log_entries", json={"log_entries": [entry(id="R4"), *told], "more": False})
    assert [read(), len(parsed)] == [(["R4"], False), 3]


def test_an_unreadable_log_entry_is_told_each_time(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    told = [entry(id="R1", created_at="yesterday")]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": False})
    pages = [pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0) for _ in range(2)]
    assert [[*page.unread] for page in pages] == [["PABC123"]] * 2


def test_a_page_of_open_incidents_that_all_look_as_before_is_not_parsed_again(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, parsed: list[bytes]
) -> None:
    told = [incident(), incident(id="P2")]
    mock.get(f"{URL}/incidents", json={"incidents": told, "more": False})
    first = pagerduty.open_incidents(["PSVC001"], 0, {})
    again = pagerduty.open_incidents(["PSVC001"], 0, first.looks)
    del parsed[:]
    assert pagerduty.open_incidents(["PSVC001"], 0, first.looks) == again
    assert ([*again.same], parsed) == (["PABC123", "P2"], [])
    # a reader that knows other looks reads the page anew
    other = {**first.looks, "P2": "another look"}
    assert [shown.id for shown in pagerduty.open_incidents(["PSVC001"], 0, other).incidents] == ["P2"]
    assert len(pagerduty.open_incidents(["PSVC001"], 0).incidents) == 2


def test_notes_come_oldest_first_in_utc(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    late = {
        "id": "N2",
        "user": {"id": "B1", "type": "bot_user_reference", "summary": "Rule"},
        "content": "later",
        "created_at": "2026-11-22T07:00:00-04:00",
        "updated_at": "2026-11-22T08:00:00-04:00",
    }
    early = {"id": "N1", "user": None, "content": None, "created_at": "2026-11-22T06:00:00-04:00"}
    mock.get(f"{URL}/incidents/P1/notes", json={"notes": [late, early]})
    first, second = pagerduty.notes("P1")
    assert (first.id, first.author, first.text, first.updated_at) == ("N1", None, "", None)
    assert second.author == Responder(id="B1", name="Rule")
    assert second.created_at == datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
    assert second.updated_at == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_note_is_written_in_somebodys_name(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    answer = {"note": {"id": "N1", "content": "ok", "created_at": "2026-11-22T06:00:00-04:00"}}
    expected = responses.matchers.json_params_matcher({"note": {"content": "ok"}})
    mock.post(f"{URL}/incidents/P1/notes", json=answer, status=201, match=[expected])
    assert pagerduty.add_note("P1", "ok").id == "N1"
    assert mock.calls[0].request.headers["From"] == "syncd@company.example"


def test_a_note_whose_answer_is_cut_is_unknown(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.post(f"{URL}/incidents/P1/notes", json={"note": {}}, status=201)
    with pytest.raises(Unknown):
        pagerduty.add_note("P1", "ok")
