"""The contents of a Jira site: people, projects with types and screens, issues with comments and links.

The values of an issue are immutable records that are replaced and never changed, so that its past is at hand:
a search that lags answers with the record of that time. All times are aware UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zlib import crc32

from syncd.sandbox.jira.workflow import Workflow
from syncd.sandbox.wire import Json

Kind = Literal[
    "string",
    "text",
    "labels",
    "priority",
    "user",
    "date",
    "issue",
    "components",
    "security",
    "resolution",
    "option",
    "options",
    "cascade",
    "number",
    "datetime",
    "versions",
]


@dataclass
class Person:
    """A user.

    Cloud names people by `account_id`, Data Center by `username`; a hidden address is not shown.
    """

    account_id: str
    name: str
    email: str
    username: str = ""
    active: bool = True
    email_visible: bool = True
    account_type: str = "atlassian"
    time_zone: str = "Etc/UTC"

    @property
    def key(self) -> str:
        """The key by which Data Center's changelog names the user."""
        return f"JIRAUSER{crc32(self.account_id.encode())}"


@dataclass(frozen=True)
class Priority:
    """A priority."""

    id: str
    name: str
    color: str = "#ff5630"


@dataclass(frozen=True)
class Resolution:
    """A resolution."""

    id: str
    name: str


@dataclass(frozen=True)
class LinkType:
    """A link type with its words for both directions."""

    id: str
    name: str
    inward: str
    outward: str


@dataclass(frozen=True)
class IssueType:
    """An issue type."""

    id: str
    name: str
    subtask: bool = False
    untranslated: str = ""


@dataclass(frozen=True)
class Option:
    """A choice of a select field; those of a cascading one have choices below them."""

    id: str
    value: str
    children: tuple["Option", ...] = ()


@dataclass(frozen=True)
class FieldDef:
    """A field. The id of a system field is its name, that of a custom field is `customfield_…`."""

    id: str
    name: str
    kind: Kind
    options: tuple[Option, ...] = ()

    @property
    def custom(self) -> bool:
        """Return True if the field was added to the site, False for a system field."""
        return self.id.startswith("customfield_")


@dataclass(frozen=True)
class Component:
    """A component or a version of a project."""

    id: str
    name: str


@dataclass(frozen=True)
class SecurityLevel:
    """A security level and the account ids that may see its issues."""

    id: str
    name: str
    members: frozenset[str]


@dataclass(frozen=True)
class TypeSetup:
    """How a project treats an issue type: workflow, fields of the screens, and compulsory fields.

    `validated` are fields that a validator of the create demands: no screen tells of them.
    """

    type: IssueType
    workflow: Workflow
    screen: frozenset[str]
    required: frozenset[str] = frozenset({"summary"})
    validated: frozenset[str] = frozenset()


@dataclass
class Project:
    """A project. `denied` are permissions that the account of the API lacks in it.

    `priorities` are the ids of its priority scheme, the default first; empty: all of the site.
    """

    id: str
    key: str
    name: str
    setups: dict[str, TypeSetup]
    lead: str
    components: list[Component] = field(default_factory=list)
    levels: list[SecurityLevel] = field(default_factory=list)
    kind: Literal["software", "service_desk", "business"] = "software"
    simplified: bool = False
    denied: set[str] = field(default_factory=set)
    unassignable: set[str] = field(default_factory=set)
    priorities: tuple[str, ...] = ()
    versions: list[Component] = field(default_factory=list)
    last_number: int = 0


@dataclass(frozen=True)
class Record:
    """Everything of an issue that a search can show, as it was from the time `at` on."""

    at: datetime
    key: str
    project_id: str
    type_id: str
    status_id: str
    updated: datetime
    values: Mapping[str, Any]
    properties: Mapping[str, Any]


@dataclass
class Comment:
    """A comment with its properties. A deleted comment stays here, marked, and no answer shows it."""

    id: int
    author: str
    body: str
    created: datetime
    updated: datetime
    update_author: str
    properties: dict[str, Any] = field(default_factory=dict)
    visibility: Json | None = None
    deleted: bool = False

    @property
    def public(self) -> bool:
        """Return True if customers of a service project see the comment."""
        hidden = self.properties.get("sd.public.comment")
        return not (isinstance(hidden, dict) and hidden.get("internal") is True)


@dataclass(frozen=True)
class Item:
    """The change of one field in the changelog: ids, and the texts that people read."""

    field: str
    field_id: str
    before: str | None
    before_words: str | None
    after: str | None
    after_words: str | None
    custom: bool = False


@dataclass(frozen=True)
class Change:
    """One entry of the changelog."""

    id: int
    author: str
    created: datetime
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Link:
    """A link between two issues, by id; `source` reads it outward."""

    id: int
    type_id: str
    source: int
    target: int


@dataclass
class Issue:
    """An issue: its numeric id, which never changes, its present and former records, comments and changes."""

    id: int
    creator: str
    created: datetime
    records: list[Record]
    comments: list[Comment] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    made_by: Literal["api", "person"] = "api"
    deleted_at: datetime | None = None

    @property
    def now(self) -> Record:
        """Return the present record."""
        return self.records[-1]

    @property
    def key(self) -> str:
        """Return the present key."""
        return self.now.key

    @property
    def number(self) -> int:
        """Return the number within the project."""
        return int(self.key.rpartition("-")[2])

    def at(self, moment: datetime) -> Record | None:
        """Return the record that was valid at `moment`, or None if the issue did not exist yet."""
        return next((record for record in reversed(self.records) if record.at <= moment), None)


@dataclass
class Options:
    """The options that a test may set. Delays are in seconds of sandbox time.

    An issue shows its first `comments_in_issue` comments (None: all) and how many exist. `search_lag` and
    `fetch_lag` say how far the search index and the bulk fetch are behind. With `shuffle_bulk` the answer to
    a bulk create has no particular order. With `deaf_to_internal` comments are public, whatever their
    property says. With `bulk_changelog_epoch` the bulk changelog gives its times in milliseconds. `login` is
    the state of every caller's login; without `login_headers` no answer tells it.
    """

    limits: bool = True
    search_lag: float = 0.0
    comments_in_issue: int | None = None
    fetch_lag: float = 0.0
    shuffle_bulk: bool = True
    # Requests a second for each method, and writes to one issue, as Atlassian documents them (2026).
    burst_get: float = 100
    burst_get_issue: float = 150
    burst_post: float = 100
    burst_put: float = 50
    issue_writes: tuple[tuple[int, float], ...] = ((20, 2), (100, 30))
    bulk_changelog_epoch: bool = False
    deaf_to_internal: bool = False
    login: Literal["good", "expired", "anonymous", "captcha"] = "good"
    login_headers: bool = True
