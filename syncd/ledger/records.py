"""What the ledger hands out: one frozen value per kind of row, never the row itself.

A record says how a row stood when it was read. Nothing is changed through it: what changes the ledger is
a verb, which reads the row again in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from syncd.domain.operation import Operation, OperationBase, parse_operation
from syncd.domain.operation.rendered import Rendered, parse_rendered

_Model = TypeVar("_Model", bound=OperationBase)
_Rendered = TypeVar("_Rendered", bound=Rendered)


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """One incident as the ledger knows it; `IncidentRow` says what each field means."""

    id: str
    number: int
    service_id: str
    team: str | None
    severity: str | None
    assumed: bool
    status: str
    created_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    first_seen_at: datetime
    snapshot: dict[str, Any]
    read_seq: int
    notes: list[dict[str, Any]] | None
    notes_read_seq: int
    notes_wanted: bool
    written_seq: int
    searched: bool
    finished: bool
    noise_rule: str | None
    dry_run_notes: list[str]
    merged_into: str | None
    restricted: bool
    restricted_since: datetime | None
    settled_fingerprint: dict[str, Any] | None
    log: list[dict[str, Any]] | None
    log_read_seq: int
    changed_seq: int
    severity_periods: list[dict[str, Any]]
    due_at: datetime | None
    non_items: list[str]
    postmortem_searched_for: datetime | None


@dataclass(frozen=True)
class OperationRecord:
    """One operation of the outbox as the ledger knows it (`OperationRow`).

    It has no slots, so that `operation` and `rendering` are parsed once, and only where somebody asks for it.
    `meaning` and `rendered` are what the row stores of them.
    """

    id: int
    key: str
    op: str
    op_class: str
    kind: str
    target: str
    incident_id: str
    object: str
    aspect: str
    needs: list[str]
    meaning: dict[str, Any]
    reason: str
    mapping_version: str
    state: str
    rendered: dict[str, Any] | None
    attempts: int
    instance: str | None
    probe_from: int | None
    gave_up_boot_id: str | None
    gave_up_boottime: float | None
    remote_id: str | None
    error: str | None
    decided_at: datetime
    claimed_at: datetime | None
    finished_at: datetime | None

    @cached_property
    def operation(self) -> Operation:
        """The decided write itself; raises `ValidationError` where the row holds none."""
        return parse_operation(
            self.kind,
            self.key,
            self.incident_id,
            self.object,
            self.aspect,
            self.needs,
            self.reason,
            self.meaning,
        )

    def changed_to(self, operation: OperationBase) -> OperationRecord:
        """Return the record with another decided write in its place."""
        return replace(self, meaning=operation.meaning)

    def typed(self, model: type[_Model]) -> _Model:
        """Return the decided write as this model; raise `TypeError` where it is of another kind."""
        operation: OperationBase = self.operation
        if not isinstance(operation, model):
            raise TypeError(f"{self.kind} is no {model.__name__}")
        return operation

    @cached_property
    def rendering(self) -> Rendered | None:
        """What it was rendered to, None before it left; raises `ValidationError` where the row holds none."""
        return parse_rendered(self.kind, self.rendered) if self.rendered else None

    def rendered_as(self, model: type[_Rendered]) -> _Rendered:
        """Return what it was rendered to as this model; raise `TypeError` where it is another, or none."""
        if not isinstance(self.rendering, model):
            raise TypeError(f"{self.kind} was not rendered to a {model.__name__}")
        return self.rendering


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What a person asked for at the command line (`RequestRow`)."""

    id: int
    kind: str
    arguments: dict[str, Any]
    asked_by: str
    asked_at: datetime
    state: str
    progress: str
    result: dict[str, Any] | None
    finished_at: datetime | None
