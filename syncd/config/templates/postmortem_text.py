"""A postmortem's summary and description, with a timeline that leaves people room to write.

What is pre-filled takes at most 20,000 of the 32,767 UTF-16 units that Jira allows. A timeline that is longer
than what is left for it loses lines from its middle, and says how many: how it began and how it ended is what
a review is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.config.templates.postmortem_context import LONGEST_LINE, postmortem_context
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import cut, summary_line
from syncd.config.templates.ticket_context import ticket_summary
from syncd.config.templates.ticket_text import RenderedTicket, cut_markup
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.services import ServiceSection
from syncd.domain.postmortem import Line, Story
from syncd.domain.text import escape_wiki, one_line, utf16_len

PREFILLED_LIMIT = 20_000
"""UTF-16 units of a new postmortem's description."""
_BESIDE_THE_TEXT = 45
"""UTF-16 units that a line's time and markup take, and the line that says what was left out."""
_TRIES = 4


def render_postmortem(
    templates: Templates,
    incident: Incident,
    mapping: Mapping,
    section: ServiceSection,
    severity: str,
    assumed: bool,
    story: Story,
) -> RenderedTicket:
    """Render a postmortem from its team's template; raises `TemplateError`.

    The summary has at most 255, the description at most `PREFILLED_LIMIT` UTF-16 units.
    """

    def rendered(timeline: Sequence[Line | int]) -> str:
        context = postmortem_context(incident, mapping, section, severity, assumed, story, timeline)
        return templates.render(mapping.postmortem.template, context).strip()

    room = PREFILLED_LIMIT - utf16_len(rendered(()))
    description = ""
    for _ in range(_TRIES):
        description = rendered(shortened(story.lines, room))
        over = utf16_len(description) - PREFILLED_LIMIT
        if over <= 0:
            break
        # the template says more about a line than was thought
        room -= over + room // 10
    return RenderedTicket(postmortem_summary(incident, mapping), cut_markup(description, PREFILLED_LIMIT))


def postmortem_summary(incident: Incident, mapping: Mapping) -> str:
    """The postmortem's summary: what it is, and the ticket's own."""
    return summary_line(f"Postmortem: {ticket_summary(incident, mapping)}")


def shortened(lines: Sequence[Line], room: int) -> tuple[Line | int, ...]:
    """Given a timeline and UTF-16 units of wiki markup, return what fits, from both ends.

    In the place of what was left out stands how many lines that were. Of the end is kept as much as of the
    beginning, as far as lines are of one length.
    """
    sizes = [_size(one) for one in lines]
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
