"""Carries out one operation: budget, claim, one request, confirmation; or sorts how it failed.

The operation is committed as in flight before its request leaves, so that whatever happens afterwards
finds it. Only what was certainly not done is sent again as it is; what is unknown is looked up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from loguru import logger

from syncd.domain.operation import Kind, OperationBase, OperationClass, OperationState
from syncd.domain.operation.base import RefusableFields
from syncd.domain.operation.rendered import Rendered, RenderedCreate, RenderedMove, RenderedStay
from syncd.engine.act.find_created import highest_seen
from syncd.engine.act.jira_write.internal_comments import warn_of_shown
from syncd.engine.act.kind import OperationKind, Outcome, shown
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.refusals import LATER, is_final, words_of
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain, NotYet
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import leaving
from syncd.ledger.store.confirming import confirm
from syncd.ledger.store.leaving import Basis, Leaving, basis_of
from syncd.remote.errors import Cause, NotDone, RemoteError, Unknown
from syncd.remote.http.budget import LEFT_BY_COMMENTS, LEFT_BY_UPDATES, prepaid

if TYPE_CHECKING:
    from loguru import Logger

DATES_ARE_WITHIN = timedelta(seconds=2)
"""The date of an answer is cut to the second, and may have been set a little before the answer left."""

COMMENTS = frozenset({Kind.LINK_NOTE, Kind.MIRROR_NOTE, Kind.MIRROR_COMMENT, Kind.COMMENT_ON_TICKET})
"""What leaves last when a budget is nearly used up."""


class Verdict(StrEnum):
    """What became of an attempt, as the worker needs to know it."""

    DONE = "done"
    AGAIN = "again"
    WAIT = "wait"
    ENDED = "ended"
    PARKED = "parked"
    NOT_YET = "not yet"


class Executor:
    """Sends what the outbox holds, one operation at a time for one incident."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def attempt(self, operation: OperationRecord, basis: Basis | None = None) -> Verdict:
        """Given a pending operation whose needs are met, try it once and say what became of it.

        `basis` is what the caller has read just now; without it, it is read.
        """
        context, kind = self._context.pinned(), KINDS[operation.kind]
        try:
            basis = basis or basis_of(context.ledger, operation.incident_id)
            operation, rendered = self._rendered(context, kind, operation, basis)
            found = self._done_by_an_earlier_ledger(kind, operation, rendered, basis)
            if found is not None:
                self.confirm(kind, operation, found, 0.0)
                return Verdict.DONE
            whole = kind.complete(context, operation, rendered)
            probe_from = highest_seen(context, _project(rendered)) if kind.needs_probe_from else None
            context.budgets.take(operation.target, issue=rendered.issue, leave=_left(kind, operation))
        except DecideAgain:
            return self._end(operation, "the facts that it was decided on have changed")
        except NotYet:
            return self._keep_for_later(operation)
        except CannotRender as error:
            return self._park(operation, str(error))
        except RemoteError as error:
            context.health.failed(error.service, shown(context, operation, error))
            return Verdict.WAIT
        return self._leave(kind, operation, rendered, whole, probe_from)

    def _rendered(
        self, context: EngineContext, kind: OperationKind[Any], operation: OperationRecord, basis: Basis
    ) -> tuple[OperationRecord, Rendered]:
        """What an earlier attempt rendered, unless its incident became restricted since; else it is now."""
        if operation.rendering is not None and operation.rendering.again:
            operation = leaving.render_anew(context.ledger, operation)
        rendered: Rendered = operation.rendering or kind.render(context, operation, basis)
        return operation, rendered.model_copy(update={"restricted": True}) if basis.restricted else rendered

    def _done_by_an_earlier_ledger(
        self, kind: OperationKind[Any], operation: OperationRecord, rendered: Rendered, basis: Basis
    ) -> Outcome | None:
        """What concerns an incident older than this ledger may stand there already, with our mark.

        The same key derives the same mark, whichever ledger derived it. Tickets and postmortems are adopted
        before anything is decided (`earlier_ledger.adopt_tickets`, `earlier_ledger.rebuild_duties`).
        """
        context, incident = self._context, basis.incident
        if operation.op_class != OperationClass.ONCE or operation.attempts:
            return None
        if incident is None or not context.predates_ledger(incident.created_at):
            return None
        return kind.done_before(context, operation, rendered)

    def _leave(
        self,
        kind: OperationKind[Any],
        operation: OperationRecord,
        rendered: Rendered,
        whole: Rendered,
        probe_from: int | None,
    ) -> Verdict:
        context, run = self._context, self._context.ledger.run_name
        wanted = [Leaving(operation.id, rendered), *kind.told_with(operation, rendered)]
        claims = leaving.claim(
            context.ledger, wanted, operation.target, run, context.clock.now(), probe_from, together=True
        )
        if claims is None:
            return Verdict.WAIT  # paused while it was made ready
        if not claims:
            return Verdict.AGAIN
        claimed = claims[0]
        began = context.clock.boottime()
        try:
            with prepaid():
                outcome = kind.send(context, claimed, whole)
        except NotDone as error:
            refused = shown(context, claimed, error)
            context.health.failed(error.service, refused)
            return self._not_done(kind, claimed, refused)
        except Unknown as error:
            unknown = shown(context, claimed, error)
            context.health.failed(error.service, unknown)
            return self._unknown(claimed, unknown)
        context.health.succeeded(operation.target)
        self.confirm(kind, claimed, outcome, context.clock.boottime() - began)
        return Verdict.DONE

    def confirm(
        self, kind: OperationKind[Any], operation: OperationRecord, outcome: Outcome, took: float
    ) -> None:
        """End an operation that was carried out: result, remote id and audit event in one transaction."""
        context = self._context
        kind.learn(context, operation, outcome)
        shown_on = confirm(
            context.ledger,
            operation,
            outcome.remote_id,
            kind.confirmation(context, operation, outcome),
            context.clock.now(),
            _changed_at(context, operation, took),
        )
        if shown_on is not None:
            warn_of_shown(shown_on, outcome.remote_id)
        ticket = outcome.key or _issue(operation)
        _log(operation, ticket=ticket, duration_ms=round(took * 1000)).info(
            "{} for {}: {} ({:.0f} ms; {})",
            operation.kind,
            operation.incident_id,
            outcome.remote_id,
            took * 1000,
            operation.reason,
        )

    def refuse(self, kind: OperationKind[Any], operation: OperationRecord, error: NotDone) -> Verdict:
        """A claimed operation was refused as part of something larger: sort it as if it had gone alone."""
        return self._not_done(kind, operation, error)

    def _not_done(self, kind: OperationKind[Any], operation: OperationRecord, error: NotDone) -> Verdict:
        context = self._context
        changed = kind.changed_by(operation, error)
        if changed is not None:
            operation = operation.changed_to(changed)
        if error.cause in LATER:
            return self._put_back(operation, error.describe(), changed)
        refused = kind.drop_refused(operation, error.field_errors)
        if refused and set(refused) == set(error.field_errors):
            return self._go_on_without(operation, refused, error)
        if error.cause is Cause.FORBIDDEN and self._whole_service(error):
            return self._put_back(operation, error.describe(), changed)
        if isinstance(operation.rendering, RenderedMove):
            context.facts.forget_ways(operation.rendering.workflow, operation.rendering.from_status)
        state = operation.op_class == OperationClass.STATE
        if is_final(context, operation, error):
            if not state:
                context.facts.forget_projects()
            return self._park(operation, words_of(operation, error), changed)
        if state:
            return self._read_again(operation, error)
        return self._put_back(operation, error.describe(), changed)

    def _go_on_without(self, operation: OperationRecord, refused: list[str], error: NotDone) -> Verdict:
        """Only optional fields were refused: it leaves again, rendered anew without them."""
        context = self._context
        given = operation.typed(RefusableFields)
        changed = given.model_copy(update={"refused": tuple(sorted({*given.refused, *refused}))})
        now = context.clock.now()
        leaving.put_back(context.ledger, [operation], now, error.describe(), changed=changed, anew=True)
        logger.warning(
            "{} for {} goes on without {}", operation.kind, operation.incident_id, ", ".join(refused)
        )
        return Verdict.AGAIN

    def _whole_service(self, error: NotDone) -> bool:
        """Whether a 403 concerns our account as such: it may not even ask who it is."""
        context = self._context
        try:
            if error.service == "jira":
                context.services.jira.myself()
            else:
                context.services.pagerduty.services()
        except RemoteError as worse:
            if worse.cause in (Cause.FORBIDDEN, Cause.CREDENTIALS):
                refused = NotDone(error.service, error.request, Cause.CREDENTIALS, error.message, status=403)
                context.health.failed(error.service, refused)
            return True
        return False

    def _read_again(self, operation: OperationRecord, error: RemoteError) -> Verdict:
        look = f"{operation.kind} failed, attempt {operation.attempts}"
        unknown = isinstance(error, Unknown)
        return self.decide_anew(operation, str(error.cause), look, unknown=unknown, error=error.describe())

    def decide_anew(
        self, operation: OperationRecord, why: str, look: str, *, unknown: bool, error: str | None
    ) -> Verdict:
        """End a state operation that was refused or whose outcome is `unknown`: read, then decide anew.

        `look` says why the incident is read.
        """
        context = self._context
        leaving.decide_anew(
            context.ledger,
            operation,
            context.clock.now(),
            context.ledger.logical_clock.next(),
            why,
            look,
            unknown=unknown,
            error=error,
        )
        return Verdict.ENDED

    def _unknown(self, operation: OperationRecord, error: Unknown) -> Verdict:
        context = self._context
        if operation.op_class == OperationClass.STATE:
            return self._read_again(operation, error)
        words = error.describe()
        leaving.mark_unknown(context.ledger, [operation], context.clock.now(), context.gave_up(), words)
        _log(operation).warning(
            "{} for {} has an unknown outcome: {}", operation.kind, operation.incident_id, words
        )
        return Verdict.AGAIN

    def _put_back(self, operation: OperationRecord, words: str, changed: OperationBase | None) -> Verdict:
        """It leaves again as it is, or changed, where it learned of a refusal."""
        context = self._context
        leaving.put_back(context.ledger, [operation], context.clock.now(), words, changed=changed)
        return Verdict.WAIT

    def _keep_for_later(self, operation: OperationRecord) -> Verdict:
        if operation.rendered is not None:
            leaving.render_anew(self._context.ledger, operation)
        return Verdict.NOT_YET

    def _park(self, operation: OperationRecord, words: str, changed: OperationBase | None = None) -> Verdict:
        context = self._context
        leaving.park(context.ledger, operation, context.clock.now(), words, changed=changed)
        _log(operation).error("{} for {} is parked: {}", operation.kind, operation.incident_id, words)
        return Verdict.PARKED

    def _end(self, operation: OperationRecord, why: str) -> Verdict:
        context = self._context
        leaving.end(context.ledger, operation, OperationState.SUPERSEDED, context.clock.now(), why)
        return Verdict.ENDED


