"""What must not leave a responder's text: card numbers, tokens, passwords, private keys.

Runs before a text is stored or sent (rules: "The ticket"). Masking too much costs a look at the
incident in PagerDuty, masking too little cannot be taken back; so any digits that pass as a card number
go, and a text on which a mapping's pattern runs out of time is withheld whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import regex

PATTERN_SECONDS = 0.2
"""How long one pattern of a mapping may work on one text."""

CARD = "[card number]"
KEY = "[private key]"
TOKEN = "[token]"  # noqa: S105 - what stands in a token's place
PASSWORD = "[password]"  # noqa: S105 - what stands in a password's place

_CARD_DIGITS = range(13, 20)
_DIGIT_GROUPS = regex.compile(r"\d++(?:[^\S\n]?[-\u2010-\u2015\u2212./]?[^\S\n]?\d++)*+")
_GROUP = regex.compile(r"\d+")

# A key that was cut off before its end is masked to the end of the text.
_PRIVATE_KEY = regex.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    regex.DOTALL,
)

_AFTER_A_WORD = regex.compile(
    r"""(?ix)
    (?P<word>
        \b authorization ["']? [ \t]{0,3} [:=] [ \t]{0,3} ["']? (?: (?: bearer | basic | token ) [ \t]{1,3} )?
      | \b x-api-key ["']? [ \t]{0,3} [:=] [ \t]{0,3} ["']?
        # "bearer authentication failed" is a sentence
      | \b bearer [ \t]{1,3} (?! (?-i: [a-z]{1,15} ) (?! [A-Za-z0-9+/=._~\-] ) )
      | \b (?: basic | token [ \t]{0,3} [:=]? ) [ \t]{1,3} (?= [^\s,;\d]{0,100} \d ) (?= [^\s,;]{12} )
    )
    (?P<secret> (?! token [ \t]{0,3} = ) [A-Za-z0-9+/=._~|\-]{8,} )
    """
)

_ASSIGNED = regex.compile(
    r"""(?ix)
    (?P<word>
        (?<! [A-Za-z0-9] ) (?: [A-Za-z0-9]{1,40} [_-] ){0,4}
        (?: password | passwd | pwd | secret | token | api [_-]? key | access [_-]? key | private [_-]? key )
        (?: ["'] \s{0,3} : \s{0,3} (?= ["'] ) | = )
    )
    (?P<secret> "[^"\n]+" | '[^'\n]+' | [^\s&;,"']+ )
    """
)

_IN_AN_ADDRESS = regex.compile(
    r"(?P<word>(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{0,30}://[^\s/:@]{0,200}:)"
    r"(?P<secret>[^\s/@]{1,200})(?=@)"
)

_SHAPES = regex.compile(
    r"""(?x)
    (?<! [A-Za-z0-9] ) (?:
        eyJ[A-Za-z0-9_\-]{8,2000} \. [A-Za-z0-9_\-]{8,4000} (?: \. [A-Za-z0-9_\-]{0,2000} )?  # JSON web token
      | (?: AKIA | ASIA ) [A-Z0-9]{16}                                                       # AWS
      | gh[pousr]_[A-Za-z0-9]{20,300} | github_pat_[A-Za-z0-9_]{20,300}                      # GitHub
      | glpat-[A-Za-z0-9_\-]{16,300}                                                         # GitLab
      | xox[abeoprs]-[A-Za-z0-9\-]{10,300} | xapp-[A-Za-z0-9\-]{10,300}                      # Slack
      | (?: sk | rk | pk )_(?: live | test )_[A-Za-z0-9]{10,300} | whsec_[A-Za-z0-9]{16,300} # Stripe
      | AIza[A-Za-z0-9_\-]{30,100}                                                           # Google
      | ATATT3[A-Za-z0-9_\-=]{20,500}                                                        # Atlassian
    )
    """
)


def mask(text: str, patterns: Mapping[str, str] | None = None) -> str:
    """Given text and a mapping's patterns by name, return it with everything secret replaced.

    What replaces it says what stood there. The patterns must compile; `load_mappings` has seen to that.
    """
    text = _PRIVATE_KEY.sub(KEY, text)
    text = _IN_AN_ADDRESS.sub(rf"\g<word>{PASSWORD}", text)
    text = _AFTER_A_WORD.sub(rf"\g<word>{TOKEN}", text)
    text = _ASSIGNED.sub(rf"\g<word>{PASSWORD}", text)
    text = _SHAPES.sub(TOKEN, text)
    text = _DIGIT_GROUPS.sub(lambda match: _without_cards(match.group()), text)
    for name, pattern in (patterns or {}).items():
        shown = f"[{name}]".replace("\\", "\\\\")
        try:
            text = _compiled(pattern).sub(shown, text, timeout=PATTERN_SECONDS)
        except TimeoutError:
            return f"[text withheld: the pattern {name} took too long on it]"
    return text


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


def _without_cards(run: str) -> str:
    """Given groups of digits with single separators, mask each stretch of whole groups that is a card.

    Stretches begin and end with a group, so that an expiry date behind a card does not hide it; a
    number of more digits that is written in one piece is no card.
    """
    groups = [(match.start(), match.end()) for match in _GROUP.finditer(run)]
    kept: list[str] = []
    place = first = 0
    while first < len(groups):
        last = _card_from(run, groups, first)
        if last is None:
            first += 1
            continue
        kept += [run[place : groups[first][0]], CARD]
        place = groups[last][1]
        first = last + 1
    return "".join(kept) + run[place:]


def _card_from(run: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of the longest card that begins with the group `first`, None if none does."""
    digits = ""
    found = None
    for index in range(first, len(groups)):
        digits += run[slice(*groups[index])]
        if len(digits) >= _CARD_DIGITS.stop:
            break
        if len(digits) in _CARD_DIGITS and luhn_valid(digits):
            found = index
    return found


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the ones before it, as on payment cards."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
