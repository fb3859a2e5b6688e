"""The sections of a report: what is open, incidents and their times, duties, decisions, follow-ups.

Sections are plain data (bars, tables, lines), so the HTML part and the text part show the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncd.domain.duty import NOT_VISIBLE, DutyKind
from syncd.domain.text import counted, one_line
from syncd.policy.duty_words import NO_OWNER, overridden, owner_words, with_mode
from syncd.policy.time.time_words import at_words
from syncd.report.weekly.cells import (
    MOST_LINES,
    Section,
    bars_of,
    cell,
    duty_of,
    minutes_words,
    overdue_words,
    short_time,
    table,
    time_left,
)
from syncd.report.weekly.counting import JUDGED, WAIVED, trend_bars, verdict_words
from syncd.report.weekly.decisions import DECIDED, decided_rows

SOON_HOURS = 7 * 24.0
"""Duties due within a week stand under "Open now"; later ones only in the CSV."""


def sections(figures: dict[str, Any], zone_name: str, names: bool, browse: str) -> Iterator[Section]:
    """Yield the sections of a report; without `names` they leave people out."""
    zone = ZoneInfo(zone_name)
    yield from _needed(figures, zone, names, browse)
    yield from _weeks(figures)
    yield from _incidents(figures)
    yield from _exercises(figures, zone_name, names, browse)
    yield from _times(figures)
    yield from _updates(figures, browse)
    yield from _duties(figures)
    yield from _held(figures)
    yield from _missed(figures, zone, names, browse)
    yield from _not_judged(figures, zone, browse)
    yield _decisions(figures, zone_name, names, browse)
    yield from _remarks(figures, zone_name, names)
    yield _follow_ups(figures, names, browse)


def _weeks(figures: dict[str, Any]) -> Iterator[Section]:
    """Yield the week and the twelve weeks before as bars: the share of duties that were met."""
    bars = trend_bars(figures)
    if len(bars) > 1:
        yield {"title": "Week by week: duties met in time", "bars": bars}


def _needed(figures: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> Iterator[Section]:
    """Yield the section that needs a person now; it comes first."""
    lines = []
    follow_ups = figures["follow_ups"]
    if follow_ups["unowned"]:
        lines.append(
            f"{counted(follow_ups['unowned'], 'action item')} without an owner: syncd actions --unowned"
        )
    if figures["parked"]:
        lines.append(f"{counted(len(figures['parked']), 'parked operation')}: syncd outbox")
    lines += _unmailed(figures, names)
    lines += _lasting(figures)
    lines += [f"{name} expires on {day}" for name, day in figures["expiring"].items()]
    if figures["unmapped"]:
        services = ", ".join(sorted(one_line(name) for name in figures["unmapped"].values()))
        lines.append(f"Services in no mapping (their incidents get no ticket): {services}")
    head = ["Owed", "Due", *(["Owner"] if names else [])]
    rows = [
        owed_row(duty, zone, names, browse)
        for duty in figures["open_duties"]
        if duty["duty"] in ("scheduled", "completed", "held") and duty["hours_left"] <= SOON_HOURS
    ]
    if lines or rows:
        yield {"title": "Open now", "lines": lines, "table": table(head, rows)}


def owed_row(duty: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> list[Any]:
    """Return the cells of a duty that is owed now: what it is, its deadline and, with `names`, its owner."""
    return [
        cell(with_mode(f"{duty['words']}, {duty_of(duty)}", duty["asked"]), duty["key"], browse),
        f"{short_time(duty['due_at'], zone)}, {time_left(duty['hours_left'])}"
        + (", waived now" if duty["verdict"] == WAIVED else ""),
        *([_owner_asked(duty)] if names else []),
    ]


def _owner_asked(duty: dict[str, Any]) -> str:
    """Return the owner of an owed duty; where nobody is asked, it is no fault that there is none."""
    return owner_words(duty["owner"], duty["note"]) if duty["asked"] else duty["owner"] or ""


def _unmailed(figures: dict[str, Any], names: bool) -> Iterator[str]:
    """Yield a line about the mails that no server accepted."""
    mails = figures["unmailed"]
    if mails:
        people = sorted({one_line(str(mail["owner"])) for mail in mails if mail["owner"]})
        owners = f": {', '.join(people[:MOST_LINES])}" if names and people else ""
        yield f"{counted(len(mails), 'e-mail')} that the mail server refused{owners} (syncd outbox)"


def _lasting(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the incidents that are open for more than a week; the clocks of their postmortems wait."""
    named = [incident for incident in figures["lasting"] if incident["number"] is not None]
    for incident in named[:MOST_LINES]:
        yield f"#{incident['number']} {incident['severity']}: {incident['words']}"
    if len(named) > MOST_LINES:
        yield f"and {len(named) - MOST_LINES} more incidents open for more than a week"
    if len(named) < len(figures["lasting"]):
        others = counted(len(figures["lasting"]) - len(named), "restricted incident")
        yield f"{others} open for more than a week"


