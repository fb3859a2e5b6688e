from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from config_cast import incident, mapping
from hostile_text import JOINER, PIECES, active_markup, hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.mapping.load import load_mappings
from syncd.config.shipped import shipped
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import DESCRIPTION_LIMIT, ticket_summary
from syncd.config.templates.ticket import (
    SHORTENED,
    Subject,
    choose_playbook,
    cut_markup,
    render_ticket,
    ticket_context,
)
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import utf16_len

TEMPLATES = Templates()
SHIPPED = {each_mapping.team: each_mapping for each_mapping in load_mappings(shipped("mappings"), TEMPLATES)}
GENERIC = mapping(
    services={
        "Payments": {"links": {"Dash": "https://d.example/x"}, "playbook": [{"name": "P", "actions": ["a"]}]}
    }
)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
references = st.builds(lambda text: {"id": "PX", "name": text}, hostile)
incidents = st.builds(
    lambda **fields: Incident.model_validate(fields),
    id=st.just("PINC1"),
    number=st.integers(1, 10**9),
    title=st.one_of(hostile, st.lists(PIECES, min_size=200, max_size=300).map("".join)),
    status=st.sampled_from(["triggered", "acknowledged", "resolved"]),
    urgency=st.sampled_from(["high", "low"]),
    priority=st.none() | references,
    service=references,
    escalation_policy=st.none() | references,
    assignees=st.lists(references, max_size=3),
    created_at=moments,
    resolved_at=st.none() | moments,
    html_url=st.one_of(st.just("https://company.pagerduty.example/incidents/PINC1"), hostile),
    custom_fields=st.none() | st.dictionaries(hostile, st.none() | st.integers() | hostile, max_size=3),
)
places = st.sampled_from([GENERIC, *SHIPPED.values()]).flatmap(
    lambda team: st.tuples(
        st.just(team),
        st.sampled_from(list(team.services.values())),
        st.sampled_from(list(team.severities)),
        st.booleans(),
    )
)

_OURS = re.compile(
    r"""(?mx)
      ^\*[ ]\[[^\[\]|\n]*\|https?://[^\s\[\]|{}]+\]$
    | ^h2\.[ ] | ^[*\#][ ] | ^_[^_]*_$
    """
)


def render(case: Incident, team: Mapping, **more: Any) -> str:
    section = next(iter(team.services.values()))
    place = Subject(case, team, section, next(iter(team.severities)), False)
    return render_ticket(TEMPLATES, place).description


@settings(max_examples=150, deadline=None)
@given(incidents, places)
def test_a_ticket_of_any_incident_is_harmless_and_within_jiras_limits(
    case: Incident, place: tuple[Mapping, Any, str, bool]
) -> None:
    ticket = render_ticket(TEMPLATES, Subject(case, *place))
    assert 1 <= utf16_len(ticket.summary) <= 255
    assert len(ticket.summary.splitlines()) == 1
    assert utf16_len(ticket.description) <= DESCRIPTION_LIMIT
    ticket.description.encode("utf-8")
    # without the template's own headings, bullets, prompts and links nothing is left that acts
    assert active_markup(_OURS.sub("", ticket.description)) == []
    assert ticket.description.count("\nh2. ") + 1 == len(re.findall(r"(?m)^h2\. ", ticket.description))


def test_a_qrpay_ticket_has_what_its_runbook_asks() -> None:
    team = SHIPPED["QRPay"]
    case = incident(
        title="Alipay p99 above 2 s",
        service={"id": "PA", "name": "Alipay Integration"},
        assignees=[{"id": "PU", "name": "Amara Osei"}],
        escalation_policy={"id": "PE", "name": "QRPay incidents"},
    )
    ticket = render_ticket(TEMPLATES, Subject(case, team, team.services["Alipay Integration"], "SEV2", True))
    assert ticket.summary == "Alipay p99 above 2 s"
    headings = re.findall(r"(?m)^h2\. (.*)$", ticket.description)
    assert {"Summary", "Impact", "Root cause", "Mitigation", "Follow-up tasks"} <= set(headings)
    for line in (
        "* Service: Alipay Integration (owner: amara.osei\\@qrpay.example)",
        "* Severity: SEV2, assumed because nobody has set one. One integration works in part only",
        "* Urgency: high",
        "* Triggered: 2026-12-01 05:12 UTC",
        "* Assigned: Amara Osei (escalation policy: QRPay incidents)",
        "* [PagerDuty incident \\#42|https://company.pagerduty.example/incidents/PINC1]".replace("\\#", "#"),
        "* [Jaeger traces|https://jaeger.qrpay.example/search?service=alipay]",
        "* [Runbook|https://wiki.qrpay.example/runbooks/incident-response]",
        "# ☐ Check that the synthetic checks reach the upstream endpoint",
        "* ☐ Metrics and traces are back to normal",
    ):
        assert line in ticket.description.splitlines(), line


