"""Verify the figures every night: those of the last finished week and those of the week that is running.

A difference counts if two looks show it, some time apart: a person may have acted after syncd's last read and
before the first look. Then the operator hears of it (`syncd.engine.notify.operator`), and the next weekly
report lists it. The ledger stores what the last looks showed, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import datetime, timedelta

from loguru import logger

from syncd.domain.clock import is_due
from syncd.domain.text import counts_words
from syncd.engine.context import EngineContext
from syncd.engine.jobs.verify_facts import Reader
from syncd.engine.jobs.verify_report import verify
from syncd.ledger.store.verifications import (
    Difference,
    Verification,
    store_verification,
    verification,
)
from syncd.ledger.store.weekly_reports import ReportRun, report_run
from syncd.report.weekly.report import make, run_of, zone_of
from syncd.report.weekly.week import Week
from syncd.verify.compare import Line, Outcome, counts_of

EVERY = timedelta(days=1)
SECOND_LOOK = timedelta(minutes=10)
"""The time after which syncd looks at a difference again; its polls have read every change by then."""


class NightlyVerify:
    """Looks at the figures of all teams; it keeps what it has read until a look is complete."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._reader: Reader | None = None

    def run_if_due(self) -> None:
        """Look at all figures once a day, and at what differed once more; raise `RemoteError`."""
        context, now = self._context, self._context.clock.now()
        # while the clocks differ, deadlines cannot be judged
        if context.clock_skew():
            return
        before = verification(context.ledger)
        # a new ledger's first night is a day after its birth: its first load asks nothing beside
        if is_due(before.whole_at or context.ledger.born, EVERY, now):
            self._look(before, now, None)
        elif before.doubtful and is_due(before.at, SECOND_LOOK, now):
            self._look(before, now, {difference.incident for difference in before.doubtful})

    def _look(self, before: Verification, now: datetime, only: Set[str] | None) -> None:
        context = self._context
        # a look that a service cut short goes on with what it has read
        reader = self._reader or Reader(context.ledger, context.services, context.mappings)
        self._reader = reader
        seen = list(self._differences(reader, now, only))
        if context.stop.is_set():
            return
        self._reader = None
        known = {difference.place: difference for difference in (*before.differences, *before.doubtful)}
        told = {difference.place for difference in before.differences}
        confirmed = [known[difference.place] for difference in seen if difference.place in known]
        fresh = [difference for difference in confirmed if difference.place not in told]
        # a look at some incidents alone says nothing of the others
        kept = [] if only is None else [each for each in before.differences if each.incident not in only]
        result = Verification(
            whole_at=now if only is None else before.whole_at,
            at=now,
            doubtful=tuple(difference for difference in seen if difference.place not in known),
            differences=(*kept, *confirmed),
        )
        store_verification(context.ledger, result, fresh, now)

    def _differences(self, reader: Reader, now: datetime, only: Set[str] | None) -> Iterator[Difference]:
        context = self._context
        for run in self._runs(now):
            bounds = (run.begins, run.ends)
            lines = verify(
                context.ledger,
                reader,
                run.rows,
                bounds,
                run.team,
                run.made_at,
                only=only,
                stopped=context.stop.is_set,
            )
            if only is None:
                _log(run, lines)
            for line in lines:
                if line.outcome is Outcome.DIFFERENT and line.incident is not None:
                    yield _difference(run, line, line.incident, now)

    def _runs(self, now: datetime) -> Iterator[ReportRun]:
        """Yield the figures of each team's last finished week, as they were sent, and of its running one."""
        context = self._context
        for mapping in context.loaded:
            week = Week.of(now, zone_of(context.loaded, mapping.team))
            for each in (week.back(1), week):
                sent = report_run(context.ledger, mapping.team, each.name)
                yield sent or run_of(make(context.ledger, each, mapping.team, context.loaded, now), now)


def _log(run: ReportRun, lines: list[Line]) -> None:
    numbers = counts_words(counts_of(lines))
    logger.info("verified the figures of {} for {}: {} duties, {}", run.week, run.team, len(lines), numbers)


def _difference(run: ReportRun, line: Line, incident: str, now: datetime) -> Difference:
    return Difference(
        week=run.week,
        team=run.team or "",
        incident=incident,
        name=line.name,
        duty=line.duty,
        clock=line.clock,
        on_record=line.on_record,
        derived=line.derived,
        since=now,
    )
