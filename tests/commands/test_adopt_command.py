"""`syncd adopt` as a command: without a daemon it works under the lock, and says what sends the rest."""

from __future__ import annotations

from commandline import House


def test_without_a_daemon_the_command_does_it_and_says_what_sends_the_rest(house: House) -> None:
    house.syncd("run", "--once")
    house.syncd("pause", "jira", "--reason", "by hand")
    incident = house.trigger()
    house.syncd("run", "--once")
    key = house.world.jira.create("Ines Carvalho", "Ours", type="Incident").key
    answer = house.syncd("adopt", "1", key)
    assert answer.code == 0
    assert f"{key} is the ticket of incident #1 from now on" in answer.out
    assert "no daemon is running" in answer.out
    assert house.tickets(incident) == []
    house.syncd("resume", "jira")
    house.syncd("run", "--once")
    assert [issue["key"] for issue in house.tickets(incident)] == [key]
    answer = house.syncd("adopt", "1", "OPS-99")
    assert (answer.code, f"has the ticket {key}" in answer.err) == (1, True)
