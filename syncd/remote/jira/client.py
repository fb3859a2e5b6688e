"""The Jira client over the `jira` library, with REST v2 on Cloud and Data Center."""

from __future__ import annotations

import base64

from jira import JIRA
from jira.resilientsession import ResilientSession

from syncd.domain.project import Edition
from syncd.remote.http.login import Question
from syncd.remote.http.session import DirectSession
from syncd.remote.http.transport import Transport
from syncd.remote.jira.people import JiraPeople
from syncd.remote.jira.read import JiraReading
from syncd.remote.jira.session import SERVICE
from syncd.remote.jira.write import JiraWriting

MYSELF = Question("/rest/api/2/myself", hides=True)


class JiraClient(JiraReading, JiraPeople, JiraWriting):
    """One thread's Jira client, over REST v2 on both editions."""


class _Session(DirectSession, ResilientSession):  # type: ignore[misc] # neither sends as `requests` does
    """The library's session: it forms headers and login, and repeats nothing."""

    @classmethod
    def like(cls, session: ResilientSession) -> _Session:
        """Return a session with the headers and the login of another one."""
        made = cls()
        made.headers, made.auth = session.headers, session.auth
        return made


def jira_client(url: str, token: str, transport: Transport, *, email: str | None = None) -> JiraClient:
    """Create one thread's client; send nothing.

    With `email` the token is a Cloud API token (basic), without it a Data Center one (bearer).
    """
    edition: Edition = "cloud" if email else "datacenter"
    client = JIRA(
        options={"server": url, "check_update": False},
        basic_auth=(email, token) if email else None,
        token_auth=None if email else token,
        # the constructor would send a request, outside of our deadlines
        get_server_info=False,
        validate=False,
        logging=False,
    )
    client._session = _Session.like(client._session)
    # without server info the library takes each site for a Data Center one
    client.deploymentType = "Cloud" if email else "Server"
    secrets = [token]
    if email:
        secrets.append(base64.b64encode(f"{email}:{token}".encode()).decode())
    transport.mount(client._session, SERVICE, url, secrets, MYSELF)
    return JiraClient(client, edition, transport.login(SERVICE))
