"""One request to Jira with what every endpoint needs: who asks, by which version, when, and paging."""

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
    """A request to `site` by `me` (None: nobody logged in); `params` is what the path's braces caught."""

    site: Site
    call: Call
    params: dict[str, str]
    me: Person | None

    @property
    def account(self) -> str:
        """The account id of who asks."""
        return self.me.account_id if self.me else ""

    @property
    def version(self) -> int:
        """The API's version in the path."""
        return 3 if self.params.get("v") == "3" else 2

    @property
    def view(self) -> View:
        """How the caller sees things."""
        return View(self.site, self.version, ZoneInfo(self.me.time_zone if self.me else "Etc/UTC"))

    def read(self, shape: TypeAdapter[T]) -> T:
        """Return the JSON body in a shape. Raise the 400 of a body that is no JSON or has another one."""
        try:
            found = self.call.json()
        except ValueError as problem:
            raise error(
                400, "There was an error parsing JSON. Check that your request body is valid."
            ) from problem
        return shaped(shape, found)

    def issue(self, name: str | None = None) -> Issue:
        """Return the issue that the path (or `name`) means. Raise the 404 if it is absent or hidden."""
        found = self.site.find(name or self.params["issue"])
        if found is None or not self.site.visible(found, self.account):
            raise no_issue()
        return found

    def project(self) -> Project:
        """Return the project that the path means. Raise the 404."""
        found = self.site.project(self.params["project"])
        if found is None or "BROWSE_PROJECTS" in found.denied:
            raise error(404, f"No project could be found with key '{self.params['project']}'.")
        return found

    def may(self, permission: str, issue: Issue, words: str, status: int = 403) -> None:
        """Raise a refusal with `words` if the account lacks a permission on an issue."""
        if permission in self.site.projects[issue.now.project_id].denied:
            raise error(status, words)

    def number(self, name: str, default: int) -> int:
        """Return a query parameter as a number. Raise the 400."""
        text = self.call.value(name)
        try:
            return int(text) if text else default
        except ValueError as problem:
            raise error(400, f"Parameter '{name}' must be a number") from problem


Routes = Router[Ask]


def shaped(shape: TypeAdapter[T], value: Any) -> T:
    """Return a value in a shape. Raise the 400 of one that has another."""
    try:
        return shape.validate_python(value)
    except ValidationError as problem:
        words = "Invalid request payload. Refer to the REST API documentation and try again."
        raise error(400, words) from problem


def page(
    ask: Ask, name: str, rows: Sequence[T], show: Callable[[T], Any], most: int = 50, extra: bool = True
) -> Reply:
    """Return a page by `startAt` and `maxResults`, at most `most` rows, with `total`."""
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
