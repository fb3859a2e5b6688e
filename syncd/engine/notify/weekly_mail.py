"""The weekly report as a mail, out of its frozen figures and rows: HTML, text, and the CSV attached."""

from __future__ import annotations

from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import slug_label
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.operation.mail import WeeklyReportMail
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.ledger.views.postmortems import jira_address
from syncd.report.mail.message import Attachment, Body
from syncd.report.weekly import formats
from syncd.report.weekly.report import Weekly, frozen, zone_of
from syncd.report.weekly.week import Week
from syncd.report.weekly.words import report_context

LARGEST = 6_000_000
"""Characters of a CSV that is attached; many servers refuse a mail of more than ten megabytes."""


def report_body(
    context: EngineContext, mail: WeeklyReportMail, why: str, templates: Templates, head: str
) -> Body:
    """What a report says to one recipient and `why` they get it; `head` is the ledger's (`SEQ:HASH`).

    Raises `TemplateError`, and `CannotRender` where the figures that it would send are not on record.
    """
    report, base = _frozen(context, mail)
    browse = f"{base}/browse/" if base else ""
    rows = formats.as_csv(report, names=mail.names)
    attached = len(rows) <= LARGEST
    if not attached:
        why += f"; the rows are too many to attach: syncd report --week {report.week.name} --format csv"
    said = report_context(report, names=mail.names, head=head, browse=browse, why=why)
    name = f"syncd-{file_slug(report.team)}-{report.week.name}.csv"
    return Body(
        subject=str(said["subject"]),
        text=templates.render(formats.TEXT, said).strip() + "\n",
        html=templates.render(formats.HTML, said),
        attachments=(Attachment(name=name, kind="csv", text=rows),) if attached else (),
    )


def _frozen(context: EngineContext, mail: WeeklyReportMail) -> tuple[Weekly, str]:
    team, week = mail.team, Week.named(mail.week)
    mappings: tuple[Mapping, ...] = context.mappings
    report = frozen(context.ledger, week, team, zone_of(mappings, team))
    if report is None:
        raise CannotRender(f"the figures of {week.name} are not on record")
    return report, jira_address(context.ledger)


def file_slug(team: str | None) -> str:
    """A team, or all of them, as files are named."""
    return slug_label(team or "all").lower()
