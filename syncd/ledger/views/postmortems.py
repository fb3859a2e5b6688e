"""What reading commands say about postmortems: their keys, how their duties stand and why.

The shapes are a promise to scripts (README, "For scripts").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from syncd.domain.duty import OWED, STATE_WORDS, Duty, DutyKind, Waiver
from syncd.domain.incident import Incident
from syncd.ledger.records import IncidentRecord
from syncd.ledger.store.duties import as_duty, duties_of, waivers_of
from syncd.ledger.store.postmortems import postmortem_state
from syncd.ledger.store.tables import DutyRow, PostmortemRow
from syncd.policy.case import Case
from syncd.policy.postmortem.explain import explain, summary
from syncd.policy.postmortem.judge import KINDS

Data = dict[str, Any]
AT_ONCE = 500
"""Incidents that one statement names; SQLite bounds the variables of one."""


@dataclass
class PostmortemView:
    """The postmortem of one incident, and its two duties by their latest clocks."""

    key: str | None = None
    duties: dict[DutyKind, Duty] = field(default_factory=dict)

    @property
    def latest(self) -> Iterable[Duty]:
        """The two duties, scheduled first."""
        return [self.duties[kind] for kind in KINDS if kind in self.duties]

    @property
    def due_at(self) -> datetime | None:
        """The next deadline of what is owed, also one that is over."""
        return min((one.due_at for one in self.latest if one.state in OWED), default=None)


def postmortem_views(session: Session, incident_ids: Sequence[str] | None) -> dict[str, PostmortemView]:
    """What these incidents owe, by id; None: all incidents."""
    if incident_ids is None:
        return _postmortem_view(session, None)
    found: dict[str, PostmortemView] = {}
    for start in range(0, len(incident_ids), AT_ONCE):
        found |= _postmortem_view(session, incident_ids[start : start + AT_ONCE])
    return found


def _postmortem_view(session: Session, ids: Sequence[str] | None) -> dict[str, PostmortemView]:
    found: dict[str, PostmortemView] = {}
    postmortems = select(PostmortemRow.incident_id, PostmortemRow.key)
    duties = select(DutyRow).where(col(DutyRow.subject) == col(DutyRow.incident_id))
    if ids is not None:
        postmortems = postmortems.where(col(PostmortemRow.incident_id).in_(ids))
        duties = duties.where(col(DutyRow.incident_id).in_(ids))
    for incident_id, key in session.exec(postmortems).all():
        found[incident_id] = PostmortemView(key=key)
    for row in session.exec(duties.order_by(col(DutyRow.clock))).all():
        duty = as_duty(row)
        found.setdefault(row.incident_id, PostmortemView()).duties[duty.kind] = duty
    return found


def postmortem_data(session: Session, incident: IncidentRecord, now: datetime | None) -> Data | None:
    """The postmortem of an incident with its duties, each explained; None where none is owed or there."""
    postmortem = session.get(PostmortemRow, incident.id)
    duties = [one for one in duties_of(session, incident.id) if one.subject == incident.id]
    if postmortem is None and not duties:
        return None
    state = postmortem_state(postmortem) if postmortem else None
    case = Case(
        incident=Incident.model_validate(incident.snapshot),
        postmortem=state,
        duties=tuple(duties),
        waivers=waivers_of(session, incident.id),
        now=now,
    )
    issue = state.issue if state else None
    return {
        "key": postmortem.key if postmortem else None,
        "issue_id": postmortem.issue_id if postmortem else None,
        "status": issue.status.name if issue else None,
        "owner": issue.assignee.name if issue and issue.assignee else None,
        "out_of_sight_since": iso(state.gone_since) if state else None,
        **{str(kind): _duty_data(case.duty(kind), case) for kind in KINDS},
        "earlier": [_bare(one) for one in duties if one != case.duty(one.kind)],
        "waivers": [_waiver_data(one) for one in case.waivers],
    }


def _duty_data(duty: Duty | None, case: Case) -> Data | None:
    if duty is None:
        return None
    return {**_bare(duty), "summary": summary(duty), "explained": list(explain(duty, case))}


def _bare(duty: Duty) -> Data:
    return {
        "duty": duty.kind,
        "clock": duty.clock,
        "state": duty.state,
        "words": STATE_WORDS[duty.state],
        "started_at": iso(duty.started_at),
        "due_at": iso(duty.due_at),
        "was_due_at": iso(duty.was_due_at),
        "reason": duty.reason,
        "remedy": duty.remedy,
        "met_at": iso(duty.met_at),
        "met_by": duty.met_by,
        "breached_at": iso(duty.breached_at),
        "corrected": duty.corrected,
        "rebuilt": duty.rebuilt,
    }


def _waiver_data(waiver: Waiver) -> Data:
    return {
        "duty": waiver.duty,
        "until": iso(waiver.until),
        "ended_at": iso(waiver.ended_at),
        "by": waiver.by,
        "reason": waiver.reason,
        "source": waiver.source,
        "rebuilt": waiver.rebuilt,
    }


def iso(at: datetime | None) -> str | None:
    """Return a moment as scripts read it."""
    return at.isoformat() if at else None
