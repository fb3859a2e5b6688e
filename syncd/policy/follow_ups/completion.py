"""Decide how an action item ends: done, or won't do with a person's reason.

QRPay runbook, "Post-Incident Actions": follow-up tasks are tracked to completion. An item is done in a status
of the category done. An item that people will not do has a mapped resolution or the label `wont-do`, and a
person's comment as the reason. People close the runbook item with a link in a comment, or with the label
`no-change-needed` and a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change
from syncd.domain.mapping.after_incident import FollowUps
from syncd.domain.ticket import Account, Comment, Issue, Status, is_person
from syncd.policy.marks import is_persons

WONT_DO_LABEL = "wont-do"
NO_CHANGE_LABEL = "no-change-needed"
NOT_HELD = "marked as won't do, which does not count as held"
NO_REASON = "marked as won't do, and no person's comment says why"
BY_NO_PERSON = "ended by an app or a robot; no person has changed or commented on it since"
NO_LINK = "closed, but no comment links the change and the label no-change-needed with a comment is missing"
BEFORE = timedelta(days=1)
"""A comment may be older than the act that it explains by this time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_URL = re.compile(r"https?://\S")


class Ended(Value):
    """A time in which an item was ended, by the person `by`; `until` is None if it still is."""

    since: UtcTime
    by: str
    until: UtcTime | None = None


class End(Value):
    """The state of an item: `open`, `done` or `won't do`.

    `times` are all times in which an end counted, oldest first. Of a present end that does not count,
    `lacking` says what is missing.
    """

    stands: str = "open"
    times: tuple[Ended, ...] = ()
    lacking: str | None = None

    @property
    def closed(self) -> tuple[datetime, str] | None:
        """The time and the person of the present end, None while the item is open."""
        return closed_at(self.times)


def closed_at(times: Sequence[Ended], at: datetime | None = None) -> tuple[datetime, str] | None:
    """Return the time and the person of the end that held at a moment (None: at last), None if none did."""
    for ended in times:
        lasts = ended.until is None if at is None else ended.until is None or at < ended.until
        if lasts and (at is None or ended.since <= at):
            return ended.since, ended.by
    return None


def end_of(
    issue: Issue,
    changes: Sequence[Change],
    rules: FollowUps,
    *,
    statuses: Iterable[Status] = (),
    knowledge: bool,
    restricted: bool,
    may_decline: bool = True,
) -> End:
    """Return the state of an item and the times in which it was ended.

    `knowledge` marks the runbook item. Unless people `may_decline`, won't do is no end that counts.
    `statuses` are those whose category is known. syncd keeps no comments of a `restricted` incident, so it
    asks for none there.
    """
    story = _Story(
        issue,
        changes,
        rules,
        statuses,
        knowledge=knowledge,
        restricted=restricted,
        may_decline=may_decline,
    )
    present, times = story.last(), story.times()
    if not present.ended:
        return End(times=times)
    stands = "won't do" if present.declined else "done"
    if times and times[-1].until is None:
        return End(stands=stands, times=times)
    if present.declined and not may_decline:
        return End(stands=stands, times=times, lacking=NOT_HELD)
    if present.declined and not story.explained(present):
        return End(stands=stands, times=times, lacking=NO_REASON)
    if not present.declined and not story.shows_something(present):
        return End(stands=stands, times=times, lacking=NO_LINK)
    return End(stands=stands, times=times, lacking=BY_NO_PERSON)


@dataclass(frozen=True)
class _Moment:
    """The status, labels and resolution of an item from a moment on, and since when its end stands."""

    at: datetime
    finished: bool
    declined: bool
    unchanged: bool
    since: datetime

    @property
    def ended(self) -> bool:
        return self.finished or self.declined


