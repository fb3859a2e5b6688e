"""Find in Jira's changelog when people scheduled and completed a postmortem.

QRPay runbook, "Post-Incident". A postmortem is scheduled when it has an active owner and a review date that a
person entered, not before the resolve and at most 14 days after it. It is completed in one of the mapping's
statuses. syncd may set the owner when it creates the issue, but never the review date. What apps, robots or
syncd's own account enter, and values from the create, meet no duty. An owner whom a robot chose counts from
the moment at which the owner works on the postmortem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from syncd.domain.base import UtcTime, Value
from syncd.domain.duty import DutyKind
from syncd.domain.history import Change, Leave, no_persons
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.project import ResolvedProject
from syncd.domain.ticket import Issue, Status, is_person, may_be_person
from syncd.policy.case import PostmortemState, Rulebook
from syncd.policy.marks import is_persons, may_be_persons
from syncd.policy.time.time_words import as_date

DUE_DATE = "duedate"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEFT, _BACK = "left", "back"
"""The entries in the place of a field's name where syncd saw an owner's account inactive, or active again."""


class Span(Value):
    """A time in which a duty was met, by the account `by`; `until` is None if it still is.

    `left` is True if it ended because syncd saw the owner's account inactive.
    """

    since: UtcTime
    until: UtcTime | None = None
    by: str | None = None
    left: bool = False


class Window(Value):
    """The review dates that count on a clock: from the day of the resolve, for `days` days at most.

    The days count from `counts_from`. For a date that was entered after the deadline `due_at` they count from
    the day on which it was entered: else nobody could meet a duty that is overdue for long.
    """

    resolved_at: UtcTime
    counts_from: UtcTime
    due_at: UtcTime
    days: int
    zone: str

    def last_day(self, entered_at: datetime | None = None) -> date:
        """Return the last day that counts, for a date entered at a moment (None: before the deadline)."""
        late = entered_at is not None and entered_at > self.due_at
        start = max(self.counts_from, entered_at) if late and entered_at else self.counts_from
        return self._day(start) + timedelta(days=self.days)

    def first_day(self) -> date:
        """Return the first day that counts, in the team's zone."""
        return self._day(self.resolved_at)

    def admits(self, day: date, entered_at: datetime) -> bool:
        """Return True if a review on that day counts."""
        return self.first_day() <= day <= self.last_day(entered_at)

    def _day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()


class _Review(Value):
    """A review date, and the account that entered it."""

    day: date
    entered_at: UtcTime
    by: str | None


def review_field(book: Rulebook) -> str:
    """Return the id of the field for the review date; a name that the project lacks is returned as it is."""
    return review_field_of(book.mapping, book.project)


def review_field_of(mapping: Mapping, project: ResolvedProject) -> str:
    """Return the same as `review_field`, for a mapping and its project."""
    if project.postmortem is not None:
        return project.postmortem.date_field
    name = mapping.postmortem.date_field
    if name.casefold() in (DUE_DATE, "due date"):
        return DUE_DATE
    named = (field.id for field in project.fields.values() if field.name.casefold() == name.casefold())
    return project.fields[name].id if name in project.fields else next(named, name)


def review_of(postmortem: PostmortemState, field: str) -> datetime | date | None:
    """Return the present review date, whoever entered it: a time (UTC) where the field holds one."""
    shown = _shown(postmortem.issue, field) if postmortem.issue is not None else None
    try:
        at = datetime.fromisoformat(shown or "")
    except ValueError:
        return as_date(shown)
    return at.astimezone(UTC) if at.tzinfo is not None else at.date()


def remedy(kind: DutyKind, window: Window, book: Rulebook, *, late: bool, owned: bool) -> str:
    """Return in words how a person meets the duty; `late`: it is overdue, `owned`: there is an owner."""
    rules = book.mapping.postmortem
    if kind is DutyKind.COMPLETED:
        return f"move the postmortem to {' or '.join(rules.statuses)}"
    field = "its due date" if review_field(book) == DUE_DATE else f"the field {rules.date_field}"
    days = f"at most {rules.review_within_days} days ahead"
    when = days if late else f"from {window.first_day()} to {window.last_day()}"
    owner = "" if owned else "give the postmortem an owner and "
    return f"{owner}enter the day of its review in {field}, {when}"


