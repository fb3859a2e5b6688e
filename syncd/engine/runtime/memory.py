"""Make the C library give the memory of large answers back to the system.

glibc maps large blocks singly, and returns them when they are freed. With the first freed block it raises its
limit for "large" to that block's size, up to 32 MiB: the next bodies then stay in the heap of each thread
(measured: 78 MB after five answers of 16 MiB). A fixed limit keeps glibc from that.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""From glibc's malloc.h."""
MAPPED_FROM = 256 * 1024
"""Bytes of a block that is mapped singly."""


def return_large_blocks() -> None:
    """Fix the limit for blocks that are mapped singly; do nothing where the C library has none to set."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM)
