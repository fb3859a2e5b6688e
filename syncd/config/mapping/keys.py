"""The keys of a mapping, read off its types: for suggestions, the JSON Schema and the table for people.

One text describes a key everywhere: the `description` of its field in `syncd.domain.mapping.mapping`.
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
"""Stands for a name that the team chooses, in the path of a key."""


@dataclass(frozen=True)
class Key:
    """A key that a mapping may have: its path, what it means, what it is where it is not written."""

    path: str
    description: str
    default: str


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key of a mapping in the order of its types, sections before what they hold."""
    return tuple(_walk(Mapping, ""))


def known_keys(path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that may stand in the section at a path, none where the team chooses them."""
    steps = [_steps(key.path) for key in all_keys()]
    return tuple(names[-1] for names in steps if len(names) == len(path) + 1 and all(map(_fits, names, path)))


def _steps(path: str) -> list[str]:
    """The parts of a key's path; `[]` stands for the place in a list."""
    return path.replace("[]", ".[]").split(".")


def _fits(step: str, part: str | int) -> bool:
    return step == "[]" if isinstance(part, int) else step in (NAMED, part)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        if info.exclude:
            continue
        path = prefix + name
        yield Key(path, info.description or "", _default(info))
        inner, step = _inside(info.annotation)
        if inner:
            yield from _walk(inner, path + step)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True, validated_data={})
    return "" if value is PydanticUndefined else _written(value)


def _written(value: object) -> str:
    """A default as a mapping would write it; empty where there is nothing to write."""
    if value in (None, (), "") or isinstance(value, (BaseModel, dict)):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _inside(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The section that a key holds, and what stands between its path and theirs."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "."
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        rest = [part for part in parts if part is not NoneType]
        return _inside(rest[0]) if len(rest) == 1 else (None, "")
    if origin is dict:
        model, step = _inside(parts[1])
        return model, f".{NAMED}{step}"
    if origin is tuple:
        model, step = _inside(parts[0])
        return model, f"[]{step}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _inside(parts[0])
    return None, ""
