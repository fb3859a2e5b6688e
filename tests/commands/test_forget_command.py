"""`syncd forget`: it asks, says what it cannot reach, and empties what is over."""

from __future__ import annotations

from commandline import House
from ledger_reading import PersonRow, RequestRow, opened, put, rows

ADDRESS = "amara.osei@qrpay.example"


def test_where_nobody_can_be_asked_it_wants_yes_and_writes_nothing(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    result = house.syncd("forget", ADDRESS)
    assert result.code == 2
    assert "--yes" in result.err
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        assert rows(ledger, RequestRow) == []


def test_what_is_no_address_is_refused(house: House) -> None:
    assert house.syncd("forget", "Amara Osei", "--yes").code == 2


def test_it_empties_and_says_what_it_cannot_reach_and_the_record_stays_whole(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        put(ledger, PersonRow(email=ADDRESS, project="OPS", account=None, checked_at=house.world.clock()))
    result = house.syncd("forget", ADDRESS, "--yes")
    assert result.code == 0, result.err
    # the look-up of the address, and the mapping that was loaded last
    assert "2 rows and 0 texts" in result.out
    assert "sent mails" in result.err
    with opened(house.folder / ".syncd/syncd.db") as ledger:
        assert [row for row in rows(ledger, PersonRow) if row.email == ADDRESS] == []
        assert [row.arguments for row in rows(ledger, RequestRow)] == [{}]
    assert house.syncd("audit", "verify").code == 0
