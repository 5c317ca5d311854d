"""Builds nodes from the events of PyYAML's parser.

An alias bomb is measured while it is built, before anything walks it; a deep file costs no recursion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import yaml

from schedsync.core.finding import Finding, Severity
from schedsync.core.location import Location
from schedsync.core.secrets import MASK, TYPED_MASK, is_secret_key, is_typed_mask
from schedsync.files.bounds import Halt
from schedsync.files.hints import decimal_comma_hint
from schedsync.files.node import Node
from schedsync.files.scalar import NUMERIC, WORDS, number

MAX_DEPTH: Final = 100
#: The values in a file. An alias counts as all values that it refers to.
MAX_VALUES: Final = 2_000_000

#: A text with an anchor counts as one value for each of this number of characters.
_TEXT_OF_A_VALUE: Final = 20

#: The key of a merge while its mapping is open. In quotes, `<<` is a key as any other.
_MERGE: Final = "\0<<"
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_QUOTED = re.compile("`[^`]*`")
#: A key, its line and its column.
_Key = tuple[str, int, int]


class NodeBuilder:
    """Builds one document's nodes from the parser's events.

    ``node`` is the innermost open mapping or list, ``key`` its key that waits for a value, ``anchor`` its anchor. The
    stack holds the same three of every mapping and list around it. An anchor whose node is still open has None.
    ``original`` undoes what was replaced in the text before it was parsed, None if nothing was. ``scalars`` are the
    events of the last two.
    """

    def __init__(self, path: str, report: Callable[[Finding], None], original: Callable[[str], str] | None) -> None:
        self.path = path
        self.report = report
        self.original = original
        self.scalars: tuple[Any, Any] = (None, None)
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[tuple[Node | None, _Key | None, str | None]] = []
        self.node: Node | None = None
        self.key: _Key | None = None
        self.anchor: str | None = None
        self.root: Node | None = None
        self.documents = 0

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Return the method for each kind of event that matters."""
        return {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: lambda event: self._open(event, {}),
            yaml.SequenceStartEvent: lambda event: self._open(event, []),
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def _finding(
        self, code: str, message: str, event: Any, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        mark = event.start_mark
        if self.key is not None and is_secret_key(self.key[0]):
            # The message may quote the value.
            message, hint = _QUOTED.sub("`***`", message), None
        self.report(Finding(code, message, Location(self.path, mark.line + 1, mark.column + 1), hint, severity))

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents == 2:
            self._finding("SS108", "a second document", event, "one document per file; remove the `---`")
            raise Halt

    def _scalar(self, event: Any) -> None:
        self.scalars = (self.scalars[1], event)
        text, mark = event.value, event.start_mark
        if self.original is not None:
            text = self.original(text)
        line, column = mark.line + 1, mark.column + 1
        if event.tag is not None:
            self._check_tag(event)
        if not text.isascii() or "\0" in text:
            self._check_text(text, event)
        plain = not event.style
        value = self._plain_value(text, event) if plain else text
        if MASK in text and is_typed_mask(text):
            self._check_mask(event)
        parent = self.node
        awaits_key = self.key is None and parent is not None and parent.keys is not None
        if awaits_key and type(value) is str and event.anchor is None:
            self.key = (_MERGE if plain and text == "<<" else value, line, column)
            return
        node = Node(value, line, column, 0 if plain else _inner(text, event))
        if event.anchor:
            # An alias of a long text costs as much as an alias of many values.
            node.weight += len(text) // _TEXT_OF_A_VALUE
            self.anchors[event.anchor] = node
        self._add(node)

    def _check_mask(self, event: Any) -> None:
        hint = "write the value itself; if it is a secret, pass its name, and let the task fetch it"
        self._finding("SS113", TYPED_MASK, event, hint)

    def _check_text(self, text: str, event: Any) -> None:
        if _FORBIDDEN.search(text):
            self._finding("SS109", "text with a character that databases and JSON cannot hold", event)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            hint = "remove it; quote text that looks like a number"
            self._finding("SS107", f"explicit tag `{event.tag}`", event, hint)

    def _plain_value(self, text: str, event: Any) -> Any:
        if text in WORDS:
            return WORDS[text]
        if text[0] not in NUMERIC:
            return text
        value, problem = number(text)
        if problem is not None:
            self._finding(problem.code, problem.message, event, problem.hint, problem.severity)
        return value

    def _open(self, event: Any, empty: Any) -> None:
        self._check_tag(event)
        mark = event.start_mark
        if len(self.stack) >= MAX_DEPTH:
            self._finding("SS104", f"nested more than {MAX_DEPTH} levels deep", event)
            raise Halt
        node = Node(empty, mark.line + 1, mark.column + 1)
        if type(empty) is dict:
            node.keys = {}
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append((self.node, self.key, self.anchor))
        self.node, self.key, self.anchor = node, None, event.anchor

    def _close(self, _event: Any) -> None:
        node, anchor = self.node, self.anchor
        self.node, self.key, self.anchor = self.stack.pop()
        if node is None:
            raise Halt
        if node.keys is not None and _MERGE in node.value:
            self._merge(node)
        if anchor:
            self.anchors[anchor] = node
        self._add(node)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self._finding("SS103", f"unknown alias `*{event.anchor}`", event)
            raise Halt
        node = self.anchors[event.anchor]
        if node is None:
            self._finding("SS104", f"`*{event.anchor}` contains itself", event)
            raise Halt
        self._add(node, event)

    def _add(self, node: Node, event: Any = None) -> None:
        parent, key = self.node, self.key
        if parent is None:
            self.root = node
            return
        parent.weight += node.weight
        if parent.weight > MAX_VALUES:
            self._finding("SS104", f"more than {MAX_VALUES:,} values, with aliases counted", event or _Mark(parent))
            raise Halt
        keys = parent.keys
        if keys is None:
            parent.value.append(node)
        elif key is None:
            self.key = self._as_key(node, len(parent.value))
        elif key[0] in keys:
            self._repeated(keys, key)
            self.key = None
        else:
            name, line, column = key
            parent.value[name] = node
            keys[name] = (line, column)
            self.key = None

    def _as_key(self, node: Node, position: int) -> _Key:
        """Return a node as a key; one that is not text, with a finding, as a key that no file can write."""
        if type(node.value) is str:
            return node.value, node.line, node.column
        compound = isinstance(node.value, (dict, list))
        shown = "a mapping or a list" if compound else f"`{json.dumps(node.value, default=str)}`"
        self._finding("SS111", f"a key must be text, not {shown}", _Mark(node), self._decimal_comma() or "quote it")
        return f"\0{position}", node.line, node.column

    def _decimal_comma(self) -> str | None:
        """Return a hint where a flow mapping's key is the rest of a number: ``{longitude: 13,4}``."""
        before, after = self.scalars
        if before is None or before.style or after.style or self.node is None:
            return None
        if is_secret_key(next(reversed(self.node.value), "")):
            return None
        end, start = before.end_mark, after.start_mark
        is_next = end.line == start.line and end.column + 1 == start.column
        return decimal_comma_hint(f"{before.value},{after.value}") if is_next else None

    def _repeated(self, keys: dict[str, tuple[int, int]], key: _Key) -> None:
        name, line, column = key
        mark = _Mark(Node(None, line, column))
        shown = name.removeprefix(_MERGE[0])
        self._finding("SS106", f"duplicate key `{shown}`, first defined at line {keys[name][0]}", mark)

    def _merge(self, node: Node) -> None:
        """Add the keys that ``<<`` refers to; the mapping's own keys win, then the first of several sources."""
        merged = node.value.pop(_MERGE)
        sources = merged.value if type(merged.value) is list else [merged]
        for source in sources:
            if type(source.value) is not dict:
                self._finding("SS103", "`<<` takes a mapping, or a list of mappings", _Mark(source))
                continue
            for key, value in source.value.items():
                node.value.setdefault(key, value)
                if node.keys is not None and source.keys is not None:
                    node.keys.setdefault(key, source.keys.get(key, (source.line, source.column)))


def _inner(text: str, event: Any) -> int:
    """Return how far the text of a quoted scalar begins behind its quote; -1 if escapes or line breaks shift it."""
    start, end = event.start_mark, event.end_mark
    return 1 if end.line == start.line and end.column - start.column == len(text) + 2 else -1


class _Mark:
    """A node's place, with the attributes of an event."""

    def __init__(self, node: Node) -> None:
        self.start_mark = self
        self.line, self.column = node.line - 1, node.column - 1
