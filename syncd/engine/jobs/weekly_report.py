"""When the weekly report leaves, for whom, and what it takes before it is made.

What is due is derived from the ledger and the mapping each time: the latest week whose day and hour have
come, for each team and over all. A week is made once, its figures frozen with their rows in one transaction
with the mails; of what was missed while the daemon was away only the last week goes out, and older ones are
named in it. Nothing is made before both services were read and what is due was judged, or it would tell of a
time that nobody has caught up with; an hour's trouble is waited for, then it goes out and says so.

A report that a person asks for (`syncd report --send`) leaves now, and its answer says what became of it. It
leaves in mode `report` too, but not where the mapping says `off`. What was sent is not sent again; what was
dropped is, because somebody wants it.
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
from syncd.engine.context import SERVICES, EngineContext
from syncd.engine.notify.compose import mail_to
from syncd.engine.observe.issues import read_log
from syncd.ledger.records import OperationRecord, RequestRecord
from syncd.ledger.requests.waivers import Result
from syncd.ledger.store import weekly_reports
from syncd.ledger.store.change_queue import team_of_incident
from syncd.ledger.store.mails import of_keys
from syncd.ledger.store.weekly_reports import Outgoing, last_sent
from syncd.ledger.views import report_facts
from syncd.ledger.views.daemon_state import due_incidents
from syncd.policy.notify.operator_alarms import NAMES
from syncd.remote.errors import RemoteError
from syncd.remote.http.budget import slow_lane
from syncd.report.weekly.report import Weekly, frozen, leading, make, run_of, zone_of
from syncd.report.weekly.week import Week, latest_due

PATIENCE = 3600.0
"""Seconds of the boot-time clock for which a report waits for services and logs."""
LOGS_AT_ONCE = 50
"""Logs that are read in one go, before the daemon looks whether it is to stop."""


@dataclass(frozen=True)
class Edition:
    """A report that leaves regularly: a team's, or over all (`team` None).

    `since` is the moment from which on the rules hold, so that a week that ended before has no report.
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
        """Under which id its mails stand in the outbox."""
        return of_team(self.team or "")

    @property
    def named(self) -> str:
        """Whose report it is, in words."""
        return self.team or "all teams"

    @property
    def why(self) -> str:
        """Why somebody gets it."""
        key = "report.to" if self.team else "report.over_all"
        return f"the mapping names you in {key}"

    def leaves_at(self, week: Week) -> datetime:
        """When the report of a week leaves (UTC)."""
        return week.leaves_at(self.day, self.at, self.zone)


def editions(mappings: Sequence[Mapping]) -> list[Edition]:
    """The reports of all teams, and the one over all."""
    found = [_edition(mappings, one, one.team, one.report.to) for one in mappings]
    first = leading(mappings)
    if first is None:
        return found
    mailing = [one for one in mappings if one.report.mode is first.report.mode]
    everybody = {name.casefold(): name for one in mailing for name in one.report.over_all}
    return [*found, _edition(mappings, first, None, tuple(everybody.values()))]


def _edition(mappings: Sequence[Mapping], one: Mapping, team: str | None, to: tuple[str, ...]) -> Edition:
    within = [mapping for mapping in mappings if team is None or mapping.team == team]
    return Edition(
        team=team,
        mode=one.report.mode,
        to=to,
        day=one.report.day,
        at=one.report.at,
        zone=zone_of(mappings, team),
        names=team is not None or all(mapping.report.names for mapping in within),
        since=min(mapping.enforced_since for mapping in within),
        version=one.version,
    )


