"""The postmortem of a restricted incident holds no text where people without rights can read it."""

from __future__ import annotations

from typing import Any

from rig import Rig

from engine.cast import nothing_more_is_written
from engine.postmortem_rig import later, live, on, postmortem
from syncd.sandbox import dump, faults

SECRET = "Ana Reyes' card was leaked"

RESTRICTED = {"titles": ["leak"], "level": ["Security incident"], "lead": "elif.kaya@qrpay.example"}


def restricted_postmortem(rig: Rig) -> dict[str, Any]:
    issues: list[dict[str, Any]] = dump.whole(rig.world)["jira"]["issues"]
    (found,) = [issue for issue in issues if issue["fields"]["issuetype"]["name"] == "Postmortem"]
    return found


def everything(rig: Rig, issue: dict[str, Any]) -> str:
    database = b"".join(path.read_bytes() for path in rig.folder.glob("ledger.db*"))
    # beside a link Jira shows the other issue's summary, to those who may see that one
    fields = {name: value for name, value in issue["fields"].items() if name != "issuelinks"}
    return str(fields) + database.decode("latin-1")


def test_a_restricted_incident_s_postmortem_stands_under_the_level_and_holds_no_text(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, title=SECRET, priority="P1")
    later(rig)
    issue = restricted_postmortem(rig)
    assert issue["fields"]["security"]["name"] == "Security incident"
    assert issue["fields"]["summary"] == "Postmortem: Security incident #1"
    description = issue["fields"]["description"]
    assert "UTC, Amara Osei: Acknowledged" in description
    assert "its texts are only in its ticket and in PagerDuty" in description
    assert "Ana Reyes" not in everything(rig, issue)
    assert "backup provider" not in everything(rig, issue)
    nothing_more_is_written(rig)


def test_where_no_level_may_be_set_it_says_nothing(make_rig: Any) -> None:
    rig = on(make_rig, restricted={**RESTRICTED, "level": ["Board only"]})
    live(rig, title=SECRET, priority="P1")
    later(rig)
    fields = restricted_postmortem(rig)["fields"]
    assert fields["summary"] == "Postmortem: Security incident #1"
    assert fields["description"].startswith("[PagerDuty incident #1|")
    assert len(fields["description"].splitlines()) == 1
    nothing_more_is_written(rig)


def test_a_level_that_jira_refuses_leaves_it_saying_nothing(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, title=SECRET, priority="P1")
    words = "Field 'security' cannot be set. It is not on the appropriate screen, or unknown."
    refusal = faults.error(400, body={"errorMessages": [], "errors": {"security": words}})
    rig.world.faults.add(refusal, service="jira", method="POST", path="/issue$", times=1)
    later(rig)
    fields = restricted_postmortem(rig)["fields"]
    assert "Timeline" not in fields["description"]
    assert fields.get("security") is None
    nothing_more_is_written(rig)


def test_one_that_becomes_restricted_later_is_put_under_the_level_before_all_else(make_rig: Any) -> None:
    rig = on(make_rig, restricted=RESTRICTED)
    live(rig, priority="P1")
    later(rig)
    assert postmortem(rig)["fields"]["security"] is None
    rig.world.jira.edit("OPS-1", "Priya Raman", labels=["restricted"])
    rig.settle(3)
    assert postmortem(rig)["fields"]["security"]["name"] == "Security incident"
    nothing_more_is_written(rig)
