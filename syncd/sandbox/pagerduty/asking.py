"""One request to PagerDuty with what every endpoint needs: who asks, when, and paging."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from syncd.sandbox.pagerduty.errors import error, invalid, not_found
from syncd.sandbox.pagerduty.lifecycle import Hand
from syncd.sandbox.pagerduty.records import Incident, User
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.routing import Router
from syncd.sandbox.wire import Call, Json, Reply

T = TypeVar("T")
REACH = 10_000
"""The service's classic paging never goes beyond this many rows."""


@dataclass(frozen=True)
class Ask:
    """A request to `account` at `now`; `params` is what the path's braces caught."""

    account: Account
    call: Call
    params: dict[str, str]
    now: datetime

    @property
    def include(self) -> list[str]:
        """What the caller wants written out in full."""
        return self.call.values("include[]")

    def requester(self) -> User:
        """Return the user of the `From` header. Raise the 400 without a header or a user of that address."""
        address = (self.call.header("From") or "").strip().lower()
        if not address:
            raise invalid("From header is required to be a valid user's email address")
        for user in self.account.users.values():
            if user.email.lower() == address:
                return user
        raise error(400, "Requester User Not Found", 1008)

    def hand(self) -> Hand:
        """Return the requester as the one who acts."""
        return Hand.user(self.requester().id, "api")

    def incident(self) -> Incident:
        """Return the incident that the path names by id or number. Raise the 404."""
        found = self.account.find(self.params["id"])
        if found is None:
            raise not_found()
        return found

    def body(self, name: str, shape: TypeAdapter[T]) -> T:
        """Return one member of the JSON body in a shape. Raise the 400 if it is not there or has another."""
        try:
            whole = self.call.json()
        except ValueError as problem:
            raise error(400, "Invalid JSON", 2001) from problem
        if not isinstance(whole, dict) or name not in whole:
            raise invalid(f"{name.capitalize()} is missing")
        try:
            return shape.validate_python(whole[name])
        except ValidationError as problem:
            raise invalid(f"{name.capitalize()} is invalid") from problem

    def moment(self, name: str) -> datetime | None:
        """Return a query moment in UTC; one without a zone is read in the caller's or the account's zone."""
        text = self.call.value(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text))
        except ValueError as problem:
            raise invalid(f"{name.capitalize()} is not a valid date") from problem
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone())
        return moment.astimezone(UTC)

    def _zone(self) -> ZoneInfo:
        name = self.call.value("time_zone") or self.account.options.time_zone
        try:
            return ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError) as problem:
            raise invalid("Time zone is invalid") from problem


Routes = Router[Ask]


def page(ask: Ask, name: str, rows: Sequence[T], render: Callable[[T], Json]) -> Reply:
    """Return one page of `rows` in the classic form: 25 by default, 100 at most, `total` only if asked."""
    try:
        limit = min(int(ask.call.value("limit") or 25), 100)
        offset = int(ask.call.value("offset") or 0)
    except ValueError as problem:
        raise invalid("Limit and offset must be numbers") from problem
    if limit < 1 or offset < 0:
        raise invalid("Limit and offset must not be negative")
    if offset + limit > REACH:
        raise invalid(f"Offset and limit must not exceed {REACH} together")
    shown = rows[offset : offset + limit]
    total = len(rows) if ask.call.value("total") == "true" else None
    return Reply.of(
        {
            name: [render(row) for row in shown],
            "limit": limit,
            "offset": offset,
            "more": offset + limit < len(rows),
            "total": total,
        }
    )
