"""The webhook receivers: a signed body becomes a change notice; of a status update its time is stored, too.

Deliveries that come at the same time are stored in one transaction. syncd answers within five seconds, else
the sender tries again. It accepts and ignores bodies that it cannot use, because three refused webhooks in a
row end a PagerDuty subscription for a day. The polls find everything without webhooks too, only later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from threading import Lock
from typing import Protocol
from zlib import crc32

from loguru import logger

from syncd.domain.clock import Clock
from syncd.engine.observe.accounts import OnRecord, our_users_on_record
from syncd.engine.rules import Claim, RulesReference
from syncd.ledger.database.connection import Transactions
from syncd.ledger.store import change_queue
from syncd.ledger.store.change_queue import Heard
from syncd.ledger.store.pages import Loss, store_loss
from syncd.web.events import IncidentEvent, IssueEvent, jira_event, pagerduty_event

REMEMBERED = 10_000
"""Deliveries that syncd remembers; an older one that comes again only costs another read."""
LOOK_EVERY = 1.0
"""Seconds between two looks at an incident because of webhooks; polls and people look at any time."""
SPREAD = 0.5
"""Up to so many seconds more, by the incident: looks at many incidents must not begin at the same moment."""
LOGGED_EVERY = 60.0
"""Seconds between two log lines about refused deliveries of one service."""


Ranks = Mapping[str, int | None]
"""How soon incidents get a worker by their webhooks; None: only the ledger can tell."""


class Moments(Protocol):
    """The clock of the reads (`LogicalClock`)."""

    def next(self) -> int:
        """Return the moment of a change notice."""
        ...


class NoticeStore(Transactions, Protocol):
    """The ledger as a receiver needs it."""

    @property
    def logical_clock(self) -> Moments:
        """The clock of the reads."""
        ...


class Hearing(OnRecord, Protocol):
    """The context of a receiver: the engine's, or that of a standby."""

    @property
    def ledger(self) -> NoticeStore:
        """The place of the change notices."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock."""
        ...

    @property
    def rules(self) -> RulesReference:
        """The rules in force."""
        ...


