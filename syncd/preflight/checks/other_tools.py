"""Whether PagerDuty's own Jira app works beside us: it would make a second ticket of every incident.

Three traces: extensions of services that speak of Jira, the app's own rules, and notes that name a ticket
which is not ours. A note that came within two minutes of the incident was a robot's; a later one may be a
person's, so only a person can tell. A team whose mapping says `coexist: adopt` wants it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from syncd.domain.directory import OtherTool
from syncd.domain.incident import Incident, Note
from syncd.domain.mapping.mapping import Coexist, claim_of
from syncd.engine.observe.incident_windows import pages_created
from syncd.engine.observe.other_tools import AT_ONCE, keys_in
from syncd.preflight.checks.finding import PAGERDUTY_ADMIN, YOU, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight
from syncd.remote.errors import Cause, RemoteError

RECENT = timedelta(days=7)
MOST_INCIDENTS = 20
"""Incidents whose notes are read, one request each."""
CODE, WHERE = "PD08", "PagerDuty's own Jira app"
OFF = (
    "switch it off for these services, or say `coexist: adopt` in their mapping: two tools make two tickets"
    " of each incident"
)


def own_app(sight: Sight) -> Iterator[Finding]:
    """What is found of the app, or that nothing is."""
    found: list[Finding] = []
    unread: list[str] = []
    for what, ask in (
        ("extension", sight.pagerduty.jira_extensions),
        ("rule", sight.pagerduty.jira_rules),
    ):
        try:
            found += _tools(sight, what, ask())
        except RemoteError as error:
            if error.cause is Cause.CREDENTIALS:
                raise
            # an account that never had the app answers 404 to the question for its rules
            if what == "extension" or error.cause is not Cause.MISSING:
                unread.append(f"its {what}s cannot be read ({error.describe()})")
    found += _notes(sight)
    yield from found
    if unread:
        hint = "ask whether the app is installed for the mapped services"
        yield unknown(CODE, WHERE, "; ".join(unread), hint, PAGERDUTY_ADMIN)
    elif not found:
        yield ok(CODE, WHERE, "no extension, rule or recent note shows that it works on a mapped service")


def _tools(sight: Sight, what: str, tools: tuple[OtherTool, ...]) -> Iterator[Finding]:
    alone, beside = _services(sight, Coexist.OFF), _services(sight, Coexist.ADOPT)
    for tool in tools:
        where = f"{WHERE}, {what} {tool.name or tool.id}"
        on = [alone[one] for one in tool.services if one in alone]
        wanted = [beside[one] for one in tool.services if one in beside]
        if on or (not tool.services and alone):
            said = f"works on {', '.join(on) or 'services that it does not name'}"
            yield wrong(CODE, where, said, OFF, PAGERDUTY_ADMIN)
        elif wanted or not tool.services:
            said = f"works on {', '.join(wanted) or 'services that it does not name'}"
            yield ok(CODE, where, f"{said}; `coexist: adopt` takes its tickets for ours")


def _services(sight: Sight, coexist: Coexist) -> dict[str, str]:
    """The mapped services of the teams that say so, by id."""
    return {
        one.id: one.name
        for mapping in sight.mappings
        if mapping.coexist is coexist
        for one in sight.mapped(mapping)
    }


def _notes(sight: Sight) -> Iterator[Finding]:
    for incident in _incidents(sight)[:MOST_INCIDENTS]:
        for note in sight.pagerduty.notes(incident.id):
            keys = _foreign_keys(sight, incident, note)
            if not keys:
                continue
            where = f"{WHERE}, note on #{incident.number}"
            author = note.author.name if note.author else "nobody known"
            said = f"names {', '.join(keys)}, which we did not make (by {author})"
            if note.created_at - incident.created_at <= AT_ONCE:
                yield wrong(CODE, where, said, OFF, PAGERDUTY_ADMIN)
            else:
                hint = "if a person wrote it, nothing is wrong; if a tool did, switch that off"
                yield unknown(CODE, where, said, hint, YOU)


def _incidents(sight: Sight) -> list[Incident]:
    """The last week's incidents of services that no other tool ought to work on, the newest first."""
    pages = pages_created(sight.pagerduty.incidents, sight.now - RECENT, sight.now + AT_ONCE)
    found = [incident for page in pages for incident in page.incidents]
    return [
        one
        for one in reversed(found)
        if (claim := claim_of(sight.mappings, one.service)) and claim[0].coexist is Coexist.OFF
    ]


def _foreign_keys(sight: Sight, incident: Incident, note: Note) -> list[str]:
    """The keys of the mapped projects' issues in a note, without those that bear our mark for it."""
    keys = keys_in(note.text, [mapping.jira.project for mapping in sight.mappings])
    if not keys:
        return []
    there = {one.key: one.mark for one in sight.jira.probe(keys).issues}
    ours = [key for key, mark in there.items() if mark is not None and mark.incident == incident.id]
    return [key for key in keys if key not in ours]
