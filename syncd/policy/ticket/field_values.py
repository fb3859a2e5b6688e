"""Turn what people write into values of Jira's fields, and name the key of the mapping that fills a field.

`check` and every write use this one function: what passes the check is not refused for its form later. A
person writes an option in any case, several options as a list or with commas, `Europe / Berlin` for an option
below an option, a number or a day as text, and a person by address, account or name. A value in the form of
Jira's REST API stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from math import isfinite

from syncd.domain.base import JsonValue, Reference
from syncd.domain.field import FieldFacts
from syncd.domain.mapping.jira_section import OWN_FIELDS, FieldValue
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.text.days import date_in

Person = Callable[[str], JsonValue]
"""Return the value of a person field for an address, an account or a name; raise `Unfit` for nobody."""

_KEYS = {"option": "value", "version": "name", "component": "name", "group": "name"}
"""The key under which Jira takes a plain name, by type of field; `_BY_ID` take the option's id."""
_BY_ID = ("priority", "resolution", "securitylevel")
_LISTED = ("option", "option-with-child", *_KEYS, *_BY_ID)
_SEPARATED = re.compile(r"[,;]")
_BLANKS = re.compile(r"\s+")
_MOST_OFFERED = 20
"""Options that a message names."""


class Unfit(Exception):
    """A value that a field does not take; `takes` says what it takes."""

    def __init__(self, value: JsonValue, takes: str) -> None:
        self.value = value
        self.takes = takes
        super().__init__(f"{value} ({takes})")


def field_named(name: str, fields: Iterable[FieldFacts]) -> FieldFacts | None:
    """Return the field that a key of `jira.fields` means, by its id or its name, in any case."""
    all_fields, folded = list(fields), name.casefold()
    by_id = (field for field in all_fields if field.id.casefold() == folded)
    by_name = (field for field in all_fields if field.name.casefold() == folded)
    return next(by_id, None) or next(by_name, None)


def spec_for(mapping: Mapping, field: FieldFacts) -> FieldValue | None:
    """Return the mapping's value of a field, by the field's id or name, None where it gives none."""
    named = {name.casefold(): spec for name, spec in mapping.jira.fields.items()}
    return named.get(field.id.casefold()) or named.get(field.name.casefold())


def how_to_fill(fields: Iterable[FieldFacts], screen: Iterable[FieldFacts]) -> str:
    """Return what to add to the mapping so that it fills these fields of a screen, empty for no fields."""
    names = [field.name.casefold() for field in screen]
    keys, others = [], []
    for field in fields:
        own = _OWN_KEYS.get(field.id)
        if own:
            others.append(own)
        else:
            keys.append((field, f"jira.fields.{_key_of(field, names)}"))
    added = [f"add {' and '.join(key for _, key in keys)} to the mapping"] if keys else []
    people = [field.name or field.id for field, _ in keys if field.type in ("user", "array:user")]
    if people:
        added.append(f"the value of {' and '.join(people)} is a person's address")
    return "; ".join([*added, *others])


def nothing_fills(fields: Iterable[FieldFacts], screen: Iterable[FieldFacts]) -> str:
    """Return the words that name fields which nothing fills, and what to add; empty for no fields."""
    empty = list(fields)
    named = ", ".join(f"{field.name or field.id} ({field.id})" for field in empty)
    return f"nothing fills {named}: {how_to_fill(empty, screen)}" if named else ""


_OWN_KEYS = {
    "assignee": "set people.fallback",
    "priority": "give every severity a `priority` that the project offers",
    "components": "give every service a `component` that the project has",
    "resolution": "name one under jira.resolution",
}


def _key_of(field: FieldFacts, names: list[str]) -> str:
    """Return the name of a field where it is clear which field it means, else its id."""
    name = field.name.casefold()
    return field.name if name and names.count(name) < 2 and name not in OWN_FIELDS else field.id


def fit(value: JsonValue, field: FieldFacts, person: Person) -> JsonValue:
    """Return a value as the field takes it, None for an empty text; raise `Unfit`."""
    outer, _, inner = field.type.partition(":")
    if outer == "array":
        parts = _items(value, field)
        if inner == "string":
            # a label holds no blank
            parts = [_BLANKS.sub("-", _text(part)) if isinstance(part, str) else part for part in parts]
        items = [_fit(item, inner, field, person) for item in parts]
        return [item for item in items if item is not None] or None
    return _fit(value, outer, field, person)


def _items(value: JsonValue, field: FieldFacts) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    # an option may have a comma in its name
    if not isinstance(value, str) or _option(value, field.allowed) is not None:
        return [value]
    return [part.strip() for part in _SEPARATED.split(value)]


