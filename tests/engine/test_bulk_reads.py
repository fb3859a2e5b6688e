"""What batches made is read back, and not read again before it changes."""

from __future__ import annotations

from rig import Rig

from engine.test_bulk import asked, each_has_one_ticket, ours, storm


def test_what_batches_made_is_read_back_a_hundred_at_a_time(house: Rig) -> None:
    incidents, before = storm(house, 80, priority="P3"), asked(house, "/rest/api/2/issue/bulkfetch")
    house.cycle()
    each_has_one_ticket(house, incidents)
    assert asked(house, "/rest/api/2/issue/bulkfetch") - before == 2
    # the search for changed issues names all of them
    house.cycle()
    assert asked(house, "/rest/api/2/issue/bulkfetch") - before == 2


def test_after_a_reload_what_batches_made_is_read_once_more(house: Rig) -> None:
    storm(house, 80, priority="P3")
    house.cycle()
    before = asked(house, "/rest/api/2/issue/bulkfetch")
    house.loop.rules_changed()
    house.cycle()
    assert asked(house, "/rest/api/2/issue/bulkfetch") - before == 1


def test_what_a_person_changes_in_a_ticket_of_a_batch_is_read(house: Rig) -> None:
    storm(house, 80, priority="P3")
    house.cycle()
    before = asked(house, "/rest/api/2/issue/bulkfetch")
    key = ours(house)[0]["key"]
    house.world.advance(1)
    house.world.jira.edit(key, "Amara Osei", summary="A person's words")
    house.cycle()
    assert asked(house, "/rest/api/2/issue/bulkfetch") - before == 1
