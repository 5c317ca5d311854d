"""Schedules that leave a file, with the comments and blank lines that are theirs, and new ones that come into it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedsync.files.edits import Edit
from schedsync.files.entries import Entries, Entry, Written
from schedsync.files.for_each_values import value_text
from schedsync.files.spans import Pair, Span
from schedsync.files.splice import CannotSplice, edit_mapping, edit_value
from schedsync.files.value_text import entry_lines, inline_text, key_text


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A schedule to write: its name, its fields, and the key behind which it comes, None for the end."""

    name: str
    fields: Mapping[str, Any]
    behind: str | None = None


def schedules_of(root: Span) -> Span:
    """Return the mapping of the schedules; raises CannotSplice where the file has none of its own."""
    pair = root.own().get("schedules")
    if pair is None or pair.value.kind != "mapping" or pair.value.alias or not pair.value.pairs:
        raise CannotSplice("the file has no schedules of its own")
    return pair.value


def leaving(written: Written, root: Span, gone: Collection[str], values: Mapping[str, Sequence[str]]) -> Iterator[Edit]:
    """Yield the edits that take schedules out of a file, and values out of the ``for_each`` of definitions.

    A definition without any value left goes too.
    """
    schedules = schedules_of(root)
    own = schedules.own()
    leaving = set(gone)
    for name, texts in values.items():
        lists = list(_lists(own[name].value))
        if all(value_text(item.plain()) in texts for _, values_ in lists for item in values_.items):
            leaving.add(name)
            continue
        for pair, items in lists:
            rest = [item.plain() for item in items.items if value_text(item.plain()) not in texts]
            yield from edit_value(written, items, rest, pair=pair)
    if missing := leaving - own.keys():
        raise CannotSplice(f"`{min(missing)}` comes from an anchor")
    if not leaving:
        return
    entries = [_entry(written, schedules, number, leaving) for number in range(len(schedules.pairs))]
    found = Entries(written, schedules, entries)
    if not found.is_emptied:
        yield from found.edits({})
        return
    yield from edit_value(written, schedules, {}, pair=root.own()["schedules"], flow=root.style == "flow")


def _lists(span: Span) -> Iterator[tuple[Pair, Span]]:
    """Yield the lists of a definition's only placeholder: its own, and those of its environments."""
    fields = span.fields()
    environments = fields.get("environments")
    inner = [] if environments is None else list(environments.fields().values())
    for holder in (span, *inner):
        for_each = holder.fields().get("for_each")
        if for_each is None:
            continue
        pairs = list(for_each.own().values())
        if len(pairs) != 1 or pairs[0].value.kind != "list":
            raise CannotSplice("its `for_each` has no list of its own")
        if "for_each" not in holder.own():
            raise CannotSplice("its `for_each` comes from an anchor")
        yield pairs[0], pairs[0].value


def _entry(written: Written, span: Span, number: int, leaving: Collection[str]) -> Entry:
    """Return an entry; one that goes takes its comment and the blank lines behind it along."""
    pair = span.pairs[number]
    is_leaving = pair.key in leaving and not pair.is_merge
    if not is_leaving or span.style == "flow":
        return Entry(pair.start, pair.value.end, is_leaving)
    start, end = _comment_start(written, pair), pair.value.end
    blank = _blank_end(written, end)
    above = written.line_start(start)
    is_first = number == 0 or _is_blank(written, above)
    if blank is not None and (is_first or blank >= len(written.text)):
        end = blank
    if written.next_line(end) >= len(written.text):
        while above > 0 and _is_blank(written, above):
            above = written.line_above(above)
            start = above
    return Entry(start, end, True)


def _comment_start(written: Written, pair: Pair) -> int:
    """Return where the comment above a schedule begins; its own place where that may be about several schedules."""
    following = written.next_line(pair.value.end)
    next_text = written.rest_of_line(following).strip()
    if next_text and not next_text.startswith("#"):
        return pair.start
    start, column = pair.start, written.before(pair.start)
    while (line := written.line_start(start)) > 0:
        above = written.line_above(line)
        text = written.text[above:line]
        if not text.startswith(f"{column}#"):
            break
        start = above + len(column)
    return start


def _is_blank(written: Written, line_start: int) -> bool:
    """Say whether the line before one is blank."""
    if line_start <= 0:
        return False
    return not written.text[written.line_above(line_start) : line_start].strip()


def _blank_end(written: Written, end: int) -> int | None:
    """Return the last place of the blank lines behind an entry, None without any."""
    place, last = written.next_line(end), None
    while place < len(written.text) and not written.rest_of_line(place).strip():
        last = place
        place = written.next_line(place)
    return last


def added_entries(written: Written, root: Span, entries: Sequence[NewEntry]) -> Iterator[Edit]:
    """Yield the edits that put more schedules into a file."""
    pair = root.own().get("schedules")
    if pair is None or not pair.value.pairs or pair.value.alias:
        fields = {entry.name: dict(entry.fields) for entry in entries}
        yield from edit_mapping(written, root, {"schedules": fields})
    else:
        yield from _new_entries(written, pair.value, entries)


def _new_entries(written: Written, span: Span, entries: Sequence[NewEntry]) -> Iterator[Edit]:
    numbers = {pair.key: number for number, pair in enumerate(span.pairs)}
    last = len(span.pairs) - 1
    places: dict[int, list[NewEntry]] = {}
    for entry in entries:
        places.setdefault(numbers.get(entry.behind or "", last), []).append(entry)
    for place, here in places.items():
        pair = span.pairs[place]
        if span.style == "flow":
            texts = [
                f"{key_text(entry.name, flow=True)}: {inline_text(dict(entry.fields), flow=True)}" for entry in here
            ]
            yield Edit(pair.value.end, pair.value.end, "".join(f", {text}" for text in texts))
        else:
            yield _lines(written, span, pair, here)


def _lines(written: Written, span: Span, pair: Pair, entries: Sequence[NewEntry]) -> Edit:
    indent, newline = written.indent(span.pairs[0].start), written.newline
    gap = newline if _has_gaps(written, span) else ""
    texts = []
    for entry in entries:
        if pair.value.style == "flow":
            text = f"{indent}{key_text(entry.name)}: {inline_text(dict(entry.fields), flow=True)}"
        else:
            text = entry_lines(entry.name, entry.fields, indent, newline)
        texts.append(f"{gap}{text}{newline}")
    end = written.next_line(pair.value.end)
    return Edit(end, end, "".join(texts))


def _has_gaps(written: Written, span: Span) -> bool:
    """Say whether blank lines are between the schedules of a file; a single one of several lines counts as if so."""
    if len(span.pairs) < 2:
        return span.pairs[0].value.style == "block"
    starts = [written.line_start(_comment_start(written, pair)) for pair in span.pairs[1:]]
    return any(_is_blank(written, start) for start in starts)
