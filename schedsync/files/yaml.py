"""YAML text becomes values that remember where they were written.

Read as editors read it: the scalars of YAML 1.2's core schema, and nothing behind the author's back. Built from
PyYAML's events, so that an alias bomb is measured before anyone walks it and depth costs no recursion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import yaml

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.secrets import is_secret_key
from schedsync.files.hints import decimal_comma_hint
from schedsync.files.line_breaks import without_line_breaks
from schedsync.files.node import BAD, Bad, Node

#: A file of 10,000 schedules of ten lines has about 3 MB.
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 100
#: Values in a file, each alias counted with all that stands behind it.
MAX_VALUES: Final = 2_000_000
MAX_DIGITS: Final = 300

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_WORDS: Final = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMERIC: Final = frozenset("+-.0123456789")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
#: What YAML 1.2, section 5.1, lets stand in a file.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_Key = tuple[str, int, int]
_QUOTED = re.compile("`[^`]*`")


class _Halt(Exception):
    """The file cannot be read any further."""


class _Builder:
    """Builds one document's nodes from the parser's events; ``key`` is the key that waits for its value."""

    def __init__(self, path: str, report: Callable[[Finding], None], original: Callable[[str], str]) -> None:
        self.path = path
        self.report = report
        self.original = original
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[tuple[Node | None, _Key | None, str | None]] = []
        self.node: Node | None = None
        self.key: _Key | None = None
        self.anchor: str | None = None
        self.root: Node | None = None
        self.documents = 0
        self.before: Any = None
        self.current: Any = None

    def finding(self, code: str, message: str, event: Any, hint: str | None = None, severity: Any = "error") -> None:
        mark = event.start_mark
        if self.key is not None and is_secret_key(self.key[0]):
            # The message may quote the value.
            message, hint = _QUOTED.sub("`***`", message), None
        self.report(Finding(code, message, Location(self.path, mark.line + 1, mark.column + 1), hint, severity))

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents == 2:
            self.finding("SS108", "a second document", event, "one document a file; leave out the `---`")
            raise _Halt

    def scalar(self, event: Any) -> None:
        self.before, self.current = self.current, event
        text, mark = self.original(event.value), event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if event.tag is not None:
            self.check_tag(event)
        if not text.isascii() or "\0" in text:
            self.check_text(text, event)
        plain = not event.style
        value = self.resolve(text, event) if plain else text
        if self.awaits_key() and type(value) is str and event.anchor is None:
            self.key = (value, line, column)
            return
        node = Node(value, line, column, 0 if plain else _inner(text, event))
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(node)

    def awaits_key(self) -> bool:
        return self.key is None and self.node is not None and self.node.keys is not None

    def check_text(self, text: str, event: Any) -> None:
        if _FORBIDDEN.search(text):
            self.finding("SS109", "text with a character that no database and no JSON holds", event)

    def check_tag(self, event: Any) -> None:
        if event.tag is not None:
            self.finding(
                "SS107",
                f"explicit tag `{event.tag}`",
                event,
                "leave it out, quote text that looks like a number",
            )

    def resolve(self, text: str, event: Any) -> Any:
        """Return a plain scalar's value by the core schema of YAML 1.2, section 10.3."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _NUMERIC:
            return text
        if _INT.match(text):
            return self.integer(text, event)
        if _BASED.match(text):
            return self.integer(text, event, base=0)
        if _NOT_FINITE.match(text):
            self.finding("SS109", f"`{text}` is nothing that JSON can hold", event)
            return BAD
        return self.real(text, event) if _FLOAT.match(text) else text

    def integer(self, text: str, event: Any, base: int = 10) -> int | Bad:
        if len(text) > MAX_DIGITS:
            self.finding("SS109", f"a number of {len(text)} digits", event, "quote it, if it is text")
            return BAD
        if base != 10:
            return int(text, base)
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            self.finding(
                "SS110", f"`{text}` is the number {int(text)}", event,
                f'write {int(text)}, or "{text}" where the zeros matter', "warning",
            )  # fmt: skip
        return int(text)

    def real(self, text: str, event: Any) -> float | Bad:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.finding("SS109", f"`{text[:40]}` is too large for a number", event)
            return BAD
        return value

    def open(self, event: Any, empty: Any) -> None:
        self.check_tag(event)
        mark = event.start_mark
        if len(self.stack) >= MAX_DEPTH:
            self.finding("SS104", f"nested more than {MAX_DEPTH} deep", event)
            raise _Halt
        node = Node(empty, mark.line + 1, mark.column + 1)
        if type(empty) is dict:
            node.keys = {}
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append((self.node, self.key, self.anchor))
        self.node, self.key, self.anchor = node, None, event.anchor

    def close(self, _event: Any) -> None:
        node, anchor = self.node, self.anchor
        self.node, self.key, self.anchor = self.stack.pop()
        if node is None:
            raise _Halt
        if node.keys is not None and "<<" in node.value:
            self.merge(node)
        if anchor:
            self.anchors[anchor] = node
        self.add(node)

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self.finding("SS103", f"unknown alias `*{event.anchor}`", event)
            raise _Halt
        node = self.anchors[event.anchor]
        if node is None:
            self.finding("SS104", f"`*{event.anchor}` stands within itself", event)
            raise _Halt
        self.add(node, event)

    def add(self, node: Node, event: Any = None) -> None:
        parent, key = self.node, self.key
        if parent is None:
            self.root = node
            return
        parent.weight += node.weight
        if parent.weight > MAX_VALUES:
            self.finding("SS104", f"more than {MAX_VALUES:,} values, aliases counted", event or _Mark(parent))
            raise _Halt
        if parent.keys is None:
            parent.value.append(node)
        elif key is None:
            self.key = self.as_key(node, len(parent.value))
        else:
            self.put(parent, parent.keys, key, node)
            self.key = None

    def as_key(self, node: Node, number: int) -> _Key:
        if type(node.value) is str:
            return node.value, node.line, node.column
        shown = "a mapping or a list" if isinstance(node.value, (dict, list)) else f"`{_shown(node.value)}`"
        self.finding("SS111", f"a key that is no text: {shown}", _Mark(node), self.decimal_comma() or "quote it")
        return f"\0{number}", node.line, node.column

    def decimal_comma(self) -> str | None:
        """Return a hint where a flow mapping's key is the rest of a number: ``{longitude: 13,4}``."""
        before, after = self.before, self.current
        if before is None or before.style or after.style or self.node is None:
            return None
        if is_secret_key(next(reversed(self.node.value), "")):
            return None
        end, start = before.end_mark, after.start_mark
        is_next = end.line == start.line and end.column + 1 == start.column
        return decimal_comma_hint(f"{before.value},{after.value}") if is_next else None

    def put(self, parent: Node, keys: dict[str, tuple[int, int]], key: _Key, node: Node) -> None:
        name, line, column = key
        if name in parent.value:
            mark = _Mark(Node(None, line, column))
            self.finding("SS106", f"key `{name}` stands twice, first at line {keys[name][0]}", mark)
            return
        parent.value[name] = node
        keys[name] = (line, column)

    def merge(self, node: Node) -> None:
        """Put in what ``<<`` refers to; the mapping's own keys win, then the first of several sources."""
        merged = node.value.pop("<<")
        sources = merged.value if type(merged.value) is list else [merged]
        for source in sources:
            if type(source.value) is not dict:
                self.finding("SS103", "`<<` takes a mapping, or a list of mappings", _Mark(source))
                continue
            for key, value in source.value.items():
                node.value.setdefault(key, value)
                if node.keys is not None and source.keys is not None:
                    node.keys.setdefault(key, source.keys.get(key, (source.line, source.column)))


