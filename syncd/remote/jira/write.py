"""The requests that write to Jira: each method sends exactly one request and reads nothing back.

The mark travels in the same request as the object that it marks. A service project shows comments made over
REST to customers unless their property says `internal`. Jira's answer to a bulk create (Cloud only) names
issues and refusals, but not the input of an issue, and promises no order: the caller reads the issues back
and binds them by their marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.domain.base import JsonValue
from syncd.domain.ticket import MARK_PROPERTY, Comment, Mark
from syncd.remote.answers import BulkAnswer, BulkItem, Created
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.wire import identifier, reading
from syncd.remote.jira import wire
from syncd.remote.jira.session import SERVICE, JiraSession


class JiraWriting(JiraSession):
    """The writing half of a client."""

    def create(self, fields: dict[str, JsonValue], mark: Mark) -> Created:
        """Create one issue with the mark; raise `Unknown(BROKEN)` where the answer names none."""
        body = self._post("issue", {"fields": fields, "properties": [_property(mark)]})
        with reading(SERVICE, "POST issue"):
            return Created(id=wire.ident(body), key=body["key"])

    def edit(
        self,
        issue_id: str,
        fields: dict[str, JsonValue],
        update: dict[str, JsonValue] | None = None,
        mark: Mark | None = None,
    ) -> None:
        """Edit fields in one request; `update` holds operations (`add`, `remove`) on other fields.

        With a `mark` the issue gets it in the same request.
        """
        body: dict[str, Any] = {}
        if fields:
            body["fields"] = fields
        if update:
            body["update"] = update
        if mark is not None:
            body["properties"] = [_property(mark)]
        self._put(self._issue_path(issue_id), body)

    def move(self, issue_id: str, transition_id: str, fields: dict[str, JsonValue] | None = None) -> None:
        """Take one transition, with values for its screen."""
        body: dict[str, Any] = {"transition": {"id": transition_id}}
        if fields:
            body["fields"] = fields
        self._post(self._issue_path(issue_id, "/transitions"), body)

    def add_comment(self, issue_id: str, body: str, mark: Mark) -> Comment:
        """Write a comment with the mark that a service project hides from its customers.

        `public` of the result tells if the answer shows it as internal: a service that does not know the
        property publishes the comment all the same.
        """
        properties = [_property(mark), {"key": wire.INTERNAL_PROPERTY, "value": {"internal": True}}]
        path = self._issue_path(issue_id, "/comment")
        # only with its properties the answer shows if the comment is internal
        answer = self._post(path, {"body": body, "properties": properties}, {"expand": "properties"})
        with reading(SERVICE, f"POST {path}"):
            return wire.comment(answer).model_copy(update={"mark": mark})

    def edit_comment(self, issue_id: str, comment_id: str, body: str) -> Comment:
        """Replace a comment's text; its properties stay as they are."""
        path = self._issue_path(issue_id, f"/comment/{identifier(SERVICE, comment_id)}")
        answer = self._put(path, {"body": body})
        with reading(SERVICE, f"PUT {path}"):
            return wire.comment(answer)

    def link(self, type_name: str, inward_id: str, outward_id: str) -> None:
        """Link two issues by id or key; Jira answers the same for a link that exists."""
        self._post(
            "issueLink",
            {
                "type": {"name": type_name},
                "inwardIssue": _linked(inward_id),
                "outwardIssue": _linked(outward_id),
            },
        )

    def create_many(self, items: Sequence[BulkItem]) -> BulkAnswer:
        """Create up to 50 issues in one request; raise `NotDone(REJECTED)` where all of them failed."""
        body = self._post("issue/bulk", {"issueUpdates": [_update(item) for item in items]})
        with reading(SERVICE, "POST issue/bulk"):
            created = tuple(Created(id=wire.ident(raw), key=raw["key"]) for raw in body["issues"])
            refused = {int(raw["failedElementNumber"]): _refusal(raw) for raw in body.get("errors") or ()}
        return BulkAnswer(created, refused)


def _property(mark: Mark) -> dict[str, Any]:
    return {"key": MARK_PROPERTY, "value": mark.model_dump(exclude_defaults=True)}


def _linked(issue: str) -> dict[str, str]:
    return {"id" if issue.isdigit() else "key": identifier(SERVICE, issue)}


def _update(item: BulkItem) -> dict[str, Any]:
    update: dict[str, Any] = {
        "fields": item.fields,
        "properties": [_property(item.mark)],
    }
    if item.transition is not None:
        update["transition"] = {"id": item.transition}
    return update


def _refusal(error: Mapping[str, Any]) -> NotDone:
    details = error.get("elementErrors") or {}
    words = "; ".join(str(message) for message in details.get("errorMessages") or ())
    fields = {str(name): str(text) for name, text in (details.get("errors") or {}).items()}
    status = int(error.get("status") or 400)
    return NotDone(SERVICE, "POST issue/bulk", Cause.REJECTED, words, status=status, field_errors=fields)
