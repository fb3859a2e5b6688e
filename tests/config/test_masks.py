from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.masks import mask

QUICK = settings(max_examples=300, deadline=None)
CARD = "4111111111111111"


def luhn_valid(digits: str) -> bool:
    """As payment cards have it: every second digit from the right, but not the last, counts twice."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def with_check_digit(digits: str) -> str:
    return next(digits + str(last) for last in range(10) if luhn_valid(digits + str(last)))


card_numbers = st.integers(12, 18).flatmap(
    lambda length: st.text("0123456789", min_size=length, max_size=length).map(with_check_digit)
)
separators = [
    "",
    " ",
    "-",
    ".",
    " - ",
    "\u2011",
    "\u00a0",
    "_",
    "--",
    "+",
    "\u00b7",
    "\\-",
    "\u200b",
    "\u200e",
    "\x00",
]
grouped = st.tuples(card_numbers, st.sampled_from(separators)).map(
    lambda pair: pair[1].join(pair[0][start : start + 4] for start in range(0, len(pair[0]), 4))
)
noise = st.text(st.sampled_from("0123456789 -./x\n:"), max_size=30)


def cards_left(text: str) -> list[str]:
    """Every stretch of whole groups of digits that passes as a card number."""
    cards = []
    seen = re.sub("[\u200b\u200e\x00]", "", text)
    for run in re.findall(r"\d+(?:[^\S\n]?(?:\\?[-‐-―−./_+·•]){0,2}[^\S\n]?\d+)*", seen):  # noqa: RUF001 - dashes of all kinds
        groups = re.findall(r"\d+", run)
        for first in range(len(groups)):
            for last in range(first, len(groups)):
                digits = "".join(groups[first : last + 1])
                if 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn_valid(digits):
                    cards.append(digits)
    return cards


@QUICK
@given(noise, grouped, noise)
def test_no_card_number_is_left_whatever_stands_around_it(before: str, card: str, after: str) -> None:
    for text in (f"{before} {card} {after}", f"{before}{card}{after}"):
        masked = mask(text)
        assert cards_left(masked) == []
        assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        CARD,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "card 4111 1111 1111 1111 12/26 cvc",
        "4111_1111_1111_1111",
        "4111--1111--1111--1111",
        "number=4111+1111+1111+1111&x=1",
        "4111·1111·1111·1111",
        "4111\\-1111\\-1111\\-1111",
        "4111\u200b1111\u200b1111\u200b1111",
        "4111\u00ad 1111\u00ad 1111\u00ad 1111",
        "\u202a4111\u200e1111\u200e1111\u200e1111\u202c",
        "３７８２ ８２２４ ６３１０ ００５",  # noqa: RUF001 - digits of another width are digits
    ],
)
def test_a_card_number_is_masked_as_people_write_it(text: str) -> None:
    assert "[card number]" in mask(text)
    assert not re.search(r"\d{4}", mask(text))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "incident 4111111111111111222222 is one long id",
        "order 1234567812345670, passed the check digit; 7992739871300006 and 0000000000000000 too",
        "2026-12-01 05:12:33.123 from 10.0.0.1",
        "p99 is 1500 ms, 99.5 % of 20000",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-ghi12345", "abc.def-ghi12345"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ('{"Authorization": "Bearer abcdefgh"}', "abcdefgh"),
        ("Authorization: Token token=y_NbAkKc66ryYTWUXYEu", "y_NbAkKc66ryYTWUXYEu"),
        ("sent with bearer 0123456789abcdef", "0123456789abcdef"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", "eyJzdWIiOiIxMjM0In0"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", "eyJzdWIiOiIxMjM0In0"),
        ("postgres://app:hunter2@db.example/x", "hunter2"),
        ("DB_PASSWORD=hunter2 failed", "hunter2"),
        ('{"client_secret": "hunter 2"}', "hunter 2"),
        ("https://x.example/?api_key=hunter2&a=b", "hunter2"),
        ("X-Api-Key: hunter22222", "hunter22222"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("ghp_0123456789abcdefghij0123456789", "0123456789abcdefghij"),
        ("glpat-0123456789abcdefghij", "0123456789abcdefghij"),
        ("xoxb-0123456789-abcdef", "0123456789-abcdef"),
        ("sk_live_0123456789abcdef", "0123456789abcdef"),
        ("ATATT3xFfGF0123456789abcdefghij=1A2B", "0123456789abcdefghij"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", "b3Blbn"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOY\n-----END PGP PRIVATE KEY BLOCK-----", "lQOY"),
    ],
)
def test_tokens_passwords_and_keys_are_masked(text: str, secret: str) -> None:
    masked = mask(text)
    assert secret not in masked and "[" in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "bearer authentication failed",
        "basic functionality is lost",
        "verify authentication tokens: none accepted",
        "token refresh fails for 12 users",
        "-----BEGIN CERTIFICATE-----",
        "the password was changed",
        "https://grafana.example/d/alipay?from=1",
    ],
)
def test_sentences_about_secrets_are_no_secrets(text: str) -> None:
    assert mask(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert mask("before DB_PASSWORD=hunter2 after") == "before DB_PASSWORD=[password] after"
    assert mask("a -----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY----- b") == "a [private key] b"


def test_a_mappings_patterns_are_replaced_by_their_names() -> None:
    patterns = {"customer number": r"\bC-\d{8}\b", r"a\1b": "zz"}
    assert mask("of C-12345678, zz", patterns) == r"of [customer number], [a\1b]"


def test_a_text_on_which_a_pattern_takes_too_long_is_withheld() -> None:
    masked = mask("a" * 60 + "!", {"slow": r"(a|aa)+$"})
    assert masked == "[text withheld: the pattern slow took too long on it]"


@QUICK
@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "eyJ-",
        "a://",
        "a-",
        "bearer ",
        "token  ",
        "password",
        "4111 1111 ",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
@pytest.mark.timeout(30)  # a hang: milliseconds are usual
def test_no_text_makes_masking_slow(piece: str) -> None:
    text = (piece * 32_767)[:32_767]
    assert len(mask(text)) <= len(text)
