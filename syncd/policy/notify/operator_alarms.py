"""Alarm the operator about troubles of syncd itself: once for each occasion, and once a day for each cause.

The troubles are: writes are held, a service refuses syncd's credentials, syncd could not read a side for 15
minutes, a team is stopped, a credential expires in 30, 7 or 1 days, an older file of the ledger was put back.
An alarm's key names its occasion, so that a restart repeats no alarm. A second outage is a second alarm.
Within 24 hours after the first alarm it waits, and syncd sends it if the outage lasts longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import Field

from syncd.domain.base import SERVICE_NAMES, Value
from syncd.domain.clock import in_utc
from syncd.domain.operation.mail import OperatorMail
from syncd.policy.time.time_words import long_words

NOT_READ_FOR = timedelta(minutes=15)
"""syncd alarms the operator if it could not read a side for so long."""
ONCE_IN = timedelta(days=1)
"""The operator gets one alarm for each cause in this time."""
PUT_BACK_FOR = timedelta(days=7)
"""How long after an older file of the ledger was put back the mail about it may still leave."""
EXPIRY_STEPS = (30, 7, 1)
"""Days before a credential expires, at which syncd alarms the operator."""
NAMES = {**SERVICE_NAMES, "mail": "The mail server"}
MAIL = "mail"
"""The mail server. Its own trouble reaches the operator by the log and `syncd status` only."""


class StoppedTeams(Value):
    """Teams that one cause (`subject`) stops since a time (UTC); `why` tells the cause and the remedy.

    Without teams it stops writes of one kind, for all teams.
    """

    subject: str
    teams: tuple[str, ...]
    since: datetime
    why: str


class Concern(Value):
    """Something that people should mend while syncd goes on: its name, since when (UTC), and the words."""

    name: str
    since: datetime
    text: str


class Trouble(Value):
    """The present troubles of syncd; all times are in UTC.

    `last_good` holds the last good read of each side, or the start of this run. `refused` holds the services
    that refuse syncd's credentials, with the start of the refusal, `captcha` what a person has to do where
    one demands a captcha. `expires` holds the day on which each service's credential expires. `held` is the
    time since which writes are held, and the number of their tickets. `first_load` is the same for tickets
    that wait for `syncd accept`. `put_back` is when syncd saw that somebody put an older file of the ledger
    back, and the proof. `stopped` are the teams that cannot run, `waiting` the writes of one kind
    that a service refuses for all teams, `concerns` what else people should mend.
    """

    last_good: dict[str, datetime] = Field(default_factory=dict)
    refused: dict[str, datetime] = Field(default_factory=dict)
    captcha: dict[str, str] = Field(default_factory=dict)
    expires: dict[str, date] = Field(default_factory=dict)
    held: tuple[datetime, int] | None = None
    first_load: tuple[datetime, int] | None = None
    put_back: tuple[datetime, str] | None = None
    stopped: tuple[StoppedTeams, ...] = ()
    waiting: tuple[StoppedTeams, ...] = ()
    concerns: tuple[Concern, ...] = ()


class Alarm(Value):
    """One alarm: `key` names the occasion for ever, `text` says it in one or two sentences.

    The operator hears of a `cause` once in 24 hours, however often it ends and begins again. `mail` is the
    content of the operator's mail. `instead` holds the keys of milder alarms that this one replaces.
    """

    key: str
    kind: str
    cause: str
    service: str = ""
    text: str
    mail: OperatorMail
    instead: tuple[str, ...] = ()

    def names(self, now: datetime) -> tuple[str, ...]:
        """Return the names that record the alarm as sent: its occasion, and its cause with the time (UTC)."""
        return (*self.instead, self.key, f"{self.cause}@{now.isoformat()}")

    @property
    def event_cause(self) -> str:
        """The cause under which PagerDuty hears of it: the steps before an expiry are one cause."""
        return f"expires/{self.service}" if self.kind == "expires" else self.cause

    @property
    def severity(self) -> Literal["critical", "error", "warning"]:
        """How grave it is, in the words of PagerDuty's Events API."""
        if self.kind in ("start", "credentials", "stalled", "stopped"):
            return "critical"
        return "error" if self.kind in ("mass", "put_back") else "warning"


