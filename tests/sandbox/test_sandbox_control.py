from typing import Any

import pytest
import requests


@pytest.fixture
def control(server: Any) -> Any:
    def ask(path: str, body: Any = None, status: int = 200) -> Any:
        url = f"{server.url('control')}/_sandbox{path}"
        answer = requests.get(url, timeout=5) if body is None else requests.post(url, json=body, timeout=5)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_it_tells_the_addresses_and_the_acts(server: Any, control: Any) -> None:
    about = control("")
    assert about["urls"]["jira"] == server.url("jira")
    assert {"trigger", "merge", "delete_note"} <= set(about["acts"]["pagerduty"])
    assert {"transition", "clone", "move"} <= set(about["acts"]["jira"])
    assert about["acts"]["jira"]["comment"] == "issue, body, by"
    assert about["acts"]["pagerduty"]["note"] == "incident, content, by, at=None"


def test_it_moves_the_clock_and_what_was_due_happens(control: Any) -> None:
    made = control("/acts/pagerduty/trigger", {"service": "Alipay Integration", "title": "x"})
    control("/acts/pagerduty/acknowledge", {"incident": made["id"], "by": "Amara Osei"})
    assert control("/clock", {"advance": 1800})["now"] == "2026-11-16T06:30:00+00:00"
    (incident,) = control("/state/pagerduty")["incidents"]
    assert incident["status"] == "triggered"
    assert control("/clock", {"set": "2026-11-17T00:00:00+00:00"}) == control("/clock")
    control("/clock", {"advance": -5}, status=400)


def test_people_act_on_both_services(control: Any) -> None:
    first, second = (
        control("/acts/pagerduty/trigger", {"service": "Payments", "title": title, "priority": "P2"})
        for title in ("first", "second")
    )
    control(
        "/acts/pagerduty/merge", {"target": first["id"], "sources": [second["id"]], "by": "Diego Fuentes"}
    )
    note = control("/acts/pagerduty/note", {"incident": 1, "content": "hello", "by": "Diego Fuentes"})
    control("/acts/pagerduty/edit_note", {"incident": 1, "note": note["id"], "content": "hello again"})
    issue = control("/acts/jira/create", {"by": "Amara Osei", "summary": "x", "type": "Incident"})
    control("/acts/jira/transition", {"issue": issue["key"], "to": "Done", "by": "Amara Osei"})
    comment = control("/acts/jira/comment", {"issue": issue["key"], "body": "done", "by": "Amara Osei"})
    state = control("/state")
    assert [incident["status"] for incident in state["pagerduty"]["incidents"]] == ["triggered", "resolved"]
    assert state["pagerduty"]["incidents"][0]["notes"][0]["content"] == "hello again"
    (shown,) = state["jira"]["issues"]
    assert (shown["fields"]["status"]["name"], shown["comments"][0]["id"]) == ("Done", comment["id"])
    assert (shown["made_by"], len(shown["changelog"])) == ("person", 1)
    control("/acts/jira/delete", {"issue": issue["key"]})
    assert control("/state/jira") == {"issues": [], "deleted": [issue["key"]]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/acts/pagerduty/find", {"incident": 1}),
        ("/acts/pagerduty/resolve", {"incident": 99}),
        ("/acts/pagerduty/resolve", {"nonsense": 1}),
        ("/acts/github/trigger", {}),
        ("/faults", {"way": "gremlins"}),
        ("/options/jira", {"nonsense": 1}),
        ("/clock", ["not an object"]),
    ],
)
def test_what_cannot_be_is_refused_in_words(control: Any, path: str, body: Any) -> None:
    assert control(path, body, status=400)["error"]


def test_an_act_that_the_service_refuses_comes_back_as_its_refusal(control: Any) -> None:
    made = control("/acts/pagerduty/trigger", {"service": "Payments", "title": "x"})
    control("/acts/pagerduty/resolve", {"incident": made["id"]})
    refused = control("/acts/pagerduty/resolve", {"incident": made["id"]}, status=400)
    assert refused["error"]["code"] == 1001


def test_faults_are_made_listed_and_taken_back(server: Any, control: Any) -> None:
    made = control(
        "/faults", {"way": "error", "status": 503, "service": "pagerduty", "times": None}, status=201
    )
    url = server.url("pagerduty") + "/abilities"
    assert requests.get(url, timeout=5).status_code == 503
    assert control("/faults")["rules"][0]["struck"] == 1
    control("/faults/clear", {"id": made["id"]})
    assert requests.get(url, timeout=5).status_code == 401


def test_options_and_doors_are_set(world: Any, server: Any, control: Any) -> None:
    assert control("/options/jira", {"search_lag": 300})["search_lag"] == 300
    assert world.jira.site.options.search_lag == 300
    control("/doors/jira", {"open": False})
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url("jira") + "/rest/api/2/serverInfo", timeout=5)
    control("/doors/jira", {"open": True})
    assert requests.get(server.url("jira") + "/rest/api/2/serverInfo", timeout=5).status_code == 200


def test_the_journal_and_the_counts_are_read(server: Any, control: Any) -> None:
    requests.get(server.url("jira") + "/rest/api/2/serverInfo", timeout=5)
    requests.delete(server.url("jira") + "/rest/api/2/issue/OPS-1", timeout=5)
    (line, _) = control("/journal")["lines"]
    assert (line["service"], line["pattern"], line["status"]) == ("jira", "/rest/api/2/serverInfo", 200)
    counts = control("/counts")
    assert (counts["totals"], counts["writes"], counts["offences"]) == (
        {"pagerduty": 0, "jira": 2, "chat": 0},
        1,
        1,
    )
    control("/journal/clear", {})
    assert control("/counts")["counts"] == []
