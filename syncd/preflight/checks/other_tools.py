"""Look for PagerDuty's own Jira app: it would create a second ticket for every incident.

The app leaves three traces: extensions of services that name Jira, its own rules, and notes that name a
ticket that syncd did not create. A note within two minutes of the incident comes from a robot. A later note
may come from a person, so only a person can tell. A mapping with `coexist: adopt` allows the app.
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
"""Incidents whose notes are read, with one request each."""
CODE, WHERE = "PD08", "PagerDuty's own Jira app"
OFF = (
    "switch it off for these services, or set `coexist: adopt` in their mapping; else each incident gets two"
    " tickets"
)


def own_app(sight: Sight) -> Iterator[Finding]:
    """Yield the traces of the app, or one finding that there is none."""
    findings: list[Finding] = []
    unread: list[str] = []
    for kind, ask in (
        ("extension", sight.pagerduty.jira_extensions),
        ("rule", sight.pagerduty.jira_rules),
    ):
        try:
            findings += _tools(sight, kind, ask())
        except RemoteError as error:
            # a refused token stops all checks of PagerDuty, not only this one
            if error.cause is Cause.CREDENTIALS:
                raise
            # PagerDuty answers 404 for the rules of an app that the account never had
            if kind == "extension" or error.cause is not Cause.MISSING:
                unread.append(f"its {kind}s cannot be read ({error.describe()})")
    findings += _notes(sight, unread)
    yield from findings
    if unread:
        hint = "ask whether PagerDuty's Jira app is installed for the mapped services"
        yield unknown(CODE, WHERE, "; ".join(unread), hint, PAGERDUTY_ADMIN)
    elif not findings:
        yield ok(CODE, WHERE, "no extension, rule or recent note shows that it serves a mapped service")


def _tools(sight: Sight, kind: str, tools: tuple[OtherTool, ...]) -> Iterator[Finding]:
    not_adopting, adopting = _services(sight, Coexist.OFF), _services(sight, Coexist.ADOPT)
    for tool in tools:
        where = f"{WHERE}, {kind} {tool.name or tool.id}"
        affected = [not_adopting[service_id] for service_id in tool.services if service_id in not_adopting]
        adopted = [adopting[service_id] for service_id in tool.services if service_id in adopting]
        if affected or (not tool.services and not_adopting):
            effect = f"serves {', '.join(affected) or 'services that it does not name'}"
            yield wrong(CODE, where, effect, OFF, PAGERDUTY_ADMIN)
        elif adopted or not tool.services:
            effect = f"serves {', '.join(adopted) or 'services that it does not name'}"
            yield ok(CODE, where, f"{effect}; syncd adopts its tickets (`coexist: adopt`)")


def _services(sight: Sight, coexist: Coexist) -> dict[str, str]:
    """Return the names of the mapped services of all teams with this `coexist`, by id."""
    return {
        service.id: service.name
        for mapping in sight.mappings
        if mapping.coexist is coexist
        for service in sight.mapped(mapping)
    }


def _notes(sight: Sight, unread: list[str]) -> Iterator[Finding]:
    """Yield the notes that name another tool's tickets; add to `unread` those that PagerDuty refuses."""
    for incident in _incidents(sight)[:MOST_INCIDENTS]:
        try:
            notes = sight.pagerduty.notes(incident.id)
        except RemoteError as error:
            if not error.of_one_object:
                raise
            unread.append(f"the notes of #{incident.number} cannot be read ({error.answer})")
            continue
        for note in notes:
            keys = _foreign_keys(sight, incident, note)
            if not keys:
                continue
            where = f"{WHERE}, note on #{incident.number}"
            author = note.author.name if note.author else "an unknown author"
            message = f"names {', '.join(keys)}, which syncd did not create (note by {author})"
            if note.created_at - incident.created_at <= AT_ONCE:
                yield wrong(CODE, where, message, OFF, PAGERDUTY_ADMIN)
            else:
                hint = "if a person wrote the note, nothing is wrong; if a tool wrote it, switch the tool off"
                yield unknown(CODE, where, message, hint, YOU)


def _incidents(sight: Sight) -> list[Incident]:
    """Return the last week's incidents of teams that do not allow the app, the newest first."""
    pages = pages_created(sight.pagerduty.incidents, sight.now - RECENT, sight.now + AT_ONCE)
    newest_last = [incident for page in pages for incident in page.incidents]
    return [
        incident
        for incident in reversed(newest_last)
        if (claim := claim_of(sight.mappings, incident.service)) and claim[0].coexist is Coexist.OFF
    ]


def _foreign_keys(sight: Sight, incident: Incident, note: Note) -> list[str]:
    """Return the issue keys of mapped projects in a note, without issues that carry our mark."""
    keys = keys_in(note.text, [mapping.jira.project for mapping in sight.mappings])
    if not keys:
        return []
    # the mark in Jira decides whose ticket it is, never the key or the note's author
    marks = {issue.key: issue.mark for issue in sight.jira.probe(keys).issues}
    ours = [key for key, mark in marks.items() if mark is not None and mark.incident == incident.id]
    return [key for key in keys if key not in ours]
