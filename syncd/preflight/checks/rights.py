"""The rights that each feature needs in Jira, and what happens without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.preflight.checks.finding import JIRA_ADMIN, Finding, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place


class Feature(NamedTuple):
    """One feature, the keys of the Jira rights that it needs, and what happens without them."""

    name: str
    rights: tuple[str, ...]
    without: str


TICKETS = Feature("tickets", ("BROWSE_PROJECTS", "CREATE_ISSUES"), "syncd creates no ticket")
STATUS = Feature("status", ("TRANSITION_ISSUES",), "tickets stay in their first status")
FIELDS = Feature("fields", ("EDIT_ISSUES",), "title, priority and severity do not follow the incident")
ASSIGNEE = Feature("assignee", ("ASSIGN_ISSUES",), "tickets have no assignee")
COMMENTS = Feature("comments", ("ADD_COMMENTS",), "PagerDuty notes do not reach the ticket")
EDITS = Feature("edited notes", ("EDIT_OWN_COMMENTS",), "a comment does not follow when its note is edited")
LINKS = Feature("merged incidents", ("LINK_ISSUES",), "tickets of merged incidents are not linked")
POSTMORTEMS = Feature(
    "postmortems and action items",
    ("CREATE_ISSUES", "LINK_ISSUES"),
    "syncd creates no postmortem, or does not link it",
)
PEOPLE = Feature("people", ("USER_PICKER",), "syncd does not find responders in Jira")
LEVELS = Feature(
    "restricted incidents", ("SET_ISSUE_SECURITY",), "a restricted ticket shows only the incident's number"
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
    """Return the features that a mapping uses."""
    used = [TICKETS, STATUS, FIELDS, ASSIGNEE, PEOPLE]
    used += [COMMENTS, EDITS] if mapping.two_way.notes else [COMMENTS]
    used += [LINKS] if mapping.jira.link_types else []
    used += [POSTMORTEMS] if mapping.postmortem.mode is not Mode.OFF else []
    used += [LEVELS] if mapping.restricted.level else []
    return tuple(used)


def permissions(sight: Sight, mapping: Mapping) -> Iterator[Finding]:
    """Check that our account has the rights that each feature needs."""
    where, used = place(mapping), features(mapping)
    needed = dict.fromkeys(right for feature in used for right in feature.rights)
    granted = sight.rights(mapping.jira.project, tuple(needed))
    for right in needed:
        title = f"{TITLES[right]} ({right})"
        needing = [feature for feature in used if right in feature.rights]
        without = f"without it {'; '.join(feature.without for feature in needing)}"
        if granted[right]:
            yield ok("J03", where, f"our account has {title}")
        # Jira's answer does not name this right
        elif granted[right] is None:
            message = f"Jira does not say whether our account has {title}"
            yield unknown("J03", where, message, without, JIRA_ADMIN)
        else:
            message = (
                f"our account lacks {title}, needed for {', '.join(feature.name for feature in needing)}"
            )
            yield wrong("J03", where, message, without, JIRA_ADMIN)
