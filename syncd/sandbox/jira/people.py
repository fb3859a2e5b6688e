"""What people do on the Jira site itself: the acts of a story.

Each takes keys or ids of issues, and people by name, address or account id; it happens now and is written to
the changelog under the person's name. An act that the site would refuse raises `Refusal`.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.sandbox.act import act
from syncd.sandbox.jira import hanging
from syncd.sandbox.jira.editing import edit, follow, read_wish
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Comment, Issue, Project
from syncd.sandbox.jira.others import Others
from syncd.sandbox.jira.site import Site


class People:
    """The acts. Each holds the site's lock."""

    def __init__(self, site: Site, lock: threading.RLock) -> None:
        """Act on `site`."""
        self.site = site
        self.lock = lock
        self.colleagues = Others(site)

    def catch_up(self) -> None:
        """Let colleagues do what they would have done by now."""
        self.colleagues.catch_up(self.site.now())

    @act
    def others(self, per_hour: float, project: str = "OPS", by: str | None = None) -> None:
        """Let others make issues in the same project while time passes; 0 stops them."""
        bots = set(self.site.tokens.values())
        author = self.account_id(by) if by else next(id_ for id_ in self.site.people if id_ not in bots)
        self.colleagues.begin(per_hour, project, author)

    def find(self, issue: str | int) -> Issue:
        """Return an issue by key or id. Raise LookupError if there is none."""
        found = self.site.find(str(issue))
        if found is None:
            raise LookupError(f"no issue {issue!r}")
        return found

    def account_id(self, name: str) -> str:
        """Return the account id of a person by name, address, user name or account id."""
        for one in self.site.people.values():
            if name in (one.account_id, one.name, one.email) or (one.username and name == one.username):
                return one.account_id
        raise LookupError(f"nobody called {name!r} on the site")

    def _project(self, name: str) -> Project:
        found = self.site.project(name)
        if found is None:
            raise LookupError(f"no project {name!r}")
        return found

    @act
    def create(
        self, /, by: str, summary: str, *, project: str = "OPS", type: str = "Task", **fields: Any
    ) -> Issue:
        """Make an issue; `fields` are given as a request would, by id."""
        found = self._project(project)
        setup = next(one for one in found.setups.values() if type in (one.type.name, one.type.id))
        body = {"fields": {"summary": summary, **fields}}
        wish = read_wish(self.site, found, setup.screen, body, 2)
        if wish.problems:
            raise error(400, errors=wish.problems)
        return self.site.create(found, setup, wish.values, self.account_id(by), made_by="person")

    @act
    def edit(
        self, /, issue: str | int, by: str, update: Mapping[str, Any] | None = None, **fields: Any
    ) -> Issue:
        """Change fields as a request would: by id, or verbs in `update`."""
        one = self.find(issue)
        project = self.site.projects[one.now.project_id]
        screen = self.site.setup(one.now).screen | {"resolution"}
        wish = read_wish(self.site, project, screen, {"fields": fields, "update": update or {}}, 2, one.now)
        if wish.problems:
            raise error(400, errors=wish.problems)
        edit(self.site, one, wish.values, self.account_id(by))
        return one

    @act
    def assign(self, issue: str | int, to: str | None, by: str) -> Issue:
        """Give an issue to somebody, or to nobody."""
        one = self.find(issue)
        edit(self.site, one, {"assignee": self.account_id(to) if to else None}, self.account_id(by))
        return one

    @act
    def set_labels(self, issue: str | int, labels: Sequence[str], by: str) -> Issue:
        """Replace the labels."""
        return self.edit(issue, by, labels=list(labels))

    @act
    def add_label(self, issue: str | int, label: str, by: str) -> Issue:
        """Add a label."""
        return self.edit(issue, by, update={"labels": [{"add": label}]})

    @act
    def set_security(self, issue: str | int, level: str | None, by: str) -> Issue:
        """Set the security level by name, or none."""
        return self.edit(issue, by, security={"name": level} if level else None)

    @act
    def transition(self, /, issue: str | int, to: str, by: str, **fields: Any) -> Issue:
        """Move an issue to a status by name or id. Raise LookupError if no way leads there."""
        one = self.find(issue)
        workflow = self.site.workflow(one.now)
        target = workflow.status(to)
        ways = [way for way in workflow.ways(one.now.status_id) if way.to == target.id]
        if not ways:
            raise LookupError(f"no way from {self.site.status(one.now).name!r} to {to!r}")
        project = self.site.projects[one.now.project_id]
        wish = read_wish(self.site, project, {*ways[0].screen, "resolution"}, {"fields": fields}, 2, one.now)
        if wish.problems:
            raise error(400, errors=wish.problems)
        follow(self.site, one, ways[0], wish.values, self.account_id(by))
        return one

    @act
    def comment(self, issue: str | int, body: str, by: str) -> Comment:
        """Write a comment."""
        return hanging.comment(self.site, self.find(issue), body, self.account_id(by))

    @act
    def edit_comment(self, issue: str | int, comment: str | int, body: str, by: str) -> Comment:
        """Replace a comment's text."""
        one, found = self.find(issue), self._comment(issue, comment)
        found.body, found.updated, found.update_author = body, self.site.now(), self.account_id(by)
        self.site.revise(one, self.account_id(by))
        return found

    @act
    def delete_comment(self, issue: str | int, comment: str | int, by: str) -> Comment:
        """Delete a comment."""
        found = self._comment(issue, comment)
        found.deleted = True
        self.site.revise(self.find(issue), self.account_id(by))
        return found

    def _comment(self, issue: str | int, comment: str | int) -> Comment:
        for one in self.find(issue).comments:
            if str(one.id) == str(comment) and not one.deleted:
                return one
        raise LookupError(f"no comment {comment!r} on {issue!r}")

    @act
    def link(self, source: str | int, target: str | int, by: str, type: str = "Relates") -> None:
        """Link two issues; `source` reads the type outward."""
        kind = next(one for one in self.site.link_types.values() if type in (one.id, one.name))
        hanging.link(self.site, kind.id, self.find(source), self.find(target), self.account_id(by))

    @act
    def unlink(self, source: str | int, target: str | int, by: str) -> None:
        """Take all links between two issues away."""
        hanging.unlink(self.site, self.find(source), self.find(target), self.account_id(by))

    @act
    def sub_task(self, /, parent: str | int, summary: str, by: str, **fields: Any) -> Issue:
        """Make a sub-task of an issue; `fields` are given as a request would, by id."""
        above = self.find(parent)
        project = self.site.projects[above.now.project_id]
        kind = next(one.type.name for one in project.setups.values() if one.type.subtask)
        wanted = {**fields, "parent": {"id": str(above.id)}}
        return self.create(by, summary, project=project.key, type=kind, **wanted)

    @act
    def deactivate(self, name: str) -> None:
        """Close somebody's account, as when they leave the company."""
        ident = self.account_id(name)
        self.site.people[ident] = replace(self.site.people[ident], active=False)

    @act
    def clone(self, issue: str | int, by: str) -> Issue:
        """Clone an issue with its fields and labels, as people do; properties are not cloned."""
        one = self.find(issue)
        project = self.site.projects[one.now.project_id]
        left = ("reporter", "resolution", "resolutiondate", "statuscategorychangedate")
        values = {name: value for name, value in one.now.values.items() if name not in left}
        values["summary"] = f"CLONE - {values['summary']}"
        made = self.site.create(
            project, self.site.setup(one.now), values, self.account_id(by), made_by="person"
        )
        kind = next((row for row in self.site.link_types.values() if row.name == "Cloners"), None)
        if kind:
            hanging.link(self.site, kind.id, made, one, self.account_id(by))
        return made

    @act
    def move(self, issue: str | int, project: str, by: str, type: str | None = None) -> Issue:
        """Move an issue to another project, under a type of the same name or the one given."""
        one, target = self.find(issue), self._project(project)
        name = type or self.site.setup(one.now).type.name
        setups = [row for row in target.setups.values() if name in (row.type.name, row.type.id)]
        self.site.move(one, target, (setups or list(target.setups.values()))[0], self.account_id(by))
        return one

    @act
    def delete(self, issue: str | int) -> None:
        """Delete an issue with its sub-tasks."""
        self.site.delete(self.find(issue))

    @act
    def set_property(self, issue: str | int, key: str, value: Any, by: str) -> Issue:
        """Set an issue property, as any app may."""
        one = self.find(issue)
        properties = {**one.now.properties, key: value}
        self.site.revise(one, self.account_id(by), touch=False, properties=properties)
        return one

    @act
    def make_unreadable(self, issue: str | int, times: int = 1) -> None:
        """Let the next `times` bulk fetches name an issue among their errors."""
        self.site.unreadable[self.find(issue).id] = times
