"""Make a weekly report from the ledger: the week's facts, the weeks before, and what was restated.

A report that was sent keeps its figures and rows. What changed since then stands in the next report as
"last week restated".
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from syncd.domain.base import SERVICE_NAMES, texts_by_name, texts_in
from syncd.domain.mapping.mapping import Mapping, mapping_of
from syncd.domain.mapping.value_types import Mode
from syncd.ledger.database.connection import OneView, Transactions, one_view
from syncd.ledger.store.key_values import clocks_apart
from syncd.ledger.store.verifications import DIFFERS
from syncd.ledger.store.weekly_reports import ReportRun, report_run
from syncd.ledger.views import report_decisions, report_facts, report_state
from syncd.ledger.views.report_facts import DutyFact
from syncd.ledger.views.show import history
from syncd.policy.notify.operator_alarms import EXPIRY_STEPS, NAMES
from syncd.report.weekly.counting import (
    MET,
    OF_ALL,
    WEEKS_BEFORE,
    Row,
    Sight,
    met_of,
    plain_row,
    unjudged_of,
    verdict,
)
from syncd.report.weekly.decisions import Decisions, decision_figure, taken_back_row
from syncd.report.weekly.facts import Facts, Trend, rows_of
from syncd.report.weekly.figures import EVENTS, figures
from syncd.report.weekly.long_open import lasting
from syncd.report.weekly.week import Week

NOT_ON_RECORD = "not on record"


@dataclass(frozen=True)
class Weekly:
    """A finished report: its team (None: all teams), its week, its figures and the rows behind them."""

    team: str | None
    week: Week
    zone: str
    figures: dict[str, Any]
    rows: list[Row]


def zone_of(mappings: Sequence[Mapping], team: str | None) -> str:
    """Return the time zone of a team's report; for all teams (None), that of the `leading` mapping."""
    mapping = leading(mappings) if team is None else mapping_of(mappings, team)
    return (mapping.report.zone or mapping.zone) if mapping else "UTC"


def names_shown(mappings: Sequence[Mapping], team: str | None) -> bool:
    """Return True if a report names people: a team's own does, one over all only if every mapping allows."""
    return team is not None or all(mapping.report.names for mapping in mappings)


def leading(mappings: Sequence[Mapping]) -> Mapping | None:
    """Return the mapping whose day, hour and zone the report over all teams uses.

    It is the first mapping that has this report mailed, else the first mapping.
    """
    mailing = (
        mapping for mapping in mappings if mapping.report.mode is Mode.ENFORCE and mapping.report.over_all
    )
    return next(mailing, mappings[0] if mappings else None)


