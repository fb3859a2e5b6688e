"""The first ledger: incidents, tickets, postmortems, action items, duties, the outbox, the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# spelt out here: a migration must make the same ledger for ever, also when the code changes
_GENESIS = "0" * 64
_TRIGGERS = (
    "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event "
    "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END",
    "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event "
    "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END",
    "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event "
    "WHEN EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq) "
    "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END",
)
_FUNCTION = (
    "CREATE FUNCTION audit_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN RAISE EXCEPTION 'audit_event is append-only'; END$$"
)
_POSTGRESQL_TRIGGERS = (
    "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change()",
    "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change()",
    "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change()",
)
_TIME = sa.DateTime(timezone=True)
_OPEN = "op_class = 'state' AND state IN ('pending', 'in_flight', 'unknown', 'parked', 'held')"


def _queues() -> None:
    op.create_table(
        "change_notice",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sa.Column("notes", sa.Boolean, nullable=False),
        sa.Column("ticket", sa.Boolean, nullable=False),
    )
    op.create_table(
        "trouble",
        sa.Column("whose", sa.String, primary_key=True),
        sa.Column("what", sa.String, primary_key=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("why", sa.String, nullable=False),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("asked_by", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("progress", sa.String, nullable=False),
        sa.Column("result", sa.JSON),
    )


def _incidents() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, index=True),
        sa.Column("service_id", sa.String, nullable=False),
        sa.Column("team", sa.String, index=True),
        sa.Column("severity", sa.String),
        sa.Column("assumed", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False, index=True),
        sa.Column("created_at", _TIME, nullable=False, index=True),
        sa.Column("acknowledged_at", _TIME),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("resolved_at", _TIME, index=True),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("snapshot", sa.JSON, nullable=False),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sa.Column("notes", sa.JSON),
        sa.Column("notes_read_seq", sa.Integer, nullable=False),
        sa.Column("written_seq", sa.Integer, nullable=False),
        sa.Column("searched", sa.Boolean, nullable=False),
        sa.Column("finished", sa.Boolean, nullable=False, index=True),
        sa.Column("noise_rule", sa.String),
        sa.Column("no_postmortem", sa.String),
        sa.Column("exercise", sa.String),
        sa.Column("exercise_by", sa.String),
        sa.Column("exercise_at", _TIME),
        sa.Column("dry_run_notes", sa.JSON, nullable=False),
        sa.Column("merged_into", sa.String, index=True),
        sa.Column("was_merged_into", sa.String, index=True),
        sa.Column("restricted", sa.Boolean, nullable=False),
        sa.Column("restricted_since", _TIME),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("settled_fingerprint", sa.JSON),
        sa.Column("log", sa.JSON),
        sa.Column("log_read_seq", sa.Integer, nullable=False),
        sa.Column("changed_seq", sa.Integer, nullable=False),
        sa.Column("severity_periods", sa.JSON, nullable=False),
        sa.Column("due_at", _TIME, index=True),
        sa.Column("status_updates", sa.JSON, nullable=False),
        sa.Column("cadence", sa.JSON),
        sa.Column("non_items", sa.JSON, nullable=False),
        sa.Column("postmortem_searched_for", _TIME),
    )
    op.create_index(
        "incident_unsearched",
        "incident",
        ["created_at", "number"],
        sqlite_where=sa.text("searched IS 0 AND team IS NOT NULL"),
        postgresql_where=sa.text("searched IS false AND team IS NOT NULL"),
    )


def _tickets() -> None:
    op.create_table(
        "ticket",
        sa.Column("incident_id", sa.String, sa.ForeignKey("incident.id"), primary_key=True),
        sa.Column("issue_id", sa.String, nullable=False, unique=True),
        sa.Column("key", sa.String, nullable=False, index=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("agreed", sa.JSON, nullable=False),
        sa.Column("placed_status", sa.String),
        sa.Column("refused", sa.JSON, nullable=False),
        sa.Column("snapshot", sa.JSON),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sa.Column("written_seq", sa.Integer, nullable=False),
        sa.Column("out_of_sight_since", _TIME),
        sa.Column("closed", sa.JSON),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("changes_until", _TIME),
        sa.Column("labels_read", sa.JSON),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("deleted_by", sa.String),
        sa.Column("moved_by", sa.String),
    )
    op.create_table(
        "mirror_link",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("note_id", sa.String, unique=True),
        sa.Column("comment_id", sa.String, unique=True),
        sa.Column("note_hash", sa.String),
        sa.Column("comment_hash", sa.String),
    )


def _postmortems_and_items() -> None:
    op.create_table(
        "postmortem",
        sa.Column("incident_id", sa.String, sa.ForeignKey("incident.id"), primary_key=True),
        sa.Column("issue_id", sa.String, nullable=False, unique=True),
        sa.Column("key", sa.String, nullable=False, index=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("agreed", sa.JSON, nullable=False),
        sa.Column("snapshot", sa.JSON),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sa.Column("written_seq", sa.Integer, nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("changes_until", _TIME),
        sa.Column("leaves", sa.JSON, nullable=False),
        sa.Column("follow_ups", sa.JSON, nullable=False),
        sa.Column("follow_ups_since", _TIME),
        sa.Column("out_of_sight_since", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("rebuilt_for", _TIME),
        sa.Column("deleted_by", sa.String),
        sa.Column("moved_by", sa.String),
    )
    op.create_table(
        "action_item",
        sa.Column("issue_id", sa.String, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("key", sa.String, nullable=False, index=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("team", sa.String),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("snapshot", sa.JSON),
        sa.Column("read_seq", sa.Integer, nullable=False),
        sa.Column("written_seq", sa.Integer, nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("changes_until", _TIME),
        sa.Column("leaves", sa.JSON, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("handed_over_at", _TIME),
        sa.Column("out_of_sight_since", _TIME),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("rebuilt_for", _TIME),
        sa.Column("deleted_by", sa.String),
        sa.Column("moved_by", sa.String),
    )


def _duties() -> None:
    op.create_table(
        "duty",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("clock", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False, index=True),
        sa.Column("was_due_at", _TIME),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("remedy", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("met_at", _TIME),
        sa.Column("met_by", sa.String),
        sa.Column("breached_at", _TIME),
        sa.Column("corrected", sa.String),
        sa.Column("corrected_at", _TIME),
        sa.Column("corrected_by", sa.String),
        sa.Column("claimed_met_at", _TIME),
        sa.Column("rebuilt", sa.Boolean, nullable=False),
        sa.Column("unseen", sa.Boolean, nullable=False),
    )
    op.create_index("duty_place", "duty", ["incident_id", "kind", "subject", "clock"], unique=True)
    op.create_index("duty_by_state", "duty", ["state", "due_at"])
    op.create_index(
        "duty_unseen",
        "duty",
        ["state"],
        sqlite_where=sa.text("unseen IS 1"),
        postgresql_where=sa.text("unseen IS true"),
    )
    op.create_table(
        "waiver",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("duty", sa.String),
        sa.Column("subject", sa.String),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("ended_by", sa.String),
        sa.Column("rebuilt", sa.Boolean, nullable=False),
    )


def _reports() -> None:
    op.create_table(
        "report_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("team", sa.String, nullable=False),
        sa.Column("week", sa.String, nullable=False),
        sa.Column("begins", _TIME, nullable=False),
        sa.Column("ends", _TIME, nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("sent_at", _TIME),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("rows", sa.JSON, nullable=False),
    )
    op.create_index("report_run_week", "report_run", ["team", "week"], unique=True)


def _outbox() -> None:
    op.create_table(
        "operation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False, index=True),
        sa.Column("op", sa.String, nullable=False, index=True),
        sa.Column("op_class", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("object", sa.String, nullable=False),
        sa.Column("aspect", sa.String, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.Column("meaning", sa.JSON, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("mapping_version", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("rendered", sa.JSON),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("instance", sa.String),
        sa.Column("probe_from", sa.Integer),
        sa.Column("gave_up_boot_id", sa.String),
        sa.Column("gave_up_boottime", sa.Float),
        sa.Column("remote_id", sa.String),
        sa.Column("error", sa.String),
        sa.Column("waits_for", sa.String),
        sa.Column("waits_since", _TIME),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("claimed_at", _TIME),
        sa.Column("finished_at", _TIME),
    )
    op.create_index(
        "operation_once",
        "operation",
        ["key"],
        unique=True,
        sqlite_where=sa.text("op_class = 'once'"),
        postgresql_where=sa.text("op_class = 'once'"),
    )
    op.create_index(
        "operation_open_state",
        "operation",
        ["object", "aspect"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index("operation_by_state", "operation", ["state", "incident_id"])


def _unseen_writes() -> None:
    op.create_table(
        "unseen_write",
        sa.Column("object", sa.String, primary_key=True),
        sa.Column("place", sa.String, primary_key=True),
        sa.Column("incident_id", sa.String, nullable=False, index=True),
        sa.Column("issue_id", sa.String),
        sa.Column("operation_id", sa.Integer, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("sends", sa.Integer, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("no_effect", sa.Boolean, nullable=False),
        sa.Column("placed_status", sa.String),
        sa.Column("answered_at", _TIME, nullable=False),
        sa.Column("answered_boot_id", sa.String, nullable=False),
        sa.Column("answered_boottime", sa.Float, nullable=False),
    )


def _knowledge() -> None:
    op.create_table(
        "key_value",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "person",
        sa.Column("email", sa.String, primary_key=True),
        sa.Column("project", sa.String, primary_key=True),
        sa.Column("account", sa.JSON),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("checked_at", _TIME, nullable=False),
    )


def _record() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.String, nullable=False, index=True),
        sa.Column("incident_id", sa.String, index=True),
        sa.Column("issue_id", sa.String),
        sa.Column("operation_id", sa.Integer),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.execute(f"INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '{_GENESIS}')")  # noqa: S608 - a constant
    on_server = op.get_bind().dialect.name == "postgresql"
    for statement in (_FUNCTION, *_POSTGRESQL_TRIGGERS) if on_server else _TRIGGERS:
        op.execute(statement)


def upgrade() -> None:
    """Make the first shape."""
    _queues()
    _incidents()
    _tickets()
    _postmortems_and_items()
    _duties()
    _reports()
    _outbox()
    _unseen_writes()
    _knowledge()
    _record()
