"""Edits that make a mapping or a list of a text say something else, and that touch nothing else.

What is equal stays as it is written, with its comments. Where a value cannot be edited in place, it is replaced as a
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schedsync.core.matching import Matcher
from schedsync.core.schedule import canonical_json
from schedsync.files.edits import Edit, apply_edits
from schedsync.files.entries import Entries, Entry, Written
from schedsync.files.spans import Pair, Span, spans_of
from schedsync.files.value_text import block_text, inline_text, json_text, key_text, literal_text


class CannotSplice(Exception):
    """A place whose text cannot be edited alone; the message says why."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Stands for the value of a key that leaves a mapping."""


GONE: Final = Gone()
#: New values by key; GONE removes the key. A pair of the old key's new name and its value renames it.
Changes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Renamed:
    """A key that takes the place of another one, with its value."""

    key: str
    value: Any


def spliced(text: str, edits: Callable[[Written, Span], Iterable[Edit]]) -> str:
    """Return a text after edits that a function makes of it and of its root; raises NoSpans where it is no YAML."""
    written = Written.of(text)
    return written.result(apply_edits(written.text, edits(written, spans_of(written.text))))


def edit_mapping(written: Written, span: Span, changes: Changes, order: Sequence[str] = ()) -> Iterator[Edit]:
    """Yield the edits that make a mapping have other values.

    ``changes`` has the new value of each key: GONE removes the key, ``Renamed`` also gives it another name, a key that
    the mapping does not write itself is added. ``order`` is that of the keys; others come last.
    """
    own = span.own()
    if span.alias:
        yield _over_alias(span, changes)
        return
    if changes and not _is_sound(written, span):
        raise CannotSplice("its lines are not its own")
    removed = {key for key, value in changes.items() if value is GONE and key in own}
    added = {key: value for key, value in changes.items() if key not in own and value is not GONE}
    entries = Entries(
        written,
        span,
        [Entry(pair.start, pair.value.end, pair.key in removed and not pair.is_merge) for pair in span.pairs],
    )
    for key, value in changes.items():
        if key in own and key not in removed:
            yield from _edit_pair(written, span, own[key], value)
    if not added and not removed:
        return
    if entries.is_emptied:
        yield _whole(written, span, {key: _plain(value) for key, value in added.items()})
        return
    texts: dict[int, list[str]] = {}
    for key, value in added.items():
        place = _place_of(key, span, removed, order)
        texts.setdefault(place, []).append(_pair_text(written, span, key, value))
    yield from entries.edits(texts)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Renamed) else value


def _place_of(key: str, span: Span, removed: set[str], order: Sequence[str]) -> int:
    """Return the position of the pair behind which a new key belongs, -1 for the beginning."""
    rank = {name: number for number, name in enumerate(order)}
    last = len(rank)
    here = [
        number
        for number, pair in enumerate(span.pairs)
        if (pair.is_merge or pair.key not in removed)
        and (pair.is_merge or rank.get(pair.key, last if key not in rank else last + 1) <= rank.get(key, last))
    ]
    return max(here, default=-1)


def _pair_text(written: Written, span: Span, key: str, value: Any) -> str:
    if span.style == "flow":
        is_json = bool(span.pairs) and all(written.text[pair.start] == '"' for pair in span.pairs)
        text = json_text(value) if is_json else inline_text(value, flow=True)
        return f"{key_text(key, flow=True, quoted=is_json)}: {text}"
    indent = written.indent(span.pairs[0].start)
    block = _block(written, key, value, indent)
    return f"{key_text(key)}:{block}" if block is not None else f"{key_text(key)}: {inline_text(value)}"


def _block(written: Written, key: str, value: Any, indent: str) -> str | None:
    # Without a break at its end, the text would cut that of a value in its last line.
    return block_text(key, value, indent, written.newline) if not written.is_cut else None


def _over_alias(span: Span, changes: Changes) -> Edit:
    """Return the edit that keeps what an alias says, with other values on top."""
    if any(value is GONE for value in changes.values()) or span.kind != "mapping":
        raise CannotSplice(f"`*{span.alias}` says it")
    pairs = [f"{key_text(key, flow=True)}: {inline_text(_plain(value), flow=True)}" for key, value in changes.items()]
    return Edit(span.start, span.end, f"{{{', '.join([f'<<: *{span.alias}', *pairs])}}}")


def _whole(written: Written, span: Span, value: Any) -> Edit:
    """Return the edit that replaces all of a block or of brackets."""
    if span.style == "flow" or not value:
        return (
            Edit(span.start, span.end, inline_text(value, flow=True))
            if span.style == "flow"
            else Edit(span.start, span.end, inline_text(value))
        )
    first = span.pairs[0].start
    lines = [_pair_text(written, span, key, item) for key, item in value.items()]
    return Edit(first, span.end, f"{written.newline}{written.indent(first)}".join(lines))


