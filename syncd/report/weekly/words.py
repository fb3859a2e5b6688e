"""The words of a report: its verdict, its number with the formula, and what changed since the last one.

`sections` holds the sections behind them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncd.domain.clock import zone_word
from syncd.domain.text import counted, header_line, one_line
from syncd.policy.duty_words import SUBJECTS
from syncd.report.weekly.cells import MOST_LINES
from syncd.report.weekly.counting import JUDGED, UNJUDGED, verdict_words
from syncd.report.weekly.decisions import decided
from syncd.report.weekly.report import Weekly
from syncd.report.weekly.sections import sections

FORMULA = (
    "Duties met in time, of all duties whose deadline fell into the week: postmortem scheduled, postmortem"
    " completed, action item has an owner, action item done, exercise or review held. A duty that is not"
    " judged counts as not met. Cancelled duties and breaches taken back do not count; waived and restricted"
    " duties stand apart."
)


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
    report: Weekly, *, names: bool = True, head: str = "", browse: str = "", why: str = "", page: str = ""
) -> dict[str, Any]:
    """Return the variables of the report's templates; without `names` they leave people out.

    `head` is the ledger's head (`SEQ:HASH`), `browse` the URL before an issue's key, `why` the reason why the
    reader gets the mail, `page` the address of the page of state.
    """
    figures = report.figures
    # a week without anything gets a mail of three lines
    quiet = not (figures["of"] or figures["incidents"]["count"] or figures["open_duties"])
    quiet = quiet and not any(figures[name] for name in ("lasting", "parked", "expiring", "restated"))
    empty = quiet and not figures["follow_ups"]["open"]
    shown = [] if empty else list(sections(figures, report.zone, names, browse))
    return {
        "subject": subject(report),
        "team": report.team or "All teams",
        "week": report.week.name,
        "days": _days(report.week.monday, report.week.last_day),
        "verdict": _sentence(verdict(figures)),
        "tone": tone(figures),
        "number": f"{figures['met']} of {figures['of']}",
        "formula": FORMULA,
        "before": [*_beside(figures), *_unfinished(report), *_before(figures)],
        "restated": _restated(figures, report.zone, names),
        "empty": empty,
        "sections": shown,
        "foot": list(_foot(report, head, why, page)),
    }


def _foot(report: Weekly, head: str, why: str, page: str) -> Iterator[str]:
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
    if page:
        yield f"What is open, late and waiting now: {page}"
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


def _beside(figures: dict[str, Any]) -> list[str]:
    """Return how the number is made up, and what stands beside it."""
    duties, apart = figures["duties"], figures["apart"]
    verdicts = [(verdict_words(name), sum(duty[name] for duty in duties)) for name in JUDGED]
    verdicts.append((UNJUDGED, len(figures["not_judged"])))
    parts = ", ".join(f"{count} {words}" for words, count in verdicts if count)
    lines = [f"Made up of: {parts}."] if figures["of"] else []
    beside = [
        f"{words} {_share(apart[name])}"
        for name, words in (
            ("waived", "waived before the deadline"),
            ("regulatory", "regulatory"),
            ("restricted", "restricted"),
        )
        if apart[name]["of"] or apart[name].get("running")
    ]
    if apart["void"]:
        beside.append(f"{counted(apart['void'], 'breach')} taken back")
    return [*lines, *([f"Beside the number: {'; '.join(beside)}."] if beside else [])]


def _share(share: dict[str, int]) -> str:
    met = f"{share['met']} of {share['of']} met in time" if share["of"] else ""
    # a report that was sent before has no such figure
    running = f"{share['running']} still running" if share.get("running") else ""
    return f"{met} ({running})" if met and running else met or running


def _restated(figures: dict[str, Any], zone: str, names: bool) -> list[str]:
    restated = figures.get("restated")
    if not restated:
        return []
    then, now = _number(restated, "then_"), _number(restated, "")
    first = f"{restated['week']} restated: {now} (the report said {then}), because"
    return [first, *(_because(change, zone, names) for change in restated["because"][:MOST_LINES])]


def _number(restated: dict[str, Any], when: str) -> str:
    unjudged = restated[f"{when}not_judged"]
    beside = f", {unjudged} not judged" if unjudged else ""
    return f"{restated[f'{when}met']} of {restated[f'{when}of']}{beside}"


def _because(change: dict[str, Any], zone: str, names: bool) -> str:
    about = " ".join(filter(None, [change["key"], SUBJECTS[change["duty"]]]))
    about += f", #{change['number']}" if change["number"] else ""
    words = f"{about}: {verdict_words(change['was'])} in the report, {verdict_words(change['is'])} now"
    why = change["why"]
    return f"{words}. {decided(why, zone, names)}" if why else words
