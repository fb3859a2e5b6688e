"""Once a day: two issues that one operation made, over the last eight days (design: "Exactly one", 8).

The older is kept; the younger is linked and closed if no person touched it. Everything else that is found
is reported and left. What is due stands in the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from loguru import logger
from sqlmodel import Session, select

from syncd.domain.operation import Kind, Operation
from syncd.domain.ticket import Issue
from syncd.engine.act.kinds.close_duplicate import nobody_spoke
from syncd.engine.context import Desk
from syncd.ledger.store import audit, outbox
from syncd.ledger.store.key_values import get_cursor, set_cursor
from syncd.ledger.store.tables import IncidentRow, PostmortemRow, TicketRow
from syncd.remote.http.budget import lane

CURSOR = "sweep"
EVERY = timedelta(days=1)
DAYS = 8
PAGE = 100
TOUCHED_AFTER = timedelta(seconds=2)
"""An issue that changed later than this after it was made was touched by somebody."""


class Sweep:
    """The nightly look for doubles."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def due(self) -> bool:
        """Whether the last sweep was a day ago."""
        with self._desk.ledger.db.read() as session:
            at = get_cursor(session, CURSOR).get("at")
        return at is None or self._desk.clock.now() - datetime.fromisoformat(str(at)) >= EVERY

    def run(self) -> list[str]:
        """Look once; return the incidents for which something is to be done. Raises `RemoteError`."""
        desk = self._desk
        with lane("slow"):
            groups = [self._whole(ids) for ids in self._same_operation()]
        with desk.ledger.db.write() as session:
            known = get_cursor(session, CURSOR)
            before = known.get("seen")
            seen: dict[str, Any] = {**before} if isinstance(before, dict) else {}
            left: list[dict[str, str]] = []
            incidents: list[str] = []
            for issues in groups:
                for younger in issues[1:]:
                    why = self._settle(session, issues[0], younger, seen)
                    if why:
                        left.append({"older": issues[0].key, "younger": younger.key, "reason": why})
                    elif younger.mark is not None:
                        incidents.append(younger.mark.incident)
            set_cursor(session, CURSOR, at=desk.clock.now().isoformat(), seen=seen, left=left)
        return incidents

    def _same_operation(self) -> Iterator[list[str]]:
        """The ids of issues that bear the same mark, oldest first."""
        desk = self._desk
        by_op: dict[str, list[str]] = defaultdict(list)
        keys = list(self._keys())
        for start in range(0, len(keys), PAGE):
            if desk.stop.is_set():
                return
            for issue in desk.clients.jira.probe(keys[start : start + PAGE]).issues:
                if issue.mark is not None:
                    by_op[issue.mark.op].append(issue.id)
        for ids in by_op.values():
            if len(ids) > 1:
                yield sorted(ids, key=int)

    def _keys(self) -> Iterator[str]:
        desk = self._desk
        with desk.ledger.db.read() as session:
            projects = set(session.exec(select(TicketRow.project).distinct()).all())
        if not projects:
            return
        names = ", ".join(f'"{project}"' for project in sorted(projects))
        jql = f"project in ({names}) AND created >= -{DAYS}d"
        if desk.clients.jira.server().edition != "cloud":
            jql += ' AND labels = "syncd"'  # there, marks are read one by one
        token: str | None = None
        while not desk.stop.is_set():
            page = desk.clients.jira.search(f"{jql} ORDER BY key", token=token)
            yield from (hit.key for hit in page.hits)
            token = page.next_token
            if token is None:
                return

    def _whole(self, ids: list[str]) -> list[Issue]:
        issues = self._desk.clients.jira.fetch(ids[:PAGE]).issues
        return sorted(issues, key=lambda one: int(one.id))

    def _settle(self, session: Session, older: Issue, younger: Issue, seen: dict[str, Any]) -> str | None:
        """Have a double linked and closed; return why it is left instead, None where that was decided."""
        desk, mark = self._desk, younger.mark
        incident = session.get(IncidentRow, mark.incident) if mark else None
        if mark is None or incident is None:
            return "its incident is not on record"
        if younger.id not in seen:
            seen[younger.id] = older.id
            logger.error("{} and {} were made by one operation", older.key, younger.key)
            data = {"older": older.id, "younger": younger.id}
            audit.append(session, desk.clock.now(), "double.found", incident=incident.id, data={**data})
        operations = _operations(older, younger, incident.id)
        if outbox.on_record(session, operations[0].key):
            return None
        rows = (session.get(TicketRow, incident.id), session.get(PostmortemRow, incident.id))
        if older.id not in [one.issue_id for one in rows if one is not None]:
            what = "postmortem" if mark.kind == Kind.CREATE_POSTMORTEM else "ticket"
            return f"the ledger does not hold the older one for the {what}"
        if _touched(younger):
            return "somebody touched the younger one"
        outbox.add(session, operations, desk.clock.now())
        return None


def _touched(issue: Issue) -> bool:
    """Whether anything happened to an issue since it was made; what cannot be told counts as touched."""
    if issue.created_at is None or not nobody_spoke(issue) or issue.links:
        return True
    try:
        return datetime.fromisoformat(issue.updated) - issue.created_at > TOUCHED_AFTER
    except (ValueError, TypeError):
        return True


def _operations(older: Issue, younger: Issue, incident: str) -> list[Operation]:
    link = f"double/{younger.id}/link"
    meaning: dict[str, Any] = {"older": older.id, "younger": younger.id, "from": younger.status.id}
    return [
        Operation(
            key=link,
            kind=Kind.LINK_DOUBLE,
            incident=incident,
            object=f"issue:{younger.id}",
            meaning=meaning,
            reason=f"one operation made {younger.key} beside {older.key}",
        ),
        Operation(
            key=f"double/{younger.id}/close",
            kind=Kind.CLOSE_DOUBLE,
            incident=incident,
            object=f"issue:{younger.id}",
            needs=(link,),
            meaning=meaning,
            reason=f"{older.key} counts",
        ),
    ]
