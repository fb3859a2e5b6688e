"""The report's figures: each definition, and that every total is a count of its rows."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_reading import OperationRow, TicketRow, WaiverRow
from report_cast import MAPPINGS, NOW, TEMPLATES, duty, incident, item, ledger, postmortem, put, quarter

from syncd.ledger.open import Ledger
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import set_value
from syncd.ledger.store.verifications import DIFFERS
from syncd.ledger.store.weekly_reports import keep_in
from syncd.report.weekly import formats
from syncd.report.weekly import report as weekly
from syncd.report.weekly.facts import rows_of
from syncd.report.weekly.report import Weekly, frozen, make, run_of
from syncd.report.weekly.week import Week
from syncd.report.weekly.words import report_context

WEEK = Week.named("2026-W47")
FRIDAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def keep(made: Ledger, report: Weekly) -> None:
    """Keep a report as it is sent."""
    with made.write() as session:
        keep_in(session, run_of(report, NOW))


def report(made: Ledger, team: str | None = "QRPay", week: Week = WEEK, now: datetime = NOW) -> Weekly:
    return make(made, week, team, MAPPINGS, now)


def table(made: Weekly) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(formats.as_csv(made))))


@pytest.mark.parametrize("seed", range(6))
def test_every_total_is_the_count_of_its_rows_in_the_csv(tmp_path: Path, seed: int) -> None:
    with ledger(tmp_path) as made:
        quarter(made, seed)
        for weeks in range(13):
            _adds_up(report(made, week=WEEK.back(weeks)))


class Incomparable(dict[str, Any]):
    """A row that is equal to no other: comparing each with all takes minutes on a large ledger."""

    __hash__ = None

    def __eq__(self, _other: object) -> bool:
        raise AssertionError("rows are compared")


def test_no_row_is_compared_with_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weekly, "rows_of", lambda facts: [Incomparable(row) for row in rows_of(facts)])
    with ledger(tmp_path) as made:
        quarter(made, 0)
        assert report(made).figures["of"]


def _adds_up(made_report: Weekly) -> None:
    rows, figures = table(made_report), made_report.figures

    def count(name: str, **wanted: str) -> int:
        return sum(
            row["table"] == name and all(row[key] == value for key, value in wanted.items()) for row in rows
        )

    assert figures["met"] == count("duty", verdict="met")
    counted = ("met", "met_late", "breached", "not judged")
    assert figures["of"] == sum(count("duty", verdict=word) for word in counted)
    assert len(figures["not_judged"]) == count("duty", verdict="not judged")
    incidents = figures["incidents"]
    assert incidents["count"] == count("incident") + count("restricted incident")
    assert incidents["restricted"] == count("restricted incident")
    assert incidents["assumed"] == count("incident", assumed="yes")
    for column, key in (("severity", "by_severity"), ("service", "by_service"), ("team", "by_team")):
        assert incidents[key] == {name: count("incident", **{column: name}) for name in incidents[key]}
        assert sum(incidents[key].values()) == count("incident")
    assert sum(incidents["without_ticket"].values()) == count("incident", ticket="")
    for line in figures["duties"]:
        for word in ("met", "met_late", "breached", "waived", "void", "cancelled", "restricted"):
            assert line[word] == count("duty", duty=line["duty"], verdict=word)
    assert sum(line["of"] for line in figures["duties"]) == figures["of"]
    assert len(figures["missed"]) == count("duty", verdict="met_late") + count("duty", verdict="breached")
    follow_ups = figures["follow_ups"]
    assert follow_ups["open"] == count("action item", verdict="open")
    assert follow_ups["unowned"] == count("action item", unowned="yes")
    assert follow_ups["done"] == count("action item", verdict="done")
    overdue = [row for row in rows if row["table"] == "action item" and row["overdue_days"]]
    assert follow_ups["overdue"] == len(overdue) == sum(follow_ups["overdue_by_age"].values())
    for key, column in (("acknowledge", "minutes_to_acknowledge"), ("resolve", "minutes_to_resolve")):
        timed = [row for row in rows if row["table"] == "incident" and row[column]]
        assert sum(line["count"] for line in figures[key]) == len(timed)
        for line in figures[key]:
            values = [float(row[column]) for row in timed if row["severity"] in line["severities"]]
            assert line["mean"] == pytest.approx(sum(values) / len(values), abs=0.01)
            assert line["worst"] == pytest.approx(max(values), abs=0.01)
            if line["target"] is not None:
                assert line["within"] <= line["count"]


def test_over_all_teams_the_numbers_are_the_sums_of_the_teams(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        quarter(made, 1)
        put(
            made, incident(900, team="Ramen", severity="Sev-2"), incident(901, team="Ramen", severity="Sev-3")
        )
        of_all = report(made, team=None).figures
        teams = [report(made, team=mapping.team).figures for mapping in MAPPINGS]
    assert of_all["incidents"]["count"] == sum(team["incidents"]["count"] for team in teams)
    assert (of_all["met"], of_all["of"]) == (
        sum(team["met"] for team in teams),
        sum(team["of"] for team in teams),
    )
    assert of_all["incidents"]["by_team"]["Ramen"] == 2


@pytest.mark.parametrize(
    ("state", "more", "met", "of"),
    [
        ("met", {"met_at": FRIDAY - timedelta(seconds=1)}, 1, 1),
        ("met", {"met_at": FRIDAY}, 1, 1),
        ("met_late", {"met_at": FRIDAY + timedelta(seconds=1), "breached_at": FRIDAY}, 0, 1),
        ("breached", {"breached_at": FRIDAY}, 0, 1),
        ("waived", {"breached_at": FRIDAY}, 0, 1),
        ("cancelled", {"breached_at": FRIDAY}, 0, 1),
        ("void", {"breached_at": FRIDAY, "corrected": "it was scheduled in time"}, 0, 0),
        ("cancelled", {}, 0, 0),
        # whatever syncd could not judge counts as not met, also what was waived when it last looked
        ("waived", {}, 0, 1),
        ("pending", {}, 0, 1),
    ],
)
def test_how_a_duty_counts(tmp_path: Path, state: str, more: dict[str, Any], met: int, of: int) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        put(made, row, duty(row, "scheduled", state, FRIDAY, **more))
        figures = report(made).figures
    assert (figures["met"], figures["of"]) == (met, of)


def test_a_duty_belongs_to_the_week_of_its_deadline_and_an_incident_to_that_of_its_creation(
    tmp_path: Path,
) -> None:
    ends = WEEK.bounds("UTC")[1]
    with ledger(tmp_path) as made:
        row = incident(1, created_at=ends - timedelta(seconds=1))
        put(made, row, duty(row, "scheduled", "met", ends, met_at=ends - timedelta(hours=1)))
        this, following = report(made), report(made, week=WEEK.back(-1))
    assert (this.figures["incidents"]["count"], this.figures["of"]) == (1, 0)
    assert (following.figures["incidents"]["count"], following.figures["of"]) == (0, 1)


def test_restricted_incidents_are_a_count_and_their_duties_stand_apart(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        row = incident(77, restricted=True, service="Secret service")
        put(made, row, duty(row, "scheduled", "breached", FRIDAY, breached_at=FRIDAY), item(row, "5077"))
        made_report = report(made)
    figures = made_report.figures
    assert (figures["incidents"]["count"], figures["incidents"]["restricted"]) == (1, 1)
    assert (figures["met"], figures["of"], figures["missed"], figures["open_duties"]) == (0, 0, [], [])
    everything = (
        formats.as_csv(made_report)
        + formats.as_json(made_report)
        + formats.written(made_report, "text", TEMPLATES)
    )
    for secret in ("P77", "#77", "Secret service", "OPS-5077", "Alert on the age"):
        assert secret not in everything


def test_no_report_quotes_a_service_about_a_restricted_incident(tmp_path: Path) -> None:
    canary, mail = "KANARIENVOGEL", {"content": {"mail": "notice"}, "to": "lead@qrpay.example"}
    with ledger(tmp_path) as made:
        hidden, two = incident(77, restricted=True), incident(78)
        put(
            made,
            hidden,
            two,
            parked(1, hidden, canary),
            parked(2, hidden, canary, **mail),
            parked(3, two, "No field"),
        )
        with made.write() as session:
            for row in (hidden, two):
                for kind in ("conflict", DIFFERS):
                    remark = {"rule": kind, "reason": f"{canary} {row.number}", "aspect": "summary"}
                    audit.append(session, FRIDAY, kind, incident=row.id, data=remark)
        made_report = report(made)
    everything = [formats.as_csv(made_report), formats.as_json(made_report)]
    everything += [formats.written(made_report, form, TEMPLATES) for form in ("text", "html")]
    for text in everything:
        assert "#77" not in text
        assert "P77" not in text
        assert f"{canary} 78" in text
        assert canary not in text.replace(f"{canary} 78", "")
    (kept, mailed, quoted) = [row for row in table(made_report) if row["table"] == "parked"]
    assert (kept["reason"], mailed["reason"]) == ("of a restricted incident",) * 2
    assert (quoted["reason"], quoted["incident"]) == ("No field", "P78")


def parked(number: int, of: Any, words: str, **meaning: Any) -> OperationRow:
    """Return a parked operation of an incident, with the service's words."""
    kind = "send_mail" if meaning else "edit_ticket"
    names = {"key": f"key/{number}", "op": f"{number:016}", "kind": kind, "target": "jira"}
    more: dict[str, Any] = {"object": f"ticket:{of.id}", "aspect": f"{number}", "op_class": "once"}
    return OperationRow(
        id=number,
        state="parked",
        incident_id=of.id,
        decided_at=FRIDAY,
        reason="why",
        error=words,
        meaning=meaning,
        **names,
        **more,
    )


