"""Checks that ask no service: settings, mail, chat and templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import regex

from syncd.config.load import OfflineConfiguration
from syncd.config.mapping.template_trial import renderings, sample_story
from syncd.config.masks import PATTERN_SECONDS, mask, took_too_long
from syncd.config.settings.access import missing_accounts, on_loopback, unknown_variables
from syncd.config.settings.settings import Settings
from syncd.config.settings.values import in_eu, is_loopback, is_pagerduty
from syncd.config.templates.templates import TemplateError, Templates
from syncd.config.templates.text_limits import PATTERN_SEES, title_matches
from syncd.config.templates.ticket import Subject, ticket_context
from syncd.domain.base import Reference
from syncd.domain.incident import Incident, IncidentStatus, Responder
from syncd.domain.mapping.mapping import Mapping
from syncd.domain.mapping.value_types import Mode
from syncd.domain.text import counted
from syncd.policy.duty_words import NOTHING_OWED
from syncd.policy.severity import decide_severity
from syncd.preflight.checks.chats import chats
from syncd.preflight.checks.finding import Finding, ok, unknown, wrong
from syncd.preflight.checks.mails import mails

HOSTILE = (
    "{{ 7 * 7 }} {% raw %}",
    "{code}{noformat}{panel:title=x}",
    "!http://evil.example/x.png! [~bob] [x|http://evil.example]",
    '=HYPERLINK("http://evil.example") \r\nBcc: x@evil.example',
    "\u202eright to left\u2028and\x00controls\x1b[31m",
    "|| a || b ||\n----\nh1. heading\n* list\n\\\\",
    "👨\u200d👩\u200d👧 " * 400,
    "",
)
"""Titles that try to break markup, mail headers, tables or limits."""


def configured(configuration: OfflineConfiguration) -> Iterator[Finding]:
    """Yield the findings about the configuration alone."""
    teams = ", ".join(mapping.team for mapping in configuration.mappings)
    yield ok("C01", "configuration", f"settings, templates and mappings are well formed: {teams}")
    for problem in unknown_variables():
        yield wrong("C02", problem.key, problem.message, problem.hint)
    for problem in missing_accounts(configuration.settings):
        yield unknown("C09", problem.key, problem.message, problem.hint)
    yield from _mail(configuration.settings)
    yield from _alarms(configuration.settings)
    yield from _encrypted(configuration.settings)
    yield from chats(configuration.mappings, configuration.settings)
    for mapping in configuration.mappings:
        yield from templates(mapping, configuration.templates)
        yield from patterns(mapping)
        yield from asks_for_postmortems(mapping)
        yield from mails(mapping, loopback=on_loopback(configuration.settings))


def asks_for_postmortems(mapping: Mapping) -> Iterator[Finding]:
    """Check that some incident can owe a postmortem, unless the mapping leaves postmortems to people."""
    where, mode = f"{mapping.team}, severities", mapping.postmortem.mode
    if mapping.asks_for_postmortems:
        yield ok("C12", where, "incidents of some severity or service owe a postmortem")
    elif mode is not Mode.OFF:
        finding = wrong if mode is Mode.ENFORCE else ok
        hint = "write `postmortem: true` to the gravest severities, or set postmortem.mode to `off`"
        yield finding("C12", where, NOTHING_OWED, hint)


_EXAMPLES = "@company.example"
"""The end of the addresses in the shipped file of settings (`systemd/syncd.env`)."""


def _mail(settings: Settings) -> Iterator[Finding]:
    # a sandbox has nobody to mail, and without accounts only the mappings are being looked at
    finding = ok if on_loopback(settings) else unknown if missing_accounts(settings) else wrong
    if settings.smtp_host:
        yield ok("C03", "SYNCD_SMTP_HOST", f"mail goes to {settings.smtp_host}")
    else:
        message = f"is not set, so nobody receives mail: syncd writes it to {settings.mail_dir}"
        yield finding("C03", "SYNCD_SMTP_HOST", message, "set it to your mail server")
    if settings.operator_email and settings.operator_email.endswith(_EXAMPLES):
        message = f"is the address of the example, {settings.operator_email}, which nobody reads"
        yield finding("C04", "SYNCD_OPERATOR_EMAIL", message, "set it to an address that somebody reads")
    elif settings.operator_email:
        yield ok("C04", "SYNCD_OPERATOR_EMAIL", "receives mail when the daemon itself is in trouble")
    else:
        message = "is not set, so nobody receives mail when the daemon itself is in trouble"
        yield finding("C04", "SYNCD_OPERATOR_EMAIL", message, "set it to an address that somebody reads")


def _alarms(settings: Settings) -> Iterator[Finding]:
    where, api, events = "SYNCD_ALARM_URL", settings.pagerduty_url, settings.alarm_url
    if settings.alarm_routing_key is None:
        return
    if is_pagerduty(api) and is_pagerduty(events) and in_eu(api) != in_eu(events):
        message = f"is {events}, but the REST API is {api}: a routing key counts in one region alone"
        yield unknown("C11", where, message, "set it to the region of the routing key's account")
    else:
        yield ok("C11", where, "is told when the daemon itself is in trouble, beside the operator's mail")


def _encrypted(settings: Settings) -> Iterator[Finding]:
    asked = {"PAGERDUTY": settings.pagerduty_url, "JIRA": settings.jira_url}
    if settings.alarm_routing_key is not None:
        asked["ALARM"] = settings.alarm_url
    for name, url in asked.items():
        if url is None:
            continue
        where = f"SYNCD_{name}_URL"
        if url.startswith("https://"):
            yield ok("C05", where, "is encrypted")
        elif is_loopback(url):
            yield ok("C05", where, "is on this machine")
        else:
            yield wrong("C05", where, "is not encrypted", "use https")


def templates(mapping: Mapping, shipped: Templates) -> Iterator[Finding]:
    """Check that the mapping's templates render for generated incidents with hostile titles."""
    where, count = f"{mapping.team}, templates", 0
    for incident, service in _generated(mapping):
        story = sample_story(mapping, incident.title, rich=incident.resolved_at is not None)
        count += 1
        try:
            for _, render in renderings(shipped, _subject(mapping, service, incident), story):
                render()
        except TemplateError as error:
            title = incident.title.encode("unicode_escape").decode()[:40]
            message = f"{error.problem.where}: {error.problem.message} (an incident titled {title!r})"
            yield wrong("C07", where, message, error.problem.hint or "fix the template")
            return
    yield ok("C07", where, f"render for {counted(count, 'generated incident')}, also with hostile titles")