def _incidents(figures: dict[str, Any]) -> Iterator[Section]:
    """Yield the incidents by severity, team and service, each as a section because its bars have a scale."""
    incidents = figures["incidents"]
    lines = []
    if incidents["assumed"]:
        lines.append(f"{incidents['assumed']} with an assumed severity, because nobody set one")
    for why, count in incidents["without_ticket"].items():
        lines.append(f"{count} without a ticket: {one_line(why)}")
    if incidents["restricted"]:
        lines.append(f"{incidents['restricted']} restricted; this report says no more about them")
    yield {
        "title": f"Incidents: {incidents['count']}",
        "bars": bars_of(incidents["by_severity"]),
        "lines": lines,
    }
    if len(incidents["by_team"]) > 1:
        yield {"title": "Incidents by team", "bars": bars_of(incidents["by_team"])}
    if incidents["by_service"]:
        yield {"title": "Incidents by service", "bars": bars_of(incidents["by_service"])}


def _exercises(figures: dict[str, Any], zone: str, names: bool, browse: str) -> Iterator[Section]:
    """Yield the incidents that the figures leave out, with who said so: removing the label makes one real."""
    head = ["Exercise", "Why it is left out"]
    rows = []
    for row in figures["exercises"]:
        who = one_line(row["by"]) if names else "somebody"
        labelled = f"{who} set the label game-day {at_words(datetime.fromisoformat(row['at']), zone)}"
        about = f"#{row['number']} {row['severity']}, {row['service']}"
        rows.append([cell(about, row["ticket"], browse), labelled if row["by"] else row["reason"]])
    hidden = figures["restricted_exercises"]
    lines = [f"{counted(hidden, 'restricted exercise')}; this report says no more"] if hidden else []
    if rows or lines:
        lines.append("An incident counts again once the label is removed.")
        yield {
            "title": f"Left out as exercises: {len(rows) + hidden}",
            "lines": lines,
            "table": table(head, rows),
        }


def _times(figures: dict[str, Any]) -> Iterator[Section]:
    several = len(figures["incidents"]["by_team"]) > 1
    for key, words in (("acknowledge", "Time to acknowledge (MTTA)"), ("resolve", "Time to resolve (MTTR)")):
        head = ["Severities", "Mean", "Target", "In target", "Median, 90th percentile, worst"]
        rows = [
            [
                (f"{spread['team']}: " if several else "") + ", ".join(spread["severities"]),
                minutes_words(spread["mean"]),
                "none" if spread["target"] is None else f"< {minutes_words(spread['target'])}",
                "" if spread["target"] is None else f"{spread['within']} of {spread['count']}",
                ", ".join(minutes_words(spread[name]) for name in ("median", "p90", "worst")),
            ]
            for spread in figures[key]
        ]
        # these incidents have no time to acknowledge, so no row of the table counts them
        never = figures["never_acknowledged"] if key == "acknowledge" else 0
        lines = [f"{counted(never, 'incident')} resolved without an acknowledgement"] if never else []
        # a report that was sent before has no such figure
        unread = figures.get("log_unread", 0) if key == "acknowledge" else 0
        if unread:
            whose = f"{counted(unread, 'incident')} whose log syncd has not read"
            lines.append(f"{whose}: an acknowledgement may stand there")
        if rows or lines:
            yield {"title": words, "table": table(head, rows), "lines": lines}


