"""Finds the action items of incidents and keeps them: what hangs on ticket and postmortem, wherever it lives.

Links and sub-tasks are named by the snapshots of ticket and postmortem, or show themselves when the poll
reads what changed; what an issue is it says itself, once it was read. What was looked at and is no action
item is remembered, so that it is not read again until it changes.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.ticket import Issue
from syncd.engine.context import Desk
from syncd.engine.observe.intake import keep_paper
from syncd.engine.observe.item_membership import counting, ends_of, of_ours, whose
from syncd.ledger.store import audit
from syncd.ledger.store.change_queue import look_again
from syncd.ledger.store.tables import ActionItemRow, IncidentRow, PostmortemRow, TicketRow
from syncd.policy.case import Rulebook
from syncd.policy.follow_ups.membership import certain, source_of
from syncd.remote.errors import Cause, Unknown

PAGE = 100


def discover(desk: Desk, incident_id: str, book: Rulebook) -> None:
    """Read what hangs on an incident's ticket and postmortem and is not known yet; raises `RemoteError`."""
    with desk.ledger.db.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return
        _hand_over(session, desk, row)
        ends = _snapshots(session, row)
        near = _near(ends)
        known = set(row.beside) | of_ours(session, sorted(near))
        query = select(ActionItemRow.issue_id).where(col(ActionItemRow.issue_id).in_(near))
        known |= set(session.exec(query).all())
    fresh = sorted(near - known)
    for start in range(0, len(fresh), PAGE):
        _read(desk, incident_id, fresh[start : start + PAGE], ends, book)


def _snapshots(session: Session, row: IncidentRow) -> list[tuple[Issue, bool]]:
    """Ticket and postmortem as last read, each with whether it is the postmortem."""
    found = []
    for one in (session.get(TicketRow, row.id), session.get(PostmortemRow, row.id)):
        if one is not None and one.snapshot:
            found.append((Issue.model_validate(one.snapshot), isinstance(one, PostmortemRow)))
    return found


def _near(ends: list[tuple[Issue, bool]]) -> set[str]:
    near = {ident for end, _ in ends for ident in end.subtasks}
    return near | {link.other_id for end, _ in ends for link in end.links}


def _read(
    desk: Desk, incident_id: str, ids: list[str], ends: list[tuple[Issue, bool]], book: Rulebook
) -> None:
    moment = desk.ledger.moments.next()
    fetched = desk.fetch(ids)
    desk.health.succeeded("jira")
    shown = {issue.id: issue for issue in fetched.issues}
    with desk.ledger.db.write() as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            return
        for ident in ids:
            if ident in shown:
                keep_neighbour(session, desk, row, shown[ident], moment, book.mapping)
            elif ident not in fetched.unread:
                sure = any(certain(ident, end, papers, book.mapping.follow_ups) for end, papers in ends)
                _keep_unseen(session, desk, row, ident, ends, sure)
    if fetched.unread:
        said = f"{len(fetched.unread)} issues beside {incident_id} could not be read"
        raise Unknown("jira", "bulk fetch", Cause.BROKEN, said)


def keep_neighbour(
    session: Session, desk: Desk, row: IncidentRow, issue: Issue, moment: int, mapping: Mapping
) -> bool:
    """Store an issue that hangs on an incident if it is an action item; return whether it is one."""
    counts = counting(session, row)
    source = source_of(issue, ends_of(session, counts), mapping.follow_ups)
    if source is None or of_ours(session, [issue.id]):
        _pass_over(session, row, issue.id)
        return False
    item = session.get(ActionItemRow, issue.id)
    if item is None:
        item = _new(session, desk, counts, issue.id, issue.key, source)
    row.beside = [one for one in row.beside if one != issue.id]
    session.add(row)
    keep_paper(session, desk, item, issue, moment)
    return True


def _new(
    session: Session, desk: Desk, row: IncidentRow, issue_id: str, key: str, source: str
) -> ActionItemRow:
    now = desk.clock.now()
    item = ActionItemRow(
        issue_id=issue_id,
        incident_id=row.id,
        key=key,
        project=key.rpartition("-")[0],
        source=source,
        first_seen_at=now,
    )
    session.add(item)
    audit.append(session, now, "item.found", incident=row.id, issue=issue_id, data={"source": source})
    look_again(session, [row.id], now, 0, "an action item was found")
    return item


def _keep_unseen(
    session: Session,
    desk: Desk,
    row: IncidentRow,
    issue_id: str,
    ends: list[tuple[Issue, bool]],
    sure: bool,
) -> None:
    """What Jira names and does not show: an action item that we cannot see, or nothing that we know of."""
    if not sure:
        _pass_over(session, row, issue_id)
        return
    keys = {link.other_id: link.other_key for end, _ in ends for link in end.links}
    item = _new(
        session, desk, counting(session, row), issue_id, keys.get(issue_id, issue_id), "named by Jira"
    )
    item.out_of_sight_since = desk.clock.now()


def _pass_over(session: Session, row: IncidentRow, issue_id: str) -> None:
    if issue_id not in row.beside:
        row.beside = [*row.beside, issue_id]
        session.add(row)


def _hand_over(session: Session, desk: Desk, row: IncidentRow) -> None:
    """The action items of what was merged count for the target from now on."""
    target = counting(session, row)
    if target.id == row.id:
        return
    items = session.exec(select(ActionItemRow).where(ActionItemRow.incident_id == row.id)).all()
    for item in items:
        item.incident_id = target.id
        session.add(item)
        data = {"from": row.id}
        audit.append(
            session,
            desk.clock.now(),
            "item.handed_over",
            incident=target.id,
            issue=item.issue_id,
            data={**data},
        )
    if items:
        look_again(session, [target.id], desk.clock.now(), 0, "action items of a merged incident")


def notice(desk: Desk, issues: list[Issue], moment: int) -> None:
    """Of issues that changed and are none of ours, keep those that hang on a ticket or a postmortem."""
    with desk.ledger.db.read() as session:
        near = [(issue, row) for issue in issues if (row := whose(session, issue)) is not None]
    for issue, row in near:
        mapping = next((one for one in desk.mappings if one.team == row.team), None)
        if mapping is None or mapping.follow_ups.mode is Mode.OFF:
            continue
        if _known_as_none(desk, row, issue, mapping):
            continue
        with desk.ledger.db.write() as session:
            session.add(row)
            if keep_neighbour(session, desk, row, issue, moment, mapping):
                found = counting(session, row).id
                look_again(session, [found], desk.clock.now(), 0, "an issue beside it changed")


def _known_as_none(desk: Desk, row: IncidentRow, issue: Issue, mapping: Mapping) -> bool:
    """Whether it was passed over before and would be again."""
    if issue.id not in row.beside:
        return False
    with desk.ledger.db.read() as session:
        return source_of(issue, ends_of(session, counting(session, row)), mapping.follow_ups) is None
