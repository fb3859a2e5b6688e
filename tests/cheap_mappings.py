"""What is expensive about a mapping is done once in a test process: to parse it, and to try its templates."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from syncd.config.mapping import load, yaml_reader
from syncd.config.mapping.template_trial import template_problems
from syncd.config.mapping.yaml_reader import Document, parse_yaml
from syncd.config.problems import Problem
from syncd.config.templates.templates import Templates
from syncd.domain.mapping.mapping import Mapping
from syncd.preflight.checks import configured
from syncd.preflight.checks.finding import Finding

_PARSED: dict[str, Document] = {}
"""The documents of texts without problems."""
_FINE: set[str] = set()
"""Mappings, as JSON, that fit the shipped templates."""
_CHECKED: dict[tuple[str, tuple[str, ...]], list[Finding]] = {}
"""By mapping, as JSON, and titles: what `syncd check` finds about the shipped templates."""
_NO_MATTER = {"version", "file", "enforce_from"}
"""What no template sees."""


def read_mappings_once() -> None:
    """Parse a text once; try a mapping out with the shipped templates once, with others every time."""
    yaml_reader.parse_yaml = _parsed
    load.template_problems = _problems
    configured.templates = _checked


def _parsed(text: str, file: str) -> Document:
    document = _PARSED.get(text)
    if document is None:
        document = _PARSED[text] = parse_yaml(text, file)
    return Document(
        file,
        deepcopy(document.data),
        {path: replace(place, file=file) for path, place in document.keys.items()},
        {path: replace(place, file=file) for path, place in document.values.items()},
        set(document.sections),
    )


def _problems(mapping: Mapping, document: Document, templates: Templates) -> list[Problem]:
    if len(templates.folders) > 1:
        return template_problems(mapping, document, templates)
    content = mapping.model_dump_json(exclude=_NO_MATTER)
    if content in _FINE:
        return []
    problems = template_problems(mapping, document, templates)
    if not problems:
        _FINE.add(content)
    return problems


def _checked(mapping: Mapping, shipped: Templates) -> list[Finding]:
    if len(shipped.folders) > 1:
        return list(_check(mapping, shipped))
    content = (mapping.model_dump_json(exclude=_NO_MATTER), tuple(configured.HOSTILE))
    if content not in _CHECKED:
        _CHECKED[content] = list(_check(mapping, shipped))
    return _CHECKED[content]


_check = configured.templates
