"""The content of each mail: subject, template and plain data, from facts that the engine has collected.

A line about an owed duty says what is owed, since when, why this person gets the mail, the one act in Jira
that ends it, the other ways to end it, and who hears of it next. Of a restricted incident only the number
reaches this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from syncd.config.templates.limits import MOST_OUTPUT
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import cut
from syncd.domain.base import JsonValue, UtcTime, Value
from syncd.domain.clock import zone_word
from syncd.domain.operation.mail import ImpactMail
from syncd.domain.text import one_line
from syncd.report.mail.message import Attachment, Body

TITLE_LIMIT = 80
"""UTF-16 units of an incident's title in a subject."""
LONGEST_VALUE = 1000
"""UTF-16 units of one value in a mail: a foreign text is cut before a template sees it."""
MOST_LINES = 40
"""Lines of one mail; the mail counts the rest."""
RED, AMBER, BLUE, GREEN = "#b42318", "#93540a", "#1d4f91", "#1a6b3c"
LATE = ("overdue", "not visible")
"""States of a line whose duty counts as missed."""


class Letter(Value):
    """A mail before it is rendered: subject, name of its templates without endings, variables, files."""

    subject: str
    template: str
    context: dict[str, JsonValue]
    attachments: tuple[Attachment, ...] = ()


class About(Value):
    """The incident of a mail; a URL is empty if there is nothing to link to. `next` is who hears next.

    `exercise` is the mark of an incident that is or may be an exercise.
    """

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
    next: str = ""
    exercise: str = ""


class ToldNotice(Value):
    """One notice of a bundled mail; `before` is the former severity if the incident was lowered."""

    about: About
    since: UtcTime
    before: str = ""
    late: bool = False
    repeated: bool = False
    why: str
    restricted: bool = False


