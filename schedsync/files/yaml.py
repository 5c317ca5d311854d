"""YAML text becomes values that remember where they were written.

The text is read as editors read it: by the core schema of YAML 1.2, without conversions that nobody wrote.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.bounds import Findings, Halt
from schedsync.files.foreign_text import foreign_text_finding
from schedsync.files.line_breaks import without_line_breaks
from schedsync.files.node import Node
from schedsync.files.node_builder import NodeBuilder

#: A file of 10,000 schedules with ten lines each has about 3 MB.
MAX_BYTES: Final = 16 * 1024 * 1024

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: All characters but those that YAML 1.2, section 5.1, allows in a file.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(data: bytes, path: str, size: int = 0) -> tuple[Node | None, list[Finding]]:
    """Read the bytes of one file; returns its document, or None if it cannot be read, and everything that is wrong.

    ``size`` is the file's size in bytes; it may be larger than the data, of which no more was read than needed.
    """
    findings = Findings(path)
    text = _decoded(data, max(size, len(data)), path, findings.found)
    if text is None:
        return None, findings.found
    text, original = without_line_breaks(text)
    builder = NodeBuilder(path, findings.add, original)
    try:
        _build(text, builder)
    except Halt:
        return None, findings.found
    except yaml.YAMLError as error:
        findings.found.append(_syntax_finding(error, path))
        return None, findings.found
    if builder.root is None:
        message, hint = "the file is empty", "it begins with `version: 1`"
        findings.found.append(Finding("SS122", message, Location(path, 1, 1), hint))
    return builder.root, findings.found


def _decoded(data: bytes, size: int, path: str, findings: list[Finding]) -> str | None:
    """Return a file's text; None, with a finding, if it is too large, not UTF-8, or has a control character."""
    if size > MAX_BYTES:
        message = f"{size / 2**20:,.0f} MB; a file has at most {MAX_BYTES // 2**20} MB"
        findings.append(Finding("SS104", message, Location(path, 1, 1), "split it"))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        place = _place(before, len(before), path)
        findings.append(Finding("SS102", f"not UTF-8: byte 0x{data[error.start]:02x}", place, "save it as UTF-8"))
        return None
    if foreign := foreign_text_finding(data, path):
        findings.append(foreign)
        return None
    match = _UNPRINTABLE.search(text)
    if match is None:
        return text
    message = f"not YAML: the control character U+{ord(match[0]):04X}"
    hint = f'in quotes, write "\\u{ord(match[0]):04x}"'
    findings.append(Finding("SS103", message, _place(text, match.start(), path), hint))
    return None


def _place(text: str, offset: int, path: str) -> Location:
    """Return the place of a character of a text."""
    return Location(path, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _build(text: str, builder: NodeBuilder) -> None:
    loader = LOADER(text)
    handlers = builder.handlers()
    next_event, ends = loader.get_event, yaml.StreamEndEvent
    try:
        while (kind := type(event := next_event())) is not ends:
            if handler := handlers.get(kind):
                handler(event)
    finally:
        loader.dispose()


_SYNTAX_HINTS: Final = {
    "cannot start any token": "indent with spaces, not with tabs; quote text that begins with a special character",
    "scanning an alias": 'quote text that begins with `*`: crontab: "*/5 * * * *"',
    "scanning an anchor": "quote text that begins with `&`",
    "mapping values are not allowed": "quote text that contains `: `",
}


def _syntax_finding(error: yaml.YAMLError, path: str) -> Finding:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        message = " ".join(filter(None, (error.problem, error.context and f"({error.context})")))
        hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in message), None)
        return Finding("SS103", f"not YAML: {message}", Location(path, mark.line + 1, mark.column + 1), hint)
    problem = getattr(error, "reason", None) or str(error).splitlines()[0]
    return Finding("SS103", f"not YAML: {problem}", Location(path, 1, 1))
