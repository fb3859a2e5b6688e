"""JQL into a tree: the part of the language that programs use. The rest is refused in words like Jira's.

Clauses are joined by AND, OR and NOT with parentheses, and an ORDER BY may end the query. A clause is a
field, an operator, and a value, a list or a function. `jql_match.py` knows what the values mean.
"""

import re
from dataclasses import dataclass

from syncd.sandbox.jira.errors import error

TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<mark>!=|!~|>=|<=|=|~|>|<|\(|\)|,)
    | (?P<word>[^\s"'=!<>~(),]+)
    )""",
    re.VERBOSE,
)
OPERATORS = {"=", "!=", ">", "<", ">=", "<=", "~", "!~"}
ORDERED = 7


@dataclass(frozen=True)
class Clause:
    """`field operator values`; `functions` holds the values that were written with parentheses."""

    field: str
    operator: str
    values: tuple[str, ...]
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Both:
    """True where all parts are true."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either:
    """True where at least one part is true."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """True where the part is false."""

    part: "Node"


Node = Clause | Both | Either | Not


@dataclass(frozen=True)
class Query:
    """A whole query: the condition (None: no condition) and the order as (field, descending)."""

    where: Node | None
    order: tuple[tuple[str, bool], ...]


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        place = 0
        while place < len(text.rstrip()):
            match = TOKEN.match(text, place)
            if match is None:
                raise bad(f"The character '{text[place].strip() or text[place]}' is not allowed here", place)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match.group(kind), match.start(kind)))
            place = match.end()
        self.at = 0

    def peek(self) -> str:
        # A quoted "AND" is a text and never a keyword.
        return self.tokens[self.at][1].upper() if self.at < len(self.tokens) and self._plain() else ""

    def _plain(self) -> bool:
        return self.tokens[self.at][0] != "text"

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise bad("The query ends where a field, an operator or a value is expected", 0)
        kind, text, _ = self.tokens[self.at]
        self.at += 1
        # Quotes go, and a backslash protects the character behind it.
        return re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text

    def accept(self, *words: str) -> bool:
        if self.peek() in words:
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise bad(f"Expecting '{word}' but got '{self.peek() or 'the end'}'", self.place())

    def place(self) -> int:
        return self.tokens[self.at][2] if self.at < len(self.tokens) else 0

    def done(self) -> bool:
        return self.at >= len(self.tokens)


def bad(problem: str, place: int) -> Exception:
    """Return the 400 for a query that cannot be read; `place` counts characters from 0."""
    return error(400, f"Error in the JQL Query: {problem}. (line 1, character {place + 1})")


def parse(text: str) -> Query:
    """Return the query that a text means. Raise a 400 if it cannot be read."""
    reader = _Reader(text)
    where = None if reader.done() or reader.peek() == "ORDER" else _either(reader)
    order: list[tuple[str, bool]] = []
    if reader.accept("ORDER"):
        reader.expect("BY")
        while True:
            name = reader.take()
            descending = reader.accept("DESC")
            order.append((name.lower(), descending))
            reader.accept("ASC")
            if not reader.accept(","):
                break
    if not reader.done():
        raise bad(f"Expecting operator or ORDER BY but got '{reader.take()}'", reader.place())
    # Jira's documented limit for the new search.
    if len(order) > ORDERED:
        raise error(400, f"A query may be ordered by at most {ORDERED} fields.")
    return Query(where, tuple(order))


def _either(reader: _Reader) -> Node:
    parts = [_both(reader)]
    while reader.accept("OR"):
        parts.append(_both(reader))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _both(reader: _Reader) -> Node:
    parts = [_unary(reader)]
    while reader.accept("AND"):
        parts.append(_unary(reader))
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


def _unary(reader: _Reader) -> Node:
    if reader.accept("NOT"):
        return Not(_unary(reader))
    if reader.accept("("):
        inner = _either(reader)
        reader.expect(")")
        return inner
    return _clause(reader)


def _clause(reader: _Reader) -> Node:
    field = reader.take().lower()
    place = reader.place()
    word = reader.peek()
    reader.at += 1
    if word in OPERATORS:
        value, function = _value(reader)
        return Clause(field, word, (value,), frozenset({value} if function else ()))
    if word == "IS":
        negated = reader.accept("NOT")
        if not reader.accept("EMPTY", "NULL"):
            raise bad("Expecting 'EMPTY' or 'NULL'", reader.place())
        return Clause(field, "is not" if negated else "is", ())
    negated = word == "NOT" and reader.accept("IN")
    if word != "IN" and not negated:
        raise bad(f"Expecting operator but got '{word or 'the end'}'", place)
    return _listed(reader, field, "not in" if negated else "in")


def _listed(reader: _Reader, field: str, operator: str) -> Clause:
    if reader.peek() != "(":
        value, function = _value(reader)
        # "in" takes a list in parentheses or a function, but no single value.
        if not function:
            raise bad(f"Expecting a list or function but got '{value}'", reader.place())
        return Clause(field, operator, (value,), frozenset({value}))
    reader.expect("(")
    values, functions = [], set()
    while True:
        value, function = _value(reader)
        values.append(value)
        if function:
            functions.add(value)
        if not reader.accept(","):
            break
    reader.expect(")")
    return Clause(field, operator, tuple(values), frozenset(functions))


def _value(reader: _Reader) -> tuple[str, bool]:
    value = reader.take()
    if value in OPERATORS or value in ("(", ")", ","):
        raise bad(f"Expecting either a value, list or function but got '{value}'", reader.place())
    if reader.peek() == "(":
        reader.expect("(")
        reader.expect(")")
        # All functions here take no argument.
        return value.lower(), True
    return value, False
