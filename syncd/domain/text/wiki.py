"""Escapes for Jira's wiki markup: text without markup, and links with addresses that cannot break out.

Two renderers read the markup: Data Center's, and Cloud's converter to its document format. Both honour a
backslash before one of ``- # * _ + ? ^ ~ | % { } [ ] ( ) ! @``. Neither honours a backslash before another
backslash, a dot or a colon. Two backslashes are a line break. Only Data Center reads entities. So a backslash
escapes the signs that it can. An invisible word joiner (U+2060) separates the rest: a backslash from a sign
that it would escape, `h1` from its dot, a colon from the letter that makes it an emoticon.

Text that a template puts directly before or after an escaped text cannot turn it into markup.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from syncd.domain.text.plain import one_line, strip_controls

_JOINER = "\u2060"

# Punctuation at the end of a sentence is not part of the address before it.
_URL = r"https?://[^\s<>\"'`\\^{}|()\[\]!*]*[^\s<>\"'`\\^{}|()\[\]!*.,;:?]"
_LIST_START = r"^[^\S\n]*[-*#]+"
_LEADING_WORD = r"^[^\S\n]*(?:h[0-9]|bq)(?=\.)"
_ENTITY = r"&(?=#?\w+;)"
_LOOSE_BACKSLASH = r"\\(?![A-Za-z0-9 ])"
_FACE_COLON = r":(?=[PpDd])|[:;]\Z"  # at the end, because a template may continue with a bracket
_OTHER_SCHEME = (
    r"(?<![A-Za-z0-9])(?:mailto|tel|callto|skype|facetime|file|ftps?|sftp|git|irc|news|nntp|notes"
    r"|jamfselfservice):"
)
_FACE = (
    r"\((?=(?:[-!/?xyni+]|on|off|\*[rgby]?|flag|flagoff)\))"  # (!), (x), (*r), (flag)
    r"|(?<=[:;])[()]|(?<=[:;]-)[()]"  # :) and ;-)
)
_ALWAYS = r"[{}\[\]!|*^~@]"
# Between two letters or digits these signs are no markup in either renderer. Without a backslash
# `p99-latency` and `snake_case` stay readable for people who edit the ticket.
_OUTSIDE_WORDS = r"(?<![A-Za-z0-9])[-_+]|[-_+](?![A-Za-z0-9])"
_DOUBLE_QUESTION = r"(?<![^?])\?|\?(?![^?])"

_SPECIAL = re.compile(
    rf"(?P<url>{_URL})|(?P<list>{_LIST_START})"
    rf"|(?P<join>{_LEADING_WORD}|{_ENTITY}|{_LOOSE_BACKSLASH}|{_OTHER_SCHEME}|{_FACE_COLON})"
    rf"|(?P<mark>{_FACE}|{_ALWAYS}|{_OUTSIDE_WORDS}|{_DOUBLE_QUESTION})",
    re.MULTILINE | re.IGNORECASE,
)
_SPECIAL_IN_URL = re.compile(
    rf"(?<!^http)(?<!^https):(?=[PpDd])|{_OTHER_SCHEME}|{_ENTITY}|[~@]|{_OUTSIDE_WORDS}|{_DOUBLE_QUESTION}",
    re.IGNORECASE,
)
_IN_LABEL = str.maketrans("[]{}|", "()()/")


def escape_wiki(text: str) -> str:
    """Return wiki markup that shows the text literally.

    Line breaks stay. Web addresses stay readable and become links; signs in them that could be markup are
    percent-encoded. Other addresses (`file:`, `mailto:`) become no links.
    """
    return _SPECIAL.sub(_harmless, strip_controls(text))


def _harmless(match: re.Match[str]) -> str:
    matched = match.group()
    if match.lastgroup == "url":
        follower = match.string[match.end() : match.end() + 1]
        # Cloud would read a bracket or a backslash after the address as a part of it.
        alone = not follower or follower.isspace() or follower in ".,"
        return url_as_text(matched) + ("" if alone else _JOINER)
    if match.lastgroup == "join":
        return matched + _JOINER
    if match.lastgroup == "list":
        return re.sub(r"[-*#]", r"\\\g<0>", matched)
    return "\\" + matched


def url_as_text(url: str) -> str:
    """Return a web address with the signs percent-encoded that could be markup."""
    return _SPECIAL_IN_URL.sub(lambda match: f"{match.group()[:-1]}%{ord(match.group()[-1]):02X}", url)


def wiki_url(url: str) -> str:
    """Return an address as the target of a link, percent-encoded; empty if it is not http or https."""
    url = one_line(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url, safe="/:?#@&=+$,;%-._~")


def wiki_link(label: str, url: str) -> str:
    """Return a link as wiki markup, or the label alone if the address is not http or https.

    Brackets, braces and bars of the label become round brackets and slashes, because Cloud has no escape
    there.
    """
    target = wiki_url(url)
    shown = escape_wiki(one_line(label).translate(_IN_LABEL))
    if not target:
        return shown
    return f"[{shown}|{target}]" if shown else f"[{target}]"
