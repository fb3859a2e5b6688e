"""Keep what a service refuses to tell: each refusal is logged once, shown by `status`, asked ever less often.

A refusal concerns what was asked about (a project, a team's mapping), never the whole service: that is the
matter of `service_health`. A refusal that stops teams is told to the operator by one mail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from loguru import logger

from syncd.domain.base import JsonValue
from syncd.domain.clock import Clock

AGAIN = "syncd asks again by itself, ever less often"
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
"""Seconds until syncd asks again: the first pause doubles up to the longest."""


@dataclass(frozen=True)
class Refusal:
    """One refusal: the `subject` (a stable name), the `question` that was refused, and words for people.

    `what` names the subject to people, `why` holds the service's words, `remedy` what a person can do.
    `teams` are stopped by it. `tell`: the operator gets a mail although no team is stopped. `since` is in
    UTC, `next_try` on the boot-time clock.
    """

    subject: str
    question: str
    what: str
    why: str
    since: datetime
    teams: tuple[str, ...] = ()
    remedy: str = ""
    tell: bool = False
    pause: float = FIRST_PAUSE
    next_try: float = 0.0

    def data(self) -> dict[str, JsonValue]:
        """Return the refusal as the ledger stores it for `syncd status`."""
        return {
            "subject": self.subject,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "teams": list(self.teams),
            "since": self.since.isoformat(),
        }

    def line(self) -> str:
        """Return the refusal in one sentence, without its time."""
        stopped = f"{', '.join(self.teams)} stopped: " if self.teams else ""
        return f"{stopped}{self.what}: {self.why}" + (f". {self.remedy}" if self.remedy else "")


class Refusals:
    """The refusals of now; `since` holds the beginnings that an earlier run stored, by subject."""

    def __init__(self, clock: Clock, since: dict[str, datetime] | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._refused: dict[str, Refusal] = {}
        self._earlier = since or {}

    def of(self, subject: str) -> Refusal | None:
        """Return what is refused about a subject, None if nothing is."""
        with self._lock:
            return self._refused.get(subject)

    def all(self) -> list[Refusal]:
        """Return all refusals, by subject."""
        with self._lock:
            return [self._refused[subject] for subject in sorted(self._refused)]

    def stopping(self, team: str) -> Refusal | None:
        """Return the refusal that stops a team, None if the team runs."""
        return next((refusal for refusal in self.all() if team in refusal.teams), None)

    def stopped_teams(self) -> set[str]:
        """Return the names of the teams that are stopped."""
        return {team for refusal in self.all() for team in refusal.teams}

    def may_ask(self, subject: str, question: str) -> bool:
        """Return True if the question may be asked now; while another one is refused, only that one is."""
        refusal = self.of(subject)
        if refusal is None:
            return True
        return refusal.question == question and self._clock.boottime() >= refusal.next_try

    def refused(
        self,
        subject: str,
        question: str,
        what: str,
        why: str,
        *,
        teams: Iterable[str] = (),
        remedy: str = "",
        tell: bool = False,
        pauses: tuple[float, float] = (FIRST_PAUSE, LONGEST_PAUSE),
    ) -> None:
        """Note that a question was refused; log it at the first time and where the words change.

        `pauses` are the first and the longest one until syncd asks again.
        """
        with self._lock:
            before = self._refused.get(subject)
            pause = min(pauses[1], before.pause * 2) if before else pauses[0]
            since = before.since if before else self._earlier.pop(subject, self._clock.now())
            next_try = self._clock.boottime() + pause
            stopped = tuple(sorted({*teams, *(before.teams if before else ())}))
            refusal = Refusal(subject, question, what, why, since, stopped, remedy, tell, pause, next_try)
            self._refused[subject] = refusal
        if before is None or before.why != why:
            logger.error("{}", refusal.line())

    def join(self, subject: str, team: str) -> None:
        """Add a team to those that a refusal stops."""
        with self._lock:
            refusal = self._refused.get(subject)
            if refusal is not None and team not in refusal.teams:
                self._refused[subject] = replace(refusal, teams=tuple(sorted({*refusal.teams, team})))

    def answered(self, subject: str, question: str) -> Refusal | None:
        """Note that a question was answered; return its refusal, None if it was not refused."""
        with self._lock:
            refusal = self._refused.get(subject)
            if refusal is None or refusal.question != question:
                return None
            del self._refused[subject]
        logger.info(
            "{}, since {:%Y-%m-%d %H:%M} UTC: {}",
            f"{', '.join(refusal.teams)}: running again, and catching up; was stopped"
            if refusal.teams
            else "answered again; was refused",
            refusal.since,
            refusal.what,
        )
        return refusal

    def ask_now(self) -> None:
        """Ask everything again at once: a person says that it is mended."""
        with self._lock:
            now = self._clock.boottime()
            self._refused = {
                subject: replace(refusal, next_try=now) for subject, refusal in self._refused.items()
            }

    def rules_changed(self, concerned: Mapping[str, Collection[str]]) -> None:
        """Forget what stops no team any more; `concerned` are the teams that a subject would stop."""
        kept = {}
        with self._lock:
            for subject, refusal in self._refused.items():
                teams = tuple(team for team in refusal.teams if team in concerned.get(subject, ()))
                if teams or not refusal.teams:
                    kept[subject] = replace(refusal, teams=teams)
            self._refused = kept