def _inner(text: str, event: Any) -> int:
    """Return how far behind a quoted scalar's start its text begins, -1 where escapes or line breaks shift it."""
    start, end = event.start_mark, event.end_mark
    return 1 if end.line == start.line and end.column - start.column == len(text) + 2 else -1


def _shown(value: object) -> str:
    return json.dumps(value, default=str)


class _Mark:
    """A node's place where an event's is asked for."""

    def __init__(self, node: Node) -> None:
        self.start_mark = self
        self.line, self.column = node.line - 1, node.column - 1


def load(data: bytes, path: str, size: int = 0) -> tuple[Node | None, list[Finding]]:
    """Read one file's bytes; returns its document, or None where it cannot be read, and what is wrong with it."""
    findings: list[Finding] = []
    text = _decode(data, max(size, len(data)), path, findings)
    if text is None:
        return None, findings
    text, original = without_line_breaks(text)
    builder = _Builder(path, findings.append, original)
    try:
        _build(text, builder)
    except _Halt:
        return None, findings
    except yaml.YAMLError as error:
        findings.append(_syntax(error, path))
        return None, findings
    if builder.root is None:
        findings.append(Finding("SS122", "the file is empty", Location(path, 1, 1), "it begins with `version: 1`"))
    return builder.root, findings