_PIECES = ("a", "0", " ", "-", "_", "a ", "0 ", "ab", "1.", "a.", "a-", "a@", "[x] ", "/x")
_ODD = "☃"
"""At the end of a text of repeated pieces: a pattern that almost matched has to try all other ways."""
LONG_TEXT = 8_000
"""Characters of a long comment, as a mask sees it."""


def patterns(mapping: Mapping) -> Iterator[Finding]:
    """Check that no pattern of the mapping takes too long on texts that make bad patterns slow."""
    where, slow = f"{mapping.team}, patterns", []
    playbooks = (mapping.playbook, *(section.playbook for section in mapping.services.values()))
    titles = [(pattern, "restricted.titles") for pattern in mapping.restricted.titles]
    titles += [(rule.title, "noise") for rule in mapping.noise if rule.title is not None]
    titles += [(part.title, "playbook") for part in chain(*playbooks) if part.title is not None]
    for pattern, key in titles:
        if any(title_matches(pattern, text) is None for text in _adversarial(pattern, PATTERN_SEES)):
            slow.append((pattern, key))
    for name, pattern in mapping.redact.patterns.items():
        texts = _adversarial(pattern, LONG_TEXT)
        if any(took_too_long(mask(text, {name: pattern}), name) for text in texts):
            slow.append((pattern, f"redact.patterns.{name}"))
    for pattern, key in slow:
        so = _SLOW[key.partition(".")[0]]
        message = f"{key}: {pattern!r} takes longer than {PATTERN_SECONDS} s on some texts, so {so}"
        yield wrong("C10", where, message, "avoid repeats inside repeats, as in (a+)+, and .* more than once")
    if not slow:
        yield ok("C10", where, "are fast, also on texts that make bad patterns slow")


_SLOW = {
    "restricted": "syncd withholds the texts of such incidents",
    "redact": "syncd withholds such texts",
    "noise": "such incidents are no noise",
    "playbook": "the ticket gets the sections without a pattern",
}
"""The effect of a slow pattern, by the mapping's section."""


def _adversarial(pattern: str, length: int) -> Iterator[str]:
    """Yield texts of repeated pieces, also of the pattern's own words, that end in an odd character.

    Behind it stand the pattern's characters: a pattern whose character is nowhere fails at once.
    """
    words = regex.findall(r"[^\W\d_]{2,}|\d+", pattern)
    end = _ODD + "".join(dict.fromkeys(pattern))
    for piece in dict.fromkeys((*_PIECES, *words, *(f"{word} " for word in words))):
        yield (piece * length)[: max(0, length - len(end))] + end


def sample_inline(mapping: Mapping, shipped: Templates) -> Callable[[str], str]:
    """Return a function that renders a field's template for a sample incident and raises `TemplateError`."""
    incident, service = next(_generated(mapping))
    sample = incident.model_copy(update={"title": "Sample"})
    context = ticket_context(_subject(mapping, service, sample))
    return lambda text: shipped.inline(text, context)


def _subject(mapping: Mapping, service: str, incident: Incident) -> Subject:
    section = mapping.services[service]
    severity = decide_severity(incident, mapping, section)
    return Subject(incident, mapping, section, severity.name, severity.assumed)


def _generated(mapping: Mapping) -> Iterator[tuple[Incident, str]]:
    """Yield an incident of each service for each title, with the service's name.

    Every second incident is rich: resolved, with priority, assignee and custom fields.
    """
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    words = [word for section in mapping.severities.values() for word in section.pagerduty]
    for position, name in enumerate(mapping.services):
        for number, title in enumerate(HOSTILE):
            rich = (position + number) % 2 == 0
            priority = words[number % len(words)] if words and rich else None
            yield (
                Incident(
                    id=f"PSAMPLE{number}",
                    number=number + 1,
                    title=title,
                    status=IncidentStatus.RESOLVED if rich else IncidentStatus.TRIGGERED,
                    service=Reference(id=mapping.services[name].id or name, name=name),
                    created_at=moment,
                    resolved_at=moment + timedelta(hours=1) if rich else None,
                    priority=Reference(id="PPRIO", name=priority) if priority else None,
                    escalation_policy=Reference(id="PPOLICY", name=title) if rich else None,
                    assignees=(Responder(id="PUSER", name=title),) if rich else (),
                    html_url="https://company.pagerduty.example/incidents/PSAMPLE" if rich else "",
                    custom_fields={"note": title} if rich else None,
                ),
                name,
            )
