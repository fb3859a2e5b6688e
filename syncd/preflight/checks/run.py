"""Run all checks of both services in order; a service that does not answer gets no further question."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial

from syncd.domain.base import SERVICE_NAMES
from syncd.engine.context import MOST_SKEW_SECONDS
from syncd.preflight.checks import (
    fields,
    jira,
    other_tools,
    pagerduty,
    people,
    postmortems,
    rights,
    roles,
    workflow,
)
from syncd.preflight.checks.finding import Finding, Level, guarded, ok, unknown, wrong
from syncd.preflight.checks.sight import Sight, place

_Check = tuple[str, str, Callable[[], Iterator[Finding]]]


def check_all(sight: Sight) -> Iterator[Finding]:
    """Ask both services about everything that the mappings name. Nothing is written anywhere."""
    pagerduty_answers = yield from _first("PD01", "PagerDuty", partial(pagerduty.account, sight))
    jira_answers = yield from _first("J01", "Jira", partial(jira.account, sight))
    if pagerduty_answers:
        yield from _each(_of_pagerduty(sight))
    if jira_answers:
        yield from _each([("J18", "SYNCD_FORMER_ACCOUNTS", partial(jira.former_accounts, sight))])
        for mapping in sight.mappings:
            where = place(mapping)
            fits = yield from _first("J02", where, partial(jira.project, sight, mapping))
            # without the project and its statuses, the checks below would only repeat that finding
            rest: tuple[tuple[str, Callable[..., Iterator[Finding]]], ...] = (
                ("J03", rights.permissions),
                ("J04", people.named),
                ("J16", people.robots),
            )
            if fits:
                rest += (
                    ("J07", fields.create_screen),
                    ("J13", fields.values),
                    ("J17", jira.labels),
                    ("J18", jira.tickets_by_others),
                    ("J12", jira.links),
                    ("J11", jira.levels),
                    ("J15", postmortems.postmortems),
                    ("J08", workflow.workflow),
                )
            yield from _each([(code, where, partial(ask, sight, mapping)) for code, ask in rest])
    # these compare the two services with each other
    if pagerduty_answers and jira_answers:
        yield from _each([("PD08", other_tools.WHERE, partial(other_tools.own_app, sight))])
        for mapping in sight.mappings:
            yield from _each([("J14", place(mapping), partial(people.on_call, sight, mapping))])
    yield from clocks(sight)


def _of_pagerduty(sight: Sight) -> list[_Check]:
    return [
        ("PD04", "SYNCD_PAGERDUTY_FROM", partial(pagerduty.sender, sight)),
        ("PD02", "PagerDuty", partial(pagerduty.services, sight)),
        ("PD03", "PagerDuty", partial(pagerduty.priorities, sight)),
        ("PD06", "PagerDuty", partial(pagerduty.on_call, sight)),
        ("PD07", "PagerDuty", partial(pagerduty.aliases, sight)),
        ("PD09", "PagerDuty", partial(roles.role_schedules, sight)),
        ("PD10", "SYNCD_ALARM_ROUTING_KEY", partial(pagerduty.alarms, sight)),
    ]


def _each(checks: list[_Check]) -> Iterator[Finding]:
    for code, where, ask in checks:
        yield from guarded(code, where, ask)


def _first(code: str, where: str, ask: Callable[[], Iterator[Finding]]) -> Generator[Finding, None, bool]:
    """Run a check that others need; return True if it is fine."""
    findings = list(guarded(code, where, ask))
    yield from findings
    return all(finding.level is Level.OK for finding in findings if finding.code == code)


def clocks(sight: Sight) -> Iterator[Finding]:
    """Compare each service's clock (the `Date` of its last answer) with ours."""
    for service, name in SERVICE_NAMES.items():
        skew = sight.skew(service)
        if skew is None:
            yield unknown("C06", name, "sent no time", "try again when the service answers")
        elif abs(skew) > MOST_SKEW_SECONDS:
            way = "ahead of" if skew > 0 else "behind"
            message = f"its clock is {abs(skew):.0f} s {way} ours, so a deadline must pass by both clocks"
            yield wrong("C06", name, message, "set this machine's clock by NTP")
        else:
            yield ok("C06", name, f"its clock and ours are {abs(skew):.0f} s apart")
