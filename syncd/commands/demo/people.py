"""Tell the acts of people and monitoring from the sandbox's own records, and those of the demo's operator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from syncd.commands.demo.lines import Line
from syncd.domain.operation import OperationState
from syncd.engine.context import EngineContext
from syncd.ledger.requests import answers
from syncd.ledger.views import status
from syncd.sandbox.cast import BOT_ACCOUNT, BOT_EMAIL
from syncd.sandbox.pagerduty.render import entry_json
from syncd.sandbox.world import World

_VERBS = {"trigger": "opened", "acknowledge": "acknowledged", "resolve": "resolved"}
_LONGEST = 60
_IMPLIED = ("notify", "assign")
"""Entries that follow from another line; an assignment by a person is shown all the same."""


def _short(value: str | None) -> str | None:
    """Return the new value of a field, or "changed" where it is too long for a line."""
    return value if value is None or len(value) <= _LONGEST else "changed"


class PeopleFeed:
    """The records of both services, each shown once. What syncd did itself is left out."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown: set[str] = set()
        self._users = {user.id: user.name for user in world.pagerduty.account.users.values()}
        self._bot = next(
            user.id for user in world.pagerduty.account.users.values() if user.email == BOT_EMAIL
        )

    def news(self) -> list[Line]:
        """Return what happened since the last call, oldest first."""
        return sorted([*self._pagerduty(), *self._jira()], key=lambda line: line.at)

    def _new(self, key: str) -> bool:
        if key in self._shown:
            return False
        self._shown.add(key)
        return True

    def _pagerduty(self) -> Iterator[Line]:
        pagerduty = self._world.pagerduty
        with pagerduty.lock:
            fresh = [entry for entry in pagerduty.account.log if self._new(entry.id)]
            entries = [
                (entry_json(pagerduty.account, entry), pagerduty.account.incidents[entry.incident_id].number)
                for entry in fresh
            ]
        for entry, number in entries:
            text = self._entry(entry, f"#{number}")
            if text:
                yield Line(datetime.fromisoformat(entry["created_at"]), "PagerDuty", text)

    def _entry(self, entry: dict[str, Any], incident: str) -> str | None:
        """Return a log entry in words, or None if the demo does not show it."""
        kind = entry["type"].removesuffix("_log_entry")
        agent = entry.get("agent") or {}
        person = self._users.get(str(agent.get("id")))
        # What syncd does in PagerDuty is shown from the audit trail, with its reason.
        if agent.get("id") == self._bot or (kind in _IMPLIED and person is None):
            return None
        actor = person or "monitoring"
        if kind == "trigger":
            return (
                f"{actor} opened {incident} on {entry['service']['summary']}: {entry['channel']['summary']}"
            )
        if kind == "annotate":
            return f"{actor} noted on {incident}: {entry['channel']['summary']}"
        if kind == "unacknowledge" and person is None:
            return f"the acknowledgement of {incident} timed out"
        if kind in _VERBS:
            return f"{actor} {_VERBS[kind]} {incident}"
        return self._change(entry, actor, incident) or f"{incident}: {entry['summary']}"

    def _change(self, entry: dict[str, Any], actor: str, incident: str) -> str | None:
        """Return the change of a field in words, or None for a kind of change without words."""
        changes = entry["channel"].get("changeset", {}).get("application_fields", [])
        values = {change["name"]: change["value"] for change in changes}
        if "title" in values:
            return f"{actor} renamed {incident}: {values['title']}"
        priority = self._world.pagerduty.account.priorities.get(values.get("priority") or "")
        return f"{actor} set the priority of {incident} to {priority.name}" if priority else None

    def _jira(self) -> Iterator[Line]:
        site = self._world.jira.site
        with self._world.jira.lock:
            for issue in site.issues.values():
                for comment in issue.comments:
                    # The same for what syncd does in Jira.
                    if comment.author != BOT_ACCOUNT and self._new(f"comment {comment.id}"):
                        author = site.people[comment.author].name
                        yield Line(
                            comment.created, "Jira", f"{author} commented on {issue.key}: {comment.body}"
                        )
                for change in issue.changes:
                    if change.author != BOT_ACCOUNT and self._new(f"change {change.id}"):
                        author = site.people[change.author].name
                        changes = ", ".join(
                            f"{item.field}: {_short(item.after_words)}" for item in change.items
                        )
                        yield Line(change.created, "Jira", f"{author} changed {issue.key}: {changes}")


LOOKS_AFTER = 300.0
"""Seconds of the story after which the operator retries a parked operation."""
WAIVES_AFTER, WAIVED = 30 * 3600.0, "12"
"""So many seconds after the story began, the operator waives the duties of incident #12."""
CORRECTS_AFTER, CORRECTED = (7 * 24 + 4) * 3600.0, "3"
"""So many seconds after the story began, the operator takes back the breach of incident #3."""
APPROVER = "priya.raman@qrpay.example"


class Operator:
    """A person who retries parked operations once, and types what an approver decided."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: dict[int, float] = {}
        self._retried: set[int] = set()
        self._decisions = [(WAIVES_AFTER, self._waive), (CORRECTS_AFTER, self._correct)]

    def news(self) -> Iterator[Line]:
        """Yield what the operator does now."""
        context, now = self._context, self._context.clock.boottime()
        for operation in status.listing(context.ledger, [OperationState.PARKED]):
            number = operation.id
            # A person needs some minutes to see the operation and to repair the cause.
            since = self._seen.setdefault(number, now)
            if now - since < LOOKS_AFTER or number in self._retried:
                continue
            self._retried.add(number)
            answers.ask(context.ledger, "outbox.retry", {"ids": [number]}, "operator")
            yield Line(
                context.clock.now(),
                "operator",
                f'typed "syncd outbox retry {number}"',
                "the cause in Jira is fixed",
            )
        while self._decisions and now >= self._decisions[0][0]:
            yield self._decisions.pop(0)[1]()

    def _waive(self) -> Line:
        context = self._context
        until = context.clock.now() + timedelta(days=8)
        reason = "the vendor of the database answers next week"
        request = {"of": WAIVED, "duty": None, "until": until.isoformat(), "reason": reason, "by": APPROVER}
        answers.ask(context.ledger, "waive", request, "operator")
        text = f'typed "syncd waive {WAIVED} --until {until:%Y-%m-%d} --by {APPROVER}"'
        return Line(context.clock.now(), "operator", text, reason)

    def _correct(self) -> Line:
        context = self._context
        reason = "the review was agreed on Tuesday, while Jira was read-only"
        met_at = (context.clock.now() - timedelta(days=6)).replace(hour=9, minute=0, second=0, microsecond=0)
        request = {"of": CORRECTED, "duty": "scheduled", "reason": reason, "by": APPROVER}
        request["met_at"] = met_at.isoformat()
        answers.ask(context.ledger, "correct", request, "operator")
        met = f"--met-at {met_at:%Y-%m-%dT%H:%M}"
        text = f'typed "syncd correct {CORRECTED} --duty scheduled {met} --by {APPROVER}"'
        return Line(context.clock.now(), "operator", text, reason)
