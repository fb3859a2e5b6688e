"""What ends a duty of the postmortem, in words: the one act, with the dates that count."""

from __future__ import annotations

from syncd.domain.duty import DutyKind
from syncd.policy.case import Rulebook
from syncd.policy.met import DUE_DATE, Window, review_field


def way_out(kind: DutyKind, window: Window, book: Rulebook, *, late: bool) -> str:
    """What a person does on the postmortem so that the duty is met; `late`: it is overdue already."""
    rules = book.mapping.postmortem
    if kind is DutyKind.COMPLETED:
        return f"move the postmortem to {' or '.join(rules.statuses)}"
    field = "the due date" if review_field(book) == DUE_DATE else f"the field {rules.date_field}"
    days = f"{rules.review_within_days} days ahead at most"
    when = days if late else f"from {window.first_day()} to {window.last_day()}"
    return f"give the postmortem an owner and enter {field} as the day of its review, {when}"
