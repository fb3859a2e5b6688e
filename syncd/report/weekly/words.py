"""A report in words: verdict, number and formula, then sections that both the HTML and the text show.

Sections are plain data (bars, tables, lines), so that both parts of the mail say the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncd.domain.clock import zone_word
from syncd.domain.text import counted, header_line, one_line
from syncd.report.weekly.report import Weekly

Section = dict[str, Any]

FORMULA = (
    "Duties met in time, of all duties whose deadline fell into the week. Cancelled duties do not count;"
    " waived, restricted and not yet judged duties are listed apart."
)
MOST_LINES = 10
"""Lines of a list in the mail; the CSV has all of them."""
SOON_HOURS = 7 * 24.0
"""What is due within a week stands under what is open now; what is due later only in the CSV."""


def subject(report: Weekly) -> str:
    """The mail's subject, with the verdict in it."""
    return header_line(f"[{report.team or 'All teams'}] {report.week.name}: {verdict(report.figures)}")


def verdict(figures: dict[str, Any]) -> str:
    """One sentence with the week's number."""
    met, of, incidents = figures["met"], figures["of"], figures["incidents"]["count"]
    if not of:
        return (
            "no incidents, nothing was due"
            if not incidents
            else f"{counted(incidents, 'incident')}, nothing was due"
        )
    if met == of:
        return f"all {of} duties met in time" if of > 1 else "the one duty was met in time"
    return f"{met} of {of} duties met in time"


def tone(figures: dict[str, Any]) -> str:
    """`good`, `fair` or `bad`: how a reader ought to feel about the week's number."""
    met, of = figures["met"], figures["of"]
    if met == of:
        return "good"
    return "fair" if met * 10 >= of * 9 else "bad"


def report_context(
    report: Weekly, *, names: bool = True, head: str = "", browse: str = "", why: str = ""
) -> dict[str, Any]:
    """The variables of the report's templates; `names` False leaves people's names out.

    `head` is the ledger's head (`SEQ:HASH`), `browse` the address before an issue's key, `why` says why its
    reader gets it.
    """
    figures = report.figures
    quiet = not (figures["of"] or figures["incidents"]["count"] or figures["open_duties"])
    quiet = quiet and not (figures["lasting"] or figures["parked"] or figures["expiring"])
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
        said = f"Not sent, because syncd was away or mail was held: {named}{more}."
        yield f"{said} See: syncd report --week WEEK"
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
    return [] if over else ["This week is not over yet: these are its figures so far."]


def _before(figures: dict[str, Any]) -> list[str]:
    found = []
    for name, words in (("four_weeks", "The four weeks before"), ("twelve_weeks", "The twelve weeks before")):
        one = figures[name]
        if one["weeks"]:
            known = (
                f" ({one['weeks']} on record)" if one["weeks"] < (4 if name == "four_weeks" else 12) else ""
            )
            incidents = counted(one["incidents"], "incident")
            found.append(f"{words}{known}: {one['met']} of {one['of']} met, {incidents}")
    return found


def _restated(figures: dict[str, Any]) -> list[str]:
    one = figures.get("restated")
    if not one:
        return []
    then = f"{one['then_met']} of {one['then_of']}"
    first = f"{one['week']} restated: {one['met']} of {one['of']} (the report said {then}), because"
    return [first, *one["because"][:MOST_LINES]]


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
    """The weeks before as bars: the share of duties that were met."""
    bars = [
        {
            "label": one["week"],
            "text": f"{one['met']} of {one['of']}",
            "share": round(100 * one["met"] / one["of"]) if one["of"] else 0,
        }
        for one in figures["before"]
    ]
    if bars:
        yield {"title": "The weeks before: duties met", "bars": bars}


