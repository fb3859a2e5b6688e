"""The entrance of the embedded Jira: it checks the login and the rate limits and picks the endpoint."""

import base64
import binascii
import threading
from datetime import datetime, timedelta

from syncd.sandbox.clock import Clock
from syncd.sandbox.jira import (
    bulk,
    comments,
    issues,
    links,
    logins,
    metadata,
    projects,
    properties,
    search,
    transitions,
    users,
)
from syncd.sandbox.jira.asking import Ask, Routes
from syncd.sandbox.jira.errors import error
from syncd.sandbox.jira.model import Person
from syncd.sandbox.jira.people import People
from syncd.sandbox.jira.site import Edition, Site
from syncd.sandbox.journal import Journal
from syncd.sandbox.limits import Bucket, Window
from syncd.sandbox.wire import Call, Refusal, Reply

OPEN = "/serverInfo"
CLOUD_ONLY = ("/search/jql", "/bulkfetch", "/approximate-count", "/priority/search", "/project/search")


def all_routes() -> Routes:
    """Return every endpoint; fixed paths come before paths with braces."""
    routes = Routes()
    for group in (metadata, projects, users, search, bulk, transitions, comments, properties, links, issues):
        routes.include(group.routes)
    return routes


class JiraSandbox(People):
    """A Jira site that answers requests and on which people act. Safe between threads."""

    name = "jira"

    def __init__(self, clock: Clock, journal: Journal, seed: int = 0, edition: Edition = "cloud") -> None:
        """Start with an empty site."""
        super().__init__(Site(clock, seed, edition), threading.RLock())
        self.journal = journal
        self.routes = all_routes()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._windows: dict[tuple[int, float, str], Window] = {}

    def template(self, call: Call) -> str:
        """Return the template under which the journal counts a request, with its version of the API."""
        template = self.routes.template(call.method, call.path)
        return template.replace("{v}", call.path.split("/")[3]) if "{v}" in template else template

    def handle(self, call: Call, fault: str | None = None) -> Reply:
        """Answer any request and write it into the journal; `fault` names what happens to the answer."""
        began = self.site.clock()
        with self.lock:
            try:
                reply = self._answer(call)
            except Refusal as refusal:
                reply = refusal.reply
            reply.headers.update(logins.headers(self.site, self._known(call)))
        self.journal.write(self.name, call.method, call.path, self.template(call), reply.status, began, fault)
        return reply

    def _answer(self, call: Call) -> Reply:
        self.catch_up()
        if self.site.options.login == "captcha":
            raise logins.captcha(self.site)
        me = self._caller(call)
        # Jira tells its version to everybody, also without a login.
        if me is None and not call.path.endswith(OPEN):
            raise error(401, "Client must be authenticated to access this resource.")
        match = self.routes.find(call.method, call.path)
        if match is None or not self._served(call):
            # Jira knows the path, but not with this method.
            if self.routes.methods(call.path):
                raise error(405, "Method Not Allowed")
            raise error(404, "null for uri: " + call.path)
        route, params = match
        self._limit(call, route.template, params)
        if self.site.options.login != "good" and not call.path.endswith(OPEN):
            return logins.seen_by_nobody(call)
        return route.handler(Ask(self.site, call, params, me))

    def _served(self, call: Call) -> bool:
        version = call.path.split("/")[3]
        if self.site.edition == "cloud":
            return version in ("2", "3", "latest")
        return version in ("2", "latest") and not call.path.endswith(CLOUD_ONLY)

    def _known(self, call: Call) -> Person | None:
        try:
            return self._caller(call)
        except Refusal:
            return None

    def _caller(self, call: Call) -> Person | None:
        """Return the caller, or None if nobody is logged in. Raise a 401 for wrong credentials."""
        given = call.header("Authorization")
        if given is None:
            return None
        scheme, _, secret = given.partition(" ")
        pair = ("", secret)
        if scheme == "Basic":
            try:
                name, _, token = base64.b64decode(secret).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name, token = "", ""
            pair = (name.lower(), token)
        account = self.site.tokens.get(pair)
        # The token of a closed account is as good as none.
        if account is None or not self.site.people[account].active:
            raise error(401, "Client must be authenticated to access this resource.")
        return self.site.people[account]

    def _limit(self, call: Call, template: str, params: dict[str, str]) -> None:
        options = self.site.options
        # On Data Center an administrator sets the limits; the sandbox has none there.
        if not options.limits or self.site.edition == "server":
            return
        now = self.site.clock()
        rate = {"GET": options.burst_get, "PUT": options.burst_put}.get(call.method, options.burst_post)
        if call.method == "GET" and template.endswith("/issue/{issue}"):
            rate = options.burst_get_issue
        bucket = self._buckets.setdefault((call.method, template), Bucket(rate, rate))
        # A test may change the option while the world runs.
        bucket.rate = bucket.size = rate
        if wait := bucket.take(now):
            raise too_many(now, wait, rate, "jira-burst-based")
        if call.method in ("PUT", "POST") and "issue" in params:
            self._limit_issue(params["issue"], now)

    def _limit_issue(self, name: str, now: datetime) -> None:
        issue = self.site.find(name)
        for limit, seconds in self.site.options.issue_writes:
            # By id, so that a key and an id of the same issue share one limit.
            key = (limit, seconds, str(issue.id if issue else name))
            window = self._windows.setdefault(key, Window(limit, seconds))
            if wait := window.take(now):
                raise too_many(now, wait, limit, "jira-per-issue-on-write")


def too_many(now: datetime, wait: float, limit: float, reason: str) -> Refusal:
    """Return a 429 as documented: `Retry-After` in whole seconds, the reset in ISO 8601, the reason."""
    # Round up: a client that waits this long must not be refused again.
    seconds = max(1, -int(-wait // 1))
    reset = now + timedelta(seconds=seconds)
    refusal = error(429, "Rate limit exceeded.")
    refusal.reply.headers.update(
        {
            "Retry-After": str(seconds),
            "X-RateLimit-Limit": str(int(limit)),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
            "RateLimit-Reason": reason,
        }
    )
    return refusal
