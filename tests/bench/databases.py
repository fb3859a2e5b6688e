"""The databases of a ledger that is measured: a SQLite file beside the settings, or a PostgreSQL cluster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgresql import Cluster, programs, shared_cluster

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
DATABASES = (SQLITE, POSTGRESQL)


class Database:
    """The place of one ledger, and what its server spends; a file has none."""

    def __init__(self, url: str, cluster: Cluster | None = None) -> None:
        self.url, self._cluster = url, cluster

    def seconds(self) -> float:
        """Return the processor seconds of the server until now, those of connections that ended included."""
        if self._cluster is None:
            return 0.0
        main = (self._cluster.socket / "data" / "postmaster.pid").read_text().split()[0]
        spent = [line for line in map(_stat, Path("/proc").glob("[0-9]*")) if line]
        ours = sum(
            sum(times[:4]) if pid == main else sum(times[:2])
            for pid, parent, times in spent
            if main in (pid, parent)
        )
        return ours / os.sysconf("SC_CLK_TCK")

    def filled(self) -> None:
        """Let the server count its rows, as it does by itself in life."""
        if self._cluster is not None:
            with self._cluster.connect("ledger") as connection:
                connection.execute("VACUUM ANALYZE")


def _stat(process: Path) -> tuple[str, str, list[int]] | None:
    """Return a process's id, its parent's, and its ticks: user, system, and both of its ended children."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return process.name, fields[1], [int(ticks) for ticks in fields[11:15]]


@contextmanager
def opened(name: str, file: Path) -> Iterator[Database]:
    """Yield the place of a new ledger: the file, or a cluster that ends with the block."""
    if name == SQLITE:
        yield Database(f"sqlite:///{file}")
        return
    if programs() is None:
        raise RuntimeError("PostgreSQL is missing")
    # its user must reach the folder, and the path of its socket is short
    with shared_cluster(Path(tempfile.gettempdir()) / f"syncd-bench-{os.getpid()}") as cluster:
        yield Database(cluster.url(cluster.new(database="ledger")), cluster)
