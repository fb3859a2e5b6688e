"""The PagerDuty client over pdpyras; only this file knows the library, so that it can be replaced.

The library's session forms headers, parameters and addresses; the transport does the rest. syncd does not use
the library's retries, pauses, errors and counts. It sends times in UTC with a `Z`: without it PagerDuty reads
them in the account's zone.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any, Generic, TypeVar

from requests import Response

from syncd.domain.base import Reference
from syncd.domain.incident import (
    OPEN_STATUSES,
    Incident,
    IncidentStatus,
    LogEntry,
    Note,
    PagerDutyService,
    Responder,
)
from syncd.domain.postmortem import Alert
from syncd.remote.answers import IncidentPage, LogPage
from syncd.remote.errors import NotDone
from syncd.remote.http.login import Question
from syncd.remote.http.session import DirectSession
from syncd.remote.http.transport import REMEMBERED, Transport
from syncd.remote.http.wire import Wire, each, each_readable, identifier, moment, reading
from syncd.remote.pagerduty import wire
from syncd.remote.pagerduty.directory import PAGE, SERVICE, PagerDutyDirectory, Params, page

with warnings.catch_warnings():
    # pdpyras warns at each import that it has a successor; syncd pins it
    warnings.filterwarnings("ignore", message='The package "pdpyras" is deprecated')
    from pdpyras import APISession

LONGEST_LOG = 2000
"""The most log entries that syncd reads of one incident."""

ACCOUNT = Question("/services?limit=1")
"""A read that PagerDuty answers to each valid token of the account."""
NO_INCIDENT = "SYNCDPROBE0000"
"""An id that PagerDuty gives to no incident: its ids begin with P or Q."""
_PAYMENT_REQUIRED = 402


class _Session(DirectSession, APISession):  # type: ignore[misc] # pdpyras ships no types
    """The library's session: it forms headers, parameters and addresses."""

    def __init__(self, token: str, url: str, from_address: str | None) -> None:
        APISession.__init__(self, token, default_from=from_address)
        self.url = url

    def request(  # type: ignore[override] # see `DirectSession`
        self, method: str, url: str, params: Mapping[str, Any] | None = None, **more: Any
    ) -> Response:
        """Send a request to an address or a path; return the answer, or raise `RemoteError`."""
        listed = self.normalize_params(params) if params else None
        return super().request(method, self.normalize_url(url), listed, **more)

    def headers_for(self, method: str) -> Mapping[str, Any]:
        """Return the headers that the library gives to a request."""
        headers: Mapping[str, Any] = self.prepare_headers(method)
        return headers


Page = TypeVar("Page")


class _OldNews(Generic[Page]):
    """Pages that show nothing but what their reader knows, by the look of their answer."""

    def __init__(self) -> None:
        self._pages: dict[bytes, tuple[Collection[Any], Page]] = {}

    def find(self, look: bytes, known: Container[Any]) -> Page | None:
        """Return a page that was kept, None if it shows more than `known`."""
        parts, page = self._pages.get(look, ((), None))
        return page if all(part in known for part in parts) else None

    def keep(self, look: bytes, parts: Collection[Any], page: Page) -> None:
        """Keep a page that shows these parts and nothing else."""
        while len(self._pages) >= REMEMBERED:
            del self._pages[next(iter(self._pages))]
        self._pages[look] = parts, page


