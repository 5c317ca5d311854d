"""The white space of a file: indentation, one blank at most between two words, no blank at the end of a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from schedsync.files.edits import Edit
from schedsync.files.formatting.columns import Columns, columns_of, comment_columns
from schedsync.files.formatting.gaps import is_blank
from schedsync.files.formatting.tree import Part, Tree


def layout_edits(tree: Tree) -> list[Edit]:
    """Return the edits that bring the white space of a tree into canonical form."""
    edits = list(_flow_edits(tree.root, tree.text))
    if tree.has_odd_keys:
        return edits
    columns = columns_of(tree)
    comments = comment_columns(tree, columns)
    edits += columns.edits
    edits += _blank_lines(tree, columns)
    for line in range(len(tree.lines)):
        edits += _line_edits(tree, columns, comments, line)
    return edits


def _line_edits(tree: Tree, columns: Columns, comments: dict[int, int], line: int) -> Iterator[Edit]:
    lines = tree.lines
    start, end = lines.starts[line], lines.ends[line]
    content = lines.content(line)
    if line in columns.texts and line in columns.indents and not content.strip(" "):
        # White space alone in a block scalar: its indentation is all that it has.
        if len(content) != columns.indents[line]:
            yield Edit(start, end, " " * columns.indents[line])
        return
    if not content.strip(" \t"):
        return
    column = _column(columns, comments, line)
    if column is not None and content[: lines.indent(line)] != " " * column:
        yield Edit(start, start + lines.indent(line), " " * column)
    if line not in columns.texts and content != content.rstrip(" \t"):
        yield Edit(start + len(content.rstrip(" \t")), end, "")


def _column(columns: Columns, comments: dict[int, int], line: int) -> int | None:
    """Return the canonical column of a line; None for one that is neither of a node nor a comment, such as `---`."""
    if line in columns.entries:
        return columns.entries[line][0].new
    return columns.indents[line] if line in columns.indents else comments.get(line)


def _blank_lines(tree: Tree, columns: Columns) -> Iterator[Edit]:
    """Yield the edits of blank lines: one at most, and none at the ends of the file or below the key of a block."""
    lines = tree.lines
    total = len(lines) - (lines.starts[-1] == len(tree.text))
    opening = _opening_lines(columns)
    run: list[int] = []
    for line in range(total + 1):
        if line < total and line not in columns.indents and is_blank(tree, line):
            run.append(line)
            continue
        if run:
            keeps = run[0] > 0 and line < total and run[0] - 1 not in opening
            if keeps and lines.ends[run[0]] > lines.starts[run[0]]:
                yield Edit(lines.starts[run[0]], lines.ends[run[0]], "")
            if more := run[keeps:]:
                yield Edit(lines.starts[more[0]], lines.starts[line] if line < len(lines) else len(tree.text), "")
        run = []


def _opening_lines(columns: Columns) -> set[int]:
    """Return the lines whose key or dash has a block below it."""
    entries = sorted(columns.entries.items())
    pairs = pairwise(entries)
    return {line for (line, now), (_, following) in pairs if following[0].new > now[-1].new}


def _flow_edits(part: Part, text: str) -> Iterator[Edit]:
    """Yield the edits of white space in the flow collections that have one line."""
    if part.is_flow and part.line == part.end_line and part.items:
        for start, end, wanted in _flow_gaps(part, text):
            if wanted is not None and text[start:end] != wanted:
                yield Edit(start, end, wanted)
    for item in part.items:
        yield from _flow_edits(item, text)


def _flow_gaps(part: Part, text: str) -> Iterator[tuple[int, int, str | None]]:
    """Yield start, end and canonical text of what is between the items of a flow collection; None if it stays."""
    items = part.items
    opening = text.find("{" if part.kind == "mapping" else "[", part.start, items[0].start) + 1
    if opening and not text[opening : items[0].start].strip():
        yield opening, items[0].start, ""
    for index, (before, after) in enumerate(pairwise(items)):
        is_value = part.kind == "mapping" and index % 2 == 0
        mark = ":" if is_value else ","
        is_plain = not after.is_empty and not before.is_empty and not (is_value and before.kind == "alias")
        is_plain = is_plain and text[max(before.start - 2, 0) : before.start].strip() != "?"
        same = is_plain and text[before.end : after.start].strip() == mark
        yield before.end, after.start, f"{mark} " if same else None
    closing = part.end - 1
    if (
        opening
        and closing >= items[-1].end
        and not items[-1].is_empty
        and text[items[-1].end : closing].strip() in ("", ",")
    ):
        yield items[-1].end, closing, ""
