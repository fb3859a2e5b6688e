"""When the weekly report leaves: once a week, whatever restarts, and over every change of clocks."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time, timedelta

import pytest
from rig import Rig
from sqlmodel import select

from engine.cast import pause, resume
from engine.mail_rig import (
    CTO,
    DIRECTOR,
    PROCESS,
    MakeRig,
    letters,
    mailing,
    mails,
    recipients,
    text_of,
)
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import BYTE_ORDER_MARK
from syncd.ledger.store import audit
from syncd.ledger.store.tables import AuditEventRow, ReportRunRow
from syncd.ledger.store.weekly_reports import report_run
from syncd.report.weekly.week import Week, latest_due
from syncd.sandbox import faults
from syncd.sandbox.mail import Letter

ZONE = "Europe/Berlin"


def reporting(**changes: object) -> Mapping:
    """QRPay's rules with its report mailed on Mondays at eight in Berlin."""
    section = {"mode": "enforce", "to": [CTO, DIRECTOR], "zone": ZONE, **changes}
    return mailing(report=section, zone=ZONE)


@pytest.fixture
def post(make_rig: MakeRig) -> Rig:
    made = make_rig(mail=True, mappings=(reporting(),))
    made.settle(2)
    return made


def monday(rig: Rig, weeks: int = 1) -> datetime:
    """Eight o'clock of the Monday on which the report of the week of the rig's start leaves."""
    return Week.of(rig.began, ZONE).back(1 - weeks).leaves_at("monday", time(8), ZONE)


def pass_to(rig: Rig, moment: datetime) -> None:
    """Let the time pass up to a moment, and everything happen that is due by then."""
    rig.cycle((moment - rig.clock.now()).total_seconds())
    for _ in range(3):
        rig.loop.tick()
        rig.loop.work_queue.drain()
        rig.loop.jobs.reports()
        rig.loop.work_queue.drain()


def reports(rig: Rig) -> list[Letter]:
    return [letter for letter in letters(rig) if str(letter.message["Subject"]).startswith("[")]


def attached(letter: Letter) -> list[dict[str, str]]:
    (part,) = letter.message.iter_attachments()
    return list(csv.DictReader(io.StringIO(part.get_content().removeprefix(BYTE_ORDER_MARK))))


@pytest.mark.any_day
def test_it_leaves_at_its_hour_once_to_each_whatever_restarts(post: Rig) -> None:
    post.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P3")
    post.settle(2)
    pass_to(post, monday(post) - timedelta(minutes=1))
    assert reports(post) == []
    pass_to(post, monday(post))
    assert recipients(post) == sorted([CTO, DIRECTOR])
    week = Week.of(post.began, ZONE).name
    assert all(str(report.message["Subject"]).startswith(f"[QRPay] {week}: ") for report in reports(post))
    for _ in range(3):
        post.restart()
        post.cycle()
        pass_to(post, post.clock.now() + timedelta(hours=5))
    assert len(reports(post)) == 2
    pass_to(post, monday(post, 2))
    assert len(reports(post)) == 4


def test_while_the_clocks_differ_it_leaves_once_the_week_is_over_by_both_and_says_so(post: Rig) -> None:
    pass_to(post, monday(post) - timedelta(hours=2))
    post.clock.step = 3 * 3600.0
    post.settle(2)
    pass_to(post, monday(post) + timedelta(hours=2))
    assert reports(post) == []
    pass_to(post, monday(post) + timedelta(hours=3, minutes=1))
    assert len(reports(post)) == 2
    assert "PagerDuty's clock is 3 hours behind this machine's" in text_of(reports(post)[0])


def test_it_has_html_text_and_a_csv_of_every_row_and_ends_with_the_ledgers_head(post: Rig) -> None:
    made = post.world.pagerduty.trigger("Alipay Integration", '=HYPERLINK("x")', priority="P3")
    post.settle(2)
    pass_to(post, monday(post))
    letter = reports(post)[0]
    html = letter.message.get_body(("html",))
    assert html is not None
    assert "<table" in html.get_content()
    rows = attached(letter)
    assert [row["incident"] for row in rows if row["table"] == "incident"] == [made.id]
    last = text_of(letter).strip().splitlines()[-1]
    anchor = last.rpartition(" ")[2]
    seq, _, digest = anchor.partition(":")
    with post.ledger.read() as session:
        assert audit.verify(session, [(int(seq), digest)]) is None
    kept = {
        (mail.rendered or {}).get("anchor") for mail in post.operations("done") if mail.kind == "send_mail"
    }
    assert anchor in kept


def test_figures_are_frozen_with_the_mails_and_noted_as_sent_when_they_left(post: Rig) -> None:
    pause(post, "mail")
    pass_to(post, monday(post))
    week = Week.of(post.began, ZONE).name
    run = report_run(post.ledger, "QRPay", week)
    assert run is not None
    assert run.sent_at is None
    figures = dict(run.figures)
    post.world.pagerduty.trigger("Alipay Integration", "Later", priority="P3")
    post.settle(2)
    resume(post, "mail")
    pass_to(post, post.clock.now() + timedelta(minutes=5))
    run = report_run(post.ledger, "QRPay", week)
    assert run is not None
    assert run.sent_at is not None
    assert dict(run.figures) == figures
    assert len(reports(post)) == 2


