"""Write a mapping as YAML with comments: the chosen keys, and behind `#` keys that keep their default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from syncd.config.mapping.keys import NAMED, inside
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text import one_line

WORTH_KNOWING = frozenset(
    {
        "services.NAME.component",
        "services.NAME.owner",
        "services.NAME.roles.NAME.schedule",
        "severities.NAME.notify",
        "severities.NAME.overdue",
        "severities.NAME.follow_up_days",
        "severities.NAME.acknowledge_minutes",
        "severities.NAME.resolve_minutes",
        "people.fallback",
        "people.process_owner",
        "people.approvers",
        "two_way.notes",
        "two_way.comments",
        "two_way.acknowledge",
        "two_way.resolve",
        "restricted.level",
        "restricted.titles",
        "restricted.lead",
        "coexist",
        "closing.after_hours",
        "postmortem.schedule_hours",
        "postmortem.complete_days",
        "postmortem.date_field",
        "postmortem.statuses",
        "follow_ups.owner_hours",
        "follow_ups.unowned",
        "mails.reply_to",
        "report.to",
        "report.day",
        "report.at",
        "zone",
        "holidays",
        "backfill.tickets",
    }
)
"""The keys whose defaults a first mapping shows."""

_ADDRESS = "name@company.example"
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.()/-]*[A-Za-z0-9)]|[A-Za-z]")
_OTHER_THAN_TEXT = ("true", "false", "null", "~")
_FIRST_CLAUSE = re.compile(r"(.{30,}?)(?:;\s|\.\s|\.?$)|(.+?)\.?$")
"""The first words of a description that say enough."""


@dataclass(frozen=True)
class Written:
    """Which keys are shown as comments: with `full` every key, else those of `WORTH_KNOWING`."""

    full: bool = False

    def shows(self, path: str) -> bool:
        """Return True if the key at a path is shown, or a key below it."""
        return self.full or any(key == path or key.startswith(f"{path}.") for key in WORTH_KNOWING)


def commented(data: dict[str, Any], written: Written) -> Iterator[str]:
    """Yield the lines of a mapping with this data, in the order of the mapping's types."""
    section_before = False
    for name, info in Mapping.model_fields.items():
        if info.exclude or not (name in data or written.shows(name)):
            continue
        is_section = isinstance(data.get(name), dict)
        if is_section or section_before:
            yield ""
        section_before = is_section
        yield from _key(name, info, data, "", "", written)


def _section(
    model: type[BaseModel], data: dict[str, Any], path: str, indent: str, written: Written
) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if not info.exclude:
            yield from _key(name, info, data, path, indent, written)


def _key(
    name: str, info: FieldInfo, data: dict[str, Any], above: str, indent: str, written: Written
) -> Iterator[str]:
    """Yield the lines of a key with its chosen value, or of its default as a comment, if it is shown."""
    path = f"{above}{name}"
    if name not in data:
        if written.shows(path):
            yield from (f"{indent}# {line}" for line in _default_lines(name, info, path, written))
        return
    value = data[name]
    model, step = inside(info.annotation)
    if not isinstance(value, dict) or model is None:
        yield _noted(f"{indent}{name}: {_written(value)}", info)
        return
    yield _noted(f"{indent}{name}:", info)
    if step == ".":
        yield from _section(model, value, f"{path}.", f"{indent}  ", written)
        return
    # what the first of many shows about defaults is true of them all
    for number, (key, section) in enumerate(value.items()):
        empty = " {}" if number else " {}  # remove the {} if you set a key below"
        yield f"{indent}  {_scalar(str(key))}:" + ("" if section else empty)
        if number:
            yield from (f"{indent}    {inner}: {_written(item)}" for inner, item in section.items())
        else:
            yield from _section(model, section, f"{path}.{NAMED}.", f"{indent}    ", written)


def _default_lines(name: str, info: FieldInfo, path: str, written: Written) -> Iterator[str]:
    """Yield the lines of a key that keeps its default, without the comment mark."""
    model, step = inside(info.annotation)
    if model is None:
        yield _noted(f"{name}: {_default(info)}".rstrip(), info)
        return
    yield _noted(f"{name}:", info)
    indent, below, first = "  ", f"{path}.", ""
    if step.startswith(f".{NAMED}"):
        yield f"  {NAMED}:"
        indent, below = "    ", f"{path}.{NAMED}."
        step = step.removeprefix(f".{NAMED}")
    if step.startswith("[]"):
        indent, below, first = f"{indent}  ", f"{below.removesuffix('.')}[].", "- "
    for key, inner in model.model_fields.items():
        if inner.exclude or not written.shows(f"{below}{key}"):
            continue
        for line in _default_lines(key, inner, f"{below}{key}", written):
            yield f"{indent[: len(indent) - len(first)]}{first}{line}"
            first = ""


def _noted(line: str, info: FieldInfo) -> str:
    """Return the line with the first words of the key's description."""
    words = _FIRST_CLAUSE.match(" ".join((info.description or "").split()))
    return f"{line}  # {words[1] or words[2]}" if words else line


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return ""
    if value in (None, (), ""):
        sample = _ADDRESS if "mail address" in (info.description or "") else ""
        return f"[{sample}]" if value == () else sample
    if isinstance(value, dict):
        return "{}"
    return _written(value)


def _written(value: Any) -> str:
    """Return a value as YAML writes it on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, time):
        return f'"{value:%H:%M}"'
    if isinstance(value, int | date):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{_scalar(str(key), flow=True)}: {_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return _flow(value) if isinstance(value, Sequence) and not isinstance(value, str) else _scalar(str(value))


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return _scalar(value, flow=True)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _written(value)


def _scalar(text: str, flow: bool = False) -> str:
    """Return a text as a YAML scalar, in quotes if YAML could read it as something else."""
    word = _PLAIN_WORD.fullmatch(text) and text.casefold() not in _OTHER_THAN_TEXT
    plain = word and (not flow or text.isalnum())
    return text if plain else json.dumps(one_line(text), ensure_ascii=False)
