"""What the demo proves, read back from the sandbox itself: one ticket an incident, states that agree.

Beside it the mails that the daemon wrote, as files that stand for a mailbox.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rich.console import Console

from syncd.commands.demo.stage import Stage
from syncd.commands.shared.output import plain, table
from syncd.domain.mapping.mapping import Mapping
from syncd.ledger.database.connection import one_view
from syncd.ledger.views import audit_trail
from syncd.sandbox import dump

_AGREEING = {
    "triggered": ("triggered",),
    "acknowledged": ("acknowledged",),
    "resolved": ("resolved", "closed"),
}
"""Which of the mapping's words a ticket may stand at for the state of its incident."""


@dataclass(frozen=True)
class Row:
    """One incident and what Jira holds for it: keys and statuses of every issue that belongs to it."""

    number: int
    title: str
    state: str
    keys: tuple[str, ...]
    statuses: tuple[str, ...]
    wanted: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether there is exactly one ticket and it stands where the incident's state asks for."""
        return len(self.keys) == 1 and self.statuses[0] in self.wanted


PATIENCE = 30.0
"""Real seconds that workers may take to end what a cycle began."""


def rows(stage: Stage) -> list[Row]:
    """Every incident of the sandbox with the issues that name it, by our mark or by the label."""
    state = dump.whole(stage.world)
    with stage.world.jira.lock:
        there = {status.name for status in stage.world.jira.site.statuses().values()}
    issues = state["jira"]["issues"]
    return [_row(incident, issues, stage.mapping, there) for incident in state["pagerduty"]["incidents"]]


def _row(
    incident: dict[str, Any], issues: list[dict[str, Any]], mapping: Mapping, there: Collection[str]
) -> Row:
    mine = [issue for issue in issues if _names(issue, incident["id"])]
    offered = [mapping.jira.statuses.names(word) for word in _AGREEING[incident["status"]]]
    return Row(
        number=incident["incident_number"],
        title=incident["title"],
        state=incident["status"],
        keys=tuple(issue["key"] for issue in mine),
        statuses=tuple(issue["fields"]["status"]["name"] for issue in mine),
        wanted=tuple(next((name for name in names if name in there), "") for names in offered),
    )


def _names(issue: dict[str, Any], incident_id: str) -> bool:
    mark = (issue.get("properties") or {}).get("syncd") or {}
    labels = [label.casefold() for label in issue["fields"].get("labels") or ()]
    if not {"syncd-postmortem", "syncd-action-item"}.isdisjoint(labels):
        return False
    return mark.get("incident") == incident_id or f"pd-{incident_id}".casefold() in labels


def prove(stage: Stage, out: Console) -> bool:
    """Print the table and what it cost; return whether everything is as promised."""
    found = rows(stage)
    cells = [
        (
            f"#{row.number}",
            row.title,
            row.state,
            " ".join(row.keys) or "none",
            " ".join(row.statuses),
            "yes" if row.agrees else "NO",
        )
        for row in found
    ]
    out.print(table("", ("incident", "title", "PagerDuty says", "ticket", "Jira says", "agrees"), cells))
    good = bool(found) and all(row.agrees for row in found)
    out.print()
    if good:
        out.print(f"{len(found)} incidents, {len(found)} tickets, exactly one each; the states agree.")
    else:
        wrong = ", ".join(f"#{row.number}" for row in found if not row.agrees) or "no incident at all"
        out.print(f"Not as promised: {wrong}")
    for line in _cost(stage):
        out.print(line, soft_wrap=True)
    return _audited(stage, out) and good


def _cost(stage: Stage) -> Iterator[str]:
    journal = stage.world.journal
    stage.loop.work_queue.wait_idle(PATIENCE)  # what earlier cycles began is not this one's cost
    pagerduty, jira = journal.total("pagerduty"), journal.total("jira")
    deletes = len(journal.offences()) or "no"
    yield (
        f"Requests: {pagerduty} to PagerDuty and {jira} to Jira, of which {len(journal.writes())} wrote;"
        f" {deletes} DELETE."
    )
    stage.cycle()
    stage.loop.work_queue.wait_idle(PATIENCE)
    quiet = journal.total("pagerduty") - pagerduty, journal.total("jira") - jira
    yield f"A cycle in which nothing changed: {quiet[0]} to PagerDuty, {quiet[1]} to Jira."


def _audited(stage: Stage, out: Console) -> bool:
    with one_view(stage.context.ledger) as view:
        broken = audit_trail.verify(view)
        seq, digest = audit_trail.head(view)
    if broken:
        out.print(f"The audit trail is broken at row {broken.seq}: {broken.why}")
        return False
    out.print(f"The audit trail is unbroken: {seq} events, head {seq}:{digest}", soft_wrap=True)
    return True


TOLD = ("SEV0", "[QRPay] 2026-W")
"""Beginnings or parts of the subjects that are shown by themselves."""


def show_mailbox(out: Console, folder: Path) -> None:
    """Print how many mails there are and the most telling of them."""
    mails = list(_mails(folder))
    plain(out, f"Mailbox: {len(mails)} mails in {folder} (open them with any mail program), such as:")
    for part in TOLD:
        found = next(((path, one) for path, one in mails if part in str(one["Subject"])), None)
        if found is not None:
            path, one = found
            plain(out, f"  to {one['To']}: {one['Subject']} ({path.name})")


def _mails(folder: Path) -> Iterator[tuple[Path, EmailMessage]]:
    for path in sorted(folder.glob("*.eml")):
        read = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(read, EmailMessage):
            yield path, read