def _updates(figures: dict[str, Any], browse: str) -> Iterator[Section]:
    """Yield the gaps between updates as recorded; the week's number leaves them out."""
    head = ["Incident", "Longest gap", "In time"]
    rows: list[list[Any]] = [
        [
            cell(f"#{entry['number']} {entry['severity']}", entry["ticket"], browse),
            minutes_words(entry["longest_gap_minutes"]),
            f"{entry['updates_in_time']} of {entry['updates_owed']}"
            if entry["updates_owed"]
            else "none owed",
        ]
        for entry in figures["updates"]
    ]
    if rows:
        yield {"title": "Updates as recorded", "table": table(head, rows)}


def _duties(figures: dict[str, Any]) -> Iterator[Section]:
    apart = [
        name
        for name in ("waived", "void", "not_judged", "open", "cancelled", "restricted")
        if any(duty[name] for duty in figures["duties"])
    ]
    columns = (*JUDGED, *apart)
    head = ["Duty", *(verdict_words(name).replace("_", " ").capitalize() for name in columns)]
    rows = [
        [
            duty["words"],
            f"{duty['met']} of {duty['of']}",
            *(str(duty[name]) for name in columns[1:]),
        ]
        for duty in figures["duties"]
    ]
    if rows:
        yield {"title": "Duties with a deadline in the week", "table": table(head, rows)}


_EXERCISES = {"game_day": "Exercises held", "review": "Reviews held"}


def _held(figures: dict[str, Any]) -> Iterator[Section]:
    """Yield how many exercises and reviews were held, of those with a deadline in the week."""
    held = [f"{_EXERCISES[kind]}: {share['met']} of {share['of']}" for kind, share in figures["held"].items()]
    if held:
        yield {"title": held[0], "lines": [*held[1:], "The target is 100%: each is held by its due date."]}


