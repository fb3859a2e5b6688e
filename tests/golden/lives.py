"""Lives of incidents under a shipped mapping, from trigger to the last follow-up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from golden.seams import START, Stage, description_of, postmortem_of, stage, ticket_of
from golden.trace import Trace

HOUR, DAY = 3600.0, 86400.0
OUTSIDER = "Ines Carvalho"
LEAVER = "Farid Rahimi"


@dataclass(frozen=True)
class Cast:
    """The people and services of a team's life; `lead` may waive, `process` owns the process."""

    mapping: str
    team: str
    service: str
    other: str
    lead: str
    second: str
    process: str
    by: str
    leak: str


CASTS = {
    "qrpay": Cast(
        "qrpay",
        "QRPay",
        "Alipay Integration",
        "Core QRPay Web",
        "Amara Osei",
        "Mei Tanaka",
        "Priya Raman",
        "priya.raman@qrpay.example",
        "Customer data leak: 212 accounts",
    ),
    "ramen": Cast(
        "ramen",
        "Ramen",
        "ETA",
        "Dispatch",
        "Diego Fuentes",
        "Noor Haddad",
        "Samuel Adeyemi",
        "samuel.adeyemi@ramen.example",
        "Security: personal data of 212 guests leaked",
    ),
}


def day(offset: int) -> str:
    """Return the date so many days after the beginning of the world."""
    return f"{(START + timedelta(days=offset)).date()}"


