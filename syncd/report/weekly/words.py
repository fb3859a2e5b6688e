"""The words of a report: verdict, number and formula, then the sections of the mail.

Sections are plain data (bars, tables, lines), so the HTML part and the text part show the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncd.domain.clock import zone_word
from syncd.domain.text import counted, header_line, one_line
from syncd.report.weekly.counting import JUDGED, verdict_words
from syncd.report.weekly.report import Weekly

Section = dict[str, Any]

FORMULA = (
    "Duties met in time, of all duties whose deadline fell into the week; a duty that is not judged counts"
    " as not met. Cancelled duties do not count; waived and restricted duties are listed apart."
)
MOST_LINES = 10
"""Lines of a list in the mail; the attached CSV has all of them."""
SOON_HOURS = 7 * 24.0
"""Duties due within a week stand under "Open now"; later ones only in the CSV."""


def subject(report: Weekly) -> str:
    """Return the mail's subject, with the verdict in it."""
    return header_line(f"[{report.team or 'All teams'}] {report.week.name}: {verdict(report.figures)}")


def verdict(figures: dict[str, Any]) -> str:
    """Return the week's number as a sentence without its full stop."""
    met, of, incidents = figures["met"], figures["of"], figures["incidents"]["count"]
    if not of:
        return (
            "no incidents, nothing was due"
            if not incidents
            else f"{counted(incidents, 'incident')}, nothing was due"
        )
    if met == of:
        return f"all {of} duties met in time" if of > 1 else "the only duty was met in time"
    return f"{met} of {of} duties met in time"


def tone(figures: dict[str, Any]) -> str:
    """Return `good` (all met), `fair` (at least 90 %) or `bad`, which the HTML shows as a colour."""
    met, of = figures["met"], figures["of"]
    if met == of:
        return "good"
    return "fair" if met * 10 >= of * 9 else "bad"


def report_context(
    report: Weekly, *, names: bool = True, head: str = "", browse: str = "", why: str = ""
) -> dict[str, Any]:
    """Return the variables of the report's templates; without `names` they leave people out.

    `head` is the ledger's head (`SEQ:HASH`), `browse` the URL before an issue's key, `why` the reason why the
    reader gets the mail.
    """
    figures = report.figures
    # a week without anything gets a mail of three lines
    quiet = not (figures["of"] or figures["incidents"]["count"] or figures["open_duties"])
    quiet = quiet and not any(figures[name] for name in ("lasting", "parked", "expiring", "restated"))
    empty = quiet and not figures["follow_ups"]["open"]
    sections = [] if empty else list(_sections(report, names, browse))
    return {
        "subject": subject(report),
        "team": report.team or "All teams",
        "week": report.week.name,
        "days": _days(report.week.monday, report.week.last_day),
        "verdict": _sentence(verdict(figures)),
        "tone": tone(figures),
        "number": f"{figures['met']} of {figures['of']}",
        "formula": FORMULA,
        "before": [*_unfinished(report), *_before(figures)],
        "restated": _restated(figures),
        "empty": empty,
        "sections": sections,
        "foot": list(_foot(report, head, why)),
    }


def _foot(report: Weekly, head: str, why: str) -> Iterator[str]:
    figures = report.figures
    local = datetime.fromisoformat(figures["made_at"]).astimezone(ZoneInfo(report.zone))
    yield f"Made {local:%Y-%m-%d %H:%M} {zone_word(local)}; times are in {report.zone}."
    if figures["ledger_since"]:
        yield f"The ledger exists since {figures['ledger_since'][:10]}."
    if figures["restored_at"]:
        yield f"It was restored on {figures['restored_at'][:10]}; what happened after the backup is rebuilt."
    if figures["rebuilt"]:
        counts = ", ".join(counted(count, thing) for thing, count in figures["rebuilt"].items())
        yield (
            f"Rebuilt from Jira and PagerDuty, because an earlier ledger was lost: {counts}. All other duties"
            " of that time are judged again from both services."
        )
    if figures["not_sent"]:
        weeks = [*figures["not_sent"]]
        named = ", ".join(weeks[-MOST_LINES:])
        more = f", and {len(weeks) - MOST_LINES} before" if len(weeks) > MOST_LINES else ""
        line = f"Reports not sent, because syncd was down or mail was paused: {named}{more}."
        yield f"{line} See: syncd report --week WEEK"
    yield from (f"{one_line(note)}." for note in figures["notes"])
    if why:
        yield f"You get this because {why}."
    if head:
        yield f"Anchor of the audit trail: syncd audit verify --anchor {head}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _days(monday: date, sunday: date) -> str:
    return f"{monday.day} {monday:%b} to {sunday.day} {sunday:%b %Y}"