class WeeklyReports:
    """Looks which reports are due, and makes them; `good` gives the last good reads of this run."""

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
        """Make what is due; return under which ids mails stand in the outbox."""
        if self._context.skewed():
            return []
        return [one.about for one in editions(self._context.mappings) if self._one(one)]

    def _one(self, edition: Edition) -> bool:
        """Decide on an edition's latest week, once; whether it has mails."""
        context, name = self._context, edition.team or ""
        week = latest_due(context.clock.now(), edition.day, edition.at, edition.zone)
        if self._decided.get(name) == week.name:
            return False
        known = weekly_reports.decided(context.ledger, name)
        if known.week >= week.name:
            self._decided[name] = week.name
            return False
        if not _wanted(edition, week, known.born):
            weekly_reports.pass_over(context.ledger, name, week.name)
            self._decided[name] = week.name
            return False
        notes = self._prepare(edition, week)
        if notes is None:
            return False
        self._make(edition, week, notes, base=known.base or week.back(1).name)
        self._decided[name] = week.name
        self._waiting.pop(name, None)
        return True

    def _prepare(self, edition: Edition, week: Week) -> list[str] | None:
        """Have what the figures rest on read first; None: it is not yet, else what it has to say of that."""
        context = self._context
        now = context.clock.boottime()
        patient = now - self._waiting.setdefault(edition.team or "", now) < PATIENCE
        missing = sorted(set(SERVICES) - self._good().keys())
        behind = bool(due_incidents(context.ledger, context.clock.now(), 1))
        if patient and (missing or behind or not self._idle()):
            return None
        unread = self.read_logs(edition, week)
        if patient and unread:
            return None
        notes = [f"{NAMES[side]} could not be read when this report was made" for side in missing]
        if unread:
            notes.append(f"syncd could not read whether {unread} of the incidents were acknowledged")
        return notes

    def read_logs(self, edition: Edition, week: Week) -> int:
        """Read logs in which a first acknowledgement may stand; how many are left unread."""
        context = self._context
        since, until = week.bounds(edition.zone)
        wanted = report_facts.log_unread(context.ledger, since, until, edition.team)
        for ident in [one for one in wanted if one not in self._unreadable][:LOGS_AT_ONCE]:
            if context.stop.is_set():
                break
            try:
                with slow_lane():
                    read_log(context, ident, team_of_incident(context.ledger, ident))
            except RemoteError as error:
                context.health.failed(error.service, error)
                if not error.not_for_us:
                    break
                self._unreadable.add(ident)
        left = report_facts.log_unread(context.ledger, since, until, edition.team)
        return len([one for one in left if one not in self._unreadable])

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
        logger.info("the report of {} for {} is made", week.name, edition.named)

    def report(
        self,
        edition: Edition,
        week: Week,
        *,
        not_sent: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> Weekly:
        """A week's report: as it was sent, or made now."""
        context = self._context
        return frozen(context.ledger, week, edition.team, edition.zone) or make(
            context.ledger,
            week,
            edition.team,
            context.mappings,
            context.clock.now(),
            expires=context.expires,
            not_sent=not_sent,
            notes=notes,
        )

    def send(self, edition: Edition, week: Week, report: Weekly, now: datetime, mark: str) -> list[str]:
        """Keep a report that somebody asks for and put its mails into the outbox; return their keys.

        `mark` tells a mail that is asked for again from the one that was dropped.
        """
        mails, again = _mails(edition, week, now), _mails(edition, week, now, mark)
        outgoing = Outgoing(run_of(report, now), edition.about, mails, edition.version)
        return weekly_reports.store_asked_report(self._context.ledger, outgoing, again, now)


def _mails(edition: Edition, week: Week, moment: datetime, mark: str = "") -> tuple[Operation, ...]:
    """The mails of a report, one a recipient; `moment` is when the rule, or somebody, asked for them."""
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


def _wanted(edition: Edition, week: Week, born: datetime) -> bool:
    """Whether the report is to be mailed, and the week is one of which the ledger knows."""
    ends = week.bounds(edition.zone)[1]
    return edition.mode is Mode.ENFORCE and bool(edition.to) and ends > max(edition.since, born)


def _between(base: str, week: Week) -> tuple[str, ...]:
    """The weeks after `base` and before `week`, by name, oldest first."""
    found: list[str] = []
    one = week.back(1)
    while one.name > base:
        found.insert(0, one.name)
        one = one.back(1)
    return tuple(found)


def outcome(row: OperationRecord) -> tuple[str, bool]:
    """What became of one recipient's mail, in words, and whether that is well."""
    to = row.typed(SendMail).to
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
    return f"waits for {to}" + (f": {row.error}" if row.error else "") + "; see: syncd status", False


def outcomes(rows: Iterable[OperationRecord]) -> Result:
    """What became of the mails, as the answer to a request."""
    said = [outcome(row) for row in rows]
    return {"lines": [one for one, _ in said], "failed": not all(well for _, well in said), "incidents": []}


def send_report(
    context: EngineContext,
    weekly: WeeklyReports,
    request: RequestRecord,
    work_on: Callable[[Sequence[str]], None],
) -> Result:
    """Freeze and send the report that was asked for; `work_on` waits until its mails were tried."""
    team, now = request.arguments.get("team"), context.clock.now()
    edition = next((one for one in editions(context.mappings) if one.team == team), None)
    if edition is None:
        return _refused(f"no mapping is team {team}'s")
    named = request.arguments.get("week")
    week = Week.named(str(named)) if named else Week.of(now, edition.zone).back(1)
    why_not = _why_not(edition, week, week.bounds(edition.zone)[1] <= now)
    if why_not is not None:
        return _refused(why_not)
    unread = weekly.read_logs(edition, week)
    words = f"syncd could not read whether {unread} of the incidents were acknowledged"
    report = weekly.report(edition, week, notes=[words] if unread else [])
    keys = weekly.send(edition, week, report, now, str(request.id))
    work_on([edition.about])
    return outcomes(of_keys(context.ledger, keys))


def _why_not(edition: Edition, week: Week, over: bool) -> str | None:
    if edition.mode is Mode.OFF:
        return "report.mode is off"
    if not edition.to:
        key = "report.to" if edition.team else "report.over_all"
        return f"{key} names nobody"
    return None if over else f"{week.name} is not over; leave out --send to read its figures so far"


def _refused(said: str) -> Result:
    return {"lines": [f"not sent: {said}"], "failed": True, "incidents": []}
