"""Which issues are action items of an incident, judged from what each issue says of itself.

Rules, "Follow-ups": a sub-task of the postmortem; an issue linked to ticket or postmortem by one of the
mapped types, by default Relates with the label `action-item`; a sub-task of the ticket made after the
resolve. What we made ourselves for another purpose (tickets, postmortems, duplicates) never is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change, StateChange
from syncd.domain.incident import Incident
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.operation import Kind
from syncd.domain.ticket import Issue

ITEM_LABEL = "action-item"
"""Makes a linked issue an action item where the mapping names no link type."""
DEFAULT_LINK_TYPE = "Relates"
LINK_FIELDS = ("issuelinks", "Link")
"""What a changelog calls the field of links: with and without an id of the field."""
MADE = "made"
"""The source of what the daemon made itself: a row of the table, or the one on the knowledge base."""


class Ends(Value):
    """What an action item hangs on: the issue ids of ticket and postmortem, also of what was merged into it.

    `keys` are their keys. `over` holds for each ticket the spans in which its incident was resolved; the end
    of one that lasts is None.
    """

    tickets: frozenset[str] = frozenset()
    postmortems: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    over: dict[str, tuple[tuple[UtcTime, UtcTime | None], ...]] = Field(default_factory=dict)

    @property
    def issues(self) -> frozenset[str]:
        """All of them."""
        return self.tickets | self.postmortems


def spans_over(
    state_changes: Iterable[StateChange] | None, incident: Incident
) -> tuple[tuple[datetime, datetime | None], ...]:
    """Return the times in which the incident was resolved; without its log only the present one."""
    if state_changes is None:
        return ((incident.over_since, None),) if incident.over_since is not None else ()
    spans: list[tuple[datetime, datetime | None]] = []
    for state_change in state_changes:
        if state_change.kind == "resolved" and (not spans or spans[-1][1] is not None):
            spans.append((state_change.at, None))
        elif state_change.kind == "reopened" and spans and spans[-1][1] is None:
            spans[-1] = (spans[-1][0], state_change.at)
    return tuple(spans)


def source_of(issue: Issue, ends: Ends, rules: FollowUps) -> str | None:
    """Return in words why an issue is an action item, None if it is not."""
    if issue.id in ends.issues:
        return None
    if issue.mark is not None:
        return MADE if issue.mark.kind == Kind.CREATE_ACTION_ITEM else None
    if issue.parent_id in ends.postmortems:
        return "sub-task of the postmortem"
    linked = {link.other_id for link in issue.links if wanted_link(link.type, rules)}
    if rules.link_types or ITEM_LABEL in issue.labels:
        if linked & ends.postmortems:
            return "linked to the postmortem"
        if linked & ends.tickets:
            return "linked to the ticket"
    if issue.parent_id in ends.tickets and _made_when_over(issue, ends):
        return "sub-task of the ticket"
    return None


def wanted_link(type_name: str, rules: FollowUps) -> bool:
    """Return True if a link of this type may make an action item."""
    wanted = rules.link_types or (DEFAULT_LINK_TYPE,)
    return type_name.casefold() in {one.casefold() for one in wanted}


def certain(issue_id: str, end: Issue, is_postmortem: bool, rules: FollowUps) -> bool:
    """Return True if ticket or postmortem alone show that an issue is an action item."""
    if is_postmortem and issue_id in end.subtasks:
        return True
    linked = any(link.other_id == issue_id and wanted_link(link.type, rules) for link in end.links)
    return bool(rules.link_types) and linked


def _made_when_over(issue: Issue, ends: Ends) -> bool:
    at = issue.created_at
    spans = ends.over.get(issue.parent_id or "", ())
    return at is not None and any(since <= at and (until is None or at < until) for since, until in spans)


def became_at(issue: Issue, source: str, changes: Iterable[Change], keys: frozenset[str]) -> datetime | None:
    """Return when an issue became an action item, by Jira's clock; `keys` are those of ticket and postmortem.

    A sub-task is one from its birth; a linked issue since its link, and since its label where that counts.
    """
    found = [issue.created_at] if issue.created_at is not None else []
    if source.startswith("linked"):
        made = [one.at for one in changes if one.field in LINK_FIELDS and one.after in keys]
        labelled = [
            one.at for one in changes if one.field == "labels" and _has_label(one.after_words or one.after)
        ]
        found += made[-1:] + labelled[-1:]
    return max(found, default=None)


def _has_label(words: str | None) -> bool:
    return ITEM_LABEL in (words or "").split()


def ended_by(changes: Iterable[Change], keys: frozenset[str]) -> Change | None:
    """The change that took an issue away from ticket and postmortem: its link, its parent or its label."""
    found = None
    for one in changes:
        unlinked = one.field in LINK_FIELDS and one.before in keys and one.after is None
        bare = one.field == "labels" and _has_label(one.before_words or one.before)
        unlabelled = bare and not _has_label(one.after_words or one.after)
        if unlinked or unlabelled or one.field == "parent":
            found = one
    return found
