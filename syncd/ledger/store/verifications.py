"""The differences that the nightly verification of the figures found, also those that it saw once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from syncd.domain.base import UtcTime, Value
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import audit
from syncd.ledger.store.key_values import get_cursor_in, set_cursor_in

_KEY = "verification"
DIFFERS = "figures.differ"
"""The audit event of a difference."""


class Difference(Value):
    """A duty of a week's figures of which the second judge says something else, since when (UTC)."""

    week: str
    team: str
    incident: str
    name: str
    duty: str
    clock: int | None
    on_record: str
    derived: str
    since: UtcTime

    @property
    def place(self) -> tuple[Any, ...]:
        """The identity of a difference: two with equal ones are the same."""
        return (
            *(self.week, self.team, self.incident, self.name),
            *(self.duty, self.clock, self.on_record, self.derived),
        )

    @property
    def words(self) -> str:
        """The difference in a few words, without a name or a text of anybody."""
        return f"{self.duty}: {self.on_record}; derived anew: {self.derived}"


class Verification(Value):
    """The result of the last looks (UTC): `whole_at` the last at both weeks, `at` the last at anything.

    `doubtful` are differences that one look showed, `differences` those that two looks in a row showed.
    """

    whole_at: UtcTime | None = None
    at: UtcTime | None = None
    doubtful: tuple[Difference, ...] = Field(default=())
    differences: tuple[Difference, ...] = Field(default=())


def verification(ledger: Transactions) -> Verification:
    """Return the result of the last looks."""
    with ledger.read_one() as session:
        return Verification.model_validate(get_cursor_in(session, _KEY))


def store_verification(
    ledger: Transactions, result: Verification, fresh: Sequence[Difference], now: datetime
) -> None:
    """Store the result of a look, and put each difference that it confirmed (`fresh`) on record."""
    with ledger.write() as session:
        set_cursor_in(session, _KEY, **result.model_dump(mode="json"))
        for difference in fresh:
            data = difference.model_dump(mode="json", include={"week", "duty", "clock"})
            audit.append(
                session,
                now,
                DIFFERS,
                incident=difference.incident,
                data={**data, "reason": difference.words},
            )