def test_the_ticket_of_a_restricted_incident_asks_for_no_line_about_a_role() -> None:
    team = SHIPPED["QRPay"]
    place = Subject(incident(), team, team.services["Alipay Integration"], "SEV2", False)
    hint = "_A note or comment that begins with a role"
    assert hint in render_ticket(TEMPLATES, place).description
    text = render_ticket(TEMPLATES, replace(place, restricted=True)).description
    assert "* Incident commander: nobody yet" in text
    assert hint not in text


def test_a_qrpay_ticket_leads_through_the_lifecycle_of_its_runbook() -> None:
    team = SHIPPED["QRPay"]
    case = incident(service={"id": "PA", "name": "Alipay {html}"})
    text = render_ticket(
        TEMPLATES, Subject(case, team, team.services["Alipay Integration"], "SEV2", False)
    ).description
    for words in (
        *("Incident commander", "Communications lead", "Subject matter expert", "Scribe"),
        *("within 5 minutes", "#inc-42", "partner banks", "SLO dashboards", "collected from Jaeger"),
        *("every 15 minutes", "#status-qrpay", "internal status page", "more than 15 minutes"),
        *("Next update in 30 minutes", "back to normal", "PagerDuty shows the final status"),
        *("knowledge base", "Errors of Alipay \\{html\\} are higher than usual"),
    ):
        assert words in text, words


def test_a_ramen_ticket_tells_the_words_of_its_runbook_on_communications() -> None:
    team = SHIPPED["Ramen"]
    case = incident(title="Orders fail", service={"id": "PO", "name": "Ordering API"})
    text = render_ticket(
        TEMPLATES, Subject(case, team, team.services["Ordering API"], "Sev-1", False)
    ).description
    for words in ("within 15 minutes, then hourly", "Sev-1 or Sev-2", "E-mail to restaurants", "banner"):
        assert words in text, words


def test_a_ramen_ticket_has_detection_actions_and_what_ends_it() -> None:
    team = SHIPPED["Ramen"]
    case = incident(title="DLQ grows", service={"id": "PW", "name": "Webhooks"})
    text = render_ticket(
        TEMPLATES, Subject(case, team, team.services["Webhooks"], "Sev-2", False)
    ).description
    assert "How to recognise it:\n* The queue is longer than its threshold" in text
    assert "What to do:\n# ☐ Scale the consumers out and switch on backoff with jitter" in text
    assert "It is over when:\n* ☐ The queue is below its threshold and the DLQ below 10 events" in text
    assert "* Severity: Sev-2. Orders are created" in text


def test_secrets_of_an_incident_are_masked_before_they_reach_a_template() -> None:
    team = mapping(redact={"patterns": {"customer": r"C-\d{4}"}})
    case = incident(
        title="card 4111 1111 1111\n1111 of C-1234 with Bearer 0123456789abcdef",
        assignees=[{"id": "PU", "name": "Bearer 0123456789abcdef"}],
        custom_fields={"note": "DB_PASSWORD=hunter2"},
    )
    context = ticket_context(Subject(case, team, team.services["Payments"], "SEV2", False))
    for secret in ("1111", "C-1234", "0123456789abcdef", "hunter2"):
        assert secret not in str(context)
        assert secret not in ticket_summary(case, team)
    assert "[card number] of [customer]" in ticket_summary(case, team)


def test_an_incident_without_a_title_has_a_summary() -> None:
    team = mapping()
    assert ticket_summary(incident(title=" \n\x00"), team) == "Incident #42"
    assert "Incident \\#42" in render(incident(title=""), team) or "Incident #42" in render(
        incident(title=""), team
    )


