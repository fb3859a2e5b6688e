"""What people and monitoring do, from the sandbox's own records, and what the demo's operator types."""

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
_UNTOLD = ("notify", "assign")
"""What follows by itself from something that is told; an assignment by a person is told."""


def _short(words: str | None) -> str | None:
    """What a field was changed to, as far as a line holds it."""
    return words if words is None or len(words) <= _LONGEST else "changed"  # a description, for one


class PeopleFeed:
    """Both services' records, each line once; what syncd did itself is left out."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: set[str] = set()
        self._users = {user.id: user.name for user in world.pagerduty.account.users.values()}
        self._bot = next(
            user.id for user in world.pagerduty.account.users.values() if user.email == BOT_EMAIL
        )

    def news(self) -> list[Line]:
        """What happened since the last call, oldest first."""
        return sorted([*self._pagerduty(), *self._jira()], key=lambda line: line.at)

    def _new(self, key: str) -> bool:
        if key in self._told:
            return False
        self._told.add(key)
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
        """A log entry in words, None where it is not told."""
        kind = entry["type"].removesuffix("_log_entry")
        agent = entry.get("agent") or {}
        person = self._users.get(str(agent.get("id")))
        if agent.get("id") == self._bot or (kind in _UNTOLD and person is None):
            return None
        who = person or "monitoring"
        if kind == "trigger":
            return f"{who} opened {incident} on {entry['service']['summary']}: {entry['channel']['summary']}"
        if kind == "annotate":
            return f"{who} noted on {incident}: {entry['channel']['summary']}"
        if kind in _VERBS:
            return f"{who} {_VERBS[kind]} {incident}"
        return self._change(entry, who, incident) or f"{incident}: {entry['summary']}"

    def _change(self, entry: dict[str, Any], who: str, incident: str) -> str | None:
        """The change of a field in words, None where it is none of a kind that is known."""
        changes = entry["channel"].get("changeset", {}).get("application_fields", [])
        values = {change["name"]: change["value"] for change in changes}
        if "title" in values:
            return f"{who} renamed {incident}: {values['title']}"
        priority = self._world.pagerduty.account.priorities.get(values.get("priority") or "")
        return f"{who} set the priority of {incident} to {priority.name}" if priority else None

    def _jira(self) -> Iterator[Line]:
        site = self._world.jira.site
        with self._world.jira.lock:
            for issue in site.issues.values():
                for comment in issue.comments:
                    if comment.author != BOT_ACCOUNT and self._new(f"comment {comment.id}"):
                        who = site.people[comment.author].name
                        yield Line(comment.created, "Jira", f"{who} commented on {issue.key}: {comment.body}")
                for change in issue.changes:
                    if change.author != BOT_ACCOUNT and self._new(f"change {change.id}"):
                        who = site.people[change.author].name
                        said = ", ".join(f"{one.field}: {_short(one.after_words)}" for one in change.items)
                        yield Line(change.created, "Jira", f"{who} changed {issue.key}, {said}")


LOOKS_AFTER = 300.0
"""Seconds of the story's clock for which an operation stands parked before the operator retries it."""
WAIVES_AFTER = 30 * 3600.0
WAIVED = "12"


class Operator:
    """Somebody who types `syncd outbox retry`, once for each operation that is parked, and one waiver."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._seen: dict[int, float] = {}
        self._retried: set[int] = set()
        self._waived = False

    def news(self) -> Iterator[Line]:
        """What the operator does now."""
        context, now = self._context, self._context.clock.boottime()
        for operation in status.listing(context.ledger, [OperationState.PARKED]):
            number = operation.id
            since = self._seen.setdefault(number, now)
            if now - since < LOOKS_AFTER or number in self._retried:
                continue
            self._retried.add(number)
            answers.ask(context.ledger, "outbox.retry", {"ids": [number]}, "operator", context.clock.now())
            yield Line(context.clock.now(), "operator", f"syncd outbox retry {number}", "Jira was mended")
        if now >= WAIVES_AFTER and not self._waived:
            self._waived = True
            yield self._waive()

    def _waive(self) -> Line:
        context = self._context
        until, reason = context.clock.now() + timedelta(days=8), "the database's vendor answers next week"
        who = "tomasz.wojcik@qrpay.example"
        asked = {"of": WAIVED, "duty": None, "until": until.isoformat(), "reason": reason, "by": who}
        answers.ask(context.ledger, "waive", asked, "operator", context.clock.now())
        said = f"syncd waive {WAIVED} --until {until:%Y-%m-%d} --by {who}"
        return Line(context.clock.now(), "operator", said, reason)
