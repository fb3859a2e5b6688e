"""The Jira site: everything by id, and the few primitives through which any issue is made or changed.

Every change goes through `revise`, which keeps the record before it, dates the new one and writes the
changelog, so that no way of changing an issue can forget one of the three.
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
"""How long former records are kept: longer than any lag that is worth playing."""


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
        """Return the present, cut to the millisecond."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def project(self, name: str) -> Project | None:
        """Return a project by key, id or name, or None."""
        for one in self.projects.values():
            if name in (one.id, one.name) or name.upper() == one.key:
                return one
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
        return {id_: setup.type for one in self.projects.values() for id_, setup in one.setups.items()}

    def statuses(self) -> dict[str, Status]:
        """Return every status in use, by id."""
        setups = [setup for one in self.projects.values() for setup in one.setups.values()]
        return {status.id: status for setup in setups for status in setup.workflow.statuses}

    def find(self, name: str) -> Issue | None:
        """Return an issue by id or by any key that it ever had, or None if there is none (any more)."""
        id_ = int(name) if name.isascii() and name.isdigit() else self._keys.get(name.upper(), 0)
        issue = self.issues.get(id_)
        return issue if issue and issue.deleted_at is None else None

    def visible(self, issue: Issue, account_id: str) -> bool:
        """Say whether an account may see an issue: the project's permission and the issue's level decide."""
        project = self.projects[issue.now.project_id]
        if issue.deleted_at is not None or "BROWSE_PROJECTS" in project.denied:
            return False
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
        """Make an issue in its workflow's first status, with the next key of its project."""
        at = at or self.now()
        project.last_number += 1
        key = f"{project.key}-{project.last_number}"
        filled = {"reporter": by, **{name: value for name, value in values.items() if value is not None}}
        if "priority" in setup.screen and self.priorities:
            middle = list(self.priorities)[len(self.priorities) // 2]
            filled.setdefault("priority", middle)
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
        """Give an issue a new record: `values` over the old ones, None empties; `others` are its other parts.

        Without `touch` the record changes and `updated` does not, as when a property is written.
        """
        at = self.now()
        laid = {
            name: value for name, value in {**issue.now.values, **(values or {})}.items() if value is not None
        }
        updated = at if touch else issue.now.updated
        issue.records.append(replace(issue.now, at=at, updated=updated, values=laid, **others))
        self._forget_past(issue, at)
        if touch:
            del self._touched[issue.id]
            self._touched[issue.id] = None
        if made := tuple(items):
            issue.changes.append(Change(next(self._change_ids), by, at, made))
        if values and "parent" in values:
            self._reparent(issue)

    def _forget_past(self, issue: Issue, at: datetime) -> None:
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
        """Return the issues under an issue, by id."""
        found = [self.issues[id_] for id_ in self._children.get(issue.id, [])]
        return [one for one in found if one.deleted_at is None]

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
        """Move an issue to another project: a new key, the old one still leads to it."""
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
            values={"components": None, "security": None},
            key=key,
            project_id=project.id,
            type_id=setup.type.id,
            status_id=status,
        )

    def delete(self, issue: Issue) -> None:
        """Delete an issue with its sub-tasks, as a person does."""
        issue.deleted_at = self.now()
        for child in self.children(issue):
            if self.setup(child.now).type.subtask:
                self.delete(child)

    def new_comment_id(self) -> int:
        """Return the id of the next comment."""
        return next(self._comment_ids)

    def new_link_id(self) -> int:
        """Return the id of the next link."""
        return next(self._link_ids)
