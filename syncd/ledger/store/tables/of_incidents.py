"""The tables of incidents, of what follows from them, and of what may have changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, text
from sqlmodel import Field, SQLModel


class ChangeNoticeRow(SQLModel, table=True):
    """A change notice: an incident may have changed, and why; a read begun at `read_seq` is fresh enough.

    `notes`: its notes may have changed. `ticket`: its ticket may have changed, not the incident itself.
    """

    __tablename__ = "change_notice"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(index=True)
    at: datetime
    why: str
    read_seq: int
    notes: bool = False
    ticket: bool = False


class TroubleRow(SQLModel, table=True):
    """Something that syncd cannot read or do about one object, since when, and why.

    `whose` is an incident's id, a project's key or a team's name. `what` completes "syncd cannot".
    """

    __tablename__ = "trouble"

    whose: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    since: datetime
    why: str


class IncidentRow(SQLModel, table=True):
    """One incident: its last snapshot and its notes, each with the moment when the request began.

    A `restricted` incident stays restricted, and no row holds its title or texts
    (`syncd.ledger.store.restrict`); while that is `provisional`, a later judgement may end it.
    `settled_fingerprint` describes it when nothing was left to do for it (`syncd.engine.runtime.brakes`).
    `acknowledged_at` is the first acknowledgement in the log. `roles` holds what syncd read about the
    incident's people (`syncd.domain.role.RoleFacts`). `log` holds the log entries as read at `log_read_seq`;
    `changed_seq` is when the snapshot last changed. `severity_periods` are its severities, each with its
    start. At `due_at` the passing of time alone asks for another decision. `no_postmortem` is why it owes
    none. `exercise` is why it counts as an exercise (None: it is real), `exercise_by` the name of the person
    who set the label, `exercise_at` since when. `was_merged_into` is the incident into which it was merged
    last, also after it was opened again. `non_items` are issues beside its ticket or postmortem that were
    read and are no action items. `status_updates` are the times of people's status updates, as PagerDuty's
    webhooks told them; `cadence` are the updates as judged (`syncd.policy.communications.cadence`).
    `postmortem_searched_for` is the birth of the ledger that has searched for a postmortem of an earlier
    ledger.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_unsearched",
            "created_at",
            "number",
            sqlite_where=text("searched IS 0 AND team IS NOT NULL"),
            postgresql_where=text("searched IS false AND team IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    number: int = Field(index=True)
    service_id: str
    team: str | None = Field(default=None, index=True)
    severity: str | None = None
    assumed: bool = False
    status: str = Field(index=True)
    created_at: datetime = Field(index=True)
    acknowledged_at: datetime | None = None
    roles: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    resolved_at: datetime | None = Field(default=None, index=True)
    first_seen_at: datetime
    snapshot: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    read_seq: int
    notes: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON))
    notes_read_seq: int = 0
    written_seq: int = 0
    searched: bool = False
    finished: bool = Field(default=False, index=True)
    noise_rule: str | None = None
    no_postmortem: str | None = None
    exercise: str | None = None
    exercise_by: str | None = None
    exercise_at: datetime | None = None
    dry_run_notes: list[str] = Field(default=[], sa_column=Column(JSON, nullable=False))
    merged_into: str | None = Field(default=None, index=True)
    was_merged_into: str | None = Field(default=None, index=True)
    restricted: bool = False
    restricted_since: datetime | None = None
    provisional: bool = False
    settled_fingerprint: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    log: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON))
    log_read_seq: int = 0
    changed_seq: int = 0
    severity_periods: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))
    due_at: datetime | None = Field(default=None, index=True)
    status_updates: list[str] = Field(default=[], sa_column=Column(JSON, nullable=False))
    cadence: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    non_items: list[str] = Field(default=[], sa_column=Column(JSON, nullable=False))
    postmortem_searched_for: datetime | None = None


class TicketRow(SQLModel, table=True):
    """The one ticket of an incident: its origin, the values agreed on, its last snapshot.

    `agreed` are the values that syncd and Jira last agreed on. `placed_status` is the status in which syncd
    placed the ticket last. `changes` are the changes of its labels up to `changes_until`, when it had the
    labels `labels_read`. `refused` are fields that Jira refused once. `closed` tells who closed the ticket,
    if syncd had to find out. `deleted_by` and `moved_by` are who deleted it, or moved it to another project,
    by Jira's event; empty if the event does not tell, None without an event.
    """

    __tablename__ = "ticket"

    incident_id: str = Field(primary_key=True, foreign_key="incident.id")
    issue_id: str = Field(unique=True)
    key: str = Field(index=True)
    project: str
    origin: str
    agreed: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    placed_status: str | None = None
    refused: list[str] = Field(default=[], sa_column=Column(JSON, nullable=False))
    snapshot: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    read_seq: int = 0
    written_seq: int = 0
    out_of_sight_since: datetime | None = None
    closed: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    changes: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))
    changes_until: datetime | None = None
    labels_read: list[str] | None = Field(default=None, sa_column=Column(JSON))
    created_at: datetime
    deleted_by: str | None = None
    moved_by: str | None = None


