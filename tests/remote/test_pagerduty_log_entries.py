"""Log entries of PagerDuty: how they are asked for, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import responses

from remote.test_pagerduty import NOON, URL, asked, entry, incident
from syncd.domain.base import Reference
from syncd.remote.errors import NotDone
from syncd.remote.pagerduty.client import PagerDutyClient


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def test_log_entries_carry_whole_incidents(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    told = [
        entry(),
        entry(
            id="R2",
            type="annotate_log_entry",
            channel={"type": "note", "summary": "looking"},
            agent=None,
            incident={"id": "P2", "type": "incident_reference", "summary": "[#13] Other"},
        ),
        entry(id="R3", incident=None),
        entry(
            id="R4",
            type="resolve_log_entry",
            linked_incident={"id": "PTARGET", "type": "incident_reference"},
        ),
    ]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": False})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 200)
    first, second, last = page.entries
    assert (first.kind, first.incident_id, first.agent) == (
        "acknowledge",
        "PABC123",
        Reference(id="PUSER01", name="Ada"),
    )
    assert first.incident is not None
    assert first.incident.title == "Payments are late"
    assert (second.kind, second.incident_id, second.incident) == ("annotate", "P2", None)
    assert (first.note, second.note) == ("", "looking")
    assert (last.kind, last.merged_into, page.more) == ("resolve", "PTARGET", False)
    assert asked(mock) == (
        "GET /log_entries",
        [
            ("since", "2026-11-22T11:00:00Z"),
            ("until", "2026-11-22T12:00:00Z"),
            ("include[]", "incidents"),
            ("limit", "100"),
            ("offset", "200"),
        ],
    )


@pytest.mark.parametrize(("offset", "limit"), [(9800, "100"), (9900, "100"), (9950, "50")])
def test_a_page_never_passes_position_ten_thousand(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, offset: int, limit: str
) -> None:
    mock.get(f"{URL}/incidents", json={"incidents": [], "more": True})
    pagerduty.open_incidents(["PSVC001"], offset)
    assert ("limit", limit) in asked(mock)[1]


def test_a_page_beyond_the_end_is_not_asked_for(pagerduty: PagerDutyClient) -> None:
    with pytest.raises(NotDone):
        pagerduty.open_incidents(["PSVC001"], 10_000)


def test_a_log_entry_with_an_odd_incident_still_names_it(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    told = [
        entry(incident=incident(status="unheard of")),
        entry(id="R2", created_at="yesterday", incident=incident(id="P2")),
        entry(id="R3"),
    ]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": False})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0)
    assert [
        (each_entry.id, each_entry.incident_id, each_entry.incident is None) for each_entry in page.entries
    ] == [
        ("R1", "PABC123", True),
        ("R3", "PABC123", False),
    ]
    assert list(page.unread) == ["P2"]


def test_a_log_entry_that_was_seen_is_not_read_again(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    told = [entry(id="R1", created_at="not even a time"), entry(id="R2"), entry(id="R3", incident=None)]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": True})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0, {"R1": NOON})
    assert ([each_entry.id for each_entry in page.entries], page.unread) == (["R2"], {})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0, {"R1": NOON, "R2": NOON})
    # entries that tell nothing new do not end a list that goes on
    assert (page.entries, page.more) == ((), True)
    mock.upsert("GET", f"{URL}/log_entries", json={"log_entries": [], "more": True})
    assert not pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0).more


@pytest.mark.parametrize("about", [{"id": None}, {}, {"id": 12}, {"id": ""}, {"id": "a/b"}, "PABC123", None])
def test_a_log_entry_of_an_incident_without_an_id_names_none_and_stops_no_other(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, about: object
) -> None:
    told = [entry(id="R1", incident=about), entry(id="R2"), entry(id="R3", created_at=None, incident=about)]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": False})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0)
    assert [(shown.id, shown.incident_id) for shown in page.entries] == [("R2", "PABC123")]
    assert page.unread == {}


def test_a_log_entry_whose_resolved_incident_does_not_say_why_still_names_it(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    reason = {"type": "merge_resolve_reason", "incident": {"id": "P2", "type": "incident_reference"}}
    told = [
        entry(incident=incident(status="resolved")),
        entry(id="R2", incident=incident(status="resolved", resolve_reason=None)),
        entry(id="R3", incident=incident(status="resolved", resolve_reason=reason)),
    ]
    mock.get(f"{URL}/log_entries", json={"log_entries": told, "more": False})
    page = pagerduty.log_entries(NOON - timedelta(hours=1), NOON, 0)
    assert [each_entry.incident_id for each_entry in page.entries] == ["PABC123"] * 3
    assert [each_entry.incident and each_entry.incident.state for each_entry in page.entries] == [
        None,
        "resolved",
        "merged",
    ]
