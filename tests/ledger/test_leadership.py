"""Leadership over a ledger: proved, silent, lost."""

from __future__ import annotations

import pytest

from syncd.ledger.database.leadership import GIVEN_UP_AFTER, HOLDS, Leadership


class Boot:
    def __init__(self) -> None:
        self.at = 500.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def boot() -> Boot:
    return Boot()


@pytest.fixture
def leadership(boot: Boot) -> Leadership:
    return Leadership(boot, "epoch")


def test_a_fresh_claim_of_a_proved_leader_may_leave(boot: Boot, leadership: Leadership) -> None:
    boot.at += HOLDS - 1
    leadership.prove(boot.at)
    assert leadership.why_not_send(boot.at) is None
    assert leadership.why_lost() is None


def test_a_claim_that_is_ten_seconds_old_may_not_leave(boot: Boot, leadership: Leadership) -> None:
    claimed_at = boot.at
    boot.at += HOLDS
    leadership.prove(boot.at)
    assert leadership.why_not_send(claimed_at) == "its claim is 10 s old"
    assert leadership.why_not_send(boot.at) is None


def test_a_leader_without_a_proof_for_ten_seconds_sends_nothing_until_the_next(
    boot: Boot, leadership: Leadership
) -> None:
    boot.at += HOLDS
    assert leadership.why_not_send(boot.at) == "the database did not confirm the lock for 10 s"
    assert leadership.why_lost() is None
    leadership.prove(boot.at)
    assert leadership.why_not_send(boot.at) is None


def test_a_proof_counts_from_when_it_was_asked_for_and_never_goes_back(
    boot: Boot, leadership: Leadership
) -> None:
    leadership.prove(boot.at - 60)
    assert leadership.why_not_send(boot.at) is None


def test_a_leader_that_stays_without_proof_has_lost(boot: Boot, leadership: Leadership) -> None:
    boot.at += GIVEN_UP_AFTER + 1
    assert leadership.why_lost() == "the database did not confirm the lock for 21 s"
    leadership.prove(boot.at)
    assert leadership.why_not_send(boot.at) == "the database did not confirm the lock for 21 s"


def test_the_first_reason_of_a_loss_stays(boot: Boot, leadership: Leadership) -> None:
    leadership.lose("its connection broke")
    leadership.lose("another daemon leads")
    assert leadership.why_lost() == leadership.why_not_send(boot.at) == "its connection broke"
