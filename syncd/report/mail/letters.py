"""What each mail says: subject, template and plain data, out of facts that the engine has collected.

A line about something owed says what, since when, why this person, the one act that ends it with its link,
the other ways out, and who hears next (rules: "Who hears what"). Nothing of a restricted incident but its
number ever gets here.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import cut
from syncd.domain.base import JsonValue, UtcTime, Value
from syncd.domain.clock import zone_word
from syncd.domain.text import one_line
from syncd.report.mail.message import Body

TITLE_LIMIT = 80
"""UTF-16 units of an incident's title in a subject."""
MOST_LINES = 40
"""Lines of one mail; what is beyond is counted."""
RED, AMBER, BLUE, GREEN = "#b42318", "#93540a", "#1d4f91", "#1a6b3c"


class Letter(Value):
    """A mail before it is rendered: the name of its templates, without their endings, and what they see."""

    subject: str
    template: str
    context: dict[str, JsonValue]


class About(Value):
    """The incident that a mail tells of; addresses are empty where there is nothing to link to."""

    team: str
    zone: str
    number: int
    title: str
    service: str
    severity: str
    definition: str = ""
    status: str
    created_at: UtcTime
    resolved_at: UtcTime | None = None
    url: str = ""
    ticket: str = ""
    ticket_url: str = ""
    responders: tuple[str, ...] = ()


class ToldNotice(Value):
    """A notice in a mail that tells several; `before` is the severity that the incident was lowered from."""

    about: About
    since: UtcTime
    before: str = ""
    late: bool = False
    why: str
    restricted: bool = False


class Line(Value):
    """One thing that is owed, as its reader sees it; moments as text in the team's zone."""

    state: str
    what: str
    about: str
    since: str
    due: str
    why: str
    act: str
    url: str
    others: tuple[str, ...] = ()
    next: str


def format_time(at: datetime, zone: str) -> str:
    """A moment in a zone as people read it: `Tue 24 Nov 2026, 14:00 CET`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {zone_word(local)}"


def notice(about: About, since: datetime, late: bool, why: str) -> Letter:
    """An incident has reached a severity."""
    mark = "LATE: " if late else ""
    over = about.status == "resolved"
    said = f"{about.severity} since {format_time(since, about.zone)}"
    lead = f"{about.service} has an incident of {about.severity}"
    lead += ", which is over by now." if over else ", and it is still open." if late else "."
    notes = []
    if late:
        notes.append("This notice is late: syncd could not send it when the severity was reached.")
    return Letter(
        subject=f"{mark}{about.severity}: {_titled(about)}",
        template="mail/notice",
        context={
            **_frame(about.team, f"{mark}{about.severity}: {about.service}", lead, RED, why),
            "facts": _facts(about, said),
            "notes": _plain(notes),
            "links": _links(about),
            "definition": about.definition,
        },
    )


def correction(about: About, before: str, since: datetime, why: str) -> Letter:
    """The severity was lowered soon after the notice; one line says so."""
    line = (
        f"#{about.number} was lowered from {before} to {about.severity} at {format_time(since, about.zone)}."
    )
    return Letter(
        subject=f"Lowered to {about.severity}: {_titled(about)}",
        template="mail/notice",
        context={
            **_frame(about.team, f"Lowered: {before} is now {about.severity}", line, GREEN, why),
            "facts": [],
            "notes": [],
            "links": _links(about),
            "definition": "",
        },
    )


def bundle(notices: tuple[ToldNotice, ...]) -> Letter:
    """Several notices to one person, in one mail that lists them all."""
    severities = Counter(one.about.severity for one in notices)
    counts = ", ".join(f"{number} of {name}" for name, number in sorted(severities.items()))
    title = f"{len(notices)} notices: {counts}"
    team = ", ".join(dict.fromkeys(one.about.team for one in notices))
    why = ", ".join(dict.fromkeys(one.why for one in notices))
    lead = "More than 5 notices to you came within 10 minutes. This mail lists the notices after the first 5."
    return Letter(
        subject=title,
        template="mail/bundle",
        context={**_frame(team, title, lead, RED, why), "notices": [_told(one) for one in notices]},
    )


def _told(notice: ToldNotice) -> dict[str, JsonValue]:
    about = notice.about
    heading = f"Lowered from {notice.before} to {about.severity}" if notice.before else about.severity
    return {
        "severity": f"LATE: {heading}" if notice.late else heading,
        "title": _titled(about),
        "service": about.service,
        "since": format_time(notice.since, about.zone),
        "status": about.status,
        "colour": GREEN if notice.before else RED,
        "links": _links(about),
    }


def owed(team: str, title: str, lead: str, lines: tuple[Line, ...], why: str, subject: str) -> Letter:
    """Something is owed: one line each."""
    shown = lines[:MOST_LINES]
    late = any(one.state == "overdue" for one in lines)
    return Letter(
        subject=subject,
        template="mail/owed",
        context={
            **_frame(team, title, lead, RED if late else AMBER, why),
            "lines": [_line(one) for one in shown],
            "more": len(lines) - len(shown),
        },
    )


def plain(team: str, title: str, paragraphs: tuple[str, ...], commands: tuple[str, ...], why: str) -> Letter:
    """A few sentences and what to type."""
    return Letter(
        subject=f"syncd: {title}",
        template="mail/plain",
        context={
            **_frame(team, title, paragraphs[0], AMBER, why),
            "paragraphs": _plain(paragraphs[1:]),
            "commands": _plain(commands),
            "links": [],
        },
    )


def with_links(letter: Letter, about: About) -> Letter:
    """The letter with links to the incident and its ticket."""
    return letter.model_copy(update={"context": {**letter.context, "links": _links(about)}})


def rendered(letter: Letter, templates: Templates, head: str) -> Body:
    """The letter's two texts, with the ledger's head (`SEQ:HASH`) at their end; raises `TemplateError`."""
    context = {**letter.context, "anchor": head}
    return Body(
        subject=letter.subject,
        text=templates.render(f"{letter.template}.txt.j2", context).strip() + "\n",
        html=templates.render(f"{letter.template}.html.j2", context),
    )


def _frame(team: str, title: str, lead: str, colour: str, why: str) -> dict[str, JsonValue]:
    return {"team": team, "title": title, "lead": lead, "colour": colour, "why": why}


def _facts(about: About, severity: str) -> list[JsonValue]:
    rows = [
        ("Incident", f"#{about.number} {one_line(about.title)}"),
        ("Severity", severity),
        ("Status", about.status),
        ("Began", format_time(about.created_at, about.zone)),
        ("Ended", format_time(about.resolved_at, about.zone) if about.resolved_at else ""),
        ("Responders", ", ".join(about.responders)),
        ("Team", about.team),
    ]
    return [{"name": name, "value": value} for name, value in rows if value]


def _links(about: About) -> list[JsonValue]:
    found = [(f"Open the ticket {about.ticket}", about.ticket_url), ("Open it in PagerDuty", about.url)]
    return [{"name": name, "url": url} for name, url in found if url]


def _line(line: Line) -> dict[str, JsonValue]:
    colour = {"overdue": RED, "due soon": AMBER}.get(line.state, BLUE)
    return {**line.model_dump(mode="json"), "colour": colour}


def _plain(texts: tuple[str, ...] | list[str]) -> list[JsonValue]:
    return [*texts]


def _titled(about: About) -> str:
    """Title and number; what stands for a restricted incident's title names the number already."""
    number = f"#{about.number}"
    title = _short(about.title)
    return title if title.endswith(f" {number}") else f"{title} ({number})"


def _short(title: str) -> str:
    return cut(one_line(title), TITLE_LIMIT)