def scheduled_spans(
    postmortem: PostmortemState, field: str, window: Window, now: datetime
) -> tuple[Span, ...]:
    """Return the times in which the postmortem had an owner and a review date that a person entered."""
    return _owned_spans(postmortem, field, now, lambda review: _counts(review, window))


def has_owner(postmortem: PostmortemState, now: datetime) -> bool:
    """Return True if the postmortem has an owner now by whom it can be scheduled."""
    return held_now(_owned_spans(postmortem, DUE_DATE, now, lambda _review: True)) is not None


def _owned_spans(
    postmortem: PostmortemState, field: str, now: datetime, counts: Callable[[_Review | None], bool]
) -> tuple[Span, ...]:
    """Return the times in which the postmortem had an owner, and a review date in `field` that counts."""
    issue = postmortem.issue
    if issue is None:
        return ()
    assignee = issue.assignee
    robots = no_persons(issue.assignee, postmortem.changes)
    owner = _before(postmortem.changes, "assignee", assignee.id if assignee else None)
    owned = owner not in (None, *robots)
    owned_by: str | None = None
    untaken: str | None = None
    review = _from_the_create(postmortem, field)
    spans: list[Span] = []
    _note(spans, owned and counts(review), _made_at(postmortem), review.by if review else None)
    for at, changes in _acts(postmortem, now):
        by, left = owned_by, False
        for change in changes:
            if change.field in (_LEFT, _BACK) and change.after == owner:
                left = owned and change.field == _LEFT
                owned = change.field == _BACK and untaken is None
            elif change.author is not None and change.author.id == untaken:
                # The owner whom a robot chose works on the postmortem, and takes it by that.
                owned, untaken, by = True, None, change.author.id
            if change.field == "assignee":
                owner = None if change.after in robots else change.after
                # A robot's choice alone makes nobody an owner. It may replace an owner who was there.
                owned = owner is not None and (owned or is_person(change.author))
                untaken = None if owned else owner
                owned_by = change.author.id if change.author else None
                by = owned_by
            elif change.field == field:
                review = _entered(change)
                by = review.by if review else by
        held = bool(spans) and spans[-1].until is None
        _note(spans, owned and counts(review), at, by)
        if left and held:
            spans[-1] = spans[-1].model_copy(update={"left": True})
    return tuple(spans)


def completed_spans(postmortem: PostmortemState, book: Rulebook) -> tuple[Span, ...]:
    """Return the times in which the postmortem stood in a completed status."""
    issue = postmortem.issue
    if issue is None:
        return ()
    done = _completing(issue.status, book)
    moves = [change for change in postmortem.changes if change.field == "status"]
    first = (moves[0].before, moves[0].before_words) if moves else (issue.status.id, issue.status.name)
    spans: list[Span] = []
    _note(spans, done(*first), _made_at(postmortem), None)
    for move in moves:
        # A move by an app or a robot completes nothing, but does not end a person's completion either. Nor
        # does a move whose author Jira does not name.
        going_on = bool(spans) and spans[-1].until is None
        holds = done(move.after, move.after_words) and (going_on or is_person(move.author))
        _note(spans, holds, move.at, move.author.id if move.author else None)
    return tuple(spans)


def stands_completed(postmortem: PostmortemState, book: Rulebook) -> bool:
    """Return True if the postmortem stands in one of the statuses in which it is completed."""
    status = postmortem.issue.status if postmortem.issue else None
    return status is not None and _completing(status, book)(status.id, status.name)


def _completing(present: Status, book: Rulebook) -> Callable[[str | None, str | None], bool]:
    """Return a function that returns True if a status, by id and name, completes a postmortem."""
    names = {name.casefold() for name in book.mapping.postmortem.statuses}
    resolved = book.project.postmortem.completed if book.project.postmortem else ()
    # Jira translates names of statuses, so the ids of the same statuses count, too.
    ids = _ids_of(names, [present, *book.project.statuses.values(), *_others(book)])
    ids |= {status.id for status in resolved}
    return lambda ident, words: ident in ids or (words or "").casefold() in names


