"""Check the text of one setting: turn it into a value or raise `ValueError`.

A message shows a correct example and never repeats the given text, because that may be a secret.
"""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

_ADDRESS = re.compile(r"[^@\s<>,;\"()\[\]\\]+@[^@\s<>,;\"()\[\]\\.]+(?:\.[^@\s<>,;\"()\[\]\\.]+)*")
_LONGEST_ADDRESS = 254
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SHORTEST_SECRET = 16
"""Letters of a part of a secret URL that is a secret by itself."""
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_DURATION = re.compile(r"\s*(\d{1,6})\s*([smhdw])\s*")


def is_address(text: str) -> bool:
    """Return True if a text looks like one bare e-mail address."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def address(text: str) -> str:
    """Return one bare e-mail address."""
    text = text.strip()
    if not is_address(text):
        raise ValueError("not an e-mail address such as ops@company.example")
    return text


def mail_sender(text: str) -> str:
    """Return an e-mail address, with or without a name before it."""
    # a line break would add a header to each mail
    if not is_address(parseaddr(text)[1]) or any(char in text for char in "\r\n"):
        raise ValueError("not a sender such as ops@company.example or Ops <ops@company.example>")
    return text.strip()


def is_loopback(url: str) -> bool:
    """Return True if a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def web_address(text: str) -> str:
    """Return the base URL of a service: a `page_address` without query, fragment and final slash."""
    parts = urlsplit(page_address(text))
    if parts.query or parts.fragment:
        raise ValueError("a URL with a query or fragment; end it with the path")
    return text.strip().rstrip("/")


def jira_address(text: str) -> str:
    """Return Jira's base URL: not a page of it, and not its API."""
    url = web_address(text)
    parts = urlsplit(url)
    cloud = (parts.hostname or "").endswith(".atlassian.net")
    page = _JIRA_PAGE.search(parts.path)
    base = f"{parts.scheme}://{parts.netloc}" + ("" if cloud or not page else parts.path[: page.start()])
    if page or (cloud and parts.path):
        raise ValueError(f"the URL of a page or of the API; set it to {base}")
    return url


_JIRA_PAGE = re.compile(r"/(?:rest|browse|secure|projects|issues|plugins|login\.jsp)(?:/|$)")


def is_pagerduty(url: str) -> bool:
    """Return True if a URL leads to PagerDuty's own hosts."""
    return f".{urlsplit(url).hostname or ''}".endswith(".pagerduty.com")


def pagerduty_address(text: str) -> str:
    """Return the URL of PagerDuty's REST API: not a page of an account, and without a path."""
    url = web_address(text)
    if not is_pagerduty(url):
        return url
    parts = urlsplit(url)
    host = parts.hostname or ""
    api = "https://api.eu.pagerduty.com" if ".eu." in f".{host}" else "https://api.pagerduty.com"
    if host not in ("api.pagerduty.com", "api.eu.pagerduty.com"):
        raise ValueError(
            f"the address of PagerDuty's pages; set it to {api} (in the EU: https://api.eu.pagerduty.com)"
        )
    if parts.path:
        raise ValueError(f"the address with a path; set it to {api}")
    return url


def in_eu(url: str) -> bool:
    """Return True if a URL leads to PagerDuty's service region in the EU."""
    return is_pagerduty(url) and ".eu." in f".{urlsplit(url).hostname}"


def events_address(text: str) -> str:
    """Return the URL of PagerDuty's Events API: not the REST API or a page, and without a path."""
    url = web_address(text)
    parts = urlsplit(url)
    known = ("events.pagerduty.com", "events.eu.pagerduty.com")
    if is_pagerduty(url) and (parts.hostname not in known or parts.path):
        raise ValueError(
            "not the address of the Events API; set it to https://events.pagerduty.com (in the EU:"
            " https://events.eu.pagerduty.com)"
        )
    return url


def page_address(text: str) -> str:
    """Return an http(s) URL without password; http only to this machine."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it raises for what is no port
    except ValueError:
        raise ValueError("not a web address such as https://jira.company.example") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise ValueError("not a web address such as https://jira.company.example")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a user or password in it; remove them")
    if parts.scheme == "http" and not is_loopback(text):
        raise ValueError("not encrypted; it must begin with https:// unless it is on this machine")
    return text


def listen_address(text: str) -> str:
    """Return `host:port` with an IPv6 host in brackets, or an empty text."""
    text = text.strip()
    # the last colon separates the port; others belong to an IPv6 address
    host, colon, port = text.rpartition(":")
    bare = not host.startswith("[") and ":" in host
    if text and (not colon or not host or bare or not port.isdecimal() or not 0 <= int(port) <= 65_535):
        raise ValueError("not a host and port such as 127.0.0.1:8585 or [::1]:8585; empty for no listener")
    return text


def folder(path: Path) -> Path:
    """Return a folder as an absolute path; `~` is the home folder."""
    return path.expanduser().absolute()


def file(path: Path) -> Path:
    """Return a readable file as an absolute path; `~` is the home folder."""
    path = path.expanduser().absolute()
    if not os.access(path, os.R_OK) or not path.is_file():
        raise ValueError("not a readable file")
    return path


def duration(text: str) -> timedelta:
    """Return the length of time of a text such as `30m` (units s, m, h, d, w); raise `ValueError`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not a length of time such as 90s, 30m, 12h, 14d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def as_day(value: object) -> object:
    """Return the day of a text such as `2027-03-01`."""
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("not a day such as 2027-03-01") from None


def as_duration(value: object) -> object:
    """Return the length of time of a text such as `14d`."""
    return duration(value) if isinstance(value, str) else value


def as_chat_urls(value: object) -> object:
    """Return the webhooks of a text of `NAME=URL` pairs by their names; raise `ValueError`."""
    if not isinstance(value, str):
        return value
    urls: dict[str, SecretStr] = {}
    for pair in value.split():
        name, _, url = pair.partition("=")
        name = name.removeprefix("#")
        # what is no name may be a URL, and a message must not repeat it
        if not _CHANNEL.fullmatch(name) or not url:
            raise ValueError("not pairs such as status=https://hooks.slack.com/services/…")
        try:
            page_address(url)
        except ValueError as error:
            raise ValueError(f"the URL of {name} is {error}") from None
        if name in urls:
            raise ValueError(f"two URLs of the channel {name}; keep one")
        urls[name] = SecretStr(url)
    return urls


def secrets_in(url: str) -> tuple[str, ...]:
    """Return the parts of a secret URL that nobody may see, as they stand there and decoded."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    hidden = [url, path, parts.query, *path.split("/")]
    # the words of a path (`services`, `workflows`) tell nothing
    long = [text for text in hidden if len(text) >= SHORTEST_SECRET]
    return tuple(dict.fromkeys(form for text in long for form in (text, unquote(text))))


def as_secrets(value: object) -> object:
    """Return comma-separated text as secrets, without empty ones."""
    if isinstance(value, str):
        return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())
    return value


def as_names(value: object) -> object:
    """Return comma-separated text as its parts, without empty ones."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def upper(value: object) -> object:
    """Return a text in upper case."""
    return value.strip().upper() if isinstance(value, str) else value