class AlarmEvent(Value):
    """An event about a cause for PagerDuty: the alarm that began or changed, None when it is over."""

    cause: str
    alarm: Alarm | None = None


def events_due(alarms: Collection[Alarm], told: Mapping[str, str], *, settled: bool) -> list[AlarmEvent]:
    """Return the events to send now, given all present alarms.

    `told` holds the causes that PagerDuty counts as open, each with the key of the alarm that it heard last.
    Unless `settled`, an absent alarm proves nothing: syncd has not looked everywhere yet in this run.
    """
    present: dict[str, Alarm] = {}
    for alarm in alarms:
        present.setdefault(alarm.event_cause, alarm)
    fresh = [
        AlarmEvent(cause=cause, alarm=alarm)
        for cause, alarm in present.items()
        if told.get(cause) != alarm.key
    ]
    over = [AlarmEvent(cause=cause) for cause in told if cause not in present] if settled else []
    return [*fresh, *over]


def alarms_due(alarms: Collection[Alarm], told: Collection[str], now: datetime) -> list[Alarm]:
    """Return the alarms to send now; `told` holds the names of those that syncd sent already."""
    lately = {
        cause
        for cause, _, moment in (name.partition("@") for name in told)
        if moment and now - datetime.fromisoformat(moment) < ONCE_IN
    }
    return [alarm for alarm in alarms if alarm.key not in told and alarm.cause not in lately]


def cause_of(mail: OperatorMail) -> str:
    """Return the cause of an operator's mail."""
    # Each mass of writes, expiry and file put back is a cause of its own: none waits for another's 24 hours.
    by_itself = mail.topic in ("mass", "put_back")
    occasion = mail.since.isoformat() if by_itself else mail.alarm or mail.service or ""
    return f"{mail.topic}/{occasion}"


def alarms_of(trouble: Trouble, now: datetime) -> list[Alarm]:
    """Return all alarms for the present troubles, also those that syncd sent already."""
    return [
        *_put_back(trouble, now),
        *_held(trouble),
        *_refused(trouble),
        *_not_read(trouble, now),
        *_stopped(trouble),
        *_waiting(trouble),
        *_concerns(trouble),
        *_expiries(trouble, now),
    ]


def refused_at_the_start(service: str, now: datetime, captcha: str) -> Alarm:
    """Return the alarm for a service that refuses syncd at the start; `captcha`: what to do about one."""
    text = f"{NAMES[service]} refuses syncd's credentials, so syncd does not start."
    return _alarm("start", service, now, f"{text} {captcha}".strip(), words=captcha or None)


def _alarm(
    kind: Literal["mass", "first_load", "start", "credentials", "stalled", "put_back"],
    service: str,
    since: datetime,
    text: str,
    tickets: int | None = None,
    words: str | None = None,
) -> Alarm:
    key = f"{kind}/{service}/{since.isoformat()}"
    mail = OperatorMail(topic=kind, since=since, service=service or None, tickets=tickets, text=words)
    return Alarm(key=key, kind=kind, cause=cause_of(mail), service=service, text=text, mail=mail)


def _put_back(trouble: Trouble, now: datetime) -> Iterator[Alarm]:
    if trouble.put_back is not None and now - trouble.put_back[0] < PUT_BACK_FOR:
        since, proof = trouble.put_back
        text = (
            f"Somebody put an older file of the ledger back ({proof}). syncd goes on as after a restore; what"
            " only the newer file knew is lost. See: syncd status"
        )
        yield _alarm("put_back", "", since, text, words=proof)


def _held(trouble: Trouble) -> Iterator[Alarm]:
    if trouble.held is not None:
        since, tickets = trouble.held
        text = f"Writes to {tickets} tickets whose incidents did not change are held. See: syncd outbox"
        yield _alarm("mass", "", since, text, tickets)
    if trouble.first_load is not None:
        since, tickets = trouble.first_load
        text = f"A first load of {tickets} tickets is held. See: syncd status, then syncd accept"
        yield _alarm("first_load", "", since, text, tickets)


