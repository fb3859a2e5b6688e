"""Filings with regulators: when their clocks run, what ends them, and who is reminded of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from policy_cast import SOMEBODY, book, incident, issue, ticket

from syncd.domain.duty import Duty, DutyKind, DutyState, Waiver
from syncd.domain.history import Change, SeverityPeriod
from syncd.domain.operation import CommentOnTicket, SendMail
from syncd.domain.ticket import Account, Comment
from syncd.policy.case import Case, Decision, Rulebook
from syncd.policy.decide import with_duties
from syncd.policy.postmortem.explain import explain
from syncd.policy.regulatory import decide_filings, tell_filings

HOUR = timedelta(hours=1)
FRIDAY = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
DUE = FRIDAY + 72 * HOUR
LEAD, DEPUTY = "lead@qrpay.example", "deputy@qrpay.example"
RULES = {
    "lead": LEAD,
    "deputy": DEPUTY,
    "clocks": {"gdpr": {"hours": 72, "label": "filed-gdpr"}},
}
ROBOT = Account(id="acc-robot", name="Robot", human=False)


def rules(**more: Any) -> Rulebook:
    return book(restricted=RULES, mails={"mode": "off"}, **more)


def label(
    at: datetime, *, by: Account | None = SOMEBODY, before: str = "", after: str = "filed-gdpr"
) -> Change:
    return Change(at=at, author=by, field="labels", before_words=before, after_words=after)


def line(body: str, at: datetime, by: Account = SOMEBODY) -> Comment:
    return Comment(id="C1", author=by, body=body, created_at=at)


def case(
    now: datetime,
    *,
    changes: tuple[Change, ...] = (),
    comments: tuple[Comment, ...] = (),
    read: datetime | None = None,
    duties: tuple[Duty, ...] = (),
    **more: Any,
) -> Case:
    """A restricted incident of a Friday evening, its ticket read just now or at `read`."""
    labels = tuple((changes[-1].after_words or "").split()) if changes else ()
    shown = issue(labels=labels, comments=comments)
    had = more.pop("ticket", None) or ticket(
        shown, changes=changes, changes_until=read or now, labels_read=labels
    )
    happened = more.pop("happened", None) or incident(created_at=FRIDAY)
    return Case(
        **{"incident": happened, "ticket": had, "restricted": True, "now": now, "duties": duties, **more}
    )


def judged(seen: Case, the_rules: Rulebook | None = None) -> Duty:
    decision = decide_filings(seen, the_rules or rules())
    assert not decision.look
    duty = with_duties(seen, decision.duties).duty(DutyKind.FILED, "gdpr")
    assert duty is not None
    return duty


def told(seen: Case, the_rules: Rulebook | None = None) -> list[tuple[str, str, str | None]]:
    """Recipient, step and reason for not sending of each mail that a judged case asks for."""
    the_rules = the_rules or rules()
    duties = decide_filings(seen, the_rules).duties
    decision: Decision = tell_filings(with_duties(seen, duties), the_rules)
    mails = [op for op in decision.operations if isinstance(op, SendMail)]
    return [(op.to, op.key.split(":")[2], op.skip) for op in mails]


def sent(seen: Case) -> list[tuple[str, str]]:
    return [(to, step) for to, step, skip in told(seen) if skip is None]


def test_a_clock_starts_at_the_trigger_and_runs_through_the_weekend_while_the_incident_is_open() -> None:
    duty = judged(case(FRIDAY + HOUR))
    assert (duty.started_at, duty.due_at, duty.state) == (FRIDAY, DUE, DutyState.PENDING)
    assert judged(case(DUE - 23 * HOUR)).state is DutyState.DUE_SOON
    assert judged(case(DUE + HOUR)).state is DutyState.BREACHED


@pytest.mark.parametrize(
    ("more", "starts"),
    [
        ({}, FRIDAY + 5 * HOUR),
        ({"changes": (label(FRIDAY + 2 * HOUR, after="restricted"),)}, FRIDAY + 2 * HOUR),
        (
            {"severity_periods": (SeverityPeriod(severity="SEV0", since=FRIDAY + 3 * HOUR),)},
            FRIDAY + 3 * HOUR,
        ),
    ],
    ids=["as syncd saw it", "by a person's label", "by a severity"],
)
def test_a_clock_starts_when_the_incident_became_restricted_if_that_is_later(
    more: dict[str, Any], starts: datetime
) -> None:
    severities = {**rules().mapping.model_dump()["severities"]}
    severities["SEV0"]["restricted"] = True
    seen = case(FRIDAY + 6 * HOUR, restricted_since=FRIDAY + 5 * HOUR, **more)
    assert judged(seen, rules(severities=severities)).started_at == starts


def test_nothing_is_owed_of_an_incident_that_is_plain_provisional_or_from_before_the_rules() -> None:
    for more in ({"restricted": False}, {"provisional": True}, {"before_enforcement": True}):
        assert decide_filings(case(DUE, **more), rules()) == Decision()


@pytest.mark.parametrize(
    "filed",
    [
        {"changes": (label(DUE - HOUR),)},
        {"comments": (line("filed-gdpr: IC-2026-118", DUE - HOUR),)},
        {"comments": (line("filed-gdpr: IC-2026-118, (by mail)", DUE - HOUR),)},
        {"changes": (label(DUE - HOUR), label(DUE + HOUR, before="filed-gdpr", after=""))},
    ],
    ids=["by label", "by comment line", "with words behind", "a label that was removed after the deadline"],
)
def test_a_person_meets_it_by_the_time_of_their_act_however_late_syncd_looks(filed: dict[str, Any]) -> None:
    for now in (DUE + 2 * HOUR, DUE + 1000 * HOUR):
        duty = judged(case(now, **filed))
        assert (duty.state, duty.met_at, duty.met_by) == (DutyState.MET, DUE - HOUR, SOMEBODY.id)


@pytest.mark.parametrize(
    "given",
    [
        {"changes": (label(DUE - HOUR, by=ROBOT),)},
        {"changes": (label(DUE - HOUR, by=None),)},
        {"comments": (line("filed-gdpr: IC-2026-118", DUE - HOUR, ROBOT),)},
        {"comments": (line("filed-gdpr:", DUE - HOUR),)},
        {"comments": (line("filed-gdpr: phoned them at 14:00", DUE - HOUR),)},
        {"comments": (line("filed-other: IC-2026-118", DUE - HOUR),)},
        {"changes": (label(DUE - 2 * HOUR), label(DUE - HOUR, before="filed-gdpr", after=""))},
    ],
    ids=[
        "robot's label",
        "nobody's label",
        "robot's line",
        "no reference",
        "words",
        "another clock",
        "removed",
    ],
)
def test_nothing_else_meets_it(given: dict[str, Any]) -> None:
    assert judged(case(DUE + HOUR, **given)).state is DutyState.BREACHED


def test_one_comment_says_that_a_line_without_a_reference_does_not_count_and_repeats_no_word() -> None:
    def told_of(seen: Case) -> list[CommentOnTicket]:
        owed = with_duties(seen, decide_filings(seen, rules()).duties)
        return [op for op in tell_filings(owed, rules()).operations if isinstance(op, CommentOnTicket)]

    lines = [line(f"filed-gdpr: SECRET {number}", FRIDAY + HOUR) for number in range(2)]
    (comment,) = told_of(case(FRIDAY + 2 * HOUR, comments=(*lines,)))
    assert comment.text == "it has no reference, so it does not count. Write `filed-gdpr: NUMBER`."
    assert "SECRET" not in comment.model_dump_json()
    assert told_of(case(FRIDAY + 2 * HOUR, comments=(*lines,), once={comment.key})) == []
    right = line("filed-gdpr: 118", FRIDAY + HOUR)
    assert told_of(case(FRIDAY + 2 * HOUR, comments=(*lines, right))) == []


def test_a_comment_that_is_edited_into_a_filing_counts_from_the_edit() -> None:
    edited = line("filed-gdpr: IC-1", FRIDAY + HOUR).model_copy(update={"updated_at": DUE + 5 * HOUR})
    late = judged(case(DUE + 6 * HOUR, comments=(edited,)))
    assert (late.state, late.met_at) == (DutyState.MET_LATE, DUE + 5 * HOUR)
    in_time = edited.model_copy(update={"updated_at": DUE - HOUR})
    assert judged(case(DUE + 6 * HOUR, comments=(in_time,))).met_at == DUE - HOUR


def test_a_filing_on_record_stays_met_though_its_comment_is_deleted_or_edited_after_the_deadline() -> None:
    said = line("filed-gdpr: IC-1", FRIDAY + HOUR)
    met = judged(case(FRIDAY + 2 * HOUR, comments=(said,)))
    assert met.state is DutyState.MET
    edits = {"body": "filed-gdpr: IC-2", "updated_at": DUE + 5 * HOUR}
    # a waiver that came later would move the deadline of what is not met
    waiver = Waiver(duty=DutyKind.FILED, until=DUE + 24 * HOUR, reason="-", by="Pia", at=DUE - HOUR)
    for comments in ((), (said.model_copy(update=edits),)):
        for waivers in ((), (waiver,)):
            seen = case(DUE + 6 * HOUR, comments=comments, duties=(met,), waivers=waivers)
            assert judged(seen) == met
            assert not decide_filings(seen, rules()).duties


def test_an_edit_before_the_deadline_keeps_the_time_of_a_filing_on_record() -> None:
    said = line("filed-gdpr: IC-1", FRIDAY + HOUR)
    met = judged(case(FRIDAY + 2 * HOUR, comments=(said,)))
    edited = said.model_copy(update={"body": "filed-gdpr: IC-2", "updated_at": FRIDAY + 3 * HOUR})
    assert judged(case(FRIDAY + 4 * HOUR, comments=(edited,), duties=(met,))) == met


def test_a_filing_is_owed_again_if_its_comment_or_its_label_goes_before_the_deadline() -> None:
    by_line = judged(case(FRIDAY + 2 * HOUR, comments=(line("filed-gdpr: IC-1", FRIDAY + HOUR),)))
    assert judged(case(FRIDAY + 3 * HOUR, duties=(by_line,))).state is DutyState.PENDING
    by_label = judged(case(FRIDAY + 2 * HOUR, changes=(label(FRIDAY + HOUR),)))
    removed = (label(FRIDAY + HOUR), label(DUE - HOUR, before="filed-gdpr", after=""))
    assert by_label.state is DutyState.MET
    assert judged(case(DUE - HOUR, changes=removed, duties=(by_label,))).state is DutyState.DUE_SOON
    # syncd reads the removal only after the deadline
    assert judged(case(DUE + HOUR, changes=removed, duties=(by_label,))).state is DutyState.BREACHED


def test_an_hour_is_one_hour() -> None:
    clocks = {"gdpr": {"hours": 1, "label": "filed-gdpr"}}
    duty = judged(case(FRIDAY), book(restricted={**RULES, "clocks": clocks}, mails={"mode": "off"}))
    assert duty.reason == "a restricted incident must be filed within 1 hour"


def test_show_says_who_is_told_of_a_filing_that_becomes_overdue() -> None:
    seen = case(DUE - 23 * HOUR)
    words = explain(judged(seen), seen)
    assert "Next: reminders until it is due; when it is overdue, lead and deputy are told" in words


def test_what_is_filed_late_stays_late_and_a_resolve_or_a_reopen_starts_no_new_clock() -> None:
    late = judged(case(DUE + 5 * HOUR, changes=(label(DUE + HOUR),)))
    assert (late.state, late.breached_at, late.met_at) == (DutyState.MET_LATE, DUE, DUE + HOUR)
    begun = judged(case(FRIDAY + HOUR))
    for happened in (
        incident(created_at=FRIDAY, status="resolved", resolved_at=FRIDAY + 2 * HOUR),
        incident(created_at=FRIDAY, updated_at=FRIDAY + 3 * HOUR),
        incident(created_at=FRIDAY, status="resolved", resolved_at=FRIDAY + HOUR, merged_into="P9"),
    ):
        seen = case(FRIDAY + 4 * HOUR, duties=(begun,), happened=happened)
        assert judged(seen) == begun
        assert not decide_filings(seen, rules()).duties


def test_a_breach_is_recorded_only_after_the_changelog_was_read_beyond_the_deadline() -> None:
    for read in (None, DUE - HOUR):
        had = ticket(issue(), changes_until=read, labels_read=())
        assert decide_filings(case(DUE + HOUR, ticket=had), rules()).look == {"ticket"}
        refused = case(DUE + HOUR, ticket=had, refused_looks={"ticket"})
        assert judged(refused).state is DutyState.DUE_SOON
    waiting = case(DUE + HOUR, read_until=DUE - HOUR)
    assert judged(waiting).state is DutyState.DUE_SOON


def test_a_ticket_that_nobody_can_see_breaches_it_until_it_is_back() -> None:
    gone = ticket(issue(), changes_until=DUE - HOUR, labels_read=(), out_of_sight_since=DUE - HOUR)
    missed = judged(case(DUE + HOUR, ticket=gone))
    assert (missed.state, missed.unseen) == (DutyState.BREACHED, True)
    back = judged(case(DUE + 9 * HOUR, changes=(label(DUE - 2 * HOUR),), duties=(missed,)))
    assert (back.state, back.breached_at, back.unseen) == (DutyState.MET, None, False)


def test_a_waiver_moves_the_deadline_and_silences_it() -> None:
    waiver = Waiver(
        duty=DutyKind.FILED, subject="gdpr", until=DUE + 24 * HOUR, reason="-", by="Pia", at=FRIDAY + HOUR
    )
    waived = case(DUE - HOUR, waivers=(waiver,))
    assert judged(waived).state is DutyState.WAIVED
    assert judged(waived).due_at == DUE + 48 * HOUR
    assert told(waived) == []
    of_another = case(DUE - HOUR, waivers=(waiver.model_copy(update={"subject": "bafin"}),))
    assert judged(of_another).state is DutyState.DUE_SOON


def test_a_breach_that_is_taken_back_is_owed_anew() -> None:
    missed = judged(case(DUE + HOUR))
    void = missed.model_copy(
        update={"state": DutyState.VOID, "corrected": "wrong", "corrected_at": DUE + 2 * HOUR}
    )
    anew = judged(case(DUE + 3 * HOUR, duties=(void,)))
    assert (anew.clock, anew.due_at, anew.state) == (2, DUE + 26 * HOUR, DutyState.DUE_SOON)
    met = void.model_copy(update={"claimed_met_at": DUE})
    assert not decide_filings(case(DUE + 3 * HOUR, duties=(met,)), rules()).duties


def test_the_lead_hears_at_half_time_24_and_4_hours_before_in_every_mode_of_mails() -> None:
    assert sent(case(FRIDAY + HOUR)) == []
    assert sent(case(FRIDAY + 36 * HOUR)) == [(LEAD, "half")]
    assert sent(case(DUE - 24 * HOUR)) == [(LEAD, "24h")]
    assert sent(case(DUE - 4 * HOUR)) == [(LEAD, "4h"), (DEPUTY, "4h")]
    assert sent(case(DUE + HOUR)) == [(LEAD, "breach"), (DEPUTY, "breach")]
    assert sent(case(DUE - 4 * HOUR, changes=(label(DUE - 5 * HOUR),))) == []


def test_after_downtime_only_the_latest_step_leaves_and_the_others_are_recorded() -> None:
    steps = told(case(DUE + HOUR))
    assert {(step, skip is None) for _to, step, skip in steps} == {
        ("half", False),
        ("24h", False),
        ("4h", False),
        ("breach", True),
    }


def test_the_first_day_mails_nothing_about_a_deadline_from_before_the_rules() -> None:
    of_old = rules(enforce_from=(DUE + 24 * HOUR).date())
    skips = [skip for _to, _step, skip in told(case(DUE + 25 * HOUR), of_old)]
    assert skips
    assert None not in skips


def test_a_clock_that_the_mapping_names_no_more_ends_while_the_incident_is_open() -> None:
    begun = judged(case(FRIDAY + HOUR))
    without = book(restricted={})
    ended = judged(case(FRIDAY + 2 * HOUR, duties=(begun,)), without)
    assert ended.state is DutyState.CANCELLED
