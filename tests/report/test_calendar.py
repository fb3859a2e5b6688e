"""The review of a postmortem as a file for a calendar, in the reminder to the postmortem's owner."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from engine.mail_rig import (
    ENFORCED,
    MakeRig,
    Owed,
    at,
    duties_stay_as_they_are,
    incident,
    letters,
    mailing,
    until,
)
from rig import Rig

from syncd.report.mail.calendar import Review, invitation

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def lines_of(text: str) -> list[str]:
    """Return the properties, unfolded."""
    return text.replace("\r\n ", "").split("\r\n")


def review(**changes: object) -> Review:
    fields: dict[str, object] = {
        "uid": "review-10@L1.syncd",
        "number": 12,
        "title": "Checkout is down",
        "key": "OPS-13",
        "url": "https://jira.example/browse/OPS-13",
        "at": date(2026, 11, 20),
        "entered": True,
    }
    return Review.model_validate({**fields, **changes})


def test_a_day_is_an_event_of_the_whole_day_and_a_time_is_written_in_utc() -> None:
    lines = lines_of(invitation(review(), NOW).text)
    assert "METHOD:PUBLISH" in lines
    assert "DTSTART;VALUE=DATE:20261120" in lines
    assert "DTEND;VALUE=DATE:20261121" in lines
    assert "DTSTAMP:20261118T120000Z" in lines
    timed = invitation(review(at="2026-11-20T14:00:00+01:00"), NOW)
    assert "DTSTART:20261120T130000Z" in lines_of(timed.text)


def test_a_hostile_title_begins_no_property_and_no_line_is_longer_than_75_bytes() -> None:
    title = "a;b,c\\d\r\nATTENDEE:mailto:evil@evil.example " + "ä" * 200
    text = invitation(review(title=title), NOW).text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert not any(line.startswith("ATTENDEE") for line in text.split("\r\n"))
    (description,) = (line for line in lines_of(text) if line.startswith("DESCRIPTION:"))
    assert description.startswith("DESCRIPTION:a\\;b\\,c\\\\d ATTENDEE:mailto:evil@evil.example")


@pytest.fixture
def post(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    duties_stay_as_they_are(monkeypatch)
    made = make_rig(mappings=(mailing(**ENFORCED),), mail=True)
    made.cycle()
    return made


def calendar_of(rig: Rig) -> list[str]:
    """Return the lines of the calendar file in the last letter that has one."""
    part = [part for letter in letters(rig) for part in letter.message.iter_attachments()][-1]
    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == "PUBLISH"
    assert part.get_filename() == "review.ics"
    return lines_of(str(part.get_content()).replace("\r\n", "\n").replace("\n", "\r\n"))


def test_the_owners_reminder_carries_the_last_day_until_somebody_enters_the_reviews(post: Rig) -> None:
    owed = Owed(post, incident(post))
    owed.set("pending", at(2, 16))
    until(post, at(2, 12))
    lines = calendar_of(post)
    assert "SUMMARY:Postmortem review of #1 (no day is entered yet)" in lines
    assert "STATUS:TENTATIVE" in lines
    assert "DTSTART;VALUE=DATE:20261130" in lines


def test_the_owners_reminder_carries_the_review_that_somebody_entered(post: Rig) -> None:
    owed = Owed(post, incident(post))
    post.world.jira.edit(owed.issue.key, "Amara Osei", duedate="2026-11-19")
    owed.set("pending", at(2, 16))
    owed.refresh()
    until(post, at(2, 12))
    lines = calendar_of(post)
    assert "SUMMARY:Postmortem review of #1" in lines
    assert "DTSTART;VALUE=DATE:20261119" in lines
    assert any(line.startswith("DESCRIPTION:Callbacks time out\\n") for line in lines)


def test_the_review_of_a_restricted_incident_has_its_number_and_no_text(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    duties_stay_as_they_are(monkeypatch)
    rules = mailing(**ENFORCED, restricted={"titles": ["Callbacks"]})
    rig = make_rig(mappings=(rules,), mail=True)
    rig.cycle()
    owed = Owed(rig, incident(rig))
    owed.set("pending", at(2, 16))
    until(rig, at(2, 12))
    lines = calendar_of(rig)
    assert "SUMMARY:Postmortem review of #1 (no day is entered yet)" in lines
    assert "Callbacks" not in "\n".join(lines)
