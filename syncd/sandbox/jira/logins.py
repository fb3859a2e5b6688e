"""Answer by the state of a login: good answers carry the proof, a dead token's look as Jira's do.

Jira does not refuse a dead token, it takes the caller for anybody: lists are empty, objects do not exist, and
a create wants a valid project. Only `myself` answers 401.
"""

import re
from urllib.parse import quote

from syncd.sandbox.jira.errors import envelope, error, no_issue
from syncd.sandbox.jira.model import Person
from syncd.sandbox.jira.site import Site
from syncd.sandbox.wire import Call, Json, Refusal, Reply

_PAGE = {"startAt": 0, "maxResults": 50, "total": 0, "isLast": True}
_NOTHING: tuple[tuple[str, Json | list[Json]], ...] = (
    (r"/search/jql$", {"issues": [], "isLast": True}),
    (r"/api/\w+/search$", {"issues": [], **_PAGE}),
    (r"/(issue|changelog)/bulkfetch$", {"issues": [], "issueErrors": [], "issueChangeLogs": []}),
    (r"/(project|priority|resolution)/search$", {"values": [], **_PAGE}),
    (r"/(user/search|user/assignable/search|project|priority|resolution|field)$", []),
    (r"/issueLinkType$", {"issueLinkTypes": []}),
    (r"/mypermissions$", {"permissions": {}}),
)
"""The answers to a caller who sees nothing, by the end of the path."""
_CREATES = re.compile(r"/issue(/bulk)?$")
_LOGIN = "Client must be authenticated to access this resource."


def seen_by_nobody(call: Call) -> Reply:
    """Return the answer to a caller whose token is dead. Raise a refusal as Jira words it."""
    if call.path.endswith("/myself"):
        raise error(401, _LOGIN)
    if call.method == "POST" and _CREATES.search(call.path):
        raise Refusal(Reply.of(envelope([], {"project": "valid project is required"}), 400))
    for ending, body in _NOTHING:
        if re.search(ending, call.path):
            return Reply.of(body)
    raise no_issue()


def captcha(site: Site) -> Refusal:
    """Return the refusal of a caller who failed to log in too often."""
    reason = f"CAPTCHA_CHALLENGE; login-url={site.base_url}/login.jsp"
    headers = {
        "X-Authentication-Denied-Reason": reason,
        "X-Seraph-LoginReason": "AUTHENTICATION_DENIED",
        "Content-Type": "text/html;charset=UTF-8",
    }
    return Refusal(Reply(403, headers, b"<html><body>Basic Authentication Failure</body></html>"))


def headers(site: Site, me: Person | None) -> dict[str, str]:
    """Return the headers that tell a caller as whom Jira answered."""
    options = site.options
    if not options.login_headers or options.login == "captcha":
        return {}
    if me is not None and options.login == "good":
        if site.edition == "cloud":
            return {"X-AAccountId": me.account_id}
        return {"X-AUSERNAME": quote(me.username), "X-Seraph-LoginReason": "OK"}
    if site.edition == "cloud" or options.login == "expired":
        return {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    return {"X-AUSERNAME": "anonymous"}
