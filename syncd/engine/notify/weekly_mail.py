"""The weekly report as a mail, out of its frozen figures and rows: HTML, text, and the CSV attached."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import slug_label
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.context import Desk
from syncd.engine.errors import CannotRender
from syncd.ledger.open import get_meta
from syncd.ledger.store.tables import OperationRow
from syncd.ledger.views import report_facts
from syncd.report.mail.message import Attachment, Body
from syncd.report.weekly import formats
from syncd.report.weekly.report import Weekly, frozen, zone_of
from syncd.report.weekly.week import Week
from syncd.report.weekly.words import context

LARGEST = 6_000_000
"""Characters of a CSV that is attached; many servers refuse a mail of more than ten megabytes."""


def report_body(desk: Desk, row: OperationRow, templates: Templates, head: str) -> Body:
    """What a report says to one recipient; `head` is the ledger's (`SEQ:HASH`).

    Raises `TemplateError`, and `CannotRender` where the figures that it would send are not on record.
    """
    report, base = _frozen(desk, row)
    names = bool(row.meaning["names"])
    browse = f"{base.rstrip('/')}/browse/" if base else ""
    rows = formats.as_csv(report, names=names)
    attached = len(rows) <= LARGEST
    why = str(row.meaning["why"])
    if not attached:
        why += f"; the rows are too many to attach: syncd report --week {report.week.name} --format csv"
    said = context(report, names=names, head=head, browse=browse, why=why)
    name = f"syncd-{file_slug(report.team)}-{report.week.name}.csv"
    return Body(
        subject=str(said["subject"]),
        text=templates.render(formats.TEXT, said).strip() + "\n",
        html=templates.render(formats.HTML, said),
        attachments=(Attachment(name=name, kind="csv", text=rows),) if attached else (),
    )


def _frozen(desk: Desk, row: OperationRow) -> tuple[Weekly, str]:
    team, week = row.meaning["team"], Week.named(str(row.meaning["week"]))
    mappings: tuple[Mapping, ...] = desk.mappings
    with desk.ledger.db.read() as session:
        report = frozen(session, week, team, zone_of(mappings, team))
        base = get_meta(session, "owner.jira") or ""
    if report is None:
        raise CannotRender(f"the figures of {week.name} are not on record")
    return report, base


def left(session: Session, row: OperationRow, now: datetime) -> None:
    """Note with the figures that they were sent; the first of several recipients counts."""
    run = report_facts.report_run(session, row.meaning["team"], str(row.meaning["week"]))
    if run is not None and run.sent_at is None:
        run.sent_at = now
        session.add(run)


def file_slug(team: str | None) -> str:
    """A team, or all of them, as files are named."""
    return slug_label(team or "all").lower()
