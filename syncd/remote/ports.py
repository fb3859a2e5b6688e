"""What the engine asks of the two services, in the domain's words.

The adapters behind these protocols are the only code that knows `pdpyras` and `jira`; a successor is
one file away. Every method may raise `NotDone` or `Unknown` (`syncd.remote.errors`); a read that fails
raises as well, and never returns an empty answer instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import Field

from syncd.domain.base import JsonValue, Reference, Value
from syncd.domain.directory import EscalationPolicy, OtherTool, Schedule
from syncd.domain.field import FieldFacts
from syncd.domain.history import Change
from syncd.domain.incident import Incident, IncidentStatus, LogEntry, Note, PagerDutyService, Responder
from syncd.domain.postmortem import Alert
from syncd.domain.project import Edition, ProjectFacts
from syncd.domain.ticket import Account, Comment, Issue, Mark, Status, Transition
from syncd.remote.errors import NotDone


class LogPage(Value):
    """One page of log entries, newest first; `more` says that older ones follow.

    `unread` are the incidents of entries that could not be read, by id, each with why; an entry whose
    incident alone cannot be read only refers to it.
    """

    entries: tuple[LogEntry, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)


class IncidentPage(Value):
    """One page of incidents; `more` says that others follow.

    `unread` are those that could not be read, by id, each with why: one of them does not hold up the others.
    """

    incidents: tuple[Incident, ...]
    more: bool
    unread: dict[str, str] = Field(default_factory=dict)


class Hit(Value):
    """A search result: it names an issue and when it changed last, and is never a source of values."""

    id: str
    key: str
    updated: str


class SearchPage(Value):
    """One page of hits and the token of the next, None on the last."""

    hits: tuple[Hit, ...]
    next_token: str | None = None


class Fetched(Value):
    """A bulk read: what is there, and the ids that could not be read this time (unknown, ask again).

    An id that stands in neither is absent or invisible to us.
    """

    issues: tuple[Issue, ...]
    unread: tuple[str, ...] = ()


class Created(Value):
    """What the answer to a create names."""

    id: str
    key: str


@dataclass(frozen=True)
class BulkItem:
    """One issue of a bulk create: its fields, its mark, a transition to take at once."""

    fields: dict[str, JsonValue]
    mark: Mark
    transition: str | None = None


@dataclass(frozen=True)
class BulkAnswer:
    """What a bulk create made, in no particular order, and what it refused, by number of the item."""

    created: tuple[Created, ...]
    refused: dict[int, NotDone]


class ServerFacts(Value):
    """Whose Jira it is."""

    base_url: str
    edition: Edition
    version: str = ""


class PagerDuty(Protocol):
    """PagerDuty, as far as syncd needs it."""

    def identity(self) -> str:
        """The account's subdomain: whose ledger this is. From any object's html_url."""
        ...

    def find_user(self, email: str) -> Responder | None:
        """The user with exactly this address, None where there is none."""
        ...

    def log_entries(self, since: datetime, until: datetime, offset: int) -> LogPage:
        """100 entries of the account's record in [since, until), newest first, incidents embedded."""
        ...

    def incident_log(self, incident_id: str) -> tuple[LogEntry, ...]:
        """All log entries of one incident, oldest first; at most the latest 2,000."""
        ...

    def alerts(self, incident_id: str) -> tuple[Alert, ...]:
        """All alerts of an incident, without their details."""
        ...

    def on_call(self, schedule: str, at: datetime) -> tuple[Responder, ...]:
        """Who is or was on a schedule (by id) at a moment, with their addresses."""
        ...

    def open_incidents(self, offset: int) -> IncidentPage:
        """100 triggered or acknowledged incidents of any age, assignees with their addresses."""
        ...

    def incidents(
        self, since: datetime, until: datetime, offset: int, statuses: Sequence[IncidentStatus] = ()
    ) -> IncidentPage:
        """100 incidents created in [since, until), oldest first; at most six months apart."""
        ...

    def incident(self, incident_id: str) -> Incident | None:
        """One incident with its custom fields; None only where PagerDuty says 404."""
        ...

    def notes(self, incident_id: str) -> tuple[Note, ...]:
        """All notes of an incident (unpaginated), oldest first."""
        ...

    def add_note(self, incident_id: str, text: str) -> Note:
        """Write a note; one request, never repeated by the library."""
        ...

    def edit_note(self, incident_id: str, note_id: str, text: str) -> Note:
        """Replace the text of a note of ours; not every account lets (404, 405)."""
        ...

    def change_incident(
        self,
        incident_id: str,
        *,
        status: str | None = None,
        assignee: str | None = None,
        priority: str | None = None,
        title: str | None = None,
    ) -> None:
        """Change what is given, in one request: a state, a user's id, a priority's id, a text."""
        ...

    def services(self) -> tuple[PagerDutyService, ...]:
        """All services of the account."""
        ...

    def priorities(self) -> tuple[Reference, ...]:
        """The account's priorities; empty where the feature is off."""
        ...

    def teams(self, query: str = "") -> tuple[Reference, ...]:
        """The teams whose name holds `query`, all of them without one."""
        ...

    def users(self) -> tuple[Responder, ...]:
        """All users with their addresses."""
        ...

    def escalation_policies(self) -> tuple[EscalationPolicy, ...]:
        """All escalation policies with whom they call."""
        ...

    def schedules(self) -> tuple[Schedule, ...]:
        """All schedules with who is on them."""
        ...

    def jira_extensions(self) -> tuple[OtherTool, ...]:
        """The extensions of services that speak of Jira and are not switched off."""
        ...

    def jira_rules(self) -> tuple[OtherTool, ...]:
        """The rules of PagerDuty's own app for Jira Cloud."""
        ...


