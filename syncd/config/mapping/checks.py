"""Check what a mapping's types cannot express: patterns compile, addresses are valid, names exist.

The checks read the raw document, so they also work on a file whose structure is wrong, and syncd can tell all
problems of a file at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

from syncd.config.mapping.yaml_reader import Document, Path_
from syncd.config.problems import Problem, by_place, did_you_mean, listing
from syncd.config.settings.values import is_address
from syncd.config.templates.text_limits import slug_label
from syncd.domain.base import JsonValue
from syncd.domain.mapping.after_incident import Postmortem
from syncd.domain.mapping.jira_section import OWN_FIELDS, JiraSection
from syncd.domain.mapping.services import default_severities
from syncd.domain.text import wiki_url

Finding = tuple[Path_, str, str]
"""A path, the problem there, and a hint how to fix it."""

DEFAULT_LINKS = list(JiraSection.model_fields["link_types"].default)
DEFAULT_POSTMORTEM_LINKS = list(Postmortem.model_fields["link_types"].default)


def content_problems(document: Document) -> list[Problem]:
    """Return every problem of a document's content, in the order of the file."""
    problems = (document.problem(*finding) for check in _CHECKS for finding in check(document.data))
    return sorted(problems, key=by_place)


def at(data: JsonValue, pattern: tuple[str, ...], path: Path_ = ()) -> Iterator[tuple[Path_, JsonValue]]:
    """Yield every path of the data that matches a pattern, with its value; `*` is any key or index."""
    if len(path) == len(pattern):
        yield path, data
        return
    step = pattern[len(path)]
    parts: Iterator[tuple[str | int, JsonValue]] = iter(())
    if isinstance(data, dict):
        parts = iter(data.items())
    elif isinstance(data, list) and step == "*":
        parts = iter(enumerate(data))
    for key, value in parts:
        if step in ("*", key):
            yield from at(value, pattern, (*path, key))


def section(data: JsonValue, *path: str) -> dict[str, JsonValue]:
    """Return the section at a path; an empty one if there is none."""
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def words(value: JsonValue) -> list[str]:
    """Return a name or a list of names as a list."""
    values = value if isinstance(value, list) else [value]
    return [name for name in values if isinstance(name, str)]


def _texts(patterns: tuple[str, ...], check: Callable[[str], tuple[str, str] | None]) -> _Check:
    """Return a check that looks at every text at these patterns, written with dots."""

    def checked(data: JsonValue) -> Iterator[Finding]:
        for pattern in patterns:
            for path, value in at(data, tuple(pattern.split("."))):
                wrong = check(value) if isinstance(value, str) else None
                if wrong:
                    yield (path, *wrong)

    return checked


def _pattern(text: str) -> tuple[str, str] | None:
    try:
        regex.compile(text)
    except regex.error as error:
        return f"not a regular expression: {error}", "quote it with '…' and escape what is literal"
    return None


def _masking(text: str) -> tuple[str, str] | None:
    wrong = _pattern(text)
    # such a pattern matches between all letters
    if wrong is None and regex.compile(text).search("") is not None:
        return "matches the empty text, so it would mask every text", "require at least one character"
    return wrong


def _address(text: str) -> tuple[str, str] | None:
    return None if is_address(text) else ("not an e-mail address", "write one such as name@company.example")


def _address_or_owner(text: str) -> tuple[str, str] | None:
    if text == "owner":
        return None
    wrong = _address(text)
    return wrong and (wrong[0], f"{wrong[1]}, or `owner` for the owner of the service")


def _link(text: str) -> tuple[str, str] | None:
    return None if wiki_url(text) else ("not a web address", "write one that begins with https://")


def _label(text: str) -> tuple[str, str] | None:
    slug = slug_label(text)
    if slug != text:
        return "not a label of Jira", f"write `{slug}`" if slug else "use letters, digits and hyphens"
    if text.startswith(("syncd", "pd-")):
        return "a label that syncd sets itself", "choose one that does not begin with `syncd` or `pd-`"
    return None


def _keys_of_people(data: JsonValue) -> Iterator[Finding]:
    for key in ("aliases", "away"):
        for name in section(data, "people", key):
            wrong = _address(name)
            if wrong:
                yield (("people", key, name), *wrong)


def _playbooks(data: JsonValue) -> Iterator[Finding]:
    for pattern in (("playbook", "*"), ("services", "*", "playbook", "*")):
        for path, value in at(data, pattern):
            if not isinstance(value, dict):
                continue
            if not any(value.get(part) for part in ("detect", "actions", "recovered_when")):
                yield path, "is empty", "give `detect`, `actions` or `recovered_when`"
            # a team's playbook without a title would match incidents of every service
            if len(pattern) == 2 and "title" not in value:
                yield path, "would be on every ticket of the team", "give a pattern for titles as `title`"


