"""Reading foreign JSON: lenient towards what is extra or null, strict about what matters.

Parsers are plain functions that take what they need and let a missing or odd value raise. Here that is
caught at one place per item and becomes `Unknown(BROKEN)` naming the place (`incidents[3]: 'status' is
missing`), never quoting the value, which is people's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from syncd.remote.errors import Cause, NotDone, Unreadable

T = TypeVar("T")
Wire = dict[str, Any]
"""A JSON object as a service sent it."""

ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What a parser raises where an answer is not as documented."""
_UNWANTED_BYTES = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)|\xed[\xa0-\xbf]")
_UNWANTED = re.compile("[\x00\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")


class UnreadableError(ValueError):
    """A place of an answer that is not as it has to be."""


def load(content: bytes) -> Any:
    """Read JSON; raises ValueError or RecursionError.

    Half surrogates and NUL, which JSON can carry and no database or encoder takes, become U+FFFD: a
    title with one must not stop everything that is read beside it.
    """
    body = json.loads(content)
    return _clean(body) if _UNWANTED_BYTES.search(content) else body


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNWANTED.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    return value


def each(body: Any, key: str, parse: Callable[[Wire], T]) -> tuple[T, ...]:
    """Parse every item of the list `body[key]`; raises `UnreadableError` with the place."""
    return listed(_items(body, key), parse, key)


def _items(body: Any, key: str) -> list[Any]:
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise UnreadableError(f"'{key}' is no list")
    return items


def listed(items: Any, parse: Callable[[Wire], T], place: str = "") -> tuple[T, ...]:
    """Parse every item of a list; raises `UnreadableError` with the place."""
    if not isinstance(items, list):
        raise UnreadableError(f"{place or 'the answer'} is no list")
    parsed = []
    for index, item in enumerate(items):
        try:
            parsed.append(parse(item))
        except ODD as error:
            raise UnreadableError(f"{place}[{index}]: {_described(error)}") from None
    return tuple(parsed)


def each_readable(
    body: Any, key: str, parse: Callable[[Wire], T], named: Callable[[Wire], str]
) -> tuple[tuple[T, ...], dict[str, str]]:
    """Parse every item of the list `body[key]`; those that cannot be read are told by `named`, with why.

    An item that `named` finds no id in is not told from a broken answer: raises `UnreadableError` as `each`.
    """
    parsed, unread = [], {}
    for index, item in enumerate(_items(body, key)):
        try:
            parsed.append(parse(item))
        except ODD as error:
            words = f"{key}[{index}]: {_described(error)}"
            unread[_named(item, named, words)] = words
    return tuple(parsed), unread


def _named(item: Any, named: Callable[[Wire], str], words: str) -> str:
    try:
        name = named(item)
        usable = isinstance(name, str) and _ID.fullmatch(name) is not None
    except ODD:
        usable = False
    if not usable:
        raise UnreadableError(words)
    return name


@contextmanager
def reading(service: str, request: str) -> Iterator[None]:
    """Turn what cannot be read within the block into `Unreadable` (an `Unknown(BROKEN)`) of this request."""
    try:
        yield
    except ODD as error:
        described = _described(error)
    else:
        return
    # Raised here and not above, so that no error drags along a traceback whose frames hold the answer.
    raise Unreadable(service, request, Cause.BROKEN, described)


def identifier(service: str, text: str) -> str:
    """Return an id or key that may stand in a path; raises `NotDone(REJECTED)` for anything else."""
    if not _ID.fullmatch(text):
        raise NotDone(service, "building a request", Cause.REJECTED, "this is no id or key")
    return text


def moment(text: Any) -> datetime:
    """Read an ISO 8601 time with its zone; raises `UnreadableError`."""
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise UnreadableError("a time cannot be read") from None
    if read.tzinfo is None:
        raise UnreadableError("a time lacks its zone")
    return read


def maybe_moment(text: Any) -> datetime | None:
    """As `moment`, None for nothing."""
    return moment(text) if text else None


def _described(error: Exception) -> str:
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"'{'.'.join(str(part) for part in first['loc'])}': {first['msg']}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return f"not as documented ({type(error).__name__})"
