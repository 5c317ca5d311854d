"""Where each line of a block begins in canonical form: two blanks for each level, and lists below their key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from schedsync.files.edits import Edit
from schedsync.files.formatting.gaps import is_comment, is_ignore
from schedsync.files.formatting.tree import Part, Tree, content_indent, given_indent

STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """The start of a key, an item or a value: its column now, and in canonical form.

    Below an entry with ``is_text``, a block scalar, a comment must not be deeper than the entry.
    """

    old: int
    new: int
    is_text: bool = False


@dataclass(slots=True)
class Columns:
    """What each line begins with: ``entries`` by line, from the left, and the ``indents`` of lines within a value.

    ``texts`` are lines whose end is within a scalar. ``edits`` put one blank between a key or a dash and its value.
    """

    entries: dict[int, list[Entry]] = field(default_factory=dict)
    indents: dict[int, int] = field(default_factory=dict)
    texts: set[int] = field(default_factory=set)
    edits: list[Edit] = field(default_factory=list)


def columns_of(tree: Tree) -> Columns:
    """Return where the lines of a tree begin in canonical form."""
    walk = _Walk(tree)
    walk.block(tree.root, 0)
    return walk.found


class _Walk:
    """Visits the parts of a tree in the order of the text."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.lines = tree.lines
        self.found = Columns()

    def block(self, part: Part, column: int) -> None:
        """Place the entries of a block."""
        if part.kind == "mapping":
            for key, value in part.pairs:
                self._enter(key.line, Entry(key.column, column, value.is_block_scalar))
                self._put_blank(key, value)
                self._value(value, key.column, column, key.line)
            return
        done = part.start
        for item in part.items:
            dash = self._dash(done, item)
            line = self._line_of(dash, item)
            old = dash - self.lines.starts[line]
            self._enter(line, Entry(old, column, item.is_block_scalar))
            # A list in a list is two blanks deeper than the text of an item, as a list below a key is.
            deeper = STEP if item.kind == "list" and item.is_block else 0
            if item.line == line and not item.is_empty:
                self._replace(dash + 1, item.start, " " * (1 + deeper))
            self._value(item, old, column + deeper, line)
            done = item.end

    def _value(self, part: Part, old: int, new: int, line: int) -> None:
        """Place a value; ``old`` and ``new`` are the columns of its key or dash, at a line."""
        is_below = part.line != line and not part.is_empty
        if part.is_block:
            if is_below and part.line != part.items[0].line and self._begins_its_line(part) and part.anchor:
                self._enter(part.line, Entry(part.column, new + STEP))
            self.block(part, new + STEP)
            return
        if is_below:
            self._enter(part.line, Entry(part.column, new + STEP, part.is_block_scalar))
        if part.is_block_scalar:
            self._block_scalar(part, old, new)
        elif part.end_line > part.line:
            shift = new + STEP - part.column if is_below else new - old
            least = new if part.is_flow else new + 1
            for each in range(part.line + 1, part.end_line + 1):
                self.found.indents[each] = self._shifted(each, shift, least)
            self._note_texts(part)

    def _shifted(self, line: int, shift: int, least: int) -> int:
        indent = self.lines.indent(line)
        return max(indent + shift, least) if shift else indent

    def _note_texts(self, part: Part) -> None:
        if part.kind == "scalar":
            self.found.texts.update(range(part.line, part.end_line))
        for item in part.items:
            self._note_texts(item)

    def _block_scalar(self, part: Part, old: int, new: int) -> None:
        """Place the lines of a block scalar; blanks beyond their common indentation are text, and stay."""
        digit = given_indent(part, self.lines)
        now = old + digit if digit else content_indent(part, self.lines)
        then = new + (digit or STEP)
        for line in range(part.line + 1, part.end_line + 1):
            content = self.lines.content(line)
            is_filler = not content.strip(" ") and len(content) <= now
            blanks = len(content) - len(content.lstrip(" "))
            self.found.indents[line] = 0 if is_filler else blanks + then - now
        self.found.texts.update(range(part.line + 1, part.end_line + 1))

    def _enter(self, line: int, entry: Entry) -> None:
        self.found.entries.setdefault(line, []).append(entry)

    def _put_blank(self, key: Part, value: Part) -> None:
        """Put one blank between a key and its value, if they are on one line."""
        is_beside = value.line == key.end_line and not value.is_empty and key.kind == "scalar"
        if is_beside and self.tree.text[key.end : value.start].strip() == ":":
            self._replace(key.end, value.start, ": ")

    def _replace(self, start: int, end: int, text: str) -> None:
        if self.tree.text[start:end] != text:
            self.found.edits.append(Edit(start, end, text))

    def _begins_its_line(self, part: Part) -> bool:
        return not self.lines.before(part).strip()

    def _dash(self, start: int, item: Part) -> int:
        """Return the offset of the dash before an item; ``start`` is where the item before it ends."""
        text = self.tree.text
        while (dash := text.find("-", start, item.start + 1)) >= 0:
            line_start = max(text.rfind("\n", 0, dash), text.rfind("\r", 0, dash)) + 1
            # A comment, or an anchor of the list, may have a dash too.
            if "#" not in text[max(line_start, start) : dash] and text[dash - 1 : dash] in ("", " ", "\t", "\n", "\r"):
                return dash
            start = dash + 1
        return item.start

    def _line_of(self, offset: int, item: Part) -> int:
        """Return the line of an offset at or before an item."""
        line = item.line
        while self.lines.starts[line] > offset:
            line -= 1
        return line


def comment_columns(tree: Tree, columns: Columns) -> dict[int, int]:
    """Return the columns of the comments that have a line of their own.

    A comment above a key is at the key's column. A deeper one, after the last key of its block, belongs to that block.
    """
    found: dict[int, int] = {}
    stack: list[Entry] = []
    waiting: list[int] = []
    for line in range(len(tree.lines)):
        if line in columns.indents or line not in columns.entries:
            if line not in columns.indents and is_comment(tree, line):
                waiting.append(line)
            continue
        found.update(_placed(tree, waiting, stack, columns.entries[line][0]))
        waiting = []
        for entry in columns.entries[line]:
            while stack and stack[-1].old >= entry.old:
                stack.pop()
            stack.append(entry)
    found.update(_placed(tree, waiting, stack, Entry(-1, 0)))
    return found


def _placed(tree: Tree, comments: list[int], stack: list[Entry], following: Entry) -> dict[int, int]:
    """Return the columns of the comments between the entries of a stack and the following one.

    The first ones may continue the line above, if they are deeper than it. The next ones end the blocks that they are
    in, from the innermost to the outermost. All others are above the following entry.
    """
    found: dict[int, int] = {}
    around = [entry for entry in stack if entry.old > following.old]
    continues = bool(stack) and stack[-1].new >= following.new
    for line in comments:
        indent = tree.lines.indent(line)
        if continues and indent > stack[-1].old and not is_ignore(tree, line):
            last = stack[-1]
            found[line] = last.new + (0 if last.is_text else indent - last.old)
            continues = not last.is_text
            continue
        continues = False
        around = [] if is_ignore(tree, line) else [entry for entry in around if entry.old <= indent]
        found[line] = around[-1].new if around else max(following.new, 0)
    return found