def _missed(figures: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> Iterator[Section]:
    head = ["Duty", "Was due", "Done, or why not", *(["Owner"] if names else [])]
    rows = [
        [
            _duty_cell(duty, browse),
            short_time(duty["due_at"], zone),
            _done(duty, zone, names),
            *([_owner(duty)] if names else []),
        ]
        for duty in figures["missed"]
    ]
    if rows:
        yield {"title": f"Missed or late: {len(rows)}", "table": table(head, rows)}


def _duty_cell(duty: dict[str, Any], browse: str) -> dict[str, str]:
    return cell(f"{duty['words']}, {duty_of(duty)}", duty["key"], browse)


def _done(duty: dict[str, Any], zone: ZoneInfo, names: bool) -> str:
    """Return when a missed duty was done, or why it is not."""
    if duty["met_at"]:
        return f"done late, {short_time(duty['met_at'], zone)}"
    if duty["note"] == NOT_VISIBLE:
        return f"{NOT_VISIBLE}; {duty['lost']}" if names else NOT_VISIBLE
    # the owner stands in the same row, so this says why that owner does not count
    if duty["duty"] == DutyKind.OWNED:
        why = duty["note"] or ("not in time" if duty["owner"] else NO_OWNER)
        # a later clock began because the item lost its owner, or was opened again
        return why if duty["clock"] == 1 else f"{why}; before that, {duty['reason']}"
    return "not yet"


def _owner(duty: dict[str, Any]) -> str:
    if duty["duty"] == DutyKind.OWNED or duty["note"] == NOT_VISIBLE:
        return owner_words(duty["owner"], None)
    return owner_words(duty["owner"], duty["note"])


def _not_judged(figures: dict[str, Any], zone: ZoneInfo, browse: str) -> Iterator[Section]:
    head = ["Duty", "Was due", "Why it is not judged"]
    rows = [
        [_duty_cell(duty, browse), short_time(duty["due_at"], zone), duty["why"]]
        for duty in figures["not_judged"]
    ]
    if rows:
        yield {"title": f"Not judged: {len(rows)}", "table": table(head, rows)}


def _decisions(figures: dict[str, Any], zone: str, names: bool, browse: str) -> Section:
    """Return the section that every report has: what was waived, and which breaches were taken back."""
    rows, lines = decided_rows(figures, zone, names, browse)
    return {"title": "Waived and taken back", "lines": lines, "table": table(DECIDED, rows)}


def _follow_ups(figures: dict[str, Any], names: bool, browse: str) -> Section:
    follow_ups = figures["follow_ups"]
    # a report that was sent before has no such figure
    set_aside = follow_ups.get("wont_do", 0)
    of_these = f" ({set_aside} as won't do)" if set_aside else ""
    lines = [
        f"{follow_ups['done']} done this week{of_these}, {follow_ups['overdue']} overdue,"
        f" {follow_ups['unowned']} without an owner, {follow_ups['postponed']} postponed"
    ]
    if follow_ups["overdue"]:
        ages = ", ".join(f"{count} for {age}" for age, count in follow_ups["overdue_by_age"].items() if count)
        lines.append(f"Overdue: {ages}")
        if names:
            owners = ", ".join(
                f"{one_line(owner) if owner != 'None' else 'nobody'} {count}"
                for owner, count in follow_ups["overdue_by_owner"].items()
            )
            lines.append(f"Overdue by owner: {owners}")
    head = ["The oldest", "Due", "Status", *(["Owner"] if names else [])]
    rows = [
        [
            cell(_told_once(item["summary"], f"#{item['number']}"), item["key"], browse),
            (f"{date.fromisoformat(item['due_day']):%d %b %Y}" if item["due_day"] else "no date")
            + overdue_words(item["overdue_days"]),
            item["status"],
            *([owner_words(item["owner"], item["note"])] if names else []),
        ]
        for item in follow_ups["oldest"]
    ]
    return {"title": f"Follow-ups open: {follow_ups['open']}", "lines": lines, "table": table(head, rows)}


def _told_once(summary: str, number: str) -> str:
    """Return an action item's summary with its incident's number, unless the summary names it already."""
    return summary if number in summary.split() else f"{summary}, {number}"


def _remarks(figures: dict[str, Any], zone: str, names: bool) -> Iterator[Section]:
    lines = [
        f"#{entry['number']} {entry['severity']}, {entry['key']}: "
        + overridden(
            entry["by"] if names else "a person",
            datetime.fromisoformat(entry["started_at"]),
            entry["reason"],
            zone,
        )
        for entry in figures["overrides"]
    ]
    lines += [
        f"{_named(entry)}: verified anew, it differs: {one_line(entry['reason'])}"
        for entry in figures["differences"]
    ]
    lines += [f"Conflict on {_named(entry)}: {one_line(entry['reason'])}" for entry in figures["conflicts"]]
    lines += [f"Rules changed: {one_line(entry['reason'])}" for entry in figures["rule_changes"]]
    if figures["duplicates"]:
        lines.append(f"{counted(figures['duplicates'], 'duplicate ticket')} found by the nightly search")
    if lines:
        yield {"title": "On record", "lines": lines[:MOST_LINES]}


def _named(entry: dict[str, Any]) -> str:
    """Return the incident of an event, which has no number where it is restricted."""
    return f"#{entry['number']}" if entry["number"] else "an incident"
