"""A trace: the daemon's requests, mails and records as lines of text that compare from run to run.

Marks of operations are replaced by their keys; hashes, socket addresses and folders by words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from golden import ledger

INDENT = "    "
PART = f"{INDENT}-- "
"""The beginning of a part of a mail."""
WRAPPED = f"{INDENT}| "
"""The beginning of a continued line: long JSON is broken after each escaped line break."""
_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References")
_ANCHOR = re.compile(r"\b\d+:[0-9a-f]{64}\b")
_HASH = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16})\b")


def as_json(value: Any) -> str:
    """Return canonical JSON on one line."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def wrapped(line: str) -> str:
    """Return a line broken after each escaped line break in its JSON, so that texts compare by line."""
    return line.replace("\\n", f"\\n\n{WRAPPED}")


def unwrapped(text: str) -> str:
    """Undo `wrapped`."""
    return text.replace(f"\n{WRAPPED}", "")


def _body(raw: bytes) -> str:
    if not raw:
        return ""
    try:
        return as_json(json.loads(raw))
    except ValueError:
        return raw.decode("utf-8", "replace")


def _moment(at: datetime) -> str:
    """Return month, day and time, with milliseconds where there are any."""
    fraction = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:%m-%d %H:%M:%S}{fraction}"


@dataclass
class Trace:
    """The lines of one scenario, in the order of events.

    `places` holds texts that differ from run to run (folders, URLs) and the words that replace them.
    """

    places: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    _seq: int = 0

    def heading(self, words: str) -> None:
        """Add a heading."""
        self.lines += ["", f"=== {words}"]

    def act(self, at: datetime, words: str) -> None:
        """Add an act of a person."""
        self.lines.append(f"* {at:%Y-%m-%d %H:%M:%S} {words}")

    def request(
        self, at: datetime, service: str, method: str, path: str, query: list[tuple[str, str]], raw: bytes
    ) -> int:
        """Add a request; return its place for `answered`."""
        parameters = "&".join(f"{name}={value}" for name, value in sorted(query))
        target = f"{path}?{parameters}" if parameters else path
        body = _body(raw)
        self.lines.append(f"> {_moment(at)} {service} {method} {target}")
        place = len(self.lines) - 1
        if body:
            self.lines.append(wrapped(f"{INDENT}{body}"))
        return place

    def answered(self, place: int, words: str) -> None:
        """Add the end of a request to its line."""
        self.lines[place] = f"{self.lines[place]} -> {words}"

    def mail(self, content: bytes) -> None:
        """Add a mail with its headers, texts and attachments."""
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.lines.append("@ mail")
        self.lines += [f"{INDENT}{name}: {message[name]}" for name in _HEADERS if message[name]]
        for part in message.walk():
            if part.is_multipart():
                continue
            name = f" {part.get_filename()}" if part.get_filename() else ""
            self.lines.append(f"{PART}{part.get_content_type()}{name}")
            self.lines += [f"{INDENT}{line}".rstrip() for line in str(part.get_content()).splitlines()]

    def audit(self, file: Path) -> None:
        """Add the audit events that came since the last call."""
        for event in ledger.audit_events(file, self._seq):
            self._seq = event.seq
            words = f"# {event.at[5:19]} {event.kind} {event.incident} {event.issue}"
            self.lines.append(wrapped(f"{words} {event.operation} {as_json(event.text)}"))

    def output(self, command: str, code: int, out: str, err: str) -> None:
        """Add what a command printed."""
        self.lines.append(f"$ syncd {command} -> {code}")
        self.lines += [f"{INDENT}{line}".rstrip() for line in out.splitlines()]
        self.lines += [f"{INDENT}! {line}".rstrip() for line in err.splitlines()]

    def operations(self, file: Path) -> None:
        """Add every operation as it is now, and remember the marks that `text` replaces."""
        for row in ledger.operations(file):
            words = " ".join(f"{word}={row[word] or '-'}" for word in _ROW)
            self.lines.append(f"o {row['key']} {words}")
            for word in ("reason", "error"):
                if row[word]:
                    self.lines.append(wrapped(f"{INDENT}{word} {as_json(row[word])}"))
            for word in ("needs", "meaning", "rendered"):
                if row[word]:
                    self.lines.append(wrapped(f"{INDENT}{word} {as_json(row[word])}"))
            self.places[str(row["op"])] = f"<{row['key']}>"

    def text(self) -> str:
        """Return the whole trace without what differs from run to run."""
        text = "\n".join(self.lines).lstrip("\n") + "\n"
        # The longest text first: a folder may be the beginning of another one.
        for place in sorted(self.places, key=len, reverse=True):
            text = text.replace(place, self.places[place])
        return _HASH.sub("<hash>", _ANCHOR.sub("<anchor>", text))


_ROW = ("kind", "class", "target", "incident", "object", "aspect", "state", "attempts", "remote")
