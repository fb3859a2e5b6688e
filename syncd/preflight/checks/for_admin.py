"""The page for the Jira admin: the rights and fields that syncd needs, why, and what happens without them.

It is plain Markdown that the operator can send as it is. It holds no secret and nothing about incidents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncd.domain.mapping.jira_section import STATUS_WORDS
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, Level
from syncd.preflight.checks.rights import TITLES, features

WORDS = {
    "triggered": "nobody has acknowledged the incident yet",
    "acknowledged": "somebody works on the incident",
    "resolved": "the incident is resolved; a postmortem or action items may be owed",
    "closed": "nothing is owed any more",
}


def page_for_admin(mappings: Iterable[Mapping], account: str, findings: Iterable[Finding]) -> str:
    """Return the page; `account` names our account, `findings` may be empty."""
    all_findings = list(findings)
    lines = [
        "# What syncd needs in Jira",
        "",
        "syncd keeps one Jira ticket for each PagerDuty incident. It deletes nothing and needs no",
        f"administrator's rights. Its account: {account}.",
    ]
    for mapping in mappings:
        lines += ["", *_project(mapping, [finding for finding in all_findings if _about(finding, mapping)])]
    return "\n".join([*lines, ""])


def _about(finding: Finding, mapping: Mapping) -> bool:
    """Return True if a finding is for the Jira admin and about this team."""
    return finding.who == JIRA_ADMIN and finding.where.startswith(f"{mapping.team}, ")


def _project(mapping: Mapping, findings: list[Finding]) -> Iterator[str]:
    jira = mapping.jira
    yield f"## Project {jira.project} ({mapping.team})"
    yield from _open_points(findings)
    yield from ("", "### Rights", "", "| for | right | without it |", "|---|---|---|")
    for feature in features(mapping):
        rights = ", ".join(TITLES[right] for right in feature.rights)
        yield f"| {feature.name} | {rights} | {feature.without} |"
    yield "| labels without mails | Administer Projects (optional) | Jira mails people about changed labels |"
    yield from ("", "### Issue type, statuses and transitions", "")
    yield f"- Issue type: the first of {', '.join(jira.issue_types.incident)} that the project has."
    for word in STATUS_WORDS:
        yield f"- {' or '.join(jira.statuses.names(word))}: {WORDS[word]}."
    yield (
        "- Transitions from each of these statuses to the next, from the first directly to the last, and back"
        " when an incident opens again; at most three steps, and our account may take each of them. If a"
        " transition is missing, the ticket stays in its status and syncd comments on it."
    )
    if jira.resolution:
        yield f"- A closing screen may ask for a resolution: {' or '.join(jira.resolution)}."
    yield from ("", "### Fields on the create screen", "")
    yield "- Needed: Summary, Description, Labels. Without Labels, nobody finds a ticket by its incident."
    yield "- Used if they exist: Priority, Components, Assignee. syncd creates tickets without them, too."
    for name, spec in jira.fields.items():
        without = "syncd creates no ticket" if spec.required else "syncd leaves it out"
        yield f"- {name}; without it, {without}."
    yield "- No other field may be required, unless the mapping fills it (`jira.fields`)."
    yield from _rest(mapping)


def _open_points(findings: list[Finding]) -> Iterator[str]:
    open_points = [finding for finding in findings if finding.level is not Level.OK]
    if open_points:
        yield from ("", "### Open points", "", *map(_point, open_points))
    without = [finding for finding in findings if finding.level is Level.OK and finding.hint]
    if without:
        yield from ("", "### Done without", "", *map(_point, without))


def _point(finding: Finding) -> str:
    """Return a finding as a line; name its subject unless that is the whole project."""
    _, _, about = finding.where.partition(", ")
    subject = "" if about.startswith("project ") else f"{about}: "
    return f"- {subject}{finding.message}" + (f" ({finding.hint})" if finding.hint else "") + "."


def _postmortems_and_items(mapping: Mapping) -> Iterator[str]:
    """Yield the needs of postmortems and action items, if the mapping has rules for them."""
    section, kinds = mapping.postmortem, mapping.jira.issue_types
    if section.mode is Mode.OFF:
        return
    yield from ("", "### Postmortems and action items", "")
    yield f"- Issue type: {' or '.join(kinds.postmortem)}; without it, syncd creates no postmortem."
    yield (
        f"- Status for a completed postmortem: {' or '.join(section.statuses)}; without it, every status of"
        " category done means completed."
    )
    if section.date_field == "duedate":
        yield "- The due date on its edit screen: people enter the day of the review there."
    else:
        yield (
            f"- {section.date_field} on its edit screen: people enter the day of the review there; without"
            " it, they use the due date."
        )
    yield (
        f"- Link type to its ticket: {' or '.join(section.link_types)}; without it, the postmortem's text"
        " names the ticket."
    )
    if mapping.follow_ups.mode is not Mode.OFF:
        yield (
            f"- Sub-tasks ({' or '.join(kinds.sub_task)}) for action items; without them, action items are"
            " issues of the postmortem's type, linked to it."
        )
    yield "- No field may be required there either, unless the mapping fills it."


def _rest(mapping: Mapping) -> Iterator[str]:
    jira, restricted = mapping.jira, mapping.restricted
    yield from _postmortems_and_items(mapping)
    if jira.link_types:
        yield from ("", "### Link types", "", f"- {' or '.join(jira.link_types)}, for merged incidents.")
    if restricted.level:
        yield from ("", "### Security level", "")
        level = " or ".join(restricted.level)
        yield (
            f"- {level}: our account in the level, and the field on the create screen. Without it, a"
            " restricted ticket shows only the incident's number."
        )
    components = sorted({section.component for section in mapping.services.values() if section.component})
    if components:
        yield from (
            "",
            "### Components",
            "",
            f"- {', '.join(components)}; syncd writes a label for a missing one.",
        )
