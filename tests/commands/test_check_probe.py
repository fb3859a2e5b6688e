"""The trials of `syncd check --probe` and the page for the Jira admin."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from check_cast import FIRST, found, of, probes, remap
from commandline import House

from syncd.sandbox import dump, faults, presets


def with_chat(house: House, **more: str) -> None:
    chat = {"mode": "enforce", "channel": "status-qrpay", **more}
    Path("m/qrpay.yaml").write_text(f"{FIRST}chat: {chat}\n".replace("'", '"'))


def test_the_probe_walks_a_ticket_through_every_status_and_leaves_it_closed(first: House) -> None:
    result = first.syncd("check", "--probe", "--yes")
    assert result.code == 0
    (ticket,) = probes(first)
    assert ticket["fields"]["status"]["name"] == "Done"
    for name in ("To Do", "In Progress", "In Review", "Done"):
        assert f"reached {name}" in result.out
    assert "there is no issue of type" not in result.out


def test_the_probe_says_what_a_screen_demands_and_where_the_ticket_is_left(first: House) -> None:
    presets.use_workflow(first.world.jira.site, "OPS", presets.closing_screen("customfield_10052"))
    result = first.syncd("check", "--probe", "--yes")
    assert result.code == 1
    assert "requires Root cause (customfield_10052), and nothing fills it" in result.out
    assert "OPS-1 stays in In Review" in result.out


def test_a_probe_that_ended_early_is_not_advised_again(first: House) -> None:
    site = first.world.jira.site
    presets.use_workflow(site, "OPS", presets.closing_screen("customfield_10052"))
    findings = found(first, "--probe", "--yes")
    assert of(findings, "T01", "wrong")
    (unseen,) = of(findings, "J08", "unknown")
    assert unseen["hint"] == "see the trial ticket's findings (T01)"


def test_a_probe_whose_answer_is_lost_is_not_sent_again(first: House) -> None:
    first.world.faults.add(faults.lose_answer(), service="jira", method="POST", path="/issue$")
    findings = found(first, "--probe", "--yes")
    (lost,) = of(findings, "T01", "unknown")
    assert "syncd did not try again" in lost["hint"]
    assert len(probes(first)) == 1


@pytest.mark.parametrize(("method", "strike"), [("POST", faults.lose_answer()), ("GET", faults.error(400))])
def test_a_trial_that_ends_early_closes_its_ticket(first: House, method: str, strike: faults.Strike) -> None:
    first.world.faults.add(strike, service="jira", method=method, path="/transitions$")
    findings = found(first, "--probe", "--yes")
    assert of(findings, "T01", "unknown")
    assert of(findings, "T01", "ok")[-1]["message"] == "OPS-1 is closed; you may delete it"
    (ticket,) = probes(first)
    assert ticket["fields"]["status"]["name"] == "Done"


def test_the_trial_tickets_of_two_teams_do_not_look_like_duplicates(first: House) -> None:
    other = "syncd: 1\nteam: Web\nenforce_from: 2026-11-20\nservices: {Ordering API: {}}\n"
    Path("m/web.yaml").write_text(f"{other}jira: {{project: OPS, resolution: [Done]}}\n")
    first.syncd("check", "--probe", "--yes")
    marks = [issue.now.properties["syncd"] for issue in first.world.jira.site.issues.values()]
    assert [mark["kind"] for mark in marks] == ["probe", "probe"]
    assert marks[0]["op"] != marks[1]["op"]


def test_the_probe_asks_before(first: House) -> None:
    for answer in ("n\n", ""):
        first.monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        result = first.syncd("check", "--probe")
        assert result.code == 130
        assert "This creates a ticket labelled syncd-probe in OPS (QRPay)" in result.err
    assert first.writes() == 0
    first.set("SYNCD_DRY_RUN", "true")
    assert first.syncd("check", "--probe", "--yes").code == 2
    assert first.writes() == 0


def test_our_daemon_takes_no_notice_of_the_probes_ticket(first: House) -> None:
    first.syncd("check", "--probe", "--yes")
    before = first.writes()
    assert first.syncd("run", "--once").code == 0
    assert first.writes() == before


@pytest.mark.parametrize("args", [("--offline", "--probe"), ("--for-admin", "--json")])
def test_options_that_exclude_each_other_are_a_usage_error(first: House, args: tuple[str, str]) -> None:
    assert first.syncd("check", *args).code == 2


def test_the_page_for_the_admin_names_rights_fields_transitions_and_what_is_done_without(
    first: House,
) -> None:
    project = next(
        each_project for each_project in first.world.jira.site.projects.values() if each_project.key == "OPS"
    )
    project.denied.add("LINK_ISSUES")
    result = first.syncd("check", "--for-admin")
    assert result.code == 0
    for words in ("## Project OPS", "Link Issues", "are not linked", "create screen", "### Open points"):
        assert words in result.out
    for words in (
        "| postmortems and action items | Create Issues, Link Issues | syncd creates no postmortem",
        "- Issue type: Postmortem or Task; without it, syncd creates no postmortem.",
        "- The due date on its edit screen",
        "- Sub-tasks (Sub-task or Subtask) for action items; without them",
        "- Link type to its ticket: Post-Incident Reviews or Relates; without it",
    ):
        assert words in result.out
    assert first.syncd("check", "--for-admin", "--offline").code == 0
    assert first.world.journal.writes() == []


def test_the_page_for_the_admin_names_people_and_what_is_done_without(house: House) -> None:
    page = house.syncd("check", "--for-admin").out
    assert "- owner of BluBank Integration: jonas.lindqvist@qrpay.example: Jira has no assignable" in page
    assert "### Done without" in page
    assert "- the project lacks: component Yoomonea Service (syncd creates tickets without it" in page


@pytest.mark.parametrize("role", ["read_only_user", "observer"])
def test_an_author_who_may_only_read_is_wrong_before_anything_is_written(first: House, role: str) -> None:
    users = first.world.pagerduty.account.users.values()
    author = next(user for user in users if user.email == "amara.osei@qrpay.example")
    first.set("SYNCD_PAGERDUTY_FROM", author.email)
    (fine,) = of(found(first), "PD04", "ok")
    assert "syncd writes notes as Amara Osei" in fine["message"]
    author.role = role
    (finding,) = of(found(first), "PD04", "wrong")
    assert finding["message"] == f"Amara Osei has the role {role}, which may not write notes"
    assert first.writes() == 0


def test_the_trial_ticket_goes_to_the_fallback_where_jira_demands_an_assignee(first: House) -> None:
    presets.require(first.world.jira.site, "OPS", "assignee")
    remap(first, "services:\n", "people: {fallback: priya.raman@qrpay.example}\nservices:\n")
    assert of(found(first, "--probe", "--yes"), "T01", "wrong") == []
    (probe,) = probes(first)
    assert probe["fields"]["assignee"]["displayName"] == "Priya Raman"


def test_a_probe_shows_a_key_that_may_only_read(first: House) -> None:
    account = first.world.pagerduty.account
    assert of(found(first, "--probe", "--yes"), "PD04", "wrong") == []
    account.read_only_tokens.update(account.tokens)
    (finding,) = of(found(first, "--probe", "--yes"), "PD04", "wrong")
    assert "the key may only read, so syncd writes no notes" in finding["message"]
    account.read_only_tokens.clear()
    first.set("SYNCD_PAGERDUTY_FROM", "nobody@qrpay.example")
    wrong = {
        each_finding["message"] for each_finding in of(found(first, "--probe", "--yes"), "PD04", "wrong")
    }
    assert any("PagerDuty shows our token no user with the address" in message for message in wrong)
    # no incident got a note
    incidents = dump.whole(first.world)["pagerduty"]["incidents"]
    assert all(incident["notes"] == [] for incident in incidents)


def test_a_channel_without_a_url_is_named_and_on_a_real_site_it_is_wrong(first: House) -> None:
    with_chat(first)
    (finding,) = of(found(first, "--offline"), "C13", "ok")
    assert finding["message"].startswith("SYNCD_CHAT_URLS has no URL for the channel status-qrpay")
    first.set("SYNCD_JIRA_URL", "https://qrpay.atlassian.net")
    (finding,) = of(found(first, "--offline"), "C13", "wrong")
    assert "SYNCD_CHAT_URLS" in finding["hint"]


def test_a_webhook_of_another_chat_is_wrong_and_no_finding_shows_it(first: House) -> None:
    with_chat(first, format="mattermost")
    first.set(
        "SYNCD_CHAT_URLS",
        "status-qrpay=https://hooks.slack.com/services/T1/B1/s3cret #ops=https://x.example/y",
    )
    result = first.syncd("check", "--offline", "--json")
    messages = [finding["message"] for finding in result.json["findings"] if finding["code"] == "C13"]
    assert messages == [
        "the URL of status-qrpay is one of slack, but `chat.format` is mattermost",
        "no mapping names the channel ops",
    ]
    assert "s3cret" not in result.out + result.err


def test_only_a_probe_posts_and_it_says_so_before(first: House) -> None:
    with_chat(first)
    first.set("SYNCD_CHAT_URLS", first.world.chat.urls())
    assert of(found(first), "T02", "ok") == []
    assert first.world.chat.posts == []
    assert [finding["message"] for finding in of(found(first, "--probe", "--yes"), "T02", "ok")] == [
        "the trial post is in the channel status-qrpay"
    ]
    assert [post.text for post in first.world.chat.posts] == [
        "syncd check: a trial post. No incident is behind it."
    ]
