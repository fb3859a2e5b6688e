"""Read foreign JSON: ignore extra fields and nulls, insist on the fields that matter.

A parser takes the fields that it needs; a missing or odd value raises an error. This module catches the error
for each item and turns it into `Unknown(BROKEN)` with the place (`incidents[3]: 'status' is missing`). It
never quotes the value, which may be a person's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError
from requests import Response

from syncd.domain.base import JsonValue
from syncd.remote.errors import Cause, NotDone, Unreadable

T = TypeVar("T")
Wire = dict[str, Any]
"""A JSON object as a service sent it."""

ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""The errors that a parser raises where an answer is not as documented."""
_UNWANTED_BYTES = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)|\xed[\xa0-\xbf]")
_UNWANTED = re.compile("[\x00\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
MOST_PARTS = 500_000
"""Items of lists and fields of objects of an answer. Recorded answers have one in 13 to 35 bytes, so a legal
answer of 6 MiB passes; denser ones would take a hundred times their bytes in memory."""
_PART = re.compile(rb'(?:[^\[{,"]++|"(?:[^"\\]++|\\.)*+"?)*+(?:[\[{,]|\Z)', re.DOTALL)
"""All up to the next bracket or comma outside of texts; linear in any bytes."""


class Answer(Response):
    """A successful answer; the transport read its body within the deadline (None: no body).

    `look` is the same for the same JSON. `unparsed` is JSON that syncd could parse the last time.
    """

    body: JsonValue = None
    look = unparsed = b""

    def json(self, **_: Any) -> Any:
        """Return the body as the transport read it."""
        if self.unparsed:
            self.body, self.unparsed = load(self.unparsed), b""
        return self.body


class UnreadableError(ValueError):
    """A part of an answer that is not as documented."""


class TooManyPartsError(ValueError):
    """An answer that would take far more memory than its bytes."""


def load(content: bytes) -> Any:
    """Read JSON; raise ValueError (`TooManyPartsError`) or RecursionError.

    JSON can carry half surrogates and NUL, but no database or encoder accepts them: they become U+FFFD, so
    that a title with one does not stop the rest of the answer.
    """
    if _has_too_many_parts(content):
        raise TooManyPartsError(f"the answer has more than {MOST_PARTS} parts")
    body = json.loads(content)
    # plain searches are several times as quick, and rule the other one out for most answers
    escapes = b"\\u" in content or b"\xed" in content
    return _clean(body) if escapes and _UNWANTED_BYTES.search(content) else body


def _has_too_many_parts(content: bytes) -> bool:
    # each part has a byte of its own; then quick, but a person's text may have as many commas
    if len(content) <= MOST_PARTS or sum(map(content.count, (b"[", b"{", b","))) <= MOST_PARTS:
        return False
    # the last match is the end of the answer
    return next(islice(_PART.finditer(content), MOST_PARTS + 1, None), None) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNWANTED.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value


def each(body: Any, key: str, parse: Callable[[Wire], T]) -> tuple[T, ...]:
    """Parse all items of the list `body[key]`; raise `UnreadableError` with the place."""
    return listed(_items(body, key), parse, key)


def _items(body: Any, key: str) -> list[Any]:
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise UnreadableError(f"'{key}' is no list")
    return items


def listed(items: Any, parse: Callable[[Wire], T], place: str = "") -> tuple[T, ...]:
    """Parse all items of a list; raise `UnreadableError` with the place."""
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
    """Parse all items of the list `body[key]`; return the unreadable ones by the id from `named`, with the
    reason.

    An item without an id looks like a broken answer: raise `UnreadableError` as `each` does.
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
    except ODD:
        name = ""
    if not is_id(name):
        raise UnreadableError(words)
    return name


def is_id(value: Any) -> bool:
    """Return True for a text that may be an id; a null or a number never becomes one."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


@contextmanager
def reading(service: str, request: str) -> Iterator[None]:
    """Turn parse errors within the block into `Unreadable` (an `Unknown(BROKEN)`) of this request."""
    try:
        yield
    except ODD as error:
        described = _described(error)
    else:
        return
    # raised here and not above, so that no traceback holds frames with the answer
    raise Unreadable(service, request, Cause.BROKEN, described)


def identifier(service: str, text: str) -> str:
    """Return an id or key that may stand in a path; raise `NotDone(REJECTED)` for any other text."""
    if not _ID.fullmatch(text):
        raise NotDone(service, "building a request", Cause.REJECTED, "this is no id or key")
    return text


def moment(text: Any) -> datetime:
    """Return an ISO 8601 time with its zone; raise `UnreadableError`."""
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise UnreadableError("a time cannot be read") from None
    if read.tzinfo is None:
        raise UnreadableError("a time lacks its zone")
    return read


def maybe_moment(text: Any) -> datetime | None:
    """Return `moment`, None for an empty value."""
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
