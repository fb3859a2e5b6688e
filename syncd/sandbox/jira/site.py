"""The Jira site: all objects by id, and the few functions through which every issue is created and changed.

Every change goes through `revise`. It keeps the former record, dates the new one and writes the changelog, so
no change can forget one of the three.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

from syncd.sandbox.chance import stream
from syncd.sandbox.clock import Clock
from syncd.sandbox.jira.model import (
    Change,
    FieldDef,
    Issue,
    IssueType,
    Item,
    Link,
    LinkType,
    Options,
    Person,
    Priority,
    Project,
    Record,
    Resolution,
    TypeSetup,
)
from syncd.sandbox.jira.workflow import Status, Workflow

Edition = Literal["cloud", "server"]
PAST = timedelta(hours=2)
"""How long former records are kept: longer than any lag that a test sets."""


class Site:
    """One site with its people, projects and issues."""

    def __init__(self, clock: Clock, seed: int = 0, edition: Edition = "cloud") -> None:
        """Start empty."""
        self.clock = clock
        self.edition: Edition = edition
        self.base_url = "https://ops.jira.example"
        self.options = Options()
        self.rng = stream(seed, "jira")
        self.tokens: dict[tuple[str, str], str] = {}
        self.people: dict[str, Person] = {}
        self.priorities: dict[str, Priority] = {}
        self.resolutions: dict[str, Resolution] = {}
        self.link_types: dict[str, LinkType] = {}
        self.fields: dict[str, FieldDef] = {}
        self.projects: dict[str, Project] = {}
        self.denied: set[str] = set()
        self.issues: dict[int, Issue] = {}
        self.links: list[Link] = []
        self.unreadable: dict[int, int] = {}
        self._keys: dict[str, int] = {}
        self._touched: dict[int, None] = {}
        self._children: dict[int, list[int]] = {}
        self._ids = count(10_001)
        self._comment_ids = count(20_001)
        self._change_ids = count(30_001)
        self._link_ids = count(40_001)

    def now(self) -> datetime:
        """Return the present time (UTC), cut to the millisecond as Jira shows it."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def project(self, name: str) -> Project | None:
        """Return a project by key, id or name, or None."""
        for project in self.projects.values():
            if name in (project.id, project.name) or name.upper() == project.key:
                return project
        return None

    def setup(self, record: Record) -> TypeSetup:
        """Return how an issue's project treats its type."""
        return self.projects[record.project_id].setups[record.type_id]

    def workflow(self, record: Record) -> Workflow:
        """Return the workflow that an issue follows."""
        return self.setup(record).workflow

    def status(self, record: Record) -> Status:
        """Return the status of an issue."""
        return self.workflow(record).status(record.status_id)

    def types(self) -> dict[str, IssueType]:
        """Return every issue type in use, by id."""
        return {
            id_: setup.type for project in self.projects.values() for id_, setup in project.setups.items()
        }

    def statuses(self) -> dict[str, Status]:
        """Return every status in use, by id."""
        setups = [setup for project in self.projects.values() for setup in project.setups.values()]
        return {status.id: status for setup in setups for status in setup.workflow.statuses}

    def find(self, name: str) -> Issue | None:
        """Return an issue by id or by any key that it ever had, or None if there is none."""
        # A number is an id. Keys stay valid after a move, so former keys are looked up as well.
        id_ = int(name) if name.isascii() and name.isdigit() else self._keys.get(name.upper(), 0)
        issue = self.issues.get(id_)
        return issue if issue and issue.deleted_at is None else None

    def visible(self, issue: Issue, account_id: str) -> bool:
        """Return True if an account may see an issue, by the project's permission and the security level."""
        project = self.projects[issue.now.project_id]
        if issue.deleted_at is not None or "BROWSE_PROJECTS" in project.denied:
            return False
        # Whoever is not in the level sees nothing of the issue, not even that it exists.
        level_id = issue.now.values.get("security")
        return level_id is None or any(
            level.id == level_id and account_id in level.members for level in project.levels
        )

    def create(
        self,
        project: Project,
        setup: TypeSetup,
        values: Mapping[str, Any],
        by: str,
        properties: Mapping[str, Any] | None = None,
        made_by: Literal["api", "person"] = "api",
        at: datetime | None = None,
    ) -> Issue:
        """Create an issue in the first status of its workflow, with the next key of its project."""
        at = at or self.now()
        project.last_number += 1
        key = f"{project.key}-{project.last_number}"
        filled = {"reporter": by, **{name: value for name, value in values.items() if value is not None}}
        if "priority" in setup.screen and self.priorities:
            # Jira gives a new issue the default priority, here the middle one of a site without schemes.
            middle = list(self.priorities)[len(self.priorities) // 2]
            filled.setdefault("priority", next(iter(project.priorities), middle))
        record = Record(
            at, key, project.id, setup.type.id, setup.workflow.initial.id, at, filled, dict(properties or {})
        )
        issue = Issue(next(self._ids), by, at, [record], made_by=made_by)
        self.issues[issue.id] = issue
        self._keys[key] = issue.id
        self._touched[issue.id] = None
        if parent := filled.get("parent"):
            self._children.setdefault(parent, []).append(issue.id)
        return issue

    def revise(
        self,
        issue: Issue,
        by: str,
        items: Iterable[Item] = (),
        *,
        values: Mapping[str, Any] | None = None,
        touch: bool = True,
        **others: Any,
    ) -> None:
        """Give an issue a new record: `values` over the old ones (None empties).

        `others` are the other parts of the record, such as the status. Without `touch` the record changes but
        `updated` does not, as when a property is written.
        """
        at = self.now()
        new_values = {
            name: value for name, value in {**issue.now.values, **(values or {})}.items() if value is not None
        }
        updated = at if touch else issue.now.updated
        issue.records.append(replace(issue.now, at=at, updated=updated, values=new_values, **others))
        self._forget_past(issue, at)
        if touch:
            # Move the issue to the end: the dict is ordered by the last update.
            del self._touched[issue.id]
            self._touched[issue.id] = None
        if changed := tuple(items):
            issue.changes.append(Change(next(self._change_ids), by, at, changed))
        if values and "parent" in values:
            self._reparent(issue)

    def _forget_past(self, issue: Issue, at: datetime) -> None:
        # Old records beyond any lag are useless; without this a long run would keep them all.
        while len(issue.records) > 8 and issue.records[1].at < at - PAST:
            del issue.records[0]

    def _reparent(self, issue: Issue) -> None:
        for children in self._children.values():
            if issue.id in children:
                children.remove(issue.id)
        if parent := issue.now.values.get("parent"):
            self._children.setdefault(parent, []).append(issue.id)

    def updated_since(self, moment: datetime) -> Iterator[Issue]:
        """Yield the issues that were updated at `moment` or later, the latest first."""
        for id_ in reversed(self._touched):
            if self.issues[id_].now.updated < moment:
                return
            yield self.issues[id_]

    def children(self, issue: Issue) -> list[Issue]:
        """Return the issues under an issue."""
        children = [self.issues[id_] for id_ in self._children.get(issue.id, [])]
        return [child for child in children if child.deleted_at is None]

    def links_of(self, issue: Issue) -> list[Link]:
        """Return the links from and to an issue whose other end still exists."""
        return [
            link
            for link in self.links
            if issue.id in (link.source, link.target)
            and self.issues[link.source].deleted_at is None
            and self.issues[link.target].deleted_at is None
        ]

    def move(self, issue: Issue, project: Project, setup: TypeSetup, by: str) -> None:
        """Move an issue to another project; it gets a new key, and the old key still leads to it."""
        before = self.projects[issue.now.project_id]
        project.last_number += 1
        key = f"{project.key}-{project.last_number}"
        items = (
            Item("Key", "issuekey", None, issue.key, None, key),
            Item("project", "project", before.id, before.name, project.id, project.name),
        )
        self._keys[key] = issue.id
        status = setup.workflow.initial.id
        self.revise(
            issue,
            by,
            items,
            # Both belong to the old project; the new one does not have them.
            values={"components": None, "security": None},
            key=key,
            project_id=project.id,
            type_id=setup.type.id,
            status_id=status,
        )

    def delete(self, issue: Issue) -> None:
        """Delete an issue and its sub-tasks, as a person does."""
        issue.deleted_at = self.now()
        for child in self.children(issue):
            # Children that are no sub-tasks stay when their parent is deleted.
            if self.setup(child.now).type.subtask:
                self.delete(child)

    def new_comment_id(self) -> int:
        """Return the id of the next comment."""
        return next(self._comment_ids)

    def new_link_id(self) -> int:
        """Return the id of the next link."""
        return next(self._link_ids)