def _noise(data: JsonValue) -> Iterator[Finding]:
    """Check that each noise rule has conditions that can hold, and names services of the team."""
    for path, rule in at(data, ("noise", "*")):
        if not isinstance(rule, dict):
            continue
        if not set(rule) - {"name"}:
            yield path, "would keep every incident without a ticket", "add a condition"
        if rule.get("urgency") == "high" and "resolved_within_minutes" in rule:
            yield path, "never holds", "`resolved_within_minutes` works for urgency low only"
        yield from _foreign_services(data, rule, path)


def _foreign_services(data: JsonValue, rule: dict[str, JsonValue], path: Path_) -> Iterator[Finding]:
    """Yield the services that a rule names and that are not in the mapping, by name or id."""
    sections = section(data, "services")
    ids = [value.get("id") for value in sections.values() if isinstance(value, dict)]
    for word in words(rule.get("services")):
        if word not in sections and word not in ids:
            hint = did_you_mean(word, sections) or f"the mapping has {listing(list(sections))}"
            yield (*path, "services"), f"no such service: {word}", hint


def _restricted(data: JsonValue) -> Iterator[Finding]:
    """Check that the restricted section names services of the team and a project of its own."""
    rules = section(data, "restricted")
    yield from _foreign_services(data, rules, ("restricted",))
    if "project" in rules and rules["project"] == section(data, "jira").get("project"):
        yield ("restricted", "project"), "the project of all tickets", "name one that only a few may see"
    levels = {name.casefold() for name in words(rules.get("level"))}
    for word in words(rules.get("ordinary_levels")):
        if word.casefold() in levels:
            message = f"`{word}` is the level of restricted tickets"
            yield ("restricted", "ordinary_levels"), message, "remove it"
    names = [each.get("name") for _path, each in at(data, ("playbook", "*")) if isinstance(each, dict)]
    for word in words(rules.get("playbook")):
        if word not in names:
            known = [name for name in names if isinstance(name, str)]
            hint = did_you_mean(word, known) or "name a section of the team's `playbook`"
            yield ("restricted", "playbook"), f"no such section: {word}", hint
    for key in ("lead", "deputy"):
        if rules.get("clocks") and not rules.get(key):
            hint = f"name whom the clocks remind as `restricted.{key}`"
            yield ("restricted", "clocks"), f"need `restricted.{key}`", hint


def _recurring(data: JsonValue) -> Iterator[Finding]:
    """Check that what recurs names services and severities of the team, and has a name that is no path."""
    names = list(section(data, "severities")) or list(default_severities())
    for path, entry in at(data, ("recurring", "*")):
        if not isinstance(entry, dict):
            continue
        if "/" in str(path[-1]):
            # the ledger's name of each issue is a path of team, name and period
            yield path, "has a slash in its name", "write the name without one"
        yield from _foreign_services(data, entry, path)
        for word in words(entry.get("after")):
            if word not in names:
                hint = did_you_mean(word, names) or f"the mapping has {listing(names)}"
                yield (*path, "after"), f"no such severity: {word}", hint
        if entry.get("kind") == "game_day" and entry.get("after"):
            yield (*path, "after"), "asks for an exercise after an incident", "only a review has `after`"


def _severity_names(data: JsonValue) -> Iterator[Finding]:
    names = list(section(data, "severities")) or list(default_severities())
    for pattern in (("services", "*", "severity"), ("texts", "*", "severities")):
        for path, value in at(data, pattern):
            for word in words(value):
                if word not in names:
                    hint = did_you_mean(word, names) or f"the mapping has {listing(names)}"
                    yield path, "no such severity" if word == value else f"{word}: no such severity", hint


def _severities(data: JsonValue) -> Iterator[Finding]:
    """Check that each priority and word means one severity at most, and each urgency exactly one."""
    severities = section(data, "severities")
    yield from _told_twice(severities, "pagerduty", "PagerDuty priority")
    yield from _told_twice(severities, "words", "word")
    names = {name.casefold(): name for name in severities}
    for path, value in at(severities, ("*", "words")):
        for word in words(value):
            other = names.get(word.casefold())
            if other not in (None, path[0]):
                yield ("severities", *path), f"`{word}` is the name of another severity", "remove it here"
    urgencies = [(value, path) for path, value in at(severities, ("*", "urgency")) if isinstance(value, str)]
    for urgency in ("high", "low"):
        claims = [path for value, path in urgencies if value == urgency]
        if severities and not claims:
            hint = f"write `urgency: {urgency}` under one severity"
            yield ("severities",), f"no severity has urgency {urgency}", hint
        for path in claims[1:]:
            yield ("severities", *path), f"urgency {urgency} already means {claims[0][0]}", "remove one"


