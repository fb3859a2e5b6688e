"""Creating many issues in one request (Cloud only).

The answer names issues and refusals, but not which input an issue came from, and promises no order (API
fact: bulk create answers): who asked binds them by reading back their marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.domain.ticket import MARK_PROPERTY
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.wire import reading
from syncd.remote.jira import wire
from syncd.remote.jira.session import SERVICE, JiraSession
from syncd.remote.ports import BulkAnswer, BulkItem, Created

MOST = 50
"""Issues in one request."""


class JiraBulk(JiraSession):
    """The bulk half of a client."""

    def create_many(self, items: Sequence[BulkItem]) -> BulkAnswer:
        """Create up to 50 issues in one request; raises `NotDone(REJECTED)` where all of them failed."""
        body = self._post("issue/bulk", {"issueUpdates": [_update(item) for item in items]})
        with reading(SERVICE, "POST issue/bulk"):
            created = tuple(Created(id=wire.ident(one), key=one["key"]) for one in body["issues"])
            refused = {int(one["failedElementNumber"]): _refusal(one) for one in body.get("errors") or ()}
        return BulkAnswer(created, refused)


def _update(item: BulkItem) -> dict[str, Any]:
    update: dict[str, Any] = {
        "fields": item.fields,
        "properties": [{"key": MARK_PROPERTY, "value": item.mark.model_dump(exclude_defaults=True)}],
    }
    if item.transition is not None:
        update["transition"] = {"id": item.transition}
    return update


def _refusal(error: Mapping[str, Any]) -> NotDone:
    said = error.get("elementErrors") or {}
    words = "; ".join(str(one) for one in said.get("errorMessages") or ())
    fields = {str(name): str(text) for name, text in (said.get("errors") or {}).items()}
    status = int(error.get("status") or 400)
    return NotDone(SERVICE, "POST issue/bulk", Cause.REJECTED, words, status=status, field_errors=fields)
