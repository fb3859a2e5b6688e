"""Write the first mapping for `syncd init`: severities written out, and defaults worth knowing as comments.

A comment shows a key with its default and describes it as `syncd.domain.mapping` does. So the file tells what
syncd does unless somebody says otherwise, without a second window.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from pydantic import Field

from syncd.config.mapping.commented import Written, commented
from syncd.config.shipped import shipped
from syncd.domain.base import Value
from syncd.domain.mapping.services import default_severities
from syncd.domain.role import Role

EXAMPLES = ("qrpay", "ramen")

_ENFORCE_FROM = re.compile(r"^enforce_from: .*$", re.MULTILINE)
_HEAD = (
    "# A key behind `#` has the default that its line shows; an empty line or an example sets nothing.",
    "# Remove the `# ` to set it. syncd init --full writes every key. mappings/README.md explains them,",
    "# and has a checklist: from `report` to `enforce`.",
)


class FirstSeverity(Value):
    """A severity of a first mapping: its priorities on both sides, its urgency; if it owes a postmortem."""

    name: str
    urgency: Literal["high", "low"] | None = None
    pagerduty: tuple[str, ...] = ()
    priority: str | None = None
    postmortem: bool = False


class FirstField(Value):
    """A further field of a first mapping: the severity, a constant, or a template."""

    name: str
    value: str | None = None
    template: str | None = None
    severity: bool = False


class Choice(Value):
    """The choices of a first mapping beside its team, project and services.

    `components`, `owners` (addresses) and `commanders` (schedules) are the services' by name. `assumed` tells
    people what syncd assumed, `open` what only they know.
    """

    issue_type: str | None = None
    statuses: dict[str, str] = Field(default_factory=dict)
    severities: tuple[FirstSeverity, ...] = ()
    components: dict[str, str] = Field(default_factory=dict)
    owners: dict[str, str] = Field(default_factory=dict)
    commanders: dict[str, str] = Field(default_factory=dict)
    fields: tuple[FirstField, ...] = ()
    assumed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    def owing(self, names: Sequence[str]) -> Choice:
        """Return the choice with these severities as the ones that owe a postmortem."""
        severities = tuple(
            severity.model_copy(update={"postmortem": severity.name in names}) for severity in self.severities
        )
        return self.model_copy(update={"severities": severities})


def first_severities(
    names: Sequence[str], offered: Sequence[str], *, asked: bool
) -> tuple[FirstSeverity, ...]:
    """Return a severity for each of PagerDuty's priorities, or one for each urgency where there are none.

    `names` are PagerDuty's priorities and `offered` Jira's, the gravest first. Where syncd `asked` and there
    is no priority, the severities name none. The two gravest owe a postmortem, of two or one the first alone.
    """
    if not names:
        usual = default_severities()
        places = (min(1, len(offered) - 1), max(0, len(offered) - 2))
        return tuple(
            FirstSeverity(
                name=name,
                urgency=section.urgency,
                pagerduty=() if asked else section.pagerduty,
                priority=next((own for own in section.priority if own in offered), offered[place])
                if offered
                else None,
                postmortem=number == 0,
            )
            for number, ((name, section), place) in enumerate(zip(usual.items(), places, strict=True))
        )
    # as in both shipped mappings: high urgency is the severity in the middle, low urgency the mildest
    high = len(names) // 2 if len(names) > 2 else 0
    urgencies: dict[int, Literal["high", "low"]] = {len(names) - 1: "low", high: "high"}
    return tuple(
        FirstSeverity(
            name=name,
            urgency=urgencies.get(number),
            pagerduty=(name,),
            priority=offered[_place(number, len(names), len(offered))] if offered else None,
            postmortem=number < (len(names) + 1) // 2 and number < 2,
        )
        for number, name in enumerate(names)
    )


def _place(number: int, of: int, offered: int) -> int:
    """Return the place of a severity's priority in Jira's list; a list that is too short is shared out."""
    return number if of <= offered else number * offered // of


def starter_mapping(
    team: str,
    project: str,
    services: Sequence[str],
    enforce_from: date,
    mode: Literal["report", "enforce"] = "report",
    choice: Choice | None = None,
    *,
    full: bool = False,
) -> str:
    """Return a mapping that loads without changes; with `full` it shows every key that a mapping may have.

    Raise `ValueError` without services.
    """
    if not services:
        raise ValueError("a mapping needs at least one service")
    chosen = choice or Choice(severities=first_severities((), (), asked=False))
    written = Written(full=full)
    # mails need somebody to hear of breaches, and the weekly report needs recipients: only people know them
    mails = mode if set(services) <= set(chosen.owners) else "report"
    data: dict[str, Any] = {
        "syncd": 1,
        "team": team,
        "enforce_from": enforce_from,
        "jira": {"project": project, **_jira(chosen)},
        "services": {name: _service(name, chosen) for name in services},
        "severities": {severity.name: _severity(severity) for severity in chosen.severities},
        "closing": {"mode": mode},
        "postmortem": {"mode": mode},
        "follow_ups": {"mode": mode},
        "close_gate": {"mode": "comment"},
        "mails": {"mode": mails},
        "report": {"mode": "report"},
    }
    first, *rest = commented(data, written)
    return "\n".join([first, *_HEAD, *rest, ""])


def _jira(choice: Choice) -> dict[str, Any]:
    section: dict[str, Any] = {}
    if choice.issue_type is not None:
        section["issue_types"] = {"incident": choice.issue_type}
    if choice.statuses:
        section["statuses"] = choice.statuses
    if choice.fields:
        section["fields"] = {field.name: _field(field) for field in choice.fields}
    return section


def _field(field: FirstField) -> dict[str, Any]:
    if field.severity:
        return {"severity": True}
    return {"value": field.value} if field.value is not None else {"template": field.template or ""}


def _service(name: str, choice: Choice) -> dict[str, Any]:
    values = {
        "component": choice.components.get(name),
        "owner": choice.owners.get(name),
        "roles": _roles(choice.commanders.get(name)),
    }
    return {key: value for key, value in values.items() if value is not None}


def _roles(commanders: str | None) -> dict[str, Any] | None:
    return {str(Role.COMMANDER): {"schedule": commanders}} if commanders is not None else None


def _severity(severity: FirstSeverity) -> dict[str, Any]:
    values: dict[str, Any] = {
        "pagerduty": list(severity.pagerduty) or None,
        "urgency": severity.urgency,
        "priority": severity.priority,
        "postmortem": severity.postmortem,
    }
    return {key: value for key, value in values.items() if value is not None}


def example_mapping(name: str, enforce_from: date) -> str:
    """Return a shipped mapping, `qrpay` or `ramen`, with this date; raise `ValueError` for another name."""
    if name not in EXAMPLES:
        raise ValueError(f"there is no example {name}; the examples are {' and '.join(EXAMPLES)}")
    # the text, not the values: the example's comments name the runbook's sections
    text = (shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    return _ENFORCE_FROM.sub(f"enforce_from: {enforce_from.isoformat()}", text, count=1)
