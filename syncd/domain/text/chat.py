"""Functions that make text safe for a chat message, and that write its few marks: bold words and links.

A text from an incident must address no channel and no person (`<!channel>`, `@here`), hide no link and change
no look. Slack knows entities for `&`, `<` and `>` but no escape for its other marks, so these become
look-alikes. Mattermost takes Slack's `<!channel>` for its own `@channel`, and knows backslashes. Teams shows
texts as they are (`remote.chat`). A zero-width space after `@` and `<` ends every mention.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from syncd.domain.text.plain import one_line

ChatFormat = Literal["slack", "mattermost", "teams"]
"""The chats whose messages syncd can write."""

_ZERO_WIDTH = "\u200b"
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LOOK_ALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_EDGES = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""Underscores at the edge of a word: Slack makes words between two of them italic."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|~>])")
_MENTIONS = re.compile(r"([&<@])")
_NOT_IN_LINKS = re.compile(r"[\s<>|()\[\]\\\"`]")


def escape_chat(text: str, form: ChatFormat) -> str:
    """Return any text on one line, as a message of this chat shows it and does nothing else with it."""
    text = one_line(text)
    if form == "slack":
        text = _EDGES.sub("\u02cd", text.translate(_LOOK_ALIKES)).translate(_ENTITIES)
        return text.replace("@", f"@{_ZERO_WIDTH}")
    if form == "mattermost":
        text = _MARKDOWN.sub(r"\\\1", text)
    return _MENTIONS.sub(rf"\1{_ZERO_WIDTH}", text)


def chat_bold(text: str, form: ChatFormat) -> str:
    """Return a text in bold letters, escaped; Teams shows it plain."""
    marks = {"slack": "*", "mattermost": "**", "teams": ""}[form]
    return f"{marks}{escape_chat(text, form)}{marks}"


def chat_link(url: str, words: str, form: ChatFormat) -> str:
    """Return a link with our own words; only the words where the URL is none that a link can carry."""
    shown = escape_chat(words, form)
    url = one_line(url)
    if urlsplit(url).scheme not in ("http", "https") or _NOT_IN_LINKS.search(url):
        return shown
    if form == "slack":
        return f"<{url.translate(_ENTITIES)}|{shown}>"
    return f"[{shown}]({url})" if form == "mattermost" else f"{shown} ({url})"