class Line(Value):
    """One owed duty as its reader sees it; moments are text in the team's zone."""

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
    """Return a moment in a zone as people read it: `Tue 24 Nov 2026, 14:00 CET`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {zone_word(local)}"


REPEATED = "This may be a repetition: syncd cannot tell whether it sent this notice before its last start."


def notice(about: About, since: datetime, late: bool, why: str, *, repeated: bool = False) -> Letter:
    """Return the notice that an incident has reached a severity; `repeated`: it may have left before."""
    mark = "LATE: " if late else ""
    over = about.status == "resolved"
    severity = f"{about.severity} since {format_time(since, about.zone)}"
    lead = f"{about.service} has an incident of {about.severity}"
    lead += ", which is resolved by now." if over else ", and it is still open." if late else "."
    notes = []
    if late:
        notes.append("This notice is late: syncd could not send it when the severity was reached.")
    if repeated:
        notes.append(REPEATED)
    return Letter(
        subject=f"{mark}{about.severity}: {_titled(about)}",
        template="mail/notice",
        context={
            **_frame(about.team, f"{mark}{about.severity}: {about.service}", lead, RED, why),
            "facts": _facts(about, severity),
            "notes": _plain(notes),
            "links": _links(about),
            "definition": about.definition,
        },
    )


def unacknowledged(about: About, since: datetime, late: bool, why: str, *, repeated: bool = False) -> Letter:
    """Return the mail that nobody has acknowledged an incident, which is triggered `since`."""
    mark = "LATE: " if late else ""
    notes = ["This mail is late: syncd could not send it in time."] if late else []
    notes += [REPEATED] if repeated else []
    number = f"#{about.number}"
    lead = f"Nobody has acknowledged {number} of {about.service}. PagerDuty still pages for {number}."
    return Letter(
        subject=f"{mark}Nobody acknowledged {about.severity}: {_titled(about)}",
        template="mail/notice",
        context={
            **_frame(about.team, f"{mark}Nobody acknowledged {about.severity}", lead, RED, why),
            "facts": _facts(about, about.severity, triggered=since),
            "notes": _plain(notes),
            "links": _links(about),
            "definition": about.definition,
        },
    )


def missing_roles(about: About, roles: Sequence[str], why: str) -> Letter:
    """Return the mail that nobody has these roles of an incident."""
    words = " or ".join(roles)
    lead = f"Nobody is {words} of #{about.number}, an incident of {about.severity}."
    lines = " or ".join(f"`{role}: NAME`" for role in roles)
    note = f"To name somebody, begin a note in PagerDuty or a comment on the ticket with {lines}."
    return Letter(
        subject=f"No {words}: {_titled(about)}",
        template="mail/notice",
        context={
            **_frame(about.team, f"No {words}", lead, AMBER, why),
            "facts": [],
            "notes": _plain([note]),
            "links": _links(about),
            "definition": "",
        },
    )


def impact(about: About, content: ImpactMail, why: str, *, makes_texts: bool) -> Letter:
    """Return the mail that no status page tells of an impact; `makes_texts`: an `update:` makes its text."""
    if content.text_stands:
        text = "Publish the text that stands on the ticket, or your own,"
    elif makes_texts:
        text = "Write a line `update: …`; syncd then makes the text. Publish it"
    else:
        text = "Publish a text"
    since = format_time(content.since, about.zone)
    paragraphs = (
        f"Customers have been impacted since {since}. Nobody has written `status page: posted` yet.",
        f"{text} on {content.page} and then write the line `status page: posted` on the ticket or the"
        " incident. If customers are fine again, write `impact: none`.",
    )
    title = f"Customers are impacted: incident #{about.number}"
    return with_links(plain(about.team, title, paragraphs, (), why), about)


def correction(about: About, before: str, since: datetime, why: str) -> Letter:
    """Return the mail that the severity was lowered soon after the notice."""
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


def marked(letter: Letter, mark: str) -> Letter:
    """Return the letter with a mark before its subject and its title; an empty mark changes nothing."""
    if not mark:
        return letter
    title = {"title": f"{mark} {letter.context['title']}"}
    subject = f"{mark} {letter.subject}"
    return letter.model_copy(update={"subject": subject, "context": {**letter.context, **title}})


def bundle(notices: tuple[ToldNotice, ...]) -> Letter:
    """Return one mail that lists several notices to one person."""
    severities = Counter(told.about.severity for told in notices)
    counts = ", ".join(f"{number} of {name}" for name, number in sorted(severities.items()))
    title = f"{len(notices)} notices: {counts}"
    team = ", ".join(dict.fromkeys(told.about.team for told in notices))
    why = ", ".join(dict.fromkeys(told.why for told in notices))
    lead = "More than 5 notices to you came within 10 minutes. This mail lists the notices after the first 5."
    return Letter(
        subject=title,
        template="mail/bundle",
        context={**_frame(team, title, lead, RED, why), "notices": [_told(told) for told in notices]},
    )


def _told(notice: ToldNotice) -> dict[str, JsonValue]:
    about = notice.about
    heading = f"Lowered from {notice.before} to {about.severity}" if notice.before else about.severity
    heading = f"{about.exercise} {heading}" if about.exercise else heading
    heading += " (may be a repetition)" if notice.repeated else ""
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
    """Return a mail about owed duties, one line each."""
    shown = lines[:MOST_LINES]
    # also the lines beyond MOST_LINES count: a mail with a breach is red
    late = any(line.state in LATE for line in lines)
    return Letter(
        subject=subject,
        template="mail/owed",
        context={
            **_frame(team, title, lead, RED if late else AMBER, why),
            "lines": [_line(line) for line in shown],
            "more": len(lines) - len(shown),
        },
    )


def plain(team: str, title: str, paragraphs: tuple[str, ...], commands: tuple[str, ...], why: str) -> Letter:
    """Return a mail of a few paragraphs and the commands to type."""
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
    """Return the letter with links to the incident and its ticket."""
    return letter.model_copy(update={"context": {**letter.context, "links": _links(about)}})


def rendered(letter: Letter, templates: Templates, head: str, page: str = "") -> Body:
    """Return the letter as text and HTML, each with the ledger's head (`SEQ:HASH`) at its end.

    `page` is the address of the page of state, to which the mail links; empty if there is none.

    Every value is on one line and short, so that no foreign text brings a template to its limits. Raise
    `TemplateError`.
    """
    context = {**_short_values(letter.context), "anchor": head, "page": page}
    return Body(
        subject=letter.subject,
        text=templates.render(f"{letter.template}.txt.j2", context).strip() + "\n",
        html=templates.render(f"{letter.template}.html.j2", context),
        attachments=letter.attachments,
    )


def without_template(letter: Letter, why: str, head: str) -> Body:
    """Return the letter as plain lines that need no template: no fault of a template holds a mail back."""
    values = _short_values(letter.context)
    parts = [values.pop(name, "") for name in ("title", "lead")]
    reason, team = values.pop("why", ""), values.pop("team", "")
    lines = [*_lines(parts), *_lines(values), f"syncd could not use the mail's template: {why}"]
    lines.append(f"You get this because {reason}. Sent by syncd for {team}.")
    return plain_body(letter.subject, (*lines, f"Anchor of the audit trail: {head}"), letter.attachments)


def plain_body(subject: str, lines: Iterable[str], attachments: tuple[Attachment, ...] = ()) -> Body:
    """Return a mail of plain lines, without any template."""
    text = "\n\n".join(cut(one_line(line), LONGEST_VALUE) for line in lines if line)
    text = cut(text, MOST_OUTPUT) + "\n"
    return Body(subject=subject, text=text, html=f"<pre>{escape(text)}</pre>", attachments=attachments)


def _short_values(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: _short_value(value) for name, value in values.items()}


def _short_value(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return cut(one_line(value), LONGEST_VALUE)
    if isinstance(value, list):
        return [_short_value(part) for part in value]
    return _short_values(value) if isinstance(value, dict) else value


def _lines(value: JsonValue) -> Iterator[str]:
    """Yield the texts of a value; the texts of an entry are one line: `Status: triggered`."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _lines(part)
    elif isinstance(value, dict):
        parts = [part for name, part in value.items() if name != "colour" and part]
        yield ": ".join(part for part in parts if isinstance(part, str))
        yield from _lines([part for part in parts if isinstance(part, list)])


