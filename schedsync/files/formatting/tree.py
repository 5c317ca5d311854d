"""The text of a file as a tree of parts: each node with its first and last character, and each line with its start.

``files/yaml.py`` makes values; this tree knows where the text of each value begins and ends, and in which style it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from schedsync.files.yaml import LOADER

_LINE_END: Final = re.compile("\r\n|\n|\r")
_BLOCK_STYLES: Final = ("|", ">")


class Lines:
    """The lines of a text: where each begins, and where it ends without its line break."""

    def __init__(self, text: str) -> None:
        breaks = [(match.start(), match.end()) for match in _LINE_END.finditer(text)]
        self.starts = [0, *(end for _, end in breaks)]
        self.ends = [*(start for start, _ in breaks), len(text)]
        self.text = text

    def __len__(self) -> int:
        return len(self.starts)

    def content(self, line: int) -> str:
        """Return a line without its line break."""
        return self.text[self.starts[line] : self.ends[line]]

    def indent(self, line: int) -> int:
        """Return the number of blanks and tabs at the start of a line."""
        content = self.content(line)
        return len(content) - len(content.lstrip(" \t"))

    def before(self, part: Part) -> str:
        """Return the text of its line before a part."""
        return self.text[self.starts[part.line] : part.start]


@dataclass(slots=True)
class Part:
    """A node and the text of it; offsets, lines and columns count from 0.

    ``kind`` is scalar, alias, mapping or list. ``start`` includes an anchor or a tag. ``style`` is the quote or the
    indicator of a scalar, empty if it is plain. ``items`` of a mapping are a key, its value, the next key, and so on.
    """

    kind: str
    start: int
    end: int
    line: int
    column: int
    end_line: int
    value: str = ""
    style: str = ""
    anchor: str | None = None
    is_tagged: bool = False
    is_flow: bool = False
    items: list[Part] = field(default_factory=list)

    @property
    def pairs(self) -> Iterator[tuple[Part, Part]]:
        """The keys of a mapping with their values."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    @property
    def is_block(self) -> bool:
        """Whether it is a mapping or a list that has a line for each item."""
        return self.kind in ("mapping", "list") and not self.is_flow and bool(self.items)

    @property
    def is_block_scalar(self) -> bool:
        """Whether it is a text below its indicator, `|` or `>`."""
        return self.style in _BLOCK_STYLES

    @property
    def is_empty(self) -> bool:
        """Whether it is a value without any text."""
        return self.kind == "scalar" and self.start == self.end


@dataclass(frozen=True, slots=True)
class Tree:
    """A file's text, its lines and its root. ``names`` are the names of all anchors."""

    text: str
    lines: Lines
    root: Part
    names: frozenset[str]
    has_kept_breaks: bool
    has_odd_keys: bool

    @property
    def last(self) -> Part:
        """The last leaf of the text."""
        part = self.root
        while part.is_block:
            part = part.items[-1]
        return part


def tree_of(text: str) -> Tree | None:
    """Return the tree of a text; None if it is not YAML, or if its root is no mapping in block style."""
    lines = Lines(text)
    builder = _Builder(lines)
    loader = LOADER(text)
    try:
        while type(event := loader.get_event()) is not yaml.StreamEndEvent:
            builder.take(event)
    except yaml.YAMLError:
        return None
    finally:
        loader.dispose()
    root = builder.root
    if root is None or root.kind != "mapping" or not root.is_block:
        return None
    return Tree(text, lines, root, frozenset(builder.names), builder.has_kept_breaks, builder.has_odd_keys)


class _Builder:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.stack: list[Part] = []
        self.root: Part | None = None
        self.names: set[str] = set()
        self.has_kept_breaks = False
        self.has_odd_keys = False

    def take(self, event: Any) -> None:
        """Add what an event begins, or close what it ends."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._add(self._scalar(event))
        elif kind is yaml.AliasEvent:
            self._add(self._part(event, "alias"))
        elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            part = self._part(event, "mapping" if kind is yaml.MappingStartEvent else "list")
            part.is_flow = event.flow_style is True
            self._add(part)
            self.stack.append(part)
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._close(event)

    def _part(self, event: Any, kind: str) -> Part:
        start, end = event.start_mark, event.end_mark
        first, last = self._offset(start), self._offset(end)
        part = Part(kind, first, last, start.line, start.column, end.line, anchor=event.anchor)
        if kind != "alias":
            part.is_tagged = event.tag is not None
            if event.anchor:
                self.names.add(event.anchor)
        return part

    def _scalar(self, event: Any) -> Part:
        part = self._part(event, "scalar")
        part.value, part.style = event.value, event.style or ""
        if part.is_block_scalar:
            self._end_block_scalar(part)
        return part

    def _offset(self, mark: Any) -> int:
        line, column = int(mark.line), int(mark.column)
        return self.lines.starts[line] + column

    def _add(self, part: Part) -> None:
        if not self.stack:
            self.root = part
            return
        parent = self.stack[-1]
        if parent.kind == "mapping" and len(parent.items) % 2 == 0 and not parent.is_flow:
            # Explicit keys, `? key`, are in hardly any file.
            is_usual = set(self.lines.before(part).split()) <= {"-"}
            self.has_odd_keys |= not is_usual or part.end_line != part.line or part.is_empty
        parent.items.append(part)

    def _close(self, event: Any) -> None:
        part = self.stack.pop()
        if part.is_flow or not part.items:
            part.end, part.end_line = self._offset(event.end_mark), event.end_mark.line
        else:
            # The parser ends a block where the next one begins, behind comments and blank lines.
            part.end, part.end_line = part.items[-1].end, part.items[-1].end_line

    def _end_block_scalar(self, part: Part) -> None:
        """Let a text below its indicator end at its last line; the parser counts the blank lines after it."""
        lines, last = self.lines, part.end_line
        if part.end == lines.starts[last] and last > part.line:
            last -= 1
        header = _header(part, lines)
        self.has_kept_breaks |= header.keeps
        if not header.keeps and not header.digit:
            indent = content_indent(part, lines)
            while last > part.line and _is_filler(lines.content(last), indent):
                last -= 1
        part.end, part.end_line = lines.ends[last], last


@dataclass(frozen=True, slots=True)
class _Header:
    """The indicators of a block scalar: whether it keeps its last blank lines, and its indentation, 0 if not given."""

    keeps: bool
    digit: int


def _header(part: Part, lines: Lines) -> _Header:
    words = lines.text[part.start : lines.ends[part.line]].split("#")[0].split()
    indicators = next((word for word in words if word[0] in _BLOCK_STYLES), "")
    digits = [character for character in indicators if character.isdigit()]
    return _Header("+" in indicators, int(digits[0]) if digits else 0)


def given_indent(part: Part, lines: Lines) -> int:
    """Return the indentation that the header of a block scalar gives; 0 if it gives none."""
    return _header(part, lines).digit


def content_indent(part: Part, lines: Lines) -> int:
    """Return the number of blanks before the first line of a block scalar that has text; 0 if none has."""
    for line in range(part.line + 1, part.end_line + 1):
        if lines.content(line).strip(" "):
            return lines.indent(line)
    return 0


def _is_filler(content: str, indent: int) -> bool:
    """Say whether a line at the end of a block scalar is blank; a line with more blanks than ``indent`` is text."""
    return not content.strip(" ") and len(content) <= indent
