"""Carries out one operation: budget, claim, one request, confirmation; or sorts how it failed.

The operation is committed as in flight before its request leaves, so that whatever happens afterwards
finds it. Only what was certainly not done is sent again as it is; what is unknown is looked up.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from loguru import logger
from sqlmodel import Session, col, select

from syncd.domain.operation import Kind, OperationClass, OperationState, Target
from syncd.engine.act.find_created import highest_seen
from syncd.engine.act.kind import Act, Outcome, Rendered, is_restricted, shown
from syncd.engine.act.kinds_by_name import ACTS
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender, DecideAgain, NotYet
from syncd.ledger.store import outbox
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.restrict import AGAIN, PRIVATE
from syncd.ledger.store.snapshots import created_at, written_at
from syncd.ledger.store.tables import OperationRow, TicketRow
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import LEFT_BY_COMMENTS, LEFT_BY_UPDATES, prepaid

if TYPE_CHECKING:
    from loguru import Logger

DATES_ARE_WITHIN = timedelta(seconds=2)
"""The date of an answer is cut to the second, and may have been set a little before the answer left."""
TRIES = 5
"""How often a request that a service answers with a conflict is sent before its operation is parked."""

COMMENTS = frozenset({Kind.LINK_NOTE, Kind.MIRROR_NOTE, Kind.MIRROR_COMMENT, Kind.SAY_ON_TICKET})
"""What leaves last when a budget is nearly used up."""

LATER = frozenset({Cause.PAUSED, Cause.UNREACHABLE, Cause.LIMITED, Cause.CREDENTIALS, Cause.REDIRECT})
"""Failures that say nothing about this operation: it waits for the service."""


class Verdict(StrEnum):
    """What became of an attempt, as the worker needs to know it."""

    DONE = "done"
    AGAIN = "again"
    WAIT = "wait"
    ENDED = "ended"
    NOT_YET = "not yet"


class Executor:
    """Sends what the outbox holds, one operation at a time for one incident."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def attempt(self, row: OperationRow) -> Verdict:
        """Given a pending operation whose needs are met, try it once and say what became of it."""
        desk, act = self._desk, ACTS[row.kind]
        try:
            rendered = self._rendered(act, row)
            found = self._done_by_an_earlier_ledger(act, row, rendered)
            if found is not None:
                self.confirm(act, row, found, 0.0)
                return Verdict.DONE
            whole = act.complete(desk, row, rendered)
            probe_from = highest_seen(desk, _project(rendered)) if act.probes else None
            desk.budgets.take(row.target, issue=str(rendered.get("issue", "")), leave=_left(act, row))
        except DecideAgain:
            return self._end(row, OperationState.SUPERSEDED, "what it was decided upon has changed")
        except NotYet:
            return self._keep_for_later(row)
        except CannotRender as error:
            return self._park(row, str(error))
        except RemoteError as error:
            desk.health.failed(error.service, shown(desk, row, error))
            return Verdict.WAIT
        return self._leave(act, row, rendered, whole, probe_from)

    def _rendered(self, act: Act, row: OperationRow) -> Rendered:
        """What an earlier attempt rendered, unless its incident became restricted since; else it is now."""
        desk = self._desk
        restricted = is_restricted(desk, row)
        if row.rendered is not None and row.rendered.get(AGAIN):
            with desk.ledger.db.write() as session:
                session.add(row)
                row.rendered = None
        rendered = row.rendered or act.render(desk, row)
        return {**rendered, PRIVATE: True} if restricted else rendered

    def _done_by_an_earlier_ledger(self, act: Act, row: OperationRow, rendered: Rendered) -> Outcome | None:
        """What concerns an incident older than this ledger may stand there already, with our mark.

        The same key derives the same mark, whichever ledger derived it. Tickets and postmortems are adopted
        before anything is decided (`earlier_ledger.adopt_tickets`, `earlier_ledger.rebuild_duties`).
        """
        desk = self._desk
        if row.op_class != OperationClass.ONCE or row.attempts:
            return None
        with desk.ledger.db.read() as session:
            began = created_at(session, row.incident_id)
        if began is None or began >= desk.ledger.born:
            return None
        return act.done_before(desk, row, rendered)

    def _leave(
        self, act: Act, row: OperationRow, rendered: Rendered, whole: Rendered, probe_from: int | None
    ) -> Verdict:
        desk = self._desk
        with desk.ledger.db.write() as session:
            if not desk.brakes.may_leave(session, row.target):
                return Verdict.WAIT  # paused while it was made ready
            claimed = outbox.claim(
                session, row.id or 0, desk.ledger.run_name, desk.clock.now(), rendered, probe_from
            )
        if claimed is None:
            return Verdict.AGAIN
        began = desk.clock.boottime()
        try:
            with prepaid():
                outcome = act.send(desk, claimed, whole)
        except NotDone as error:
            refused = shown(desk, claimed, error)
            desk.health.failed(error.service, refused)
            return self._not_done(act, claimed, refused)
        except Unknown as error:
            unknown = shown(desk, claimed, error)
            desk.health.failed(error.service, unknown)
            return self._unknown(claimed, unknown)
        desk.health.succeeded(row.target)
        self.confirm(act, claimed, outcome, desk.clock.boottime() - began)
        return Verdict.DONE

    def confirm(self, act: Act, row: OperationRow, outcome: Outcome, took: float) -> None:
        """End an operation that was carried out: result, remote id and audit event in one transaction."""
        desk = self._desk
        with desk.ledger.db.write() as session:
            session.add(row)
            act.confirm(session, desk, row, outcome)
            _note_when(session, desk, row, took)
            outbox.finish(session, row, OperationState.DONE, desk.clock.now(), remote_id=outcome.remote_id)
        ticket = str(outcome.data.get("key", "")) or _issue(row)
        _log(row, ticket=ticket, duration_ms=round(took * 1000)).info(
            "{} for {}: {} ({:.0f} ms; {})",
            row.kind,
            row.incident_id,
            outcome.remote_id,
            took * 1000,
            row.reason,
        )

    def refuse(self, act: Act, row: OperationRow, error: NotDone) -> Verdict:
        """A claimed operation was refused as part of something larger: sort it as if it had gone alone."""
        return self._not_done(act, row, error)

    def _not_done(self, act: Act, row: OperationRow, error: NotDone) -> Verdict:
        desk = self._desk
        if error.cause in LATER:
            self._put_back(row, error.describe())
            return Verdict.WAIT
        refused = act.drop_refused(row, error.field_errors)
        if refused and set(refused) == set(error.field_errors):
            with desk.ledger.db.write() as session:
                session.add(row)
                known = row.meaning.get("refused", [])
                row.meaning = {**row.meaning, "refused": sorted({*known, *refused})}
                row.rendered = None
                outbox.put_back(session, row, desk.clock.now(), error.describe())
            logger.warning("{} for {} goes on without {}", row.kind, row.incident_id, ", ".join(refused))
            return Verdict.AGAIN
        if error.cause is Cause.FORBIDDEN and self._whole_service(error):
            self._put_back(row, error.describe())
            return Verdict.WAIT
        if row.op_class == OperationClass.STATE and row.attempts < TRIES:
            sent = row.rendered or {}
            desk.facts.forget_ways(str(sent.get("workflow")), str(sent.get("from")))
            if self._refused_before(row) >= TRIES - 1:
                return self._park(row, error.describe())
            return self._read_again(row, error)
        if error.cause is Cause.CONFLICT and row.attempts < TRIES:
            self._put_back(row, error.describe())
            return Verdict.WAIT
        desk.facts.forget_projects()
        return self._park(row, error.describe())

    def _refused_before(self, row: OperationRow) -> int:
        """How often the same was decided for the same place and refused since it last succeeded."""
        with self._desk.ledger.db.read() as session:
            query = (
                select(OperationRow)
                .where(
                    OperationRow.object == row.object,
                    OperationRow.aspect == row.aspect,
                    col(OperationRow.id) < row.id,
                )
                .order_by(col(OperationRow.id).desc())
                .limit(TRIES)
            )
            count = 0
            for earlier in session.exec(query).all():
                if earlier.state != OperationState.SUPERSEDED or earlier.meaning != row.meaning:
                    break
                count += earlier.error is not None
            return count

    def _whole_service(self, error: NotDone) -> bool:
        """Whether a 403 concerns our account as such: it may not even ask who it is."""
        desk = self._desk
        try:
            if error.service == "jira":
                desk.clients.jira.myself()
            else:
                desk.clients.pagerduty.services()
        except RemoteError as worse:
            if worse.cause in (Cause.FORBIDDEN, Cause.CREDENTIALS):
                refused = NotDone(error.service, error.request, Cause.CREDENTIALS, error.message, status=403)
                desk.health.failed(error.service, refused)
            return True
        return False

    def _read_again(self, row: OperationRow, error: RemoteError) -> Verdict:
        """A state operation that was refused or whose outcome is unknown: read, then decide anew."""
        desk = self._desk
        with desk.ledger.db.write() as session:
            session.add(row)
            attempts = row.attempts
            if isinstance(error, Unknown):
                outbox.end_unknown(session, row, desk.clock.now(), str(error.cause))
            else:
                outbox.finish(session, row, OperationState.SUPERSEDED, desk.clock.now(), why=str(error.cause))
            row.error = error.describe()
            look_again(
                session,
                [row.incident_id],
                desk.clock.now(),
                desk.ledger.moments.next(),
                f"{row.kind} failed, attempt {attempts}",
                ticket=row.target == Target.JIRA,
            )
        return Verdict.ENDED

    def _unknown(self, row: OperationRow, error: Unknown) -> Verdict:
        desk = self._desk
        if row.op_class == OperationClass.STATE:
            return self._read_again(row, error)
        with desk.ledger.db.write() as session:
            session.add(row)
            outbox.settle(session, row, desk.clock.now(), desk.gave_up(), error.describe())
        said = error.describe()
        _log(row).warning("{} for {} has an unknown outcome: {}", row.kind, row.incident_id, said)
        return Verdict.AGAIN

    def _put_back(self, row: OperationRow, words: str) -> None:
        with self._desk.ledger.db.write() as session:
            session.add(row)
            outbox.put_back(session, row, self._desk.clock.now(), words)

    def _keep_for_later(self, row: OperationRow) -> Verdict:
        if row.rendered is not None:
            with self._desk.ledger.db.write() as session:
                session.add(row)
                row.rendered = None
        return Verdict.NOT_YET

    def _park(self, row: OperationRow, words: str) -> Verdict:
        with self._desk.ledger.db.write() as session:
            session.add(row)
            outbox.park(session, row, self._desk.clock.now(), words)
        _log(row).error("{} for {} is parked: {}", row.kind, row.incident_id, words)
        return Verdict.ENDED

    def _end(self, row: OperationRow, state: OperationState, why: str) -> Verdict:
        with self._desk.ledger.db.write() as session:
            session.add(row)
            outbox.finish(session, row, state, self._desk.clock.now(), why=why)
        return Verdict.ENDED