def _left(kind: OperationKind[Any], operation: OperationRecord) -> float:
    """The share of the budget that an operation leaves to others: creates before updates before comments."""
    if kind.needs_probe_from:
        return 0.0
    return LEFT_BY_COMMENTS if operation.kind in COMMENTS else LEFT_BY_UPDATES


def _changed_at(context: EngineContext, operation: OperationRecord, took: float) -> datetime | None:
    """When we changed a ticket: a read that shows it as it was before must not undo what we know."""
    now, sent = context.date_of("jira"), not isinstance(operation.rendering, RenderedStay)
    if now is None or operation.kind not in (Kind.MOVE_TICKET, Kind.EDIT_TICKET) or not sent:
        return None
    return now - timedelta(seconds=took) - DATES_ARE_WITHIN


def _log(operation: OperationRecord, **more: object) -> Logger:
    """The log with what machines look for beside the words."""
    given: dict[str, object] = {
        "incident": operation.incident_id,
        "ticket": _issue(operation),
        "operation": operation.id,
        "op": operation.op,
    }
    given |= {"kind": operation.kind, "reason": operation.reason, **more}
    return logger.bind(**{name: value for name, value in given.items() if value not in ("", None)})


def _issue(operation: OperationRecord) -> str:
    return operation.rendering.issue if operation.rendering is not None else ""


def _project(rendered: Rendered) -> str:
    if not isinstance(rendered, RenderedCreate) or not rendered.project:
        raise CannotRender("the rendered create names no project")
    return rendered.project
