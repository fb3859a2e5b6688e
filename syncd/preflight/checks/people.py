"""Whether people can be assigned in Jira: those whom a mapping names, and everybody who is called.

An empty answer to a search for people proves nothing by itself (addresses can be hidden, and without the
right to browse users every search is empty), so it is not known unless the mapping names the person and
our account may browse users.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.pagerduty import called
from syncd.preflight.checks.sight import Sight

MOST_PEOPLE = 100
"""People of one team who are looked up, one request each."""


def named(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """The fallback, the owners and the targets of aliases."""
    browse = sight.rights(mapping.jira.project, ("USER_PICKER",))["USER_PICKER"]
    for email, why in _addresses(mapping).items():
        where = f"{mapping.team}, {why}: {email}"
        known_by = mapping.people.aliases.get(email, email)
        found = sight.assignable(known_by, mapping.jira.project)
        person = certain(known_by, found)
        if person is not None:
            yield ok("J04", where, f"is {person.name}")
        elif found:
            said = f"{len(found)} people match, none for certain"
            yield wrong("J04", where, said, "give an address that is one person's alone")
        elif browse:
            hint = "check the address; if it differs in Jira, or is hidden there, write `people.aliases`"
            yield wrong("J04", where, "nobody who can be assigned has this address", hint, JIRA_ADMIN)
        else:
            hint = "the right `Browse users and groups` is needed to look people up"
            yield unknown("J04", where, "nobody assignable matches", hint, JIRA_ADMIN)


def on_call(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Everybody whom the team's services call."""
    people = called(sight, mapping)
    instead = mapping.people.fallback or "nobody"
    for user_id, why in list(people.items())[:MOST_PEOPLE]:
        user = sight.users.get(user_id)
        email = user.email if user else None
        where = f"{mapping.team}, {why}: {user.name if user else user_id}"
        if email is None:
            hint = "ask for the address"
            yield unknown("J14", where, "our token does not see the address", hint, "PagerDuty admin")
            continue
        known_by = mapping.people.aliases.get(email, email)
        if certain(known_by, sight.assignable(known_by, mapping.jira.project)) is None:
            said = f"nobody who can be assigned is {known_by}: such tickets go to {instead}"
            hint = "write `people.aliases` if the address differs in Jira, or ask for an account there"
            yield unknown("J14", where, said, hint, JIRA_ADMIN)
        else:
            yield ok("J14", where, f"{known_by} can be assigned")
    if len(people) > MOST_PEOPLE:
        said = f"{len(people) - MOST_PEOPLE} more people are called and were not looked up"
        yield unknown("J14", mapping.team, said)


def certain(email: str, found: tuple[Account, ...]) -> Account | None:
    """The one person whom an address means beyond doubt, as tickets are assigned; None: nobody."""
    people = [one for one in found if one.active and one.human]
    exact = [one for one in people if (one.email or "").casefold() == email.casefold()]
    if len(exact) == 1:
        return exact[0]
    return people[0] if not exact and len(people) == 1 and not people[0].email else None


def _addresses(mapping: Mapping) -> dict[str, str]:
    found: dict[str, str] = {}
    if mapping.people.fallback:
        found[mapping.people.fallback] = "people.fallback"
    for name, section in mapping.services.items():
        if section.owner:
            found.setdefault(section.owner, f"owner of {name}")
    return found