def make(
    ledger: Transactions,
    week: Week,
    team: str | None,
    mappings: Sequence[Mapping],
    now: datetime,
    *,
    expires: dict[str, date] | None = None,
    not_sent: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Weekly:
    """Return the report of a week and a team (None: all teams) as of `now`.

    `expires` are the days on which the services' credentials end, `not_sent` the weeks whose report never
    left, `notes` further lines for the report's end.
    """
    zone = zone_of(mappings, team)
    # one view, so that all figures come from the same moment while the daemon writes
    with one_view(ledger) as view:
        facts = replace(
            _gather(view, week, zone, team, now),
            lasting=tuple(lasting(view, mappings, team, now)),
            expiring=_soon(expires or {}, now),
            not_sent=tuple(not_sent),
        )
        before = _before(view, week, zone, team, now)
        restated = _restated(view, week.back(1), zone, team, now)
    facts = replace(facts, notes=[*facts.notes, *notes])
    rows = rows_of(facts)
    teams = [mapping for mapping in mappings if team is None or mapping.team == team]
    totals = figures(facts, rows, teams, before)
    totals["team"] = team
    totals["restated"] = restated
    return Weekly(team, week, zone, totals, rows)


def _soon(expires: dict[str, date], now: datetime) -> dict[str, str]:
    """Return the credentials that end within the time in which syncd also tells the operator."""
    return {
        f"The credential for {NAMES.get(service, service)}": day.isoformat()
        for service, day in sorted(expires.items())
        if (day - now.date()).days <= EXPIRY_STEPS[0]
    }


def _gather(view: OneView, week: Week, zone: str, team: str | None, now: datetime) -> Facts:
    since, until = week.bounds(zone)
    services = report_state.services(view)
    past, sent = history(view), report_run(view, team, week.back(1).name)
    return Facts(
        week=week,
        zone=zone,
        now=now,
        incidents=report_facts.incidents(view, since, until, team),
        duties=report_facts.duties(view, since, until, team),
        running=report_facts.running_duties(view, team),
        moved=report_facts.waived_duties(view, since, until, team),
        decisions=Decisions(
            waivers=report_decisions.waivers(view, since, until, team),
            taken_back=report_decisions.taken_back(view, since, until, team),
            overrides=report_decisions.overrides(view, since, until, team),
        ),
        items=report_facts.items(view, since, until, team),
        events=report_facts.events(view, since, until, team, EVENTS),
        differences=report_facts.events(view, sent.made_at if sent else since, now, team, (DIFFERS,)),
        parked=report_state.parked(view, team),
        unmapped=texts_by_name(services.get("unmapped")),
        notes=[*texts_in(services.get("notes")), *texts_in(services.get("down"))],
        ledger_since=datetime.fromisoformat(past["born"]) if past["born"] else None,
        restored_at=datetime.fromisoformat(past["restored"]) if past["restored"] else None,
        rebuilt=past["rebuilt"],
        not_asked=report_facts.not_asked(view),
        sight=Sight(
            skewed=bool(clocks_apart(view)),
            read_until={
                SERVICE_NAMES[service]: at
                for service, at in report_state.last_reads(view, SERVICE_NAMES).items()
            },
        ),
    )


def _before(view: OneView, week: Week, zone: str, team: str | None, now: datetime) -> list[Trend]:
    """Return the twelve weeks before, the latest first, without weeks in which nothing is on record."""
    weeks = [week.back(count) for count in range(1, WEEKS_BEFORE + 1)]
    since, until = weeks[-1].bounds(zone)[0], weeks[0].bounds(zone)[1]
    begins = [week_before.bounds(zone)[0] for week_before in weeks]
    verdicts: list[list[str]] = [[] for _ in weeks]
    for duty in report_facts.duty_marks(view, since, until, team):
        # the weeks stand latest first, so a deadline belongs to the first that had begun by then
        verdicts[next(at for at, begun in enumerate(begins) if begun <= duty.due_at)].append(
            verdict(duty, now)
        )
    trends = []
    for week_before, verdicts_of_week in zip(weeks, verdicts, strict=True):
        incidents = report_state.created(view, *week_before.bounds(zone), team)
        if verdicts_of_week or incidents:
            of = sum(verdicts_of_week.count(word) for word in OF_ALL)
            trends.append(Trend(week_before.name, verdicts_of_week.count(MET), of, incidents))
    return trends


def _restated(view: OneView, week: Week, zone: str, team: str | None, now: datetime) -> dict[str, Any] | None:
    """Return last week's numbers as they are now; None if they equal those that were sent."""
    sent = report_run(view, team, week.name)
    if sent is None:
        return None
    since, until = week.bounds(zone)
    rows = {
        _place(row.get("incident"), row["duty"], row.get("key"), row.get("clock")): row
        for row in sent.rows
        if row["table"] == "duty"
    }
    facts = {_place_of(duty, rows): duty for duty in report_facts.duties(view, since, until, team)}
    now_by_duty = {place: verdict(duty, now) for place, duty in facts.items()}
    then_by_duty = {place: str(row["verdict"]) for place, row in rows.items()}
    met, of, unjudged = _numbers(now_by_duty)
    then_unjudged = len(sent.figures["not_judged"])
    # a verdict that changes without changing the number needs no correction of the report
    if (met, of, unjudged) == (sent.figures["met"], sent.figures["of"], then_unjudged):
        return None
    taken_back = report_decisions.taken_back(view, since, now, team)
    whys = {_place(back.about.incident, back.duty, back.about.key, back.clock): back for back in taken_back}
    return {
        "week": week.name,
        "met": met,
        "of": of,
        "then_met": sent.figures["met"],
        "then_of": sent.figures["of"],
        "not_judged": unjudged,
        "then_not_judged": then_unjudged,
        "because": [
            {
                "duty": place[1],
                "key": None if place in facts and facts[place].restricted else place[2] or None,
                "number": facts[place].number if place in facts else rows[place].get("number"),
                "was": then_by_duty.get(place, NOT_ON_RECORD),
                "is": now_by_duty.get(place, NOT_ON_RECORD),
                "why": decision_figure(taken_back_row(whys[place], week.name)) if place in whys else None,
            }
            for place in sorted({*now_by_duty, *then_by_duty}, key=str)
            if now_by_duty.get(place) != then_by_duty.get(place)
        ],
    }


def _place_of(duty: DutyFact, sent: Container[tuple[str, str, str, str]]) -> tuple[str, str, str, str]:
    """Return the place of a duty among the rows that were sent; those of restricted duties have no name."""
    place = _place(duty.incident, duty.kind, duty.key, duty.clock)
    return _place(None, duty.kind, None, None) if duty.restricted and place not in sent else place


def _place(incident: object, kind: str, key: object, clock: object) -> tuple[str, str, str, str]:
    return (str(incident or ""), kind, str(key or ""), str(clock or ""))


def _numbers(verdicts: dict[tuple[str, str, str, str], str]) -> tuple[int, int, int]:
    """Return how many duties were met in time, how many count, and how many of these are not judged."""
    rows: list[Row] = [{"table": "duty", "verdict": word} for word in verdicts.values()]
    return (*met_of(rows), len(unjudged_of(rows)))


def run_of(report: Weekly, now: datetime) -> ReportRun:
    """Return a report as the ledger keeps it."""
    begins, ends = report.week.bounds(report.zone)
    return ReportRun(
        team=report.team,
        week=report.week.name,
        begins=begins,
        ends=ends,
        made_at=now,
        figures=report.figures,
        rows=[plain_row(row) for row in report.rows],
    )


def frozen(ledger: Transactions, week: Week, team: str | None, zone: str) -> Weekly | None:
    """Return a report as it was sent; None if none was sent."""
    run = report_run(ledger, team, week.name)
    return None if run is None else Weekly(team, week, zone, run.figures, run.rows)
