"""Texts at the border: masked before they are stored, harmless on the ticket, within Jira's limits."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, mapping

from engine.cast import incident_of, issue_of, nothing_more_is_written
from syncd.config.templates.templates import Templates
from syncd.config.templates.text_limits import DESCRIPTION_LIMIT
from syncd.domain.text import utf16_len
from syncd.engine.rules import TicketRenderer
from syncd.ledger.store.tables import IncidentRow, TicketRow

sys.path.insert(0, str(Path(__file__).parents[1] / "domain"))
from hostile_text import active_markup

CARD = "4111 1111 1111 1111"
CUSTOMER = "C-12345678"
NASTY = {
    "macro": "{html}<script>alert(1)</script>{html} {code} {noformat",
    "image": "!http://evil.example/x.png! and !file.png|thumbnail!",
    "table": "| a || b | * | # |",
    "emoji": "👍🏽👨‍👩‍👧‍👦" * 100,
    "controls": "\x00\x1b[31mred\x07 \u202eback\u2028 line\r\nFake: header",
    "heading": "h1. Big\nbq. quoted\n* item\n# item\n----",
    "mention": "[~accountid:712020:person-000001] [click|http://evil.example] [^file]",
    "long": "{color:red}word | " * 2300,
    "blank": " \t\u200b ",
}


@pytest.fixture
def rendered(make_rig: Any) -> Rig:
    """A rig with the shipped templates and a pattern of the team's, after a first quiet cycle."""
    team = mapping(redact={"patterns": {"customer": r"\bC-\d{8}\b"}})
    rig: Rig = make_rig(mappings=(team,), renderer=TicketRenderer(Templates()))
    rig.cycle()
    return rig


def stored(rig: Rig, incident: Any) -> str:
    with rig.ledger.read() as session:
        row, ticket = session.get(IncidentRow, incident.id), session.get(TicketRow, incident.id)
        assert row is not None and ticket is not None
        return f"{row.snapshot} {row.notes} {ticket.snapshot}"


def everything(rig: Rig) -> bytes:
    return b"".join(path.read_bytes() for path in rig.folder.glob(f"{rig.name}*") if path.is_file())


def test_what_must_not_be_stored_is_masked_before_it_is(rendered: Rig) -> None:
    rig = rendered
    made = rig.world.pagerduty.trigger("Alipay Integration", f"Card {CARD} of {CUSTOMER} declined")
    rig.world.pagerduty.note(made.id, f"{CUSTOMER} paid with {CARD}", "Amara Osei")
    rig.settle(3)
    rig.world.jira.comment("OPS-1", f"really {CARD}", "Priya Raman")
    rig.settle(3)
    rig.loop.slow()
    rig.settle(2)
    text = stored(rig, made)
    assert "[card number]" in text and "[customer]" in text
    assert CARD.encode() not in everything(rig) and CUSTOMER.encode() not in everything(rig)
    notes = [note["content"] for note in incident_of(rig, made)["notes"]]
    assert any("really [card number]" in note for note in notes)
    assert any("[card number]" in comment["body"].replace("\\", "") for comment in issue_of(rig)["comments"])
    nothing_more_is_written(rig)


def test_a_masked_note_is_no_news_at_every_look(rendered: Rig) -> None:
    rig = rendered
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd")
    rig.world.pagerduty.note(made.id, f"paid with {CARD}", "Amara Osei")
    rig.settle(3)
    rig.loop.slow()
    from syncd.ledger.store.change_queue import incidents_with_notices

    assert incidents_with_notices(rig.ledger) == []


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_a_hostile_title_and_note_make_a_harmless_ticket(rendered: Rig, text: str) -> None:
    rig = rendered
    made = rig.world.pagerduty.trigger("Alipay Integration", text[:1024])
    rig.world.pagerduty.note(made.id, text, "Amara Osei")
    rig.settle(3)
    fields = issue_of(rig)["fields"]
    assert fields["summary"] and utf16_len(fields["summary"]) <= 255
    assert "Cc" not in map(unicodedata.category, fields["summary"])
    assert fields["summary"] == " ".join(fields["summary"].split())
    assert utf16_len(fields["description"]) <= DESCRIPTION_LIMIT
    title_line = fields["description"].split("h2. Summary\n")[1].split("\n")[0]
    assert active_markup(title_line) == []
    (comment,) = issue_of(rig)["comments"]
    assert utf16_len(comment["body"]) <= DESCRIPTION_LIMIT
    _author, body = comment["body"].split(":\n", 1)
    assert active_markup(body.rpartition("\n\n")[0]) == []
    nothing_more_is_written(rig)


def test_a_mirrored_note_is_cut_by_what_its_markup_needs_and_not_sooner(rendered: Rig) -> None:
    rig = rendered
    made = rig.world.pagerduty.trigger("Alipay Integration", "Odd")
    rig.world.pagerduty.note(made.id, "x" * 31_000, "Amara Osei")
    rig.world.pagerduty.note(made.id, "{" * 31_000, "Amara Osei")
    rig.settle(3)
    plain, escaped = sorted(
        (comment["body"] for comment in issue_of(rig)["comments"]), key=lambda body: "{" in body
    )
    assert plain.count("x") >= 31_000
    assert 15_000 < escaped.count("\\{") < 16_100
    assert "…" in escaped and utf16_len(escaped) <= DESCRIPTION_LIMIT
