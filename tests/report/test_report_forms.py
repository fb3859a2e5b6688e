"""The forms of a report: mail in HTML and text, CSV and JSON tell the same figures."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from report_cast import NOW, TEMPLATES, duty, incident, item, ledger, put, quarter
from test_report_figures import FRIDAY, WEEK, parked, report, table

from syncd.report.weekly import formats
from syncd.report.weekly.words import report_context, subject, verdict


def test_a_week_without_incidents_says_so_in_three_lines(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        text = formats.written(report(made), "text", TEMPLATES)
    lines = [
        line for line in text.splitlines() if line and not line.startswith(("Made ", "The ledger exists"))
    ]
    assert len(lines) == 3
    assert lines[1] == "No incidents, nothing was due."


@pytest.mark.parametrize(
    ("met", "of", "words"),
    [
        (0, 0, "nothing was due"),
        (1, 1, "the only duty"),
        (19, 19, "all 19 duties"),
        (17, 19, "17 of 19 duties met"),
    ],
)
def test_the_verdict_is_in_the_subject(tmp_path: Path, met: int, of: int, words: str) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        put(made, row)
        put(made, *(duty(row, "done", "met", FRIDAY, met_at=FRIDAY, subject=str(n)) for n in range(met)))
        put(made, *(duty(row, "done", "breached", FRIDAY, subject=str(100 + n)) for n in range(of - met)))
        made_report = report(made)
    assert words in verdict(made_report.figures)
    assert words in subject(made_report)
    assert "\n" not in subject(made_report)


def test_html_text_and_csv_take_hostile_words_for_words(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        happened = incident(1, service="<img src=x onerror=alert(1)>")
        put(
            made,
            happened,
            item(
                happened,
                "5001",
                snapshot={"summary": "=cmd|' /C calc'!A0\r\nBcc: x", "status": {"name": "<b>"}},
            ),
        )
        made_report = report(made)
    html, text = (
        formats.written(made_report, "html", TEMPLATES),
        formats.written(made_report, "text", TEMPLATES),
    )
    assert "<img" not in html
    assert "&lt;img" in html
    assert "\nBcc" not in text
    (row,) = [row for row in table(made_report) if row["key"] == "OPS-5001"]
    assert row["summary"].startswith("'=")


def test_html_and_text_say_the_same_numbers(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        quarter(made, 4)
        made_report = report(made)
    html, text = (
        formats.written(made_report, "html", TEMPLATES),
        formats.written(made_report, "text", TEMPLATES),
    )
    context = report_context(made_report)
    breakable = html.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NON-BREAKING HYPHEN}", "-")
    for part in (breakable, text):
        assert context["verdict"] in part
        for section in context["sections"]:
            for bar in section.get("bars", ()):
                assert bar["text"] in part


def test_the_mail_has_the_week_and_the_twelve_before_as_bars_with_their_numbers(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        quarter(made, 4)
        made_report = report(made)
        before = {week: report(made, week=WEEK.back(week)).figures for week in range(13)}
    (trend,) = [part for part in report_context(made_report)["sections"] if "Week by week" in part["title"]]
    assert [bar["label"] for bar in trend["bars"]] == [WEEK.back(week).name for week in range(13)]
    for week, bar in enumerate(trend["bars"]):
        met, of = before[week]["met"], before[week]["of"]
        assert bar["text"] == (f"{met} of {of}" if of else "nothing due")
        assert bar["share"] == (round(100 * met / of) if of else 0)
    html = formats.written(made_report, "html", TEMPLATES)
    assert "<img" not in html
    assert "<svg" not in html
    lines = formats.written(made_report, "text", TEMPLATES).splitlines()
    assert f"  {trend['bars'][0]['text']}  {WEEK.name}" in lines


def test_a_week_that_is_not_over_says_so(tmp_path: Path) -> None:
    sentence = "This week is not over yet; these are the figures so far."
    with ledger(tmp_path) as made:
        put(made, incident(1))
        assert sentence in formats.written(report(made, now=FRIDAY), "text", TEMPLATES)
        assert sentence not in formats.written(report(made), "text", TEMPLATES)


def test_incidents_by_severity_by_team_and_by_service_stand_under_titles_of_their_own(
    tmp_path: Path,
) -> None:
    with ledger(tmp_path) as made:
        put(made, incident(1), incident(2, team="Ramen", severity="Sev-1"))
        sections = {
            section["title"]: section for section in report_context(report(made, team=None))["sections"]
        }
    bars = {
        title: [bar["label"] for bar in sections[title]["bars"]]
        for title in ("Incidents: 2", "Incidents by team", "Incidents by service")
    }
    assert sorted(bars["Incidents by team"]) == ["QRPay", "Ramen"]
    assert not set(bars["Incidents: 2"]) & {*bars["Incidents by team"], *bars["Incidents by service"]}


def test_without_names_nobody_is_named(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        quarter(made, 4)
        made_report = report(made, team=None)
    for text in (
        formats.written(made_report, "html", TEMPLATES, names=False),
        formats.written(made_report, "text", TEMPLATES, names=False),
        formats.as_csv(made_report, names=False),
        formats.as_json(made_report, names=False),
    ):
        for name in ("Amara Osei", "Jonas Lindqvist", "Mei Tanaka", "Priya Raman"):
            assert name not in text


def test_without_names_a_service_s_words_about_a_parked_operation_are_left_out(tmp_path: Path) -> None:
    refused = "User 'Amara Osei' cannot be assigned issues."
    bounced = "550 no mailbox amara@qrpay.example, Amara Osei left"
    with ledger(tmp_path) as made:
        one = incident(1)
        put(made, one, parked(1, one, refused), parked(2, one, bounced, to="amara@qrpay.example"))
        made_report = report(made, team=None)
    for form in ("html", "text", "csv", "json"):
        nameless = formats.written(made_report, form, TEMPLATES, names=False)
        assert "amara" not in nameless.lower()
        assert "parked" in nameless
    figures = json.loads(formats.as_json(made_report, names=False))["figures"]
    assert [(row["kind"], row["incident"]) for row in figures["parked"]] == [
        ("edit_ticket", "P1"),
        ("send_mail", "P1"),
    ]
    for text in (formats.as_csv(made_report), formats.as_json(made_report)):
        assert refused in text
        assert bounced in text


def test_the_json_form_holds_the_same_rows_as_the_csv(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        quarter(made, 2)
        made_report = report(made)
    assert len(json.loads(formats.as_json(made_report))["rows"]) == len(table(made_report))


def test_an_incident_whose_log_was_never_read_is_not_called_unacknowledged(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        put(made, incident(1), incident(2, acknowledged_at=None), incident(3, acknowledged_at=None, log=[]))
        made_report = report(made)
    assert (made_report.figures["never_acknowledged"], made_report.figures["log_unread"]) == (1, 1)
    (section,) = (
        each
        for each in report_context(made_report)["sections"]
        if each["title"] == "Time to acknowledge (MTTA)"
    )
    assert section["lines"] == [
        "1 incident resolved without an acknowledgement",
        "1 incident whose log syncd has not read: an acknowledgement may stand there",
    ]


def test_what_people_set_aside_is_listed_as_wont_do_among_what_is_done(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        happened = incident(1)
        put(made, happened)
        for ident, stands in (("7", "done"), ("8", "won't do")):
            put(made, item(happened, ident, facts={"stands": stands}))
            ended = {"met_at": NOW - timedelta(days=3), "met_by": "Amara Osei", "subject": ident}
            put(made, duty(happened, "done", "met", NOW - timedelta(days=2), **ended))
        made_report = report(made)
    verdicts = [row["verdict"] for row in made_report.rows if row["table"] == "action item"]
    assert sorted(verdicts) == ["done", "won't do"]
    (section,) = (
        each for each in report_context(made_report)["sections"] if each["title"] == "Follow-ups open: 0"
    )
    assert section["lines"][0].startswith("2 done this week (1 as won't do), 0 overdue")
