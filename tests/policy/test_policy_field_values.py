"""Values of Jira's fields from what people write, and the key of the mapping that fills a field."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.domain.base import Reference
from syncd.domain.field import FieldFacts
from syncd.policy.ticket.field_values import Unfit, field_named, fit, how_to_fill, shown_text

OPTIONS = (
    Reference(id="1", name="Very high"),
    Reference(id="2", name="Low, or none"),
    Reference(id="3", name="Low"),
)
BELOW = {"1": (Reference(id="11", name="Page at once"), Reference(id="12", name="Mail"))}


def a_field(kind: str, **more: Any) -> FieldFacts:
    listed = kind.partition(":")[2] or kind
    chosen = listed in ("option", "option-with-child", "priority", "version", "component")
    given = {"allowed": OPTIONS if chosen else (), "children": BELOW if kind.endswith("child") else {}}
    return FieldFacts(id="customfield_1", name="Field", type=kind, **{**given, **more})


def person(words: str) -> dict[str, str]:
    if words != "ana@qrpay.example":
        raise Unfit(words, "it takes a person")
    return {"accountId": "A"}


@pytest.mark.parametrize(
    ("kind", "written", "sent"),
    [
        ("option", "very high", {"value": "Very high"}),
        ("option", "  VERY   HIGH ", {"value": "Very high"}),
        ("option", "3", {"value": "Low"}),
        ("option", {"value": "very high"}, {"value": "Very high"}),
        ("option", {"id": "3"}, {"value": "Low"}),
        ("option", "", None),
        ("priority", "low", {"id": "3"}),
        ("version", "low", {"name": "Low"}),
        ("array:version", "low, very high", [{"name": "Low"}, {"name": "Very high"}]),
        ("array:component", ["low"], [{"name": "Low"}]),
        ("array:option", "low, or none", [{"value": "Low, or none"}]),
        ("array:option", "low; very high", [{"value": "Low"}, {"value": "Very high"}]),
        ("array:option", ["LOW", {"value": "very high"}], [{"value": "Low"}, {"value": "Very high"}]),
        ("array:option", "", None),
        ("array:string", "needs review, night", ["needs-review", "night"]),
        ("array:string", ["needs review"], ["needs-review"]),
        ("option-with-child", "very high / MAIL", {"value": "Very high", "child": {"value": "Mail"}}),
        (
            "option-with-child",
            "Very high - page at once",
            {"value": "Very high", "child": {"value": "Page at once"}},
        ),
        ("option-with-child", ["very high", "mail"], {"value": "Very high", "child": {"value": "Mail"}}),
        ("option-with-child", "low, or none", {"value": "Low, or none"}),
        (
            "option-with-child",
            {"value": "very high", "child": {"value": "mail"}},
            {"value": "Very high", "child": {"value": "Mail"}},
        ),
        ("number", " 3.5 ", 3.5),
        ("number", 3, 3.0),
        ("date", "5 Dec 2026", "2026-12-05"),
        ("date", "05.12.2026", "2026-12-05"),
        ("date", "2026-12-05 14:30 UTC", "2026-12-05"),
        ("datetime", "2026-12-05 14:30 UTC", "2026-12-05T14:30:00.000+0000"),
        ("datetime", "2026-12-05T14:30:00+02:00", "2026-12-05T14:30:00.000+0200"),
        ("user", "ana@qrpay.example", {"accountId": "A"}),
        ("user", {"accountId": "B"}, {"accountId": "B"}),
        ("array:user", "ana@qrpay.example", [{"accountId": "A"}]),
        ("issuelink", "OPS-7", {"key": "OPS-7"}),
        ("group", "sre", {"name": "sre"}),
        ("string", 42, "42"),
        ("string", True, "true"),
        ("string", "plain", "plain"),
        ("any", {"free": "form"}, {"free": "form"}),
    ],
)
def test_a_value_is_made_from_what_people_write(kind: str, written: Any, sent: Any) -> None:
    assert fit(written, a_field(kind), person) == sent


@pytest.mark.parametrize(
    ("kind", "written", "takes"),
    [
        ("option", "Lowest", "it has Very high, Low, or none, Low"),
        ("option", {"value": "Lowest"}, "it has Very high, Low, or none, Low"),
        ("option", ["Low", "Very high"], "it takes one value"),
        ("array:option", "low, lowest", "it has Very high, Low, or none, Low"),
        ("option-with-child", "Nowhere / Mail", "it has Very high, Low, or none, Low"),
        ("option-with-child", "Very high / Pigeon", "it has Page at once, Mail"),
        ("number", "many", "it takes a number such as 1.5"),
        ("number", "nan", "it takes a number such as 1.5"),
        ("number", True, "it takes a number such as 1.5"),
        ("date", "12/05/2026", "it takes a day such as 2026-12-05 or 5 Dec 2026"),
        ("datetime", "2026-12-05 14:30", "it takes a time with its zone, such as 2026-12-05 14:30 UTC"),
        ("user", "nobody@qrpay.example", "it takes a person"),
    ],
)
def test_what_does_not_fit_is_told_with_what_the_field_takes(kind: str, written: Any, takes: str) -> None:
    with pytest.raises(Unfit) as error:
        fit(written, a_field(kind), person)
    assert error.value.takes == takes


def test_of_options_that_differ_only_in_case_the_one_that_was_written_is_meant() -> None:
    options = (Reference(id="1", name="high"), Reference(id="2", name="High"))
    assert fit("High", a_field("option", allowed=options), person) == {"value": "High"}


def test_a_text_field_with_options_takes_no_other_text() -> None:
    field = a_field("string", allowed=OPTIONS)
    assert fit("LOW", field, person) == "Low"
    with pytest.raises(Unfit):
        fit("lowest", field, person)


def test_a_field_is_known_by_id_and_by_name_in_any_case() -> None:
    fields = [a_field("string"), FieldFacts(id="reporter", name="Field", type="user")]
    assert field_named("FIELD", fields) is fields[0]
    assert field_named("Reporter", fields) is fields[1]
    assert field_named("other", fields) is None


def test_the_key_that_fills_a_field_is_one_that_the_mapping_takes() -> None:
    cause, reporter = a_field("string"), FieldFacts(id="reporter", name="Reporter", type="user")
    assert how_to_fill([cause], [cause]) == "add jira.fields.Field to the mapping"
    twins = [cause, FieldFacts(id="customfield_2", name="field")]
    assert how_to_fill(twins, twins) == (
        "add jira.fields.customfield_1 and jira.fields.customfield_2 to the mapping"
    )
    # `jira.fields.Status` would be refused, because syncd writes the status itself
    status = FieldFacts(id="customfield_3", name="Status")
    assert how_to_fill([status], [status]) == "add jira.fields.customfield_3 to the mapping"
    assert how_to_fill([reporter], [reporter]) == (
        "add jira.fields.Reporter to the mapping; the value of Reporter is a person's address"
    )
    assignee = FieldFacts(id="assignee", name="Assignee", type="user")
    assert how_to_fill([assignee], [assignee]) == "set people.fallback"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"value": "Low", "id": "3"}, "Low"),
        ([{"value": "Low"}, {"value": "High"}], "Low, High"),
        ("SEV1", "SEV1"),
        ([], None),
        (None, None),
    ],
)
def test_what_jira_shows_of_a_field_is_compared_by_its_words(shown: Any, words: Any) -> None:
    assert shown_text(shown) == words
