"""A PostgreSQL cluster for one run of the tests: in a temporary folder, on a Unix socket, of any user.

All workers of a run share it; it ends with the last of them, also if that is killed. A test gets a database
of its own, copied from one with the ledger's empty tables.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Integer, event
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

from syncd.ledger.database.backend import backend_of
from syncd.ledger.open import Ledger
from syncd.sandbox.cast import START

WHY_SKIPPED = "PostgreSQL is missing"
"""The reason of a skipped test, which `.ci/run` looks for."""
_PLACES = ("/usr/lib/postgresql", "/usr/local/opt", "/opt")
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
"""Small and still: fsync stays on, as a ledger demands, and costs nothing in memory."""
_numbers = count(1)


@cache
def programs() -> Path | None:
    """Return the folder of the newest server's programs, None if there is none."""
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    found_in = sorted(
        (path.parent for place in _PLACES for path in Path(place).glob("*/bin/initdb")),
        key=lambda folder: folder.parent.name.zfill(8),
    )
    return found_in[-1] if found_in else None


class Cluster:
    """A running cluster, with the folder of its socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder
        self._at_work: tuple[str, Any] | None = None
        self._empty: tuple[str, str] | None = None

    def url(self, database: str) -> str:
        """Return the ledger's URL of a database."""
        return f"postgresql+psycopg://syncd@/{database}?host={self.socket}"

    def connect(self, database: str) -> Any:
        """Return a connection of the driver, outside of any transaction."""
        import psycopg

        return psycopg.connect(host=str(self.socket), user="syncd", dbname=database, autocommit=True)

    def new(self, template: str = "template0", database: str | None = None) -> str:
        """Make a database, a copy of a template, and return its name."""
        name = database or f"t{os.getpid()}_{next(_numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, database: str) -> None:
        """Drop a database and end its connections."""
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def remember(self, connection: Any) -> str:
        """Keep a copy of a ledger's rows beside it, and return the SQL that puts them back."""
        connection.execute("CREATE SCHEMA newborn")
        statements = ["SET LOCAL session_replication_role = replica"]
        for table in SQLModel.metadata.sorted_tables:
            name = table.name
            connection.execute(f"CREATE TABLE newborn.{name} AS TABLE public.{name}")
            statements.append(f"DELETE FROM public.{name}")  # noqa: S608 - a table of ours
            statements.append(f"INSERT INTO public.{name} TABLE newborn.{name}")
            if table.name != "audit_head" and isinstance(getattr(table.c.get("id"), "type", None), Integer):
                last = f"(SELECT max(id) FROM newborn.{name})"  # noqa: S608 - a table of ours
                sequence = f"pg_get_serial_sequence('public.{name}', 'id')"
                statements.append(f"SELECT setval({sequence}, coalesce({last}, 1), {last} IS NOT NULL)")
        return f"BEGIN;{';'.join(statements)};COMMIT"

    def empty_ledger(self) -> str:
        """Return the URL of a migrated ledger that nobody has opened yet; the last one is emptied for it."""
        if self._empty is None:
            url = self.url(self.new())
            backend_of(url).migrate(START)
            with self.connect(str(make_url(url).database)) as connection:
                self._empty = (url, self.remember(connection))
        self.restore(*self._empty)
        return self._empty[0]

    def restore(self, url: str, statements: str) -> None:
        """Execute SQL on the database of a ledger's URL, after its connections have ended."""
        database = str(make_url(url).database)
        if self._at_work is None or self._at_work[0] != database:
            self.close()
            self._at_work = (database, self.connect(database))
        self._at_work[1].execute(statements)

    def close(self) -> None:
        """End the connection that `restore` keeps."""
        if self._at_work is not None:
            self._at_work[1].close()
            self._at_work = None

    def exists(self, database: str) -> bool:
        """Return True if there is a database of this name."""
        with self.connect("postgres") as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            return connection.execute(query, (database,)).fetchone() is not None


@contextmanager
def explained(ledger: Ledger) -> Iterator[dict[str, set[str]]]:
    """Yield what is filled at the end of the block: the tables that each of its statements read as a whole.

    Where an index can be used, it counts as used, also for the few rows of a test.
    """
    asked: dict[str, Any] = {}
    whole: dict[str, set[str]] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked[statement] = parameters

    event.listen(ledger.engine, "before_cursor_execute", note)
    yield whole
    event.remove(ledger.engine, "before_cursor_execute", note)
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in asked.items():
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
            lines = [line for line in plan if "Seq Scan on " in line]
            whole[statement] = {line.split("Seq Scan on ")[1].split()[0] for line in lines}


@contextmanager
def shared_cluster(folder: Path) -> Iterator[Cluster]:
    """Yield the cluster of a run in a folder: start it if it is not there. It ends with its last user."""
    folder.mkdir(exist_ok=True)
    with _lock_of(folder).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        use = _join(folder)
        if use is None:
            use = _start(folder)
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()
        os.close(use)


def _lock_of(folder: Path) -> Path:
    # one lock for all runs of a user: one for each run would be left behind
    return folder.with_name(f"syncd-postgresql-of-{os.getuid()}.lock")


def _join(folder: Path) -> int | None:
    """Return the open pipe that makes us a user of the cluster, None if no cluster runs."""
    try:
        return os.open(folder / "users", os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENXIO):
            raise
        return None


def _start(folder: Path) -> int:
    """Start the cluster and return the open pipe of its first user."""
    data, users = folder / "data", folder / "users"
    shutil.rmtree(data, ignore_errors=True)
    users.unlink(missing_ok=True)
    os.mkfifo(users, 0o600)
    use = os.open(users, os.O_RDWR)
    with users.open("rb") as ended:
        _watch(folder, ended)
    if os.geteuid() == 0:
        user = _user()
        os.chown(folder, user.pw_uid, user.pw_gid)
    run_program(
        "initdb", "-D", str(data), "-U", "syncd", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
    )
    with (data / "postgresql.conf").open("a") as file:
        options = {**_OPTIONS, "unix_socket_directories": str(folder)}
        file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
    run_program("pg_ctl", "start", "-D", str(data), "-w", "-s", "-l", str(folder / "log"))
    return use


def _watch(folder: Path, ended: IO[bytes]) -> None:
    """Start the process that stops the cluster after its last user, before there is anything to stop."""
    stop, options = _command("pg_ctl", "stop", "-D", str(folder / "data"), "-m", "immediate", "-s")
    script = Path(__file__).with_name("cluster_end.py")
    arguments = [_lock_of(folder), folder, json.dumps(stop), json.dumps(options)]
    subprocess.run(
        [sys.executable, "-I", "-S", script, *arguments],
        check=True,
        stdin=ended,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # no Ctrl-C ends it before the cluster
        start_new_session=True,
    )


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def run_program(program: str, *arguments: str) -> None:
    """Run a program of the server, as a user that may."""
    command, options = _command(program, *arguments)
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **options)


def _command(program: str, *arguments: str) -> tuple[list[str], dict[str, Any]]:
    folder = programs()
    assert folder is not None
    options: dict[str, Any] = {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}}
    if os.geteuid() == 0:
        user = _user()
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return [str(folder / program), *arguments], options
