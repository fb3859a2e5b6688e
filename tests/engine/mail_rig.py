"""A rig with a mail server, and what tests of mail ask it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rig import Rig, mapping
from sqlmodel import col, select

from engine.cast import nothing_more_is_written
from syncd.domain.duty import Duty, DutyKind, DutyState
from syncd.domain.incident import Incident
from syncd.domain.mapping.mapping import Mapping
from syncd.engine.observe.looks import look_at
from syncd.ledger.store.change_queue import notice_changes_in
from syncd.ledger.store.postmortems import save_duties
from syncd.ledger.store.tables import AuditEventRow, IncidentRow, OperationRow, PostmortemRow
from syncd.policy import decide
from syncd.policy.notify.notices import decide_notices
from syncd.policy.notify.reminders import decide_reminders
from syncd.sandbox.mail import Letter

MakeRig = Callable[..., Rig]
CTO = "tomasz.wojcik@qrpay.example"
COMPLIANCE = "elif.kaya@qrpay.example"
DIRECTOR = "karin.holt@qrpay.example"
OWNER = "amara.osei@qrpay.example"
PROCESS = "priya.raman@qrpay.example"
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
ENFORCED: dict[str, Any] = {"postmortem": {"mode": "enforce"}, "follow_ups": {"mode": "enforce"}}
OPERATOR = "ops@qrpay.example"


def mailing(**changes: Any) -> Mapping:
    """QRPay's rules with mails switched on and its people named."""
    severities: dict[str, Any] = {
        "SEV0": {"pagerduty": "P1", "priority": "Highest", "postmortem": True, "notify": [CTO, COMPLIANCE]},
        "SEV1": {"pagerduty": "P2", "priority": "High", "postmortem": True, "notify": [DIRECTOR]},
        "SEV2": {"pagerduty": "P3", "urgency": "high", "priority": "Medium", "postmortem": True},
        "SEV3": {"pagerduty": "P4", "urgency": "low", "priority": "Low"},
    }
    data: dict[str, Any] = {
        "severities": severities,
        "people": {"fallback": PROCESS, "process_owner": PROCESS},
        "mails": {"mode": "enforce"},
    }
    return mapping(**{**data, **changes})


def duties_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing judges the duties that a test has made by hand, and nothing but mails is told of them."""
    monkeypatch.setattr(decide, "JUDGING", ())
    monkeypatch.setattr(decide, "ACTING", (decide_notices, decide_reminders))


def letters(rig: Rig) -> list[Letter]:
    """What the mail server took, oldest first."""
    return rig.mail.letters if rig.mail else []


def subjects(rig: Rig, address: str | None = None) -> list[str]:
    """The subjects of the letters, to one address or to all."""
    return [
        str(letter.message["Subject"])
        for letter in letters(rig)
        if address is None or address in letter.recipients
    ]


def recipients(rig: Rig) -> list[str]:
    """To whom letters went, in alphabetical order."""
    return sorted(address for letter in letters(rig) for address in letter.recipients)


def text_of(letter: Letter) -> str:
    """The plain text of a letter."""
    part = letter.message.get_body(("plain",))
    return str(part.get_content()) if part else ""


def mails(rig: Rig, *states: str) -> list[OperationRow]:
    """The mails of the outbox in these states, all of them without any."""
    with rig.ledger.read() as session:
        query = select(OperationRow).where(OperationRow.kind == "send_mail").order_by(col(OperationRow.id))
        return [row for row in session.exec(query).all() if not states or row.state in states]


def whys(rig: Rig, number: int) -> list[str]:
    """Why an operation ended, as the audit trail has it."""
    with rig.ledger.read() as session:
        query = select(AuditEventRow).where(
            AuditEventRow.operation_id == number, AuditEventRow.kind != "operation.waits"
        )
        texts = [json.loads(row.text) for row in session.exec(query).all()]
    return [str(text["why"]) for text in texts if text.get("why")]


class Owed:
    """Duties made by hand, with the postmortem that they stand on; the rules of duties are not asked."""

    def __init__(self, rig: Rig, incident: str, assignee: str | None = "Amara Osei") -> None:
        self.rig, self.incident = rig, incident
        people = rig.world.jira
        self.issue = people.create("Ines Carvalho", "Postmortem")
        if assignee:
            people.assign(self.issue.key, assignee, "Ines Carvalho")
        with rig.ledger.write() as session:
            session.add(
                PostmortemRow(
                    incident_id=incident,
                    issue_id=str(self.issue.id),
                    key=self.issue.key,
                    project="OPS",
                    origin="operation",
                    created_at=rig.clock.now(),
                )
            )
        self.refresh()

    def refresh(self) -> None:
        """Have the postmortem read, as Jira's poll has."""
        book = self.rig.context.book_of(self._incident())
        assert book is not None
        look_at(self.rig.context, self.incident, book, frozenset({"postmortem"}))

    def _incident(self) -> Incident:
        with self.rig.ledger.read() as session:
            row = session.get(IncidentRow, self.incident)
            assert row is not None
            return Incident.model_validate(row.snapshot)

    def set(self, state: str, due: datetime, **more: Any) -> None:
        """Let a duty stand in this state."""
        now = self.rig.clock.now()
        kind, subject = more.pop("kind", "scheduled"), more.pop("subject", self.incident)
        data = {"started_at": due - timedelta(hours=48), "breached_at": due if state == "breached" else None}
        duty = Duty(
            kind=DutyKind(kind), subject=subject, state=DutyState(state), due_at=due, **{**data, **more}
        )
        with self.rig.ledger.write() as session:
            save_duties(session, self.incident, [duty], now)
            notice_changes_in(
                session, [self.incident], now, self.rig.ledger.logical_clock.next(), "a duty was set"
            )


def until(rig: Rig, moment: datetime) -> None:
    """Let the time pass up to a moment, at which both sides are read and what is due is taken up."""
    rig.cycle((moment - rig.clock.now()).total_seconds())
    rig.loop.tick()
    rig.loop.work_queue.drain()


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of the week that begins on Monday, day 0."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def incident(rig: Rig, service: str = "Alipay Integration") -> str:
    """A resolved incident that owes a postmortem and tells nobody of its severity."""
    made = rig.world.pagerduty.trigger(service, "Callbacks time out", priority="P3").id
    rig.cycle()
    rig.world.pagerduty.resolve(made, "Amara Osei")
    rig.cycle()
    return made


def sev0(rig: Rig, title: str = "Callbacks time out") -> str:
    return rig.world.pagerduty.trigger("Alipay Integration", title, priority="P1").id


def no_more_letters(rig: Rig) -> None:
    """Assert that nothing more is written or mailed."""
    rig.settle(4)
    before = len(letters(rig))
    nothing_more_is_written(rig)
    assert len(letters(rig)) == before


def breaches(post: Rig, number: int) -> Owed:
    """So many breaches, each told to two contacts."""
    owed = Owed(post, incident(post))
    for subject in range(number):
        owed.set("breached", at(0, 6, 1), kind="done", subject=str(subject))
    return owed
