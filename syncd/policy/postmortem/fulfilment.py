"""Find in its changelog when a postmortem was scheduled and completed: by the time of the act at its source.

Scheduled means an active owner and a review date that a person entered, not before the resolve and at most
14 days after it; completed means one of the mapping's statuses. The owner may be ours, from the create; the
review date never is. An app, a robot, our own account, or a value that stood there from the create, is
nobody's word; an owner whom a robot chose counts once they work on the postmortem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from syncd.domain.base import UtcTime, Value
from syncd.domain.history import Change
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Issue, Status
from syncd.policy.case import PostmortemState, Rulebook
from syncd.policy.marks import is_persons
from syncd.policy.time.time_words import as_date

DUE_DATE = "duedate"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(Value):
    """A time in which what is owed was done; `until` None: it still is. `by` is who did it."""

    since: UtcTime
    until: UtcTime | None = None
    by: str | None = None


class Window(Value):
    """Which review dates count on a clock.

    Not before the day of the resolve; at most `days` after the day of `counts_from`, or for one that was
    entered after the deadline `due_at`, after the day on which it was entered: else what is overdue for long
    could not be ended any more.
    """

    resolved_at: UtcTime
    counts_from: UtcTime
    due_at: UtcTime
    days: int
    zone: str

    def last_day(self, entered_at: datetime | None = None) -> date:
        """The last day that counts, for a date entered at a moment (None: in time)."""
        late = entered_at is not None and entered_at > self.due_at
        start = max(self.counts_from, entered_at) if late and entered_at else self.counts_from
        return self._day(start) + timedelta(days=self.days)

    def first_day(self) -> date:
        """The first day that counts."""
        return self._day(self.resolved_at)

    def admits(self, day: date, entered_at: datetime) -> bool:
        """Return True if a review on that day counts."""
        return self.first_day() <= day <= self.last_day(entered_at)

    def _day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()


class _Review(Value):
    """A review date as somebody entered it."""

    day: date
    entered_at: UtcTime
    by: str | None


def review_field(book: Rulebook) -> str:
    """The id of the field that holds the review date; a name that the project lacks stays as it is."""
    return review_field_of(book.mapping, book.project)


def review_field_of(mapping: Mapping, project: ResolvedProject) -> str:
    """As `review_field`, of a mapping and its project."""
    if project.postmortem is not None:
        return project.postmortem.date_field
    wanted = mapping.postmortem.date_field
    if wanted.casefold() in (DUE_DATE, "due date"):
        return DUE_DATE
    named = (one.id for one in project.fields.values() if one.name.casefold() == wanted.casefold())
    return project.fields[wanted].id if wanted in project.fields else next(named, wanted)


def scheduled_spans(
    postmortem: PostmortemState, field: str, window: Window, now: datetime
) -> tuple[Span, ...]:
    """Return the times in which the postmortem had an owner and a review date of a person."""
    issue = postmortem.issue
    if issue is None:
        return ()
    assignee = issue.assignee
    robots = _robots(postmortem)
    owned = _before(postmortem.changes, "assignee", assignee.id if assignee else None) not in (None, *robots)
    owned_by: str | None = None
    untaken: str | None = None
    review = _from_the_create(postmortem, field)
    spans: list[Span] = []
    _note(spans, owned and _counts(review, window), _made_at(postmortem), review.by if review else None)
    for at, changes in _acts(postmortem):
        by = owned_by
        for change in changes:
            if change.author is not None and change.author.id == untaken:
                # the owner whom a robot chose works on it, and has taken it by that
                owned, untaken, by = True, None, change.author.id
            if change.field == "assignee":
                owner = None if change.after in robots else change.after
                # a robot's choice makes no owner of anybody, and takes the place of one that was there
                owned = owner is not None and (owned or _by_no_robot(change))
                untaken = None if owned else owner
                owned_by = change.author.id if change.author else None
                by = owned_by
            elif change.field == field:
                review = _entered(change)
                by = review.by if review else by
        _note(spans, owned and _counts(review, window), at, by)
    if issue.assignee is not None and not issue.assignee.active:
        # when somebody left is nowhere on record: it holds from when it was seen
        _note(spans, False, postmortem.changes_until or now, None)
    return tuple(spans)


def completed_spans(postmortem: PostmortemState, book: Rulebook) -> tuple[Span, ...]:
    """Return the times in which the postmortem stood in a completed status."""
    issue = postmortem.issue
    if issue is None:
        return ()
    done = _completing(issue.status, book)
    moves = [one for one in postmortem.changes if one.field == "status"]
    first = (moves[0].before, moves[0].before_words) if moves else (issue.status.id, issue.status.name)
    spans: list[Span] = []
    _note(spans, done(*first), _made_at(postmortem), None)
    for move in moves:
        # a move by an app or a robot completes nothing, and a person's completion survives it
        going_on = bool(spans) and spans[-1].until is None
        holds = done(move.after, move.after_words) and (going_on or _by_no_robot(move))
        _note(spans, holds, move.at, move.author.id if move.author else None)
    return tuple(spans)


def stands_completed(postmortem: PostmortemState, book: Rulebook) -> bool:
    """Return True if the postmortem stands in one of the statuses in which it is completed."""
    status = postmortem.issue.status if postmortem.issue else None
    return status is not None and _completing(status, book)(status.id, status.name)


def _completing(present: Status, book: Rulebook) -> Callable[[str | None, str | None], bool]:
    """Return what tells whether a status, by id and name, completes a postmortem."""
    names = {name.casefold() for name in book.mapping.postmortem.statuses}
    resolved = book.project.postmortem.completed if book.project.postmortem else ()
    ids = _ids_of(names, [present, *book.project.statuses.values(), *_others(book)])
    ids |= {status.id for status in resolved}
    return lambda ident, words: ident in ids or (words or "").casefold() in names


def carried_on(spans: Iterable[Span], by: Sequence[Span]) -> tuple[Span, ...]:
    """The spans, each going on while another does in which it ended.

    What was scheduled and is completed by now stays scheduled, whatever becomes of its review date.
    """
    found = []
    for span in spans:
        cover = held_at(by, span.until) if span.until is not None else None
        found.append(span if cover is None else span.model_copy(update={"until": cover.until}))
    return tuple(found)


def first_gap(spans: Sequence[Span], start: datetime) -> datetime | None:
    """The first moment from `start` on at which it was not done; None: it was, and still is."""
    at = start
    for span in spans:
        if span.until is not None and span.until <= at:
            continue
        if span.since > at:
            return at
        if span.until is None:
            return None
        at = span.until
    return at


def held_at(spans: Sequence[Span], at: datetime) -> Span | None:
    """The span that a moment lies in."""
    return next(
        (span for span in spans if span.since <= at and (span.until is None or at < span.until)), None
    )


def written_by_a_person(postmortem: PostmortemState | None, field: str) -> bool:
    """Return True if a person changed its text, review date or status, or commented."""
    if postmortem is None or postmortem.issue is None:
        return False
    fields = {"description", "summary", "status", field}
    changed = any(one.field in fields and _human(one) for one in postmortem.changes)
    said = any(is_persons(comment) for comment in postmortem.issue.comments or ())
    return changed or said or postmortem.origin != "operation"


def _acts(postmortem: PostmortemState) -> Iterator[tuple[datetime, list[Change]]]:
    """Return what was changed together, oldest first; people's comments stand among the changes."""
    comments = (postmortem.issue.comments if postmortem.issue else None) or ()
    acts = [*postmortem.changes]
    acts += [
        Change(at=comment.created_at, author=comment.author, field="comment")
        for comment in comments
        if is_persons(comment)
    ]
    acts.sort(key=lambda act: act.at)
    for at, together in groupby(acts, key=lambda act: act.at):
        yield at, list(together)


