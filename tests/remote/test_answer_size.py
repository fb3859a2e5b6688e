"""Answers without a limit: syncd stops to read them, keeps nothing of them, and goes on."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import requests

from syncd.remote.errors import Cause, Unknown
from syncd.remote.http.deadline import LARGEST_ANSWER
from syncd.remote.http.wire import MOST_OBJECTS

from .raw import RawServer, says

Sessions = Callable[..., requests.Session]
MIB = 1024 * 1024
ZEROS = b'{"more": "' + b"0" * (8 * LARGEST_ANSWER) + b'"}'
BOMBS = {
    "gzip": gzip.compress(ZEROS, 1),
    "deflate": zlib.compress(ZEROS, 1),
    "gzip, gzip": gzip.compress(gzip.compress(ZEROS, 1), 1),
}


@pytest.mark.parametrize("encoding", BOMBS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_small_answer_that_unpacks_without_end_is_read_up_to_the_limit(
    session: Sessions, encoding: str, status: int
) -> None:
    bomb = says(raw=BOMBS[encoding], status=status, headers=[("Content-Encoding", encoding)])
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


def test_an_answer_of_millions_of_objects_is_not_read(session: Sessions) -> None:
    many = b'{"issues": [' + b'{ "id":{}},' * MOST_OBJECTS + b"0]}"
    with RawServer(says(raw=many), says({"text": '{"' * (2 * MOST_OBJECTS)})) as server:
        asking = session(server.url)
        with pytest.raises(Unknown, match="the answer has more than 300000 objects"):
            asking.get(f"{server.url}/incidents")
        # in a text they are no objects
        assert asking.get(f"{server.url}/incidents").json()["text"].startswith('{"{"')


def test_an_answer_is_not_kept_beside_what_was_read_of_it(session: Sessions) -> None:
    with RawServer(says({"title": "x" * 4 * MIB})) as server:
        answer = session(server.url).get(f"{server.url}/incidents")
    assert len(answer.json()["title"]) == 4 * MIB
    assert answer.content == b""