def _refused(trouble: Trouble) -> Iterator[Alarm]:
    for service, since in sorted(trouble.refused.items()):
        text = f"{NAMES.get(service, service)} has refused syncd's credentials since {in_utc(since)}."
        captcha = trouble.captcha.get(service)
        yield _alarm("credentials", service, since, f"{text} {captcha or _ends(service)}", words=captcha)


def _ends(service: str) -> str:
    """Return the words for the effect of a refused credential, and for its remedy."""
    if service == MAIL:
        right = "SYNCD_SMTP_USERNAME and SYNCD_SMTP_PASSWORD are right and syncd is restarted"
        return f"syncd mails nobody until {right}."
    if service.startswith("chat:"):
        return (
            "syncd posts nothing there until SYNCD_CHAT_URLS has a webhook that works and syncd is restarted."
        )
    return (
        "syncd reads and writes nothing there until the account may log in again; after renewing the token,"
        " restart syncd."
    )


def _not_read(trouble: Trouble, now: datetime) -> Iterator[Alarm]:
    for side, last in sorted(trouble.last_good.items()):
        # The alarm about refused credentials explains why syncd cannot read that side.
        if side not in trouble.refused and now - last >= NOT_READ_FOR:
            minutes = int((now - last) / timedelta(minutes=1))
            text = f"syncd could not read {NAMES[side]} for {minutes} minutes, since {in_utc(last)}."
            yield _alarm("stalled", side, last, f"{text} See: syncd status")


def _stopped(trouble: Trouble) -> Iterator[Alarm]:
    for stopped in trouble.stopped:
        name = f"stopped/{stopped.subject}"
        text = (
            f"syncd stopped {', '.join(stopped.teams)} (since {in_utc(stopped.since)}): {stopped.why}."
            " Incidents wait, and nothing is lost; the other teams run."
        )
        yield _lasting("stopped", name, stopped.since, text)


def _waiting(trouble: Trouble) -> Iterator[Alarm]:
    for refused in trouble.waiting:
        name = f"waiting/{refused.subject}"
        text = (
            f"A service refuses {refused.why.rstrip('.')} (since {in_utc(refused.since)})."
            " Nothing is lost: syncd goes on by itself once this is mended."
        )
        yield _lasting("waiting", name, refused.since, text)


def _concerns(trouble: Trouble) -> Iterator[Alarm]:
    for concern in trouble.concerns:
        yield _lasting("concern", concern.name, concern.since, concern.text)


def _lasting(kind: str, name: str, since: datetime, text: str) -> Alarm:
    """Return the alarm about a trouble that lasts since a moment (UTC); its own text is the mail."""
    mail = OperatorMail(topic="alarm", since=since, alarm=name, text=text)
    return Alarm(key=f"{name}/{since.isoformat()}", kind=kind, cause=cause_of(mail), text=text, mail=mail)


def clock_words(service: str, seconds: float) -> str:
    """Return by how much a service's clock differs from ours (negative: it is behind), and what to do."""
    way = "ahead of" if seconds > 0 else "behind"
    apart = long_words(timedelta(seconds=abs(seconds)))
    return (
        f"{NAMES[service]}'s clock is {apart} {way} this machine's (a deadline must pass by both): set this"
        " machine's clock by NTP"
    )


def _expiries(trouble: Trouble, now: datetime) -> Iterator[Alarm]:
    for service, day in sorted(trouble.expires.items()):
        left = (day - now.date()).days
        # After downtime several steps may be due. syncd sends the last one and records the others as sent.
        keys = [f"expires/{service}/{day.isoformat()}/{step}" for step in EXPIRY_STEPS if left <= step]
        if not keys:
            continue
        ends = f"expires in {left} days" if left > 1 else "expires tomorrow" if left == 1 else "has expired"
        text = (
            f"The credential for {NAMES.get(service, service)} {ends} ({day.isoformat()}). Make a new one,"
            f" replace the old one with it, set SYNCD_{service.upper()}_TOKEN_EXPIRES and restart syncd."
        )
        mail = OperatorMail(topic="alarm", since=now, alarm=keys[-1], text=text)
        yield Alarm(
            key=keys[-1],
            kind="expires",
            cause=cause_of(mail),
            service=service,
            text=text,
            mail=mail,
            instead=tuple(keys[:-1]),
        )