def _frame(team: str, title: str, lead: str, colour: str, why: str) -> dict[str, JsonValue]:
    return {"team": team, "title": title, "lead": lead, "colour": colour, "why": why}


def _facts(about: About, severity: str, *, triggered: datetime | None = None) -> list[JsonValue]:
    """Return the facts of an incident; `triggered` is told where people must act on it."""
    began = "" if triggered == about.created_at else format_time(about.created_at, about.zone)
    rows = [
        ("Incident", f"#{about.number} {one_line(about.title)}"),
        ("Severity", severity),
        ("Triggered", format_time(triggered, about.zone) if triggered else ""),
        ("Status", about.status),
        ("Began", began),
        ("Ended", format_time(about.resolved_at, about.zone) if about.resolved_at else ""),
        ("Responders", ", ".join(about.responders)),
        ("Called next", about.next),
        ("Team", about.team),
    ]
    return [{"name": name, "value": value} for name, value in rows if value]


def _links(about: About) -> list[JsonValue]:
    links = [(f"Open the ticket {about.ticket}", about.ticket_url), ("Open it in PagerDuty", about.url)]
    return [{"name": name, "url": url} for name, url in links if url]


def _line(line: Line) -> dict[str, JsonValue]:
    colour = RED if line.state in LATE else AMBER if line.state == "due soon" else BLUE
    return {**line.model_dump(mode="json"), "colour": colour}


def _plain(texts: tuple[str, ...] | list[str]) -> list[JsonValue]:
    return [*texts]


def _titled(about: About) -> str:
    """Return title and number of an incident."""
    number = f"#{about.number}"
    title = _short(about.title)
    # "Security incident #12", the title of every restricted incident, names the number already
    return title if title.endswith(f" {number}") else f"{title} ({number})"


def _short(title: str) -> str:
    return cut(one_line(title), TITLE_LIMIT)