class Receiver:
    """Take verified bodies; `hand_out` queues incidents for reconciliation, by the webhooks' ranks."""

    def __init__(self, context: Hearing, hand_out: Callable[[Ranks], None]) -> None:
        self._context = context
        self._hand_out = hand_out
        self._lock = Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._counts: dict[tuple[str, str], int] = {}
        self._logged: dict[str, float] = {}
        self._looked: dict[str, float] = {}
        self._waiting: dict[str, int | None] = {}

    def pagerduty(self, bodies: Sequence[bytes]) -> list[str]:
        """Take PagerDuty webhooks; return the outcomes: `used`, `known` (came before) or `unused`."""
        context = self._context
        now, next_moment = context.clock.now(), context.ledger.logical_clock.next
        events = [(event, self._claim(event)) for event in map(pagerduty_event, bodies)]
        # the webhook of a note names no service
        teams = change_queue.teams_of_incidents(
            context.ledger, {event.incident for event, claim in events if event is not None and claim is None}
        )
        marks = {(event.incident, event.mark) for event, _ in events if event is not None and event.mark}
        ours = change_queue.made_by_us(context.ledger, marks)
        outcomes, taken = list[str](), dict[str, None]()
        heard, ranks = list[Heard](), dict[str, int | None]()
        for body, (event, claim) in zip(bodies, events, strict=True):
            # of the signed body: anybody can repeat a delivery under another header
            delivery = (event.id if event is not None else "") or sha256(body).hexdigest()
            if event is None:
                outcomes.append("unused")
            elif delivery in taken or self._came_before("pagerduty", delivery):
                outcomes.append("known")
            else:
                taken[delivery] = None
                # the account may have many services that no mapping names
                is_claimed = claim is not None or event.incident in teams
                # no rule reads our own notes, which are known since they were confirmed
                concerns_us = is_claimed and (event.incident, event.mark) not in ours
                outcomes.append("used" if concerns_us else "unused")
                if concerns_us:
                    heard.append(self._heard(event, next_moment(), now))
                    _note_rank(ranks, event.incident, self._rank(event, claim))
        change_queue.store_heard(context.ledger, heard, now)
        self._look_at(ranks)
        for delivery in taken:
            self._remember("pagerduty", delivery)
        return outcomes

    def _heard(self, event: IncidentEvent, read_seq: int, now: datetime) -> Heard:
        published = None
        if event.status_update and event.person:
            ours = event.person in our_users_on_record(self._context)
            published = None if ours else event.at or now
        why = f"PagerDuty sent {event.kind}"
        return Heard(event.incident, read_seq, why, event.notes, event.status_update, published)

    def _claim(self, event: IncidentEvent | None) -> Claim | None:
        return self._context.rules.current.claim_of(event.service) if event is not None else None

    def _rank(self, event: IncidentEvent, claim: Claim | None) -> int | None:
        """Return how soon an incident gets a worker by its webhook, None if that does not tell."""
        # a webhook that shows no priority may be about the gravest incident
        tells = claim is not None and event.priority is not None
        if tells and claim is not None and (event.priority or claim[0].severity_field is None):
            return self._context.rules.current.rank_of(event.shown())
        return None

    def jira(self, bodies: Sequence[bytes]) -> list[str]:
        """Take Jira webhooks; return the outcomes: `used`, `known` (came before) or `unused`."""
        context = self._context
        now, next_moment = context.clock.now(), context.ledger.logical_clock.next
        events = [jira_event(body) for body in bodies]
        tickets = change_queue.incidents_of_issues(
            context.ledger, {event.issue for event in events if event is not None}
        )
        outcomes = ["unused"] * len(bodies)
        fresh: dict[str, tuple[int, IssueEvent]] = {}
        for place, (body, event) in enumerate(zip(bodies, events, strict=True)):
            # Jira signs no id; a repeated delivery has the same body, with its time
            delivery = sha256(body).hexdigest()
            if event is not None and (delivery in fresh or self._came_before("jira", delivery)):
                outcomes[place] = "known"
            elif event is not None:
                fresh[delivery] = place, event
        heard = [
            Heard(tickets[event.issue], next_moment(), f"Jira sent {event.kind}", ticket=True)
            for _, event in fresh.values()
            if event.issue in tickets
        ]
        change_queue.store_heard(context.ledger, heard, now)
        concerned = set()
        for place, event in fresh.values():
            incident = self._lost(event, now) or tickets.get(event.issue)
            if incident is not None:
                outcomes[place] = "used"
                concerned.add(incident)
        self._look_at(dict.fromkeys(sorted(concerned)))
        for delivery in fresh:
            self._remember("jira", delivery)
        return outcomes

    def _lost(self, event: IssueEvent, now: datetime) -> str | None:
        """Store that an issue of ours was deleted or moved; return its incident, None for any other event."""
        if not event.deleted and not event.moved:
            return None
        how: Loss = "deleted" if event.deleted else "moved"
        return store_loss(self._context.ledger, event.issue, how, event.name, event.account, now)

    def _look_at(self, ranks: Ranks) -> None:
        """Queue incidents, each at most once a second: `tick` queues those of which more comes meanwhile."""
        now, due = self._context.clock.boottime(), dict[str, int | None]()
        with self._lock:
            self._looked = {key: at for key, at in self._looked.items() if now - at < _pause(key)}
            for incident_id, rank in ranks.items():
                if incident_id in self._looked:
                    _note_rank(self._waiting, incident_id, rank)
                else:
                    due[incident_id] = rank
                    self._looked[incident_id] = now
        if due:
            self._hand_out(due)

    def waiting(self) -> Collection[str]:
        """Return the incidents that a later `tick` queues."""
        with self._lock:
            return frozenset(self._waiting)

    def tick(self) -> None:
        """Queue the incidents with webhooks that came within a second after the last; called each second."""
        now = self._context.clock.boottime()
        with self._lock:
            due = {
                key: rank
                for key, rank in self._waiting.items()
                if now - self._looked.get(key, -_pause(key)) >= _pause(key)
            }
            for key in due:
                del self._waiting[key]
            self._looked.update(dict.fromkeys(due, now))
        if due:
            self._hand_out(due)

    def count(self, source: str, outcome: str) -> None:
        """Count one delivery; log forged ones once a minute."""
        now = self._context.clock.boottime()
        with self._lock:
            number = self._counts[source, outcome] = self._counts.get((source, outcome), 0) + 1
            silent = outcome != "forged" or now - self._logged.get(source, -LOGGED_EVERY) < LOGGED_EVERY
            if not silent:
                self._logged[source] = now
        if not silent:
            logger.warning(
                "refused a webhook from {} without a valid signature ({} so far); check its secret",
                source,
                number,
            )

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of deliveries by source and outcome."""
        with self._lock:
            return dict(self._counts)

    def _came_before(self, source: str, delivery: str) -> bool:
        with self._lock:
            return bool(delivery) and f"{source} {delivery}" in self._known

    def _remember(self, source: str, delivery: str) -> None:
        """Remember a delivery whose notice is stored: a failed one must count when it comes again."""
        with self._lock:
            if delivery:
                self._known[f"{source} {delivery}"] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _note_rank(ranks: dict[str, int | None], incident_id: str, rank: int | None) -> None:
    """Note the rank of an incident; of several the gravest counts."""
    told = [known for known in (rank, ranks.get(incident_id)) if known is not None]
    ranks[incident_id] = min(told, default=None)


def _pause(incident_id: str) -> float:
    """Return the least seconds between two looks at an incident."""
    return LOOK_EVERY + SPREAD * (crc32(incident_id.encode()) % 100) / 100
