"""The requests that look up people in Jira, by address, name or id."""

from __future__ import annotations

from syncd.domain.ticket import Account
from syncd.remote.errors import Cause, NotDone
from syncd.remote.http.wire import listed, reading
from syncd.remote.jira import wire
from syncd.remote.jira.session import SERVICE, JiraSession

NAMESAKES = 3
"""Users that match an address and are then searched among the assignable ones (Data Center)."""


class JiraPeople(JiraSession):
    """The people of a client's site."""

    def accounts_named(self, name: str) -> tuple[Account, ...]:
        """Return the accounts that an account id (Data Center: a user name), an address or a name means.

        Closed accounts count, too. Jira may hide addresses: then an address finds nobody.
        """
        cloud = self.edition == "cloud"
        try:
            body = self._get("user", {"accountId" if cloud else "username": name})
        except NotDone as error:
            # an address is no id
            if not (error.absent or error.cause is Cause.REJECTED):
                raise
        else:
            with reading(SERVICE, "GET user"):
                return (wire.account(body),)
        # Data Center leaves out closed accounts unless asked
        asked = {"query": name} if cloud else {"username": name, "includeInactive": "true"}
        body = self._get("user/search", {**asked, "maxResults": 50})
        with reading(SERVICE, "GET user/search"):
            return listed(self._proved(body), wire.account, "users")

    def assignable(self, query: str, project: str) -> tuple[Account, ...]:
        """Return active people who can be assigned in the project and match an address or a name.

        Data Center documents this search for user names alone. So syncd looks up an address that it does not
        find in the search for users, and then searches for their names.
        """
        accounts = self._assignable(query, project)
        if accounts or self.edition == "cloud" or "@" not in query:
            return accounts
        body = self._get("user/search", {"username": query, "maxResults": NAMESAKES})
        with reading(SERVICE, "GET user/search"):
            names = [user.id for user in listed(self._proved(body), wire.account, "users")]
        return tuple(
            account for name in names for account in self._assignable(name, project) if account.id == name
        )

    def _assignable(self, query: str, project: str) -> tuple[Account, ...]:
        asked = "query" if self.edition == "cloud" else "username"
        body = self._get("user/assignable/search", {asked: query, "project": project, "maxResults": 50})
        with reading(SERVICE, "GET user/assignable/search"):
            accounts = listed(self._proved(body), wire.account, "users")
        return tuple(account for account in accounts if account.active and account.human)
