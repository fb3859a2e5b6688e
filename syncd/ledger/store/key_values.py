"""Single values by key that outlive the process, such as how far a poll has read.

Each cycle reads them several times, so this module uses plain statements: the session's objects cost more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlmodel import Session, col
from sqlmodel import select as rows

from syncd.domain.base import JsonValue
from syncd.domain.mapping.bindings import Binding
from syncd.domain.ticket import Account
from syncd.ledger.database.connection import Transactions
from syncd.ledger.database.functions import upsert
from syncd.ledger.database.prepared import Prepared
from syncd.ledger.store.tables import KeyValueRow, PersonRow


def get_cursor_in(session: Session, name: str) -> dict[str, object]:
    """Return the value of a key, empty if it was never set."""
    value = _GET.scalar(session, name=name)
    return dict(value) if value else {}


def get_value(ledger: Transactions, name: str) -> dict[str, object]:
    """Return the value of a key, empty if it was never set."""
    with ledger.read_one() as session:
        return get_cursor_in(session, name)


def set_cursor_in(session: Session, name: str, **value: object) -> None:
    """Store the value of a key."""
    _SET.change(session, name=name, value=value)


def set_value(ledger: Transactions, name: str, **value: object) -> None:
    """Store the value of a key."""
    with ledger.write() as session:
        set_cursor_in(session, name, **value)


def replace_value(
    ledger: Transactions, name: str, before: Mapping[str, object], value: Mapping[str, object]
) -> bool:
    """Store the value of a key; return False, with nothing stored, if it is no longer `before`."""
    with ledger.write() as session:
        same = get_cursor_in(session, name) == before
        if same:
            set_cursor_in(session, name, **value)
    return same


def drop_cursor_in(session: Session, name: str) -> None:
    """Delete the value of a key."""
    _DROP.change(session, name=name)


def refused_since(ledger: Transactions) -> dict[str, datetime]:
    """Return since when (UTC) each refusal lasts that the last cycle stored, by its subject."""
    refused = get_value(ledger, "services").get("refused")
    entries = refused if isinstance(refused, list) else []
    return {str(entry["subject"]): datetime.fromisoformat(str(entry["since"])) for entry in entries}


def highest_number(ledger: Transactions, project: str) -> int | None:
    """Return the highest issue number that any answer of a project has shown, None if none has."""
    return _number(get_value(ledger, _highest(project)))


def raise_highest_number(ledger: Transactions, project: str, number: int) -> None:
    """Store an issue number that an answer of a project has shown, if it is the highest so far."""
    with ledger.write() as session:
        highest = _number(get_cursor_in(session, _highest(project)))
        if highest is None or highest < number:
            set_cursor_in(session, _highest(project), number=number)


def _highest(project: str) -> str:
    return f"jira.highest.{project}"


def _number(value: dict[str, object]) -> int | None:
    number = value.get("number")
    return number if isinstance(number, int) else None


_GET = Prepared(select(col(KeyValueRow.value)).where(col(KeyValueRow.name) == bindparam("name")))
_SET = Prepared(upsert(KeyValueRow, key="name"))
_DROP = Prepared(delete(KeyValueRow).where(col(KeyValueRow.name) == bindparam("name")))


def service_bindings(ledger: Transactions) -> dict[str, Binding]:
    """Return the PagerDuty services of the mappings' sections, by the section's name."""
    return {name: Binding.model_validate(value) for name, value in get_value(ledger, _SERVICES).items()}


def store_service_bindings(ledger: Transactions, bindings: Mapping[str, Binding]) -> None:
    """Store the PagerDuty services of the mappings' sections."""
    with ledger.write() as session:
        value = {name: binding.model_dump(mode="json") for name, binding in bindings.items()}
        _SET.change(session, name=_SERVICES, value=value)


_SERVICES = "pagerduty.services"


def clocks_apart(ledger: Transactions) -> dict[str, datetime]:
    """Return since when (UTC) the services' clocks differ from ours, by service."""
    return {name: datetime.fromisoformat(str(at)) for name, at in get_value(ledger, _CLOCKS).items()}


def store_clocks_apart(ledger: Transactions, since: Mapping[str, datetime]) -> None:
    """Store since when the services' clocks differ from ours; others agree."""
    set_value(ledger, _CLOCKS, **{name: at.isoformat() for name, at in since.items()})


_CLOCKS = "clocks.apart"


def account_known(ledger: Transactions, email: str, project: str) -> tuple[Account | None, datetime] | None:
    """Return the account that an address has in a project, and when (UTC) syncd looked it up.

    The account is None if Jira knows nobody with the address. Return None if it was never looked up.
    """
    with ledger.read_one() as session:
        row = _KNOWN.first(session, email=email, project=project)
    if row is None:
        return None
    account, checked_at = row
    return (Account.model_validate(account) if account else None), checked_at


_KNOWN = Prepared(
    select(col(PersonRow.account), col(PersonRow.checked_at)).where(
        col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == bindparam("project")
    )
)


def remember_account(
    ledger: Transactions, email: str, project: str, account: Account | None, why: str, now: datetime
) -> None:
    """Store the account that a look-up of an address brought, or the reason (`why`) that it brought none."""
    with ledger.write() as session:
        session.merge(
            PersonRow(
                email=email,
                project=project,
                account=account.model_dump(mode="json") if account else None,
                why=why,
                checked_at=now,
            )
        )


