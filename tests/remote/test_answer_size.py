"""Answers without a limit: syncd stops to read them, keeps nothing of them, and goes on."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache

import pytest
import requests

from syncd.remote.errors import Cause, NotDone, Unknown
from syncd.remote.http.deadline import LARGEST_ANSWER
from syncd.remote.http.wire import MOST_PARTS, TooManyPartsError, load

from .raw import RawServer, says

Sessions = Callable[..., requests.Session]
MIB = 1024 * 1024
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": lambda data: zlib.compress(data, 1),
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data, 1), 1),
}


@cache
def packed(encoding: str) -> bytes:
    """Return an answer that is small until it is unpacked."""
    return PACKERS[encoding](b'{"more": "' + b"0" * (8 * LARGEST_ANSWER) + b'"}')


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_small_answer_that_unpacks_without_end_is_read_up_to_the_limit(
    session: Sessions, encoding: str, status: int
) -> None:
    bomb = says(raw=packed(encoding), status=status, headers=[("Content-Encoding", encoding)])
    with RawServer(bomb, says({"more": False})) as server:
        asking = session(server.url)
        tracemalloc.start()
        with pytest.raises(Unknown) as caught:
            asking.post(f"{server.url}/incidents")
        kept, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.cause is Cause.BROKEN
        assert "larger than 16 MiB" in str(caught.value)
        assert most < 3 * LARGEST_ANSWER
        assert kept < MIB
        # and the next request has a connection of its own
        assert asking.get(f"{server.url}/incidents").json() == {"more": False}


@pytest.mark.parametrize("part", [b'{ "id":{}},', b"{},", b"[[]],", b'"ab",', b"1e9,", b'{"a":[', b"[1],"])
def test_an_answer_of_millions_of_parts_is_not_read(part: bytes) -> None:
    with pytest.raises(TooManyPartsError, match="the answer has more than 500000 parts"):
        load(b'{"issues": [' + part * MOST_PARTS)


@pytest.mark.parametrize("letters", ["[{,", '\\"{', '",'])
def test_brackets_and_commas_in_a_text_are_no_parts(letters: str) -> None:
    body = {"text": letters * MOST_PARTS, "items": [1] * (MOST_PARTS - 4)}
    assert load(json.dumps(body, separators=(",", ":")).encode()) == body


def test_an_answer_of_too_many_parts_is_broken_and_the_next_one_is_read(session: Sessions) -> None:
    with RawServer(says(raw=b"{}," * MOST_PARTS), says({"more": False})) as server:
        asking = session(server.url)
        with pytest.raises(Unknown, match="the answer has more than 500000 parts"):
            asking.get(f"{server.url}/incidents")
        assert asking.get(f"{server.url}/incidents").json() == {"more": False}


def test_a_refusal_in_a_million_words_is_read_up_to_a_limit(session: Sessions) -> None:
    refusal = {"errorMessages": ["no " * MIB], "errors": {f"field{number}": "no" for number in range(1_000)}}
    with RawServer(says(refusal, status=400)) as server:
        asking = session(server.url)
        tracemalloc.start()
        with pytest.raises(NotDone) as caught:
            asking.get(f"{server.url}/incidents")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 20 * MIB
    assert len(caught.value.field_errors) == 100


def test_an_answer_is_not_kept_beside_what_was_read_of_it(session: Sessions) -> None:
    with RawServer(says({"title": "x" * 4 * MIB})) as server:
        answer = session(server.url).get(f"{server.url}/incidents")
    assert len(answer.json()["title"]) == 4 * MIB
    assert answer.content == b""
