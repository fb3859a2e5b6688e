"""What a timeline tells, and what it leaves out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from policy_cast import NOW, comment, incident, note

from syncd.domain.base import Reference
from syncd.domain.history import SeverityPeriod, StateChange
from syncd.domain.incident import LogEntry, Responder
from syncd.domain.postmortem import Helper, Window
from syncd.domain.ticket import Mark
from syncd.policy.postmortem.timeline import helpers_of, timeline_of, windows_of

RANKS = ["SEV0", "SEV1", "SEV2"]
SECRET = "Ana Reyes' card"


def at(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def entry(kind: str, minutes: float, summary: str = "", agent: str = "Ana", person: bool = True) -> LogEntry:
    return LogEntry(
        id=f"{kind}{minutes}",
        kind=kind,
        at=at(minutes),
        incident_id="P1",
        agent=Reference(id=agent, name=agent) if agent else None,
        by_person=person,
        summary=summary,
    )


LOG = (
    entry("trigger", 0, "Triggered through the API", "Events API", person=False),
    entry("notify", 0, "Notified Ana by phone", "", person=False),
    entry("assign", 0, "Assigned to Ana", "Alipay", person=False),
    entry("acknowledge", 4, "Acknowledged by Ana"),
    entry("annotate", 5, "Note added by Ana"),
    entry("resolve", 60, "Resolved by Ben", "Ben"),
)


def told(**more: Any) -> list[str]:
    given: dict[str, Any] = {
        "log": LOG,
        "state_changes": (),
        "severity_periods": (),
        "notes": (),
        "comments": (),
        "ranks": RANKS,
    }
    lines = timeline_of(**{**given, **more})
    return [f"{line.text} ({line.who})" if line.who else line.text for line in lines]


def test_pages_and_notices_of_notes_are_left_out_and_nobody_is_named_twice() -> None:
    assert told() == [
        "Triggered through the API (Events API)",
        "Assigned to Ana (Alipay)",
        "Acknowledged by Ana",
        "Resolved by Ben",
    ]


def test_notes_and_comments_of_people_stand_in_order_and_ours_do_not() -> None:
    mark = Mark(op="0" * 16, kind="mirror_note", incident="P1", instance="x")
    notes = [note("Rolled back."), note(" \n"), note("Ticket OPS-1\nsyncd 0123456789abcdef", 2)]
    comments = [
        comment("Partners told"),
        comment("copy", 2, mark),
        comment("copy\n\nsyncd 0123456789abcdef", 3),
    ]
    texts = told(log=(), notes=notes, comments=comments)
    assert texts == ["Note: Rolled back. (Ana)", "Comment: Partners told (Somebody else)"]


def test_a_severity_is_said_to_be_raised_or_lowered() -> None:
    severity_periods = [
        SeverityPeriod(severity=name, since=at(n)) for n, name in enumerate(["SEV2", "SEV0", "SEV1"])
    ]
    assert told(log=(), severity_periods=severity_periods) == [
        "Severity raised from SEV2 to SEV0",
        "Severity lowered from SEV0 to SEV1",
    ]


def test_a_turn_that_the_log_does_not_show_stands_there_all_the_same() -> None:
    state_changes = [
        StateChange(kind="resolved", at=at(60)),
        StateChange(kind="reopened", at=at(70), agent="Ana"),
    ]
    texts = told(state_changes=state_changes)
    assert texts[-1] == "Reopened (Ana)"
    assert sum(line.startswith("Resolved") for line in texts) == 1


def test_of_a_restricted_incident_only_what_happened_when_is_told() -> None:
    log = (
        entry("trigger", 0, SECRET, "Events API"),
        entry("snooze", 5, SECRET),
        entry("odd_thing", 6, SECRET),
    )
    texts = told(log=log, notes=[note(SECRET)], comments=[comment(SECRET)], withheld=True)
    assert texts == ["Triggered (Events API)", "Snoozed (Ana)", "Odd thing (Ana)"]


def test_a_note_of_ours_makes_nobody_a_responder() -> None:
    ours = note("Ticket OPS-1\nsyncd 0123456789abcdef")
    assert helpers_of([entry("annotate", 1, "Note added by Ana")], [ours]) == ()


def test_people_stand_with_their_parts_and_services_do_not() -> None:
    helpers = helpers_of(LOG, [note("Rolled back.")], ["Cyd", "Ana"])
    assert helpers == (
        Helper(name="Cyd", roles=("incident commander",)),
        Helper(name="Ana", roles=("incident commander", "wrote notes", "acknowledged")),
        Helper(name="Ben", roles=("resolved",)),
    )


def test_the_user_in_whose_name_syncd_writes_has_no_part() -> None:
    log = [entry("acknowledge", 4, agent="syncd"), entry("resolve", 60, "Resolved by Ben", "Ben")]
    by_syncd = note("Rolled back.").model_copy(update={"author": Responder(id="syncd", name="syncd")})
    assert helpers_of(log, [by_syncd], our_users=frozenset({"syncd"})) == (
        Helper(name="Ben", roles=("resolved",)),
    )


def test_the_spans_in_which_it_was_open_follow_its_turns() -> None:
    state_changes = [
        StateChange(kind="resolved", at=at(60)),
        StateChange(kind="resolved", at=at(61)),
        StateChange(kind="reopened", at=at(70)),
        StateChange(kind="resolved", at=at(90)),
    ]
    assert windows_of(state_changes, incident()) == (
        Window(since=NOW, until=at(60)),
        Window(since=at(70), until=at(90)),
    )
    assert windows_of(state_changes[:3], incident())[-1] == Window(since=at(70))
    assert windows_of((), incident()) == (Window(since=NOW),)


@given(
    st.lists(
        st.tuples(st.sampled_from(["trigger", "notify", "resolve", "field_value_change"]), st.integers(0, 90))
    )
)
def test_a_timeline_is_in_order_and_tells_every_entry_that_is_not_quiet(
    given_log: list[tuple[str, int]],
) -> None:
    log = [entry(kind, minutes, f"{kind} happened") for kind, minutes in given_log]
    lines = timeline_of(log, (), (), (), (), RANKS)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert len(lines) == sum(kind != "notify" for kind, _minutes in given_log)
