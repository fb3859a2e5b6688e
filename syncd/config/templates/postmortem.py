"""Render a postmortem's texts, and build the variables of its template.

A postmortem's template gets all variables of a ticket's template, and the incident's whole story. Every text
is masked, short and on one line; templates escape it. Times are text in the team's zone with the zone's name,
so that a reader can tell the two hours apart when the clocks change. `templates/README.md` lists them.

syncd fills at most 20,000 of the 32,767 UTF-16 units that Jira allows, so people have room to write. A
timeline that is too long loses lines from its middle, and says how many: a review needs its beginning and its
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.config.masks import mask
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import cut, summary_line, ticket_summary
from syncd.config.templates.ticket import (
    RenderedTicket,
    Subject,
    choose_playbook,
    cut_markup,
    ticket_context,
)
from syncd.domain.base import JsonValue
from syncd.domain.clock import zone_word
from syncd.domain.postmortem import Alert, Line, Story, Window
from syncd.domain.text import escape_wiki, one_line, utf16_len

LONGEST_LINE = 500
"""UTF-16 units of one text in the timeline."""
MOST_ALERTS = 20
MOST_HELPERS = 40


@dataclass(frozen=True)
class _Words:
    """The form of texts and times in a template: masked, short, on one line; times in the team's zone."""

    zone: ZoneInfo
    patterns: dict[str, str]

    def text(self, value: str, limit: int = 255) -> str:
        """Return a text masked, on one line, at most `limit` UTF-16 units long."""
        return cut(mask(one_line(value), self.patterns), limit)

    def at(self, moment: datetime | None) -> str | None:
        """Return a time in the team's zone, with the zone's name."""
        if moment is None:
            return None
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} {zone_word(local)}"


def postmortem_context(
    subject: Subject, story: Story, timeline: Sequence[Line | int]
) -> dict[str, JsonValue]:
    """Return the variables of a postmortem's template, from an incident's story.

    They are those of `ticket_context`, and

    - `ticket`: `key`, `url`
    - `zone`: the team's time zone; all times below are in it
    - `impact`: the periods in which the incident was open, each with `since`, `until` and `lasted`
    - `peak`: the worst severity that counts, with `name` and `definition`
    - `severities`: all severities of the incident, each with `name` and `since`
    - `responders`: each with `name` and `roles` (a list)
    - `acknowledge`, `resolve`: `took` (None if it never happened), `target` (None without one), `met`
    - `timeline`: entries with `at`, `who`, `text`; an entry with `left_out` above 0 replaces that many lines
    - `alerts`: `summary`, `source`, `url`, `details` of the first twenty; `alerts_left_out`: how many more
      there are
    - `kpis`: the figures that the mapping names, each with `name`, `threshold` and `link` (None without one)
    - `prompts`: the scenario's questions on the root cause
    - `duties`: `owner` (None: nobody), `schedule_by`, `review_by`, `complete_by` (None without a rule)
    - `withheld`: True if the incident is restricted, so that no text of it is here

    A number in `timeline` replaces that many lines that were left out.
    """
    mapping = subject.mapping
    words = _Words(ZoneInfo(mapping.zone), mapping.redact.patterns)
    first, last = story.windows[0], story.windows[-1]
    peak = mapping.severities[story.severity]
    sections = choose_playbook(mapping, subject.section, subject.incident.title)
    return {
        **ticket_context(subject),
        "ticket": {"key": story.ticket_key, "url": story.ticket_url},
        "zone": mapping.zone,
        "impact": [_window(window, words) for window in story.windows],
        "peak": {"name": story.severity, "definition": peak.definition},
        "severities": [
            {"name": period.severity, "since": words.at(period.since)} for period in story.severity_periods
        ],
        "responders": [
            {"name": words.text(helper.name), "roles": list(helper.roles)}
            for helper in story.helpers[:MOST_HELPERS]
        ],
        "acknowledge": _measured(first.since, story.acknowledged_at, peak.acknowledge_minutes),
        "resolve": _measured(first.since, last.until, peak.resolve_minutes),
        "timeline": [_entry(line, words) for line in timeline],
        "alerts": [_alert(alert, words) for alert in story.alerts[:MOST_ALERTS]],
        "alerts_left_out": max(0, len(story.alerts) - MOST_ALERTS),
        "kpis": [kpi.model_dump(mode="json") for kpi in mapping.postmortem.kpis],
        "prompts": [line for section in sections for line in section.root_causes],
        "duties": _duties(story, words),
        "withheld": story.withheld,
    }


