"""The page for the Jira admin: what our account needs, why, and what is done without it.

Plain Markdown that can be sent as it is; it holds no secret and nothing of any incident.
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
        lines += ["", *_project(mapping, [one for one in found if _about(one, mapping)])]
    return "\n".join([*lines, ""])


def _about(finding: Finding, mapping: Mapping) -> bool:
    """Whether a finding is the Jira admin's, about this team."""
    return finding.who == JIRA_ADMIN and finding.where.startswith(f"{mapping.team}, ")


def _project(mapping: Mapping, found: list[Finding]) -> Iterator[str]:
    jira = mapping.jira
    yield f"## Project {jira.project} ({mapping.team})"
    yield from _open_points(found)
    yield from ("", "### Rights", "", "| for | right | without it |", "|---|---|---|")
    for feature in features(mapping):
        rights = ", ".join(TITLES[right] for right in feature.rights)
        yield f"| {feature.name} | {rights} | {feature.without} |"
    yield "| labels without mails | Administer Projects (optional) | Jira mails watchers of changed labels |"
    yield from ("", "### Issue type, statuses and transitions", "")
    yield f"- Issue type: the first of {', '.join(jira.issue_types.incident)} that the project has."
    for word in STATUS_WORDS:
        yield f"- {' or '.join(jira.statuses.names(word))}: {WORDS[word]}."
    yield (
        "- Transitions from each of these to the next, from the first straight to the last, and back when"
        " an incident opens again; three steps at most, and our account may take each of them. Where a way is"
        " missing, the ticket stays where it is and says so."
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
    open_ = [one for one in found if one.level is not Level.OK]
    if open_:
        yield from ("", "### Open points", "", *map(_point, open_))
    without = [one for one in found if one.level is Level.OK and one.hint]
    if without:
        yield from ("", "### Done without", "", *map(_point, without))


def _point(finding: Finding) -> str:
    """A finding as a line; where it is not about the project as a whole it says about what."""
    _, _, about = finding.where.partition(", ")
    whom = "" if about.startswith("project ") else f"{about}: "
    return f"- {whom}{finding.message}" + (f" ({finding.hint})" if finding.hint else "") + "."


def _postmortems_and_items(mapping: Mapping) -> Iterator[str]:
    """What postmortems and action items need, as far as the mapping looks at them."""
    section, kinds = mapping.postmortem, mapping.jira.issue_types
    if section.mode is Mode.OFF:
        return
    yield from ("", "### Postmortems and action items", "")
    yield f"- Issue type: {' or '.join(kinds.postmortem)}; without one no postmortem is made."
    yield f"- {' or '.join(section.statuses)}: completed; without these every status of category done is."
    if section.date_field == "duedate":
        yield "- The due date on its edit screen: there people say when the review is; without it none can."
    else:
        yield f"- {section.date_field} on its edit screen: the day of the review; without it the due date is."
    yield (
        f"- Link type to its ticket: {' or '.join(section.link_types)}; without one the postmortem names the"
        " ticket in its text."
    )
    if mapping.follow_ups.mode is not Mode.OFF:
        yield (
            f"- Sub-tasks ({' or '.join(kinds.sub_task)}) for action items; without them they are issues of"
            " the postmortem's type, linked to it."
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
            f"- {level}: our account in it, the field on the create screen. Without it a restricted ticket"
            " says no more than the incident's number."
        )
    components = sorted({one.component for one in mapping.services.values() if one.component})
    if components:
        yield from ("", "### Components", "", f"- {', '.join(components)}; a missing one becomes a label.")
