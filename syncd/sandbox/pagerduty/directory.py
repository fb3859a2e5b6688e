"""Reading what changes rarely: services, users, policies, schedules, priorities, teams, people on call."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from syncd.sandbox.pagerduty import directory_json
from syncd.sandbox.pagerduty.asking import Ask, Routes, page
from syncd.sandbox.pagerduty.errors import error, not_found
from syncd.sandbox.pagerduty.records import Service
from syncd.sandbox.pagerduty.refs import ref, utc
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.wire import Json, Reply

routes = Routes()

LISTS: dict[str, tuple[str, Callable[[Account], Mapping[str, Any]]]] = {
    "services": ("service", lambda account: _shown(account.services)),
    "users": ("user", lambda account: account.users),
    "escalation_policies": ("escalation_policy", lambda account: account.policies),
    "schedules": ("schedule", lambda account: account.schedules),
    "priorities": ("priority", lambda account: account.priorities),
    "teams": ("team", lambda account: account.teams),
}


def _shown(services: Mapping[str, Service]) -> dict[str, Service]:
    return {id_: service for id_, service in services.items() if not service.hidden}


def _register(plural: str, kind: str) -> None:
    def records(ask: Ask) -> Mapping[str, Any]:
        return LISTS[plural][1](ask.account)

    @routes.on("GET", f"/{plural}")
    def listing(ask: Ask) -> Reply:
        rows = _filtered(ask, records(ask).values())
        return page(ask, plural, rows, lambda row: _with_included(ask, kind, row.id))

    # PagerDuty has no endpoint for a single priority; a single schedule tells its shifts, too.
    if kind in ("priority", "schedule"):
        return

    @routes.on("GET", f"/{plural}/{{id}}")
    def read(ask: Ask) -> Reply:
        if ask.params["id"] not in records(ask):
            raise not_found()
        return Reply.of({kind: _with_included(ask, kind, ask.params["id"])})


def _filtered(ask: Ask, rows: Iterable[Any]) -> list[Any]:
    query = (ask.call.value("query") or "").lower()
    name = ask.call.value("name")
    teams = set(ask.call.values("team_ids[]"))
    return [
        row
        for row in rows
        if query in f"{row.name} {getattr(row, 'email', '')}".lower()
        and name in (None, row.name)
        and (not teams or teams & set(getattr(row, "team_ids", ())))
    ]


def _with_included(ask: Ask, kind: str, id_: str) -> Json:
    shown = directory_json.FULL[kind](ask.account, id_)
    if kind == "service" and "escalation_policies" in ask.include:
        shown["escalation_policy"] = directory_json.policy(ask.account, shown["escalation_policy"]["id"])
    if kind == "service" and "integrations" in ask.include:
        keys = {service: key for key, service in ask.account.routing_keys.items()}
        shown["integrations"] = [{**row, "integration_key": keys.get(id_)} for row in shown["integrations"]]
    if "teams" in ask.include and "teams" in shown:
        shown["teams"] = [directory_json.team(ask.account, team["id"]) for team in shown["teams"]]
    return shown


@routes.on("GET", "/users/me")
def me(ask: Ask) -> Reply:
    """Answer with the user of the token; the key of an account has no user."""
    token = (ask.call.header("Authorization") or "").partition("=")[2]
    user_id = ask.account.tokens.get(token)
    if user_id is None:
        raise error(400, "Invalid Input Provided", 2001, "Can't lookup user for account-level access token")
    return Reply.of({"user": directory_json.user(ask.account, user_id)})


# Only now: `/users/me` must be found before `/users/{id}`.
for _plural, (_kind, _) in LISTS.items():
    _register(_plural, _kind)


@routes.on("GET", "/abilities")
def abilities(ask: Ask) -> Reply:
    """Answer with the abilities of the account's plan."""
    return Reply.of({"abilities": ask.account.abilities})


@routes.on("GET", "/extensions")
def extensions(ask: Ask) -> Reply:
    """Answer with a page of the extensions of services, as a test put them into the account."""
    return page(ask, "extensions", ask.account.extensions, lambda row: row)


@routes.on("GET", "/oncalls")
def on_calls(ask: Ask) -> Reply:
    """Answer with the people on call now, for every level of the policies that the request names."""
    account = ask.account
    policies = ask.call.values("escalation_policy_ids[]")
    schedules = ask.call.values("schedule_ids[]")
    users = ask.call.values("user_ids[]")
    rows: list[Json] = []
    for policy in account.policies.values():
        for level, rule in enumerate(policy.rules, 1):
            for kind, target in rule.targets:
                schedule = target if kind == "schedule" else None
                row = _on_call(ask, policy.id, level, schedule, target)
                fits = not policies or policy.id in policies
                fits = fits and (not schedules or schedule in schedules)
                if fits and (not users or row["user"]["id"] in users):
                    rows.append(row)
    return page(ask, "oncalls", rows, lambda row: row)


@routes.on("GET", "/schedules/{id}/users")
def users_on_call(ask: Ask) -> Reply:
    """Answer with the people on a schedule from `since` until `until`."""
    shifts = _asked_shifts(ask)
    users = dict.fromkeys(user for user, _start, _end in shifts)
    return Reply.of({"users": [directory_json.user(ask.account, user) for user in users]})


@routes.on("GET", "/schedules/{id}")
def schedule(ask: Ask) -> Reply:
    """Answer with a schedule and who is on it from `since` until `until`; a week without them."""
    account = ask.account
    entries = [
        {"start": utc(start), "end": utc(end), "user": ref(account, "user", user)}
        for user, start, end in _asked_shifts(ask)
    ]
    final = {"name": "Final Schedule", "rendered_schedule_entries": entries}
    return Reply.of(
        {"schedule": {**directory_json.schedule(account, ask.params["id"]), "final_schedule": final}}
    )


def _asked_shifts(ask: Ask) -> list[tuple[str, datetime, datetime]]:
    if ask.params["id"] not in ask.account.schedules:
        raise not_found()
    asked = [ask.call.value(name) for name in ("since", "until")]
    since, until = (datetime.fromisoformat(word) if word else None for word in asked)
    since = since or ask.now
    return ask.account.schedules[ask.params["id"]].shifts(since, until or since + timedelta(days=7))


def _on_call(ask: Ask, policy_id: str, level: int, schedule: str | None, target: str) -> Json:
    account = ask.account
    user, start, end = target, None, None
    if schedule:
        user, start, end = account.schedules[schedule].week(ask.now)
    return {
        "user": directory_json.shown_as(account, "user", user, "users" in ask.include),
        "schedule": ref(account, "schedule", schedule) if schedule else None,
        "escalation_policy": ref(account, "escalation_policy", policy_id),
        "escalation_level": level,
        "start": utc(start),
        "end": utc(end),
    }
