"""One request to Jira with what every endpoint needs: the caller, the version of the API, and paging."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from syncd.sandbox.jira.errors import error, no_issue
from syncd.sandbox.jira.model import Issue, Person, Project
from syncd.sandbox.jira.render import View
from syncd.sandbox.jira.site import Site
from syncd.sandbox.routing import Router
from syncd.sandbox.wire import Call, Json, Reply

T = TypeVar("T")
ROOT = "/rest/api/{v}"


@dataclass(frozen=True)
class Ask:
    """A request to `site` by `me` (None: not logged in); `params` are the values of braces in the path."""

    site: Site
    call: Call
    params: dict[str, str]
    me: Person | None

    @property
    def account(self) -> str:
        """Return the account id of the caller, "" if nobody is logged in."""
        return self.me.account_id if self.me else ""

    @property
    def version(self) -> int:
        """Return the version of the API in the path; "latest" is version 2."""
        # Version 3 differs only in long texts, which are documents there.
        return 3 if self.params.get("v") == "3" else 2

    @property
    def view(self) -> View:
        """Return how answers are shown to the caller."""
        return View(self.site, self.version, ZoneInfo(self.me.time_zone if self.me else "Etc/UTC"))

    def read(self, shape: TypeAdapter[T]) -> T:
        """Return the JSON body in a shape. Raise a 400 if it is no JSON or has another shape."""
        try:
            body = self.call.json()
        except ValueError as problem:
            raise error(
                400, "There was an error parsing JSON. Check that your request body is valid."
            ) from problem
        return shaped(shape, body)

    def issue(self, name: str | None = None) -> Issue:
        """Return the issue that the path (or `name`) names. Raise a 404 if it is absent or hidden."""
        issue = self.site.find(name or self.params["issue"])
        if issue is None or not self.site.visible(issue, self.account):
            # Jira answers the same for an absent and a hidden issue, so that nobody can probe for keys.
            raise no_issue()
        return issue

    def project(self) -> Project:
        """Return the project that the path names. Raise a 404 if it is absent or hidden."""
        project = self.site.project(self.params["project"])
        if project is None or "BROWSE_PROJECTS" in project.denied:
            raise error(404, f"No project could be found with key '{self.params['project']}'.")
        return project

    def may(self, permission: str, issue: Issue, words: str, status: int = 403) -> None:
        """Raise a refusal with `words` if the account lacks a permission on an issue."""
        if permission in self.site.projects[issue.now.project_id].denied:
            raise error(status, words)

    def number(self, name: str, default: int) -> int:
        """Return a query parameter as a number. Raise a 400 for anything else."""
        text = self.call.value(name)
        try:
            return int(text) if text else default
        except ValueError as problem:
            raise error(400, f"Parameter '{name}' must be a number") from problem


Routes = Router[Ask]


def shaped(shape: TypeAdapter[T], value: Any) -> T:
    """Return a value in a shape. Raise a 400 if it has another shape."""
    try:
        return shape.validate_python(value)
    except ValidationError as problem:
        words = "Invalid request payload. Refer to the REST API documentation and try again."
        raise error(400, words) from problem


def page(
    ask: Ask, name: str, rows: Sequence[T], show: Callable[[T], Any], most: int = 50, extra: bool = True
) -> Reply:
    """Return a page by `startAt` and `maxResults`, with at most `most` rows and with `total`."""
    # Jira cuts a page that is too large without a word.
    start, size = max(0, ask.number("startAt", 0)), min(ask.number("maxResults", most), most)
    shown = rows[start : start + size]
    body: Json = {
        "startAt": start,
        "maxResults": size,
        "total": len(rows),
        name: [show(row) for row in shown],
    }
    if extra:
        body["isLast"] = start + size >= len(rows)
    return Reply.of(body)
