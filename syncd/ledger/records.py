"""The values that the ledger hands out: one frozen class per kind of row, never the row itself.

A record shows a row as it was when it was read. A verb that changes the row reads it again in its own
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from syncd.domain.incident import Incident
from syncd.domain.operation import Operation, OperationBase, PostChat, Target, parse_operation
from syncd.domain.operation.rendered import Rendered, parse_rendered

_Model = TypeVar("_Model", bound=OperationBase)
_Rendered = TypeVar("_Rendered", bound=Rendered)


@dataclass(frozen=True)
class IncidentRecord:
    """One incident as the ledger has it; `IncidentRow` explains each field.

    The row stores `as_read` as `snapshot`. It is parsed on first use and kept, which is why this class has
    no slots.
    """

    id: str
    number: int
    service_id: str
    team: str | None
    severity: str | None
    assumed: bool
    status: str
    created_at: datetime
    acknowledged_at: datetime | None
    roles: dict[str, Any]
    resolved_at: datetime | None
    first_seen_at: datetime
    snapshot: dict[str, Any]
    read_seq: int
    notes: list[dict[str, Any]] | None
    notes_read_seq: int
    written_seq: int
    searched: bool
    finished: bool
    noise_rule: str | None
    no_postmortem: str | None
    exercise: str | None
    exercise_by: str | None
    exercise_at: datetime | None
    dry_run_notes: list[str]
    merged_into: str | None
    was_merged_into: str | None
    restricted: bool
    restricted_since: datetime | None
    provisional: bool
    settled_fingerprint: dict[str, Any] | None
    log: list[dict[str, Any]] | None
    log_read_seq: int
    changed_seq: int
    severity_periods: list[dict[str, Any]]
    due_at: datetime | None
    status_updates: list[str]
    cadence: dict[str, Any] | None
    non_items: list[str]
    postmortem_searched_for: datetime | None

    @cached_property
    def as_read(self) -> Incident:
        """The incident as PagerDuty showed it at the last read."""
        return Incident.model_validate(self.snapshot)


@dataclass(frozen=True)
class OperationRecord:
    """One operation of the outbox as the ledger has it (`OperationRow`).

    The row stores `operation` as `meaning`, and `rendering` as `rendered`. Both are parsed on first use and
    kept, which is why this class has no slots.
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
    waits_for: str | None
    waits_since: datetime | None
    decided_at: datetime
    claimed_at: datetime | None
    finished_at: datetime | None

    @cached_property
    def operation(self) -> Operation:
        """The decided write; raises `ValidationError` if the row holds none."""
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

    @property
    def service(self) -> str:
        """The service whose health and budget the write needs: its target, or the channel of a post."""
        operation = self.operation if self.target == Target.CHAT else None
        return operation.service if isinstance(operation, PostChat) else self.target

    def changed_to(self, operation: OperationBase) -> OperationRecord:
        """Return the record with another decided write in place of its own."""
        return replace(self, meaning=operation.meaning)

    def typed(self, model: type[_Model]) -> _Model:
        """Return the decided write as this model; raise `TypeError` if it is of another kind."""
        operation: OperationBase = self.operation
        if not isinstance(operation, model):
            raise TypeError(f"{self.kind} is no {model.__name__}")
        return operation

    @cached_property
    def rendering(self) -> Rendered | None:
        """The rendered request, None before it is claimed; raises `ValidationError` if it is no request."""
        return parse_rendered(self.kind, self.rendered) if self.rendered else None

    def rendered_as(self, model: type[_Rendered]) -> _Rendered:
        """Return the rendered request as this model; raise `TypeError` if it is another model or None."""
        if not isinstance(self.rendering, model):
            raise TypeError(f"{self.kind} was not rendered to a {model.__name__}")
        return self.rendering


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A person's request at the command line (`RequestRow`)."""

    id: int
    kind: str
    arguments: dict[str, Any]
    asked_by: str
    state: str
    progress: str
    result: dict[str, Any] | None
