"""List the keys of a mapping from its types, for suggestions, the JSON Schema and the table in the README.

The `description` of a field in `syncd.domain.mapping` is the only text that describes its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from syncd.domain.mapping.mapping import Mapping

NAMED = "NAME"
"""The part of a key's path that is a name of the team's choice."""


@dataclass(frozen=True)
class Key:
    """A key that a mapping may have: its path, its description, its default."""

    path: str
    description: str
    default: str


@cache
def all_keys() -> tuple[Key, ...]:
    """Return every key of a mapping in the order of its types, each section before its keys."""
    return tuple(_walk(Mapping, ""))


def known_keys(path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of the section at a path; none if the team chooses them."""
    steps = [_steps(key.path) for key in all_keys()]
    return tuple(names[-1] for names in steps if len(names) == len(path) + 1 and all(map(_fits, names, path)))


def _steps(path: str) -> list[str]:
    """Return the parts of a key's path; `[]` is the index in a list."""
    return path.replace("[]", ".[]").split(".")


def _fits(step: str, part: str | int) -> bool:
    return step == "[]" if isinstance(part, int) else step in (NAMED, part)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        # `version` and `file` are set by the loader, not by people
        if info.exclude:
            continue
        path = prefix + name
        yield Key(path, info.description or "", _default(info))
        inner, step = inside(info.annotation)
        if inner:
            yield from _walk(inner, path + step)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True, validated_data={})
    return "" if value is PydanticUndefined else _written(value)


def _written(value: object) -> str:
    """Return a default as a mapping would write it; an empty text if there is nothing to write."""
    if value in (None, (), "") or isinstance(value, (BaseModel, dict)):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def inside(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the section under a key (None: no section), and the separator between its path and its keys.

    The separator is `.`, `.NAME.` (one section for each name), or either of both after `[]` (a list).
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "."
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        rest = [part for part in parts if part is not NoneType]
        return inside(rest[0]) if len(rest) == 1 else (None, "")
    if origin is dict:
        model, step = inside(parts[1])
        return model, f".{NAMED}{step}"
    if origin is tuple:
        model, step = inside(parts[0])
        return model, f"[]{step}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return inside(parts[0])
    return None, ""
