"""Checks of Jira: our account, the project with its type and statuses, its links, its security levels."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.domain.base import Reference
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.project import ResolvedProject
from syncd.engine.jira_knowledge.postmortem_setup import first_named
from syncd.engine.observe.earlier_ledger.created_by_us import tickets_of_others
from syncd.policy.two_way.ticket_to_incident import STATE_KEYS, several_states
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place
from syncd.remote.errors import NotDone

RECENT_DAYS = 30
NO_LINKS = "tickets of merged incidents are not linked"
NO_ITEMS = "syncd takes no linked issue for an action item"
NO_CLOSING = "syncd takes no transition that requires a resolution"


def account(sight: Sight) -> Iterator[Finding]:
    """Check that Jira accepts our token."""
    server = sight.jira.server()
    site = f"{server.base_url} ({server.edition} {server.version})"
    yield ok("J01", "Jira", f"{site} knows us as {sight.jira.myself().name}")


def former_accounts(sight: Sight) -> Iterator[Finding]:
    """Say when our account has changed, and which former accounts Jira does not name."""
    where, present = "SYNCD_FORMER_ACCOUNTS", sight.jira.myself()
    for entry, account in sight.former_accounts.items():
        if account is None:
            message = f"Jira names no single account for {entry}: syncd takes it for an account id"
            yield unknown("J18", where, message, "give the account id (Data Center: the user name)")
    others = {ident: name or ident for ident, name in sight.on_record.items() if ident != present.id}
    if others:
        named = {account.id if account else entry for entry, account in sight.former_accounts.items()}
        message = f"the account has changed to {present.name}; former: {', '.join(others.values())}"
        hint = f"set it to {','.join(others)}: a new ledger cannot know these accounts"
        yield ok("J18", where, message, "" if named >= others.keys() else hint)
    else:
        yield ok("J18", where, f"syncd knows of no account before {present.name}")


def tickets_by_others(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that no account which we do not know created the latest tickets with our mark."""
    type_id = sight.resolved(mapping).incident_type.id
    where = f'project = "{mapping.jira.project}" AND issuetype = {type_id} AND created >= -{RECENT_DAYS}d'
    issues = tickets_of_others(sight.jira, where, sight.ours)
    for issue in {issue.creator.id: issue for issue in issues if issue.creator is not None}.values():
        creator = issue.creator.id if issue.creator is not None else ""
        message = f"{issue.key} bears syncd's mark, and {creator} created it, which is no account of ours"
        hint = (
            f"if syncd had this account before, add {creator} to SYNCD_FORMER_ACCOUNTS; else stop the other"
        )
        yield unknown("J18", place(mapping), message, hint)


