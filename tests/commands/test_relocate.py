"""`syncd relocate`: a renamed Jira or PagerDuty keeps its ledger, and another one never gets it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from commandline import House

from syncd.sandbox import dump, presets
from syncd.sandbox.cast import default_world
from syncd.sandbox.server import SandboxServer

EDITIONS = pytest.mark.parametrize("data_center", [False, True], ids=["cloud", "datacenter"])


def worked(house: House, *, data_center: bool = False) -> House:
    """The house after a cycle that made two tickets."""
    if data_center:
        presets.data_center(house.world)
        house.set("SYNCD_JIRA_EMAIL", "")
    for title in ("Latency", "Callbacks time out"):
        house.world.pagerduty.trigger("Alipay Integration", title, priority="P2")
    assert house.syncd("run", "--once").code in (0, 75)
    assert tickets(house) == 2
    return house


def tickets(house: House) -> int:
    return len(dump.whole(house.world)["jira"]["issues"])


@pytest.fixture
def moved(house: House) -> Iterator[SandboxServer]:
    """A second address of the same two services, which both call their own."""
    with SandboxServer(house.world) as server:
        # until the test moves them they answer as before
        house.world.jira.site.base_url = house.server.url("jira")
        yield server


def move(house: House, moved: SandboxServer) -> str:
    new = moved.url("jira")
    house.world.jira.site.base_url = new
    house.set("SYNCD_JIRA_URL", new)
    return new


@EDITIONS
def test_a_renamed_jira_keeps_its_ledger_after_the_line_that_the_start_names(
    house: House, moved: SandboxServer, data_center: bool
) -> None:
    worked(house, data_center=data_center)
    new = move(house, moved)
    refused = house.syncd("run", "--once")
    assert refused.code == 1
    assert f"belongs to jira {house.server.url('jira')}, not to {new}" in refused.err
    assert f"if it was only renamed: syncd relocate {new};" in refused.err
    done = house.syncd("relocate", new)
    assert done.code == 0, done.err
    assert "OPS-2" in done.out and "is there with syncd's mark" in done.out
    assert f"Set SYNCD_JIRA_URL={new} and start the daemon." in done.out
    house.world.pagerduty.trigger("Alipay Integration", "A third", priority="P2")
    house.world.advance(60)
    assert house.syncd("run", "--once").code in (0, 75)
    assert tickets(house) == 3
    assert house.syncd("audit", "verify").code == 0
    again = house.syncd("relocate", new)
    assert (again.code, again.out) == (0, f"Nothing to do: the ledger belongs to {new} already.\n")


@EDITIONS
def test_another_jira_with_the_same_ids_is_refused_and_what_was_compared_is_said(
    house: House, data_center: bool
) -> None:
    worked(house, data_center=data_center)
    with SandboxServer(default_world(house.world.clock, data_center_edition=data_center)) as other:
        other.world.jira.create("Ines Carvalho", "somebody's issue")
        result = house.syncd("relocate", other.url("jira"))
    assert result.code == 1
    assert "nothing proves that" in result.err
    assert "OPS-1 (id 10001) is OPS-1 there, without syncd's mark of it" in result.err
    assert "OPS-2 (id 10002) is not there, or our account does not see it" in result.err
    # nothing was recorded: the ledger still belongs to the first
    assert house.syncd("run", "--once").code in (0, 75)


def test_another_account_or_edition_is_no_proof(house: House, moved: SandboxServer) -> None:
    worked(house)
    new = move(house, moved)
    site = house.world.jira.site
    kept = dict(site.tokens)
    site.tokens = dict.fromkeys(kept, "712020:person-000001")
    result = house.syncd("relocate", new)
    assert result.code == 1 and "syncd never had the account 712020:person-000001" in result.err
    site.tokens = kept
    presets.data_center(house.world)
    house.set("SYNCD_JIRA_EMAIL", "")
    result = house.syncd("relocate", new)
    assert result.code == 1 and "is Jira datacenter, the ledger's is cloud" in result.err


def test_a_renamed_pagerduty_account_keeps_its_ledger(house: House) -> None:
    worked(house)
    house.world.pagerduty.account.subdomain = "qrpay-new"
    refused = house.syncd("run", "--once")
    assert refused.code == 1
    assert "if it was only renamed: syncd relocate https://qrpay-new.pagerduty.com;" in refused.err
    wrong = house.syncd("relocate", "https://acme.pagerduty.com")
    assert wrong.code == 1 and "belongs to qrpay-new.pagerduty.com, not to acme.pagerduty.com" in wrong.err
    done = house.syncd("relocate", "https://qrpay-new.pagerduty.com")
    assert done.code == 0, done.err
    assert "is there with the same number and time" in done.out
    assert house.syncd("run", "--once").code in (0, 75)
    assert tickets(house) == 2


def test_another_pagerduty_account_is_refused(house: House) -> None:
    worked(house)
    with SandboxServer(default_world(house.world.clock)) as other:
        other.world.pagerduty.account.subdomain = "acme"
        house.set("SYNCD_PAGERDUTY_URL", other.url("pagerduty"))
        result = house.syncd("relocate", "https://acme.pagerduty.com")
    assert result.code == 1
    assert "is not there, or our token does not see it" in result.err


def test_while_a_daemon_runs_nothing_is_relocated(house: House, moved: SandboxServer) -> None:
    from syncd.ledger.open import open_for_work

    worked(house)
    new = move(house, moved)
    ledger = open_for_work(f"sqlite:///{house.folder}/.syncd/syncd.db", "syncd run", house.clock.now())
    result = house.syncd("relocate", new)
    ledger.close()
    assert result.code == 75
    assert "syncd run" in result.err


def test_an_address_that_is_none_is_a_usage_error(house: House) -> None:
    assert house.syncd("relocate", "new jira").code == 2


def test_the_relocation_is_in_the_audit_trail(house: House, moved: SandboxServer) -> None:
    from ledger_reading import AuditEventRow, rows

    from syncd.ledger.open import open_for_reading

    worked(house)
    old, new = house.server.url("jira"), move(house, moved)
    assert house.syncd("relocate", new).code == 0
    db = open_for_reading(f"sqlite:///{house.folder}/.syncd/syncd.db")
    (event,) = [row for row in rows(db, AuditEventRow) if row.kind == "ledger.relocated"]
    db.close()
    data = json.loads(event.text)
    assert (data["service"], data["from"], data["to"]) == ("jira", old, new)
    # the workers make the two tickets at the same time, so either may have the first id
    assert sorted(data["compared"]) == ["10001", "10002"]