def forget_account(ledger: Transactions, account_id: str) -> None:
    """Forget which addresses have this account."""
    with ledger.write() as session:
        for row in session.exec(rows(PersonRow)).all():
            if _is(row.account, account_id):
                session.delete(row)


def addresses_of(ledger: Transactions, account_id: str) -> list[str]:
    """Return the addresses that have this account."""
    with ledger.read() as session:
        return [email for email, account in PEOPLE.all(session) if _is(account, account_id)]


PEOPLE = Prepared(
    select(col(PersonRow.email), col(PersonRow.account)).order_by(
        col(PersonRow.email), col(PersonRow.project)
    )
)


def _is(account: dict[str, object] | None, account_id: str) -> bool:
    return account is not None and account.get("id") == account_id


def ways_of(ledger: Transactions, workflow: str) -> dict[str, Any]:
    """Return the moves that each status of a workflow offered, and when syncd saw them, by status id."""
    return get_value(ledger, f"ways.{workflow}")


def store_ways(ledger: Transactions, workflow: str, status_id: str, entry: dict[str, JsonValue]) -> None:
    """Store the moves that a status of a workflow offers."""
    with ledger.write() as session:
        entries = get_cursor_in(session, f"ways.{workflow}")
        set_cursor_in(session, f"ways.{workflow}", **{**entries, status_id: entry})


def status_at_birth(ledger: Transactions, place: str) -> str | None:
    """Return the status in which the issues of a project and type begin, None if syncd never saw it."""
    with ledger.read_one() as session:
        return _status_at_birth(session, place)


def store_status_at_birth(ledger: Transactions, place: str, status_id: str) -> None:
    """Store the status in which the issues of a project and type begin."""
    with ledger.write() as session:
        set_cursor_in(session, f"birth.{place}", status=status_id)


def forget_status_at_birth(ledger: Transactions, place: str) -> str | None:
    """Forget the status in which the issues of a project and type begin, and return it."""
    with ledger.write() as session:
        forgotten = _status_at_birth(session, place)
        set_cursor_in(session, f"birth.{place}", status=None)
    return forgotten


def _status_at_birth(session: Session, place: str) -> str | None:
    status = get_cursor_in(session, f"birth.{place}").get("status")
    return None if status is None else str(status)


def hears_status_updates_in(session: Session) -> bool:
    """Return True if PagerDuty's webhook has told of a status update of any incident."""
    return bool(get_cursor_in(session, _STATUS_UPDATES).get("heard"))


def hear_status_updates_in(session: Session, now: datetime) -> None:
    """Store that PagerDuty's webhook tells of status updates: they are in its subscription."""
    if not hears_status_updates_in(session):
        set_cursor_in(session, _STATUS_UPDATES, heard=now.isoformat())


_STATUS_UPDATES = "status_updates"


def comments_stopped(ledger: Transactions, project: str) -> dict[str, object]:
    """Return the comment that stopped comments on a project (`at`, `comment`, `key`), empty if none did."""
    return get_value(ledger, _stop(project))


def stop_comments(session: Session, project: str, **stopped: str) -> None:
    """Stop comments on a project."""
    set_cursor_in(session, _stop(project), **stopped)


def go_on_commenting(session: Session, project: str) -> None:
    """Allow comments on a project again, if they were stopped."""
    if get_cursor_in(session, _stop(project)).get("at"):
        set_cursor_in(session, _stop(project))


def _stop(project: str) -> str:
    return f"comments.stopped.{project}"


_RUNS = 2
"""Intervals between runs of one cycle that the ledger keeps: one run by hand must not hide those of cron."""


def reads_of_runs(ledger: Transactions, services: Iterable[str]) -> dict[str, dict[str, object]]:
    """Return what is on record of the last good read of each service."""
    return {service: get_value(ledger, f"cycle.{service}") for service in services}


def store_reads_of_run(
    ledger: Transactions, reads: Mapping[str, datetime], before: Mapping[str, dict[str, object]]
) -> None:
    """Store the good reads (UTC) of a run of one cycle, with the seconds between the latest such runs."""
    for service, at in reads.items():
        earlier = before.get(service, {})
        intervals = earlier.get("intervals")
        kept = [*intervals] if isinstance(intervals, list) else []
        # an interval lies between two runs of one cycle; a daemon's reads have none
        if isinstance(intervals, list):
            kept.append((at - datetime.fromisoformat(str(earlier["at"]))).total_seconds())
        set_value(ledger, f"cycle.{service}", at=at.isoformat(), intervals=kept[-_RUNS:])


def is_of_run(read: Mapping[str, object]) -> bool:
    """Return True if a last good read is one of a run of one cycle, not of a daemon."""
    return isinstance(read.get("intervals"), list)


def run_every(read: Mapping[str, object]) -> float:
    """Return the longest of the intervals that a last good read has, in seconds; 0 if it has none."""
    intervals = read.get("intervals")
    return max(map(float, intervals), default=0.0) if isinstance(intervals, list) else 0.0


DAEMON_STOPPED = "daemon.stopped"
"""The value that holds when a daemon last stopped on request (UTC)."""
