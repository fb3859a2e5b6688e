"""Write the first mapping for `syncd init`, short enough that people read it before they enable anything."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import Field

from syncd.config.shipped import shipped
from syncd.domain.base import Value
from syncd.domain.text import one_line

EXAMPLES = ("qrpay", "ramen")

_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.()/-]*[A-Za-z0-9)]|[A-Za-z]")
_OTHER_THAN_TEXT = ("true", "false", "null")
_ENFORCE_FROM = re.compile(r"^enforce_from: .*$", re.MULTILINE)
_SERVICES_TO_SHOW = 5
MOST_LINES = 15


class FirstSeverity(Value):
    """A severity of a first mapping: its PagerDuty priorities, its urgency and its Jira priority."""

    name: str
    urgency: Literal["high", "low"]
    pagerduty: tuple[str, ...] = ()
    priority: str | None = None


class FirstField(Value):
    """A further field of a first mapping: the severity, a constant, or a template."""

    name: str
    value: str | None = None
    template: str | None = None
    severity: bool = False


class Choice(Value):
    """The keys that a first mapping needs beside its services, because the defaults do not fit the project.

    `components` are the services' by name. `assumed` tells people what syncd assumed, `open` what only they
    know.
    """

    issue_type: str | None = None
    statuses: dict[str, str] = Field(default_factory=dict)
    severities: tuple[FirstSeverity, ...] = ()
    components: dict[str, str] = Field(default_factory=dict)
    fields: tuple[FirstField, ...] = ()
    assumed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def starter_mapping(
    team: str,
    project: str,
    services: Sequence[str],
    enforce_from: date,
    mode: Literal["report", "enforce"] = "report",
    choice: Choice | None = None,
) -> str:
    """Return a mapping of at most 15 lines that loads without changes.

    It has all services on one line if it would be longer else. Raise `ValueError` without services.
    """
    if not services:
        raise ValueError("a mapping needs at least one service")
    chosen = choice or Choice()
    above = [
        "syncd: 1",
        f"team: {_scalar(team)}",
        f"enforce_from: {enforce_from.isoformat()}  # syncd leaves incidents resolved before this day alone",
        "jira:",
        f"  project: {_scalar(project)}",
        *_jira_lines(chosen),
    ]
    below = [
        *_severity_lines(chosen),
        "closing:",
        f"  mode: {mode}  # enforce: syncd closes tickets that owe nothing",
    ]
    room = MOST_LINES - len(above) - len(below) - 1
    return "\n".join([*above, *_service_lines(services, chosen, room), *below, ""])


def _jira_lines(choice: Choice) -> list[str]:
    lines = []
    if choice.issue_type is not None:
        lines.append(f"  issue_types: {{incident: {_scalar(choice.issue_type, flow=True)}}}")
    if choice.statuses:
        pairs = [f"{word}: {_scalar(name, flow=True)}" for word, name in choice.statuses.items()]
        lines.append(f"  statuses: {{{', '.join(pairs)}}}")
    if choice.fields:
        pairs = [f"{_scalar(field.name, flow=True)}: {_field(field)}" for field in choice.fields]
        lines.append(f"  fields: {{{', '.join(pairs)}}}")
    return lines


def _field(field: FirstField) -> str:
    if field.severity:
        return "{severity: true}"
    key, text = ("value", field.value) if field.value is not None else ("template", field.template)
    return f"{{{key}: {_scalar(text or '', flow=True)}}}"


def _service_lines(services: Sequence[str], choice: Choice, room: int) -> list[str]:
    if len(services) > min(_SERVICES_TO_SHOW, room):
        pairs = [f"{_scalar(name, flow=True)}: {_service(name, choice)}" for name in services]
        return ["services: {" + ", ".join(pairs) + "}"]
    return ["services:", *(f"  {_scalar(name)}: {_service(name, choice)}" for name in services)]


def _service(name: str, choice: Choice) -> str:
    component = choice.components.get(name)
    return "{}" if component is None else f"{{component: {_scalar(component, flow=True)}}}"


def _severity_lines(choice: Choice) -> list[str]:
    lines = ["severities:"] if choice.severities else []
    for severity in choice.severities:
        parts = [f"pagerduty: [{', '.join(_scalar(name, flow=True) for name in severity.pagerduty)}]"]
        parts += [f"urgency: {severity.urgency}"]
        parts += [f"priority: {_scalar(severity.priority, flow=True)}"] if severity.priority else []
        lines.append(f"  {severity.name}: {{{', '.join(parts if severity.pagerduty else parts[1:])}}}")
    return lines


def example_mapping(name: str, enforce_from: date) -> str:
    """Return a shipped mapping, `qrpay` or `ramen`, with this date; raise `ValueError` for another name."""
    if name not in EXAMPLES:
        raise ValueError(f"there is no example {name}; the examples are {' and '.join(EXAMPLES)}")
    # the text, not the values: the example's comments name the runbook's sections
    text = (shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    return _ENFORCE_FROM.sub(f"enforce_from: {enforce_from.isoformat()}", text, count=1)


def _scalar(text: str, flow: bool = False) -> str:
    """Return a text as a YAML scalar, in quotes if YAML could read it as something else."""
    plain = _PLAIN_WORD.fullmatch(text) and text.casefold() not in _OTHER_THAN_TEXT and not flow
    return text if plain else json.dumps(one_line(text), ensure_ascii=False)
