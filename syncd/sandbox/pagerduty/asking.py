"""One request to PagerDuty with what every endpoint needs: the caller, the time, and paging."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from syncd.sandbox.pagerduty.errors import error, invalid, not_found
from syncd.sandbox.pagerduty.lifecycle import Actor
from syncd.sandbox.pagerduty.records import Incident, User
from syncd.sandbox.pagerduty.state import Account
from syncd.sandbox.routing import Router
from syncd.sandbox.wire import Call, Json, Reply

T = TypeVar("T")
REACH = 10_000
"""`offset` and `limit` together may not exceed this; the classic paging of PagerDuty ends here."""


@dataclass(frozen=True)
class Ask:
    """A request to `account` at `now`; `params` are the values of the braces in the path."""

    account: Account
    call: Call
    params: dict[str, str]
    now: datetime

    @property
    def include(self) -> list[str]:
        """Return the kinds of objects that the caller wants in full instead of as references."""
        return self.call.values("include[]")

    def requester(self) -> User:
        """Return the user of the `From` header. Raise a 400 without the header or without such a user."""
        address = (self.call.header("From") or "").strip().lower()
        if not address:
            raise invalid("From header is required to be a valid user's email address")
        for user in self.account.users.values():
            if user.email.lower() == address:
                return user
        raise error(400, "Requester User Not Found", 1008)

    def actor(self) -> Actor:
        """Return the requester as the actor, over the API."""
        return Actor.user(self.requester().id, "api")

    def incident(self) -> Incident:
        """Return the incident that the path names by id or number. Raise a 404 if there is none."""
        incident = self.account.find(self.params["id"])
        if incident is None:
            raise not_found()
        return incident

    def body(self, name: str, shape: TypeAdapter[T]) -> T:
        """Return one member of the JSON body in a shape.

        Raise a 400 if it is missing or has another shape.
        """
        try:
            body = self.call.json()
        except ValueError as problem:
            raise error(400, "Invalid JSON", 2001) from problem
        if not isinstance(body, dict) or name not in body:
            raise invalid(f"{name.capitalize()} is missing")
        try:
            return shape.validate_python(body[name])
        except ValidationError as problem:
            raise invalid(f"{name.capitalize()} is invalid") from problem

    def moment(self, name: str) -> datetime | None:
        """Return a time of the query in UTC.

        A time without a zone is in the caller's or the account's zone.
        """
        text = self.call.value(name)
        if not text:
            return None
        try:
            # In a query string "+" means a space: an offset such as "+02:00" arrives as " 02:00".
            moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text))
        except ValueError as problem:
            raise invalid(f"{name.capitalize()} is not a valid date") from problem
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone())
        return moment.astimezone(UTC)

    def _zone(self) -> ZoneInfo:
        # The default is the account's zone and not UTC: a client that sends no zone is hours off.
        name = self.call.value("time_zone") or self.account.options.time_zone
        try:
            return ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError) as problem:
            raise invalid("Time zone is invalid") from problem


Routes = Router[Ask]


def page(ask: Ask, name: str, rows: Sequence[T], render: Callable[[T], Json]) -> Reply:
    """Return one page of `rows`: 25 by default, 100 at most, with `total` only on request."""
    try:
        limit = min(int(ask.call.value("limit") or 25), 100)
        offset = int(ask.call.value("offset") or 0)
    except ValueError as problem:
        raise invalid("Limit and offset must be numbers") from problem
    if limit < 1 or offset < 0:
        raise invalid("Limit and offset must not be negative")
    # Beyond this a caller must narrow its time range; syncd halves the window.
    if offset + limit > REACH:
        raise invalid(f"Offset and limit must not exceed {REACH} together")
    shown = rows[offset : offset + limit]
    # PagerDuty counts only on request: `total` is null otherwise.
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