def _unfinished(report: Weekly) -> list[str]:
    end = report.week.bounds(report.zone)[1]
    over = datetime.fromisoformat(report.figures["made_at"]) >= end
    return [] if over else ["This week is not over yet; these are the figures so far."]


def _before(figures: dict[str, Any]) -> list[str]:
    lines = []
    for name, words in (("four_weeks", "The four weeks before"), ("twelve_weeks", "The twelve weeks before")):
        trend = figures[name]
        if trend["weeks"]:
            on_record = (
                f" ({trend['weeks']} on record)"
                if trend["weeks"] < (4 if name == "four_weeks" else 12)
                else ""
            )
            incidents = counted(trend["incidents"], "incident")
            lines.append(f"{words}{on_record}: {trend['met']} of {trend['of']} met, {incidents}")
    return lines


def _restated(figures: dict[str, Any]) -> list[str]:
    restated = figures.get("restated")
    if not restated:
        return []
    then = f"{restated['then_met']} of {restated['then_of']}"
    now = f"{restated['met']} of {restated['of']}"
    first = f"{restated['week']} restated: {now} (the report said {then}), because"
    return [first, *restated["because"][:MOST_LINES]]


def _sections(report: Weekly, names: bool, browse: str) -> Iterator[Section]:
    figures, zone = report.figures, ZoneInfo(report.zone)
    yield from _needed(figures, zone, names, browse)
    yield from _incidents(figures)
    yield from _times(figures)
    yield from _duties(figures)
    yield from _missed(figures, zone, names, browse)
    yield _follow_ups(figures, names, browse)
    yield from _remarks(figures)
    yield from _weeks(figures)


def _weeks(figures: dict[str, Any]) -> Iterator[Section]:
    """Yield the weeks before as bars: the share of duties that were met."""
    bars = [
        {
            "label": trend["week"],
            "text": f"{trend['met']} of {trend['of']}",
            "share": round(100 * trend["met"] / trend["of"]) if trend["of"] else 0,
        }
        for trend in figures["before"]
    ]
    if bars:
        yield {"title": "The weeks before: duties met", "bars": bars}


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
    head = ["Owed for the postmortem", "Due", *(["Owner"] if names else [])]
    rows = [
        [
            _cell(f"{duty['words']}, #{duty['number']} {duty['severity']}", duty["key"], browse),
            f"{_at(duty['due_at'], zone)}, {_left(duty['hours_left'])}",
            *([duty["owner"] or "nobody"] if names else []),
        ]
        for duty in figures["open_duties"]
        if duty["duty"] in ("scheduled", "completed") and duty["hours_left"] <= SOON_HOURS
    ]
    if lines or rows:
        yield {"title": "Open now", "lines": lines, "table": _table(head, rows)}


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
        "bars": _bars(incidents["by_severity"]),
        "lines": lines,
    }
    if len(incidents["by_team"]) > 1:
        yield {"title": "Incidents by team", "bars": _bars(incidents["by_team"])}
    if incidents["by_service"]:
        yield {"title": "Incidents by service", "bars": _bars(incidents["by_service"])}


def _bars(counts: dict[str, int]) -> list[Section]:
    most = max(counts.values(), default=0)
    return [
        {"label": one_line(name), "text": str(count), "share": round(100 * count / most) if most else 0}
        for name, count in counts.items()
    ]


