"""Formats texts that are in no file."""

from __future__ import annotations

from schedsync.files.discover import SourceFile
from schedsync.files.formatting.canonical import Formatted, formatted


def format_text(text: str, environments: tuple[str, ...] = ("staging", "production")) -> Formatted:
    """Return a text before and after formatting."""
    data = text.encode()

    def beside(name: str) -> bytes:
        raise FileNotFoundError(2, "no such file", name)

    return formatted(SourceFile("a.yaml", len(data), lambda: data, beside), environments)
