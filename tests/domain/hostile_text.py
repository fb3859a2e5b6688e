"""Texts that mean harm, for hypothesis, and what a reader of wiki markup would make of them."""

from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import strategies as st

from syncd.domain.text import strip_controls

JOINER = "\u2060"

PIECES = st.sampled_from(
    [
        *"{}[]!|*_-^~+?\\#@()&;:/ \t\n\r.,=%<>\"'`",
        *"aZ09é漢👍",
        "{html}",
        "{{",
        "}}",
        "{code:java}",
        "[~bob]",
        "[x|http://evil.example]",
        "!http://evil.example/x.png!",
        "http://a.example/b_c-d?e=f&g#h",
        "https://a.example/_x_/-y-",
        "h1. ",
        "\nh3. ",
        "bq. ",
        "\n* ",
        "\n# ",
        "\n- ",
        "\n----\n",
        "||",
        "??",
        "\\\\",
        "\\{",
        ":)",
        ";-)",
        ":D",
        ":P",
        "(!)",
        "(x)",
        "(*r)",
        "mailto:",
        "file:",
        "&lt;",
        "&#123;",
        "\u202e",
        "\u2028",
        "\ud800",
        "\x00",
        "\x1b[31m",
        "👨‍👩‍👧‍👦",
        "e\u0301",
        "🇬🇧",
        JOINER,
    ]
)

hostile = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))
"""Any text, and heaps of what could be markup."""

_ESCAPED = re.compile(r"(?<!\\)\\([-#*_+?^~|%{}\[\]()!@])")

_ACTIVE = re.compile(
    r"""(?imx)
      [{}\[\]!|*^~@]
    | \\\\ | \\[-\#*_+?^~|%{}\[\]()!@]
    | (?<![A-Za-z0-9])[-_+] | [-_+](?![A-Za-z0-9])
    | \?\?
    | ^\s*(?:h[0-9]|bq)\.
    | ^\s*[-*\#]
    | [:;]-?[()] | :[PD]
    | \((?:[-!/?xyni+*]|on|off|\*[rgby]|flag|flagoff)\)
    | \b(?:mailto|file|irc|ftps?):(?!\u2060)
    | &\#?\w+;
    """
)


def active_markup(markup: str) -> list[str]:
    """What in this wiki markup would be more than text to one of Jira's renderers."""
    return _ACTIVE.findall(_ESCAPED.sub("\ue000", markup))


def shown(markup: str) -> str:
    """What a reader sees of wiki markup without active parts, addresses decoded."""
    return unquote(_ESCAPED.sub(r"\1", markup).replace(JOINER, ""))


def seen(text: str) -> str:
    """What a reader ought to see of a text, addresses decoded."""
    return unquote(strip_controls(text).replace(JOINER, ""))
