"""Mask card numbers, tokens, passwords and private keys in texts from PagerDuty and Jira.

syncd masks a text before it stores or sends it. A text that is masked too much costs a look at PagerDuty; a
secret that is masked too little cannot be taken back. So all digits that can be a card number go, and syncd
withholds a whole text if a mapping's pattern takes too long on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate

import regex

PATTERN_SECONDS = 0.2
"""Time that one pattern of a mapping may take on one text."""

CARD = "[card number]"
KEY = "[private key]"
TOKEN = "[token]"  # noqa: S105 - the text that replaces a token
PASSWORD = "[password]"  # noqa: S105 - the text that replaces a password

# payment cards have 13 to 19 digits and begin with 2 to 6
_CARD_DIGITS, _CARD_BEGINS = range(13, 20), range(2, 7)
# marks without a width, and characters that no output keeps: without them the digits stand together
_UNSEEN = r"[\p{Cf}\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]*+"
# Jira's editor writes a backslash before a hyphen
_SIGN = r"(?:\\?[-\u2010-\u2015\u2212./_+\u00b7\u2022]){0,2}"
_DIGIT_GROUPS = regex.compile(rf"\d++(?:{_UNSEEN}[^\S\n]?{_UNSEEN}{_SIGN}{_UNSEEN}[^\S\n]?{_UNSEEN}\d++)*+")
_GROUP = regex.compile(r"\d+")

# If the text was cut inside a key, the mask reaches to the end of the text.
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
    """Return the text with every secret replaced by its kind, such as `[card number]`.

    `patterns` are the mapping's own, by name; they must compile, which `load_mappings` checks.
    """
    # a private key first, because parts of it look like other secrets
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
            return _withheld(name)
    return text


def took_too_long(masked: str, name: str) -> bool:
    """Return True if `mask` withheld the text because the pattern of this name took too long on it."""
    return masked == _withheld(name)


def _withheld(name: str) -> str:
    return f"[text withheld: the pattern {name} took too long on it]"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


def _without_cards(run: str) -> str:
    """Mask each card number in a run of digit groups with short separators.

    A card number begins and ends with a whole group, so an expiry date behind a card does not hide it. A
    longer number without separators is not a card.
    """
    groups = [match.span() for match in _GROUP.finditer(run)]
    ends = [0, *accumulate(last - first for first, last in groups)]
    if ends[-1] < _CARD_DIGITS.start:
        return run
    sums = _luhn_sums("".join(run[first:last] for first, last in groups))
    kept: list[str] = []
    place = first = 0
    while first < len(groups):
        begins = int(run[groups[first][0]]) in _CARD_BEGINS
        last = _card_from(ends, sums, first) if begins else None
        if last is None:
            first += 1
            continue
        kept += [run[place : groups[first][0]], CARD]
        place = groups[last][1]
        first = last + 1
    return "".join(kept) + run[place:]


def _card_from(ends: list[int], sums: tuple[list[int], list[int]], first: int) -> int | None:
    """Return the last group of the longest card that begins with the group `first`; None if there is none.

    `ends` are the numbers of digits before each group and after the last, `sums` those of `_luhn_sums`.
    """
    begin, last = ends[first], None
    for index in range(first, len(ends) - 1):
        end = ends[index + 1]
        if end - begin >= _CARD_DIGITS.stop:
            break
        of_end = sums[end % 2]
        if end - begin >= _CARD_DIGITS.start and (of_end[end] - of_end[begin]) % 10 == 0:
            last = index
    return last


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Twice a digit, as the sum of its digits."""


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Return the Luhn sums of the first 0, 1, … digits, for numbers with an even and with an odd end.

    The difference of two of them is the Luhn sum of the digits between: no part is summed again and again.
    """
    values = [*map(int, digits)]
    even = [_DOUBLED[value] if place % 2 == 0 else value for place, value in enumerate(values)]
    odd = [_DOUBLED[value] if place % 2 else value for place, value in enumerate(values)]
    return [0, *accumulate(even)], [0, *accumulate(odd)]
