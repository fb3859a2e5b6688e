"""The requests that read from Jira.

A search only names issues; values come from bulk reads. Data Center has no bulk read, so its issues are read
one by one. An issue that a bulk read leaves out without a word is absent or invisible to us. An issue that it
names as an error, or that answers 5xx by itself, is unread: syncd asks for it again. An answer in which
something is missing counts only with a proof of our login: a dead token sees nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.domain.history import Change
from syncd.domain.project import Edition, ProjectFacts
from syncd.domain.ticket import MARK_PROPERTY, Account, Comment, Issue, Transition
from syncd.remote.answers import Fetched, SearchPage, ServerFacts
from syncd.remote.errors import Cause, NotDone, RemoteError
from syncd.remote.http.wire import each, each_readable, identifier, listed, reading
from syncd.remote.jira import wire
from syncd.remote.jira.session import SERVICE, JiraSession, Keep, just_ask

BULK = 100
"""Issues in one bulk read."""
CHANGELOG_PAGE = 1000
"""Entries in one answer to a bulk read of changelogs (Cloud)."""
CHANGELOG_PAGES = 5
SEARCHED_CHANGELOGS = 50
"""Issues in one search that carries their changelogs (Data Center)."""
FIELD_PAGE = 200
_OTHER_EDITION = {
    "cloud": "it is Jira Cloud, and SYNCD_JIRA_EMAIL is not set",
    "datacenter": "it is Jira Data Center, and SYNCD_JIRA_EMAIL is set",
}
"""The fault of the credentials, by the edition that Jira says it is."""
IN_A_ROW = 3
"""Single issues in a row that may answer 5xx before the read as a whole counts as failed (Data Center)."""


PRIORITIES, LINK_TYPES = "priority", "issueLinkType"


class JiraReading(JiraSession):
    """The reading half of a client."""

    _server: ServerFacts | None = None

    @cached_property
    def _names(self) -> dict[str, str]:
        """User names by key, as far as answers told them (Data Center)."""
        return {}

    def server(self) -> ServerFacts:
        """Return edition, version and base URL; ask Jira once.

        Raise `NotDone(CREDENTIALS)` where the credentials have the form of the other edition.
        """
        if self._server is None:
            body = self._get("serverInfo")
            with reading(SERVICE, "GET serverInfo"):
                edition: Edition = "cloud" if body.get("deploymentType") == "Cloud" else "datacenter"
                server = ServerFacts(
                    base_url=body["baseUrl"], edition=edition, version=body.get("version") or ""
                )
            if edition != self.edition:
                raise NotDone(SERVICE, "GET serverInfo", Cause.CREDENTIALS, _OTHER_EDITION[edition])
            self._server = server
        return self._server

    def myself(self) -> Account:
        """Return our own account."""
        body = self._client.myself()
        with reading(SERVICE, "GET myself"):
            return wire.account(body)

    def search(
        self, jql: str, *, token: str | None = None, limit: int = 100, certain: bool = True
    ) -> SearchPage:
        """Return one page of hits; without `certain` an empty page needs no proof of this moment.

        The search ends where Jira says so, where the page is empty, or where the next token is the one just
        used. All three were seen at the end of a search; the last two would go on for ever.
        """
        if self.edition == "datacenter":
            page = self._search_by_position(jql, int(token or 0), limit)
        else:
            page = self._search_by_token(jql, token, limit)
        if certain and not page.hits:
            self.prove_login()
        return page

    def _search_by_token(self, jql: str, token: str | None, limit: int) -> SearchPage:
        asked: dict[str, Any] = {"jql": jql, "maxResults": limit, "fields": ["updated"]}
        if token is not None:
            asked["nextPageToken"] = token
        body = self._post("search/jql", asked)
        with reading(SERVICE, "POST search/jql"):
            hits = each(body, "issues", wire.hit)
            following = body.get("nextPageToken")
            # a repeated token or an empty page would loop for ever
            ended = body.get("isLast") is True or not hits or following == token
            return SearchPage(hits=hits, next_token=None if ended else following)

    def _search_by_position(self, jql: str, start: int, limit: int) -> SearchPage:
        asked = {"jql": jql, "maxResults": limit, "startAt": start, "fields": ["updated"]}
        body = self._post("search", asked)
        with reading(SERVICE, "POST search"):
            hits = each(body, "issues", wire.hit)
            position = start + len(hits)
            more = bool(hits) and position < int(body["total"])
            return SearchPage(hits=hits, next_token=str(position) if more else None)

    def fetch(self, ids: Sequence[str], *, fields: Sequence[str] = ()) -> Fetched:
        """Return at most 100 issues by id or key, with our property, links, and comments if Jira sent all.

        Comments within an issue carry no marks; those of `comments` do.
        """
        names = [*wire.USUAL_FIELDS, *fields]
        return self._bulk(ids, names, lambda raw: wire.issue(raw, fields))

    def fetch_by_id(self, issue_id: str, *, fields: Sequence[str] = ()) -> Fetched:
        """Return one issue as `fetch` does, but never behind a write: bulk reads may lag."""
        names = [*wire.USUAL_FIELDS, *fields]
        return self._one_by_one([issue_id], names, lambda raw: wire.issue(raw, fields), in_a_row=0)

    def changelog(self, issue_id: str) -> tuple[Change, ...]:
        """Return all changes of an issue's fields, oldest first.

        Cloud pages them; Data Center answers with all of them inside the issue.
        """
        if self.edition == "cloud":
            path = self._issue_path(issue_id, "/changelog")
            histories: Any = list(self._pages(path, {"maxResults": 100}, "values"))
        else:
            path = self._issue_path(issue_id)
            body = self._get(path, {"fields": "assignee", "expand": "changelog"})
            with reading(SERVICE, f"GET {path}"):
                histories = body["changelog"]["histories"]
                self._names.update(wire.names_by_key(body))
        with reading(SERVICE, f"GET {path}"):
            entries = sorted(histories, key=wire.entry_number)
            changes = [change for entry in listed(entries, wire.changes, "changelog") for change in entry]
        if self.edition == "datacenter":
            changes = [self._with_names(change) for change in changes]
        return tuple(sorted(changes, key=lambda change: change.at))

    def changelogs(self, jql: str, most: int) -> dict[str, tuple[Change, ...]]:
        """The changes of the first `most` issues that a search finds, by issue id.

        A bounded look, for figures: of very long changelogs a part is missing.
        """
        if self.edition == "datacenter":
            return self._searched_changelogs(jql, most)
        ids: list[str] = []
        token: str | None = None
        while len(ids) < most:
            page = self.search(jql, token=token, limit=min(BULK, most - len(ids)))
            ids += [hit.id for hit in page.hits]
            token = page.next_token
            if token is None:
                break
        changes_by_issue: dict[str, list[Change]] = {}
        request: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": CHANGELOG_PAGE}
        for _page in range(CHANGELOG_PAGES if ids else 0):
            body = self._post("changelog/bulkfetch", request)
            with reading(SERVICE, "POST changelog/bulkfetch"):
                for issue_id, changes in listed(body["issueChangeLogs"], wire.bulk_changes, "changelogs"):
                    changes_by_issue.setdefault(issue_id, []).extend(changes)
            request["nextPageToken"] = body.get("nextPageToken")
            if not request["nextPageToken"]:
                break
        return {issue_id: tuple(changes) for issue_id, changes in changes_by_issue.items()}

    def _searched_changelogs(self, jql: str, most: int) -> dict[str, tuple[Change, ...]]:
        """Return the changelogs on Data Center, where a search carries them."""
        changes_by_issue: dict[str, tuple[Change, ...]] = {}
        request: dict[str, Any] = {"jql": jql, "fields": ["updated"], "expand": ["changelog"]}
        while len(changes_by_issue) < most:
            size = min(SEARCHED_CHANGELOGS, most - len(changes_by_issue))
            body = self._post("search", {**request, "startAt": len(changes_by_issue), "maxResults": size})
            with reading(SERVICE, "POST search"):
                page = dict(each(body, "issues", wire.searched_changes))
            if not page or page.keys() <= changes_by_issue.keys():
                break
            changes_by_issue.update(page)
        return changes_by_issue

    def _with_names(self, change: Change) -> Change:
        """Return a change whose assignees are known by name: Data Center's changelog knows them by key."""
        if change.field != "assignee":
            return change
        return change.model_copy(
            update={"before": self._name_of(change.before), "after": self._name_of(change.after)}
        )

    def _name_of(self, key: str | None) -> str | None:
        """Return the user name that belongs to a key, the key itself where the user is gone."""
        if key is None or key in self._names:
            return self._names.get(key or "")
        try:
            body = self._get("user", {"key": key})
        except NotDone as error:
            if not error.not_for_us:
                raise
            name = key
        else:
            with reading(SERVICE, "GET user"):
                name = wire.account(body).id
        self._names[key] = name
        return name

    def probe(self, keys: Sequence[str]) -> Fetched:
        """Return the issues that exist among these keys (or ids), with their creators and marks.

        Status and type are empty.
        """
        return self._bulk(keys, wire.PROBE_FIELDS, wire.probed)

    def _bulk(self, ids: Sequence[str], fields: Collection[str], parse: Any) -> Fetched:
        if not ids:
            return Fetched(issues=())
        if len(ids) > BULK:
            raise ValueError(f"at most {BULK} issues are read at once")
        if self.edition == "datacenter":
            return self._one_by_one(ids, fields, parse)
        asked = {
            "issueIdsOrKeys": [identifier(SERVICE, issue_id) for issue_id in ids],
            "fields": list(fields),
            "properties": [MARK_PROPERTY],
        }
        try:
            body = self._post("issue/bulkfetch", asked)
        except RemoteError as error:
            # Jira may fail at one issue of the page: read alone it does not hold up the others
            if not error.in_words or not (error.of_one_object or error.cause is Cause.SERVER):
                raise
            return self._one_by_one(ids, fields, parse)
        with reading(SERVICE, "POST issue/bulkfetch"):
            # one unreadable issue must not hold up the others of its page
            issues, odd = each_readable(body, "issues", parse, wire.ident)
            errors = dict(listed(body.get("issueErrors") or [], wire.issue_error, "issueErrors"))
        if len(issues) + len(errors) + len(odd) < len(set(ids)):
            self.prove_login()
        return Fetched(issues=issues, unread={**errors, **odd})

    def _one_by_one(
        self,
        ids: Sequence[str],
        fields: Collection[str],
        parse: Any,
        in_a_row: int = IN_A_ROW,
    ) -> Fetched:
        params = {"fields": ",".join(fields), "properties": MARK_PROPERTY}
        issues: list[Issue] = []
        unread: dict[str, str] = {}
        failures = 0
        for issue_id in ids:
            path = self._issue_path(issue_id)
            try:
                body = self._get(path, params)
                failures = 0
                with reading(SERVICE, f"GET {path}"):
                    issues.append(parse(body))
            except RemoteError as error:
                # a 404 without Jira's words proves nothing
                if error.absent:
                    continue
                failures += error.cause is Cause.SERVER
                # one broken issue must not stop the rest; several in a row mean that Jira is down
                if not error.of_one_object and (error.cause is not Cause.SERVER or failures > in_a_row):
                    raise
                unread[issue_id] = error.answer
        return Fetched(issues=tuple(issues), unread=unread)

    def transitions(self, issue_id: str) -> tuple[Transition, ...]:
        """Return the transitions out of the issue's present status that our account may take."""
        offered = self._client.transitions(identifier(SERVICE, issue_id), expand="transitions.fields")
        with reading(SERVICE, f"GET issue/{issue_id}/transitions"):
            return listed(self._proved(offered), wire.transition, "transitions")

    def comments(self, issue_id: str) -> tuple[Comment, ...]:
        """Return all comments with our property, oldest first."""
        path = self._issue_path(issue_id, "/comment")
        params = {"expand": "properties", "orderBy": "created", "maxResults": 100}
        items = list(self._pages(path, params, "comments"))
        with reading(SERVICE, f"GET {path}"):
            return wire.in_order(listed(items, wire.comment, "comments"))

    def project(self, key: str, keep: Keep = just_ask) -> ProjectFacts:
        """Return the project, its types with their statuses, and the site's priorities and link types.

        This takes four requests; `keep` may answer one from what it keeps, so that a chain that was broken
        goes on where it stopped. A site that has switched linking off has no link types.
        """
        path = f"project/{identifier(SERVICE, key)}"
        body = keep(path, lambda: self._get(path))
        by_type = keep(f"{path}/statuses", lambda: self._proved(self._get(f"{path}/statuses")))
        priorities = keep(PRIORITIES, lambda: self._proved(self._get(PRIORITIES)))
        link_types = keep(LINK_TYPES, self._link_types)
        with reading(SERVICE, f"GET {path}"):
            return wire.project(body, by_type, priorities, link_types)

    def _link_types(self) -> Any:
        try:
            return self._proved(self._get(LINK_TYPES)["issueLinkTypes"])
        except NotDone as error:
            if not error.absent:
                raise
            return []

    def create_fields(self, project: str, type_id: str) -> tuple[FieldFacts, ...]:
        """Return the create screen of a type; Cloud calls the list `fields`, Data Center `values`."""
        where = identifier(SERVICE, project), identifier(SERVICE, type_id)
        path = f"issue/createmeta/{where[0]}/issuetypes/{where[1]}"
        items = list(self._pages(path, {"maxResults": FIELD_PAGE}, "fields", "values"))
        with reading(SERVICE, f"GET {path}"):
            return listed(items, wire.create_field, "fields")

    def security_levels(self, project: str) -> tuple[Reference, ...]:
        """Return the security levels that our account may set in a project.

        Return none where the project has none, on plans without them, and without the right to set any.
        """
        path = f"project/{identifier(SERVICE, project)}/securitylevel"
        try:
            body = self._get(path)
        except NotDone as error:
            # a page of a proxy proves nothing: an hour without levels would turn tickets into stubs
            if not (error.not_for_us and error.message):
                raise
            return ()
        with reading(SERVICE, f"GET {path}"):
            levels = listed(self._proved(body.get("levels") or []), wire.reference, "levels")
            return tuple(level for level in levels if level)

    def resolutions(self) -> tuple[Reference, ...]:
        """Return the site's resolutions; on Cloud from the paged list, because the other is deprecated."""
        if self.edition == "cloud":
            items = list(self._pages("resolution/search", {"maxResults": 50}, "values"))
        else:
            items = self._proved(self._get("resolution"))
        with reading(SERVICE, "GET resolution"):
            resolutions = listed(items, wire.reference, "resolutions")
            return tuple(resolution for resolution in resolutions if resolution)

    def rights(self, project: str, names: Sequence[str]) -> dict[str, bool | None]:
        """Return which permissions our account has in the project, None for one that is not in the answer."""
        body = self._client.my_permissions(projectKey=project, permissions=",".join(names))
        with reading(SERVICE, "GET mypermissions"):
            have = body["permissions"]
            granted = {name: (have.get(name) or {}).get("havePermission") for name in names}
        # a dead token has no right
        if not all(granted.values()):
            self.prove_login()
        return {name: has if isinstance(has, bool) else None for name, has in granted.items()}

    def projects(self) -> tuple[Reference, ...]:
        """Return the projects that our account sees, with the key as the id."""
        if self.edition == "cloud":
            items = list(self._pages("project/search", {"maxResults": 50}, "values"))
        else:
            items = self._proved(self._get("project"))
        with reading(SERVICE, "GET project"):
            return listed(items, lambda raw: Reference(id=raw["key"], name=raw.get("name") or ""), "projects")