def _decode(data: bytes, size: int, path: str, findings: list[Finding]) -> str | None:
    if size > MAX_BYTES:
        message = f"{size / 2**20:,.0f} MB, more than the {MAX_BYTES // 2**20} MB of a file"
        findings.append(Finding("SS104", message, Location(path, 1, 1), "split it"))
        return None
    try:
        text = data.decode("utf-8-sig")
        return None if _has_unprintable(text, path, findings) else text
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        findings.append(
            Finding(
                "SS102",
                f"not UTF-8: byte 0x{data[error.start]:02x}",
                Location(path, line, column),
                "save it as UTF-8",
            )
        )
        return None


def _has_unprintable(text: str, path: str, findings: list[Finding]) -> bool:
    match = _UNPRINTABLE.search(text)
    if match is None:
        return False
    line, column = text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start())
    message = f"not YAML: the control character U+{ord(match[0]):04X}"
    findings.append(
        Finding("SS103", message, Location(path, line, column), f'in quotes, write "\\u{ord(match[0]):04x}"')
    )
    return True


def _build(text: str, builder: _Builder) -> None:
    loader = _LOADER(text)
    handlers: dict[type, Callable[[Any], None]] = {
        yaml.ScalarEvent: builder.scalar,
        yaml.MappingStartEvent: lambda event: builder.open(event, {}),
        yaml.SequenceStartEvent: lambda event: builder.open(event, []),
        yaml.MappingEndEvent: builder.close,
        yaml.SequenceEndEvent: builder.close,
        yaml.AliasEvent: builder.alias,
        yaml.DocumentStartEvent: builder.document,
    }
    try:
        while type(event := loader.get_event()) is not yaml.StreamEndEvent:
            if handler := handlers.get(type(event)):
                handler(event)
    finally:
        loader.dispose()


_SYNTAX_HINTS: Final = {
    "cannot start any token": "indent with spaces, not with tabs; quote text that begins with a special character",
    "scanning an alias": 'quote text that begins with `*`: crontab: "*/5 * * * *"',
    "scanning an anchor": "quote text that begins with `&`",
    "mapping values are not allowed": "quote text that holds `: `",
}


def _syntax(error: yaml.YAMLError, path: str) -> Finding:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        message = " ".join(filter(None, (error.problem, error.context and f"({error.context})")))
        hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in message), None)
        return Finding("SS103", f"not YAML: {message}", Location(path, mark.line + 1, mark.column + 1), hint)
    problem = getattr(error, "reason", None) or str(error).splitlines()[0]
    return Finding("SS103", f"not YAML: {problem}", Location(path, 1, 1))
