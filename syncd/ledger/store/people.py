"""Who an address is in Jira, as looked up; an answer that says "nobody" is kept, too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlmodel import col
from sqlmodel import select as rows

from syncd.domain.ticket import Account
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store.tables import PersonRow


def account_known(ledger: Transactions, email: str, project: str) -> tuple[Account | None, datetime] | None:
    """Return the account that an address has in a project, and when (UTC) that was looked up.

    None where it was never looked up; no account where nobody was found.
    """
    with ledger.read() as session:
        row = session.connection().execute(_KNOWN, {"email": email, "project": project}).first()
    if row is None:
        return None
    return (Account.model_validate(row.account) if row.account else None), row.checked_at


_KNOWN = select(col(PersonRow.account), col(PersonRow.checked_at)).where(
    col(PersonRow.email) == bindparam("email"), col(PersonRow.project) == bindparam("project")
)


def remember_account(
    ledger: Transactions, email: str, project: str, account: Account | None, why: str, now: datetime
) -> None:
    """Keep what a look-up of an address brought; `why` says why it is nobody."""
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
        return [email for email, account in session.connection().execute(_ALL) if _is(account, account_id)]


_ALL = select(col(PersonRow.email), col(PersonRow.account))


def _is(account: dict[str, object] | None, account_id: str) -> bool:
    return account is not None and account.get("id") == account_id
