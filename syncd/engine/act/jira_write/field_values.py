"""Find the values that a mapping gives to Jira's fields: constants, templates, severities, and people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from syncd.domain.base import JsonValue
from syncd.domain.field import FieldFacts
from syncd.domain.incident import Incident
from syncd.domain.mapping.jira_section import FieldValue
from syncd.domain.operation.rendered import FieldValues
from syncd.engine.context import EngineContext
from syncd.engine.errors import CannotRender
from syncd.engine.observe.accounts import account_of, user_meant
from syncd.policy.case import Rulebook
from syncd.policy.severity import decide_severity
from syncd.policy.ticket.field_values import Unfit, fit, spec_for
from syncd.policy.ticket.fields import severity_value
from syncd.remote.errors import RemoteError

NOBODY = "it takes the address of one active person whom our account sees in Jira"


def mapped_value(
    context: EngineContext, spec: FieldValue, field: FieldFacts, incident: Incident, book: Rulebook
) -> JsonValue:
    """Return the mapping's value of a field, None where its template renders to nothing; raise `Unfit`."""
    if spec.severity:
        return severity_value(decide_severity(incident, book.mapping, book.section).name, field)
    person = partial(_person, context, book)
    if spec.template is None:
        return fit(spec.value, field, person)
    try:
        return fit(context.renderer.inline(spec.template, incident, book), field, person)
    except Unfit as error:
        # the text may quote the incident, and errors are logged
        raise Unfit("what its template gives", error.takes) from None


def needed_value(
    context: EngineContext, spec: FieldValue, field: FieldFacts, incident: Incident, book: Rulebook
) -> JsonValue:
    """Return `mapped_value` for a field that cannot be left out; raise `CannotRender` if it does not fit."""
    try:
        value = mapped_value(context, spec, field, incident, book)
    except Unfit as error:
        raise CannotRender(unfit_words(field, error)) from None
    if value is None:
        raise CannotRender(f"{field.name or field.id} is demanded, and the mapping's value of it is empty")
    return value


def unfit_words(field: FieldFacts, error: Unfit) -> str:
    """Return the words that say which value a field does not take, and what it takes."""
    return f"{field.name or field.id} does not take {error}: change jira.fields.{field.name or field.id}"


def _person(context: EngineContext, book: Rulebook, words: str) -> JsonValue:
    """Return the value of a person field; ask Jira for people whom syncd did not look up lately."""
    words = book.mapping.people.aliases.get(words, words)
    key = (words.casefold(), "")
    at_hand = context.accounts.get(key)
    if at_hand is None:
        try:
            account = user_meant(context.services.jira, words)
        except RemoteError as error:
            if not error.not_for_us:
                raise
            account = None
        at_hand = (context.accounts.keep(key, account),)
    if at_hand[0] is None:
        raise Unfit(words, NOBODY)
    return book.project.person(at_hand[0].id)


def demanded_values(
    context: EngineContext,
    screen: Iterable[FieldFacts],
    incident: Incident,
    book: Rulebook,
    also: Collection[str] = (),
) -> FieldValues:
    """Return the fields that a create screen demands, and those of `also`, as far as something gives them.

    The values come from the mapping, the service, the severity, and for the assignee from the fallback. Raise
    `CannotRender` where a value does not fit.
    """
    values: FieldValues = {}
    for field in screen:
        if not field.demanded and field.id not in also:
            continue
        spec = spec_for(book.mapping, field)
        if spec is not None:
            values[field.id] = needed_value(context, spec, field, incident, book)
        else:
            value = _own_value(context, field, incident, book)
            if value is not None:
                values[field.id] = value
    return values


def can_fill(context: EngineContext, field: FieldFacts, incident: Incident, book: Rulebook) -> bool:
    """Return True if the mapping gives a value of a field that Jira demands."""
    return spec_for(book.mapping, field) is not None or _own_value(context, field, incident, book) is not None


def _own_value(
    context: EngineContext, field: FieldFacts, incident: Incident, book: Rulebook
) -> JsonValue | None:
    """Return the value of a field that `jira.fields` cannot name, None where nothing gives one."""
    if field.id == "components" and book.section.component in book.project.components:
        return [{"id": book.project.components[book.section.component].id}]
    if field.id == "priority":
        severity = decide_severity(incident, book.mapping, book.section).name
        priority = book.project.priorities.get(severity)
        return {"id": priority.id} if priority is not None else None
    fallback = book.mapping.people.fallback
    if field.id == "assignee" and fallback is not None:
        account = account_of(context, fallback, book)
        return book.project.person(account.id) if account is not None else None
    return None
