"""The values of a YAML text with the places of their characters, so that a text can be edited in place.

Unlike a ``Node``, a ``Span`` still has what was written: aliases, merge keys, quotes, and the order of the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

from schedsync.files.line_breaks import without_line_breaks
from schedsync.files.scalar import NUMERIC, WORDS, number

Kind = Literal["scalar", "mapping", "list"]
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NoSpans(Exception):
    """The text cannot be read as one YAML document."""


@dataclass(slots=True, eq=False)
class Pair:
    """One key of a mapping and its value; ``is_merge`` for ``<<``."""

    key: str
    start: int
    end: int
    value: Span
    is_merge: bool = False


@dataclass(slots=True, eq=False)
class Span:
    """A value of a text, from ``start`` to ``end``, without its anchor.

    ``style`` is the quote of a scalar, ``|`` or ``>``; of a mapping or a list ``block`` or ``flow``; else it is empty.
    ``scalar`` is the value of a scalar. An ``alias`` has the content of what it refers to, and its own place.
    """

    kind: Kind
    start: int
    end: int
    style: str = ""
    scalar: Any = None
    pairs: list[Pair] = field(default_factory=list)
    items: list[Span] = field(default_factory=list)
    anchor: str | None = None
    alias: str | None = None

    @property
    def value(self) -> Any:
        """The value of a scalar; of a mapping or a list the span itself, so that only null is None."""
        return self.scalar if self.kind == "scalar" else self

    def own(self) -> dict[str, Pair]:
        """Return the keys that are written in this mapping; none of an alias."""
        return {} if self.alias else {pair.key: pair for pair in self.pairs if not pair.is_merge}

    def merged(self) -> dict[str, Span]:
        """Return what the mapping gets from elsewhere: the keys of an alias, or those behind ``<<``."""
        if self.alias:
            return _keys(self.pairs)
        below: dict[str, Span] = {}
        for source in _sources(self.pairs):
            for key, span in source.fields().items():
                below.setdefault(key, span)
        return below

    def fields(self) -> dict[str, Span]:
        """Return all keys of a mapping; its own win over merged ones."""
        return _keys(self.pairs) if self.kind == "mapping" else {}

    def plain(self) -> Any:
        """Return the value as JSON values."""
        if self.kind == "mapping":
            return {key: span.plain() for key, span in self.fields().items()}
        return [item.plain() for item in self.items] if self.kind == "list" else self.scalar


def _sources(pairs: list[Pair]) -> Iterator[Span]:
    for pair in pairs:
        if pair.is_merge:
            yield from pair.value.items if pair.value.kind == "list" else [pair.value]


def _keys(pairs: list[Pair]) -> dict[str, Span]:
    own = {pair.key: pair.value for pair in pairs if not pair.is_merge}
    for source in _sources(pairs):
        for key, span in source.fields().items():
            own.setdefault(key, span)
    return own


def spans_of(text: str) -> Span:
    """Return the root of a text that our reader has accepted; raises NoSpans where it is no YAML."""
    text, original = without_line_breaks(text)
    builder = _Builder(text, original or (lambda value: value))
    loader = _LOADER(text)
    try:
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            builder.add(event)
    except yaml.YAMLError as error:
        raise NoSpans from error
    finally:
        loader.dispose()
    if builder.root is None:
        raise NoSpans
    return builder.root


class _Builder:
    """Builds spans from the parser's events; ``open`` are the collections around the current place."""

    def __init__(self, text: str, original: Any) -> None:
        self.text, self.original = text, original
        self.anchors: dict[str, Span] = {}
        self.open: list[tuple[Span, list[Span]]] = []
        self.root: Span | None = None

    def add(self, event: Any) -> None:
        """Take one event."""
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            start, style = self._start(event), "flow" if event.flow_style else "block"
            self.open.append((Span(kind, start, start, style, anchor=event.anchor), []))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)

    def _start(self, event: Any) -> int:
        """Return where a value begins behind its anchor."""
        start: int = event.start_mark.index
        if not event.anchor:
            return start
        start += len(event.anchor) + 1
        while start < len(self.text) and self.text[start] in " \t\r\n":
            start += 1
        return start

    def _scalar(self, event: Any) -> None:
        end = event.end_mark.index
        if event.style in ("|", ">"):
            end = len(self.text[:end].rstrip()) if end > event.start_mark.index else end
        start = min(self._start(event), end)
        value = self.original(event.value)
        scalar = value if event.style else _plain_value(value)
        self._put(Span("scalar", start, end, event.style or "", scalar, anchor=event.anchor))

    def _alias(self, event: Any) -> None:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise NoSpans
        start, end = event.start_mark.index, event.end_mark.index
        self._put(
            Span(target.kind, start, end, "", target.scalar, target.pairs, target.items, alias=event.anchor),
        )

    def _close(self, event: Any) -> None:
        span, parts = self.open.pop()
        if span.kind == "list":
            span.items = parts
        else:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            span.pairs = [_pair(key, value) for key, value in pairs]
        if span.style == "flow" and self.text[span.start] in "{[":
            span.end = event.end_mark.index
        elif parts:
            span.end = max(span.end, parts[-1].end)
        self._put(span)

    def _put(self, span: Span) -> None:
        if span.anchor:
            self.anchors[span.anchor] = span
        if self.open:
            self.open[-1][1].append(span)
        else:
            self.root = span


def _pair(key: Span, value: Span) -> Pair:
    is_merge = key.scalar == "<<" and not key.style
    return Pair(str(key.scalar), key.start, key.end, value, is_merge)


def _plain_value(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    return number(text)[0] if text[0] in NUMERIC else text