class Life:
    """The incidents of one team on a stage."""

    def __init__(self, on: Stage, cast: Cast) -> None:
        self.on, self.cast = on, cast
        self.pagerduty, self.jira = on.world.pagerduty, on.world.jira
        self.main = self.twin = self.leak = self.neglected = self.small = ""

    def live(self, *, days: bool, weeks: bool) -> None:
        """Play everything, or leave out the days and weeks in which duties grow old."""
        self.on.turn()
        self.begin()
        self.talk()
        self.change()
        self.merge()
        self.restricted()
        self.neglect()
        self.hold()
        self.resolve()
        self.close_too_early()
        self.follow_up()
        if days:
            self.days()
        if weeks:
            self.weeks()
        if days:
            self.read()

    def ticket(self, incident: str) -> str:
        return ticket_of(self.on.world, incident)

    def postmortem(self, incident: str) -> str:
        return postmortem_of(self.on.world, incident)

    def begin(self) -> None:
        on, cast = self.on, self.cast
        self.main = on.act(
            "an incident begins",
            lambda: self.pagerduty.trigger(cast.service, "Callbacks *time out* {html}", priority="P2").id,
        )
        on.state_changes(3)
        on.act("acknowledge", lambda: self.pagerduty.acknowledge(self.main, cast.lead))
        on.state_changes(2)

    def talk(self) -> None:
        """Write, edit and delete notes and comments."""
        on, cast, ticket = self.on, self.cast, self.ticket(self.main)
        words = "Only one route is slow;\ntoken=abcdef0123456789abcdef"
        note = on.act("note", lambda: self.pagerduty.note(self.main, words, cast.lead))
        comment = on.act("comment", lambda: self.jira.comment(ticket, "14 calls so far.", OUTSIDER))
        on.state_changes(4)
        on.act("edit note", lambda: self.pagerduty.edit_note(self.main, note.id, "Two routes are slow."))
        on.act("edit comment", lambda: self.jira.edit_comment(ticket, comment.id, "20 calls.", OUTSIDER))
        on.state_changes(4)
        on.act("delete comment", lambda: self.jira.delete_comment(ticket, comment.id, OUTSIDER))
        on.state_changes(4)

    def change(self) -> None:
        """Change fields on both sides."""
        on, cast, ticket = self.on, self.cast, self.ticket(self.main)
        on.act("priority", lambda: self.pagerduty.set_priority(self.main, "P1", cast.lead))
        on.state_changes(2)
        on.act("title", lambda: self.pagerduty.set_title(self.main, "Callbacks fail", cast.lead))
        on.act("reassign", lambda: self.pagerduty.reassign(self.main, cast.process, cast.lead))
        on.state_changes(3)
        on.act("summary in Jira", lambda: self.jira.edit(ticket, cast.lead, summary="Callbacks fail, all"))
        on.act("assignee in Jira", lambda: self.jira.assign(ticket, cast.lead, cast.process))
        on.state_changes(3)
        on.act("status in Jira", lambda: self.jira.transition(ticket, "To Do", OUTSIDER))
        on.state_changes(3)
        on.act("root cause", lambda: self.jira.edit(ticket, cast.lead, customfield_10052="A locked batch"))
        on.state_changes(2)

    def merge(self) -> None:
        on, cast = self.on, self.cast
        self.twin = on.act(
            "the same again",
            lambda: self.pagerduty.trigger(cast.service, "Error rate above 5 %", priority="P3").id,
        )
        on.state_changes(3)
        on.act("merge", lambda: self.pagerduty.merge(self.main, [self.twin], cast.lead))
        on.state_changes(4)

    def restricted(self) -> None:
        on, cast = self.on, self.cast
        self.leak = on.act(
            "a restricted incident",
            lambda: self.pagerduty.trigger(cast.other, cast.leak, priority="P1").id,
        )
        on.state_changes(3)
        on.act("acknowledge", lambda: self.pagerduty.acknowledge(self.leak, cast.second))
        on.act("note", lambda: self.pagerduty.note(self.leak, "The export was public.", cast.second))
        on.state_changes(3)

    def neglect(self) -> None:
        on, cast = self.on, self.cast
        self.neglected = on.act(
            "one that nobody follows up",
            lambda: self.pagerduty.trigger(cast.other, "Checkout answers 500", priority="P2").id,
        )
        self.small = on.act(
            "a small one",
            lambda: self.pagerduty.trigger(cast.other, "CPU above 80 %", priority="P4", urgency="low").id,
        )
        on.state_changes(2)

    def hold(self) -> None:
        """Pause Jira for a while, as an operator."""
        on = self.on
        on.syncd("pause", "jira", "--reason", "Jira is being updated")
        on.act("note", lambda: self.pagerduty.note(self.neglected, "While paused.", self.cast.lead))
        on.state_changes(2)
        on.syncd("outbox")
        on.syncd("resume")
        on.state_changes(2)

    def resolve(self) -> None:
        on, cast = self.on, self.cast
        on.act("resolve", lambda: self.pagerduty.resolve(self.main, cast.lead, resolution="Rolled back."))
        on.state_changes(2)
        on.act("reopen", lambda: self.pagerduty.reopen(self.main, cast.lead))
        on.state_changes(2)
        on.act("resolve again", lambda: self.pagerduty.resolve(self.main, cast.lead))
        for incident in (self.leak, self.neglected, self.small):
            on.act(f"resolve {incident}", partial(self.pagerduty.resolve, incident, cast.second))
        on.state_changes(4)
        on.state_changes(4, 120.0)
        on.state_changes(4, 600.0)

    def close_too_early(self) -> None:
        on, ticket = self.on, self.ticket(self.main)
        on.act("close too early", lambda: self.jira.transition(ticket, "Done", self.cast.lead))
        on.state_changes(4, 60.0)

    def follow_up(self) -> None:
        """Write the table of follow-ups and create action items: with owner, without, with one who leaves."""
        on, cast, duty_issue = self.on, self.cast, self.postmortem(self.main)
        on.turn(2 * HOUR)
        row = f"|Alert on the age of the queue|{cast.process}|{day(10)}|"
        lines = description_of(on.world, duty_issue).split("\n")
        header = next(
            (place for place, line in enumerate(lines) if line.startswith("||Task")), len(lines) - 1
        )
        lines.insert(header + 1, row)
        on.act("row", lambda: self.jira.edit(duty_issue, cast.process, description="\n".join(lines)))
        self.item = on.act("item", lambda: self.jira.sub_task(duty_issue, "Document the switch", cast.second))
        self.left = on.act("item", lambda: self.jira.sub_task(duty_issue, "Rehearse the switch", cast.lead))
        on.act("assign", lambda: self.jira.assign(self.left.key, LEAVER, cast.lead))
        on.state_changes(4, 60.0)
        on.turn(20 * HOUR)
        on.act("date", lambda: self.jira.edit(duty_issue, cast.process, duedate=day(3)))
        on.state_changes(2, 60.0)
        on.act("owner leaves", lambda: self.jira.deactivate(LEAVER))
        on.state_changes(2, 12 * HOUR)

    def days(self) -> None:
        """Let days pass in which duties are met, waived and broken."""
        on, cast, duty_issue = self.on, self.cast, self.postmortem(self.main)
        on.act("postmortem done", lambda: self.jira.transition(duty_issue, "Done", cast.process))
        on.state_changes(2, 12 * HOUR)
        on.syncd("actions")
        number = self.on.world.pagerduty.find(self.neglected).number
        on.syncd(
            "waive", str(number), "--until", day(9), "--reason", "vendor answers next week", "--by", cast.by
        )
        on.state_changes(3, 16 * HOUR)
        leak = self.postmortem(self.leak)
        on.act("approves", lambda: self.jira.comment(leak, f"Rests until {day(12)}.", cast.process))
        on.act("label", lambda: self.jira.add_label(leak, "waived", cast.second))
        on.state_changes(3, 16 * HOUR)

    def weeks(self) -> None:
        """Let weeks pass in which action items are postponed, done and forgotten."""
        on, cast = self.on, self.cast
        forgotten = self.postmortem(self.neglected)
        on.act("postponed", lambda: self.jira.edit(self.item.key, cast.lead, duedate=day(20)))
        on.act("done", lambda: self.jira.transition(self.left.key, "Done", cast.lead))
        on.state_changes(6, DAY)
        on.act("late", lambda: self.jira.edit(forgotten, cast.second, duedate=day(15)))
        on.state_changes(2, DAY)
        on.act("done late", lambda: self.jira.transition(forgotten, "Done", cast.second))
        on.state_changes(8, DAY)
        on.act("done", lambda: self.jira.transition(self.item.key, "Done", cast.lead))
        on.state_changes(4, DAY)

    def read(self) -> None:
        """Record what commands print in the end."""
        read_all(self.on, (self.main, self.twin, self.leak, self.neglected, self.small))
        week = f"{(START + timedelta(days=7)):%G-W%V}"
        self.on.syncd("report", "--team", self.cast.team, "--week", week, "--format", "csv")
        self.on.syncd("plan")


def read_all(on: Stage, incidents: Iterable[str]) -> None:
    """Record what the reading commands print about everything."""
    for args in (("status",), ("status", "--all"), ("status", "--json"), ("actions",), ("outbox",)):
        on.syncd(*args)
    for incident in incidents:
        on.syncd("show", incident)
    on.syncd("report")
    on.syncd("audit", "verify")


def play_life(name: str, trace: Trace, folder: Path, *, data_center: bool) -> None:
    """Play a team's life into a trace.

    Data Center differs in its requests, but not in duties of days; duties of weeks are the same for both
    teams.
    """
    cast = CASTS[name]
    with stage(trace, folder, cast.mapping, data_center=data_center) as on:
        Life(on, cast).live(days=not data_center, weeks=not data_center and name == "qrpay")
        trace.heading("operations")
        trace.operations(on.file)
