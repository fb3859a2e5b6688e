"""Read what changes rarely in PagerDuty: teams, users, policies, schedules, its own integrations with Jira.

Most of it serves only `syncd check` and `syncd init`. The rules of PagerDuty's app for Jira Cloud are served
under `/integration-jira-cloud`, which its REST specification does not name but its own clients use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from syncd.domain.base import Reference
from syncd.domain.directory import EscalationPolicy, OtherTool, Schedule, Shift
from syncd.domain.incident import Responder
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.wire import UnreadableError, Wire, each, identifier, reading
from syncd.remote.pagerduty import wire

T = TypeVar("T")
APP = "integration-jira-cloud/accounts_mappings"
SERVICE = "pagerduty"
PAGE = 100
LAST_POSITION = 10_000
"""PagerDuty answers 400 where offset and limit together pass this."""
Params = Mapping[str, str | int | Sequence[str]]


class PagerDutyDirectory:
    """The directory, and the reading of paged lists that the whole client shares."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def teams(self) -> tuple[Reference, ...]:
        """Return all teams."""
        return tuple(team for team in self._all("teams", wire.reference) if team)

    def users(self, query: str = "") -> tuple[Responder, ...]:
        """Return all users with their addresses, or those whose name or address contains the query."""
        return self._all("users", wire.responder, {"query": query} if query else None)

    def escalation_policies(self) -> tuple[EscalationPolicy, ...]:
        """Return all escalation policies with the users and schedules that they call."""
        return self._all("escalation_policies", _policy)

    def schedules(self) -> tuple[Schedule, ...]:
        """Return all schedules with the people on them."""
        return self._all("schedules", _schedule)

    def on_call(self, schedule: str, at: datetime) -> tuple[Responder, ...]:
        """Return the people on a schedule (its id) at a time, with their addresses.

        `/oncalls` tells only of schedules that an escalation policy calls.
        """
        path = f"/schedules/{identifier(SERVICE, schedule)}/users"
        body = self._get(path, {"since": wire.z(at), "until": wire.z(at + timedelta(seconds=1))})
        with reading(SERVICE, f"GET {path}"):
            return tuple(each(body, "users", wire.responder))

    def shifts(self, schedule: str, since: datetime, until: datetime) -> tuple[Shift, ...]:
        """Return who is on a schedule (its id) from a time until another, in order."""
        path = f"/schedules/{identifier(SERVICE, schedule)}"
        body = self._get(path, {"since": wire.z(since), "until": wire.z(until)})
        with reading(SERVICE, f"GET {path}"):
            return tuple(each(body["schedule"]["final_schedule"], "rendered_schedule_entries", _shift))

    def routing_keys(self) -> dict[str, str]:
        """Return the ids of services by the routing keys of their integrations that our token may see."""
        services = self._all("services", _routing_keys, {"include[]": ["integrations"]})
        return {key: service for service, keys in services for key in keys}

    def jira_extensions(self) -> tuple[OtherTool, ...]:
        """Return the extensions of services whose schema names Jira, without those that are switched off."""
        extensions = self._all("extensions", _extension, {"include[]": ["extension_schemas"]})
        return tuple(extension for extension in extensions if extension)

    def jira_rules(self) -> tuple[OtherTool, ...]:
        """Return the rules of PagerDuty's app for Jira Cloud."""
        rules: list[OtherTool] = []
        for account in self._all("accounts_mappings", _ident, path=APP):
            rules += self._all("rules", _rule, path=f"{APP}/{identifier(SERVICE, account)}/rules")
        return tuple(rules)

    def _all(
        self, kind: str, parse: Callable[[Wire], T], params: Params | None = None, path: str = ""
    ) -> tuple[T, ...]:
        items: list[T] = []
        offset, more, asked = 0, True, f"/{path or kind}"
        while more:
            body = self._get(asked, {**(params or {}), **page(offset)})
            with reading(SERVICE, f"GET {asked}"):
                items.extend(each(body, kind, parse))
                more = wire.more(body)
            offset += PAGE
        return tuple(items)

    def _get(self, path: str, params: Params | None = None) -> Any:
        return self._session.get(path, params=params).json()


def page(offset: int) -> dict[str, int]:
    """Return the parameters of the page that begins at a position."""
    limit = min(PAGE, LAST_POSITION - offset)
    if limit <= 0:
        raise NotDone(
            SERVICE, "asking for a page", Cause.REJECTED, f"PagerDuty ends at position {LAST_POSITION}"
        )
    return {"limit": limit, "offset": offset}


def _policy(raw: Wire) -> EscalationPolicy:
    targets = [target for rule in raw.get("escalation_rules") or () for target in rule.get("targets") or ()]

    def of(kind: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                target["id"] for target in targets if str(target.get("type") or "").startswith(kind)
            )
        )

    name = raw.get("name") or raw.get("summary") or ""
    return EscalationPolicy(id=raw["id"], name=name, users=of("user"), schedules=of("schedule"))


def _schedule(raw: Wire) -> Schedule:
    users = raw.get("users")
    on_it = tuple(user["id"] for user in users) if isinstance(users, list) else None
    return Schedule(id=raw["id"], name=raw.get("name") or raw.get("summary") or "", users=on_it)


def _shift(raw: Wire) -> Shift:
    user = wire.responder(raw["user"])
    return Shift(start=raw["start"], end=raw["end"], person=user.name or user.id)


def _routing_keys(raw: Wire) -> tuple[str, tuple[str, ...]]:
    keys = (integration.get("integration_key") for integration in raw.get("integrations") or ())
    return raw["id"], tuple(key for key in keys if isinstance(key, str))


def _extension(raw: Wire) -> OtherTool | None:
    schema = raw.get("extension_schema") or {}
    words = [schema.get(key) for key in ("key", "label", "summary")]
    speaks = any("jira" in str(word or "").casefold() for word in words)
    if not speaks or raw.get("temporarily_disabled") is True:
        return None
    services = tuple(target["id"] for target in raw.get("extension_objects") or () if target.get("id"))
    name = raw.get("name") or raw.get("summary") or schema.get("summary") or ""
    return OtherTool(id=raw["id"], name=name, services=services)


def _rule(raw: Wire) -> OtherTool:
    service = (raw.get("config") or {}).get("service") or {}
    services = (service["id"],) if service.get("id") else ()
    return OtherTool(id=raw["id"], name=raw.get("name") or "", services=services)


def _ident(raw: Wire) -> str:
    value = raw["id"]
    if not isinstance(value, str):
        raise UnreadableError("'id' is no id")
    return value
