"""Whether people can be assigned in Jira: those whom a mapping names, and everybody who is called.

An empty answer to a search for people proves nothing by itself (addresses can be hidden, and without the
right to browse users every search is empty), so it is not known unless the mapping names the person and
our account may browse users.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.domain.history import Change
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account
from syncd.engine.observe.accounts import pick
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.pagerduty import called
from syncd.preflight.checks.sight import Sight

MANY_ISSUES = 20
"""An account that writes to more issues within an hour may be a robot's (rules: "A person")."""
HOUR = timedelta(hours=1)
RECENT_DAYS = 7
MOST_ISSUES = 200
"""Issues of one project whose changelogs are read, those that changed last."""
MOST_PEOPLE = 100
"""People of one team who are looked up, one request each."""


def named(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """The fallback, the owners and the targets of aliases."""
    browse = sight.rights(mapping.jira.project, ("USER_PICKER",))["USER_PICKER"]
    for email, why in _addresses(mapping).items():
        where = f"{mapping.team}, {why}: {email}"
        known_by = mapping.people.aliases.get(email, email)
        found = sight.assignable(known_by, mapping.jira.project)
        person, _why = pick(known_by, found)
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
        if pick(known_by, sight.assignable(known_by, mapping.jira.project))[0] is None:
            said = f"nobody who can be assigned is {known_by}: such tickets go to {instead}"
            hint = "write `people.aliases` if the address differs in Jira, or ask for an account there"
            yield unknown("J14", where, said, hint, JIRA_ADMIN)
        else:
            yield ok("J14", where, f"{known_by} can be assigned")
    if len(people) > MOST_PEOPLE:
        said = f"{len(people) - MOST_PEOPLE} more people are called and were not looked up"
        yield unknown("J14", mapping.team, said)


def robots(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Accounts that write faster than people do and that `people.robots` does not list."""
    where = f"{mapping.team}, people.robots"
    jql = f'project = "{mapping.jira.project}" AND updated >= -{RECENT_DAYS}d ORDER BY updated DESC'
    changes = sight.jira.changelogs(jql, MOST_ISSUES)
    listed = _listed_robots(sight, mapping)
    fast = [
        (account, count)
        for account, count in _busiest_hours(changes)
        if count > MANY_ISSUES and account.human and account.id not in listed
    ]
    for account, count in fast:
        message = f"{account.name or account.id} ({account.id}) wrote to {count} issues within one hour"
        hint = f"if no person acts with this account, add {account.id} to people.robots; else leave it"
        yield unknown("J16", where, message, hint)
    if not fast:
        message = f"no other account wrote to more than {MANY_ISSUES} issues within one hour lately"
        yield ok("J16", where, message)


def _listed_robots(sight: Sight, mapping: Mapping) -> set[str]:
    """The ids of our own account and of those that the mapping lists."""
    listed = {sight.jira.myself().id}
    for entry in mapping.people.robots:
        account = None
        if "@" in entry:
            known_by = mapping.people.aliases.get(entry, entry)
            account, _why = pick(known_by, sight.assignable(known_by, mapping.jira.project))
        listed.add(account.id if account is not None else entry)
    return listed


def _busiest_hours(changes: dict[str, tuple[Change, ...]]) -> Iterator[tuple[Account, int]]:
    """Each account with the most issues that it wrote to within one hour."""
    accounts: dict[str, Account] = {}
    writes: dict[str, list[tuple[datetime, str]]] = {}
    for issue_id, issue_changes in changes.items():
        for change in issue_changes:
            if change.author is not None:
                accounts[change.author.id] = change.author
                writes.setdefault(change.author.id, []).append((change.at, issue_id))
    for account_id, moments in sorted(writes.items()):
        moments.sort()
        first, most = 0, 0
        for last, (at, _issue_id) in enumerate(moments):
            while at - moments[first][0] > HOUR:
                first += 1
            most = max(most, len({issue_id for _at, issue_id in moments[first : last + 1]}))
        yield accounts[account_id], most


def _addresses(mapping: Mapping) -> dict[str, str]:
    found: dict[str, str] = {}
    if mapping.people.fallback:
        found[mapping.people.fallback] = "people.fallback"
    for name, section in mapping.services.items():
        if section.owner:
            found.setdefault(section.owner, f"owner of {name}")
    return found
