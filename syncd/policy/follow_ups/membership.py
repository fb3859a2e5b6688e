"""Decide which issues are action items of an incident, by the fields of each issue.

Ramen runbook, "Post-incident review": action items. An action item is a sub-task of the postmortem, or an
issue that is linked to ticket or postmortem by a mapped link type (by default Relates, with the label
`action-item`), or a sub-task of the ticket that was made while the incident was resolved. Issues that syncd
made for another purpose (tickets, postmortems, duplicates) are never action items.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change, StateChange
from syncd.domain.incident import Incident
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.operation import Kind, op_of
from syncd.domain.operation.keys import action_item_key
from syncd.domain.ticket import Issue
from syncd.policy.case import ItemState

ITEM_LABEL = "action-item"
"""If the mapping names no link type, this label makes a linked issue an action item."""
DEFAULT_LINK_TYPE = "Relates"
LINK_FIELDS = ("issuelinks", "Link")
"""The names of the field for links in a changelog: with and without an id of the field."""
MADE = "made"
"""The source of items that syncd made: from a row of the table, or the runbook item."""
KNOWLEDGE = "knowledge-base"
"""The purpose of the runbook item: in the key of its create and in its facts."""


class Ends(Value):
    """The issue ids of the tickets and postmortems of an incident and of its merged sources.

    `keys` are the keys of these issues. `over` holds for each ticket the times in which its incident was
    resolved; the end is None if the incident still is.
    """

    tickets: frozenset[str] = frozenset()
    postmortems: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    over: dict[str, tuple[tuple[UtcTime, UtcTime | None], ...]] = Field(default_factory=dict)

    @property
    def issues(self) -> frozenset[str]:
        """Return the ids of all tickets and postmortems."""
        return self.tickets | self.postmortems


def spans_over(
    state_changes: Iterable[StateChange] | None, incident: Incident
) -> tuple[tuple[datetime, datetime | None], ...]:
    """Return the times (UTC) in which the incident was resolved; without its log only the present one."""
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
    # syncd made this issue, and its mark says for what: links between tickets make no action items.
    if issue.mark is not None:
        return MADE if issue.mark.kind == Kind.CREATE_ACTION_ITEM else None
    if issue.parent_id in ends.postmortems:
        return "sub-task of the postmortem"
    linked = {link.other_id for link in issue.links if wanted_link(link.type, rules)}
    # People link issues with Relates for many reasons, so the default type needs the label, too.
    if rules.link_types or ITEM_LABEL in issue.labels:
        if linked & ends.postmortems:
            return "linked to the postmortem"
        if linked & ends.tickets:
            return "linked to the ticket"
    # A sub-task that was made while the incident was open is a task of the response.
    if issue.parent_id in ends.tickets and _made_when_over(issue, ends):
        return "sub-task of the ticket"
    return None


def is_runbook_item(item: ItemState) -> bool:
    """Return True for the follow-up on runbook and knowledge base that syncd makes for each postmortem.

    Its mark tells that, too: a poll may store the issue before the answer to its create came.
    """
    mark = item.issue.mark if item.issue is not None else None
    marked = mark is not None and mark.op == op_of(action_item_key(mark.incident, KNOWLEDGE))
    return marked or bool(item.facts.get(KNOWLEDGE))


def wanted_link(type_name: str, rules: FollowUps) -> bool:
    """Return True if a link of this type may make an action item."""
    types = rules.link_types or (DEFAULT_LINK_TYPE,)
    return type_name.casefold() in {name.casefold() for name in types}


def certain(issue_id: str, end: Issue, is_postmortem: bool, rules: FollowUps) -> bool:
    """Return True if the ticket or postmortem alone shows that an issue is an action item."""
    if is_postmortem and issue_id in end.subtasks:
        return True
    linked = any(link.other_id == issue_id and wanted_link(link.type, rules) for link in end.links)
    return bool(rules.link_types) and linked


def _made_when_over(issue: Issue, ends: Ends) -> bool:
    at = issue.created_at
    spans = ends.over.get(issue.parent_id or "", ())
    return at is not None and any(since <= at and (until is None or at < until) for since, until in spans)


def became_at(issue: Issue, source: str, changes: Iterable[Change], keys: frozenset[str]) -> datetime | None:
    """Return when an issue became an action item (UTC, by Jira's clock), None if Jira does not tell.

    `keys` are those of ticket and postmortem. A sub-task is an action item from its create, a linked issue
    from the later of its link and its label.
    """
    moments = [issue.created_at] if issue.created_at is not None else []
    if source.startswith("linked"):
        linked = [change.at for change in changes if change.field in LINK_FIELDS and change.after in keys]
        labelled = [
            change.at
            for change in changes
            if change.field == "labels"
            and _has_label(change.after_words or change.after)
            and not _has_label(change.before_words or change.before)
        ]
        moments += linked[-1:] + labelled[-1:]
    return max(moments, default=None)


def _has_label(words: str | None) -> bool:
    return ITEM_LABEL in (words or "").split()


def ended_by(changes: Iterable[Change], keys: frozenset[str]) -> Change | None:
    """Return the last change that removed an issue from ticket and postmortem, None if there is none.

    The change removed its link or its label, or gave it another parent.
    """
    last = None
    for change in changes:
        unlinked = change.field in LINK_FIELDS and change.before in keys and change.after is None
        bare = change.field == "labels" and _has_label(change.before_words or change.before)
        unlabelled = bare and not _has_label(change.after_words or change.after)
        if unlinked or unlabelled or change.field == "parent":
            last = change
    return last
