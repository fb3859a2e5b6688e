"""Tell a service that was renamed from another one: its newest objects are those that the ledger knows.

In Jira these are issues with the same id and our mark, and our account; in PagerDuty incidents with the same
id, number and time. Ids alone prove nothing, because each Jira counts its issues from the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.engine.observe.accounts import accounts_on_record
from syncd.ledger.database.connection import Transactions
from syncd.ledger.errors import LedgerNotOurs
from syncd.ledger.requests.relocation import newest_incidents, newest_tickets, owner_of

if TYPE_CHECKING:
    from syncd.remote.jira.client import JiraClient
    from syncd.remote.pagerduty.client import PagerDutyClient

COMPARED = 5
"""Objects that are compared, newest first."""


@dataclass(frozen=True)
class Comparison:
    """An object of the ledger beside the one at the new address; `same` is None where nothing is there."""

    id: str
    name: str
    same: bool | None
    words: str


@dataclass(frozen=True)
class Relocation:
    """A service that is proved to be the ledger's: its new address, and the objects that prove it."""

    service: str
    before: str
    address: str
    proofs: tuple[Comparison, ...]


def jira_at(ledger: Transactions, jira: JiraClient) -> Relocation:
    """Return where the ledger's Jira is now; raise `LedgerNotOurs` for another one, `RemoteError`."""
    before, edition = owner_of(ledger, "jira"), owner_of(ledger, "edition")
    server, account = jira.server(), jira.myself()
    address = server.base_url.rstrip("/")
    if before is None:
        raise LedgerNotOurs(
            "this ledger belongs to no Jira yet", "there is nothing to relocate; start the daemon"
        )
    if server.edition != edition:
        raise LedgerNotOurs(
            f"{address} is Jira {server.edition}, the ledger's is {edition}",
            "a migrated Jira has other ids: give it a ledger of its own (SYNCD_STATE_DIR)",
        )
    if account.id not in accounts_on_record(ledger):
        raise LedgerNotOurs(
            f"syncd never had the account {account.id} that {address} shows",
            "use the account that syncd had before, and change it later",
        )
    if address == before:
        return Relocation("jira", before, before, ())
    return _proved("jira", before, address, list(_issues(ledger, jira)))


def _issues(ledger: Transactions, jira: JiraClient) -> Iterator[Comparison]:
    for ticket in newest_tickets(ledger, COMPARED):
        issue = next(iter(jira.fetch_by_id(ticket.issue_id).issues), None)
        name = f"{ticket.key} (id {ticket.issue_id})"
        if issue is None:
            yield Comparison(ticket.issue_id, name, None, "is not there, or our account does not see it")
        elif issue.mark is not None and issue.mark.incident == ticket.incident_id:
            yield Comparison(ticket.issue_id, name, True, "is there with syncd's mark")
        elif issue.mark is None and ticket.origin == "adopted":
            yield Comparison(ticket.issue_id, name, None, "is a person's ticket, which has no mark")
        else:
            yield Comparison(
                ticket.issue_id, name, False, f"is {issue.key} there, without syncd's mark of it"
            )


def pagerduty_at(ledger: Transactions, pagerduty: PagerDutyClient) -> Relocation:
    """Return the subdomain of the ledger's account; raise `LedgerNotOurs` for another one, `RemoteError`."""
    before, address = owner_of(ledger, "pagerduty"), pagerduty.identity()
    if before is None:
        raise LedgerNotOurs(
            "this ledger belongs to no PagerDuty account yet",
            "there is nothing to relocate; start the daemon",
        )
    if address == before:
        return Relocation("pagerduty", before, before, ())
    return _proved("pagerduty", before, address, list(_incidents(ledger, pagerduty)))


def _incidents(ledger: Transactions, pagerduty: PagerDutyClient) -> Iterator[Comparison]:
    for record in newest_incidents(ledger, COMPARED):
        known, name = record.as_read, f"#{record.number} ({record.id})"
        incident = pagerduty.incident(record.id)
        if incident is None:
            yield Comparison(record.id, name, None, "is not there, or our token does not see it")
            continue
        same = (incident.number, incident.created_at) == (known.number, known.created_at)
        words = "is there with the same number and time" if same else "has another number or time there"
        yield Comparison(record.id, name, same, words)


def _proved(service: str, before: str, address: str, compared: list[Comparison]) -> Relocation:
    """Return the relocation if something is the same and nothing differs; raise `LedgerNotOurs`."""
    proofs = tuple(comparison for comparison in compared if comparison.same)
    if not proofs or any(comparison.same is False for comparison in compared):
        raise LedgerNotOurs(
            f"nothing proves that {address} is the ledger's {service}, {before}: {_told(compared)}",
            "if it is another one, give it a ledger of its own (SYNCD_STATE_DIR or SYNCD_LEDGER_URL)",
        )
    return Relocation(service, before, address, proofs)


def _told(compared: Iterable[Comparison]) -> str:
    told = [f"{comparison.name} {comparison.words}" for comparison in compared]
    return "; ".join(told) or "the ledger has nothing yet that could be compared"
