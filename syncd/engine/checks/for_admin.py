"""The page for the Jira admin: what our account needs, why, and what is done without it.

Plain Markdown that can be sent as it is; it holds no secret and nothing of any incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mapping import STATUS_WORDS, Mapping
from syncd.engine.checks.finding import JIRA_ADMIN, Finding, Level
from syncd.engine.checks.rights import TITLES, features
from syncd.engine.checks.sight import place

WORDS = {
    "triggered": "nobody has acknowledged the incident yet",
    "acknowledged": "somebody is on it",
    "resolved": "the incident is over, paperwork may be owed",
    "closed": "nothing is owed any more",
}


def page_for_admin(mappings: Iterable[Mapping], account: str, findings: Iterable[Finding]) -> str:
    """The page; `account` is how our account is known, `findings` are what was found, if anybody asked."""
    found = list(findings)
    lines = [
        "# What syncd needs in Jira",
        "",
        "syncd keeps one Jira ticket for each PagerDuty incident. It deletes nothing and needs no",
        f"administrator's rights. Its account: {account}.",
    ]
    for mapping in mappings:
        lines += ["", *_project(mapping, [one for one in found if one.where.startswith(place(mapping))])]
    return "\n".join([*lines, ""])


def _project(mapping: Mapping, found: list[Finding]) -> Iterator[str]:
    jira = mapping.jira
    yield f"## Project {jira.project} ({mapping.team})"
    yield from _open_points(found)
    yield from ("", "### Rights", "", "| for | right | without it |", "|---|---|---|")
    for feature in features(mapping):
        rights = ", ".join(TITLES[right] for right in feature.rights)
        yield f"| {feature.name} | {rights} | {feature.without} |"
    yield from ("", "### Issue type, statuses and transitions", "")
    yield f"- Issue type: the first of {', '.join(jira.issue_types.incident)} that the project has."
    for word in STATUS_WORDS:
        yield f"- {' or '.join(jira.statuses.names(word))}: {WORDS[word]}."
    yield (
        "- Transitions from each of these to the next, from the first straight to the last, and back when"
        " an incident opens again; three steps at most, and our account may take each of them."
    )
    if jira.resolution:
        yield f"- A closing screen may ask for a resolution: {' or '.join(jira.resolution)}."
    yield from ("", "### Fields on the create screen", "")
    yield "- Needed: Summary, Description, Labels. Without Labels nobody finds a ticket by its incident."
    yield "- Used where they are there: Priority, Components, Assignee. A ticket is made without them."
    for name, spec in jira.fields.items():
        without = "no ticket is made" if spec.required else "it is left out"
        yield f"- {name}; without it {without}."
    yield "- No other field may be required, unless somebody adds it to the mapping (`jira.fields`)."
    yield from _rest(mapping)


def _open_points(found: list[Finding]) -> Iterator[str]:
    open_ = [one for one in found if one.level is not Level.OK and one.who == JIRA_ADMIN]
    if open_:
        yield from ("", "### Open points", "")
        for one in open_:
            yield f"- {one.message}" + (f" ({one.hint})" if one.hint else "") + "."


def _rest(mapping: Mapping) -> Iterator[str]:
    jira, restricted = mapping.jira, mapping.restricted
    if jira.link_types:
        yield from ("", "### Link types", "", f"- {' or '.join(jira.link_types)}, for merged incidents.")
    if restricted.level:
        yield from ("", "### Security level", "")
        level = " or ".join(restricted.level)
        yield (
            f"- {level}: our account in it, the field on the create screen. Without it a restricted ticket"
            " says no more than the incident's number."
        )
    components = sorted({one.component for one in mapping.services.values() if one.component})
    if components:
        yield from ("", "### Components", "", f"- {', '.join(components)}; a missing one becomes a label.")
