"""Jira's refusals, in its envelope of messages and errors by field."""

from collections.abc import Mapping

from syncd.sandbox.wire import Refusal, Reply

NO_ISSUE = "Issue does not exist or you do not have permission to see it."
TOO_LONG = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
    "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


def envelope(messages: list[str], errors: Mapping[str, str]) -> dict[str, object]:
    """Return the body of a refusal."""
    return {"errorMessages": messages, "errors": dict(errors)}


def error(status: int, *messages: str, errors: Mapping[str, str] | None = None) -> Refusal:
    """Return a refusal with general messages and errors by field."""
    return Refusal(Reply.of(envelope(list(messages), errors or {}), status))


def no_issue() -> Refusal:
    """Return the 404 that does not say whether an issue is absent or hidden."""
    return error(404, NO_ISSUE)


def not_on_screen(field: str) -> str:
    """Return the words for a field that cannot be set."""
    return f"Field '{field}' cannot be set. It is not on the appropriate screen, or unknown."
