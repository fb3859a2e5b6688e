"""Rehearse a new incident after the start, so that the first real one is as quick as every later one.

What a process does for the first time takes several times as long: statements become SQL, templates become
code, caches fill. The rehearsal plays a new incident of each team on an empty ledger that is deleted
afterwards. No request leaves and nothing is logged or stored; if it fails, the first incident is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from loguru import logger

from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation import Kind
from syncd.domain.ticket import Account
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.lane_of import ranks_of
from syncd.engine.context import EngineContext, build_context
from syncd.engine.reconcile import Reconciler
from syncd.engine.rules import RulesReference
from syncd.ledger.open import open_for_work
from syncd.ledger.store import change_queue
from syncd.ledger.store.change_queue import Heard
from syncd.ledger.store.leaving import Leaving, basis_of, claim, ready
from syncd.ledger.store.lookups import open_operations
from syncd.remote.http.transport import Transport

MOST_TEAMS = 10
_ID = "PREHEARSAL"


def rehearse(context: EngineContext) -> int:
    """Play a new incident of each team whose project is known; return how many writes it got ready."""
    writes = 0
    for mapping in context.loaded[:MOST_TEAMS]:
        if context.stop.is_set():
            break
        try:
            # raises while Jira is down or the team is stopped
            if context.facts.at_hand(mapping) is None:
                continue
            with TemporaryDirectory(prefix="syncd-rehearsal-") as folder:
                writes += _play(context, mapping, Path(folder))
        except Exception as error:  # noqa: BLE001 - it only makes the first incident quick
            logger.debug("the rehearsal for {} failed: {}", mapping.team, type(error).__name__)
    return writes


@dataclass(frozen=True)
class _PagerDuty:
    """Shows one incident."""

    shown: Incident

    def incident(self, _incident_id: str) -> Incident:
        return self.shown

    def sender(self) -> None:
        return None


@dataclass(frozen=True)
class _Jira:
    """Knows everybody."""

    def assignable(self, query: str, _project: str) -> Sequence[Account]:
        return (Account(id=_ID, name=query, email=query),)


def _play(context: EngineContext, mapping: Mapping, folder: Path) -> int:
    now = context.clock.now()
    incident = _incident(mapping, now)
    ledger = open_for_work(f"sqlite:///{folder / 'rehearsal.db'}", "rehearsal", now)
    try:
        ledger.share_statements(context.ledger)
        clients = cast(
            "tuple[Callable[[], Any], Callable[[], Any]]", (lambda: _PagerDuty(incident), lambda: _Jira())
        )
        alone = build_context(
            ledger, context.clock, clients, Transport(context.clock), context.rules.current, dry_run=True
        )
        alone = replace(
            alone,
            rules=RulesReference(context.rules.current),
            facts=context.facts,
            mailer=context.mailer,
            stop=context.stop,
        )
        for role in mapping.roles.values():
            if role.schedule is not None:
                alone.schedules.keep(role.schedule, _ID)
                alone.on_call.keep((_ID, incident.created_at), incident.assignees)
        change_queue.teams_of_incidents(ledger, [_ID])
        heard = Heard(_ID, ledger.logical_clock.next(), "a rehearsal")
        change_queue.store_heard(ledger, [heard], now)
        ranks_of(alone, [_ID])
        Reconciler(alone, lambda *_: False, lambda: now).work(_ID)
        return _render(alone, now)
    finally:
        ledger.close()


def _render(context: EngineContext, now: datetime) -> int:
    """Render and claim what a new incident writes first; return how much that is."""
    ledger, writes = context.ledger, 0
    for operation in open_operations(ledger, _ID):
        if operation.kind in (Kind.CREATE_TICKET, Kind.SEND_MAIL):
            ready(ledger, operation, now)
            rendered = KINDS[operation.kind].render(context, operation, basis_of(ledger, _ID))
            leaving = [Leaving(operation.id, rendered)]
            claimed = claim(ledger, leaving, operation.target, ledger.run_name, now, 0)
            writes += len(claimed or ())
    return writes


def _incident(mapping: Mapping, now: datetime) -> Incident:
    """Return a new incident of the team's gravest severity, on its first service."""
    name, section = next(iter(mapping.services.items()))
    gravest = next(iter(mapping.severities.values()))
    return Incident(
        id=_ID,
        number=1,
        title="A rehearsal",
        status=IncidentStatus.TRIGGERED,
        priority=Reference(id=_ID, name=gravest.pagerduty[0]) if gravest.pagerduty else None,
        service=Reference(id=section.id or next(iter(section.ids), _ID), name=name),
        assignees=(Responder(id=_ID, name="Nobody", email=mapping.people.fallback),),
        custom_fields={},
        incident_type="",
        created_at=now.replace(microsecond=0),
    )