def test_merged_incidents_are_in_no_mean_and_snoozed_time_counts(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        put(made, incident(1), incident(2, merged_into="P1"))
        (line,) = report(made).figures["resolve"]
    assert line["count"] == 1
    assert line["mean"] == pytest.approx(24)


def test_what_was_sent_stays_as_it_was_and_the_next_report_tells_what_changed(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        missed = duty(row, "scheduled", "breached", FRIDAY, breached_at=FRIDAY, id=1)
        put(made, row, missed)
        keep(made, make(made, WEEK, "QRPay", MAPPINGS, NOW))
        assert report(made, week=WEEK.back(-1)).figures["restated"] is None
        missed.corrected, missed.state = "it was scheduled in time", "void"
        missed.corrected_at, missed.corrected_by = FRIDAY, "pia@qrpay.example"
        put(made, missed)
        sent = frozen(made, WEEK, "QRPay", "UTC")
        following = report(made, week=WEEK.back(-1))
    assert sent is not None
    assert (sent.figures["met"], sent.figures["of"]) == (0, 1)
    restated = following.figures["restated"]
    assert (restated["met"], restated["of"]) == (0, 0)
    text = formats.written(following, "text", TEMPLATES)
    words = "Breach taken back 2026-11-20 12:00 UTC by pia@qrpay.example: it was scheduled in time"
    assert "2026-W47 restated: 0 of 0 (the report said 0 of 1), because" in text
    assert f"Postmortem scheduled, #1: overdue in the report, breach taken back now. {words}" in text
    nameless = formats.written(following, "text", TEMPLATES, names=False)
    assert "by an approver: it was scheduled in time" in nameless
    assert "pia@" not in nameless + formats.as_json(following, names=False)


def test_waivers_overrides_and_breaches_that_cannot_be_seen_are_told_with_names_and_words(
    tmp_path: Path,
) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        given = {"incident_id": row.id, "reason": "the vendor", "by": "pia@qrpay.example"}
        ended = FRIDAY - timedelta(hours=4)
        override = {"by": "Ines Carvalho", "at": f"{FRIDAY:%Y-%m-%dT%H:%MZ}", "missing": "no follow-up"}
        override["recorded_at"] = override["at"]
        ticket = TicketRow(
            incident_id=row.id,
            issue_id="7",
            key="OPS-7",
            project="OPS",
            origin="operation",
            agreed={"gate overrides": [override]},
            created_at=FRIDAY,
        )
        put(
            made,
            row,
            ticket,
            postmortem(row, "9", deleted_by="Ines Carvalho", out_of_sight_since=ended),
            duty(row, "scheduled", "breached", FRIDAY, breached_at=FRIDAY, unseen=True),
            duty(row, "completed", "waived", NOW + timedelta(days=3), was_due_at=FRIDAY),
            WaiverRow(**given, duty="completed", at=ended - timedelta(days=9), until=ended, ended_at=ended),
            WaiverRow(**given, duty="completed", at=ended, until=NOW + timedelta(days=2)),
        )
        told = report(made)
    text = formats.written(told, "text", TEMPLATES)
    assert told.figures["apart"]["waived"] == {"met": 0, "of": 1}
    assert "Beside the number: waived before the deadline 0 of 1 met in time." in text
    assert (
        "Waived until 2026-11-25 08:00 UTC by pia@qrpay.example, for the second time,"
        " given 2026-11-20 08:00 UTC: the vendor"
    ) in text
    assert "not met: not visible; syncd cannot see OPS-9; Ines Carvalho deleted it." in text
    assert "Close gate overridden by Ines Carvalho 2026-11-20 12:00 UTC: closed again" in text
    for nameless in (formats.as_csv, formats.as_json):
        assert "Ines" not in nameless(told, names=False)
        assert "Ines" in nameless(told)
    assert "Ines" not in formats.written(told, "html", TEMPLATES, names=False)


def test_a_filing_counts_from_its_deadline_on_and_a_cancelled_one_never(tmp_path: Path) -> None:
    ahead, passed = NOW + timedelta(hours=3), NOW - timedelta(hours=3)
    filings = [("pending", ahead), ("due_soon", ahead), ("waived", ahead), ("met", ahead)]
    filings += [("cancelled", passed), ("void", passed), ("due_soon", passed)]
    with ledger(tmp_path) as made:
        hidden, plain = incident(1, restricted=True), incident(2)
        put(made, hidden, plain, duty(plain, "scheduled", "met", passed, met_at=passed))
        for number, (state, due_at) in enumerate(filings):
            put(made, duty(hidden, "filed", state, due_at, subject=f"clock{number}"))
        told = report(made, week=Week.of(NOW, "UTC"))
    assert told.figures["apart"]["regulatory"] == {"met": 1, "of": 2, "running": 3}
    text = formats.written(told, "text", TEMPLATES)
    assert "Beside the number: regulatory 1 of 2 met in time (3 still running)." in text


def test_an_owner_by_rule_never_stands_beside_not_yet(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        by_rule = item(row, "30", facts={"stands": "open", "violations": ["assigned by rule, not taken"]})
        put(made, row, by_rule, duty(row, "owned", "breached", FRIDAY, breached_at=FRIDAY, subject="30"))
        told = report(made)
    text = formats.written(told, "text", TEMPLATES)
    assert "Fri 20 Nov 12:00 | assigned by rule, not taken | Amara Osei" in text
    assert "Amara Osei (assigned by rule, not taken)" in text
    assert told.figures["follow_ups"]["unowned"] == 1
    assert "not yet" not in text


@pytest.mark.parametrize(
    ("reads", "gone", "why"),
    [
        ({"jira": FRIDAY - timedelta(hours=1)}, None, "syncd has not read Jira since 2026-11-20 11:00 UTC"),
        ({"jira": NOW}, FRIDAY, "syncd cannot see OPS-9; was it moved, restricted or deleted?"),
        ({"jira": NOW}, None, "syncd reads the changes of OPS-9 first"),
    ],
)
def test_what_could_not_be_judged_counts_as_not_met_with_its_reason_and_is_restated_later(
    tmp_path: Path, reads: dict[str, datetime], gone: datetime | None, why: str
) -> None:
    with ledger(tmp_path) as made:
        happened = incident(1)
        pending = duty(happened, "scheduled", "due_soon", FRIDAY, id=1)
        put(made, happened, pending, postmortem(happened, "9", out_of_sight_since=gone))
        for service, at in reads.items():
            set_value(made, f"cycle.{service}", at=at.isoformat())
        sent = report(made)
        keep(made, sent)
        pending.state, pending.breached_at = "breached", FRIDAY
        put(made, pending)
        restated = report(made, week=WEEK.back(-1)).figures["restated"]
    assert (sent.figures["met"], sent.figures["of"]) == (0, 1)
    assert [(duty["key"], duty["why"]) for duty in sent.figures["not_judged"]] == [("OPS-9", why)]
    assert [row["why_not_judged"] for row in table(sent) if row["table"] == "duty"] == [why]
    assert (restated["then_not_judged"], restated["not_judged"]) == (1, 0)


def test_after_a_lost_ledger_the_report_says_what_was_rebuilt(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        put(made, incident(1))
        made_report = report(made)
    made_report.figures["rebuilt"] = {"ticket": 1, "breach": 2}
    text = formats.written(made_report, "text", TEMPLATES)
    assert "because an earlier ledger was lost: 1 ticket, 2 breaches." in text


def test_a_report_is_frozen_once(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        for _ in range(2):
            keep(made, make(made, WEEK, "QRPay", MAPPINGS, NOW))
        assert frozen(made, WEEK, "QRPay", "UTC") is not None
        assert frozen(made, WEEK, None, "UTC") is None


def test_a_follow_up_is_due_on_the_day_that_its_owner_sees(tmp_path: Path) -> None:
    with ledger(tmp_path) as made:
        row = incident(1)
        put(made, row, item(row, "7", facts={"due": "2026-12-07"}))
        # where the team is west of the report, its day ends on the next one of the report's zone
        put(made, duty(row, "done", "pending", datetime(2026, 12, 8, 8, 0, tzinfo=UTC), subject="7"))
        (section,) = (
            each_section
            for each_section in report_context(report(made))["sections"]
            if each_section["title"] == "Follow-ups open: 1"
        )
    assert section["table"]["rows"][0][1]["text"] == "07 Dec 2026"


def test_a_target_is_that_of_the_severity_and_an_incident_without_an_acknowledgement_is_named(
    tmp_path: Path,
) -> None:
    with ledger(tmp_path) as made:
        put(made, incident(1), incident(2, acknowledged_at=None, log=[]))
        figures = report(made).figures
    assert (figures["never_acknowledged"], figures["log_unread"]) == (1, 0)
    assert sum(line["count"] for line in figures["acknowledge"]) == 1