class _Story:
    """The ends of an item, read from its changelog and its comments."""

    def __init__(
        self,
        issue: Issue,
        changes: Sequence[Change],
        rules: FollowUps,
        statuses: Iterable[Status],
        *,
        knowledge: bool,
        restricted: bool,
        may_decline: bool,
    ) -> None:
        self._issue = issue
        self._changes = sorted(changes, key=lambda change: change.at)
        self._wont_do = {name.casefold() for name in rules.wont_do}
        self._categories = {status.id: status.category for status in (*statuses, issue.status)}
        self._knowledge, self._may_decline = knowledge, may_decline
        # syncd does not have the comments, so it takes for granted that they say what they must
        self._silent = restricted or issue.comments is None
        self._comments = sorted(by_people(issue.comments or ()), key=lambda comment: comment.created_at)

    def times(self) -> tuple[Ended, ...]:
        """Return the times in which an end counted: from a person's act until a change undid it.

        If an app or a robot ended the item, its end counts from the first later act of a person.
        """
        ended: list[Ended] = []
        for at, by in self._acts():
            moment = self._moment(at)
            counts = moment.ended and self.explained(moment) and self.shows_something(moment)
            going_on = bool(ended) and ended[-1].until is None
            if going_on and not counts:
                ended[-1] = ended[-1].model_copy(update={"until": at})
            elif counts and not going_on and by is not None:
                ended.append(Ended(since=at, by=by))
        return tuple(ended)

    def last(self) -> _Moment:
        """Return the present state."""
        return self._moment(None)

    def explained(self, moment: _Moment) -> bool:
        """Return True unless the item is set aside and no person says why, or nobody may set it aside."""
        if not moment.declined:
            return True
        if self._silent or not self._may_decline:
            return self._may_decline
        since = moment.since - BEFORE
        return any(since <= comment.created_at <= moment.at for comment in self._comments)

    def shows_something(self, moment: _Moment) -> bool:
        """Return True unless the runbook item is closed without a link or a reason."""
        if not self._knowledge or moment.declined or self._silent:
            return True
        comments = [comment for comment in self._comments if comment.created_at <= moment.at]
        linked = any(_URL.search(comment.body) for comment in comments)
        return linked or (moment.unchanged and bool(comments))

    def _acts(self) -> list[tuple[datetime, str | None]]:
        """Return the moments of all acts, with the name of the person who acted, None if no person did."""
        acts: list[tuple[datetime, str | None]] = [
            (change.at, name_of(change.author) if is_person(change.author) else None)
            for change in self._changes
        ]
        acts += [(comment.created_at, name_of(comment.author)) for comment in self._comments]
        made = self._issue.created_at
        # What the changelog does not tell has been so since the create.
        acts += [(made, name_of(None))] if made is not None else []
        return sorted(acts, key=lambda act: act[0])

    def _moment(self, at: datetime | None) -> _Moment:
        issue = self._issue
        status, status_since = self._value("status", issue.status.id, at)
        resolution, resolved_since = self._value(
            "resolution", issue.resolution.name if issue.resolution else None, at, words=True
        )
        labels, labelled_since = self._label(at)
        category = self._categories.get(status or "")
        # Jira tells the category of the present status alone. A status of another workflow is done if the
        # item had a resolution in it.
        finished = category == "done" if category is not None else resolution is not None
        label = WONT_DO_LABEL in labels
        declined = label or (finished and (resolution or "").casefold() in self._wont_do)
        since = labelled_since if label else max(status_since, resolved_since)
        return _Moment(
            at=at if at is not None else datetime.max.replace(tzinfo=UTC),
            finished=finished,
            declined=declined,
            unchanged=NO_CHANGE_LABEL in labels,
            since=since,
        )

    def _value(
        self, field: str, present: str | None, at: datetime | None, *, words: bool = False
    ) -> tuple[str | None, datetime]:
        """Return a field's value at a moment (None: at last), and since when it had it."""
        since = self._issue.created_at or _EPOCH
        for change in self._changes:
            if change.field == field:
                if at is not None and change.at > at:
                    return (change.before_words if words else change.before) or None, since
                since = change.at
        return present, since

    def _label(self, at: datetime | None) -> tuple[set[str], datetime]:
        """Return the labels at a moment, and since when the label for won't do is among them."""
        labels, since = set(self._issue.labels), self._issue.created_at or _EPOCH
        for change in self._changes:
            if change.field != "labels":
                continue
            if at is not None and change.at > at:
                return set((change.before_words or change.before or "").split()), since
            if gained(change, WONT_DO_LABEL):
                since = change.at
        return labels, since


def name_of(account: Account | None) -> str:
    """Return the name of an account for people."""
    return (account.name or account.id) if account is not None else "somebody"


def gained(change: Change, label: str) -> bool:
    """Return True if a change of labels added this label."""
    had = (change.before_words or change.before or "").split()
    has = (change.after_words or change.after or "").split()
    return label in has and label not in had


def by_people(comments: Sequence[Comment]) -> list[Comment]:
    """Return the comments that people wrote, not apps, robots or syncd."""
    return [comment for comment in comments if is_persons(comment)]
