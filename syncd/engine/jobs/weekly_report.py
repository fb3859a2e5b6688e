"""Decide when the weekly report leaves and for whom, and create it.

syncd derives from ledger and mapping which report is due: for each team and over all, the latest week whose
day and hour have come. It creates a week's report once and freezes the figures with their rows in one
transaction with the mails. If the daemon missed several weeks, only the last goes out and names the older
ones. syncd first reads both services and judges what is due, so that the figures are complete; it waits an
hour for a service that is down, then sends the report with a note about that.

A report that an operator requests (`syncd report --send`) leaves now, and the answer tells the result of each
mail. It leaves in mode `report` too, but not in mode `off`. syncd does not send a sent mail again; it sends a
dropped one again, because the operator wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from loguru import logger

from syncd.domain.mail import of_team
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.operation import Operation, OperationState, SendMail
from syncd.domain.operation.mail import WeeklyReportMail
from syncd.engine.act.done_words import AS_A_FILE
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.notify.compose import mail_to
from syncd.engine.observe.issues import read_log
from syncd.ledger.records import OperationRecord, RequestRecord
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store import weekly_reports
from syncd.ledger.store.change_queue import team_of_incident
from syncd.ledger.store.mails import of_keys
from syncd.ledger.store.weekly_reports import Outgoing, last_sent
from syncd.ledger.views import report_state
from syncd.ledger.views.daemon_state import due_incidents
from syncd.policy.notify.operator_alarms import NAMES
from syncd.policy.time.time_words import at_words
from syncd.remote.errors import RemoteError
from syncd.remote.http.lanes import slow_lane
from syncd.report.weekly.report import Weekly, frozen, leading, make, names_shown, run_of, zone_of
from syncd.report.weekly.week import Week, latest_due

PATIENCE = 3600.0
"""Seconds on the boot-time clock for which a report waits for services and logs."""
LOGS_AT_ONCE = 50
"""The most logs that one look reads, so that other work is not delayed."""


@dataclass(frozen=True)
class Edition:
    """A report that leaves regularly: a team's, or over all (`team` None).

    `since` is `enforce_from`: a week that ended before has no report.
    """

    team: str | None
    mode: Mode
    to: tuple[str, ...]
    day: str
    at: time
    zone: str
    names: bool
    since: datetime
    version: str

    @property
    def about(self) -> str:
        """The id under which the outbox holds its mails."""
        return of_team(self.team or "")

    @property
    def named(self) -> str:
        """The team of the report, in words."""
        return self.team or "all teams"

    @property
    def why(self) -> str:
        """The reason why a recipient gets it."""
        key = "report.to" if self.team else "report.over_all"
        return f"the mapping names you in {key}"

    def leaves_at(self, week: Week) -> datetime:
        """Return when the report of a week leaves (UTC)."""
        return week.leaves_at(self.day, self.at, self.zone)


def editions(mappings: Sequence[Mapping]) -> list[Edition]:
    """Return the reports of all teams, and the report over all teams."""
    of_teams = [_edition(mappings, mapping, mapping.team, mapping.report.to) for mapping in mappings]
    first = leading(mappings)
    if first is None:
        return of_teams
    mailing = [mapping for mapping in mappings if mapping.report.mode is first.report.mode]
    everybody = {name.casefold(): name for mapping in mailing for name in mapping.report.over_all}
    return [*of_teams, _edition(mappings, first, None, tuple(everybody.values()))]


def _edition(mappings: Sequence[Mapping], leader: Mapping, team: str | None, to: tuple[str, ...]) -> Edition:
    within = [mapping for mapping in mappings if team is None or mapping.team == team]
    return Edition(
        team=team,
        mode=leader.report.mode,
        to=to,
        day=leader.report.day,
        at=leader.report.at,
        zone=zone_of(mappings, team),
        names=names_shown(mappings, team),
        since=min(mapping.enforced_since for mapping in within),
        version=leader.version,
    )


class WeeklyReports:
    """Creates the reports that are due; `good` returns the last good reads of this run."""

    def __init__(
        self, context: EngineContext, good: Callable[[], dict[str, datetime]], idle: Callable[[], bool]
    ) -> None:
        self._context = context
        self._good = good
        self._idle = idle
        self._decided: dict[str, str] = {}
        self._waiting: dict[str, float] = {}
        self._unreadable: set[str] = set()

    def due(self) -> list[str]:
        """Create the reports that are due; return the ids under which the outbox holds their mails."""
        return [edition.about for edition in editions(self._context.loaded) if self._decide(edition)]

    def _decide(self, edition: Edition) -> bool:
        """Decide on an edition's latest week, once; return True if it has mails."""
        context, name = self._context, edition.team or ""
        # by the slowest clock, because a deadline of the week must have passed by all of them
        now = context.clock_skew().earliest(context.clock.now())
        week = latest_due(now, edition.day, edition.at, edition.zone)
        if self._decided.get(name) == week.name:
            return False
        decided = weekly_reports.decided(context.ledger, name)
        if decided.week >= week.name:
            self._decided[name] = week.name
            return False
        if not _leaves(edition, week, decided.born):
            weekly_reports.pass_over(context.ledger, name, week.name)
            self._decided[name] = week.name
            return False
        notes = self._prepare(edition, week)
        if notes is None:
            return False
        self._make(edition, week, notes, base=decided.base or week.back(1).name)
        self._decided[name] = week.name
        self._waiting.pop(name, None)
        return True

    def _prepare(self, edition: Edition, week: Week) -> list[str] | None:
        """Read the sources of the figures first; return the report's notes about gaps, None to wait."""
        context = self._context
        now = context.clock.boottime()
        patient = now - self._waiting.setdefault(edition.team or "", now) < PATIENCE
        missing = sorted(set(SERVICES) - self._good().keys())
        behind = bool(due_incidents(context.ledger, context.clock.now(), 1))
        # figures of a time that syncd has not caught up with would be wrong
        if patient and (missing or behind or not self._idle()):
            return None
        # the report itself tells of the logs that stay unread
        if self.read_logs(edition, week) and patient:
            return None
        return [f"{NAMES[side]} could not be read when this report was made" for side in missing]

    def read_logs(self, edition: Edition, week: Week) -> int:
        """Read logs that may show a first acknowledgement; return how many are left unread."""
        context = self._context
        since, until = week.bounds(edition.zone)
        unread = report_state.log_unread(context.ledger, since, until, edition.team)
        for ident in [ident for ident in unread if ident not in self._unreadable][:LOGS_AT_ONCE]:
            if context.stop.is_set():
                break
            try:
                with slow_lane():
                    read_log(context, ident, team_of_incident(context.ledger, ident))
            except RemoteError as error:
                context.health.failed(error.service, error)
                # the service is down: the other logs would fail too
                if not error.of_one_object:
                    break
                self._unreadable.add(ident)
        left = report_state.log_unread(context.ledger, since, until, edition.team)
        return len([ident for ident in left if ident not in self._unreadable])

    def _make(self, edition: Edition, week: Week, notes: list[str], base: str) -> None:
        context = self._context
        base = max(base, last_sent(context.ledger, edition.team) or "")
        passed = _between(base, week)
        report = self.report(edition, week, not_sent=passed, notes=notes)
        now = context.clock.now()
        outgoing = Outgoing(
            run=run_of(report, now),
            about=edition.about,
            mails=_mails(edition, week, edition.leaves_at(week)),
            version=edition.version,
        )
        weekly_reports.store_report(context.ledger, outgoing, base, passed, now)
        logger.info("created the report of {} for {}", week.name, edition.named)

    def report(
        self,
        edition: Edition,
        week: Week,
        *,
        not_sent: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> Weekly:
        """Return a week's report: as it was sent, or created now."""
        context = self._context
        return frozen(context.ledger, week, edition.team, edition.zone) or make(
            context.ledger,
            week,
            edition.team,
            context.loaded,
            context.clock.now(),
            expires=context.expires,
            not_sent=not_sent,
            notes=notes,
        )

    def send(self, edition: Edition, week: Week, report: Weekly, now: datetime, mark: str) -> list[str]:
        """Store a requested report and put its mails into the outbox; return their keys.

        `mark` tells a mail that is requested again from the dropped one.
        """
        mails, again = _mails(edition, week, now), _mails(edition, week, now, mark)
        outgoing = Outgoing(run_of(report, now), edition.about, mails, edition.version)
        return weekly_reports.store_asked_report(self._context.ledger, outgoing, again, now)


def _mails(edition: Edition, week: Week, moment: datetime, mark: str = "") -> tuple[Operation, ...]:
    """Return a report's mails, one for each recipient; `moment` is when the rule or a person asked (UTC)."""
    return tuple(
        mail_to(
            address,
            content=WeeklyReportMail(team=edition.team, week=week.name, names=edition.names),
            about=edition.about,
            moment=f"{week.name}~{mark}" if mark else week.name,
            reason=f"the report of {week.name} for {edition.named}",
            why=edition.why,
            asked_at=moment,
        )
        for address in edition.to
    )


def _leaves(edition: Edition, week: Week, born: datetime) -> bool:
    """Return True if the mapping mails the report and the ledger knows something of the week."""
    ends = week.bounds(edition.zone)[1]
    return edition.mode is Mode.ENFORCE and bool(edition.to) and ends > max(edition.since, born)


def _between(base: str, week: Week) -> tuple[str, ...]:
    """Return the names of the weeks after `base` and before `week`, oldest first."""
    names: list[str] = []
    earlier = week.back(1)
    while earlier.name > base:
        names.insert(0, earlier.name)
        earlier = earlier.back(1)
    return tuple(names)


def outcome(row: OperationRecord, *, nobody: bool = False) -> tuple[str, bool]:
    """Return the result of one recipient's mail in words, and True if it was sent.

    `nobody`: mails become files that nobody receives.
    """
    to = row.typed(SendMail).to
    if row.state == OperationState.DONE and nobody:
        return f"{to} receives nothing: {AS_A_FILE}", True
    if row.state == OperationState.DONE:
        return f"sent to {to}", True
    if row.state == OperationState.PARKED:
        return f"not sent to {to}: {row.error}", False
    if row.state == OperationState.DROPPED:
        return (
            f"not sent to {to}: a later report left, or this one is older than the ledger; see: syncd outbox",
            False,
        )
    if row.state == OperationState.UNKNOWN:
        return f"perhaps sent to {to}: the mail server's answer was lost", False
    return f"waits for {to}" + (f": {row.error}" if row.error else "") + "; see syncd status", False


def outcomes(rows: Iterable[OperationRecord], *, nobody: bool = False) -> Result:
    """Return the results of the mails as the answer to a request; `nobody` as for `outcome`."""
    results = [outcome(row, nobody=nobody) for row in rows]
    return {
        "lines": [words for words, _ in results],
        "failed": not all(sent for _, sent in results),
        "incidents": [],
    }


def send_report(
    context: EngineContext,
    weekly: WeeklyReports,
    request: RequestRecord,
    work_on: Callable[[Sequence[str]], None],
) -> Result:
    """Freeze and send the requested report; `work_on` waits until syncd tried its mails."""
    team, now = request.arguments.get("team"), context.clock.now()
    edition = next((edition for edition in editions(context.loaded) if edition.team == team), None)
    if edition is None:
        return _refused(f"no mapping has the team {team}")
    named = request.arguments.get("week")
    week = Week.named(str(named)) if named else Week.of(now, edition.zone).back(1)
    born = weekly_reports.decided(context.ledger, team or "").born
    why_not = _why_not(edition, week, now, born)
    if why_not is not None:
        return _refused(why_not)
    weekly.read_logs(edition, week)
    report = weekly.report(edition, week)
    keys = weekly.send(edition, week, report, now, str(request.id))
    work_on([edition.about])
    return outcomes(of_keys(context.ledger, keys), nobody=context.mailer is None or context.mailer.nobody)


def _why_not(edition: Edition, week: Week, now: datetime, born: datetime) -> str | None:
    if edition.mode is Mode.OFF:
        return "report.mode is off"
    if not edition.to:
        key = "report.to" if edition.team else "report.over_all"
        return f"{key} names nobody"
    ends = week.bounds(edition.zone)[1]
    if ends > now:
        return f"{week.name} is not over; leave out --send to read its figures so far"
    # its figures would say that all was well
    if ends <= born:
        return f"syncd knows nothing of {week.name}: its ledger begins {at_words(born, edition.zone)}"
    if ends <= edition.since:
        return f"{week.name} was over before the rules began ({at_words(edition.since, edition.zone)})"
    return None


def _refused(why: str) -> Result:
    return {"lines": [f"not sent: {why}"], "failed": True, "incidents": []}
