"""The lines between the nodes of a file: blank lines and comments.

The first functions hold only for lines between two nodes: within a text of several lines, `#` is text.
"""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.files.formatting.tree import Part, Tree


def is_blank(tree: Tree, line: int) -> bool:
    """Say whether a line has nothing but white space."""
    return not tree.lines.content(line).strip(" \t")


def is_comment(tree: Tree, line: int) -> bool:
    """Say whether a line has nothing but a comment."""
    return tree.lines.content(line).lstrip(" \t").startswith("#")


def is_ignore(tree: Tree, line: int) -> bool:
    """Say whether a line is a comment that switches a rule off for the next line, so that it stays above that line."""
    return is_comment(tree, line) and "schedsync:" in tree.lines.content(line)


def leaves(part: Part) -> Iterator[Part]:
    """Yield the scalars and aliases in a part, and its flow collections without items, in the order of the text."""
    if not part.items:
        yield part
    for item in part.items:
        yield from leaves(item)


def comments(tree: Tree) -> list[str]:
    """Return all comments of a text, without white space at their ends, in the order of the text."""
    found: list[str] = []
    done = 0
    for part in leaves(tree.root):
        found += _in_gap(tree.text[done : part.start])
        if part.is_block_scalar:
            # Its first line may have a comment.
            found += _in_gap(tree.text[part.start : tree.lines.ends[part.line]])
        done = max(done, part.end)
    return [*found, *_in_gap(tree.text[done:])]


def _in_gap(text: str) -> Iterator[str]:
    """Yield the comments in the text between two nodes."""
    for line in text.splitlines():
        _, mark, words = line.partition("#")
        if mark:
            yield f"#{words}".rstrip()