def _left(act: Act, row: OperationRow) -> float:
    """The share of the budget that an operation leaves to others: creates before updates before comments."""
    if act.probes:
        return 0.0
    return LEFT_BY_COMMENTS if row.kind in COMMENTS else LEFT_BY_UPDATES


def _note_when(session: Session, desk: Desk, row: OperationRow, took: float) -> None:
    """A ticket was changed by us: a read that shows it as it was before must not undo what we know."""
    now, sent = desk.date_of("jira"), "stays" not in (row.rendered or {})
    if now is None or row.kind not in (Kind.MOVE_TICKET, Kind.EDIT_TICKET) or not sent:
        return
    ticket = session.get(TicketRow, row.incident_id)
    if ticket is None:
        return
    written_at(ticket, now - timedelta(seconds=took) - DATES_ARE_WITHIN)
    session.add(ticket)


def _log(row: OperationRow, **more: object) -> Logger:
    """The log with what machines look for beside the words."""
    given: dict[str, object] = {
        "incident": row.incident_id,
        "ticket": _issue(row),
        "operation": row.id,
        "op": row.op,
    }
    given |= {"kind": row.kind, "reason": row.reason, **more}
    return logger.bind(**{name: value for name, value in given.items() if value not in ("", None)})


def _issue(row: OperationRow) -> str:
    return str((row.rendered or {}).get("issue", ""))


def _project(rendered: Rendered) -> str:
    fields = rendered.get("fields")
    project = fields.get("project") if isinstance(fields, dict) else None
    key = project.get("key") if isinstance(project, dict) else None
    if not isinstance(key, str):
        raise CannotRender("the rendered create names no project")
    return key
