"""What Jira tells of a login: proofs on good answers, and the faces of a dead token."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_calls import Caller, fields

from syncd.sandbox.cast import BOT_ACCOUNT, JIRA_KEY, default_world
from syncd.sandbox.world import World


def data_center() -> tuple[World, Caller]:
    world = default_world(data_center_edition=True)
    return world, Caller(world.jira, {"Authorization": f"Bearer {JIRA_KEY}"}, "/rest/api/2")


def test_each_good_answer_names_our_account(world: Any, jira: Any, issue: str) -> None:
    for path in (f"/issue/{issue}", "/issue/OPS-99", "/myself"):
        jira.get(path)
        assert jira.last.headers["X-AAccountId"] == BOT_ACCOUNT
    world.jira.site.options.login_headers = False
    jira.get("/myself")
    assert "X-AAccountId" not in jira.last.headers


def test_data_center_names_the_user() -> None:
    world, jira = data_center()
    jira.get("/myself")
    assert jira.last.headers["X-AUSERNAME"] == world.jira.site.people[BOT_ACCOUNT].username
    world.jira.site.options.login = "anonymous"
    jira.get("/project/OPS")
    assert (jira.status, jira.last.headers["X-AUSERNAME"]) == (404, "anonymous")


def test_a_dead_token_sees_nothing_and_only_myself_says_so(world: Any, jira: Any, issue: str) -> None:
    world.jira.site.options.login = "expired"
    assert jira.post("/search/jql", {"jql": "project = OPS"}) == {"issues": [], "isLast": True}
    assert jira.post("/issue/bulkfetch", {"issueIdsOrKeys": [issue]})["issues"] == []
    assert jira.get("/user/assignable/search?project=OPS") == []
    assert jira.last.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
    jira.get(f"/issue/{issue}")
    assert jira.status == 404
    refused = jira.post("/issue", {"fields": fields("Checkout is down")})
    assert (jira.status, refused["errors"]) == (400, {"project": "valid project is required"})
    jira.get("/myself")
    assert jira.status == 401
    jira.get("/serverInfo")
    assert jira.status == 200


@pytest.mark.parametrize("path", ["/myself", "/serverInfo", "/project/OPS"])
def test_a_captcha_refuses_each_request(path: str) -> None:
    world, jira = data_center()
    world.jira.site.options.login = "captcha"
    jira.get(path)
    assert jira.status == 403
    assert "CAPTCHA_CHALLENGE" in jira.last.headers["X-Authentication-Denied-Reason"]
