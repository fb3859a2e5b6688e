"""The proof at the end of the demo, read from the sandbox itself: one ticket an incident, equal states.

Behind it the mails: syncd writes them as files, which stand for a mailbox.
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
"""The words of the mapping at which a ticket may stand, by the state of its incident."""


@dataclass(frozen=True)
class Row:
    """One incident, with the key and status of every issue in Jira that is a ticket of it."""

    number: int
    title: str
    state: str
    keys: tuple[str, ...]
    statuses: tuple[str, ...]
    allowed_statuses: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Return True if there is exactly one ticket and its status fits the state of the incident."""
        return len(self.keys) == 1 and self.statuses[0] in self.allowed_statuses


PATIENCE = 30.0
"""Real seconds that the workers may need to finish a cycle."""


def rows(stage: Stage) -> list[Row]:
    """Return every incident of the sandbox with the tickets that name it, by our mark or by the label."""
    state = dump.whole(stage.world)
    with stage.world.jira.lock:
        statuses = {status.name for status in stage.world.jira.site.statuses().values()}
    issues = state["jira"]["issues"]
    return [_row(incident, issues, stage.mapping, statuses) for incident in state["pagerduty"]["incidents"]]


def _row(
    incident: dict[str, Any], issues: list[dict[str, Any]], mapping: Mapping, statuses: Collection[str]
) -> Row:
    tickets = [issue for issue in issues if _names(issue, incident["id"])]
    offered = [mapping.jira.statuses.names(word) for word in _AGREEING[incident["status"]]]
    return Row(
        number=incident["incident_number"],
        title=incident["title"],
        state=incident["status"],
        keys=tuple(issue["key"] for issue in tickets),
        statuses=tuple(issue["fields"]["status"]["name"] for issue in tickets),
        allowed_statuses=tuple(next((name for name in names if name in statuses), "") for names in offered),
    )


def _names(issue: dict[str, Any], incident_id: str) -> bool:
    mark = (issue.get("properties") or {}).get("syncd") or {}
    labels = [label.casefold() for label in issue["fields"].get("labels") or ()]
    # Postmortems and action items carry the label of the incident too, but are no tickets.
    if not {"syncd-postmortem", "syncd-action-item"}.isdisjoint(labels):
        return False
    return mark.get("incident") == incident_id or f"pd-{incident_id}".casefold() in labels


def prove(stage: Stage, out: Console) -> bool:
    """Print the table and the cost; return True if everything is as promised."""
    incidents = rows(stage)
    cells = [
        (
            f"#{row.number}",
            row.title,
            row.state,
            " ".join(row.keys) or "none",
            " ".join(row.statuses),
            "yes" if row.agrees else "NO",
        )
        for row in incidents
    ]
    out.print(table("", ("incident", "title", "PagerDuty says", "ticket", "Jira says", "agrees"), cells))
    agreed = bool(incidents) and all(row.agrees for row in incidents)
    out.print()
    if agreed:
        count = len(incidents)
        out.print(f"{count} incidents, {count} tickets: exactly one for each incident, and all states agree.")
    else:
        wrong = ", ".join(f"#{row.number}" for row in incidents if not row.agrees) or "no incident at all"
        out.print(f"Not as promised, see the table: {wrong}")
    for line in _cost(stage):
        out.print(line, soft_wrap=True)
    return _audited(stage, out) and agreed


def _cost(stage: Stage) -> Iterator[str]:
    journal = stage.world.journal
    # The work of earlier cycles must not count as the cost of a quiet one.
    stage.finish_work()
    pagerduty, jira = journal.total("pagerduty"), journal.total("jira")
    deletes = len(journal.offences()) or "none"
    yield (
        f"syncd sent {pagerduty} requests to PagerDuty and {jira} to Jira;"
        f" {len(journal.writes())} of them wrote something. DELETE requests: {deletes}."
    )
    # People are done. A cycle may still find work that its own moment made due, so the cheapest of three is
    # the one in which nothing changed.
    quiet = min((_requests_of_a_cycle(stage) for _ in range(3)), key=sum)
    yield f"A cycle in which nothing changed costs {quiet[0]} requests to PagerDuty and {quiet[1]} to Jira."


def _requests_of_a_cycle(stage: Stage) -> tuple[int, int]:
    """Return how many requests one cycle sends to PagerDuty and to Jira."""
    journal = stage.world.journal
    pagerduty, jira = journal.total("pagerduty"), journal.total("jira")
    stage.cycle()
    stage.loop.work_queue.wait_idle(PATIENCE)
    return journal.total("pagerduty") - pagerduty, journal.total("jira") - jira


def _audited(stage: Stage, out: Console) -> bool:
    with one_view(stage.context.ledger) as view:
        broken = audit_trail.verify(view)
        seq, digest = audit_trail.head(view)
    if broken:
        plain(out, str(broken))
        return False
    out.print(f"The audit trail is unbroken: {seq} events, head {seq}:{digest}", soft_wrap=True)
    return True


SHOWN_SUBJECTS = ("SEV0", "[QRPay] 2026-W47", "[QRPay] 2026-W48")
"""Parts of the subjects of the mails that are shown: a notice and the weekly reports."""
SHOWN_REPORT, FIRST_LINES = SHOWN_SUBJECTS[1], 12
"""The report whose text is shown, and how many lines of it."""


def show_mailbox(out: Console, folder: Path) -> None:
    """Print the number of mails, and recipient and subject of some of them, and how a report begins."""
    mails = list(_mails(folder))
    plain(out, f"syncd sent {len(mails)} mails: files in {folder} that any mail program opens. Some of them:")
    for part in SHOWN_SUBJECTS:
        match = next(((path, mail) for path, mail in mails if part in str(mail["Subject"])), None)
        if match is not None:
            path, mail = match
            plain(out, f"- to {mail['To']}: {mail['Subject']} ({path.name})")
    first = next((mail for _, mail in mails if SHOWN_REPORT in str(mail["Subject"])), None)
    body = first.get_body(("plain",)) if first is not None else None
    if body is not None:
        out.print("\nThe first lines of the first weekly report:")
        for line in str(body.get_content()).splitlines()[:FIRST_LINES]:
            plain(out, f"  | {line}".rstrip())


def _mails(folder: Path) -> Iterator[tuple[Path, EmailMessage]]:
    for path in sorted(folder.glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(mail, EmailMessage):
            yield path, mail