def _window(window: Window, words: _Words) -> dict[str, JsonValue]:
    return {
        "since": words.at(window.since),
        "until": words.at(window.until),
        "lasted": _lasted(window.since, window.until),
    }


def _duties(story: Story, words: _Words) -> dict[str, JsonValue]:
    return {
        "owner": words.text(story.owner) or None,
        "schedule_by": words.at(story.schedule_by),
        "review_by": f"{story.review_by.astimezone(words.zone):%Y-%m-%d}",
        "complete_by": words.at(story.complete_by),
    }


def _alert(alert: Alert, words: _Words) -> dict[str, JsonValue]:
    return {
        # a sender may leave the summary out, and an alert without words would be an empty bullet
        "summary": words.text(alert.summary) or f"alert {words.text(alert.key)}".strip(),
        "source": words.text(alert.source),
        "url": one_line(alert.url),
        "details": words.text(alert.details, LONGEST_LINE),
    }


def _entry(line: Line | int, words: _Words) -> dict[str, JsonValue]:
    if isinstance(line, int):
        return {"at": "", "who": "", "text": "", "left_out": line}
    return {
        "at": words.at(line.at),
        "who": words.text(line.who, 100),
        "text": words.text(line.text, LONGEST_LINE),
        "left_out": 0,
    }


def _measured(since: datetime, until: datetime | None, target: float | None) -> dict[str, JsonValue]:
    """Return how long something took and its target (given in minutes), both as text."""
    met = None
    if until is not None and target is not None:
        met = (until - since).total_seconds() < target * 60
    return {
        "took": _lasted(since, until),
        "target": None if target is None else duration(timedelta(minutes=target)),
        "met": met,
    }


def _lasted(since: datetime, until: datetime | None) -> str | None:
    return None if until is None else duration(until - since)


def duration(span: timedelta) -> str:
    """Return a length of time as people read it: `45 s`, `4 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        minutes, odd = divmod(seconds, 60)
        return f"{minutes} min {odd} s" if odd else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 24:
        days, rest = divmod(round(seconds / 3600), 24)
        return f"{days} d {rest} h" if rest else f"{days} d"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


PREFILLED_LIMIT = 20_000
"""UTF-16 units of a new postmortem's description."""
_BESIDE_THE_TEXT = 45
"""UTF-16 units of a line's time and markup, and of the line that says how many lines were left out."""
_TRIES = 4
"""Attempts to shorten the timeline until the description fits."""


def render_postmortem(templates: Templates, subject: Subject, story: Story) -> RenderedTicket:
    """Render a postmortem from its team's template; raise `TemplateError`.

    The summary has at most 255, the description at most `PREFILLED_LIMIT` UTF-16 units.
    """

    def rendered(timeline: Sequence[Line | int]) -> str:
        context = postmortem_context(subject, story, timeline)
        return templates.render(subject.mapping.postmortem.template, context).strip()

    room = PREFILLED_LIMIT - utf16_len(rendered(()))
    description = ""
    for _ in range(_TRIES):
        description = rendered(shortened(story.lines, room))
        over = utf16_len(description) - PREFILLED_LIMIT
        if over <= 0:
            break
        # the template prints more for each line than estimated, so give the timeline less room
        room -= over + room // 10
    summary = summary_line(f"Postmortem: {ticket_summary(subject.incident, subject.mapping)}")
    return RenderedTicket(summary, cut_markup(description, PREFILLED_LIMIT))


def shortened(lines: Sequence[Line], room: int) -> tuple[Line | int, ...]:
    """Return the lines of a timeline that fit into `room` UTF-16 units of wiki markup, from both ends.

    A number replaces the lines that were left out. Beginning and end keep about the same number of lines.
    """
    sizes = [_size(line) for line in lines]
    if not lines or sum(sizes) <= room:
        return tuple(lines)
    room -= _BESIDE_THE_TEXT
    first, last = 0, len(lines)
    while first < last:
        # the beginning and the end take turns
        at = first if first <= len(lines) - last else last - 1
        room -= sizes[at]
        if room < 0:
            break
        first, last = (first + 1, last) if at == first else (first, last - 1)
    return (*lines[:first], last - first, *lines[last:])


def _size(line: Line) -> int:
    text = escape_wiki(cut(one_line(line.text), LONGEST_LINE))
    return utf16_len(text) + utf16_len(escape_wiki(line.who)) + _BESIDE_THE_TEXT
