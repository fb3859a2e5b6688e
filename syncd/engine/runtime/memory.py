"""How the process treats its memory: large answers, and the objects that live as long as it does.

The C library shall give the memory of large answers back to the system. glibc maps large blocks singly, and
returns them when they are freed. With the first freed block it raises its limit for "large" to that block's
size, up to 32 MiB: the next bodies then stay in the heap of each thread (measured: 78 MB after five answers
of 16 MiB). A fixed limit keeps glibc from that.

Python's search for garbage stops all threads. Over all that a start loads it takes a quarter of a second
(measured), several times a minute under load; then the answers to webhooks and grave incidents wait.
"""

from __future__ import annotations

import ctypes
import gc

_M_MMAP_THRESHOLD = -3
"""From glibc's malloc.h."""
MAPPED_FROM = 256 * 1024
"""Bytes of a block that is mapped singly."""


def return_large_blocks() -> None:
    """Fix the limit for blocks that are mapped singly; do nothing where the C library has none to set."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM)


def keep_for_good(*, clean_up: bool = False) -> None:
    """Exempt all objects that exist now from Python's search for garbage; `clean_up` searches once before."""
    if clean_up:
        gc.collect()
    gc.freeze()