def _edit_pair(written: Written, span: Span, pair: Pair, value: Any) -> Iterator[Edit]:
    flow = span.style == "flow"
    if not isinstance(value, Renamed):
        yield from edit_value(written, pair.value, value, pair=pair, flow=flow)
        return
    yield Edit(pair.start, pair.end, key_text(value.key, quoted=written.text[pair.start] == '"'))
    if pair.value.kind == "scalar" and not isinstance(value.value, (dict, list)) and pair.value.style not in ("|", ">"):
        # The quotes were those of another kind of value.
        yield Edit(pair.value.start, pair.value.end, _spaced(written, pair.value, inline_text(value.value, flow=flow)))
    else:
        yield from edit_value(written, pair.value, value.value, pair=pair, flow=flow)


def edit_value(
    written: Written, span: Span, value: Any, *, pair: Pair | None = None, flow: bool = False
) -> Iterator[Edit]:
    """Yield the edits that make a value another; ``pair`` is the key that it belongs to, None for an item of a list."""
    if _alike(span, value):
        return
    if not span.alias and span.kind == "mapping" and isinstance(value, dict) and _is_editable(written, span, value):
        yield from edit_mapping(written, span, _key_changes(span, value))
    elif not span.alias and span.kind == "list" and isinstance(value, list) and _is_editable(written, span, value):
        yield from _edit_list(written, span, value)
    elif pair is None or flow:
        yield Edit(span.start, span.end, _spaced(written, span, inline_text(value, span, flow=flow)))
    else:
        yield from _replace(written, span, value, pair)


def _alike(span: Span, value: Any) -> bool:
    try:
        return canonical_json(span.plain()) == canonical_json(value)
    except (TypeError, ValueError):
        return False


def _key_changes(span: Span, value: Mapping[str, Any]) -> dict[str, Any]:
    fields = span.fields()
    changes = {key: item for key, item in value.items() if key not in fields or not _alike(fields[key], item)}
    return {**{key: GONE for key in span.own() if key not in value}, **changes}


def _is_editable(written: Written, span: Span, value: Any) -> bool:
    """Say whether a mapping or a list can keep a part of its text."""
    if not value or not (span.pairs or span.items):
        return False
    if span.kind == "mapping" and any(key not in value for key in span.merged()):
        return False
    return _is_sound(written, span)


def _is_sound(written: Written, span: Span) -> bool:
    """Say whether the entries of a mapping or a list can be taken out of the text one by one."""
    starts = [*(pair.start for pair in span.pairs), *(item.start for item in span.items)]
    return Entries(written, span, [Entry(start, start, False) for start in starts]).is_sound


def _edit_list(written: Written, span: Span, values: Sequence[Any]) -> Iterator[Edit]:
    before, after = [canonical_json(item.plain()) for item in span.items], [canonical_json(item) for item in values]
    removed: set[int] = set()
    texts: dict[int, list[str]] = {}
    flow = span.style == "flow"
    for operation, first, last, start, end in Matcher(before, after).get_opcodes():
        both = min(last - first, end - start) if operation == "replace" else 0
        if operation == "equal":
            continue
        for number in range(both):
            yield from edit_value(written, span.items[first + number], values[start + number], flow=flow)
        removed.update(range(first + both, last))
        if new := [inline_text(value, _model(span), flow=flow) for value in values[start + both : end]]:
            texts.setdefault(first + both - 1, []).extend(new)
    entries = [Entry(item.start, item.end, number in removed) for number, item in enumerate(span.items)]
    while texts and any(place >= 0 and entries[place].removed for place in texts):
        texts = {(place - 1 if place >= 0 and entries[place].removed else place): new for place, new in texts.items()}
    yield from Entries(written, span, entries).edits(texts)


def _model(span: Span) -> Span | None:
    """Return an item whose quotes new items get."""
    return span.items[0] if span.items else None


def _spaced(written: Written, span: Span, text: str) -> str:
    """Return text with a space before it where it follows a colon."""
    return f" {text}" if span.start == span.end and written.text[span.start - 1 : span.start] not in (" ", "") else text


def _replace(written: Written, span: Span, value: Any, pair: Pair) -> Iterator[Edit]:
    """Yield the edits that replace a value behind a key of a block."""
    indent = written.indent(pair.start)
    colon = written.after_colon(pair.end)
    if span.style in ("|", ">") and isinstance(value, str) and not written.is_cut:
        body = written.indent(written.next_line(span.start))
        literal = literal_text(value, body if len(body) > len(indent) else f"{indent}  ", written.newline)
        yield Edit(span.start, span.end, literal or inline_text(value))
        return
    ends_line = not written.rest_of_line(span.end).strip()
    block = _block(written, pair.key, value, indent) if ends_line else None
    line_end = written.line_end(colon)
    if span.start > line_end:
        # The value begins on a later line: what is behind the colon stays, such as a comment.
        yield Edit(colon, colon, f" {inline_text(value)}" if block is None else "")
        yield Edit(line_end, span.end, "" if block is None else block)
    elif block is not None and not span.anchor:
        yield Edit(colon, span.end, block)
    else:
        yield Edit(span.start, span.end, _spaced(written, span, inline_text(value, span)))
