"""Read YAML 1.2 into plain data with lines and columns.

syncd reads the file event by event. So it refuses a file that is too large or too deep before it builds
anything, and it names every duplicate key, anchor and tag, not only the first. Anchors and aliases are not
allowed: people read a mapping, so a value should stand where it holds, and a few aliases can expand to
gigabytes.
Dates stay text; the mapping's types decide which values are dates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode

from syncd.config.problems import ConfigError, Place, Problem
from syncd.domain.base import JsonValue

LARGEST_FILE = 1024 * 1024
"""Bytes."""
DEEPEST = 20
"""Levels of nesting."""
MOST_VALUES = 20_000

Path_ = tuple[str | int, ...]


@dataclass
class Document:
    """One file as plain data; `keys` and `values` hold the place of each path.

    `sections` are the paths of mappings and lists.
    """

    file: str
    data: dict[str, JsonValue] = field(default_factory=dict)
    keys: dict[Path_, Place] = field(default_factory=dict)
    values: dict[Path_, Place] = field(default_factory=dict)
    sections: set[Path_] = field(default_factory=set)

    def place(self, path: Path_) -> Place:
        """Return the place of a path's key, else of the nearest section around it."""
        for end in range(len(path), 0, -1):
            place = self.keys.get(path[:end]) or self.values.get(path[:end])
            if place:
                return place
        return self.values.get((), Place(self.file, 1, 1))

    def where(self, path: Path_) -> Place:
        """Return the place of a path's value; for a section or list, the place of its key."""
        if path in self.sections:
            return self.place(path)
        return self.values.get(path) or self.place(path)

    def problem(self, path: Path_, message: str, hint: str, at: Place | None = None) -> Problem:
        """Return a problem of a path, at the place of its value unless `at` gives another."""
        return Problem(str(at or self.where(path)), dotted(path), message, hint)


def dotted(path: Path_) -> str:
    """Return a path as people write it: `services.Payments.playbook[0].title`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(path: Path) -> tuple[Document, bytes]:
    """Return a file's content and its bytes; raise `ConfigError` with every problem."""
    try:
        with path.open("rb") as stream:
            # one byte more than allowed shows that the file is too large, without reading all of it
            raw = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError([Problem(str(path), "", error.strerror or "cannot be read")]) from None
    if len(raw) > LARGEST_FILE:
        hint = f"at most {LARGEST_FILE // 1024} KiB"
        raise ConfigError([Problem(str(path), "", "too large for a mapping", hint)])
    try:
        # editors on Windows begin a file with a byte order mark
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        where = str(Place(str(path), line, error.start - raw.rfind(b"\n", 0, error.start)))
        raise ConfigError([Problem(where, "", "not UTF-8", "save the file as UTF-8")]) from None
    return parse_yaml(text, str(path)), raw


def parse_yaml(text: str, file: str) -> Document:
    """Return the document of a YAML text; raise `ConfigError` with every problem."""
    builder = _Builder(file)
    yaml = YAML(typ="safe", pure=True)
    try:
        for event in yaml.parse(text):
            builder.take(event, yaml)
    except _StopReading:
        pass
    except YAMLError as error:
        builder.problems.append(_syntax(error, text, file))
    if builder.problems:
        raise ConfigError(builder.problems)
    if not isinstance(builder.root, dict):
        hint = "begin with `syncd: 1` and write `key: value` lines"
        raise ConfigError([Problem(str(Place(file, 1, 1)), "", "not a mapping", hint)])
    builder.document.data = builder.root
    return builder.document