def _robots(postmortem: PostmortemState) -> frozenset[str]:
    """Return the ids of the accounts on a postmortem that are no persons'."""
    authors = (change.author for change in postmortem.changes)
    assignee = postmortem.issue.assignee if postmortem.issue else None
    accounts = [account for account in (*authors, assignee) if account is not None]
    return frozenset(account.id for account in accounts if not account.human)


def _note(spans: list[Span], holds: bool, at: datetime, by: str | None) -> None:
    last = spans[-1] if spans else None
    going_on = last is not None and last.until is None
    if holds and not going_on:
        spans.append(Span(since=at, by=by))
    elif not holds and last is not None and last.until is None:
        spans[-1] = last.model_copy(update={"until": max(at, last.since)})


def _before(changes: Iterable[Change], field: str, now: str | None) -> str | None:
    """The value that a field had before all its changes."""
    first = next((one for one in changes if one.field == field), None)
    return now if first is None else first.before


def _from_the_create(postmortem: PostmortemState, field: str) -> _Review | None:
    """A review date that a person gave to a postmortem that they made themselves."""
    issue = postmortem.issue
    if issue is None or postmortem.origin == "operation":
        return None
    raw = _before(postmortem.changes, field, _shown(issue, field))
    day = as_date(raw)
    return _Review(day=day, entered_at=_made_at(postmortem), by=None) if day else None


def _shown(issue: Issue, field: str) -> str | None:
    value = issue.due_date if field == DUE_DATE else issue.fields.get(field)
    return value if isinstance(value, str) else None


def _entered(change: Change) -> _Review | None:
    day = as_date(change.after) or as_date(change.after_words)
    if day is None or not _human(change):
        return None
    return _Review(day=day, entered_at=change.at, by=change.author.id if change.author else None)


def _by_no_robot(change: Change) -> bool:
    """Return True if a person made a change, or somebody of whom Jira keeps no more than a name."""
    return change.author is None or change.author.human


def _human(change: Change) -> bool:
    return change.author is not None and change.author.human


def _counts(review: _Review | None, window: Window) -> bool:
    return review is not None and window.admits(review.day, review.entered_at)


def _made_at(postmortem: PostmortemState) -> datetime:
    issue = postmortem.issue
    made = (issue.created_at if issue else None) or postmortem.created_at
    return made or min((one.at for one in postmortem.changes), default=_EPOCH)


def _others(book: Rulebook) -> list[Status]:
    return [one for some in (*book.project.instead.values(), *book.project.path.values()) for one in some]


def _ids_of(names: set[str], statuses: Iterable[Status]) -> set[str]:
    return {one.id for one in statuses if {one.name.casefold(), (one.untranslated or "").casefold()} & names}
