"""The rights that each feature needs in Jira, and what is done without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place


class Feature(NamedTuple):
    """Something that the daemon does, the rights for it by Jira's keys, and what happens without."""

    name: str
    rights: tuple[str, ...]
    without: str


TICKETS = Feature("tickets", ("BROWSE_PROJECTS", "CREATE_ISSUES"), "no ticket is made")
STATUS = Feature("status", ("TRANSITION_ISSUES",), "tickets stay in their first status")
FIELDS = Feature("fields", ("EDIT_ISSUES",), "title, priority and severity are not kept true")
ASSIGNEE = Feature("assignee", ("ASSIGN_ISSUES",), "tickets are nobody's")
COMMENTS = Feature("comments", ("ADD_COMMENTS",), "notes of PagerDuty do not reach the ticket")
EDITS = Feature("edited notes", ("EDIT_OWN_COMMENTS",), "a comment is not corrected when its note is")
LINKS = Feature("merged incidents", ("LINK_ISSUES",), "tickets of merged incidents are not linked")
POSTMORTEMS = Feature(
    "postmortems and action items",
    ("CREATE_ISSUES", "LINK_ISSUES"),
    "no postmortem is made, or no link leads to it",
)
PEOPLE = Feature("people", ("USER_PICKER",), "responders are not found in Jira")
LEVELS = Feature(
    "restricted incidents", ("SET_ISSUE_SECURITY",), "a ticket says no more than the incident's number"
)

TITLES = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "TRANSITION_ISSUES": "Transition Issues",
    "EDIT_ISSUES": "Edit Issues",
    "ASSIGN_ISSUES": "Assign Issues",
    "ADD_COMMENTS": "Add Comments",
    "EDIT_OWN_COMMENTS": "Edit Own Comments",
    "LINK_ISSUES": "Link Issues",
    "USER_PICKER": "Browse users and groups (global)",
    "SET_ISSUE_SECURITY": "Set Issue Security",
}
"""The rights as Jira's administration calls them."""


def features(mapping: Mapping) -> tuple[Feature, ...]:
    """The features that a mapping uses."""
    used = [TICKETS, STATUS, FIELDS, ASSIGNEE, PEOPLE]
    used += [COMMENTS, EDITS] if mapping.two_way.notes else [COMMENTS]
    used += [LINKS] if mapping.jira.link_types else []
    used += [POSTMORTEMS] if mapping.postmortem.mode is not Mode.OFF else []
    used += [LEVELS] if mapping.restricted.level else []
    return tuple(used)


def permissions(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Whether our account has what each feature needs."""
    where, used = place(mapping), features(mapping)
    needed = dict.fromkeys(right for feature in used for right in feature.rights)
    have = sight.rights(mapping.jira.project, tuple(needed))
    for right in needed:
        title = f"{TITLES[right]} ({right})"
        for_this = [feature for feature in used if right in feature.rights]
        without = f"without it {'; '.join(feature.without for feature in for_this)}"
        if have[right]:
            yield ok("J03", where, f"our account has {title}")
        elif have[right] is None:
            said = f"Jira does not say whether our account has {title}"
            yield unknown("J03", where, said, without, JIRA_ADMIN)
        else:
            said = f"our account lacks {title}, for {', '.join(feature.name for feature in for_this)}"
            yield wrong("J03", where, said, without, JIRA_ADMIN)
