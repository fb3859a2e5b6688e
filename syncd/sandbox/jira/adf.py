"""Text to Atlassian Document Format and back: paragraphs, headings, lists and line breaks.

syncd writes text by version 2 of the API. Version 3 is for people who look at the sandbox with other tools.
"""

from typing import Any

from syncd.sandbox.wire import Json

BLOCKS = {"paragraph", "heading", "listItem", "codeBlock", "blockquote", "panel", "tableRow"}


def document(text: str | None) -> Json | None:
    """Return text as a document with one paragraph a line; return None for no text."""
    if not text:
        return None
    return {"type": "doc", "version": 1, "content": [_paragraph(line) for line in text.split("\n")]}


def _paragraph(line: str) -> Json:
    return {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}


def text(document_: Any) -> str:
    """Return the plain text of a document, one line for each block."""
    lines = [""]
    _walk(document_, lines)
    return "\n".join(lines).strip("\n")


def _walk(node: Any, lines: list[str]) -> None:
    if not isinstance(node, dict):
        return
    if node.get("type") == "text":
        lines[-1] += str(node.get("text", ""))
    if node.get("type") == "hardBreak":
        lines.append("")
    for child in node.get("content") or []:
        _walk(child, lines)
    if node.get("type") in BLOCKS and lines[-1]:
        lines.append("")
