"""Try a mapping's templates before the first incident needs them.

syncd renders each template for an incident of every service. So an unknown variable or a broken template
shows at the load, while somebody is looking, and not at night on a ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from syncd.config.mapping.checks import at
from syncd.config.mapping.yaml_reader import Document, Path_
from syncd.config.problems import Problem
from syncd.config.templates.postmortem import render_postmortem
from syncd.config.templates.recurring import recurring_context
from syncd.config.templates.templates import TemplateError, Templates
from syncd.config.templates.texts import SAMPLES
from syncd.config.templates.ticket import Subject, render_ticket, ticket_context
from syncd.domain.base import Reference
from syncd.domain.history import SeverityPeriod
from syncd.domain.incident import Incident, IncidentStatus, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.postmortem import Alert, Helper, Line, Story, Window
from syncd.domain.recurring import RecurringName, after_incident


def missing_template(document: Document, templates: Templates) -> list[Problem]:
    """Return the problems of the templates that a document names, also if the document is not a mapping."""
    section = document.data.get("postmortem")
    named: list[tuple[Path_, object]] = [(("template",), document.data.get("template"))]
    if isinstance(section, dict):
        named.append((("postmortem", "template"), section.get("template")))
    named += at(document.data, ("recurring", "*", "template"))
    named += at(document.data, ("texts", "*", "template"))
    return [
        problem
        for path, name in named
        if isinstance(name, str)
        for problem in _tried(document, path, partial(templates.check, name))
    ]


def template_problems(mapping: Mapping, document: Document, templates: Templates) -> list[Problem]:
    """Return the problems of a mapping's templates, at the keys that name or contain them."""
    severity = next(iter(mapping.severities))
    subjects = [
        Subject(incident, mapping, service, severity, assumed=not incident.priority)
        for service in mapping.services.values()
        for incident in _SAMPLES
    ]
    problems = [
        problem
        for subject in subjects
        for rich in (True, False)
        for path, render in renderings(templates, subject, sample_story(mapping, rich=rich))
        for problem in _tried(document, path, render)
    ]
    for name, entry in mapping.recurring.items():
        for period in (f"{_MOMENT:%Y}-Q4", after_incident(1)):
            ident = RecurringName(mapping.team, name, period)
            variables = recurring_context(entry, mapping, ident, _MOMENT.date())
            render = partial(templates.render, entry.template_name, variables)
            problems += _tried(document, ("recurring", name, "template"), render)
    return list(dict.fromkeys(problems))


def renderings(
    templates: Templates, subject: Subject, story: Story
) -> Iterator[tuple[Path_, Callable[[], object]]]:
    """Yield a function that renders each template of a mapping, with the key that names or contains it."""
    mapping, context = subject.mapping, ticket_context(subject)
    yield ("template",), partial(render_ticket, templates, subject)
    yield ("postmortem", "template"), partial(render_postmortem, templates, subject, story)
    for name, text in mapping.texts.items():
        for values in SAMPLES:
            filled = partial(templates.render, text.template, dict(values._asdict()))
            yield ("texts", name, "template"), filled
    for name, field in mapping.jira.fields.items():
        if field.template is not None:
            yield ("jira", "fields", name, "template"), partial(templates.inline, field.template, context)


def _tried(document: Document, path: Path_, act: Callable[[], object]) -> list[Problem]:
    try:
        act()
    except TemplateError as error:
        problem = error.problem
        # a template inside the mapping has no file of its own
        message = problem.message if problem.where.startswith("<") else f"{problem.where}: {problem.message}"
        return [document.problem(path, message, problem.hint)]
    return []


def sample_story(mapping: Mapping, text: str = "Sample", *, rich: bool = True) -> Story:
    """Return the story of a sample incident with `text` in all its texts; not `rich`: nearly empty."""
    names = list(mapping.severities)
    window = Window(since=_MOMENT, until=_MOMENT + timedelta(hours=1))
    due = {"schedule_by": _MOMENT + timedelta(days=2), "review_by": _MOMENT + timedelta(days=14)}
    if not rich:
        return Story(severity=names[-1], windows=(window,), withheld=True, **due)
    return Story(
        severity=names[0],
        windows=(window, Window(since=_MOMENT + timedelta(hours=2))),
        severity_periods=tuple(SeverityPeriod(severity=name, since=_MOMENT) for name in names),
        acknowledged_at=_MOMENT + timedelta(minutes=3),
        helpers=(Helper(name=text, roles=("incident commander", "acknowledged")),),
        lines=(Line(at=_MOMENT, text=text, who=text),) * 50,
        alerts=(
            Alert(summary=text, source=text, url="https://company.pagerduty.example/alerts/A", details=text),
        )
        * 30,
        ticket_key="OPS-1",
        ticket_url="https://company.atlassian.example/browse/OPS-1",
        owner=text,
        complete_by=_MOMENT + timedelta(days=14),
        **due,
    )


_MOMENT = datetime(2026, 12, 1, tzinfo=UTC)

_PLAIN = Incident(
    id="PSAMPLE",
    number=1,
    title="Sample",
    status=IncidentStatus.TRIGGERED,
    service=Reference(id="PSERVICE", name="Sample"),
    created_at=_MOMENT,
)

_FULL = _PLAIN.model_copy(
    update={
        "status": IncidentStatus.RESOLVED,
        "priority": Reference(id="P1", name="P1"),
        "escalation_policy": Reference(id="PPOLICY", name="Sample"),
        "assignees": (Responder(id="PUSER", name="Sample", email="sample@company.example"),),
        "resolved_at": _MOMENT,
        "html_url": "https://company.pagerduty.example/incidents/PSAMPLE",
    }
)

_SAMPLES = (_PLAIN, _FULL)
"""An incident with required values only, and an incident with every value."""
