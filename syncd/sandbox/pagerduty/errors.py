"""PagerDuty's refusals, with the codes of its error page."""

from syncd.sandbox.wire import Refusal, Reply


def error(status: int, message: str, code: int, *details: str) -> Refusal:
    """Return a refusal in PagerDuty's envelope."""
    body: dict[str, object] = {"message": message, "code": code}
    if details:
        body["errors"] = list(details)
    return Refusal(Reply.of({"error": body}, status))


def invalid(*details: str) -> Refusal:
    """Return the 400 of input that cannot be used."""
    return error(400, "Invalid Input Provided", 2001, *details)


def not_found() -> Refusal:
    """Return the 404."""
    return error(404, "Not Found", 2100)


def already_resolved() -> Refusal:
    """Return the 400 of a resolved incident that was to be resolved or reassigned."""
    return error(400, "Incident Already Resolved", 1001)


def already_acknowledged() -> Refusal:
    """Return the 400 of a second acknowledgement by the same user."""
    return error(400, "Incident Already Acknowledged", 1002)


def not_acknowledged() -> Refusal:
    """Return the 400 of snoozing what nobody acknowledged."""
    return error(400, "Incident Is Not Acknowledged", 1012)


def already_merged() -> Refusal:
    """Return the 400 of merging a merged incident again."""
    return error(400, "Incident Already Merged", 1019)


def unauthorized() -> Refusal:
    """Return the 401, which comes as an empty page and not as JSON."""
    return Refusal(Reply(401, {"Content-Type": "text/html; charset=utf-8"}))