def _needed(figures: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> Iterator[Section]:
    """What somebody has to do now, first of all."""
    lines = []
    follow_ups = figures["follow_ups"]
    if follow_ups["unowned"]:
        lines.append(
            f"{counted(follow_ups['unowned'], 'action item')} without an owner: syncd actions --unowned"
        )
    if figures["parked"]:
        lines.append(f"{counted(len(figures['parked']), 'operation')} parked for a person: syncd outbox")
    lines += _unmailed(figures, names)
    lines += _lasting(figures)
    lines += [f"{name} expires on {day}" for name, day in figures["expiring"].items()]
    if figures["unmapped"]:
        services = ", ".join(sorted(one_line(name) for name in figures["unmapped"].values()))
        lines.append(f"Services in no mapping, whose incidents get no ticket: {services}")
    head = ["Owed for the postmortem", "Due", *(["Owner"] if names else [])]
    rows = [
        [
            _cell(f"{one['words']}, #{one['number']} {one['severity']}", one["key"], browse),
            f"{_at(one['due_at'], zone)}, {_left(one['hours_left'])}",
            *([one["owner"] or "nobody"] if names else []),
        ]
        for one in figures["open_duties"]
        if one["duty"] in ("scheduled", "completed") and one["hours_left"] <= SOON_HOURS
    ]
    if lines or rows:
        yield {"title": "Open now", "lines": lines, "table": _table(head, rows)}


def _unmailed(figures: dict[str, Any], names: bool) -> Iterator[str]:
    """Who could not be mailed."""
    mails = figures["unmailed"]
    if mails:
        who = sorted({one_line(str(one["owner"])) for one in mails if one["owner"]})
        said = f": {', '.join(who[:MOST_LINES])}" if names and who else ""
        yield f"{counted(len(mails), 'e-mail')} that no server took{said} (syncd outbox)"


def _lasting(figures: dict[str, Any]) -> Iterator[str]:
    """What is open for more than a week, so that no clock of a postmortem has begun."""
    known = [one for one in figures["lasting"] if one["number"] is not None]
    for one in known[:MOST_LINES]:
        yield f"#{one['number']} {one['severity']}: {one['words']}"
    if len(known) > MOST_LINES:
        yield f"and {len(known) - MOST_LINES} more that are open for more than a week"
    if len(known) < len(figures["lasting"]):
        others = counted(len(figures["lasting"]) - len(known), "restricted incident")
        yield f"{others} open for more than a week"


def _incidents(figures: dict[str, Any]) -> Iterator[Section]:
    """The incidents by severity, team and service, each under its own title, as each has its own scale."""
    found = figures["incidents"]
    lines = []
    if found["assumed"]:
        lines.append(f"{found['assumed']} with an assumed severity, because nobody set one")
    for why, count in found["without_ticket"].items():
        lines.append(f"{count} without a ticket: {one_line(why)}")
    if found["restricted"]:
        lines.append(f"{found['restricted']} restricted; this report says no more about them")
    yield {"title": f"Incidents: {found['count']}", "bars": _bars(found["by_severity"]), "lines": lines}
    if len(found["by_team"]) > 1:
        yield {"title": "Incidents by team", "bars": _bars(found["by_team"])}
    if found["by_service"]:
        yield {"title": "Incidents by service", "bars": _bars(found["by_service"])}


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
                (f"{one['team']}: " if several else "") + ", ".join(one["severities"]),
                _minutes(one["mean"]),
                "none" if one["target"] is None else f"< {_minutes(one['target'])}",
                "" if one["target"] is None else f"{one['within']} of {one['count']}",
                ", ".join(_minutes(one[name]) for name in ("median", "p90", "worst")),
            ]
            for one in figures[key]
        ]
        never = figures["never_acknowledged"] if key == "acknowledge" else 0
        lines = (
            [f"{counted(never, 'incident')} resolved without an acknowledgement on record"] if never else []
        )
        if rows or lines:
            yield {"title": words, "table": _table(head, rows), "lines": lines}


def _duties(figures: dict[str, Any]) -> Iterator[Section]:
    apart = [
        name
        for name in ("waived", "not_judged", "open", "cancelled", "restricted")
        if any(one[name] for one in figures["duties"])
    ]
    head = ["Duty", "Met", "Late", "Missed", *(name.replace("_", " ").capitalize() for name in apart)]
    rows = [
        [
            one["words"],
            f"{one['met']} of {one['of']}",
            *(str(one[name]) for name in ("late", "missed", *apart)),
        ]
        for one in figures["duties"]
    ]
    if rows:
        yield {"title": "Duties whose deadline fell into the week", "table": _table(head, rows)}