class Jira(Protocol):
    """Jira, as far as syncd needs it, over REST v2 on both editions."""

    def server(self) -> ServerFacts:
        """Edition, version and base URL (serverInfo); kept after the first call."""
        ...

    def myself(self) -> Account:
        """Our own account."""
        ...

    def search(
        self, jql: str, *, token: str | None = None, limit: int = 100, fresh: Sequence[str] = ()
    ) -> SearchPage:
        """One page of hits. `fresh`: at most 50 numeric ids that must not be stale (Cloud only)."""
        ...

    def fetch(self, ids: Sequence[str], *, fields: Sequence[str] = ()) -> Fetched:
        """At most 100 issues by id or key with our property, comments and links.

        `fields` names custom fields wanted beside the usual ones.
        """
        ...

    def fetch_by_id(self, issue_id: str, *, fields: Sequence[str] = ()) -> Fetched:
        """One issue as `fetch` reads it, but never behind a write: bulk reads may lag."""
        ...

    def changelog(self, issue_id: str) -> tuple[Change, ...]:
        """Every change of an issue's fields, oldest first."""
        ...

    def probe(self, keys: Sequence[str]) -> Fetched:
        """As `fetch`, with next to no fields: what exists among these keys, and whose mark it bears."""
        ...

    def create(self, fields: dict[str, JsonValue], mark: Mark) -> Created:
        """Create one issue with the mark in the same request; no read follows."""
        ...

    def create_many(self, items: Sequence[BulkItem]) -> BulkAnswer:
        """Create up to 50 issues in one request (Cloud only); no read follows."""
        ...

    def edit(
        self,
        issue_id: str,
        fields: dict[str, JsonValue],
        update: dict[str, JsonValue] | None = None,
    ) -> None:
        """Change fields in one request; the answer is not read back."""
        ...

    def transitions(self, issue_id: str) -> tuple[Transition, ...]:
        """The ways out of the issue's present status that our account has."""
        ...

    def move(self, issue_id: str, transition_id: str, fields: dict[str, JsonValue] | None = None) -> None:
        """Take one transition."""
        ...

    def comments(self, issue_id: str) -> tuple[Comment, ...]:
        """All comments with our property, oldest first."""
        ...

    def add_comment(self, issue_id: str, body: str, mark: Mark, *, internal: bool = False) -> Comment:
        """Write a comment with the mark in the same request.

        `internal` hides it from a service project's customers; the comment's `public` says whether the
        answer shows it hidden.
        """
        ...

    def edit_comment(self, issue_id: str, comment_id: str, body: str) -> Comment:
        """Replace the text of a comment of ours."""
        ...

    def link(self, type_name: str, inward_id: str, outward_id: str) -> None:
        """Link two issues; Jira answers the same for a link that exists."""
        ...

    def project(self, key: str) -> ProjectFacts:
        """The project with its types, their statuses, components, priorities and link types."""
        ...

    def create_fields(self, project: str, type_id: str) -> tuple[FieldFacts, ...]:
        """The create screen of a type."""
        ...

    def security_levels(self, project: str) -> tuple[Reference, ...]:
        """The security levels that our account may set in a project; often none."""
        ...

    def resolutions(self) -> tuple[Reference, ...]:
        """The site's resolutions."""
        ...

    def statuses(self) -> tuple[Status, ...]:
        """All statuses of the site with their untranslated names."""
        ...

    def permissions(self, project: str, names: Sequence[str]) -> dict[str, bool]:
        """Which of the named permissions our account has in the project."""
        ...

    def rights(self, project: str, names: Sequence[str]) -> dict[str, bool | None]:
        """As `permissions`, None for what the answer does not name: that is not known."""
        ...

    def projects(self) -> tuple[Reference, ...]:
        """The projects that our account sees, the key as the id."""
        ...

    def assignable(self, query: str, project: str) -> tuple[Account, ...]:
        """Active people who can be assigned in the project and match an address or a name."""
        ...


class Mail(Protocol):
    """The way out for e-mail: one message to one recipient."""

    def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand a finished message over; the bytes are sent as they are, so that a second time is the same.

        Raises `NotDone` where nobody took it (LIMITED: try again later, REJECTED: never for this
        address or message), `Unknown` where it may have been taken.
        """
        ...