def carried_on(spans: Iterable[Span], by: Sequence[Span]) -> tuple[Span, ...]:
    """Return the spans, each extended to the end of the span in `by` in which it ended.

    A postmortem that is completed while it is scheduled stays scheduled, even if a person removes the review
    date.
    """
    extended = []
    for span in spans:
        cover = held_at(by, span.until) if span.until is not None else None
        going_on = {} if cover is None else {"until": cover.until, "left": False}
        extended.append(span.model_copy(update=going_on))
    return tuple(extended)


def first_gap(spans: Sequence[Span], start: datetime) -> datetime | None:
    """Return the first moment from `start` on that no span covers, None if the spans have no gap."""
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
    """Return the span that contains a moment, None if no span does."""
    return next(
        (span for span in spans if span.since <= at and (span.until is None or at < span.until)), None
    )


def held_now(spans: Sequence[Span]) -> Span | None:
    """Return the span that has not ended; its start may lie ahead of our clock, never of the service's."""
    return spans[-1] if spans and spans[-1].until is None else None


def written_by_a_person(
    postmortem: PostmortemState | None, field: str, until: datetime | None = None
) -> bool:
    """Return True if a person made the postmortem, commented on it, or changed its text, date or status.

    Acts after `until` do not count. Where Jira names no author, a person may have done it.
    """
    if postmortem is None or postmortem.issue is None:
        return False
    fields = {"description", "summary", "status", field}
    acts = [
        change.at for change in postmortem.changes if change.field in fields and may_be_person(change.author)
    ]
    acts += [comment.created_at for comment in postmortem.issue.comments or () if may_be_persons(comment)]
    acts += [_made_at(postmortem)] if postmortem.origin != "operation" else []
    return any(until is None or at <= until for at in acts)


def _acts(postmortem: PostmortemState, now: datetime) -> Iterator[tuple[datetime, list[Change]]]:
    """Yield the changes of one moment together, oldest first.

    People's comments count as changes, and so do the moments when syncd saw an account inactive and back.
    """
    comments = (postmortem.issue.comments if postmortem.issue else None) or ()
    acts = [*postmortem.changes]
    acts += [
        Change(at=comment.created_at, author=comment.author, field="comment")
        for comment in comments
        if is_persons(comment)
    ]
    leaves, owner = {**postmortem.leaves}, postmortem.issue.assignee if postmortem.issue else None
    if owner is not None and not owner.active:
        # Jira does not tell since when an account is inactive: it counts from the read that showed it.
        leaves.setdefault(owner.id, Leave(by=postmortem.changes_until or now))
    for account, leave in leaves.items():
        acts.append(Change(at=leave.by, field=_LEFT, after=account))
        acts += [Change(at=leave.back, field=_BACK, after=account)] if leave.back is not None else []
    acts.sort(key=lambda act: act.at)
    for at, together in groupby(acts, key=lambda act: act.at):
        yield at, list(together)


def _note(spans: list[Span], holds: bool, at: datetime, by: str | None) -> None:
    last = spans[-1] if spans else None
    going_on = last is not None and last.until is None
    if holds and not going_on:
        spans.append(Span(since=at, by=by))
    elif not holds and last is not None and last.until is None:
        spans[-1] = last.model_copy(update={"until": max(at, last.since)})


def _before(changes: Iterable[Change], field: str, now: str | None) -> str | None:
    """Return the value that a field had before all its changes."""
    first = next((change for change in changes if change.field == field), None)
    return now if first is None else first.before


def _from_the_create(postmortem: PostmortemState, field: str) -> _Review | None:
    """Return the review date that a postmortem had from its create, if a person made the postmortem."""
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
    if day is None or not is_person(change.author):
        return None
    return _Review(day=day, entered_at=change.at, by=change.author.id if change.author else None)


def _counts(review: _Review | None, window: Window) -> bool:
    return review is not None and window.admits(review.day, review.entered_at)


def _made_at(postmortem: PostmortemState) -> datetime:
    issue = postmortem.issue
    made = (issue.created_at if issue else None) or postmortem.created_at
    return made or min((change.at for change in postmortem.changes), default=_EPOCH)


def _others(book: Rulebook) -> list[Status]:
    groups = (*book.project.instead.values(), *book.project.path.values())
    return [status for statuses in groups for status in statuses]


def _ids_of(names: set[str], statuses: Iterable[Status]) -> set[str]:
    return {
        status.id
        for status in statuses
        if {status.name.casefold(), (status.untranslated or "").casefold()} & names
    }