def _times(figures: dict[str, Any]) -> Iterator[Section]:
    several = len(figures["incidents"]["by_team"]) > 1
    for key, words in (("acknowledge", "Time to acknowledge (MTTA)"), ("resolve", "Time to resolve (MTTR)")):
        head = ["Severities", "Mean", "Target", "In target", "Median, 90th percentile, worst"]
        rows = [
            [
                (f"{spread['team']}: " if several else "") + ", ".join(spread["severities"]),
                _minutes(spread["mean"]),
                "none" if spread["target"] is None else f"< {_minutes(spread['target'])}",
                "" if spread["target"] is None else f"{spread['within']} of {spread['count']}",
                ", ".join(_minutes(spread[name]) for name in ("median", "p90", "worst")),
            ]
            for spread in figures[key]
        ]
        # these incidents have no time to acknowledge, so no row of the table counts them
        never = figures["never_acknowledged"] if key == "acknowledge" else 0
        lines = [f"{counted(never, 'incident')} resolved without an acknowledgement"] if never else []
        if rows or lines:
            yield {"title": words, "table": _table(head, rows), "lines": lines}


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
        yield {"title": "Duties with a deadline in the week", "table": _table(head, rows)}


def _missed(figures: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> Iterator[Section]:
    head = ["Duty", "Was due", "Done", *(["Owner"] if names else [])]
    rows = [
        [
            _cell(f"{duty['words']}, #{duty['number']} {duty['severity']}", duty["key"], browse),
            _at(duty["due_at"], zone),
            _at(duty["met_at"], zone) if duty["met_at"] else "not yet",
            *([duty["owner"] or "nobody"] if names else []),
        ]
        for duty in figures["missed"]
    ]
    if rows:
        yield {"title": "Missed or late", "table": _table(head, rows)}


def _follow_ups(figures: dict[str, Any], names: bool, browse: str) -> Section:
    follow_ups = figures["follow_ups"]
    lines = [
        f"{follow_ups['done']} done this week, {follow_ups['overdue']} overdue,"
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
            _cell(_told_once(item["summary"], f"#{item['number']}"), item["key"], browse),
            (f"{date.fromisoformat(item['due_day']):%d %b %Y}" if item["due_day"] else "no date")
            + (f" ({item['overdue_days']} d overdue)" if item["overdue_days"] is not None else ""),
            item["status"],
            *([item["owner"] or "nobody"] if names else []),
        ]
        for item in follow_ups["oldest"]
    ]
    return {"title": f"Follow-ups open: {follow_ups['open']}", "lines": lines, "table": _table(head, rows)}


def _told_once(summary: str, number: str) -> str:
    """Return an action item's summary with its incident's number, unless the summary names it already."""
    return summary if number in summary.split() else f"{summary}, {number}"


def _remarks(figures: dict[str, Any]) -> Iterator[Section]:
    lines = [
        f"Close gate overridden on #{entry['number']}: {entry['reason']}" for entry in figures["overrides"]
    ]
    lines += [f"Breach corrected on #{entry['number']}" for entry in figures["corrections"]]
    lines += [
        f"Conflict on #{entry['number']}: {one_line(entry['reason'])}" for entry in figures["conflicts"]
    ]
    lines += [f"Rules changed: {one_line(entry['reason'])}" for entry in figures["rule_changes"]]
    if figures["duplicates"]:
        lines.append(f"{counted(figures['duplicates'], 'duplicate ticket')} found by the nightly search")
    if lines:
        yield {"title": "On record", "lines": lines[:MOST_LINES]}


def _cell(words: str, key: str | None, browse: str) -> dict[str, str]:
    """Return a cell; with a key, its text links to that issue."""
    text = one_line(words)
    if not key:
        return {"text": text, "url": ""}
    return {"text": f"{key} {text}", "url": f"{browse}{key}" if browse else ""}


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Section:
    shown = [
        [cell if isinstance(cell, dict) else {"text": one_line(str(cell)), "url": ""} for cell in row]
        for row in rows[:MOST_LINES]
    ]
    more = len(rows) - len(shown)
    rest = f"and {more} more, in the attached CSV" if more else ""
    return {"head": list(head), "rows": [list(row) for row in shown], "more": rest}


def _at(iso: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(iso).astimezone(zone):%a %d %b %H:%M}"


def _left(hours: float) -> str:
    over = hours < 0
    hours = abs(hours)
    # hours up to two days, so that "24 h" and "48 h", the usual deadlines, stay readable
    words = f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
    return f"{words} overdue" if over else words


def _minutes(value: float) -> str:
    if value < 1:
        return f"{value * 60:.0f} s"
    if value < 90:
        return f"{value:.1f} min" if value < 10 else f"{value:.0f} min"
    return f"{value / 60:.1f} h" if value < 48 * 60 else f"{value / 1440:.1f} d"