class PagerDutyClient(PagerDutyDirectory):
    """One thread's PagerDuty client."""

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self._old_logs = _OldNews[LogPage]()
        self._old_lists = _OldNews[IncidentPage]()

    def identity(self) -> str:
        """Return the account's subdomain; raise `Unknown(BROKEN)` where no object names it."""
        for kind in ("users", "services"):
            body = self._get(f"/{kind}", {"limit": 1})
            with reading(SERVICE, f"GET /{kind}"):
                items = body[kind]
                if items:
                    return wire.subdomain(items[0].get("html_url"))
        with reading(SERVICE, "GET /services"):
            return wire.subdomain(None)

    def find_user(self, email: str) -> Responder | None:
        """Return the user with exactly this address in any case; PagerDuty's search also matches parts."""
        users = self._all("users", wire.responder, {"query": email})
        return next((user for user in users if (user.email or "").casefold() == email.casefold()), None)

    def role_of(self, email: str) -> str:
        """Return the role of the user with this address in PagerDuty's words, empty where it shows none."""
        roles = self._all("users", lambda raw: (raw.get("email"), raw.get("role")), {"query": email})
        return next(
            (role or "" for address, role in roles if (address or "").casefold() == email.casefold()), ""
        )

    def try_note(self) -> None:
        """Send a note to an incident that cannot exist, which changes nothing; raise how it is refused.

        A key that may only read is refused before PagerDuty looks for the incident.
        """
        self.add_note(NO_INCIDENT, "syncd check --probe: may this key write?")

    def sender(self) -> Responder | None:
        """The user in whose name we write, None where no address was given or it is nobody's."""
        address = self._session.default_from
        return self.find_user(address) if address else None

    def log_entries(
        self, since: datetime, until: datetime, offset: int, seen: Container[str] = ()
    ) -> LogPage:
        """Return 100 log entries of [since, until), newest first, without those of no incident.

        Entries whose ids were `seen` are left out too, unread: an entry never changes. Nor is an answer
        parsed that shows nothing else.
        """
        params: Params = {
            "since": wire.z(since),
            "until": wire.z(until),
            "include[]": ["incidents"],
            **page(offset),
        }
        answer = self._session.get("/log_entries", params=params)
        if (known := self._old_logs.find(answer.look, seen)) is not None:
            return known
        body = answer.json()
        with reading(SERVICE, "GET /log_entries"):
            entries, unread = each_readable(
                body, "log_entries", lambda raw: wire.log_entry(raw, seen), lambda raw: raw["incident"]["id"]
            )
            fresh = tuple(entry for entry in entries if entry)
            # an empty page that promises more would go on for ever
            more = wire.more(body) and bool(body["log_entries"])
            read = LogPage(entries=fresh, more=more, unread=unread)
            if not fresh and not unread:
                idents = [raw["id"] for raw in body["log_entries"] if wire.names_incident(raw)]
                self._old_logs.keep(answer.look, idents, read)
            return read

    def incident_log(self, incident_id: str) -> tuple[LogEntry, ...]:
        """Return the log entries of one incident, oldest first; at most the latest 2,000."""
        path = f"/incidents/{identifier(SERVICE, incident_id)}/log_entries"
        by_id: dict[str, LogEntry] = {}
        for offset in range(0, LONGEST_LOG, PAGE):
            body = self._get(path, page(offset))
            with reading(SERVICE, f"GET {path}"):
                entries = each(body, "log_entries", lambda raw: wire.log_entry_of(raw, incident_id))
                by_id.update({entry.id: entry for entry in entries if entry})
                if not wire.more(body) or not entries:
                    break
        # pages come newest first: reversing keeps the order of entries within one second
        oldest_first = list(reversed(by_id.values()))
        oldest_first.sort(key=lambda entry: entry.at)
        return tuple(oldest_first)

    def alerts(self, incident_id: str) -> tuple[Alert, ...]:
        """Return the alerts of an incident; PagerDuty keeps at most 1,000."""
        return self._all("alerts", wire.alert, path=f"incidents/{identifier(SERVICE, incident_id)}/alerts")

    def open_incidents(
        self, services: Sequence[str], offset: int, looks: Mapping[str, str] | None = None
    ) -> IncidentPage:
        """Return 100 triggered or acknowledged incidents of any age of these services, oldest first.

        `looks` tell how incidents looked before, by id (`IncidentPage.looks`).
        """
        return self._incidents({"date_range": "all"}, OPEN_STATUSES, offset, services, looks or {})

    def incidents(
        self,
        since: datetime,
        until: datetime,
        offset: int,
        statuses: Sequence[IncidentStatus] = (),
        services: Sequence[str] = (),
        looks: Mapping[str, str] | None = None,
    ) -> IncidentPage:
        """Return 100 incidents created in [since, until), oldest first; without `services` of all of them.

        `looks` as in `open_incidents`.
        """
        window = {"since": wire.z(since), "until": wire.z(until)}
        return self._incidents(window, statuses, offset, services, looks)

    def incident(self, incident_id: str) -> Incident | None:
        """Return one incident, None only where PagerDuty itself says that there is none.

        Raise a 404 without PagerDuty's words: it comes from a proxy or a wrong address.
        """
        path = f"/incidents/{identifier(SERVICE, incident_id)}"
        try:
            body = self._get(path, {"include[]": ["assignees", "custom_fields"]})
        except NotDone as error:
            # a proxy's 404 must not make an incident disappear
            if error.absent:
                return None
            raise
        with reading(SERVICE, f"GET {path}"):
            return wire.incident(body["incident"])

    def notes(self, incident_id: str) -> tuple[Note, ...]:
        """Return all notes of an incident, oldest first."""
        path = f"/incidents/{identifier(SERVICE, incident_id)}/notes"
        body = self._get(path)
        with reading(SERVICE, f"GET {path}"):
            return tuple(sorted(each(body, "notes", wire.note), key=lambda note: note.created_at))

    def add_note(self, incident_id: str, text: str) -> Note:
        """Write a note in one request."""
        path = f"/incidents/{identifier(SERVICE, incident_id)}/notes"
        body = self._session.post(path, json={"note": {"content": text}}).json()
        with reading(SERVICE, f"POST {path}"):
            return wire.note(body["note"])

    def edit_note(self, incident_id: str, note_id: str, text: str) -> Note:
        """Replace a note's text in one request (PagerDuty has this endpoint since 2025-11-07)."""
        note = identifier(SERVICE, note_id)
        path = f"/incidents/{identifier(SERVICE, incident_id)}/notes/{note}"
        body = self._session.put(path, json={"note": {"content": text}}).json()
        with reading(SERVICE, f"PUT {path}"):
            return wire.note(body["note"])

    def change_incident(
        self,
        incident_id: str,
        *,
        status: str | None = None,
        assignee: str | None = None,
        priority: str | None = None,
        title: str | None = None,
    ) -> None:
        """Update the given values in one request, in the name of the `From` address."""
        path = f"/incidents/{identifier(SERVICE, incident_id)}"
        wish: dict[str, object] = {"type": "incident_reference"}
        if status is not None:
            wish["status"] = status
        if assignee is not None:
            wish["assignments"] = [{"assignee": {"id": assignee, "type": "user_reference"}}]
        if priority is not None:
            wish["priority"] = {"id": priority, "type": "priority_reference"}
        if title is not None:
            wish["title"] = title
        body = self._session.put(path, json={"incident": wish}).json()
        with reading(SERVICE, f"PUT {path}"):
            wire.incident(body["incident"])

    def services(self) -> tuple[PagerDutyService, ...]:
        """Return all services of the account."""
        return self._all("services", wire.service)

    def priorities(self) -> tuple[Reference, ...]:
        """Return the account's priorities, none where the plan lacks them (402) or they are off (404)."""
        try:
            priorities = self._all("priorities", wire.reference)
        except NotDone as error:
            if error.status == _PAYMENT_REQUIRED or error.absent:
                return ()
            raise
        return tuple(priority for priority in priorities if priority)

    def _incidents(
        self,
        window: Mapping[str, str],
        statuses: Sequence[IncidentStatus],
        offset: int,
        services: Sequence[str],
        looks: Mapping[str, str] | None = None,
    ) -> IncidentPage:
        params: dict[str, str | int | Sequence[str]] = {
            **window,
            "include[]": ["assignees"],
            "sort_by": "created_at:asc",
            **page(offset),
        }
        if statuses:
            params["statuses[]"] = [status.value for status in statuses]
        if services:
            params["service_ids[]"] = services
        answer = self._session.get("/incidents", params=params)
        if looks and (known := self._old_lists.find(answer.look, looks.items())) is not None:
            return known
        body = answer.json()
        with reading(SERVICE, "GET /incidents"):
            sieve = _Sieve(looks)
            parsed, unread = each_readable(body, "incidents", sieve.parse, itemgetter("id"))
            incidents = tuple(incident for incident in parsed if incident)
            read = IncidentPage(
                incidents=incidents,
                more=wire.more(body),
                unread=unread,
                same=sieve.same,
                looks=sieve.looks,
            )
            if looks and not incidents and not unread:
                self._old_lists.keep(answer.look, [(ident, looks[ident]) for ident in sieve.same], read)
            return read


class _Sieve:
    """Parses incidents, without those that look as before; without `before` all of them."""

    def __init__(self, before: Mapping[str, str] | None) -> None:
        self._before = before
        self.same: dict[str, datetime] = {}
        self.looks: dict[str, str] = {}

    def parse(self, raw: Wire) -> Incident | None:
        """Return an incident, None where it looks as before."""
        if self._before is None:
            return wire.incident(raw)
        # nobody reads these bytes: they are the same for the same object, and JSON takes five times as long
        look, ident = sha256(pickle.dumps(raw)).hexdigest(), raw["id"]
        if self._before.get(ident) == look:
            self.same[ident] = moment(raw["created_at"])
            return None
        incident = wire.incident(raw)
        self.looks[incident.id] = look
        return incident


def pagerduty_client(url: str, token: str, from_address: str | None, transport: Transport) -> PagerDutyClient:
    """Create one thread's client; send nothing.

    `from_address` is the e-mail of a user of the account: PagerDuty writes notes and changes in that user's
    name.
    """
    session = _Session(token, url.rstrip("/"), from_address)
    transport.mount(session, SERVICE, url, (token,), ACCOUNT)
    return PagerDutyClient(session)