def _fit(value: JsonValue, kind: str, field: FieldFacts, person: Person) -> JsonValue:
    if kind == "option-with-child":
        return _below(value, field)
    if isinstance(value, dict):
        return _structured(value, kind, field)
    if isinstance(value, list):
        raise Unfit(", ".join(map(str, value)), "it takes one value")
    if value is None or (isinstance(value, str) and not value.strip()):
        return "" if kind == "string" and value is not None and not field.allowed else None
    if kind in _LISTED:
        return _chosen(str(value), kind, field.allowed)
    if kind in ("user", "number", "date", "datetime"):
        return {"user": person, "number": _number, "date": _day, "datetime": _moment}[kind](_text(value))
    if kind == "string":
        return _chosen_text(_text(value), field.allowed)
    if kind == "issuelink":
        return {"key": _text(value)}
    return {"originalEstimate": _text(value)} if kind == "timetracking" else value


def _text(value: JsonValue) -> str:
    # YAML reads `yes` in some spellings as true
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _structured(value: dict[str, JsonValue], kind: str, field: FieldFacts) -> JsonValue:
    """Return a value in the form of Jira's API, checked where it only names an option."""
    if kind in _LISTED and field.allowed and len(value) == 1:
        key, name = next(iter(value.items()))
        if key in ("id", "value", "name"):
            return _chosen(str(name), kind, field.allowed)
    return value


def _option(text: str, allowed: Iterable[Reference]) -> Reference | None:
    """Return the option with this name or id; one in the very same case comes before others."""
    plain, options = " ".join(text.split()), list(allowed)
    same = (option for option in options if plain in (option.name, option.id))
    folded = (option for option in options if " ".join(option.name.split()).casefold() == plain.casefold())
    return next(same, None) or next(folded, None)


def _chosen(text: str, kind: str, allowed: tuple[Reference, ...]) -> JsonValue:
    # a screen without a list of options (a group, a long list) takes the name
    if not allowed:
        return {_KEYS.get(kind, "name"): text}
    option = _option(text, allowed)
    if option is None:
        raise Unfit(text, offered(allowed))
    return {"id": option.id} if kind in _BY_ID else {_KEYS.get(kind, "name"): option.name}


def _chosen_text(text: str, allowed: tuple[Reference, ...]) -> str:
    if not allowed:
        return text
    option = _option(text, allowed)
    if option is None:
        raise Unfit(text, offered(allowed))
    return option.name


def offered(allowed: Iterable[Reference]) -> str:
    """Return the words that name a field's options."""
    names = [option.name or option.id for option in allowed]
    more = f" and {len(names) - _MOST_OFFERED} more" if len(names) > _MOST_OFFERED else ""
    return f"it has {', '.join(names[:_MOST_OFFERED]) or 'none'}{more}"


def _below(value: JsonValue, field: FieldFacts) -> JsonValue:
    """Return an option with the option below it: `Europe / Berlin`, a list of both, or Jira's own form."""
    if isinstance(value, dict):
        child = value.get("child")
        inner = (child.get("value") or child.get("id")) if isinstance(child, dict) else None
        value = [value.get("value") or value.get("id"), *([inner] if inner else [])]
    words = [_text(part) for part in value] if isinstance(value, list) else _text(value or "")
    if not words:
        return None
    parent, rest = _parent(words, field)
    shown: dict[str, JsonValue] = {"value": parent.name}
    if rest:
        children = field.children.get(parent.id, ())
        child_option = _option(rest, children)
        if child_option is None:
            raise Unfit(f"{parent.name} / {rest}", offered(children))
        shown["child"] = {"value": child_option.name}
    return shown


def _parent(words: list[str] | str, field: FieldFacts) -> tuple[Reference, str]:
    """Return the upper option and the words for the lower one, which may be empty."""
    text = " / ".join(words) if isinstance(words, list) else words
    if isinstance(words, list) and len(words) < 3:
        option, rest = _option(words[0], field.allowed), words[1] if words[1:] else ""
        if option is not None:
            return option, rest
    option = _option(text, field.allowed)
    if option is not None:
        return option, ""
    for option in field.allowed:
        match = re.fullmatch(rf"(?i){re.escape(option.name)}\s*(?:/|>|->|→|:|,|-)\s*(.+)", text)
        if match is not None:
            return option, match[1]
    raise Unfit(text, offered(field.allowed))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Unfit(text, "it takes a number such as 1.5")
    return number


def _day(text: str) -> str:
    moment = _moment_in(text)
    day: date | None = moment.date() if moment is not None else date_in(text)
    if day is None:
        raise Unfit(text, "it takes a day such as 2026-12-05 or 5 Dec 2026")
    return day.isoformat()


def _moment(text: str) -> str:
    moment = _moment_in(text)
    if moment is None or moment.tzinfo is None:
        raise Unfit(text, "it takes a time with its zone, such as 2026-12-05 14:30 UTC")
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000{moment:%z}"


def _moment_in(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        return None


def shown_text(value: JsonValue) -> JsonValue:
    """Return the words of a field's value as Jira shows them: an option is an object with its `value`."""
    if isinstance(value, list):
        return ", ".join(str(shown_text(item)) for item in value) or None
    if isinstance(value, dict):
        return value.get("value") or value.get("name")
    return value