def labels(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Say on which issues labels cannot be set: people miss them, and syncd does not need them."""
    project = sight.resolved(mapping)
    screens = {project.incident_type.name: project.offers("labels")}
    if mapping.postmortem.mode is not Mode.OFF and project.postmortem is not None:
        screens[project.postmortem.type.name] = project.postmortem.offers("labels")
    if mapping.follow_ups.mode is not Mode.OFF and project.sub_task is not None:
        fields = {field.id for field in sight.screen(project.key, project.sub_task.id)}
        screens[project.sub_task.name] = not fields or "labels" in fields
    bare = [name for name, offered in screens.items() if not offered]
    if bare:
        message = (
            f"labels cannot be set on issues of type {', '.join(bare)}: their create screens lack the field"
        )
        hint = (
            "put Labels on these screens, so that people's filters by label find the issues; syncd itself"
            " finds them by creator and mark"
        )
        yield ok("J17", place(mapping), message, hint, JIRA_ADMIN)
    else:
        yield ok("J17", place(mapping), f"labels can be set on issues of type {', '.join(screens)}")


def project(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that the project has the issue type and a status for each word; say what else it lacks."""
    where = place(mapping)
    resolved = sight.resolved(mapping)
    yield ok("J02", where, f"tickets are of type {resolved.incident_type.name}")
    for message in sight.refused_lists.values():
        hint = "syncd goes on without this list; the project itself can be read"
        yield unknown("J06", where, message, hint, JIRA_ADMIN)
    yield from _statuses(where, resolved, mapping)
    required = {name for name, spec in mapping.jira.fields.items() if spec.required}
    for name in resolved.lacking:
        # a required field without a place on the screen makes every create fail
        if name.startswith("field ") and name.removeprefix("field ") in required:
            message = f"the create screen has no {name}, and the mapping requires it: syncd creates no ticket"
            yield wrong("J06", where, message, "put it on the screen, or remove `required`", JIRA_ADMIN)
        else:
            hint = "syncd creates tickets without it, or with a label instead"
            if name.startswith("priority of "):
                severity = name.removeprefix("priority of ").partition(":")[0]
                hint = (
                    "their tickets have Jira's default priority and a label instead; name a priority that it"
                    f" offers under severities.{severity}.priority"
                )
            yield ok("J06", where, f"the project lacks: {name}", hint, JIRA_ADMIN)


def _statuses(where: str, resolved: ResolvedProject, mapping: Mapping) -> Iterator[Finding]:
    """Say which status each word has.

    One status for two incident states is wrong if the mapping lets moves on tickets change the incident.
    """
    words: dict[str, list[str]] = {}
    for word, status in resolved.statuses.items():
        words.setdefault(status.id, []).append(word)
    names = {status.id: status.name for status in resolved.statuses.values()}
    travelling = [key for key in STATE_KEYS if getattr(mapping.two_way, key)]
    for ident, shared in words.items():
        message = f"{names[ident]} stands for {' and '.join(shared)}"
        if len(shared) == 1:
            yield ok("J05", where, f"{shared[0]} is {names[ident]}")
        elif not several_states(shared):
            yield ok("J05", where, message)
        elif travelling:
            keys = ", ".join(f"two_way.{key}" for key in travelling)
            hint = f"give each word its own status under `jira.statuses`, or switch {keys} off"
            yield wrong("J05", where, f"{message}, so no move on a ticket reaches PagerDuty ({keys})", hint)
        else:
            hint = (
                "while one status stands for two states, moves on tickets cannot reach PagerDuty (`two_way`)"
            )
            yield ok("J05", where, message, hint, JIRA_ADMIN)


def links(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that Jira has a link type and a resolution that the mapping names."""
    resolved, where = sight.resolved(mapping), place(mapping)
    types = resolved.link_types
    for kind, key, names, existing, without in (
        ("link types", "jira.link_types", mapping.jira.link_types, types, NO_LINKS),
        ("link types", "follow_ups.link_types", mapping.follow_ups.link_types, types, NO_ITEMS),
        ("resolutions", "jira.resolution", mapping.jira.resolution, resolved.resolutions, NO_CLOSING),
    ):
        chosen = first_named(names, existing)
        if chosen is not None:
            yield ok("J12", where, f"{key} is {chosen.name}")
        elif names:
            message = f"Jira has none of the {kind} {', '.join(names)} ({_named(existing)})"
            yield ok("J12", where, message, f"name an existing one under `{key}`; without it, {without}")


def _named(existing: tuple[Reference, ...]) -> str:
    return (
        f"it has {', '.join(reference.name for reference in existing)}"
        if existing
        else "it has none that our account sees"
    )


def levels(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that our account may set a restricted ticket's security level; else say where it goes."""
    names, where = mapping.restricted.level, f"{place(mapping)}, restricted"
    if not names and not _restricts(mapping):
        return
    existing = sight.levels(mapping.jira.project)
    chosen = first_named(names, existing)
    restricted_project = mapping.restricted.project
    if chosen is not None and sight.resolved(mapping).offers("security"):
        yield ok("J11", where, f"our account may set the level {chosen.name}")
    else:
        allowed = sight.rights(mapping.jira.project, ("SET_ISSUE_SECURITY",))["SET_ISSUE_SECURITY"]
        level = (
            f"the security level {' or '.join(names)}"
            if names
            else "a security level (the mapping names none)"
        )
        effect = (
            f"restricted tickets go to {restricted_project}"
            if restricted_project
            else "a restricted ticket shows only the incident's number"
        )
        message = f"our account may not set {level}: {effect}"
        hint = (
            "add our account to the level, give it Set Issue Security, and put the field on the create screen"
        )
        finding = ok if restricted_project else (unknown if allowed is None else wrong)
        yield finding("J11", where, message, hint, JIRA_ADMIN)
    if restricted_project is not None:
        yield _restricted_project(sight, where, restricted_project)


def _restricted_project(sight: Sight, where: str, key: str) -> Finding:
    allowed = sight.rights(key, ("CREATE_ISSUES",))["CREATE_ISSUES"] if _seen(sight, key) else False
    if allowed:
        return ok("J11", where, f"our account may create restricted tickets in {key}")
    message = f"our account may not create restricted tickets in {key}: they show only the incident's number"
    finding = unknown if allowed is None else wrong
    return finding("J11", where, message, f"give it Browse Projects and Create Issues in {key}", JIRA_ADMIN)


def _seen(sight: Sight, key: str) -> bool:
    """Return True if Jira shows a project to our account; raise `RemoteError` if it does not say."""
    try:
        sight.facts(key)
    except NotDone as error:
        if not error.not_for_us:
            raise
        return False
    return True


def _restricts(mapping: Mapping) -> bool:
    rules = mapping.restricted
    by_rule = rules.titles or rules.incident_types or rules.services or rules.project
    return bool(by_rule) or any(section.restricted for section in mapping.severities.values())
