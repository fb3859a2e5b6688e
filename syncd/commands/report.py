"""`syncd report`: print, write, mail or verify the weekly compliance report of one team or of all teams."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.shared.output import emit_json, write_private
from syncd.commands.shared.owner import become_owner
from syncd.commands.shared.setup import Setup, command_clock, ledger_for_reading
from syncd.domain.text import BYTE_ORDER_MARK, counted, counts_words

if TYPE_CHECKING:
    from datetime import datetime

    from syncd.config.load import OfflineConfiguration
    from syncd.report.weekly.report import Weekly
    from syncd.report.weekly.week import Week
    from syncd.verify.compare import Line

FORMATS = ("text", "html", "json", "csv")
ENDINGS = {"text": "txt", "html": "html", "json": "json", "csv": "csv"}


@click.command(help="Print, write or mail the weekly compliance report of one team or of all teams.")
@click.option("--week", metavar="WEEK", help="An ISO week, as 2026-W47. Default: the last full week.")
@click.option("--team", metavar="NAME", help="Report on this team. Default: all teams together.")
@click.option(
    "--format",
    "given_form",
    type=click.Choice(FORMATS),
    help="The format. Default: text; with --output, all four.",
)
@click.option("--json", "given_form", flag_value="json", help="The same as --format json.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write files into this folder instead of printing.",
)
@click.option(
    "--send",
    is_flag=True,
    help="Mail the report to the recipients in the mapping, and print the result. One team needs no --team.",
)
@click.option(
    "--verify",
    metavar="WEEK",
    help="Derive the duties of a week's report again, from both services, and print each difference.",
)
@click.pass_context
def command(
    ctx: click.Context,
    week: str | None,
    team: str | None,
    given_form: str | None,
    output: Path | None,
    send: bool,
    verify: str | None,
) -> None:
    """Print, write, mail or verify a report; a report that was mailed keeps its figures."""
    if verify and (send or given_form not in (None, "json") or output or week):
        raise click.UsageError("--verify WEEK goes with --team and --json alone")
    if send and (given_form or output):
        raise click.UsageError("--send mails the report in all formats: leave out --format and --output")
    from syncd.config.load import load_offline
    from syncd.ledger.database.room import room_for
    from syncd.report.weekly.formats import file_slug, written
    from syncd.report.weekly.report import names_shown

    become_owner()
    rules = load_offline(usable=True)
    for unusable in rules.unusable:
        for problem in unusable.problems:
            click.echo(problem, err=True)
    mappings = rules.mappings
    teams = [mapping.team for mapping in mappings]
    if team is not None and team not in teams:
        raise click.UsageError(f"no mapping is for team {team}; there are mappings for: {', '.join(teams)}")
    if verify:
        sys.exit(_verify(Setup.load(ctx, usable=True), _named(verify), team, as_json=given_form == "json"))
    if send:
        # of one team there is one report, unless the mapping names people for the report over all teams
        alone = len(teams) == 1 and not mappings[0].report.over_all
        of = teams[0] if alone else team
        sys.exit(
            _send(Setup.load(ctx, usable=True), {"week": _named(week).name if week else None, "team": of})
        )
    report, head = _report(rules, week, team)
    names = names_shown(mappings, team)
    formats = [given_form] if given_form else (list(FORMATS) if output else ["text"])
    for form in formats:
        text = written(report, form, rules.templates, names=names, head=head, browse=_browse(rules))
        if output is None:
            sys.stdout.write(text)
            continue
        file = output / f"syncd-{file_slug(team)}-{report.week.name}.{ENDINGS[form]}"
        # what is printed goes on to other programs, and a file to a spreadsheet
        content = f"{BYTE_ORDER_MARK if form == 'csv' else ''}{text}".encode()
        with room_for("the report", output, len(content)):
            write_private(file, content)
        click.echo(file)
    sys.exit(1 if rules.unusable else 0)


def _report(rules: OfflineConfiguration, named: str | None, team: str | None) -> tuple[Weekly, str]:
    from syncd.domain.mapping.bindings import bound
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.store.key_values import service_bindings
    from syncd.ledger.views import audit_trail
    from syncd.report.weekly.report import frozen, make, zone_of
    from syncd.report.weekly.week import Week

    now, mappings = command_clock().now(), rules.mappings
    zone = zone_of(mappings, team)
    week = _named(named) if named else Week.of(now, zone).back(1)
    # a week that has begun is allowed: the report says that its figures are not final
    if week.bounds(zone)[0] > now:
        raise click.UsageError(f"{week.name} has not begun yet")
    with ledger_for_reading() as db, one_view(db) as view:
        # the section of a renamed service is found by its id
        mappings = bound(mappings, service_bindings(db))
        expires = rules.settings.expires
        report = frozen(view, week, team, zone) or make(view, week, team, mappings, now, expires=expires)
        seq, digest = audit_trail.head(view)
    return report, f"{seq}:{digest}"


def _send(setup: Setup, arguments: dict[str, Any]) -> int:
    """Have the report mailed; return the exit code."""
    from syncd.commands.shared.ask_daemon import do_job
    from syncd.engine.once import once
    from syncd.ledger.requests.answers import REPORT

    result = do_job(setup, "syncd report --send", REPORT, arguments, once)
    for line in result["lines"]:
        click.echo(line, err=bool(result["failed"]))
    return 1 if result["failed"] else 0


def _verify(setup: Setup, week: Week, team: str | None, *, as_json: bool) -> int:
    """Print the comparison of a week's figures with figures derived anew; return 1 if a row differs."""
    from syncd.domain.mapping.bindings import bound
    from syncd.engine.jobs.verify_facts import Reader
    from syncd.engine.jobs.verify_report import verify
    from syncd.ledger.store.key_values import service_bindings
    from syncd.ledger.store.weekly_reports import report_run
    from syncd.report.weekly.report import make, run_of

    setup.start_log(quiet=True)
    services, _ = setup.services()
    now = command_clock().now()
    with ledger_for_reading() as db:
        mappings = bound(setup.configuration.mappings, service_bindings(db))
        sent = report_run(db, team, week.name)
        run = sent or run_of(make(db, week, team, mappings, now), now)
        lines = verify(
            db, Reader(db, services, mappings), run.rows, (run.begins, run.ends), team, run.made_at
        )
    return tell_lines(week.name, run.made_at, lines, sent=sent is not None, as_json=as_json)


def tell_lines(week: str, made_at: datetime, lines: list[Line], *, sent: bool, as_json: bool) -> int:
    """Print a comparison, `sent` with a report that was sent; return 1 if a row differs."""
    from syncd.verify.compare import Outcome, counts_of

    counts = counts_of(lines)
    if as_json:
        emit_json(
            {
                "week": week,
                "sent": sent,
                "made_at": made_at.isoformat(),
                "rows": [line.model_dump(mode="json") for line in lines],
                "counts": {outcome.name.lower(): count for outcome, count in counts.items()},
            }
        )
        return 1 if counts[Outcome.DIFFERENT] else 0
    for line in lines:
        click.echo(f"{line.outcome}: {line.words} ({'; '.join(line.sources)})")
    figures = "" if sent else " (no report was sent: the figures of now)"
    click.echo(f"{week}{figures}: {counted(len(lines), 'row')}, {counts_words(counts)}")
    return 1 if counts[Outcome.DIFFERENT] else 0


def _named(name: str) -> Week:
    from syncd.report.weekly.week import Week

    try:
        return Week.named(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _browse(rules: OfflineConfiguration) -> str:
    url = rules.settings.jira_url
    return f"{url.rstrip('/')}/browse/" if url else ""
