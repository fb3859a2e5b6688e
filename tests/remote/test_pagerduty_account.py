"""The account on PagerDuty: its users, its name, its services and its priorities."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from remote.test_pagerduty import URL, asked
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.pagerduty.client import PagerDutyClient


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.mark.parametrize("wanted", ["ada@company.example", "Ada@Company.example"])
def test_a_user_is_found_by_the_whole_address_only(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, wanted: str
) -> None:
    users = [
        {"id": "PUSER09", "name": "Nada", "email": "nada@company.example"},
        {"id": "PUSER01", "name": "Ada", "email": "ada@company.example"},
    ]
    mock.get(f"{URL}/users", json={"users": users[:1], "more": True})
    mock.get(f"{URL}/users", json={"users": users[1:], "more": False})
    user = pagerduty.find_user(wanted)
    assert user is not None
    assert user.id == "PUSER01"
    assert asked(mock)[1][0] == ("query", wanted)


def test_a_part_of_an_address_finds_nobody(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    user = {"id": "PUSER09", "name": "Nada", "email": "nada@company.example"}
    mock.get(f"{URL}/users", json={"users": [user], "more": False})
    assert pagerduty.find_user("ada@company.example") is None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://acme.pagerduty.com/users/P1", "acme"),
        ("https://acme.eu.pagerduty.com/users/P1", "acme"),
        ("http://127.0.0.1:8080/users/P1", "127.0.0.1"),
    ],
)
def test_the_account_is_known_by_its_subdomain(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, address: str, name: str
) -> None:
    mock.get(f"{URL}/users", json={"users": [{"id": "P1", "html_url": address}]})
    assert pagerduty.identity() == name


def test_an_account_without_visible_users_is_known_by_a_service(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/users", json={"users": []})
    mock.get(f"{URL}/services", json={"services": [{"html_url": "https://acme.pagerduty.com/services/P1"}]})
    assert pagerduty.identity() == "acme"


def test_an_account_that_nothing_names_is_unknown(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/users", json={"users": []})
    mock.get(f"{URL}/services", json={"services": []})
    with pytest.raises(Unknown):
        pagerduty.identity()


def test_all_pages_of_services_are_read(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    pages = [
        {
            "services": [{"id": "S1", "name": "Payments", "status": "disabled", "html_url": None}],
            "more": True,
        },
        {"services": [{"id": "S2", "name": "ETA", "status": "active"}], "more": False},
    ]
    for page in pages:
        mock.get(f"{URL}/services", json=page)
    services = pagerduty.services()
    assert [(service.id, service.name, service.disabled) for service in services] == [
        ("S1", "Payments", True),
        ("S2", "ETA", False),
    ]
    assert asked(mock, 1)[1] == [("limit", "100"), ("offset", "100")]


@pytest.mark.parametrize("status", [402, 404])
def test_an_account_without_priorities_has_none(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock, status: int
) -> None:
    mock.get(f"{URL}/priorities", json={"error": {"message": "no", "code": 2012}}, status=status)
    assert pagerduty.priorities() == ()


def test_priorities_that_may_not_be_read_are_an_error(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/priorities", json={"error": {"message": "Access Denied", "code": 2010}}, status=403)
    mock.get(f"{URL}/services", json={"services": []})
    with pytest.raises(NotDone) as caught:
        pagerduty.priorities()
    assert (caught.value.cause, caught.value.message) == (Cause.FORBIDDEN, "Access Denied [2010]")
