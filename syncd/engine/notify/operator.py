"""Tell the operator of the daemon's own troubles: on record, in the log, and by mail, in one step.

syncd derives the troubles anew each time from the ledger and the services' health, so a crash forgets none.
The ledger stores which alarms were told, so that a restart repeats none; an alarm's mail enters the outbox in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Lock

from loguru import logger

from syncd.domain.duty import NOT_VISIBLE
from syncd.domain.mail import OPERATOR
from syncd.domain.mapping.bindings import missing
from syncd.domain.operation import SendMail
from syncd.domain.operation.mail import OperatorMail
from syncd.domain.text import counted
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.notify.alarm_events import AlarmEvents
from syncd.engine.notify.compose import mail_to
from syncd.engine.runtime.refusals import Refusal
from syncd.ledger.database.connection import OneView, one_view
from syncd.ledger.store import first_load, holds
from syncd.ledger.store.key_values import clocks_apart, service_bindings, store_clocks_apart
from syncd.ledger.store.mails import Told, tell_alarms, told_alarms
from syncd.ledger.store.restored import put_back_of
from syncd.ledger.store.verifications import Difference, verification
from syncd.ledger.views.postmortems import unseen_issues
from syncd.ledger.views.report_state import last_reads
from syncd.policy.duty_words import out_of_sight
from syncd.policy.notify.operator_alarms import (
    MAIL,
    NAMES,
    NOT_READ_FOR,
    Alarm,
    Concern,
    StoppedTeams,
    Trouble,
    alarms_due,
    alarms_of,
    cause_of,
    clock_words,
    refused_at_the_start,
)
from syncd.remote.errors import Cause

SHOWN = 10
"""Differences between figures and second judge that an alarm lists."""
KEPT = 200
"""The number of told alarms that the ledger remembers; older causes do not come back."""


class OperatorAlarms:
    """Looks for trouble; `good` holds the time of the last good read of each service (UTC)."""

    def __init__(self, context: EngineContext, good: dict[str, datetime]) -> None:
        self._context = context
        self._good = good
        self._started = context.clock.now()
        self._before: dict[str, datetime] = {}
        self._told: list[str] | None = None
        self._apart: dict[str, datetime] | None = None
        # a cycle and a tick may look at the same time
        self._telling = Lock()
        self.events = AlarmEvents(context)

    def clock_was_set(self, seconds: float) -> None:
        """Count the start of this run by a wall clock that was set by `seconds`."""
        self._started += timedelta(seconds=seconds)

    def count_from_record(self) -> None:
        """Count trouble from the last good reads of earlier runs: each run of one cycle is short."""
        self._before = last_reads(self._context.ledger, SERVICES)

    def tell_due(self) -> bool:
        """Tell the present alarms that were not told; return True if a mail has to leave."""
        alarms = self._alarms()
        self.events.follow(alarms, settled=self._settled())
        return self.tell(alarms)

    def tell_refused_at_the_start(self, service: str) -> bool:
        """Tell that a service refuses our credentials; return True if a mail has to leave."""
        captcha = self._context.transport.login(service).captcha
        alarm = refused_at_the_start(service, self._context.clock.now(), captcha)
        self.events.follow([alarm], settled=False)
        return self.tell([alarm])

    def tell(self, alarms: list[Alarm]) -> bool:
        """Tell those of the alarms that were not told; return True if a mail has to leave."""
        context, now = self._context, self._context.clock.now()
        with self._telling:
            if self._told is None:
                self._told = told_alarms(context.ledger)
            due = alarms_due(alarms, self._told, now)
            if not due:
                return False
            told = [Told(alarm.kind, alarm.key, self._mails_of(alarm)) for alarm in due]
            names = [*self._told, *(name for alarm in due for name in alarm.names(now))][-KEPT:]
            tell_alarms(context.ledger, told, names, now)
            self._told = names
        for alarm in due:
            logger.critical("{}", alarm.text)
        return any(entry.mails for entry in told)

    def untell(self, mail: OperatorMail) -> None:
        """Let a cause be told again on the same day, because its mail never left."""
        context, prefix = self._context, f"{cause_of(mail)}@"
        with self._telling:
            told = self._told if self._told is not None else told_alarms(context.ledger)
            self._told = [name for name in told if not name.startswith(prefix)]
            tell_alarms(context.ledger, [], self._told, context.clock.now())

    def lasts(self, mail: OperatorMail) -> bool:
        """Return True if the trouble that a mail tells of still lasts."""
        if mail.topic == "alarm" and (mail.alarm or "").startswith("expires/"):
            days = [f"expires/{service}/{day}/" for service, day in self._context.expires.items()]
            return (mail.alarm or "").startswith(tuple(days))
        return any(_same(alarm.mail, mail) for alarm in self._alarms())

    def _settled(self) -> bool:
        """Return True if this run has looked at both services, or could have told that it cannot read one."""
        both = all(side in self._good for side in SERVICES)
        return both or self._context.clock.now() - self._started >= NOT_READ_FOR

    def _alarms(self) -> list[Alarm]:
        context = self._context
        clocks = tuple(self._clocks())
        with one_view(context.ledger) as view:
            held, first = holds.mass_held(view), first_load.held(view)
            put_back = put_back_of(view)
            concerns = (*clocks, *_missing_services(context, view), *_unseen(view), *_differing(view))
        since = datetime.fromisoformat(str(held["since"])) if held is not None and held["since"] else None
        stopped = [refusal for refusal in context.refusals.all() if refusal.teams]
        # where all teams are stopped, these alarms say why syncd reads nothing of Jira
        none_runs = context.refusals.stopped_teams().issuperset(mapping.team for mapping in context.mappings)
        sides = [side for side in SERVICES if side != "jira" or not none_runs]
        trouble = Trouble(
            last_good={side: self._good.get(side) or self._before.get(side, self._started) for side in sides},
            refused={
                service.name: service.down_since
                for service in context.health.down()
                if service.cause is Cause.CREDENTIALS and service.down_since
            },
            captcha={side: words for side in SERVICES if (words := context.transport.login(side).captcha)},
            expires=context.expires,
            held=(since, held["tickets"]) if held is not None and since is not None else None,
            first_load=first,
            # the mail tells what was found and not sent: known when the wait for the index is over
            put_back=None if context.search_index.awaited else put_back,
            stopped=tuple(_stopped(refusal) for refusal in stopped),
            waiting=tuple(_stopped(refusal) for refusal in context.refusals.all() if refusal.tell),
            concerns=concerns,
        )
        return alarms_of(trouble, context.clock.now())

    def _clocks(self) -> Iterator[Concern]:
        """Yield the clocks that differ from ours; the ledger has since when, so a restart repeats nothing."""
        context = self._context
        if self._apart is None:
            self._apart = clocks_apart(context.ledger)
        apart = {side: seconds for side in SERVICES if (seconds := context.clock_apart(side)) is not None}
        over = [
            side for side in self._apart if side not in apart and context.transport.skew(side) is not None
        ]
        fresh = [side for side in apart if side not in self._apart]
        if over or fresh:
            kept = {side: since for side, since in self._apart.items() if side not in over}
            self._apart = kept | {
                side: context.transport.now_of(side) or context.clock.now() for side in fresh
            }
            store_clocks_apart(context.ledger, self._apart)
            for side in over:
                logger.info("{}'s clock and this machine's agree again", NAMES[side])
        for side, seconds in apart.items():
            yield Concern(name=f"clock/{side}", since=self._apart[side], text=clock_words(side, seconds))

    def _mails_of(self, alarm: Alarm) -> tuple[SendMail, ...]:
        mailer = self._context.mailer
        # a mail about a mail server that is down would not arrive
        if mailer is None or mailer.operator is None or alarm.service == MAIL:
            return ()
        mail = mail_to(
            mailer.operator,
            content=alarm.mail,
            about=OPERATOR,
            moment=f"{self._context.ledger.instance}/{alarm.key}",
            reason=f"the operator has to know: {alarm.mail.topic}",
            why="SYNCD_OPERATOR_EMAIL names you",
            asked_at=alarm.mail.since,
        )
        return (mail,)


def _missing_services(context: EngineContext, view: OneView) -> Iterator[Concern]:
    for name, since, words in missing(context.loaded, service_bindings(view)):
        yield Concern(name=f"service/{name}", since=since, text=words)


def _unseen(view: OneView) -> Iterator[Concern]:
    """Yield the postmortems and action items that syncd could not see at a deadline."""
    for key, number, since, deleted_by, moved_by in unseen_issues(view):
        lost = out_of_sight(f"{key} of #{number}", deleted_by, moved_by)
        text = (
            f"{lost} Its deadline has passed, so it counts as {NOT_VISIBLE}. Give syncd's account access to"
            f" it, and its changelog decides. See: syncd show {number}"
        )
        yield Concern(name=f"unseen/{key}", since=since, text=text)


def _differing(view: OneView) -> Iterator[Concern]:
    """Yield for each team and week what the nightly verification found."""
    weeks: dict[tuple[str, str], list[Difference]] = {}
    for difference in verification(view).differences:
        weeks.setdefault((difference.team, difference.week), []).append(difference)
    for (team, week), differences in weeks.items():
        named = "; ".join(f"{difference.name} {difference.words}" for difference in differences[:SHOWN])
        more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        text = (
            f"The second judge, which reads both services anew, differs from the figures of {week} for {team}"
            f" in {counted(len(differences), 'row')}: {named}{more}. syncd changed nothing. See: syncd report"
            f' --verify {week} --team "{team}"'
        )
        # whatever differs in addition is told, too
        since = max(difference.since for difference in differences)
        yield Concern(name=f"verify/{team}/{week}", since=since, text=text)


def _stopped(refusal: Refusal) -> StoppedTeams:
    why = f"{refusal.what}: {refusal.why}"
    if refusal.remedy:
        why = f"{why.rstrip('.')}. {refusal.remedy}"
    return StoppedTeams(subject=refusal.subject, teams=refusal.teams, since=refusal.since, why=why)


def _same(mail: OperatorMail, other: OperatorMail) -> bool:
    return (mail.topic, mail.service, mail.alarm, mail.since) == (
        other.topic,
        other.service,
        other.alarm,
        other.since,
    )
