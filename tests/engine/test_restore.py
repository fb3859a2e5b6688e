"""The drill: yesterday's ledger is restored after a busy day, and nothing is doubled or lost."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

import pytest
from ledger_reading import events
from rig import Rig

from engine.cast import nothing_more_is_written
from engine.mail_rig import COMPLIANCE, CTO, MakeRig, mailing, mails, recipients, whys
from engine.restored_rig import back_up_rig, doubled, keys, restore_rig, seen_by_people
from syncd.domain.operation import OperationState, SendMail, Target
from syncd.domain.operation.mail import PostponedMail
from syncd.ledger.errors import LedgerBusy, LedgerFromTheFuture, LedgerUnreadable, LedgerUnsafe
from syncd.ledger.open import open_for_work
from syncd.ledger.restore import restore
from syncd.ledger.store import holds, outbox
from syncd.ledger.store.restored import WHY
from syncd.ledger.views.audit_trail import verify
from syncd.ledger.views.show import history
from syncd.sandbox import dump, faults


def test_yesterdays_ledger_doubles_nothing_and_loses_nothing(house: Rig) -> None:
    people, jira = house.world.pagerduty, house.world.jira
    old = people.trigger("Alipay Integration", "Old one", priority="P4")
    house.settle(3)
    with house.ledger.write() as session:
        holds.pause(session, [Target.JIRA], "decided, not sent, at the backup", "test", house.clock.now())
    waiting = people.trigger("Core QRPay Web", "Waits at the backup", priority="P3")
    people.note(old.id, "written before the backup", "Amara Osei")
    house.settle(2)
    assert [row.kind for row in house.operations("pending")].count("create_ticket") == 1
    copy = back_up_rig(house)

    with house.ledger.write() as session:
        holds.resume(session, [Target.JIRA], "test", house.clock.now())
    gap = people.trigger("BluBank Integration", "Came in the gap", priority="P2")
    people.note(gap.id, "written in the gap", "Amara Osei")
    people.acknowledge(old.id, "Amara Osei")
    house.settle(4)
    jira.comment("OPS-1", "said on the ticket in the gap", by="Ines Carvalho")
    people.resolve(old.id, "Amara Osei")
    jira.transition("OPS-1", "Done", by="Ines Carvalho")
    house.settle(4)
    house.cycle(86_400 - 3_600)
    jira.site.options.search_lag = 300
    last = people.trigger("Alipay Integration", "Made in the last minute", priority="P3")
    house.settle(2)
    tickets, before = keys(house), seen_by_people(house)
    assert len(tickets) == 4
    assert doubled(before) == []

    restore_rig(house, copy)
    ((_kind, restored),) = events(house.ledger, "ledger.restored")
    assert restored["forgotten"] >= 2
    assert len(keys(house)) == 1
    with house.ledger.write() as session:
        assert holds.resume(session, [Target.JIRA], "test", house.clock.now()) == ["jira"]
    fresh = people.trigger("Alipay Integration", "After the restore", priority="P3")
    house.settle(16, 60)
    assert {ident: key for ident, key in keys(house).items() if ident != fresh.id} == tickets
    after = seen_by_people(house)
    assert doubled(after) == []
    assert before["comments"].keys() <= after["comments"].keys()
    assert before["notes"].keys() <= after["notes"].keys()
    new_notes = [
        text for ident, text in after["notes"] if ident != fresh.id and (ident, text) not in before["notes"]
    ]
    assert new_notes == []
    assert {waiting.id, gap.id, last.id, fresh.id} <= keys(house).keys()
    (status,) = [
        issue["fields"]["status"]["name"]
        for issue in dump.whole(house.world)["jira"]["issues"]
        if issue["key"] == "OPS-1"
    ]
    assert status == "Done"
    nothing_more_is_written(house)


def test_creates_wait_for_the_settle_time_after_a_restore_also_over_a_reboot(house: Rig) -> None:
    house.settle(2)
    copy = back_up_rig(house)
    made = house.world.pagerduty.trigger("Alipay Integration", "Nobody has a ticket for this", priority="P4")
    house.world.advance(200)
    restore_rig(house, copy)
    house.settle(4, 60)
    assert keys(house) == {}
    house.clock.boot = "boot-2"
    house.settle(9, 60)
    assert keys(house) == {}
    house.settle(4, 60)
    assert list(keys(house)) == [made.id]
    assert doubled(seen_by_people(house)) == []


def test_what_is_found_before_the_settle_time_is_adopted_at_once(house: Rig) -> None:
    copy = back_up_rig(house)
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    tickets = keys(house)
    house.world.advance(200)
    restore_rig(house, copy)
    house.settle(2)
    assert keys(house) == tickets
    assert list(tickets) == [made.id]


def mail(key: str, moment: datetime | None = None) -> SendMail:
    return SendMail(
        key=key,
        incident="P1",
        to="ana@example.com",
        why="you own it",
        content=PostponedMail(issue="10001"),
        moment=moment,
        reason="SEV0 was reached",
    )


def test_mails_from_before_the_restore_are_listed_and_not_sent(house: Rig) -> None:
    with house.ledger.write() as session:
        outbox.add(session, [mail("notice/old")], house.clock.now())
    copy = back_up_rig(house)
    house.world.advance(3600)
    done = restore_rig(house, copy)
    assert [line.split(" (")[0] for line in done.unsent] == ["send_mail: SEV0 was reached"]
    now = house.clock.now()
    with house.ledger.write() as session:
        outbox.add(session, [mail("notice/gap", now - timedelta(minutes=30))], now)
        outbox.add(session, [mail("notice/new", now + timedelta(minutes=1))], now)
        rows = {row.key: row for row in outbox.listing(session, list(OperationState))}
    assert {key: row.state for key, row in rows.items() if key.startswith("notice/")} == {
        "notice/old": "dropped",
        "notice/gap": "dropped",
        "notice/new": "pending",
    }
    assert WHY.startswith("not sent")


def test_a_notice_of_the_gap_is_decided_again_after_the_restore_and_not_sent_again(make_rig: MakeRig) -> None:
    house = make_rig(mail=True, mappings=(mailing(),))
    house.settle(2)
    copy = back_up_rig(house)
    house.world.pagerduty.trigger("Core QRPay Web", "All down", priority="P1")
    house.settle(2)
    before = recipients(house)
    assert before == sorted([CTO, COMPLIANCE])
    house.world.advance(3600)
    restore_rig(house, copy)
    assert mails(house) == []
    house.settle(16, 60)
    assert recipients(house) == before
    assert [row.state for row in mails(house)] == ["dropped", "dropped"]
    assert {why for row in mails(house) for why in whys(house, row.id or 0)} == {WHY}
    house.world.pagerduty.trigger("Alipay Integration", "This too", priority="P1")
    house.settle(2)
    assert len(recipients(house)) == 4


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_is_wrong_during_a_restore_doubles_no_text_and_loses_no_notice(
    make_rig: MakeRig, days: int
) -> None:
    house = make_rig(mail=True, mappings=(mailing(),))
    house.settle(2)
    made = house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    copy = back_up_rig(house)
    house.world.pagerduty.note(made.id, "written in the gap", "Amara Osei")
    house.settle(4)
    house.world.advance(3600)
    house.stop()
    house.clock.step = days * 86_400.0
    restore(copy, house.folder / house.name, house.clock.now(), house.context.gave_up())
    house.clock.step = 0.0
    house.start()
    house.settle(16, 60)
    assert doubled(seen_by_people(house)) == []
    house.world.pagerduty.trigger("Core QRPay Web", "All down", priority="P1")
    house.settle(2)
    assert {CTO, COMPLIANCE} <= set(recipients(house))


def test_a_restored_ledger_says_so_and_its_chain_of_events_goes_on(house: Rig) -> None:

    house.world.pagerduty.trigger("Alipay Integration", "Latency", priority="P4")
    house.settle(2)
    copy = back_up_rig(house)
    restore_rig(house, copy)
    assert verify(house.ledger) is None
    assert history(house.ledger)["restored"] == house.clock.now().isoformat()
    assert history(house.ledger)["rebuilt"] == {}
    house.stop()
    house.name = "rebuilt.db"
    house.start()
    house.settle(3)
    assert history(house.ledger)["rebuilt"] == {"ticket": 1}
    assert history(house.ledger)["restored"] is None


def test_what_stood_there_is_set_aside_whole(house: Rig) -> None:
    copy = back_up_rig(house)
    house.world.pagerduty.trigger("Alipay Integration", "Only in the newer one", priority="P4")
    house.settle(2)
    done = restore_rig(house, copy)
    assert done.set_aside is not None
    with sqlite3.connect(done.set_aside) as connection:
        assert connection.execute("SELECT count(*) FROM ticket").fetchone() == (1,)
    connection.close()
    assert (house.folder / house.name).stat().st_mode & 0o777 == 0o600


def test_a_living_executor_a_damaged_copy_and_a_ledger_from_the_future_change_nothing(house: Rig) -> None:
    copy, file = back_up_rig(house), house.folder / house.name
    now, stamp = house.clock.now(), house.context.gave_up()
    with pytest.raises(LedgerBusy):
        restore(copy, file, now, stamp)
    house.stop()
    broken = house.folder / "broken.db"
    data = bytearray(copy.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    broken.write_bytes(data)
    with pytest.raises((LedgerUnsafe, LedgerUnreadable)):
        restore(broken, file, now, stamp)
    future = house.folder / "future.db"
    future.write_bytes(copy.read_bytes())
    with sqlite3.connect(future) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(LedgerFromTheFuture, match="newer syncd"):
        restore(future, file, now, stamp)
    assert not list(house.folder.glob("*.restoring*"))
    assert not list(house.folder.glob("*before-restore*"))
    open_for_work(f"sqlite:///{file}", "again", now).close()
    house.start()


@pytest.mark.parametrize("edition", ["cloud", "data center"])
@pytest.mark.parametrize("state", ["in flight", "unknown"])
def test_what_was_under_way_at_the_backup_is_found_and_takes_what_was_adopted_as_its_own(
    make_rig: MakeRig, edition: str, state: str
) -> None:
    house = make_rig(data_center_edition=edition == "data center")
    house.cycle()
    people = house.world.pagerduty
    house.world.faults.add(faults.lose_answer(), service="jira", method="POST", path=r"/issue$", times=2)
    house.world.faults.add(faults.error(503), service="jira", path=r"/(bulkfetch|OPS-\d+)$", times=8)
    made = [people.trigger("Alipay Integration", f"Under way {number}", priority="P3") for number in (1, 2)]
    house.settle(1)
    assert [row.kind for row in house.operations("unknown")] == ["create_ticket"] * 2
    copy = back_up_rig(house)
    if state == "in flight":
        with sqlite3.connect(copy) as connection:
            connection.execute(
                "UPDATE operation SET state = 'in_flight', instance = 'dead/1', gave_up_boot_id = NULL"
                " WHERE state = 'unknown'"
            )
        connection.close()
    house.world.faults.clear()
    house.settle(4)
    tickets, before = keys(house), seen_by_people(house)
    assert len(tickets) == 2
    people.acknowledge(made[0].id, "Amara Osei")
    restore_rig(house, copy)
    house.settle(16, 60)
    assert keys(house) == tickets
    assert doubled(seen_by_people(house)) == []
    assert seen_by_people(house)["issues"].keys() == before["issues"].keys()
    assert not house.operations("pending", "in_flight", "unknown", "parked")
    names = {
        issue["key"]: issue["fields"]["status"]["name"] for issue in dump.whole(house.world)["jira"]["issues"]
    }
    assert names[tickets[made[0].id]] == "In Progress"
    nothing_more_is_written(house)
