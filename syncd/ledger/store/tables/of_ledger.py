"""The tables of the ledger as a whole, and of what concerns no single incident."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel


class RequestRow(SQLModel, table=True):
    """A person's request at the command line; the daemon, or the command with the lock, answers it."""

    __tablename__ = "request"

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    arguments: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    asked_by: str
    state: str = Field(default="new", index=True)
    progress: str = ""
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))


class ReportRunRow(SQLModel, table=True):
    """A weekly report as it was made: its figures, and the rows from which they were counted.

    `team` is empty for the report over all teams; `week` is the ISO week, as `2026-W47`.
    """

    __tablename__ = "report_run"
    __table_args__ = (Index("report_run_week", "team", "week", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    team: str
    week: str
    begins: datetime
    ends: datetime
    made_at: datetime
    sent_at: datetime | None = None
    figures: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    rows: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))


class KeyValueRow(SQLModel, table=True):
    """A single value by name, such as a poll's watermark or a project's highest issue number."""

    __tablename__ = "key_value"

    name: str = Field(primary_key=True)
    value: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class PersonRow(SQLModel, table=True):
    """The Jira account of an address, as of `checked_at`; `account` None: Jira knows nobody with it."""

    __tablename__ = "person"

    email: str = Field(primary_key=True)
    project: str = Field(primary_key=True)
    account: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    why: str = ""
    checked_at: datetime


class AuditEventRow(SQLModel, table=True):
    """One event of the audit trail; triggers refuse a change or a deletion of it."""

    __tablename__ = "audit_event"

    seq: int = Field(primary_key=True)
    at: datetime
    kind: str = Field(index=True)
    incident_id: str | None = Field(default=None, index=True)
    issue_id: str | None = None
    operation_id: int | None = None
    text: str
    hash: str


class AuditHeadRow(SQLModel, table=True):
    """The end of the audit trail's chain: one row, with id 1."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True)
    seq: int
    hash: str


class MetaRow(SQLModel, table=True):
    """Facts of the ledger as a whole: its owner, instance, salt, birth, and the number of its starts."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str
