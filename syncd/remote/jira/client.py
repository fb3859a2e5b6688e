"""Jira over the `jira` library, Cloud and Data Center, REST v2 on both: the client and how it is made."""

from __future__ import annotations

import base64

from jira import JIRA

from syncd.domain.project import Edition
from syncd.remote.http.transport import Transport
from syncd.remote.jira.read import JiraReading
from syncd.remote.jira.session import SERVICE
from syncd.remote.jira.write import JiraWriting


class JiraClient(JiraReading, JiraWriting):
    """One thread's Jira client, over REST v2 on both editions."""


def jira_client(url: str, token: str, transport: Transport, *, email: str | None = None) -> JiraClient:
    """Make one thread's client; sends nothing.

    With `email` the token is a Cloud API token (basic), without it a Data Center one (bearer).
    """
    edition: Edition = "cloud" if email else "datacenter"
    client = JIRA(
        options={"server": url, "check_update": False},
        basic_auth=(email, token) if email else None,
        token_auth=None if email else token,
        get_server_info=False,
        validate=False,
        logging=False,
        max_retries=0,
    )
    client.deploymentType = "Cloud" if email else "Server"
    secrets = [token]
    if email:
        secrets.append(base64.b64encode(f"{email}:{token}".encode()).decode())
    transport.mount(client._session, SERVICE, url, secrets)
    return JiraClient(client, edition)
