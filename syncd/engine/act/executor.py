"""Carry out one operation: take budget, claim it, send one request, confirm it; or sort how it failed.

The operation is committed as in flight before its request leaves, so that syncd finds it after any crash.
syncd sends an operation again as it is only if the service certainly did not carry it out. It looks up an
operation whose outcome is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from syncd.domain.operation import Kind, OperationBase, OperationClass, OperationState
from syncd.domain.operation.base import RefusableFields
from syncd.domain.operation.rendered import Rendered, RenderedCreate, RenderedStay
from syncd.engine.act import notes_refused
from syncd.engine.act.done_words import AS_A_FILE, done_words
from syncd.engine.act.find_created import highest_seen
from syncd.engine.act.jira_write.internal_comments import warn_of_shown
from syncd.engine.act.kind import (
    OperationKind,
    Outcome,
    done_by_an_earlier_ledger,
    look_up,
    shown,
    was_unknown,
)
from syncd.engine.act.kinds import KINDS
from syncd.engine.act.refusals import (
    LATER,
    doubt,
    doubt_unspoken,
    is_final,
    mind,
    refuse_unseen,
    stops_team,
    trouble_of,
    words_of,
)
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender, DecideAgain, NotYet, OutOfSight
from syncd.engine.jira_knowledge.resolve_names import MappingMismatch
from syncd.engine.notify.compose import masked_recipient
from syncd.engine.observe.issues import look_by_id
from syncd.engine.runtime.waits import STOPPED, TAKEN_TOO_LONG, awaited_after
from syncd.ledger.records import OperationRecord
from syncd.ledger.store import confirming, leaving
from syncd.ledger.store.confirming import confirm
from syncd.ledger.store.leaving import Basis, Leaving, basis_of
from syncd.ledger.store.names import log_and_name
from syncd.remote.errors import NotDone, RemoteError, TooLate, Unknown
from syncd.remote.http.departure import departing
from syncd.remote.http.lanes import prepaid

if TYPE_CHECKING:
    from loguru import Logger


class Verdict(StrEnum):
    """The result of an attempt: it tells the worker how to go on."""

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
        """Try a pending operation once whose needs are met; return the verdict.

        `basis` is the caller's fresh read of incident and ticket; None: read it here.
        """
        context, kind = self._context.pinned(), KINDS[operation.kind]
        try:
            basis = basis or basis_of(context.ledger, operation.incident_id)
            operation, rendered = self._rendered(context, kind, operation, basis)
            refuse_unseen(context, operation, rendered)
            unsure = was_unknown(context, kind, operation)
            sought = replace(operation, rendered=rendered.stored) if unsure else operation
            earlier = (
                look_up(context, kind, sought)
                if unsure
                else done_by_an_earlier_ledger(context, kind, operation, rendered, basis)
            )
            if earlier is not None:
                self.confirm(kind, sought, earlier, 0.0, written=False)
                return Verdict.DONE
            # the texts of a restricted incident are added here: they are sent and never stored
            whole = kind.complete(context, operation, rendered)
            probe_from = operation.probe_from if unsure else None
            if kind.needs_probe_from and probe_from is None:
                probe_from = highest_seen(context, _project(rendered))
            # the budget comes before the claim: a claimed operation must not wait for budget in flight
            context.transport.budget.take(operation.service, issue=rendered.issue)
        except DecideAgain:
            return self._end(operation, "the facts that it was decided on have changed")
        except NotYet as early:
            return self._keep_for_later(operation, str(early))
        except CannotRender as error:
            # a retry reads the project's screens again
            if kind.needs_probe_from:
                context.facts.forget_projects()
            return self.park(operation, str(error), hidden=isinstance(error, OutOfSight))
        except RemoteError as error:
            # a part that the request needs cannot be read: it waits, ever longer if the trouble is its own
            if not context.troubles.failed(operation.incident_id, trouble_of(operation), error):
                context.health.failed(error.service, shown(context, operation, error))
            return self._wait(operation, awaited_after(error))
        except MappingMismatch:
            # its team was stopped since it was decided on
            return self._wait(operation, STOPPED)
        return self._leave(kind, operation, rendered, whole, probe_from)

    def _rendered(
        self, context: EngineContext, kind: OperationKind[Any], operation: OperationRecord, basis: Basis
    ) -> tuple[OperationRecord, Rendered]:
        """Return what an earlier attempt rendered; render now if there was none or its text was withheld."""
        if operation.rendering is not None and operation.rendering.again:
            operation = leaving.render_anew(context.ledger, operation)
        rendered: Rendered = operation.rendering or kind.render(context, operation, basis)
        return operation, rendered.model_copy(update={"restricted": True}) if basis.restricted else rendered

    def _leave(
        self,
        kind: OperationKind[Any],
        operation: OperationRecord,
        rendered: Rendered,
        whole: Rendered,
        probe_from: int | None,
    ) -> Verdict:
        context, run = self._context, self._context.ledger.run_name
        leavings = [Leaving(operation.id, rendered), *kind.told_with(operation, rendered)]
        claimed_at = context.clock.boottime()
        claims = leaving.claim(
            context.ledger, leavings, operation.target, run, context.clock.now(), probe_from, together=True
        )
        # None: an operator paused the service while syncd prepared the request
        if claims is None:
            return self._wait(operation, f"`syncd resume {operation.target}`")
        # superseded, dropped, or its incident became restricted since it was read
        if not claims:
            return Verdict.AGAIN
        claimed = claims[0]
        began = context.clock.boottime()
        try:
            # the budget was taken before the claim, so this request does not take it again
            with prepaid(), departing(claimed_at):
                outcome = kind.send(context, claimed, whole)
        except TooLate as error:
            return self._put_back(claimed, error, None, TAKEN_TOO_LONG)
        except NotDone as error:
            refused = shown(context, claimed, error)
            context.health.failed(error.service, refused)
            return self._not_done(kind, claimed, refused)
        except Unknown as error:
            unknown = shown(context, claimed, error)
            context.health.failed(error.service, unknown)
            return self._unknown(claimed, unknown)
        context.health.succeeded(operation.service)
        notes_refused.taken(context, claimed)
        self.confirm(kind, claimed, outcome, context.clock.boottime() - began)
        return Verdict.DONE

    def confirm(
        self,
        kind: OperationKind[Any],
        operation: OperationRecord,
        outcome: Outcome,
        took: float,
        *,
        written: bool = True,
    ) -> None:
        """End an operation that was carried out, and log it; `took` is the request's time in seconds.

        `written` is False if a look found that it was carried out before.
        Result, remote id and audit event stand in one transaction.
        """
        context = self._context
        kind.learn(context, operation, outcome)
        context.troubles.over(operation.incident_id, trouble_of(operation))
        shown_on = confirm(
            context.ledger,
            operation,
            outcome.remote_id,
            kind.confirmation(context, operation, outcome),
            context.clock.now(),
            context.answered(operation.service, took),
            _changed_at(context, operation, took),
        )
        # customers see our comment: commenting on that project stops with this transaction
        if shown_on is not None:
            warn_of_shown(shown_on, outcome.remote_id)
        issue, words = outcome.key or _issue(operation), done_words(operation, outcome.key)
        words = words if written else f"found, not written again: {words}"
        mailer = context.mailer
        if operation.kind == Kind.SEND_MAIL and mailer is not None and mailer.nobody:
            words = f"{words} ({AS_A_FILE})"
        to = masked_recipient(context, operation) if operation.kind == Kind.SEND_MAIL else ""
        log, name = self._log(operation, issue=issue, to=to, duration_ms=round(took * 1000))
        log.info("{}: {}{} ({})", name, words, f" to {to}" if to else "", operation.reason)

    def _log(self, operation: OperationRecord, **more: object) -> tuple[Logger, str]:
        """Return the log with fields that programs search for beside the words, and the incident's name."""
        fields: dict[str, object] = {
            "issue": _issue(operation),
            "operation": operation.id,
            "op": operation.op,
        }
        fields |= {"kind": operation.kind, "reason": operation.reason, **more}
        log, name = log_and_name(self._context.ledger, operation.incident_id)
        return log.bind(**{name: value for name, value in fields.items() if value not in ("", None)}), name

    def refuse(self, kind: OperationKind[Any], operation: OperationRecord, error: NotDone) -> Verdict:
        """Sort the refusal of a claimed operation that left in a batch, as if it had left alone."""
        return self._not_done(kind, operation, error)

    def _not_done(self, kind: OperationKind[Any], operation: OperationRecord, error: NotDone) -> Verdict:
        context = self._context
        # a refused owner is remembered even if the operation waits for another reason
        changed = kind.changed_by(operation, error)
        if changed is not None:
            operation = operation.changed_to(changed)
        if error.cause in LATER or stops_team(context, operation, error):
            why = awaited_after(error) if error.cause in LATER else STOPPED
            return self._put_back(operation, error, changed, why)
        refused = kind.drop_refused(operation, error.field_errors)
        # a refused field that is needed parks the operation with all the service's words
        if refused and set(refused) == set(error.field_errors):
            return self._go_on_without(kind, operation, refused, error)
        filled = kind.fill_demanded(context, operation, error) if error.field_errors else None
        if filled is not None:
            leaving.put_back(
                context.ledger, [operation], context.clock.now(), error.describe(), changed=filled, anew=True
            )
            return Verdict.AGAIN
        operation = doubt_unspoken(context, operation, error)
        # a refusal of our key or of the author concerns all notes: they wait, none is parked for it
        if notes_refused.is_held(context, operation, error):
            return self._put_back(operation, error, changed, "PagerDuty to take notes again")
        mind(context, operation, error)
        state = operation.op_class == OperationClass.STATE
        if is_final(context, operation, error):
            # a refused create may mean new required fields: read the project's screens again
            if not state:
                context.facts.forget_projects()
            return self.park(operation, words_of(operation, error), changed, hidden=error.absent)
        # a state operation is never repeated blindly: a fresh read may show that it is not needed
        if state:
            return self._read_again(operation, error)
        return self._put_back(operation, error, changed, awaited_after(error))

    def _go_on_without(
        self, kind: OperationKind[Any], operation: OperationRecord, refused: list[str], error: NotDone
    ) -> Verdict:
        """Put an operation back whose refused fields are all optional; its next attempt leaves them out."""
        context = self._context
        fields = operation.typed(RefusableFields)
        changed = fields.model_copy(update={"refused": tuple(sorted({*fields.refused, *refused}))})
        now = context.clock.now()
        leaving.put_back(context.ledger, [operation], now, error.describe(), changed=changed, anew=True)
        # an assignee is refused as a person, any other field because the screen has changed
        if kind.needs_probe_from and refused != ["assignee"]:
            context.facts.doubt_screens()
        log, name = self._log(operation)
        log.warning(
            "{}: Jira refused {} ({}); syncd sends it again without",
            name,
            ", ".join(refused),
            _infinitive(operation),
        )
        return Verdict.AGAIN

    def _read_again(self, operation: OperationRecord, error: RemoteError) -> Verdict:
        look = f"could not {_infinitive(operation)}, attempt {operation.attempts}"
        unknown = isinstance(error, Unknown)
        return self.decide_anew(operation, str(error.cause), look, unknown=unknown, error=error.describe())

    def decide_anew(
        self, operation: OperationRecord, why: str, look: str, *, unknown: bool, error: str | None
    ) -> Verdict:
        """End a state operation that was refused or whose outcome is `unknown`: read, then decide anew.

        `look` is the reason of the read, `why` that of the end.
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
        # a fresh read shows if the write was done
        if operation.op_class == OperationClass.STATE:
            # Jira fails at some issues for ever: the next tries come ever later, and the trouble is said
            context.troubles.failed(operation.incident_id, trouble_of(operation), error)
            return self._read_again(operation, error)
        doubt(context, operation, error)
        findable = KINDS[operation.kind].findable
        then = "syncd finds out before it sends again" if findable else "nobody can find out"
        log, name = self._log(operation)
        log.warning(
            "{}: unknown whether {} was done ({}); {}",
            name,
            _infinitive(operation),
            error.describe(),
            then,
        )
        return Verdict.AGAIN

    def _put_back(
        self, operation: OperationRecord, error: NotDone, changed: OperationBase | None, why: str
    ) -> Verdict:
        """Let an operation leave again later: as it is, or `changed` by what the refusal taught."""
        context = self._context
        leaving.put_back(context.ledger, [operation], context.clock.now(), error.describe(), changed=changed)
        return self._wait(operation, why)

    def _keep_for_later(self, operation: OperationRecord, why: str) -> Verdict:
        # the rendered text would be stale when its time comes
        if operation.rendered is not None:
            leaving.render_anew(self._context.ledger, operation)
        self._context.waits.store(operation, why)
        return Verdict.NOT_YET

    def _wait(self, operation: OperationRecord, why: str) -> Verdict:
        self._context.waits.store(operation, why)
        return Verdict.WAIT

    def park(
        self,
        operation: OperationRecord,
        words: str,
        changed: OperationBase | None = None,
        *,
        hidden: bool = False,
    ) -> Verdict:
        """Park an operation with the reason; `hidden`: its issue is out of sight, and frees it when back."""
        context = self._context
        leaving.park(context.ledger, operation, context.clock.now(), words, changed=changed)
        if hidden:
            look_by_id(context, confirming.issue_of(context.ledger, operation))
        log, name = self._log(operation)
        log.error(
            "{}: could not {}: {}; parked, fix the cause and run `syncd outbox retry {}`",
            name,
            _infinitive(operation),
            words,
            operation.id,
        )
        return Verdict.PARKED

    def _end(self, operation: OperationRecord, why: str) -> Verdict:
        context = self._context
        leaving.end(context.ledger, operation, OperationState.SUPERSEDED, context.clock.now(), why)
        return Verdict.ENDED


def _changed_at(context: EngineContext, operation: OperationRecord, took: float) -> datetime | None:
    """Return when syncd changed a ticket, by Jira's clock (UTC); None where it changed none.

    Jira's reads lag behind its writes: an older read must not undo in the ledger what syncd wrote.
    """
    changes = operation.kind in (Kind.MOVE_TICKET, Kind.EDIT_TICKET)
    sent = changes and not isinstance(operation.rendering, RenderedStay)
    return context.answered_by("jira", took) if sent else None


def _infinitive(operation: OperationRecord) -> str:
    return operation.kind.replace("_", " ")


def _issue(operation: OperationRecord) -> str:
    return operation.rendering.issue if operation.rendering is not None else ""


def _project(rendered: Rendered) -> str:
    if not isinstance(rendered, RenderedCreate) or not rendered.project:
        raise CannotRender("the rendered create names no project")
    return rendered.project