def _missed(figures: dict[str, Any], zone: ZoneInfo, names: bool, browse: str) -> Iterator[Section]:
    head = ["What", "Was due", "Done", *(["Owner"] if names else [])]
    rows = [
        [
            _cell(f"{one['words']}, #{one['number']} {one['severity']}", one["key"], browse),
            _at(one["due_at"], zone),
            _at(one["met_at"], zone) if one["met_at"] else "not yet",
            *([one["owner"] or "nobody"] if names else []),
        ]
        for one in figures["missed"]
    ]
    if rows:
        yield {"title": "Missed or late", "table": _table(head, rows)}


def _follow_ups(figures: dict[str, Any], names: bool, browse: str) -> Section:
    found = figures["follow_ups"]
    lines = [
        f"{found['done']} done this week, {found['overdue']} overdue, {found['unowned']} without an owner,"
        f" {found['postponed']} postponed"
    ]
    if found["overdue"]:
        ages = ", ".join(f"{count} for {age}" for age, count in found["overdue_by_age"].items() if count)
        lines.append(f"Overdue: {ages}")
        if names:
            owners = ", ".join(
                f"{one_line(owner) if owner != 'None' else 'nobody'} {count}"
                for owner, count in found["overdue_by_owner"].items()
            )
            lines.append(f"Overdue by owner: {owners}")
    head = ["The oldest", "Due", "Status", *(["Owner"] if names else [])]
    rows = [
        [
            _cell(_told_once(one["summary"], f"#{one['number']}"), one["key"], browse),
            (f"{date.fromisoformat(one['due_day']):%d %b %Y}" if one["due_day"] else "no date")
            + (f" ({one['overdue_days']} d over)" if one["overdue_days"] is not None else ""),
            one["status"],
            *([one["owner"] or "nobody"] if names else []),
        ]
        for one in found["oldest"]
    ]
    return {"title": f"Follow-ups open: {found['open']}", "lines": lines, "table": _table(head, rows)}


def _told_once(summary: str, number: str) -> str:
    """What an action item is about, with its incident's number where it does not say so itself."""
    return summary if number in summary.split() else f"{summary}, {number}"


def _remarks(figures: dict[str, Any]) -> Iterator[Section]:
    lines = [f"Close gate overridden on #{one['number']}: {one['reason']}" for one in figures["overrides"]]
    lines += [f"Breach corrected on #{one['number']}" for one in figures["corrections"]]
    lines += [f"Conflict on #{one['number']}: {one_line(one['reason'])}" for one in figures["conflicts"]]
    lines += [f"Rules changed: {one_line(one['reason'])}" for one in figures["rule_changes"]]
    if figures["duplicates"]:
        lines.append(f"{counted(figures['duplicates'], 'duplicate')} found by the nightly duplicate search")
    if lines:
        yield {"title": "On record", "lines": lines[:MOST_LINES]}


def _cell(words: str, key: str | None, browse: str) -> dict[str, str]:
    """A cell whose text may lead to an issue."""
    said = one_line(words)
    if not key:
        return {"text": said, "url": ""}
    return {"text": f"{key} {said}", "url": f"{browse}{key}" if browse else ""}


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Section:
    shown = [
        [one if isinstance(one, dict) else {"text": one_line(str(one)), "url": ""} for one in row]
        for row in rows[:MOST_LINES]
    ]
    more = len(rows) - len(shown)
    said = f"and {more} more, in the attached CSV" if more else ""
    return {"head": list(head), "rows": [list(row) for row in shown], "more": said}


def _at(format_time: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(format_time).astimezone(zone):%a %d %b %H:%M}"


def _left(hours: float) -> str:
    over = hours < 0
    hours = abs(hours)
    words = f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
    return f"{words} overdue" if over else words


def _minutes(value: float) -> str:
    if value < 1:
        return f"{value * 60:.0f} s"
    if value < 90:
        return f"{value:.1f} min" if value < 10 else f"{value:.0f} min"
    return f"{value / 60:.1f} h" if value < 48 * 60 else f"{value / 1440:.1f} d"