def _alarms(data: JsonValue) -> Iterator[Finding]:
    """Check that an alarm has a time and contacts, and that a required role can be filled."""
    for name, value in section(data, "severities").items():
        if not isinstance(value, dict):
            continue
        for key in ("acknowledge_minutes", "notify"):
            if value.get("alarm") is True and not value.get(key):
                yield ("severities", name, "alarm"), f"nobody hears of it without `{key}`", f"give `{key}`"
        services = section(data, "services").values()
        known = {*section(data, "roles")}
        known.update(*(section(service, "roles") for service in services))
        for role in words(value.get("roles_required")):
            if role not in known:
                hint = f"name it there, as `{role}: {{}}` if only people's lines fill it"
                yield ("severities", name, "roles_required"), f"`roles` does not name {role}", hint


def _told_twice(severities: dict[str, JsonValue], key: str, thing: str) -> Iterator[Finding]:
    claims: dict[str, str] = {}
    for path, value in at(severities, ("*", key)):
        for word in words(value):
            first = claims.setdefault(word.casefold(), str(path[0]))
            if first != path[0]:
                yield ("severities", *path), f"{thing} `{word}` already means {first}", "remove one"


def _fields(data: JsonValue) -> Iterator[Finding]:
    for path, value in at(data, ("jira", "fields", "*")):
        own = OWN_FIELDS.get(str(path[-1]).casefold())
        if own:
            yield path, "syncd writes this field itself", own
        if isinstance(value, dict) and not set(value) - {"value", "template", "severity", "required"}:
            given: list[str] = [key for key in ("value", "template") if key in value]
            given += ["severity"] if value.get("severity") else []
            if len(given) != 1:
                message = "both `" + "` and `".join(given) + "`" if given else "neither value nor template"
                yield path, message, "give exactly one of `value`, `template` and `severity: true`"


def _services(data: JsonValue) -> Iterator[Finding]:
    """Check that no service is twice in one file, by id or by name."""
    names: dict[str, str] = {}
    ids: dict[str, str] = {}
    for name, value in section(data, "services").items():
        first = names.setdefault(name.casefold(), name)
        if first != name:
            yield ("services", name), f"the same service as `{first}`", "remove one"
        service_id = value.get("id") if isinstance(value, dict) else None
        if isinstance(service_id, str):
            first = ids.setdefault(service_id, name)
            if first != name:
                yield ("services", name, "id"), f"the id of `{first}`", "remove one"


def _link_purposes(data: JsonValue) -> Iterator[Finding]:
    """Check that no link type of action items is one that syncd uses for its own links."""
    ours = {
        "jira.link_types": words(section(data, "jira").get("link_types")) or DEFAULT_LINKS,
        "postmortem.link_types": words(section(data, "postmortem").get("link_types"))
        or DEFAULT_POSTMORTEM_LINKS,
    }
    for word in words(section(data, "follow_ups").get("link_types")):
        for key, names in ours.items():
            if word.casefold() in {name.casefold() for name in names}:
                hint = f"name another type than `{key}`, or none: Relates with the label action-item"
                # else syncd would take the links that it makes itself for action items
                yield ("follow_ups", "link_types"), f"{word} has another purpose in `{key}`", hint
                break


_Check = Callable[[JsonValue], Iterator[Finding]]

_CHECKS: tuple[_Check, ...] = (
    _texts(
        ("playbook.*.title", "services.*.playbook.*.title", "noise.*.title", "restricted.titles.*"), _pattern
    ),
    _texts(("redact.patterns.*",), _masking),
    _texts(("services.*.owner", "people.fallback", "people.aliases.*"), _address),
    _texts(("restricted.lead", "restricted.deputy"), _address),
    _texts(("restricted.approve", "severities.*.approve"), _address),
    _texts(("people.process_owner", "people.approvers", "people.approvers.*", "mails.reply_to"), _address),
    _texts(("recurring.*.owner",), _address),
    _texts(("people.away.*.deputy",), _address),
    _texts(("roles.*.address", "services.*.roles.*.address"), _address),
    _texts(("report.to", "report.to.*", "report.over_all", "report.over_all.*"), _address),
    _texts(("severities.*.notify", "severities.*.notify.*"), _address_or_owner),
    _texts(("severities.*.overdue", "severities.*.overdue.*"), _address_or_owner),
    _texts(("services.*.notify", "services.*.notify.*"), _address_or_owner),
    _texts(("links.*", "services.*.links.*", "postmortem.kpis.*.link"), _link),
    _texts(("jira.labels.*",), _label),
    _keys_of_people,
    _playbooks,
    _noise,
    _restricted,
    _recurring,
    _severity_names,
    _severities,
    _alarms,
    _fields,
    _services,
    _link_purposes,
)
