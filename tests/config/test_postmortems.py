"""What a postmortem says: everything that its runbook asks, harmless, and short enough to be written on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from config_cast import incident, mapping
from hostile_text import PIECES, active_markup, hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.mapping.load import load_mappings
from syncd.config.mapping.template_trial import sample_story
from syncd.config.shipped import shipped
from syncd.config.templates.postmortem import (
    PREFILLED_LIMIT,
    duration,
    postmortem_context,
    render_postmortem,
    shortened,
)
from syncd.config.templates.templates import Templates
from syncd.config.templates.ticket import RenderedTicket, Subject
from syncd.domain.history import SeverityPeriod
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.postmortem import Alert, Helper, Line, Story, Window
from syncd.domain.text import utf16_len
from syncd.policy.follow_ups.table_parser import follow_ups_in

TEMPLATES = Templates()


def plain(one: Mapping) -> Mapping:
    """A shipped mapping in UTC and without targets; tests set those that they speak of."""
    none = {"acknowledge_minutes": None, "resolve_minutes": None}
    severities = {name: section.model_copy(update=none) for name, section in one.severities.items()}
    return one.model_copy(update={"zone": "UTC", "severities": severities})


SHIPPED = {
    each_mapping.team: plain(each_mapping) for each_mapping in load_mappings(shipped("mappings"), TEMPLATES)
}
QRPAY, RAMEN = SHIPPED["QRPay"], SHIPPED["Ramen"]
OPENED = datetime(2026, 12, 1, 5, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


def story(team: Mapping = QRPAY, **more: Any) -> Story:
    data: dict[str, Any] = {
        "severity": list(team.severities)[1],
        "windows": (Window(since=OPENED, until=at(75)),),
        "severity_periods": (SeverityPeriod(severity=list(team.severities)[1], since=OPENED),),
        "acknowledged_at": at(4),
        "helpers": (Helper(name="Amara Osei", roles=("incident commander", "acknowledged")),),
        "lines": (
            Line(at=at(4), text="Acknowledged by Amara Osei"),
            Line(at=at(9), text="Note: x", who="Mei"),
        ),
        "ticket_key": "OPS-1",
        "ticket_url": "https://jira.example/browse/OPS-1",
        "owner": "Amara Osei",
        "schedule_by": at(75) + timedelta(days=2),
        "review_by": at(75) + timedelta(days=14),
        "complete_by": at(75) + timedelta(days=14),
    }
    return Story(**{**data, **more})


def rendered(
    team: Mapping = QRPAY, told: Story | None = None, service: str = "", **more: Any
) -> RenderedTicket:
    name = service or next(iter(team.services))
    case = incident(
        **{
            "title": "Latency",
            "status": "resolved",
            "resolved_at": at(75),
            "service": {"id": "PS", "name": name},
            **more,
        }
    )
    severity = list(team.severities)[1]
    return render_postmortem(
        TEMPLATES, Subject(case, team, team.services[name], severity, False), told or story(team)
    )


def in_zone(team: Mapping, zone: str) -> Mapping:
    return team.model_copy(update={"zone": zone})


def with_targets(team: Mapping, **targets: float) -> Mapping:
    severities = {name: one.model_copy(update=targets) for name, one in team.severities.items()}
    return team.model_copy(update={"severities": severities})


def headings(text: str) -> list[str]:
    return re.findall(r"(?m)^h2\. (.*)$", text)


def test_qrpay_s_has_what_its_runbook_asks() -> None:
    text = rendered().description
    asked = ["Summary", "Impact", "Root cause", "Mitigation", "Follow-up tasks"]
    assert [heading for heading in headings(text) if heading in asked] == asked
    assert {"Timeline", "Response", "Links"} <= set(headings(text))
    assert "* Authentication tokens that were refused or had expired:" in text


def test_ramen_s_has_what_its_runbook_asks_with_the_kpis_to_fill_in() -> None:
    text = rendered(RAMEN, service="ETA").description
    asked = ["Timeline", "Contributing factors", "Action items", "SLO impact", "Prevention steps"]
    assert [heading for heading in headings(text) if heading in asked] == asked
    rows = re.findall(r"(?m)^\|\[(.*)\|(https:.*)\]\|(.*)\| \|$", text)
    assert [(name, threshold) for name, _link, threshold in rows] == [
        ("ETA error, p90", "at most 6 minutes"),
        ("Defect rate", "at most 3 %"),
        ("Refunds", "at most 6 % of GMV"),
        ("Webhooks, DLQ", "below 10 events"),
        ("Dispatch jobs created", "at least 99.5 %"),
    ]
    for line in ("* Kitchen load:", "* Traffic:", "* Backlog of the provider:"):
        assert line in text.splitlines()


@pytest.mark.parametrize("team", [QRPAY, RAMEN], ids=["QRPay", "Ramen"])
def test_a_row_that_people_add_to_its_table_is_read_as_a_follow_up_and_none_is_there_before(
    team: Mapping,
) -> None:
    text = rendered(team).description
    assert follow_ups_in(text) == []
    written = text.replace("| | | |", "|Alert on queue length|Mei Tanaka|2026-12-20|")
    assert follow_ups_in(written) == [
        {"text": "Alert on queue length", "owner": "Mei Tanaka", "due": "2026-12-20"}
    ]


def test_times_are_the_team_s_and_the_hour_that_comes_twice_is_told_apart() -> None:
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    lines = (Line(at=autumn, text="first"), Line(at=autumn + timedelta(hours=1), text="second"))
    text = rendered(in_zone(QRPAY, "Europe/Berlin"), story(lines=lines)).description
    assert "* 2026-10-25 02:30 CEST: first" in text
    assert "* 2026-10-25 02:30 CET: second" in text


def test_the_deadlines_stand_in_the_text_and_who_owns_it() -> None:
    text = rendered(in_zone(QRPAY, "Europe/Berlin")).description
    assert text.startswith("Owner: Amara Osei\n")
    assert "*2026-12-03 07:27 CET*" in text and "2026-12-15 at the latest" in text
    assert rendered(told=story(owner="")).description.startswith("*Owner: nobody yet*\n")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (None, "* Time to acknowledge: nobody acknowledged it (target: under 5 min)"),
        (4.99, "* Time to acknowledge: 4 min 59 s (target: under 5 min)"),
        (5, "* Time to acknowledge: 5 min (target: under 5 min, missed)"),
    ],
)
def test_the_times_are_held_against_the_targets(minutes: float | None, said: str) -> None:
    team = with_targets(QRPAY, acknowledge_minutes=5.0)
    told = story(acknowledged_at=None if minutes is None else at(minutes))
    lines = rendered(team, told).description.splitlines()
    assert said in lines
    assert "* Time to resolve: 1 h 15 min" in lines


def test_severities_and_spans_are_listed_with_their_times() -> None:
    told = story(
        severity="SEV0",
        severity_periods=(
            SeverityPeriod(severity="SEV2", since=OPENED),
            SeverityPeriod(severity="SEV0", since=at(20)),
        ),
        windows=(Window(since=OPENED, until=at(30)), Window(since=at(40), until=at(75))),
    )
    lines = rendered(told=told).description.splitlines()
    assert "** SEV2 from 2026-12-01 05:12 UTC" in lines and "** SEV0 from 2026-12-01 05:32 UTC" in lines
    assert "* 2026-12-01 05:12 UTC to 2026-12-01 05:42 UTC (30 min)" in lines
    assert "* 2026-12-01 05:52 UTC to 2026-12-01 06:27 UTC (35 min)" in lines


def test_of_many_alerts_twenty_stand_there_and_the_rest_is_counted() -> None:
    alerts = (Alert(summary="p99", source="prometheus", url="https://pd.example/alerts/A"),) * 23
    text = rendered(told=story(alerts=alerts)).description
    assert text.count("* [p99|https://pd.example/alerts/A] from prometheus") == 20
    assert "_and 3 more in PagerDuty_" in text


def test_an_alert_without_a_summary_stands_there_under_its_key() -> None:
    alerts = (
        Alert(summary="", key="disk/db-7", source="zabbix", url="https://pd.example/alerts/A"),
        Alert(summary=" \n", key="4711"),
        Alert(summary=""),
    )
    lines = rendered(told=story(alerts=alerts)).description.splitlines()
    start = lines.index("h2. Alerts") + 1
    assert lines[start : start + 3] == [
        "* [alert disk/db-7|https://pd.example/alerts/A] from zabbix",
        "* alert 4711",
        "* alert",
    ]


def test_secrets_are_masked_in_every_text_of_the_story() -> None:
    card = "4111 1111 1111 1111"
    told = story(
        helpers=(Helper(name=card, roles=("resolved",)),),
        lines=(Line(at=OPENED, text=f"Note: {card}", who=card),),
        alerts=(Alert(summary=card, source=card),),
        owner=card,
    )
    assert "1111" not in rendered(told=told, title=card).description


def test_everything_that_the_readme_promises_is_in_the_context() -> None:
    readme = (Path(__file__).parents[2] / "templates" / "README.md").read_text()
    section = next(iter(QRPAY.services.values()))
    context = postmortem_context(Subject(incident(), QRPAY, section, "SEV2", False), story(), story().lines)
    promised = readme.partition("## Variables")[2].partition("## Esc")[0]
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", promised))
    for name, value in context.items():
        inside = value if isinstance(value, dict) else {}
        assert name in named or (inside and all(f"{name}.{key}" in named for key in inside)), name


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (299, "4 min 59 s"),
        (605, "10 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (3580, "1 h"),
        (86400, "1 d"),
        (273600, "3 d 4 h"),
    ],
)
def test_spans_read_as_people_say_them(seconds: int, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


texts = st.one_of(hostile, st.lists(PIECES, min_size=50, max_size=120).map("".join))
stories = st.builds(
    lambda lines, name, alert, withheld: story(
        lines=tuple(Line(at=at(number), text=text, who=name) for number, text in enumerate(lines)),
        helpers=(Helper(name=name, roles=("resolved",)),),
        alerts=(Alert(summary=alert, source=name, url=alert),),
        owner=name,
        withheld=withheld,
    ),
    st.lists(texts, max_size=6),
    hostile,
    texts,
    st.booleans(),
)
_OURS = re.compile(
    r"""(?mx)
      ^\*[ ]\[[^\[\]|\n]*\|https?://[^\s\[\]|{}]+\]
    | ^h2\.[ ] | ^\*\*?[ ] | ^_.*_$ | ^\|\|.*\|\|$ | ^\|.*\|$ | ^\*Owner:.*\*$
    | \*\d{4}-\d\d-\d\d[ ]\d\d:\d\d[ ]UTC\*
    """
)


@settings(max_examples=100, deadline=None)
@given(stories, texts, st.sampled_from([QRPAY, RAMEN]))
def test_a_postmortem_of_any_incident_is_harmless(told: Story, title: str, team: Mapping) -> None:
    told = told.model_copy(update={"severity": next(iter(team.severities)), "severity_periods": ()})
    done = rendered(team, told, title=title)
    assert 1 <= utf16_len(done.summary) <= 255 and len(done.summary.splitlines()) == 1
    assert utf16_len(done.description) <= PREFILLED_LIMIT
    assert active_markup(_OURS.sub("", done.description)) == []
    assert follow_ups_in(done.description) == []


def lines_of(count: int, length: int = 60) -> tuple[Line, ...]:
    return tuple(
        Line(at=at(number), text=f"{number} " + "x" * length, who="Amara") for number in range(count)
    )


@pytest.mark.parametrize(("count", "length"), [(3000, 60), (400, 490), (2000, 5)])
def test_a_long_timeline_loses_lines_from_its_middle_and_says_how_many(count: int, length: int) -> None:
    text = rendered(told=story(lines=lines_of(count, length))).description
    assert utf16_len(text) <= PREFILLED_LIMIT
    (left_out,) = re.findall(r"_(\d+) lines were left out here", text)
    shown = [int(number) for number in re.findall(r"UTC, Amara: (\d+) x", text)]
    assert len(shown) + int(left_out) == count
    assert shown[0] == 0 and shown[-1] == count - 1
    missing = next(number for number in range(count) if number not in shown)
    assert shown == [*range(missing), *range(missing + int(left_out), count)]
    assert abs(missing - (count - missing - int(left_out))) <= 1
    assert headings(text)[-1] == "Links"


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(-10, 6000))
def test_what_is_kept_of_a_timeline_is_its_beginning_and_its_end(sizes: list[int], room: int) -> None:
    lines = tuple(Line(at=at(number), text="x" * size) for number, size in enumerate(sizes))
    kept = shortened(lines, room)
    gaps = [kept_text for kept_text in kept if isinstance(kept_text, int)]
    if not gaps:
        assert kept == lines
        return
    (gap,) = gaps
    where = kept.index(gap)
    assert gap >= 1
    assert kept[:where] == lines[:where]
    assert kept[where + 1 :] == lines[where + gap :]


def test_one_of_a_template_that_says_more_about_a_line_still_fits(tmp_path: Path) -> None:
    line = "* {{ one.at }} {{ one.text }} {{ one.text }} {{ one.left_out }}"
    (tmp_path / "wordy.j2").write_text("{% for one in timeline %}\n" + line + "\n{% endfor %}\n")
    team = QRPAY.model_copy(
        update={"postmortem": QRPAY.postmortem.model_copy(update={"template": "wordy.j2"})}
    )
    section = team.services["Alipay Integration"]
    told = story(lines=lines_of(900, 200))
    done = render_postmortem(Templates(tmp_path), Subject(incident(), team, section, "SEV1", False), told)
    assert utf16_len(done.description) <= PREFILLED_LIMIT
    assert "899 x" in done.description


def test_the_default_template_serves_a_mapping_without_anything() -> None:
    team = mapping()
    section = team.services["Payments"]
    for rich in (True, False):
        told = sample_story(team, rich=rich)
        text = render_postmortem(
            TEMPLATES, Subject(incident(), team, section, "SEV2", False), told
        ).description
        assert "||Task||Owner||Due||" in text
        assert ("restricted" in text) is not rich
