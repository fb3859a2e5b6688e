"""Older versions of the mapping format, brought up to the one that this syncd reads.

Version 1 is the first, so no step exists yet. A step changes the data in place and returns what it
changed, one sentence each; steps run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncd.config.mapping.yaml_reader import Document
from syncd.config.problems import ConfigError, Problem
from syncd.domain.base import JsonValue

NEWEST = 1

Step = Callable[[dict[str, JsonValue]], list[str]]
STEPS: Mapping[int, Step] = {}
"""From each older version to the next one."""


def normalise(document: Document, steps: Mapping[int, Step] = STEPS, newest: int = NEWEST) -> list[str]:
    """Bring a document to the newest version and return what was changed.

    Raises `ConfigError` where it does not begin with `syncd:` and a version that is known.
    """
    first = next(iter(document.data), None)
    if first != "syncd":
        said = "not the first key" if "syncd" in document.data else "missing"
        place = document.place(("syncd",))
        raise ConfigError([Problem(str(place), "syncd", said, f"begin the file with `syncd: {newest}`")])
    version = document.data["syncd"]
    place = document.where(("syncd",))
    if not isinstance(version, int) or isinstance(version, bool) or version < min(steps, default=newest):
        hint = f"write `syncd: {newest}`"
        raise ConfigError([Problem(str(place), "syncd", "not a version of the format", hint)])
    if version > newest:
        hint = f"this syncd reads up to {newest}; install a newer one"
        raise ConfigError([Problem(str(place), "syncd", "a version of the future", hint)])
    said_changes: list[str] = []
    while version < newest:
        said_changes += steps[version](document.data)
        version += 1
        document.data["syncd"] = version
    return said_changes
