"""The entrance of the embedded PagerDuty: it checks the token and the rate limit and picks the endpoint."""

import threading

from syncd.sandbox.clock import Clock
from syncd.sandbox.journal import Journal
from syncd.sandbox.limits import Window
from syncd.sandbox.pagerduty import directory, events, incident_writes, incidents, log_entries, notes
from syncd.sandbox.pagerduty.acts import People
from syncd.sandbox.pagerduty.asking import Ask, Routes
from syncd.sandbox.pagerduty.errors import error, not_found, unauthorized
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Call, Refusal, Reply


def all_routes() -> Routes:
    """Return every endpoint."""
    routes = Routes()
    for group in (directory, log_entries, notes, incident_writes, incidents, events):
        routes.include(group.routes)
    return routes


class PagerDutySandbox(People):
    """A PagerDuty account that answers requests and on which people act. Safe between threads."""

    name = "pagerduty"

    def __init__(self, clock: Clock, journal: Journal, seed: int = 0) -> None:
        """Start with an empty account."""
        super().__init__(Account(clock, seed), threading.RLock())
        self.journal = journal
        self.routes = all_routes()
        self._windows: dict[str, Window] = {}

    def template(self, call: Call) -> str:
        """Return the template under which the journal counts a request."""
        return self.routes.template(call.method, call.path)

    def handle(self, call: Call, fault: str | None = None) -> Reply:
        """Answer any request and write it into the journal; `fault` names what happens to the answer."""
        began = self.account.clock()
        with self.lock:
            try:
                reply = self._answer(call)
            except Refusal as refusal:
                reply = refusal.reply
        self.journal.write(self.name, call.method, call.path, self.template(call), reply.status, began, fault)
        return reply

    def _answer(self, call: Call) -> Reply:
        account = self.account
        self.catch_up()
        # the Events API knows no login
        token = self._token(call) if call.path != events.PATH else ""
        headers = self._limit(token) if token else {}
        if call.method != "GET" and token in account.read_only_tokens:
            raise error(403, "Access Denied", 2010)
        match = self.routes.find(call.method, call.path)
        if match is None:
            # The sandbox has no DELETE at all: syncd must never send one.
            if call.method == "DELETE" or self.routes.methods(call.path):
                raise error(405, "Method Not Allowed", 2003)
            raise not_found()
        route, params = match
        try:
            reply = route.handler(Ask(account, call, params, account.now()))
        except Refusal as refusal:
            refusal.reply.headers.update(headers)
            raise
        reply.headers.update(headers)
        return reply

    def _token(self, call: Call) -> str:
        scheme, _, token = (call.header("Authorization") or "").partition("=")
        if scheme != "Token token" or token not in self.account.tokens:
            raise unauthorized()
        return token

    def _limit(self, token: str) -> dict[str, str]:
        options = self.account.options
        if not options.limits:
            return {}
        # PagerDuty counts requests a minute for each key.
        window = self._windows.setdefault(token, Window(options.requests_a_minute, 60))
        # A test may change the option while the world runs.
        window.limit = options.requests_a_minute
        wait = window.take(self.account.clock())
        headers = {
            "ratelimit-limit": str(options.requests_a_minute),
            "ratelimit-remaining": str(window.left()),
            "ratelimit-reset": options.told_reset or str(max(1, round(wait)) if wait else 60),
        }
        if wait:
            refusal = error(429, "Rate Limit Exceeded", 2020)
            refusal.reply.headers.update(headers)
            raise refusal
        return headers
