"""PagerDuty's refusals, with the codes of its error page."""

from syncd.sandbox.wire import Refusal, Reply


def error(status: int, message: str, code: int, *details: str) -> Refusal:
    """Return a refusal in PagerDuty's envelope."""
    body: dict[str, object] = {"message": message, "code": code}
    if details:
        body["errors"] = list(details)
    return Refusal(Reply.of({"error": body}, status))


def invalid(*details: str) -> Refusal:
    """Return the 400 for input that cannot be used."""
    return error(400, "Invalid Input Provided", 2001, *details)


def not_found() -> Refusal:
    """Return the 404 for an object that does not exist."""
    return error(404, "Not Found", 2100)


def already_resolved() -> Refusal:
    """Return the 400 for a change that needs an open incident."""
    return error(400, "Incident Already Resolved", 1001)


def already_acknowledged() -> Refusal:
    """Return the 400 for a second acknowledgement by the same user."""
    return error(400, "Incident Already Acknowledged", 1002)


def not_acknowledged() -> Refusal:
    """Return the 400 for a change that needs an acknowledged incident."""
    return error(400, "Incident Is Not Acknowledged", 1012)


def already_merged() -> Refusal:
    """Return the 400 for merging an incident that was merged before."""
    return error(400, "Incident Already Merged", 1019)


def unauthorized() -> Refusal:
    """Return the 401, which PagerDuty sends as an empty HTML page and not as JSON."""
    return Refusal(Reply(401, {"Content-Type": "text/html; charset=utf-8"}))
