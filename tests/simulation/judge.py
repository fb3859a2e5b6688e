"""Judges an ending: every promise of "exactly one" that the world and the ledger can prove.

Each complaint is one line: the promise, its object, and what was the case. Sometimes acts of people allow two
answers (a resolve that nobody saw before the reopen, a severity changed after the close); then both are
right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from ledger_reading import OperationRecord, TicketRow, operations, rows, texts_of

from simulation.ending import Ending
from simulation.judge_chat import chat_complaints
from simulation.judge_mails import mail_complaints, silence_complaints
from simulation.judge_papers import duty_issue_complaints
from simulation.judge_runbooks import runbook_complaints
from simulation.people import responder, tickets
from simulation.plan import FOREIGN
from simulation.play import QUIET
from syncd.domain.operation import op_of, ticket_key
from syncd.ledger.database.connection import Database, one_view
from syncd.ledger.open import open_for_reading
from syncd.ledger.views import audit_trail
from syncd.policy.marks import mark_in
from syncd.report.evidence import MANIFEST, build
from syncd.report.export_check import ExportCheck
from syncd.sandbox.jira.model import Issue
from syncd.sandbox.pagerduty.records import Incident

PRIORITY = {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low"}
UNHEARD = 60.0
"""Seconds within which two changes can cross without either side seeing the other."""


def export_problems(ledger: Database) -> list[str]:
    """Return what the check of an export without a ledger finds wrong with an export of everything."""
    with one_view(ledger) as view:
        export = build(view, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), {})
    files = {**export.files, MANIFEST: export.manifest()}
    return ExportCheck(files.get, files).run().problems


class Judge:
    """The judge of one ending; `complaints` is empty if every promise was kept."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.world, self.people, self.plan = ending.world, ending.people, ending.plan
        self.duplicates: list[str] = []
        self.losses: list[str] = []
        self.others: list[str] = []
        self._marks = self._count_marks()
        with closing(open_for_reading(ending.ledger.url)) as ledger:
            self._tickets = {row.incident_id: row for row in rows(ledger, TicketRow)}
            self._operations = operations(ledger)
            papers = duty_issue_complaints(ledger, ending)
            words = [*mail_complaints(ledger, ending), *silence_complaints(ledger, ending)]
            words += runbook_complaints(ledger, ending)
            broken = audit_trail.verify(ledger)
            # the simulation's own triggers on other tables are no break
            if broken is not None and broken.seq is not None:
                self.others.append(str(broken))
            self.others += export_problems(ledger)
            for text in texts_of(ledger, "SELECT what FROM simulated_backward"):
                self.others.append(f"the ledger went back to an older snapshot: {text}")
        self._hold()
        if not self.plan.dry:
            self.duplicates += papers.duplicates
            self.losses += papers.losses
            self.others += papers.others
            self.others += words

    @property
    def complaints(self) -> list[str]:
        """Return everything that was not as promised."""
        return [
            *(f"duplicate: {text}" for text in self.duplicates),
            *(f"loss: {text}" for text in self.losses),
            *self.others,
        ]

    def _hold(self) -> None:
        ending = self.ending
        if self.plan.dry:
            self.others += chat_complaints(ending)
            writes = self.world.journal.writes()
            self.others += [f"written in a dry run: {line.method} {line.path}" for line in writes]
            return
        for incident in self.people.incidents():
            self._hold_incident(incident)
        self._hold_texts()
        self._hold_strangers()
        self._hold_touches()
        self.others += self._early()
        self.others += self._in_pause()
        self.others += chat_complaints(ending)
        self.others += list(dict.fromkeys(ending.line.broken_rules))
        self.others += [f"written though nothing changed: {line}" for line in ending.late_writes]
        self.others += [f"blew up: {error}" for error in ending.errors]
        self.others += [
            f"still {row.state}: {row.kind} of {row.incident_id}: {row.error}"
            for row in self._operations
            if row.state in ("pending", "in_flight", "unknown", "parked", "held")
            and row.incident_id not in self.people.deleted
            and not self._other_deleted(row)
            and not self._awaits_resolve(row)
        ]

    def _other_deleted(self, row: OperationRecord) -> bool:
        """Return True if the operation waits for a ticket that a person deleted."""
        return str(row.meaning.get("target", "")) in self.people.deleted

    def _awaits_resolve(self, row: OperationRecord) -> bool:
        """Return True for a postmortem of an incident that was reopened before it was made.

        It is made at the next resolve. If the severity was lowered meanwhile, it waits until the severity is
        final.
        """
        waits = row.kind == "create_postmortem" and row.state == "pending"
        people, incident = self.people, row.incident_id
        lowered = incident in people.priority_changed and incident in people.reopened
        return waits and (incident in people.open_again or lowered)

    def _hold_incident(self, incident: Incident) -> None:
        issues = tickets(self.world, incident.id)
        live = [issue for issue in issues if issue.deleted_at is None]
        services = self.people.services[incident.id]
        # A ticket that was deleted before syncd knew of it is made again; a known one never is.
        if len(issues) > 1 and (len(live) > 1 or incident.id not in self.people.deleted_unseen):
            self.duplicates.append(
                f"{len(issues)} tickets of {incident.id}: {[issue.key for issue in issues]}"
            )
        # An incident that was ever on an unclaimed service may have a ticket or none.
        if FOREIGN in services:
            if issues and all(service == FOREIGN for service in services):
                self.others.append(f"{incident.id} of an unclaimed service has a ticket")
            if not issues:
                return
        if not live:
            if incident.id not in self.people.deleted:
                self.losses.append(f"{incident.id} has no ticket")
            return
        self._hold_in_time(incident)
        row = self._tickets.get(incident.id)
        if row is None or row.issue_id != str(live[0].id):
            self.others.append(f"the ledger does not know {live[0].key} as the ticket of {incident.id}")
        self._hold_status(incident, live[0])
        self._hold_fields(incident, live[0])

    def _hold_in_time(self, incident: Incident) -> None:
        made = self.ending.ticket_times[incident.id]
        latest = max(self.plan.calm, self.people.made_at[incident.id]) + QUIET + self.plan.refused
        if made > latest:
            self.losses.append(
                f"the ticket of {incident.id} came {made - self.plan.calm:.0f} s after the calm"
            )

    def _touched(self, incident: str, aspect: str) -> bool:
        return any((touch.incident, touch.aspect) == (incident, aspect) for touch in self.people.touches)

    def _hold_status(self, incident: Incident, issue: Issue) -> None:
        if self._touched(incident.id, "status"):
            return
        allowed = self.statuses(incident)
        status = self.world.jira.site.status(issue.now).name
        if status not in allowed:
            self.losses.append(f"{issue.key} of {incident.id} ({incident.status}) is {status}, not {allowed}")

    def statuses(self, incident: Incident) -> list[str]:
        """Return the statuses that the rules allow for the ticket; often it is only one."""
        ident, people = incident.id, self.people
        if incident.status == "acknowledged":
            return ["In Progress"]
        if incident.status == "triggered":
            return [
                "To Do",
                *(["In Progress"] if ident in people.acknowledged_once or self.plan.timeouts else []),
            ]
        closes = self._owes_nothing(incident)
        both = ident in people.priority_changed or self._merges_leave_open(incident)
        return ["Done", "In Review"] if both else ["Done" if closes else "In Review"]

    def _merges_leave_open(self, incident: Incident) -> bool:
        """Return True if a merge leaves open what is owed, or an unclaimed service took the incident."""
        target = incident.merged_into
        foreign = target is not None and FOREIGN in self.people.services.get(target, ())
        return self.people.owed_for_others(incident.id) or foreign

    def _owes_nothing(self, incident: Incident) -> bool:
        priority = self._priority(incident)
        return bool(incident.merged_into) or priority == "P4"

    def _priority(self, incident: Incident) -> str:
        priority = self.world.pagerduty.account.priorities.get(incident.priority_id or "")
        return priority.name if priority else ("P3" if incident.urgency == "high" else "P4")

    def _hold_fields(self, incident: Incident, issue: Issue) -> None:
        values, site = issue.now.values, self.world.jira.site
        if not self._touched(incident.id, "summary") and values["summary"] != incident.title:
            self.losses.append(
                f"{issue.key} says {values['summary']!r}, {incident.id} says {incident.title!r}"
            )
        shown = site.priorities[values["priority"]].name
        if shown != PRIORITY[self._priority(incident)]:
            self.losses.append(
                f"priority of {issue.key} is {shown}, {incident.id} has {self._priority(incident)}"
            )
        if incident.is_open and not self._touched(incident.id, "assignee") and not self.plan.timeouts:
            expected = responder(self.world, incident)
            assignee = site.people[values["assignee"]].name if values.get("assignee") else None
            if assignee != expected:
                self.losses.append(f"{issue.key} is assigned to {assignee}, not to {expected}")

    def _count_marks(self) -> Counter[str]:
        marks: Counter[str] = Counter()
        for incident in self.world.pagerduty.account.incidents.values():
            marks.update(mark for note in incident.notes if (mark := mark_in(note.content)))
        for issue in self.world.jira.site.issues.values():
            marks.update(mark for comment in issue.comments if (mark := mark_in(comment.body)))
        return marks

    def _hold_texts(self) -> None:
        for mark, number in self._marks.items():
            if number > 1:
                self.duplicates.append(f"{number} texts with the mark {mark}")
        for kind, texts in (("note", self.people.notes), ("comment", self.people.comments)):
            for text in texts:
                if text.gone or text.incident in self.people.deleted or not self._has_ticket(text.incident):
                    continue
                if not self._marks[op_of(f"{kind}/{text.ident}")]:
                    self.losses.append(f"{kind} {text.ident} on {text.incident} was not mirrored")
        for incident in self._tickets:
            if not self._marks[op_of(f"link-note/{incident}")] and incident not in self.people.deleted:
                self.losses.append(f"{incident} has no note that names its ticket")

    def _has_ticket(self, incident: str) -> bool:
        return incident in self._tickets

    def _hold_strangers(self) -> None:
        site, incidents = self.world.jira.site, self.world.pagerduty.account.incidents
        for issue in site.issues.values():
            mark = issue.now.properties.get("syncd") or {}
            if mark.get("kind", "create_ticket") != "create_ticket":
                continue
            if mark and (
                mark["incident"] not in incidents or mark["op"] != op_of(ticket_key(mark["incident"]))
            ):
                self.others.append(f"{issue.key} is the ticket of no incident")
        for row in self._tickets.values():
            if int(row.issue_id) not in site.issues or site.issues[int(row.issue_id)].key != row.key:
                self.others.append(f"the ledger holds {row.key}, which is not there")

    def _hold_touches(self) -> None:
        """Complain if a value was overwritten that a person set while the daemon had nothing to change."""
        last = {(touch.incident, touch.aspect): touch for touch in self.people.touches}
        for (incident, aspect), touch in last.items():
            issue = self.people.ticket(incident)
            changed = self.people.changes.get((incident, aspect), 0.0)
            if issue is None or not touch.at_rest or changed >= touch.at - UNHEARD or self.plan.timeouts:
                continue
            value = self._shown(issue, aspect)
            if value != touch.value:
                self.others.append(
                    f"overwritten: {aspect} of {issue.key} is {value!r}; a person set {touch.value!r} at"
                    f" {touch.at:.0f} s, the incident changed last at {changed:.0f} s"
                )

    def _shown(self, issue: Issue, aspect: str) -> Any:
        site, values = self.world.jira.site, issue.now.values
        if aspect == "status":
            return site.status(issue.now).name
        if aspect == "assignee":
            return site.people[values["assignee"]].name if values.get("assignee") else None
        return values[aspect]

    def _early(self) -> Iterator[str]:
        """Yield once-operations that were sent again before their settle time was over."""
        lost: dict[str, float] = {}
        once = {row.op for row in self._operations if row.op_class == "once"}
        for sending in self.ending.line.sendings:
            if sending.mark not in once:
                continue
            since = lost.get(sending.mark)
            if since is not None:
                since = max([since, *(boot for boot in self.ending.boots if boot <= sending.left)])
                waited = sending.left - since
                if waited < self.plan.settle - 1.0:
                    settle = f"{self.plan.settle:.0f}"
                    yield f"early: {sending.mark} was sent again after {waited:.0f} s of {settle}"
            if sending.outcome in ("unknown", "killed"):
                lost[sending.mark] = sending.ended

    def _in_pause(self) -> Iterator[str]:
        """Yield what was written to a service while a person had paused it."""
        for begin, end, target in self.plan.pauses:
            for service, left in self.ending.line.writes:
                if service == target and begin < left < end:
                    yield f"written to {service} at {left:.0f} s, in a pause from {begin:.0f} to {end:.0f} s"


