"""What the daemon of the demo mailed: files that stand for a mailbox, the notice and the report named."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console

from syncd.commands.shared.output import plain

TOLD = ("SEV0", "[QRPay] 2026-W")
"""Beginnings or parts of the subjects that are shown by themselves."""


def show_mailbox(out: Console, folder: Path) -> None:
    """Print how many mails there are and the most telling of them."""
    mails = list(_mails(folder))
    plain(out, f"Mailbox: {len(mails)} mails in {folder} (open them with any mail program), such as:")
    for part in TOLD:
        found = next(((path, one) for path, one in mails if part in str(one["Subject"])), None)
        if found is not None:
            path, one = found
            plain(out, f"  to {one['To']}: {one['Subject']} ({path.name})")


def _mails(folder: Path) -> Iterator[tuple[Path, EmailMessage]]:
    for path in sorted(folder.glob("*.eml")):
        read = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(read, EmailMessage):
            yield path, read