def test_after_three_weeks_away_the_last_week_leaves_and_names_the_others(post: Rig) -> None:
    pass_to(post, monday(post))
    before = len(reports(post))
    post.stop()
    post.world.advance((monday(post, 4) + timedelta(days=2) - post.clock.now()).total_seconds())
    post.start()
    post.loop.jobs.reports()
    post.loop.work_queue.drain()
    assert len(reports(post)) == before, "nothing is made before both services were read"
    pass_to(post, post.clock.now() + timedelta(seconds=30))
    first = Week.of(post.began, ZONE)
    fresh = reports(post)[before:]
    assert [str(finding.message["Subject"]).split(":")[0] for finding in fresh] == [
        f"[QRPay] {first.back(-3).name}"
    ] * 2
    named = f"{first.back(-1).name}, {first.back(-2).name}"
    assert named in text_of(fresh[0])
    with post.ledger.read() as session:
        query = select(AuditEventRow).where(AuditEventRow.kind == "report.not_sent")
        assert len(session.exec(query).all()) == 1


def test_what_waited_for_a_pause_over_a_later_report_is_not_sent_and_named(post: Rig) -> None:
    pause(post, "mail")
    for number in (1, 2):
        pass_to(post, monday(post, number))
    resume(post, "mail")
    pass_to(post, post.clock.now() + timedelta(minutes=5))
    first = Week.of(post.began, ZONE)
    assert {str(report.message["Subject"]).split(":")[0] for report in reports(post)} == {
        f"[QRPay] {first.back(-1).name}"
    }
    assert first.name in text_of(reports(post)[0])
    assert sorted(row.state for row in mails(post)) == ["done", "done", "dropped", "dropped"]


@pytest.mark.parametrize("mode", ["off", "report"])
def test_unless_the_mapping_enforces_it_nothing_leaves_and_switching_on_sends_no_old_week(
    make_rig: MakeRig, mode: str
) -> None:
    rig = make_rig(mail=True, mappings=(reporting(mode=mode),))
    rig.settle(2)
    pass_to(rig, monday(rig))
    rig.mappings = (reporting(),)
    rig.restart()
    rig.cycle()
    pass_to(rig, monday(rig) + timedelta(days=2))
    assert reports(rig) == []
    pass_to(rig, monday(rig, 2))
    assert len(reports(rig)) == 2
    assert "Not sent" not in text_of(reports(rig)[0])


def test_a_week_that_ended_before_the_ledger_was_made_has_no_report(post: Rig) -> None:
    pass_to(post, post.began + timedelta(hours=2))
    assert reports(post) == []
    with post.ledger.read() as session:
        assert session.exec(select(ReportRunRow)).all() == []


def test_the_one_over_all_names_nobody_unless_every_mapping_says_so(make_rig: MakeRig) -> None:
    rig = make_rig(mail=True, mappings=(reporting(to=[], over_all=[PROCESS]),))
    assert rig.mail is not None
    rig.mail.refuse_permanently(address=CTO)
    rig.settle(2)
    rig.world.pagerduty.trigger("Core QRPay Web", "All down", priority="P1")
    rig.settle(2)
    assert [row.state for row in mails(rig) if row.meaning["to"] == CTO] == ["parked"]
    pass_to(rig, monday(rig))
    (letter,) = reports(rig)
    assert str(letter.message["Subject"]).startswith("[All teams] ")
    assert "1 e-mail that the mail server refused" in text_of(letter)
    assert CTO.encode() not in letter.content
    assert all(CTO not in str(row) for row in attached(letter))


def test_logs_that_were_never_read_are_read_first_so_that_the_time_to_acknowledge_is_right(
    post: Rig,
) -> None:
    made = post.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    post.cycle()
    post.world.advance(240)
    post.world.pagerduty.acknowledge(made.id, "Amara Osei")
    post.world.advance(600)
    post.world.pagerduty.resolve(made.id, "Amara Osei")
    post.settle(2)
    from syncd.ledger.store.tables import IncidentRow

    with post.ledger.write() as session:
        row = session.get_one(IncidentRow, made.id)
        row.acknowledged_at, row.log, row.log_read_seq = None, None, 0
    pass_to(post, monday(post))
    (row_,) = [file for file in attached(reports(post)[0]) if file["table"] == "incident"]
    assert 4.0 <= float(row_["minutes_to_acknowledge"]) <= 5.0


def test_an_hours_trouble_is_waited_for_then_it_leaves_and_says_so(post: Rig) -> None:
    pass_to(post, monday(post) - timedelta(minutes=30))
    post.restart()
    post.world.faults.add(faults.error(503), service="jira", times=None)
    pass_to(post, monday(post) + timedelta(minutes=10))
    assert reports(post) == []
    pass_to(post, monday(post) + timedelta(minutes=75))
    assert len(reports(post)) == 2
    assert "Jira could not be read when this report was made" in text_of(reports(post)[0])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # spring: on Sunday the clocks go from 02:00 to 03:00, and Monday's eight o'clock is an hour earlier
        (datetime(2027, 3, 22, 7, 0, tzinfo=UTC), "2027-W11"),
        (datetime(2027, 3, 29, 5, 59, tzinfo=UTC), "2027-W11"),
        (datetime(2027, 3, 29, 6, 0, tzinfo=UTC), "2027-W12"),
        # autumn: back from 03:00 to 02:00
        (datetime(2026, 10, 26, 6, 59, tzinfo=UTC), "2026-W42"),
        (datetime(2026, 10, 26, 7, 0, tzinfo=UTC), "2026-W43"),
    ],
)
def test_eight_oclock_is_eight_oclock_over_both_changes_of_clocks(now: datetime, expected: str) -> None:
    assert latest_due(now, "monday", time(8), ZONE).name == expected


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2027, 3, 28)])
def test_a_time_that_comes_twice_or_never_is_one_report(day: date) -> None:
    start = datetime.combine(day, time(), UTC) - timedelta(days=1)
    minutes = [start + timedelta(minutes=number) for number in range(0, 3 * 24 * 60, 10)]
    weeks = [latest_due(now, "sunday", time(2, 30), ZONE).name for now in minutes]
    assert len(set(weeks)) == 2
    assert weeks == sorted(weeks)
