"""Jira's wiki markup: text in which nothing is markup, and links whose address cannot break out.

Two renderers read it: Data Center's, and Cloud's converter to its document format. Both honour a
backslash before one of ``- # * _ + ? ^ ~ | % { } [ ] ( ) ! @``, and neither honours one before another
backslash, a dot or a colon; two backslashes are a line break; entities are Data Center's only. So a
backslash marks what it can, and a word joiner (U+2060, which nobody sees) parts what it cannot: a
backslash from a sign that it would mark, `h1` from its dot, a colon from the letter that makes it a face.

Text is escaped so that what a template puts right before or after it cannot make markup of it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from syncd.domain.text.plain import one_line, strip_controls

_JOINER = "\u2060"

# A sentence's punctuation after an address is not part of it.
_URL = r"https?://[^\s<>\"'`\\^{}|()\[\]!*]*[^\s<>\"'`\\^{}|()\[\]!*.,;:?]"
_LIST_START = r"^[^\S\n]*[-*#]+"
_LEADING_WORD = r"^[^\S\n]*(?:h[0-9]|bq)(?=\.)"
_ENTITY = r"&(?=#?\w+;)"
_LOOSE_BACKSLASH = r"\\(?![A-Za-z0-9 ])"
_FACE_COLON = r":(?=[PpDd])|[:;]\Z"  # at the end, because a template may go on with a bracket
_OTHER_SCHEME = (
    r"(?<![A-Za-z0-9])(?:mailto|tel|callto|skype|facetime|file|ftps?|sftp|git|irc|news|nntp|notes"
    r"|jamfselfservice):"
)
_FACE = (
    r"\((?=(?:[-!/?xyni+]|on|off|\*[rgby]?|flag|flagoff)\))"  # (!), (x), (*r), (flag)
    r"|(?<=[:;])[()]|(?<=[:;]-)[()]"  # :) and ;-)
)
_ALWAYS = r"[{}\[\]!|*^~@]"
# Between two letters or digits these neither open nor close anything in either renderer, so that
# `p99-latency` and `snake_case` stay readable where people edit the ticket.
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
    """Given any text, return wiki markup that shows it and does nothing.

    Line breaks stay. Web addresses stay readable and are linked as they stand; signs in them that could
    be markup are percent-encoded. Addresses of other kinds (`file:`, `mailto:`) become no link.
    """
    return _SPECIAL.sub(_harmless, strip_controls(text))


def _harmless(match: re.Match[str]) -> str:
    found = match.group()
    if match.lastgroup == "url":
        follower = match.string[match.end() : match.end() + 1]
        # Cloud would take a bracket or a backslash that follows for a part of the address.
        alone = not follower or follower.isspace() or follower in ".,"
        return url_as_text(found) + ("" if alone else _JOINER)
    if match.lastgroup == "join":
        return found + _JOINER
    if match.lastgroup == "list":
        return re.sub(r"[-*#]", r"\\\g<0>", found)
    return "\\" + found


def url_as_text(url: str) -> str:
    """Given a web address, return it with those signs percent-encoded that could be markup."""
    return _SPECIAL_IN_URL.sub(lambda match: f"{match.group()[:-1]}%{ord(match.group()[-1]):02X}", url)


def wiki_url(url: str) -> str:
    """Given an address, return it as the target of a link, percent-encoded; empty if it is not http(s)."""
    url = one_line(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url, safe="/:?#@&=+$,;%-._~")


def wiki_link(label: str, url: str) -> str:
    """Given a label and an address, return a link as wiki markup; the label alone if it is not http(s).

    Brackets, braces and bars of the label become round brackets and slashes: Cloud knows no escape there.
    """
    target = wiki_url(url)
    shown = escape_wiki(one_line(label).translate(_IN_LABEL))
    if not target:
        return shown
    return f"[{shown}|{target}]" if shown else f"[{target}]"
