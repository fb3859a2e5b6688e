"""The acts of a story that people do on the Jira site itself.

An act takes an issue by key or id, and a person by name, address or account id. It happens now, and the
changelog shows it under the name of the person. An act that the site would refuse raises `Refusal`.
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
    """The acts of people on Jira. Each holds the lock of the site."""

    def __init__(self, site: Site, lock: threading.RLock) -> None:
        """Let people act on `site`."""
        self.site = site
        self.lock = lock
        self.colleagues = Others(site)

    def catch_up(self) -> None:
        """Create the issues that colleagues would have created by now."""
        self.colleagues.catch_up(self.site.now())

    @act
    def others(self, per_hour: float, project: str = "OPS", by: str | None = None) -> None:
        """Let colleagues create issues in a project while time passes; 0 stops them."""
        # Issues of colleagues must not come from the account of syncd.
        bots = set(self.site.tokens.values())
        author = self.account_id(by) if by else next(id_ for id_ in self.site.people if id_ not in bots)
        self.colleagues.begin(per_hour, project, author)

    def find(self, issue: str | int) -> Issue:
        """Return an issue by key or id. Raise LookupError if there is none."""
        match = self.site.find(str(issue))
        if match is None:
            raise LookupError(f"no issue {issue!r}")
        return match

    def account_id(self, name: str) -> str:
        """Return the account id of a person by name, address, user name or account id. Raise LookupError."""
        for person in self.site.people.values():
            if name in (person.account_id, person.name, person.email) or (
                person.username and name == person.username
            ):
                return person.account_id
        raise LookupError(f"no person called {name!r} on the site")

    def _project(self, name: str) -> Project:
        project = self.site.project(name)
        if project is None:
            raise LookupError(f"no project {name!r}")
        return project

    @act
    def create(
        self, /, by: str, summary: str, *, project: str = "OPS", type: str = "Task", **fields: Any
    ) -> Issue:
        """Create an issue; `fields` are by id and in the form of a request."""
        target = self._project(project)
        setup = next(row for row in target.setups.values() if type in (row.type.name, row.type.id))
        body = {"fields": {"summary": summary, **fields}}
        wish = read_wish(self.site, target, setup.screen, body, 2)
        if wish.problems:
            raise error(400, errors=wish.problems)
        return self.site.create(target, setup, wish.values, self.account_id(by), made_by="person")

    @act
    def edit(
        self, /, issue: str | int, by: str, update: Mapping[str, Any] | None = None, **fields: Any
    ) -> Issue:
        """Change fields, given by id in the form of a request, or by verbs in `update`."""
        target = self.find(issue)
        project = self.site.projects[target.now.project_id]
        # On Jira's own pages people can also set the resolution, which our screens lack.
        screen = self.site.setup(target.now).screen | {"resolution"}
        wish = read_wish(
            self.site, project, screen, {"fields": fields, "update": update or {}}, 2, target.now
        )
        if wish.problems:
            raise error(400, errors=wish.problems)
        edit(self.site, target, wish.values, self.account_id(by))
        return target

    @act
    def assign(self, issue: str | int, to: str | None, by: str) -> Issue:
        """Assign an issue to a person, or to nobody (None)."""
        target = self.find(issue)
        edit(self.site, target, {"assignee": self.account_id(to) if to else None}, self.account_id(by))
        return target

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
        """Set the security level by name, or remove it (None)."""
        return self.edit(issue, by, security={"name": level} if level else None)

    @act
    def transition(self, /, issue: str | int, to: str, by: str, **fields: Any) -> Issue:
        """Move an issue to a status by name or id. Raise LookupError if no way leads there."""
        target = self.find(issue)
        workflow = self.site.workflow(target.now)
        status = workflow.status(to)
        transitions = [
            transition for transition in workflow.ways(target.now.status_id) if transition.to == status.id
        ]
        if not transitions:
            raise LookupError(f"no way from {self.site.status(target.now).name!r} to {to!r}")
        project = self.site.projects[target.now.project_id]
        wish = read_wish(
            self.site, project, {*transitions[0].screen, "resolution"}, {"fields": fields}, 2, target.now
        )
        if wish.problems:
            raise error(400, errors=wish.problems)
        follow(self.site, target, transitions[0], wish.values, self.account_id(by))
        return target

    @act
    def comment(self, issue: str | int, body: str, by: str) -> Comment:
        """Write a comment."""
        return hanging.comment(self.site, self.find(issue), body, self.account_id(by))

    @act
    def edit_comment(self, issue: str | int, comment: str | int, body: str, by: str) -> Comment:
        """Replace a comment's text."""
        parent, target = self.find(issue), self._comment(issue, comment)
        target.body, target.updated, target.update_author = body, self.site.now(), self.account_id(by)
        self.site.revise(parent, self.account_id(by))
        return target

    @act
    def delete_comment(self, issue: str | int, comment: str | int, by: str) -> Comment:
        """Delete a comment."""
        target = self._comment(issue, comment)
        target.deleted = True
        self.site.revise(self.find(issue), self.account_id(by))
        return target

    def _comment(self, issue: str | int, comment: str | int) -> Comment:
        for row in self.find(issue).comments:
            if str(row.id) == str(comment) and not row.deleted:
                return row
        raise LookupError(f"no comment {comment!r} on {issue!r}")

    @act
    def link(self, source: str | int, target: str | int, by: str, type: str = "Relates") -> None:
        """Link two issues; `source` reads the type outward."""
        kind = next(row for row in self.site.link_types.values() if type in (row.id, row.name))
        hanging.link(self.site, kind.id, self.find(source), self.find(target), self.account_id(by))

    @act
    def unlink(self, source: str | int, target: str | int, by: str) -> None:
        """Remove all links between two issues."""
        hanging.unlink(self.site, self.find(source), self.find(target), self.account_id(by))

    @act
    def sub_task(self, /, parent: str | int, summary: str, by: str, **fields: Any) -> Issue:
        """Create a sub-task of an issue; `fields` are by id and in the form of a request."""
        above = self.find(parent)
        project = self.site.projects[above.now.project_id]
        kind = next(setup.type.name for setup in project.setups.values() if setup.type.subtask)
        values = {**fields, "parent": {"id": str(above.id)}}
        return self.create(by, summary, project=project.key, type=kind, **values)

    @act
    def deactivate(self, name: str) -> None:
        """Close the account of a person who leaves the company."""
        account_id = self.account_id(name)
        self.site.people[account_id] = replace(self.site.people[account_id], active=False)

    @act
    def clone(self, issue: str | int, by: str) -> Issue:
        """Create a clone of an issue with its fields and labels, but without its properties, as Jira does."""
        original = self.find(issue)
        project = self.site.projects[original.now.project_id]
        # Jira starts a clone without resolution, and the person who clones is the reporter.
        omitted = ("reporter", "resolution", "resolutiondate", "statuscategorychangedate")
        values = {name: value for name, value in original.now.values.items() if name not in omitted}
        values["summary"] = f"CLONE - {values['summary']}"
        copy = self.site.create(
            project, self.site.setup(original.now), values, self.account_id(by), made_by="person"
        )
        kind = next((row for row in self.site.link_types.values() if row.name == "Cloners"), None)
        # A site without the link type has clones without a link.
        if kind:
            hanging.link(self.site, kind.id, copy, original, self.account_id(by))
        return copy

    @act
    def move(self, issue: str | int, project: str, by: str, type: str | None = None) -> Issue:
        """Move an issue to another project, to the type `type` or the one of the same name."""
        moved, target = self.find(issue), self._project(project)
        name = type or self.site.setup(moved.now).type.name
        setups = [row for row in target.setups.values() if name in (row.type.name, row.type.id)]
        self.site.move(moved, target, (setups or list(target.setups.values()))[0], self.account_id(by))
        return moved

    @act
    def delete(self, issue: str | int) -> None:
        """Delete an issue and its sub-tasks."""
        self.site.delete(self.find(issue))

    @act
    def set_property(self, issue: str | int, key: str, value: Any, by: str) -> Issue:
        """Set an issue property, as any app may."""
        target = self.find(issue)
        properties = {**target.now.properties, key: value}
        self.site.revise(target, self.account_id(by), touch=False, properties=properties)
        return target

    @act
    def make_unreadable(self, issue: str | int, times: int = 1) -> None:
        """Let the next `times` bulk fetches name the issue among their errors."""
        self.site.unreadable[self.find(issue).id] = times
