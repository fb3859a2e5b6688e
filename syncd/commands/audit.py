"""`syncd audit verify`: prove that the audit trail is unbroken, or name the first broken row."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.commands.audit_export import export
from syncd.commands.shared.output import emit_json, json_option
from syncd.commands.shared.setup import ledger_for_reading
from syncd.domain.text import counted

if TYPE_CHECKING:
    from syncd.domain.trail.chain import Anchor, Broken
    from syncd.engine.jobs.export_figures import CheckedFigures
    from syncd.ledger.database.connection import OneView
    from syncd.report.export_check import Checked


@click.group(help="Verify the audit trail, or export the evidence of a period.")
def command() -> None:
    """Group the commands of the audit trail."""


def _anchors(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[Anchor]:
    from syncd.domain.trail.chain import anchor_of

    try:
        return [anchor_of(value) for value in values]
    except ValueError:
        raise click.BadParameter(
            "an anchor is SEQ:HASH; copy it from a weekly mail, an export or the log"
        ) from None


@command.command(
    help="Check the chain of hashes from its first row to its last, and that it tells of every record of the"
    " ledger. With --export also check an export, with the ledger or, where there is none, by itself."
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    callback=_anchors,
    help="SEQ:HASH from a mail or export; the chain must contain it. May be given several times.",
)
@click.option(
    "--export",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that audit export wrote. A later one confirms an earlier one without a ledger.",
)
@click.option(
    "--figures",
    is_flag=True,
    help="Also judge the duties and the weekly figures of each export again, from the facts that it holds,"
    " without a service and without a ledger.",
)
@json_option
def verify(anchors: list[Anchor], folders: tuple[Path, ...], figures: bool, as_json: bool) -> None:
    """Exit 0 if the chain and the exports are unbroken and no figure differs, else 1."""
    from syncd.ledger.database.connection import one_view
    from syncd.ledger.errors import LedgerMissing
    from syncd.ledger.views import audit_trail

    if figures and not folders:
        raise click.UsageError("--figures goes with --export DIR")
    judged = [_figures_of(folder) for folder in folders] if figures else []
    try:
        # one view: an event that the daemon adds meanwhile would not fit the head or the note beside it
        with ledger_for_reading() as db:
            noted = audit_trail.noted_head(db)
            with one_view(db) as view:
                broken = audit_trail.verify(view, anchors, noted)
                seq, digest = audit_trail.head(view)
                results = [_with_ledger(view, folder, broken) for folder in folders]
    except LedgerMissing as missing:
        if not folders:
            raise
        _without_ledger(folders, anchors, missing, judged, as_json)
        return
    problems = [problem for found, _ in results for problem in found]
    if as_json:
        first_broken = {"seq": broken.seq, "why": broken.why} if broken else None
        whole = broken is None and not problems
        data = {"whole": whole, "broken": first_broken, "export": problems, "head": f"{seq}:{digest}"}
        emit_json({**data, **_figures_data(judged)})
        sys.exit(0 if whole and _hold(judged) else 1)
    _tell(results)
    _tell_figures(judged)
    if broken:
        click.echo(str(broken), err=True)
    else:
        click.echo(f"the audit trail is unbroken: {counted(seq, 'event')}, head {seq}:{digest}")
    sys.exit(1 if broken or problems or not _hold(judged) else 0)


def _tell(results: list[tuple[list[str], list[str]]]) -> None:
    for problems, proven in results:
        for line in problems:
            click.echo(line, err=True)
        for line in proven:
            click.echo(line)


def _read(folder: Path, name: str) -> bytes | None:
    path = folder / name
    # a name such as ../x leads out of the folder
    inside = path.resolve().is_relative_to(folder.resolve())
    return path.read_bytes() if inside and path.is_file() else None


def _names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def _checked(folder: Path, anchors: list[Anchor]) -> Checked:
    from syncd.report.export_check import ExportCheck

    return ExportCheck(partial(_read, folder), _names(folder)).run(anchors)


def _figures_of(folder: Path) -> tuple[Path, CheckedFigures]:
    from syncd.engine.jobs.export_figures import FiguresCheck

    return folder, FiguresCheck(partial(_read, folder), _names(folder)).run()


def _hold(judged: list[tuple[Path, CheckedFigures]]) -> bool:
    return all(figures.holds for _, figures in judged)


def _figures_data(judged: list[tuple[Path, CheckedFigures]]) -> dict[str, Any]:
    """Return the key `figures` of the JSON output, nothing where nobody asked for it."""
    if not judged:
        return {}
    return {
        "figures": [
            {
                "export": str(folder),
                "problems": figures.problems,
                "rows": [line.model_dump(mode="json") for line in figures.lines],
            }
            for folder, figures in judged
        ]
    }


def _tell_figures(judged: list[tuple[Path, CheckedFigures]]) -> None:
    """Print what differs and what cannot be verified, and how many rows there are of each outcome."""
    from syncd.verify.compare import Outcome

    for folder, figures in judged:
        for problem in figures.problems:
            click.echo(f"{folder}: {problem}", err=True)
        # a duty stands in the report of its week, in the one over all teams, and in its incident's file
        for line in dict.fromkeys(figures.lines):
            if line.outcome is not Outcome.SAME:
                sources = "; ".join(line.sources)
                differs = line.outcome is Outcome.DIFFERENT
                click.echo(f"{folder}: {line.outcome}: {line.words} ({sources})", err=differs)
        numbers = ", ".join(
            f"{sum(line.outcome is outcome for line in figures.lines)} {outcome}" for outcome in Outcome
        )
        click.echo(
            f"{folder}: judged again from its own facts: {counted(len(figures.lines), 'row')}, {numbers}"
        )


def _with_ledger(view: OneView, folder: Path, broken: Broken | None) -> tuple[list[str], list[str]]:
    """Return the problems of an exported folder, and what is proven if there are none."""
    from syncd.ledger.views import audit_trail

    checked = _checked(folder, [])
    problems = [f"{folder}: {problem}" for problem in checked.problems]
    row = audit_trail.exports(view).get(checked.manifest)
    if problems or broken:
        # what the files should say helps only where the ledger's trail holds
        return [*problems, *([] if broken else _differences(view, folder, checked))], []
    if row is not None:
        words = f"{folder}: every file is as syncd wrote it; row {row} of the audit trail holds its manifest"
        return [], [words]
    differences = _differences(view, folder, checked)
    if differences:
        words = f"{folder}: no row of the audit trail holds the hash of this manifest"
        return [words, *differences], []
    words = (
        "built anew from the ledger, every file is the same, but those with counts and facts of the services"
    )
    return [], [f"{folder}: {words}"]


def _differences(view: OneView, folder: Path, checked: Checked) -> list[str]:
    """Return how the files differ from those that the ledger gives today."""
    from datetime import datetime

    from syncd.ledger.views import audit_trail
    from syncd.report.evidence import POPULATION, build
    from syncd.report.export_check import differences

    if not checked.about:
        return []
    seq, digest = checked.ends
    if audit_trail.hash_at(view, seq) != digest:
        return [f"{folder}: the ledger's chain does not contain the export's anchor {seq}:{digest}"]
    since, until = (datetime.fromisoformat(checked.about[name]) for name in ("from", "to"))
    files = build(view, since, until, {}, seq).files
    lines = []
    for name in sorted(files.keys() - {POPULATION}):
        path = folder / name
        if not path.is_file():
            lines.append(f"{folder}: {name} is missing")
        elif path.read_bytes() != files[name]:
            lines += [f"{folder}: {name}: {words}" for words in differences(path.read_bytes(), files[name])]
    shown, rest = lines[:MOST_LINES], len(lines) - MOST_LINES
    return shown if rest <= 0 else [*shown, f"{folder}: and {rest} more differences"]


MOST_LINES = 40
"""Differences that are printed; more would hide the first ones."""


def _without_ledger(
    folders: tuple[Path, ...],
    anchors: list[Anchor],
    missing: Exception,
    judged: list[tuple[Path, CheckedFigures]],
    as_json: bool,
) -> None:
    """Check exports by themselves; say what that proves and what it cannot prove, and exit."""
    checks = [(folder, _checked(folder, anchors)) for folder in folders]
    results = []
    for folder, checked in checks:
        problems = [f"{folder}: {problem}" for problem in checked.problems]
        others = [other for _, other in checks if other is not checked]
        results.append((problems, [] if problems else _proven(folder, checked, others, bool(anchors))))
    problems = [problem for found, _ in results for problem in found]
    if as_json:
        proven = [line for _, lines in results for line in lines]
        data: dict[str, Any] = {"whole": not problems, "broken": None, "export": problems, "head": None}
        emit_json({**data, "without_ledger": proven, **_figures_data(judged)})
    else:
        click.echo(f"{missing}: the export is checked by itself")
        _tell(results)
        _tell_figures(judged)
    sys.exit(1 if problems or not _hold(judged) else 0)


def _proven(folder: Path, checked: Checked, others: list[Checked], anchored: bool) -> list[str]:
    first, (last, digest) = checked.begins[0] + 1, checked.ends
    row = next(
        (o.account.exports[checked.manifest] for o in others if checked.manifest in o.account.exports), 0
    )
    lines = [
        f"{folder}: every file is as its manifest says; rows {first} to {last} are an unbroken chain",
        f"{folder}: events, severities, duties, waivers and operations of"
        f" {counted(checked.about['incidents'], 'incident')} are as these rows tell",
    ]
    if row:
        return [*lines, f"{folder}: row {row} of another export's trail holds the hash of this manifest"]
    lines.append(
        f"{folder}: not proven without the ledger or a later export: titles, names, other texts and the"
        " counts of the services, since no event holds them"
    )
    if not anchored:
        lines.append(
            f"{folder}: not proven without an anchor: that syncd wrote this chain; compare {last}:{digest}"
            " with the ledger, a weekly mail or the log, or give --anchor"
        )
    return lines


command.add_command(export)
