"""A server that has no room: no connection is left, or its disk is full."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from postgresql import Cluster

DISK = "256m"
"""The size of the small disk, as mount has it."""
_PIECE = bytes(65536)


@contextmanager
def no_connection_left(cluster: Cluster) -> Iterator[int]:
    """Take all connections that the server has left, while the block runs; yield how many."""
    taken: list[Any] = []
    try:
        with suppress(psycopg.OperationalError):
            while True:
                taken.append(cluster.connect("postgres"))
        yield len(taken)
    finally:
        for connection in taken:
            connection.close()


@contextmanager
def small_disk(folder: Path) -> Iterator[str | None]:
    """Mount a small disk at a folder while the block runs; yield why not, None if it is there."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stderr.strip() or "it cannot be mounted"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Fill the disk under a folder while the block runs."""
    filler = folder / "filler"
    try:
        # again and again: what the server frees meanwhile is taken, too
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(_PIECE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        yield
    finally:
        filler.unlink(missing_ok=True)
        os.sync()
