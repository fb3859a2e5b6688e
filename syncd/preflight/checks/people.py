"""Check that people can be assigned in Jira: those whom a mapping names, and those whom PagerDuty calls.

An empty search for a person proves little: addresses can be hidden, and without the right to browse users
every search is empty. So an empty search is unknown, unless the mapping names the person and our account may
browse users.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.domain.history import Change
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.ticket import Account
from syncd.engine.observe.accounts import pick
from syncd.preflight.checks.finding import JIRA_ADMIN, PAGERDUTY_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.pagerduty import called
from syncd.preflight.checks.sight import Sight

MANY_ISSUES = 20
"""An account that writes to more issues within an hour may belong to a robot."""
HOUR = timedelta(hours=1)
RECENT_DAYS = 7
MOST_ISSUES = 200
"""Issues of one project whose changelogs are read, those that changed last."""
MOST_PEOPLE = 100
"""People of a team whom syncd looks up, with one request each."""


def named(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check the fallback and the owners of services, each by their Jira address."""
    # without this right every search for people is empty
    browse = sight.rights(mapping.jira.project, ("USER_PICKER",))["USER_PICKER"]
    for email, why in _addresses(mapping).items():
        where = f"{mapping.team}, {why}: {email}"
        # some people have another address in Jira than in PagerDuty
        jira_address = mapping.people.aliases.get(email, email)
        accounts = sight.assignable(jira_address, mapping.jira.project)
        person, _why = pick(jira_address, accounts)
        if person is not None:
            yield ok("J04", where, f"is {person.name}")
        elif accounts:
            accounts_match = "1 account matches" if len(accounts) == 1 else f"{len(accounts)} accounts match"
            message = f"{accounts_match}, but none for certain"
            yield wrong("J04", where, message, "use an address that belongs to one active person only")
        elif browse:
            hint = "check the address; if Jira has another address or hides it, add it to `people.aliases`"
            yield wrong("J04", where, "Jira has no assignable account with this address", hint, JIRA_ADMIN)
        else:
            hint = "give our account the right `Browse users and groups`, so that syncd can look people up"
            yield unknown(
                "J04", where, "Jira shows no assignable account with this address", hint, JIRA_ADMIN
            )


def on_call(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check everybody whom PagerDuty calls for the team's services."""
    people = called(sight, mapping)
    fallback = mapping.people.fallback or "nobody"
    for user_id, why in list(people.items())[:MOST_PEOPLE]:
        user = sight.users.get(user_id)
        email = user.email if user else None
        where = f"{mapping.team}, {why}: {user.name if user else user_id}"
        if email is None:
            hint = "ask for the person's address"
            yield unknown("J14", where, "PagerDuty shows our token no address", hint, PAGERDUTY_ADMIN)
            continue
        jira_address = mapping.people.aliases.get(email, email)
        if pick(jira_address, sight.assignable(jira_address, mapping.jira.project))[0] is None:
            message = f"Jira shows no assignable account for {jira_address}: their tickets go to {fallback}"
            hint = "if Jira has another address, add it to `people.aliases`; else ask for a Jira account"
            yield unknown("J14", where, message, hint, JIRA_ADMIN)
        else:
            yield ok("J14", where, f"{jira_address} can be assigned")
    if len(people) > MOST_PEOPLE:
        message = f"PagerDuty calls {len(people)} people; syncd looked up the first {MOST_PEOPLE} only"
        yield unknown("J14", mapping.team, message)


def robots(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Report robots whose account Jira hides, and accounts of others that write faster than people do."""
    where = f"{mapping.team}, people.robots"
    jql = f'project = "{mapping.jira.project}" AND updated >= -{RECENT_DAYS}d ORDER BY updated DESC'
    changes = sight.jira.changelogs(jql, MOST_ISSUES)
    listed, hidden = _listed_robots(sight, mapping)
    for entry in hidden:
        message = f"Jira shows no account for {entry}, so syncd takes its acts for a person's"
        hint = f"write the robot's account id in place of {entry} (Data Center: its user name)"
        yield unknown("J16", where, message, hint)
    fast = [
        (account, count)
        for account, count in _busiest_hours(changes)
        if count > MANY_ISSUES and account.human and account.id not in listed
    ]
    for account, count in fast:
        message = f"{account.name or account.id} ({account.id}) wrote to {count} issues within one hour"
        hint = f"if no person acts with this account, add {account.id} to people.robots; else leave it"
        yield unknown("J16", where, message, hint)
    if not fast and not hidden:
        message = f"no other account wrote to more than {MANY_ISSUES} issues within one hour lately"
        yield ok("J16", where, message)


def _listed_robots(sight: Sight, mapping: Mapping) -> tuple[set[str], list[str]]:
    """Return the ids of our accounts and of those that the mapping lists, and its addresses without one."""
    listed, hidden = set(sight.ours), []
    for entry in mapping.people.robots:
        account = None
        if "@" in entry:
            known_by = mapping.people.aliases.get(entry, entry)
            account, _why = pick(known_by, sight.assignable(known_by, mapping.jira.project))
            if account is None:
                hidden.append(entry)
        listed.add(account.id if account is not None else entry)
    return listed, hidden


def _busiest_hours(changes: dict[str, tuple[Change, ...]]) -> Iterator[tuple[Account, int]]:
    """Yield each account with the most issues that it wrote to within one hour."""
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
    reasons: dict[str, str] = {}
    if mapping.people.fallback:
        reasons[mapping.people.fallback] = "people.fallback"
    for name, section in mapping.services.items():
        if section.owner:
            reasons.setdefault(section.owner, f"owner of {name}")
    for name, entry in mapping.recurring.items():
        reasons.setdefault(entry.owner, f"owner of {name}")
    return reasons
