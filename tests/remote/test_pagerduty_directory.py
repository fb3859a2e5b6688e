"""What changes rarely in PagerDuty, and its own ways to Jira: what is asked, what is made of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses

from syncd.domain.base import Reference
from syncd.domain.directory import EscalationPolicy, OtherTool, Schedule
from syncd.domain.incident import PagerDutyService, Responder
from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.http.transport import Transport
from syncd.remote.pagerduty.client import PagerDutyClient, pagerduty_client

URL = "https://api.pagerduty.com"
APP = f"{URL}/integration-jira-cloud/accounts_mappings"


@pytest.fixture
def pagerduty(transport: Transport) -> PagerDutyClient:
    return pagerduty_client(URL, "token", None, transport)


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def page(kind: str, *rows: Any, more: bool = False) -> dict[str, Any]:
    return {kind: list(rows), "limit": 100, "offset": 0, "more": more}


def test_a_service_names_its_policy_and_its_teams(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    row = {
        "id": "PSVC1",
        "name": "Payments",
        "status": "active",
        "escalation_policy": {"id": "PEP1", "type": "escalation_policy_reference"},
        "teams": [{"id": "PT1", "type": "team_reference"}],
    }
    mock.get(f"{URL}/services", json=page("services", row, {"id": "PSVC2", "name": "Bare"}))
    assert pagerduty.services() == (
        PagerDutyService(id="PSVC1", name="Payments", policy="PEP1", teams=("PT1",)),
        PagerDutyService(id="PSVC2", name="Bare"),
    )


def test_a_policy_names_whom_it_calls_each_once(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    user, rota = {"id": "PU1", "type": "user_reference"}, {"id": "PS1", "type": "schedule_reference"}
    rules = [{"targets": [rota, user]}, {"targets": [user]}]
    row = {"id": "PEP1", "name": "Web", "escalation_rules": rules}
    mock.get(f"{URL}/escalation_policies", json=page("escalation_policies", row))
    assert pagerduty.escalation_policies() == (
        EscalationPolicy(id="PEP1", name="Web", users=("PU1",), schedules=("PS1",)),
    )


def test_a_schedule_that_does_not_say_who_is_on_it_is_not_an_empty_one(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    rows = ({"id": "PS1", "name": "One", "users": []}, {"id": "PS2", "name": "Two"})
    mock.get(f"{URL}/schedules", json=page("schedules", *rows))
    assert pagerduty.schedules() == (
        Schedule(id="PS1", name="One", users=()),
        Schedule(id="PS2", name="Two", users=None),
    )


def test_lists_are_read_to_their_end(pagerduty: PagerDutyClient, mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/users", json=page("users", {"id": "PU1", "email": "a@x.example"}, more=True))
    mock.get(f"{URL}/users", json=page("users", {"id": "PU2", "name": "Bo"}))
    mock.get(f"{URL}/teams", json=page("teams", {"id": "PT1", "name": "Web"}))
    assert pagerduty.users() == (Responder(id="PU1", email="a@x.example"), Responder(id="PU2", name="Bo"))
    assert pagerduty.teams() == (Reference(id="PT1", name="Web"),)


def extension(name: str, label: str, **more: Any) -> dict[str, Any]:
    schema = {"id": "PSCH", "type": "extension_schema", "key": label.lower(), "label": label}
    return {"id": name, "name": name, "extension_schema": schema, "extension_objects": [], **more}


def test_extensions_are_told_by_their_schema(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    rows = (
        extension("one", "Jira Server", extension_objects=[{"id": "PSVC1"}]),
        extension("jira in its name alone", "Generic Webhook"),
        extension("off", "Jira Cloud", temporarily_disabled=True),
    )
    mock.get(f"{URL}/extensions", json=page("extensions", *rows))
    assert pagerduty.jira_extensions() == (OtherTool(id="one", name="one", services=("PSVC1",)),)


def test_the_apps_rules_are_read_for_each_of_its_accounts(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(APP, json=page("accounts_mappings", {"id": "PAM1"}, {"id": "PAM2"}))
    rule = {"id": "PR1", "name": "Web", "config": {"service": {"id": "PSVC1"}, "jira": {}}}
    mock.get(f"{APP}/PAM1/rules", json=page("rules", rule))
    mock.get(f"{APP}/PAM2/rules", json=page("rules"))
    assert pagerduty.jira_rules() == (OtherTool(id="PR1", name="Web", services=("PSVC1",)),)


def test_what_cannot_be_read_is_never_an_empty_list(
    pagerduty: PagerDutyClient, mock: responses.RequestsMock
) -> None:
    mock.get(f"{URL}/schedules", json={"schedules": None, "more": False})
    with pytest.raises(Unknown):
        pagerduty.schedules()
    mock.get(f"{URL}/extensions", status=403, json={"error": {"message": "Access Denied", "code": 2010}})
    mock.get(f"{URL}/services", json={"services": []})
    with pytest.raises(NotDone) as raised:
        pagerduty.jira_extensions()
    assert raised.value.cause is Cause.FORBIDDEN
