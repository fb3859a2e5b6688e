"""`syncd forget`: it asks, says what it cannot reach, and empties what is over."""

from __future__ import annotations

from commandline import House
from sqlmodel import Session, create_engine, select

from syncd.ledger.store.tables import PersonRow, RequestRow

ADDRESS = "amara.osei@qrpay.example"


def test_where_nobody_can_be_asked_it_wants_yes_and_writes_nothing(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    said = house.syncd("forget", ADDRESS)
    assert said.code == 2
    assert "--yes" in said.err
    with Session(create_engine(f"sqlite:///{house.folder / '.syncd' / 'syncd.db'}")) as session:
        assert session.exec(select(RequestRow)).all() == []


def test_what_is_no_address_is_refused(house: House) -> None:
    assert house.syncd("forget", "Amara Osei", "--yes").code == 2


def test_it_empties_and_says_what_it_cannot_reach_and_the_record_stays_whole(house: House) -> None:
    assert house.syncd("run", "--once").code == 0
    engine = create_engine(f"sqlite:///{house.folder / '.syncd' / 'syncd.db'}")
    with Session(engine) as session:
        now = house.world.clock()
        session.add(PersonRow(email=ADDRESS, project="OPS", account=None, checked_at=now))
        session.commit()
    said = house.syncd("forget", ADDRESS, "--yes")
    assert said.code == 0, said.err
    assert "1 rows" in said.out
    assert "mails that left" in said.err
    with Session(engine) as session:
        assert session.exec(select(PersonRow).where(PersonRow.email == ADDRESS)).all() == []
        assert [row.arguments for row in session.exec(select(RequestRow)).all()] == [{}]
    assert house.syncd("audit", "verify").code == 0
