"""Load the mappings: read and check every `*.yaml` of a folder, all of them or those without problems.

syncd tells all problems of all files at once: a person who can only fix one problem per run gives up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from syncd.config.mapping.checks import content_problems, section
from syncd.config.mapping.errors import structure_problems
from syncd.config.mapping.keys import known_keys
from syncd.config.mapping.template_trial import missing_template, template_problems
from syncd.config.mapping.yaml_reader import Document, Path_, read_yaml
from syncd.config.problems import ConfigError, Problem, by_place
from syncd.config.templates.templates import Templates
from syncd.domain.base import JsonValue
from syncd.domain.mapping.mapping import Mapping, UnusableMapping


@dataclass
class _File:
    """One file: its document and mapping if they could be read, and its problems.

    `contested` tells which of its claims a later file repeats: that one has the problem, and nobody can tell
    which of the two is right.
    """

    name: str
    document: Document | None
    mapping: Mapping | None
    problems: list[Problem]
    contested: list[Problem] = field(default_factory=list)


def load_mappings(folder: Path, templates: Templates) -> tuple[Mapping, ...]:
    """Return the mappings of a folder's `*.yaml` files in the order of their names.

    Raise `ConfigError` with every problem of every file.
    """
    mappings, unusable = load_usable(folder, templates)
    if unusable:
        raise ConfigError(problem for file in unusable for problem in file.problems)
    return mappings


@dataclass(frozen=True)
class UnusableFile:
    """A file with problems, and what it claims."""

    mapping: UnusableMapping
    problems: tuple[Problem, ...]


def load_usable(folder: Path, templates: Templates) -> tuple[tuple[Mapping, ...], tuple[UnusableFile, ...]]:
    """Return the mappings of a folder without problems, and the files with problems.

    Raise `ConfigError` with every problem where no mapping is left.
    """
    files = [_read(path, templates) for path in _files(folder)]
    _note_claimed_twice([file for file in files if file.document])
    mappings = tuple(
        file.mapping for file in files if file.mapping and not file.problems and not file.contested
    )
    if not mappings:
        raise ConfigError(problem for file in files for problem in file.problems)
    return mappings, tuple(_unusable(file) for file in files if file.problems or file.contested)


def _unusable(file: _File) -> UnusableFile:
    data = file.document.data if file.document is not None else {}
    team, services = data.get("team"), section(data, "services")
    ids = {name: value.get("id") if isinstance(value, dict) else None for name, value in services.items()}
    mapping = UnusableMapping(
        file=file.name,
        problems=tuple(str(problem) for problem in (*file.problems, *file.contested)),
        team=team if isinstance(team, str) else None,
        services={name: (ident,) if isinstance(ident, str) else () for name, ident in ids.items()},
    )
    return UnusableFile(mapping, tuple(file.problems))


def _files(folder: Path) -> list[Path]:
    hint = "`syncd init DIR` writes a first mapping"
    if not folder.is_dir():
        raise ConfigError([Problem(str(folder), "", "no such folder", hint)])
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise ConfigError([Problem(str(folder), "", "no mapping in this folder", hint)])
    return files


def _read(path: Path, templates: Templates) -> _File:
    try:
        document, raw = read_yaml(path)
        check_version(document)
    except ConfigError as error:
        return _File(path.name, None, None, list(error.problems))
    if path.suffix == ".yml":
        # an ignored mapping would leave its services without tickets, and nobody would notice
        message = "not read, because its name ends in .yml"
        wrong_name = Problem(str(path), "", message, f"name it {path.stem}.yaml")
        return _File(path.name, document, None, [wrong_name])
    problems = content_problems(document)
    try:
        version = sha256(raw).hexdigest()[:16]
        mapping = Mapping.model_validate(_filled(document)).model_copy(
            update={"version": version, "file": path.name}
        )
    except ValidationError as error:
        problems += structure_problems(error, document) + missing_template(document, templates)
        return _File(path.name, document, None, sorted(problems, key=by_place))
    # templates are rendered for the mapping's services, so the mapping must be sound first
    if not problems:
        problems = template_problems(mapping, document, templates)
    return _File(path.name, document, mapping, problems)


def _filled(document: Document) -> JsonValue:
    """Return the data with empty sections filled in: `Payments:` with nothing under it is a service, too."""
    data = copy.deepcopy(document.data)
    for path in document.values:
        if path and _value(document.data, path) is None and known_keys(path):
            parent = _value(data, path[:-1])
            if isinstance(parent, dict):
                parent[str(path[-1])] = {}
    return data


def _value(data: JsonValue, path: Path_) -> JsonValue:
    for step in path:
        if isinstance(data, dict) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step]
    return data


def _note_claimed_twice(files: list[_File]) -> None:
    """Note a problem of both files for each service or team that two files claim, by id or by name."""
    claims: dict[tuple[str, str], tuple[_File, Path_]] = {}
    for file in files:
        if file.document is None:
            continue
        for kind, word, path in _claims(file.document):
            first = claims.setdefault((kind, word.casefold()), (file, path))
            if first[0] is not file and first[0].document is not None:
                here, other = file.document.place(path), first[0].document.place(first[1])
                hint = "keep it in one mapping only"
                file.problems.append(
                    file.document.problem(path, f"{kind} that {other} already claims", hint, here)
                )
                first[0].contested.append(
                    first[0].document.problem(first[1], f"{kind} that {here} claims, too", hint, other)
                )


def _claims(document: Document) -> list[tuple[str, str, Path_]]:
    claims: list[tuple[str, str, Path_]] = []
    team = document.data.get("team")
    if isinstance(team, str):
        claims.append(("the name of a team", team, ("team",)))
    for name, value in section(document.data, "services").items():
        claims.append(("a service", name, ("services", name)))
        service_id = value.get("id") if isinstance(value, dict) else None
        if isinstance(service_id, str):
            claims.append(("the id of a service", service_id, ("services", name, "id")))
    return claims


NEWEST = 1
"""The version of the format that this syncd reads."""


def check_version(document: Document) -> None:
    """Raise `ConfigError` if a document does not begin with `syncd:` and a supported version."""
    key, first = ("syncd",), next(iter(document.data), None)
    if first != "syncd":
        message = "not the first key" if "syncd" in document.data else "missing"
        hint = f"begin the file with `syncd: {NEWEST}`"
        raise ConfigError([document.problem(key, message, hint, document.place(key))])
    version = document.data["syncd"]
    # `syncd: true` is a bool, which Python counts as an int
    if not isinstance(version, int) or isinstance(version, bool) or version < NEWEST:
        hint = f"write `syncd: {NEWEST}`"
        raise ConfigError([document.problem(key, "not a version of the format", hint)])
    if version > NEWEST:
        hint = f"this syncd reads versions up to {NEWEST}; install a newer syncd"
        raise ConfigError([document.problem(key, "a newer version of the format", hint)])
