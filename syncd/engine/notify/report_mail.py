"""Compose the mail of the weekly report: frozen figures and rows as HTML and text, with the CSV attached."""

from __future__ import annotations

from loguru import logger

from syncd.config.templates.templates import TemplateError
from syncd.domain.operation.mail import WeeklyReportMail
from syncd.domain.text import BYTE_ORDER_MARK
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.runtime.mailer import Mailer
from syncd.ledger.views.postmortems import jira_address
from syncd.report.mail import letters
from syncd.report.mail.message import Attachment, Body
from syncd.report.state_page import link_to
from syncd.report.weekly import formats
from syncd.report.weekly.report import Weekly, frozen, zone_of
from syncd.report.weekly.week import Week
from syncd.report.weekly.words import report_context

LARGEST = 6_000_000
"""The most characters of an attached CSV; many servers refuse a mail of more than ten megabytes."""


def report_body(context: EngineContext, mail: WeeklyReportMail, why: str, mailer: Mailer, head: str) -> Body:
    """Return a weekly report for one recipient; `why` they get it, `head` of the audit trail (`SEQ:HASH`).

    A report that its template cannot write leaves as its subject and its rows. Raise `CannotRender` where the
    ledger holds no frozen figures.
    """
    report, base = _frozen(context, mail)
    browse = f"{base}/browse/" if base else ""
    rows = formats.as_csv(report, names=mail.names)
    attached = len(rows) <= LARGEST
    if not attached:
        why += f"; the rows are too many to attach: syncd report --week {report.week.name} --format csv"
    page, templates = link_to(mailer.page, context.mappings, report.team or ""), mailer.templates
    words = report_context(report, names=mail.names, head=head, browse=browse, why=why, page=page)
    name = f"syncd-{formats.file_slug(report.team)}-{report.week.name}.csv"
    subject = str(words["subject"])
    attachments = (Attachment(name=name, kind="csv", text=BYTE_ORDER_MARK + rows),) if attached else ()
    try:
        text, html = templates.render(formats.TEXT, words), formats.render_html(templates, words)
    except TemplateError as error:
        logger.error("{}: its template fails, so only its rows leave: {}", subject, error)
        lines = (
            subject,
            f"syncd could not use the report's template: {error}",
            f"You get this because {why}.",
        )
        return letters.plain_body(subject, (*lines, f"Anchor of the audit trail: {head}"), attachments)
    return Body(subject=subject, text=text.strip() + "\n", html=html, attachments=attachments)


def _frozen(context: EngineContext, mail: WeeklyReportMail) -> tuple[Weekly, str]:
    team, week = mail.team, Week.named(mail.week)
    report = frozen(context.ledger, week, team, zone_of(context.mappings, team))
    if report is None:
        raise CannotRender(f"the ledger holds no figures of {week.name}")
    return report, jira_address(context.ledger)