def _syntax(error: YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark:
        place = Place(file, mark.line + 1, mark.column + 1)
    else:
        # for a forbidden character ruamel.yaml gives the position only
        before = text[: getattr(error, "position", None) or 0]
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read as YAML"
    hint = "check the indentation, colons and quotes here and on the line before"
    if "\\t" in message:
        hint = "indent with spaces, not tabs"
    elif isinstance(error, MarkedYAMLError) and error.context:
        message = f"{message} {error.context}"
    return Problem(str(place), "", str(message), hint)


class _StopReading(Exception):
    """Stop reading: further events bring no new problem."""


class _Builder:
    """Build plain data from events, and collect what a mapping must not contain."""

    def __init__(self, file: str) -> None:
        self.document = Document(file)
        self.problems: list[Problem] = []
        self.root: JsonValue = None
        self._open: list[_Frame] = []
        self._seen = self._documents = 0

    def take(self, event: Event, yaml: YAML) -> None:
        """Take the next event; raise `_StopReading` if there is no point in reading on."""
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(event, "a second document", "one mapping a file; remove the `---`")
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._open.pop()
        elif isinstance(event, NodeEvent):
            self._take_node(event, yaml)

    def _take_node(self, event: NodeEvent, yaml: YAML) -> None:
        self._seen += 1
        if self._seen > MOST_VALUES or len(self._open) >= DEEPEST:
            self._stop(event, "too many values, or nested too deeply, for a mapping", "make it simpler")
        self._refuse(event)
        frame = self._open[-1] if self._open else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._take_key(event, frame)
            return
        path = frame.next_path() if frame else ()
        self.document.values[path] = self._place(event)
        value: JsonValue = None
        if isinstance(event, MappingStartEvent):
            value = {}
        elif isinstance(event, SequenceStartEvent):
            value = []
        elif isinstance(event, ScalarEvent):
            value = self._scalar(event, path, yaml)
        if frame:
            frame.put(value)
        else:
            self.root = value
        if isinstance(value, (dict, list)):
            self.document.sections.add(path)
            self._open.append(_Frame(path, value))

    def _take_key(self, event: NodeEvent, frame: _Frame) -> None:
        if not isinstance(event, ScalarEvent):
            self._stop(event, "a key that is not a text", "write `key: value`")
        key = str(event.value)
        path = (*frame.path, key)
        if path in self.document.keys:
            first = self.document.keys[path]
            self._say(event, path, "given twice", f"the first is in line {first.line}; remove one")
        elif key == "<<":
            self._say(event, path, "merging is not supported", "write the keys in each section")
        self.document.keys[path] = self._place(event)
        frame.key = key

    def _refuse(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            mark = "*" if isinstance(event, AliasEvent) else "&"
            self._say(event, (), f"`{mark}{event.anchor}`: anchors are not supported", "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._say(event, (), f"the tag `{tag}` is not supported", "write the plain value")

    def _scalar(self, event: ScalarEvent, path: Path_, yaml: YAML) -> JsonValue:
        """Return a scalar's value by YAML 1.2's core schema: null, true or false, a number, else text."""
        text = str(event.value)
        tag = str(yaml.resolver.resolve(ScalarNode, text, event.implicit)).rpartition(":")[2]
        node = ScalarNode(tag=None, value=text, start_mark=event.start_mark, end_mark=event.end_mark)
        try:
            if tag == "null":
                return None
            if tag == "bool":
                return bool(yaml.constructor.construct_yaml_bool(node))
            if tag == "int":
                return int(yaml.constructor.construct_yaml_int(node))
            if tag == "float":
                number = float(yaml.constructor.construct_yaml_float(node))
                if math.isfinite(number):
                    return number
                raise ValueError
        except (ValueError, OverflowError):
            self._say(event, path, "not a number", "write a plain number, or a text in quotes")
        return text

    def _place(self, event: Event) -> Place:
        return Place(self.document.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _say(self, event: Event, path: Path_, message: str, hint: str) -> None:
        self.problems.append(Problem(str(self._place(event)), dotted(path)[:200], message[:200], hint))

    def _stop(self, event: Event, message: str, hint: str) -> NoReturn:
        self._say(event, (), message, hint)
        raise _StopReading


@dataclass
class _Frame:
    """A mapping or list that is being filled."""

    path: Path_
    container: dict[str, JsonValue] | list[JsonValue]
    key: str | None = None

    def next_path(self) -> Path_:
        """The path of the value that comes next."""
        return (*self.path, len(self.container) if isinstance(self.container, list) else self.key or "")

    def put(self, value: JsonValue) -> None:
        """Add the next value to the list, or to the mapping under the current key."""
        if isinstance(self.container, list):
            self.container.append(value)
        else:
            self.container[self.key or ""] = value
            self.key = None
