"""The tables of the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, text
from sqlmodel import Field, SQLModel

_ONCE = text("op_class = 'once'")
_OPEN_STATE = text("op_class = 'state' AND state IN ('pending', 'in_flight', 'unknown', 'parked', 'held')")


class OperationRow(SQLModel, table=True):
    """One write to a service: decided, claimed, confirmed. The outbox is the operations that are open.

    `meaning` is the decided write. `rendered` is the request: the first claim stores it, and it stays.
    `probe_from` is the highest issue number that any answer of the project had shown when a create was
    claimed. `gave_up_boottime` (seconds, under `gave_up_boot_id`) is when the outcome became unknown.
    `waits_for` is why it has not left yet, in words that follow "waits for"; None: only its turn.
    """

    __tablename__ = "operation"
    __table_args__ = (
        Index("operation_once", "key", unique=True, sqlite_where=_ONCE, postgresql_where=_ONCE),
        Index(
            "operation_open_state",
            "object",
            "aspect",
            unique=True,
            sqlite_where=_OPEN_STATE,
            postgresql_where=_OPEN_STATE,
        ),
        Index("operation_by_state", "state", "incident_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(index=True)
    op: str = Field(index=True)
    op_class: str
    kind: str
    target: str
    incident_id: str = Field(index=True)
    object: str
    aspect: str = ""
    needs: list[str] = Field(default=[], sa_column=Column(JSON, nullable=False))
    meaning: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    reason: str
    mapping_version: str = ""
    state: str
    rendered: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    attempts: int = 0
    instance: str | None = None
    probe_from: int | None = None
    gave_up_boot_id: str | None = None
    gave_up_boottime: float | None = None
    remote_id: str | None = None
    error: str | None = None
    waits_for: str | None = None
    waits_since: datetime | None = None
    decided_at: datetime
    claimed_at: datetime | None = None
    finished_at: datetime | None = None


class UnseenWriteRow(SQLModel, table=True):
    """A place that an operation wrote and that no read has shown yet (`syncd.policy.ticket.unseen_writes`).

    `before` are hashes of the values before our writes, `wanted` of the written value. `sends` counts how
    often syncd wrote that value, `looks` the reads by id that did not show it. `no_effect`: so often, and
    nobody changed it, that the write had no effect. `placed_status` is the ticket's own from before a move.
    The service answered at `answered_at` by its own clock (UTC), at `answered_boottime` by ours.
    """

    __tablename__ = "unseen_write"

    object: str = Field(primary_key=True)
    place: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    issue_id: str | None = None
    operation_id: int
    before: list[str] = Field(sa_column=Column(JSON, nullable=False))
    wanted: str
    sends: int
    looks: int = 0
    no_effect: bool = False
    placed_status: str | None = None
    answered_at: datetime
    answered_boot_id: str
    answered_boottime: float