def compare(faulty: Ending, calm: Ending) -> list[str]:
    """Return how the end differs from that of the same history without faults, where one answer is right."""
    complaints = []
    judge, people = Judge(faulty), faulty.people
    for number, ident in people.ids.items():
        twin = calm.people.ids[number]
        incident = faulty.world.pagerduty.account.incidents[ident]
        if {ident, twin} & (people.deleted | calm.people.deleted) or FOREIGN in people.services[ident]:
            continue
        ticket, twin_ticket = people.ticket(ident), calm.people.ticket(twin)
        if ticket is None or twin_ticket is None:
            complaints.append(
                f"twin: {ident} has {'a' if ticket else 'no'} ticket, its twin {'a' if twin_ticket else 'no'}"
            )
            continue
        status, twin_status = (
            faulty.world.jira.site.status(ticket.now).name,
            calm.world.jira.site.status(twin_ticket.now).name,
        )
        # The value that a person chose may be a change in one history and not in the other.
        touches = [*people.touches, *calm.people.touches]
        touched = any(touch.incident in (ident, twin) and touch.aspect == "status" for touch in touches)
        if status != twin_status and not touched and len(judge.statuses(incident)) == 1:
            complaints.append(f"twin: {ticket.key} is {status}, without faults {twin_status}")
        # A person cannot delete a comment that still waits for its ticket, so the histories may differ
        # here.
        if _left(faulty, ident) != _left(calm, twin):
            continue
        if _mirrored(faulty, ident) != _mirrored(calm, twin):
            complaints.append(
                f"twin: {ident} has {_mirrored(faulty, ident)} texts, its twin {_mirrored(calm, twin)}"
            )
    return complaints


def _left(ending: Ending, incident: str) -> tuple[int, int]:
    """Return the number of notes and of comments of people that still exist."""
    people = ending.people
    return (
        sum(text.incident == incident and not text.gone for text in people.notes),
        sum(text.incident == incident and not text.gone for text in people.comments),
    )


def _mirrored(ending: Ending, incident: str) -> tuple[int, int]:
    """Return the number of existing texts that were mirrored, in each direction."""
    marks = Judge(ending)._marks
    people = ending.people
    return (
        sum(
            marks[op_of(f"note/{text.ident}")]
            for text in people.notes
            if text.incident == incident and not text.gone
        ),
        sum(
            marks[op_of(f"comment/{text.ident}")]
            for text in people.comments
            if text.incident == incident and not text.gone
        ),
    )