def test_everything_that_the_readme_promises_is_in_the_context() -> None:
    readme = (Path(__file__).parents[2] / "templates" / "README.md").read_text()
    context = ticket_context(Subject(incident(), GENERIC, GENERIC.services["Payments"], "SEV2", False))
    named = set(
        re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", readme.partition("## Variables")[2].partition("## Esc")[0])
    )
    for section, value in context.items():
        assert section in named or all(f"{section}.{key}" in named for key in value), section  # type: ignore[union-attr] # sections are dicts


PLAYBOOKS = mapping(
    services={
        "Payments": {
            "playbook": [
                {"name": "Refunds", "title": "refund", "actions": ["a"]},
                {"name": "Stripe", "actions": ["b"]},
            ]
        }
    },
    playbook=[{"name": "Security", "title": r"\bPII\b", "actions": ["c"]}],
)


@pytest.mark.parametrize(
    ("title", "chosen"),
    [
        ("REFUNDS above 6 %", ["Refunds"]),
        ("Intents fail", ["Stripe"]),
        ("pii in refund\nmails", ["Security", "Refunds"]),
        ("", ["Stripe"]),
    ],
)
def test_the_playbook_is_chosen_by_title_and_else_the_services_own(title: str, chosen: list[str]) -> None:
    section = PLAYBOOKS.services["Payments"]
    assert [playbook.name for playbook in choose_playbook(PLAYBOOKS, section, title)] == chosen


def test_a_pattern_that_takes_too_long_on_a_title_does_not_match() -> None:
    team = mapping(
        services={"Payments": {"playbook": [{"name": "X", "title": "(a|aa)+$", "actions": ["x"]}]}}
    )
    assert choose_playbook(team, team.services["Payments"], "a" * 60 + "!") == ()


blocks = st.lists(
    st.sampled_from(
        [
            *("a line", "x" * 90, "{code:java}", "{code}", "{noformat}", "{quote}", "{color:red}red{color}"),
            *("\\{code\\}", "* [a|https://a.example/]", "", "👍" * 20, "{panel:title=x}", "{panel}"),
        ]
    ),
    max_size=60,
).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(blocks, st.integers(80, 600))
def test_markup_is_cut_after_a_whole_line_and_never_inside_a_block(text: str, limit: int) -> None:
    short = cut_markup(text, limit)
    assert utf16_len(short) <= limit
    if utf16_len(text) <= limit:
        assert short == text
        return
    *kept, last = short.split("\n")
    assert last == SHORTENED
    assert kept == text.split("\n")[: len(kept)]
    assert blocks_open("\n".join(kept)) == []


def blocks_open(text: str) -> list[str]:
    """The blocks that a text leaves open, read independently of the code under test."""
    names: list[str] = []
    for name in re.findall(r"(?<!\\)\{(\w+)(?::[^}]*)?\}", text):
        if names and names[-1] == name:
            names.pop()
        elif not (names and names[-1] in ("code", "noformat")):
            names.append(name)
    return names


def test_a_description_that_is_too_long_says_where_the_rest_is(tmp_path: Path) -> None:
    steps = [f"step {number} " + "x" * 900 for number in range(60)]
    team = mapping(services={"Payments": {"playbook": [{"name": "Long", "actions": steps}]}})
    text = render(incident(), team)
    assert utf16_len(text) <= DESCRIPTION_LIMIT
    assert text.endswith(SHORTENED)
    assert "step 20 " in text and JOINER not in text


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("#inc-{number}", "* Channel #inc-7"),
        ("https://chat.example/c/inc-{number}", "* [Channel of the incident|https://chat.example/c/inc-7]"),
    ],
)
def test_the_ticket_names_the_channel_that_pagerduty_makes_for_the_incident(pattern: str, line: str) -> None:
    team = mapping(chat={"incident_channel": pattern})
    subject = Subject(incident(number=7), team, team.services["Payments"], next(iter(team.severities)), False)
    assert line in render_ticket(TEMPLATES, subject).description.splitlines()


def test_a_pattern_without_the_incidents_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a pattern such as `#inc-"):
        mapping(chat={"incident_channel": "#incidents"})