class PostmortemRow(SQLModel, table=True):
    """The postmortem of an incident. `changes` is its changelog, complete up to `changes_until`.

    `leaves` are owners whose accounts syncd saw inactive. `follow_ups` are the rows of its follow-up table,
    unchanged since `follow_ups_since`. `rebuilt_for` is the birth of the ledger that has read its comments.
    `deleted_by` and `moved_by` as for a ticket.
    """

    __tablename__ = "postmortem"

    incident_id: str = Field(primary_key=True, foreign_key="incident.id")
    issue_id: str = Field(unique=True)
    key: str = Field(index=True)
    project: str
    origin: str
    agreed: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    snapshot: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    read_seq: int = 0
    written_seq: int = 0
    changes: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))
    changes_until: datetime | None = None
    leaves: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    follow_ups: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))
    follow_ups_since: datetime | None = None
    out_of_sight_since: datetime | None = None
    created_at: datetime
    rebuilt_for: datetime | None = None
    deleted_by: str | None = None
    moved_by: str | None = None


class ActionItemRow(SQLModel, table=True):
    """An issue that is an action item of an incident, and how it became one (`source`).

    `facts` holds findings that are kept: postponements, the person who took it, the person who assigned it.
    It counts for its incident since `handed_over_at`, the merge that handed it over, None without a merge.
    `leaves`, `rebuilt_for`, `deleted_by` and `moved_by` as for a postmortem. The issue of a recurring duty is
    a row, too: `incident_id` holds its ident (`syncd.domain.recurring`), and `team`, else None, its team.
    """

    __tablename__ = "action_item"

    issue_id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    key: str = Field(index=True)
    project: str
    source: str
    team: str | None = None
    facts: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    snapshot: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    read_seq: int = 0
    written_seq: int = 0
    changes: list[dict[str, Any]] = Field(default=[], sa_column=Column(JSON, nullable=False))
    changes_until: datetime | None = None
    leaves: dict[str, Any] = Field(default={}, sa_column=Column(JSON, nullable=False))
    ended_at: datetime | None = None
    handed_over_at: datetime | None = None
    out_of_sight_since: datetime | None = None
    first_seen_at: datetime
    rebuilt_for: datetime | None = None
    deleted_by: str | None = None
    moved_by: str | None = None


DutyIssueRow = PostmortemRow | ActionItemRow
IssueRow = TicketRow | DutyIssueRow


class DutyRow(SQLModel, table=True):
    """One clock of a duty (`syncd.domain.duty.Duty`); the duty arose from the incident `incident_id`."""

    __tablename__ = "duty"
    __table_args__ = (
        Index("duty_place", "incident_id", "kind", "subject", "clock", unique=True),
        Index("duty_by_state", "state", "due_at"),
        Index(
            "duty_unseen",
            "state",
            sqlite_where=text("unseen IS 1"),
            postgresql_where=text("unseen IS true"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str
    kind: str
    subject: str
    clock: int = 1
    state: str
    started_at: datetime
    due_at: datetime = Field(index=True)
    was_due_at: datetime | None = None
    reason: str = ""
    remedy: str = ""
    rule: str = ""
    met_at: datetime | None = None
    met_by: str | None = None
    breached_at: datetime | None = None
    corrected: str | None = None
    corrected_at: datetime | None = None
    corrected_by: str | None = None
    claimed_met_at: datetime | None = None
    rebuilt: bool = False
    unseen: bool = False


class WaiverRow(SQLModel, table=True):
    """A waiver of duties until a moment (`syncd.domain.duty.Waiver`)."""

    __tablename__ = "waiver"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(index=True)
    duty: str | None = None
    subject: str | None = None
    until: datetime
    reason: str
    by: str
    at: datetime
    source: str = "command"
    ended_at: datetime | None = None
    ended_by: str | None = None
    rebuilt: bool = False


class MirrorLinkRow(SQLModel, table=True):
    """A note and its mirrored comment. `origin` tells which of them is the original."""

    __tablename__ = "mirror_link"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(index=True)
    origin: str
    note_id: str | None = Field(default=None, unique=True)
    comment_id: str | None = Field(default=None, unique=True)
    note_hash: str | None = None
    comment_hash: str | None = None
