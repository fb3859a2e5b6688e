"""Check that each channel of a mapping has a webhook that fits its chat; with `--probe`, post to it once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from syncd.config.settings.access import missing_accounts, on_loopback
from syncd.config.settings.settings import Settings
from syncd.domain.mapping.mapping import Mapping
from syncd.policy.notify.chat import no_url
from syncd.preflight.checks.finding import Finding, ok, unknown, wrong
from syncd.remote.chat import ChatClient, body_of
from syncd.remote.errors import RemoteError, Unknown

WHERE = "SYNCD_CHAT_URLS"
TRIAL = "syncd check: a trial post. No incident is behind it."
_HOSTS = {
    "slack": ("slack.com", "slack-gov.com"),
    "teams": ("logic.azure.com", "powerplatform.com", "webhook.office.com"),
}
"""The hosts of webhooks, by format; a Mattermost is on a host of its own."""


def chats(mappings: Sequence[Mapping], settings: Settings) -> Iterator[Finding]:
    """Check the channels of all mappings against the webhooks of the settings; no URL is shown."""
    urls = {channel: url.get_secret_value() for channel, url in settings.chat_urls.items()}
    # a sandbox has nobody to tell, and without accounts only the mappings are being looked at
    lacking = ok if on_loopback(settings) else unknown if missing_accounts(settings) else wrong
    for mapping in mappings:
        channel, form = mapping.chat.posts_to, mapping.chat.format
        if channel is None:
            continue
        where = f"{mapping.team}, chat"
        if channel not in urls:
            yield lacking(
                "C13", where, no_url(channel), f"add `{channel}=URL` to {WHERE}, or set `chat.mode`"
            )
            continue
        belongs = _format_of(urls[channel])
        if belongs not in (None, form):
            message = f"the URL of {channel} is one of {belongs}, but `chat.format` is {form}"
            yield wrong("C13", where, message, f"set `chat.format` to {belongs}")
        else:
            yield ok("C13", where, f"syncd posts to the channel {channel}")
    named = {mapping.chat.channel for mapping in mappings}
    for channel in sorted(urls.keys() - named):
        yield ok("C13", WHERE, f"no mapping names the channel {channel}", "name it as `chat.channel`")


def _format_of(url: str) -> str | None:
    host = f".{urlsplit(url).hostname or ''}"
    return next(
        (form for form, hosts in _HOSTS.items() if host.endswith(tuple(f".{h}" for h in hosts))), None
    )


def to_try(mappings: Sequence[Mapping], settings: Settings) -> dict[str, Mapping]:
    """Return the channels to which `--probe` posts, each with a mapping that names it."""
    return {
        channel: mapping
        for mapping in mappings
        if (channel := mapping.chat.posts_to) and channel in settings.chat_urls
    }


def trial_post(client: ChatClient, channel: str, mapping: Mapping) -> Iterator[Finding]:
    """Post one message to a channel that says what it is; never twice."""
    where, form = f"{mapping.team}, chat", mapping.chat.format
    try:
        client.post(channel, body_of(TRIAL, form), form)
    except RemoteError as error:
        finding = unknown if isinstance(error, Unknown) else wrong
        yield finding("T02", where, error.describe(), "look into the channel, and check its webhook")
    else:
        yield ok("T02", where, f"the trial post is in the channel {channel}")
